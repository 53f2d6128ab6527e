//! Both ends of a handshake with mutual authentication, each key behind a gate.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, NamedGroup, ServerConfig};
use shangmi::tls13;
use shangmi::tls13::tokio::{Acceptor, Connector};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Builder;
use tokio_rustls::{client, server};

use crate::common;
use crate::gate::{Gate, gated};

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub type Accepted = io::Result<server::TlsStream<DuplexStream>>;
pub type Connected = io::Result<client::TlsStream<DuplexStream>>;

/// Runs the test on a runtime of each flavour, with a single thread that a key could block.
pub fn on_both_runtimes<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let one_worker = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let current_thread = Builder::new_current_thread().enable_all().build();
    for runtime in [one_worker, current_thread] {
        let runtime = runtime.unwrap();
        let test = async { tokio::time::timeout(PATIENCE, test()).await.unwrap() };
        runtime.block_on(test);
    }
}

/// The configurations of both ends.
pub struct Ends {
    pub client: ClientConfig,
    pub server: ServerConfig,
    pub client_gate: Arc<Gate>,
    pub server_gate: Arc<Gate>,
}

impl Ends {
    /// With open gates.
    pub fn new() -> Self {
        let ends = Self::closed();
        ends.client_gate.open();
        ends.server_gate.open();
        ends
    }

    /// With closed gates.
    pub fn closed() -> Self {
        Self::closed_for(PATIENCE, &common::strict())
    }

    /// With gates that are closed so long, and a client of another provider.
    pub fn closed_for(patience: Duration, client_provider: &Arc<CryptoProvider>) -> Self {
        let (client_gate, server_gate) = (Gate::closed(patience), Gate::closed(patience));
        let ca = common::ca("CA");
        let roots = common::roots(&ca);
        let client = gated(&common::issue(&ca, &common::client_leaf()), &client_gate);
        let server = gated(&common::issue(&ca, &common::server_leaf()), &server_gate);
        Self {
            client: common::client_config(client_provider, &roots, Some(client)),
            server: common::server_config(&common::strict(), Some(&roots), server),
            client_gate,
            server_gate,
        }
    }

    pub fn acceptor(&self) -> Acceptor {
        Acceptor::from(Arc::new(self.server.clone()))
    }

    pub fn connector(&self) -> Connector {
        Connector::from(Arc::new(self.client.clone()))
    }

    pub async fn shake_hands(&self) -> (Connected, Accepted) {
        shake_hands(&self.connector(), &self.acceptor()).await
    }
}

/// A client whose first key share is of a group that our server does not take, so that the server
/// asks for another hello.
pub fn provider_to_retry() -> Arc<CryptoProvider> {
    let mut provider = tls13::mixed();
    provider
        .kx_groups
        .sort_by_key(|group| group.name() != NamedGroup::secp256r1);
    Arc::new(provider)
}

pub fn name() -> ServerName<'static> {
    ServerName::try_from(common::NAME).unwrap()
}

pub async fn shake_hands(connector: &Connector, acceptor: &Acceptor) -> (Connected, Accepted) {
    let (near, far) = duplex(64 * 1024);
    tokio::join!(connector.connect(name(), near), acceptor.accept(far))
}

/// Sends something there and back.
pub async fn echo(
    client: &mut client::TlsStream<DuplexStream>,
    server: &mut server::TlsStream<DuplexStream>,
) {
    let mut buffer = [0; 5];
    client.write_all(b"there").await.unwrap();
    client.flush().await.unwrap();
    server.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"there");
    server.write_all(b"back.").await.unwrap();
    server.flush().await.unwrap();
    client.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"back.");
}

/// What rustls said, inside the error of a handshake.
#[track_caller]
pub fn tls_error<T>(result: io::Result<T>) -> rustls::Error {
    let error = result.err().expect("the handshake must fail");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    let inner = error.get_ref().unwrap().downcast_ref();
    rustls::Error::clone(inner.unwrap())
}

/// The handshake failed by this alert of the peer.
#[track_caller]
pub fn assert_alerted<T>(result: io::Result<T>, alert: AlertDescription) {
    assert_eq!(tls_error(result), rustls::Error::AlertReceived(alert));
}
