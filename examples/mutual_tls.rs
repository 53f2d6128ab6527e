//! Mutual TLS 1.3 with SM2 certificates, the server's key in a PKCS#11 token:
//!
//!     cargo run --example mutual_tls
//!
//! It makes a CA, has the server's certificate requested and signed by the token that holds the
//! server's key (a software token, so that it runs anywhere; a real one differs in the URI only),
//! and connects a client and a server over TCP on loopback.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, CommonState, RootCertStore, ServerConfig, ServerConnection,
    Stream,
};
use shangmi::hsm::pkcs11::{TokenKey, Uri};
use shangmi::pki::{Ca, Certificate, Leaf, Purpose, Request, Validity};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;
use shangmi::tls13::{self, Sm2SigningKey};
use shangmi_testtoken::TestToken;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PIN: &str = "a PIN for this example";

fn main() -> Result<()> {
    let root_key = SecretKey::generate(&mut SystemRandom)?;
    let ca = Ca::self_signed(
        "CN=Example CA,O=Example Bank,C=CN",
        root_key,
        Validity::days(30),
    )?;

    let (server_key, server_certificate) = server_identity(&ca)?;
    let token = format!(
        "token `{}`, {:?} key",
        server_key.token_label(),
        server_key.kind()
    );
    let server = server_config(&ca, server_key, &server_certificate)?;
    let client = client_config(&ca)?;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = thread::spawn(move || serve(&listener, server));
    let answer = ask(TcpStream::connect(address)?, client)?;
    let seen_by_server = serving.join().map_err(|_| "the server panicked")??;

    println!("connected to       {address}");
    print!("{answer}");
    println!("server signed with {token}");
    print!("{seen_by_server}");
    Ok(())
}

/// The server's key in a token, and a certificate that the CA issued to its request.
fn server_identity(ca: &Ca) -> Result<(TokenKey, Certificate)> {
    // What an administrator does once, with the token's own tools.
    let token = TestToken::create("example-bank", PIN)?;
    token.generate_sm2("tls-server", b"\x01")?;

    // In production: a file that the service manager gives to this service alone.
    let pin_file = std::env::temp_dir().join(format!("shangmi-example-{}.pin", std::process::id()));
    write_for_us_alone(&pin_file, PIN)?;
    let uri: Uri = format!(
        "pkcs11:token=example-bank;object=tls-server?module-path={}&pin-source=file:{}",
        shangmi_testtoken::module_path()?.display(),
        pin_file.display(),
    )
    .parse()?;
    let key = TokenKey::open(&uri, None);
    fs::remove_file(&pin_file)?;
    let key = key?;

    let request = Request::new(&Leaf::server("localhost"), &key.sm2()?)?;
    let certificate = ca.issue_from_request(&request, Purpose::Server)?;
    Ok((key, certificate))
}

/// A new file, never one that is there already, which on Unix only its owner can read.
fn write_for_us_alone(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok(options.open(path)?.write_all(text.as_bytes())?)
}

fn server_config(ca: &Ca, key: TokenKey, certificate: &Certificate) -> Result<ServerConfig> {
    let provider = Arc::new(tls13::strict());
    let own = tls13::certified_key(vec![certificate.to_der().into()], Arc::new(key))?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(tls13::client_verifier(roots(ca)?, &provider)?)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.ticketer = tls13::ticketer()?;
    Ok(config)
}

fn client_config(ca: &Ca) -> Result<ClientConfig> {
    let provider = Arc::new(tls13::strict());
    let verifier = tls13::server_verifier(roots(ca)?, &provider)?;
    Ok(tls13::client_config(provider, verifier)?
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client_identity(ca)?))))
}

fn client_identity(ca: &Ca) -> Result<Arc<CertifiedKey>> {
    let key = SecretKey::generate(&mut SystemRandom)?;
    let certificate = ca.issue(&Leaf::client("alice"), key.public_key())?;
    let key = Arc::new(Sm2SigningKey::new(Arc::new(key)));
    Ok(tls13::certified_key(
        vec![certificate.to_der().into()],
        key,
    )?)
}

fn roots(ca: &Ca) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().to_der().into())?;
    Ok(roots)
}

/// Serves one connection and tells whom it served.
fn serve(listener: &TcpListener, config: ServerConfig) -> Result<String> {
    let (mut socket, _) = listener.accept()?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut connection = ServerConnection::new(Arc::new(config))?;
    let mut stream = Stream::new(&mut connection, &mut socket);
    let mut question = [0; 5];
    stream.read_exact(&mut question)?;
    stream.write_all(b"hello, ")?;
    stream.write_all(&question)?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(format!("client             {}\n", peer(&connection)?))
}

/// Connects, and tells what was negotiated and who answered what.
fn ask(mut socket: TcpStream, config: ClientConfig) -> Result<String> {
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let name = ServerName::try_from("localhost")?;
    let mut connection = ClientConnection::new(Arc::new(config), name)?;
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(b"alice")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(format!(
        "negotiated         {}\nserver             {}\nanswer             {answer}\n",
        negotiated(&connection)?,
        peer(&connection)?,
    ))
}

/// The protocol, the suite, the group and the signature, as RFC 8998 names them.
fn negotiated(connection: &CommonState) -> Result<String> {
    let suite = connection
        .negotiated_cipher_suite()
        .ok_or("no suite")?
        .suite();
    let group = connection
        .negotiated_key_exchange_group()
        .ok_or("no group")?
        .name();
    // rustls 0.23 shows these by number; the strict provider has only one signature scheme.
    let suite = match suite {
        tls13::TLS_SM4_GCM_SM3 => "TLS_SM4_GCM_SM3",
        tls13::TLS_SM4_CCM_SM3 => "TLS_SM4_CCM_SM3",
        _ => return Err("not a suite of RFC 8998".into()),
    };
    if group != tls13::CURVE_SM2 {
        return Err("not curveSM2".into());
    }
    let version = connection.protocol_version().ok_or("no version")?;
    Ok(format!("{version:?}, {suite}, curveSM2, sm2sig_sm3"))
}

/// Whom the peer's verified certificate names, and who says so.
fn peer(connection: &CommonState) -> Result<String> {
    let chain: &[CertificateDer<'_>] = connection.peer_certificates().ok_or("no certificate")?;
    let certificate = Certificate::from_der(chain.first().ok_or("no certificate")?)?;
    Ok(format!(
        "{}, certified by {}",
        certificate.subject(),
        certificate.issuer()
    ))
}
