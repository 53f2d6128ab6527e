//! Our end: rustls with a provider of ours, driven by the same script as the foreign peer.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CipherSuite, ClientConfig, Connection, HandshakeKind, NamedGroup, RootCertStore, ServerConfig,
};
use shangmi::{sm3, tls13};

/// Anything that keeps a test from being set up.
pub type SetupError = Box<dyn std::error::Error + Send + Sync>;

/// How long our end waits for the peer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A client that trusts `roots/ca.pem`; `identity` is a directory with a client chain.
///
/// # Errors
/// When a file or the provider is refused.
pub fn client_config(
    provider: &Arc<CryptoProvider>,
    roots: &Path,
    identity: Option<&Path>,
) -> Result<ClientConfig, SetupError> {
    let verifier = tls13::server_verifier(root_store(roots)?, provider)?;
    let builder = tls13::client_config(provider.clone(), verifier)?;
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(dir) => {
            let own = certified_key(provider, dir, "client")?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
        }
    })
}

/// A server with the server chain in `identity`; with `roots` it requires client certificates. It
/// issues tickets under our ticketer.
///
/// # Errors
/// When a file or the provider is refused.
pub fn server_config(
    provider: &Arc<CryptoProvider>,
    identity: &Path,
    roots: Option<&Path>,
) -> Result<ServerConfig, SetupError> {
    let own = certified_key(provider, identity, "server")?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = match roots {
        None => builder.with_no_client_auth(),
        Some(dir) => {
            builder.with_client_cert_verifier(tls13::client_verifier(root_store(dir)?, provider)?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.ticketer = tls13::ticketer()?;
    Ok(config)
}

/// The chain and key `{name}.{pem,key}` in `dir`, loaded as a user would.
///
/// # Errors
/// When a file is unreadable or the provider refuses what is in it.
pub fn certified_key(
    provider: &CryptoProvider,
    dir: &Path,
    name: &str,
) -> Result<Arc<CertifiedKey>, SetupError> {
    let key = PrivateKeyDer::from_pem_file(dir.join(name).with_extension("key"))?;
    let key = provider.key_provider.load_private_key(key)?;
    Ok(tls13::certified_key(chain(dir, name)?, key)?)
}

/// The certificates in `{name}.pem`.
///
/// # Errors
/// When the file is unreadable.
pub fn chain(dir: &Path, name: &str) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let file = dir.join(name).with_extension("pem");
    Ok(CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?)
}

/// The trust anchors in `ca.pem`.
///
/// # Errors
/// When the file is unreadable.
pub fn root_store(dir: &Path) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    for root in chain(dir, "ca")? {
        roots.add(root)?;
    }
    Ok(roots)
}

/// What one end does after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends so many bytes.
    Send(usize),
    /// Receives so many bytes.
    Receive(usize),
    /// Our end sends a KeyUpdate; rustls always asks for one in return.
    Update,
    /// The peer sends a KeyUpdate.
    PeerUpdate,
    /// The peer sends a KeyUpdate and asks for one in return.
    PeerUpdateRequest,
    /// Sends close_notify and waits for the other's.
    Close,
    /// Waits for the other's close_notify and answers it.
    AwaitClose,
}

impl Step {
    /// The peer's part in a step of ours, in the words of `peer.c`.
    pub(crate) fn for_peer(self) -> Option<String> {
        Some(match self {
            Self::Send(n) => format!("recv={n}"),
            Self::Receive(n) => format!("send={n}"),
            Self::Update => return None,
            Self::PeerUpdate => "update".into(),
            Self::PeerUpdateRequest => "update-request".into(),
            Self::Close => "wait-close".into(),
            Self::AwaitClose => "close".into(),
        })
    }
}

/// What our end saw of one connection.
#[derive(Debug)]
pub struct Outcome {
    /// What was negotiated, if the handshake ended well on our side.
    pub handshake: Option<Handshake>,
    /// SM3 of what each `Send` sent, in hexadecimal.
    pub sent: Vec<String>,
    /// SM3 of what each `Receive` received.
    pub received: Vec<String>,
    /// Whether the whole script was done.
    pub result: Result<(), Failure>,
}

