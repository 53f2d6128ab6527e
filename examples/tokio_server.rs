//! A web server on tokio and hyper: mutual TLS 1.3 with SM2 certificates, the server's key in a
//! PKCS#11 token:
//!
//!     cargo run --example tokio_server --features tokio
//!
//! Signatures are made on the pool's threads while the runtime goes on, so that a slow HSM delays
//! only those who wait for it. Several clients connect at once; each has its words echoed.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use shangmi::hsm::pkcs11::{Options, PinSource, Pool, Uri};
use shangmi::pki::{self, Ca, Certificate, Leaf, Purpose, Validity};
use shangmi::random::SystemRandom;
use shangmi::secret::SecretBytes;
use shangmi::sm2::SecretKey;
use shangmi::tls13::tokio::{Acceptor, Connector};
use shangmi::tls13::{self, Sm2SigningKey};
use shangmi_testtoken::TestToken;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PIN: &str = "a PIN for this example";
const CLIENTS: usize = 8;

fn main() -> Result<()> {
    let root_key = SecretKey::generate(&mut SystemRandom)?;
    let ca = Ca::self_signed(
        "CN=Example CA,O=Example Bank,C=CN",
        root_key,
        Validity::days(30),
    )?;
    // Opening a token waits for it, and so is done before the runtime starts.
    let pool = open_pool()?;
    let server = server_config(&ca, &pool)?;
    let client = client_config(&ca)?;

    Runtime::new()?.block_on(serve_and_ask(server, client))?;

    let metrics = pool.metrics();
    println!(
        "token `{}`: {} signatures in {} sessions, {:?}",
        pool.token_label(),
        metrics.signatures,
        metrics.sessions_opened,
        metrics.health,
    );
    Ok(())
}

/// Sessions with a token. A real one differs in the URI and the place of the PIN only.
fn open_pool() -> Result<Pool> {
    let token = TestToken::create("example-bank", PIN)?;
    token.generate_sm2("tls-server", b"\x01")?;
    let module = shangmi_testtoken::module_path()?;
    let uri: Uri = format!("pkcs11:token=example-bank?module-path={}", module.display()).parse()?;
    let pin = PinSource::Value(SecretBytes::copy_of(PIN.as_bytes()));
    Ok(Pool::open(
        &uri,
        Options::default().max_sessions(4).pin(pin),
    )?)
}

fn server_config(ca: &Ca, pool: &Pool) -> Result<ServerConfig> {
    let key = pool.key(&"pkcs11:object=tls-server".parse()?, None)?;
    let request = pki::Request::new(&Leaf::server("localhost"), &key.sm2()?)?;
    let certificate = ca.issue_from_request(&request, Purpose::Server)?;
    let own = tls13::certified_key(vec![certificate.to_der().into()], Arc::new(key))?;
    let provider = Arc::new(tls13::strict());
    Ok(ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(tls13::client_verifier(roots(ca)?, &provider)?)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own))))
}

fn client_config(ca: &Ca) -> Result<ClientConfig> {
    let key = SecretKey::generate(&mut SystemRandom)?;
    let certificate = ca.issue(&Leaf::client("alice"), key.public_key())?;
    let key = Arc::new(Sm2SigningKey::new(Arc::new(key)));
    let own = tls13::certified_key(vec![certificate.to_der().into()], key)?;
    let provider = Arc::new(tls13::strict());
    let verifier = tls13::server_verifier(roots(ca)?, &provider)?;
    Ok(tls13::client_config(provider, verifier)?
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))))
}

fn roots(ca: &Ca) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().to_der().into())?;
    Ok(roots)
}

async fn serve_and_ask(server: ServerConfig, client: ClientConfig) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(serve(listener, Acceptor::from(Arc::new(server))));

    let connector = Connector::from(Arc::new(client));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let connector = connector.clone();
        clients.spawn(async move { ask(&connector, address, &format!("question {number}")).await });
    }
    while let Some(answered) = clients.join_next().await {
        println!("{}", answered??);
    }
    serving.abort();
    Ok(())
}

/// Takes connections for ever. Each has its handshake in a task of its own, so that none waits for
/// another's.
async fn serve(listener: TcpListener, acceptor: Acceptor) {
    loop {
        let (tcp, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("{error}");
                // Such as too many open files, which passes.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Err(error) = connection(&acceptor, tcp).await {
                eprintln!("{client}: {error}");
            }
        });
    }
}

async fn connection(acceptor: &Acceptor, tcp: TcpStream) -> Result<()> {
    let stream = acceptor.accept(tcp).await?;
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(<[_]>::first).ok_or("no certificate")?;
    let client = Certificate::from_der(certificate)?.subject().to_string();

    http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(
            TokioIo::new(stream),
            service_fn(|request| echo(&client, request)),
        )
        .await?;
    Ok(())
}

async fn echo(client: &str, request: Request<Incoming>) -> Result<Response<Incoming>> {
    Ok(Response::builder()
        .header("x-client", client)
        .body(request.into_body())?)
}

/// Posts the question, and tells who the server says that we are.
async fn ask(connector: &Connector, address: SocketAddr, question: &str) -> Result<String> {
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost")?;
    let mut stream = connector.connect(name, tcp).await?;
    let length = question.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.write_all(question.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;

    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let client = head
        .lines()
        .find_map(|line| line.strip_prefix("x-client: "));
    match (head.starts_with("HTTP/1.1 200 "), client) {
        (true, Some(client)) if body == question => Ok(format!("{client}: {body}")),
        _ => Err(format!("`{question}` was answered with: {answer}").into()),
    }
}
