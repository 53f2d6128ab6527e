//! The clients of the load: many that shake hands again and again, and one that is connected
//! already and sends something there and back.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, ClientConnection, Error, StreamOwned};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::server::WELCOME;
use super::{Bank, Result};

/// A client that waits longer counts as hung.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client waits after a failure, so that a server that refuses at once is not flooded.
const PAUSE: Duration = Duration::from_millis(10);

/// How often the connected client speaks.
const ECHO_EVERY: Duration = Duration::from_millis(1);

/// One try of a client to connect.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// When it began, before the TCP connection.
    pub began: Instant,
    /// When the client knew how it ended.
    pub ended: Instant,
    /// How it ended.
    pub ending: Ending,
}

impl Handshake {
    /// How long it took.
    pub fn lasted(&self) -> Duration {
        self.ended - self.began
    }
}

/// How a handshake ended, as the client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both ends are authenticated, and application data has come.
    Complete,
    /// The server sent the alert `internal_error`.
    InternalError,
    /// The server's signature does not verify.
    WrongSignature,
    /// The client gave up waiting.
    Hung,
    /// Anything else.
    Broken(String),
}

/// Shakes hands until told to stop; adds what is complete to the count.
pub(super) async fn shake_hands(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    stop: Arc<AtomicBool>,
    complete: Arc<AtomicU64>,
) -> Vec<Handshake> {
    let connector = TlsConnector::from(config);
    let mut handshakes = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let ending = match timeout(PATIENCE, connect(address, &connector)).await {
            Ok(Ok(())) => Ending::Complete,
            Ok(Err(error)) => ending(&error),
            Err(_) => Ending::Hung,
        };
        let failed = ending != Ending::Complete;
        complete.fetch_add(u64::from(!failed), Ordering::Relaxed);
        handshakes.push(Handshake {
            began,
            ended: Instant::now(),
            ending,
        });
        if failed {
            sleep(PAUSE).await;
        }
    }
    handshakes
}

async fn connect(address: SocketAddr, connector: &TlsConnector) -> io::Result<()> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    // Closes with a reset: there are fewer ports than handshakes, and each would be kept a minute.
    tcp.set_zero_linger()?;
    let name = ServerName::try_from(Bank::HOST).map_err(io::Error::other)?;
    let mut stream = connector.connect(name, tcp).await?;
    match stream.read_u8().await? {
        WELCOME => Ok(()),
        other => Err(io::Error::other(format!("{other} for a welcome"))),
    }
}

fn ending(error: &io::Error) -> Ending {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(Error::AlertReceived(AlertDescription::InternalError)) => Ending::InternalError,
        Some(Error::InvalidCertificate(rustls::CertificateError::BadSignature)) => {
            Ending::WrongSignature
        }
        _ => Ending::Broken(error.to_string()),
    }
}

/// A round trip: when it was over, and how long it took.
pub(super) type Echo = (Instant, Duration);

/// A connection that is there before the load. It lives on a thread of its own, so that only the
/// server's runtime is on its way.
pub(super) struct EchoClient(StreamOwned<ClientConnection, std::net::TcpStream>);

impl EchoClient {
    pub(super) fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> Result<Self> {
        let tcp = std::net::TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let connection = ClientConnection::new(config, ServerName::try_from(Bank::HOST)?)?;
        let mut stream = StreamOwned::new(connection, tcp);
        let mut welcome = [0];
        stream.read_exact(&mut welcome)?;
        Ok(Self(stream))
    }

    pub(super) fn run(mut self, stop: &AtomicBool) -> io::Result<Vec<Echo>> {
        let mut echoes = Vec::new();
        let (sent, mut received) = ([7; 32], [0; 32]);
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            self.0.write_all(&sent)?;
            self.0.flush()?;
            self.0.read_exact(&mut received)?;
            echoes.push((Instant::now(), began.elapsed()));
            std::thread::sleep(ECHO_EVERY);
        }
        Ok(echoes)
    }
}