/// What was negotiated.
#[derive(Debug)]
pub struct Handshake {
    /// The cipher suite.
    pub suite: Option<CipherSuite>,
    /// The group of the key exchange.
    pub group: Option<NamedGroup>,
    /// Full, full with HelloRetryRequest, or resumed.
    pub kind: Option<HandshakeKind>,
    /// The protocol chosen by ALPN.
    pub alpn: Option<String>,
    /// The server name that the client asked for, as our server saw it.
    pub sni: Option<String>,
    /// The certificates that the peer showed.
    pub peer_certificates: usize,
    /// What [`tls13::negotiated`] says of it.
    pub conforming: bool,
}

/// Why a connection ended early.
#[derive(Debug)]
pub enum Failure {
    /// rustls ended it, or was told of an alert.
    Tls(rustls::Error),
    /// The transport ended it.
    Io(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => write!(f, "{error:?}"),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(error) => Self::Tls(error),
            Err(error) => Self::Io(error),
        }
    }
}

/// Runs one connection over `socket` to its end.
pub fn run(connection: Connection, socket: TcpStream, script: &[Step]) -> Outcome {
    let mut end = End {
        connection,
        socket,
        outcome: Outcome {
            handshake: None,
            sent: Vec::new(),
            received: Vec::new(),
            result: Ok(()),
        },
    };
    end.outcome.result = end.play(script);
    end.close_socket();
    end.outcome
}

struct End {
    connection: Connection,
    socket: TcpStream,
    outcome: Outcome,
}

impl End {
    fn play(&mut self, script: &[Step]) -> Result<(), Failure> {
        self.socket.set_nodelay(true)?;
        self.socket.set_read_timeout(Some(PATIENCE))?;
        self.socket.set_write_timeout(Some(PATIENCE))?;
        while self.connection.is_handshaking() {
            self.connection.complete_io(&mut self.socket)?;
        }
        self.flush()?;
        self.outcome.handshake = Some(handshake(&self.connection));
        script.iter().try_for_each(|&step| self.step(step))
    }

    fn step(&mut self, step: Step) -> Result<(), Failure> {
        match step {
            Step::Send(n) => self.send(n),
            Step::Receive(n) => self.receive(n),
            Step::Update => {
                self.connection.refresh_traffic_keys()?;
                self.flush()
            }
            // It comes with the data that follows it.
            Step::PeerUpdate | Step::PeerUpdateRequest => Ok(()),
            Step::Close => {
                self.connection.send_close_notify();
                self.flush()?;
                self.await_close()
            }
            Step::AwaitClose => {
                self.await_close()?;
                self.connection.send_close_notify();
                self.flush()
            }
        }
    }

    fn send(&mut self, n: usize) -> Result<(), Failure> {
        let data = pattern(n);
        self.outcome.sent.push(digest(&data));
        for chunk in data.chunks(16 * 1024) {
            self.connection.writer().write_all(chunk)?;
            self.flush()?;
        }
        Ok(())
    }

    fn receive(&mut self, n: usize) -> Result<(), Failure> {
        let mut data = vec![0; n];
        let mut done = 0;
        while done < n {
            match self.read(&mut data[done..])? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                count => done += count,
            }
        }
        self.outcome.received.push(digest(&data));
        Ok(())
    }

    fn await_close(&mut self) -> Result<(), Failure> {
        match self.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(io::Error::other("data where close_notify was due").into()),
        }
    }

    /// Plaintext of the peer, or 0 after its close_notify.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.connection.complete_io(&mut self.socket)?;
                }
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// An alert that was written must be read before a reset can overtake it: half-close, then drain.
    fn close_socket(&mut self) {
        let _ = self.flush();
        let _ = self.socket.shutdown(Shutdown::Write);
        let _ = io::copy(&mut self.socket, &mut io::sink());
    }
}

fn handshake(connection: &Connection) -> Handshake {
    let sni = match connection {
        Connection::Client(_) => None,
        Connection::Server(server) => server.server_name(),
    };
    Handshake {
        suite: connection
            .negotiated_cipher_suite()
            .map(|suite| suite.suite()),
        group: connection
            .negotiated_key_exchange_group()
            .map(|group| group.name()),
        kind: connection.handshake_kind(),
        alpn: connection
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
        sni: sni.map(str::to_owned),
        peer_certificates: connection.peer_certificates().map_or(0, <[_]>::len),
        conforming: tls13::negotiated(connection).is_ok(),
    }
}

/// Bytes without a short period, so that lost, repeated and exchanged records all show.
fn pattern(n: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        })
        .collect()
}

fn digest(data: &[u8]) -> String {
    sm3::digest(data)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
