//! Handshakes on tokio with keys that may be in a slow HSM, over tokio-rustls 0.26.
//!
//! rustls calls a private key and waits for the signature. With tokio-rustls alone that happens on a
//! worker of the runtime, which serves nobody else for as long as the HSM takes: milliseconds as a
//! rule, seconds when it fails over. [`Acceptor`] and [`Connector`] have the step of the handshake
//! that signs done by the runtime's blocking threads ([`spawn_blocking`]), and all else, the waiting
//! for the peer above all, by the workers. So a slow HSM holds no worker and a slow peer no thread,
//! on a runtime of either flavour.
//!
//! What comes out is the stream of tokio-rustls, and goes into hyper, axum or tonic as that does:
//!
//! ```no_run
//! use std::sync::Arc;
//! use shangmi::tls13::tokio::Acceptor;
//!
//! # async fn serve(config: Arc<rustls::ServerConfig>) -> std::io::Result<()> {
//! let acceptor = Acceptor::from(config);
//! let listener = tokio::net::TcpListener::bind("0.0.0.0:443").await?;
//! loop {
//!     let (tcp, _) = listener.accept().await?;
//!     let acceptor = acceptor.clone();
//!     tokio::spawn(async move {
//!         match acceptor.accept(tcp).await {
//!             Ok(stream) => { /* hand it to the application */ drop(stream) }
//!             Err(error) => eprintln!("{error}"),
//!         }
//!     });
//! }
//! # }
//! ```
//!
//! - **Errors** are those of tokio-rustls: an [`io::Error`] of the kind `InvalidData` around the
//!   [`rustls::Error`], which for a token holds an `hsm::Error`; `TimedOut` when the handshake
//!   took too long. Where this end fails, as when the HSM gives no signature, the peer gets
//!   `internal_error` (RFC 8446, 6.2), for which rustls 0.23 itself sends nothing.
//! - **Limits**: a handshake must end in [30 s](Acceptor::handshake_timeout), and
//!   [64 signatures](Acceptor::signatures_at_once) are under way at once; more wait their turn
//!   without a thread. So an HSM that hangs does not use up the blocking threads, on which
//!   the application's files and names may depend too.
//! - **A dropped future** drops the connection. A signature under way cannot be called back: its
//!   thread is free again when the HSM answers or the key's own deadline ends.
//! - **Costs**: the way to the blocking threads and back takes about 20 us a handshake, resumed
//!   ones included, for which nothing is signed. With keys in software alone, or a client without
//!   a certificate, tokio-rustls's own types do as well.
//! - **Other ways** were measured with 64 clients at once. [`block_in_place`] around each step is no
//!   faster, needs a runtime with many threads, and takes two to four threads a handshake; a whole
//!   handshake on a blocking thread is no faster either, and holds it for as long as the peer likes.
//!
//! [`spawn_blocking`]: ::tokio::task::spawn_blocking
//! [`block_in_place`]: https://docs.rs/tokio/1/tokio/task/fn.block_in_place.html

mod handshake;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::tokio::io::{AsyncRead, AsyncWrite};
use pki_types::ServerName;
use rustls::client::Resumption;
use rustls::server::ClientHello;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, TlsAcceptor, TlsConnector, client, server};

use self::handshake::{Limits, complete, refuse};
use super::Choice;

/// Accepts TLS connections whose server key may be in an HSM. Clones share the limits.
///
/// It is made of an `Arc<ServerConfig>`, of a [`Choice`] by the ClientHello, or of a function of
/// the ClientHello.
#[derive(Clone)]
pub struct Acceptor {
    configure: Arc<Configure>,
    limits: Limits,
}

type Configure = dyn Fn(&ClientHello<'_>) -> Arc<ServerConfig> + Send + Sync;

impl Acceptor {
    /// Asks `configure` for the configuration of each connection: to choose by server name, say, or
    /// to renew certificates. It runs on the runtime's workers, so it must not block.
    pub fn by_hello(
        configure: impl Fn(&ClientHello<'_>) -> Arc<ServerConfig> + Send + Sync + 'static,
    ) -> Self {
        Self {
            configure: Arc::new(configure),
            limits: Limits::default(),
        }
    }

    /// How long a handshake may take, from the call of [`accept`](Self::accept): 30 s unless told.
    /// It should be longer than the key's deadline, so that the peer gets an alert.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// How many signatures are under way at once, each on a blocking thread: 64 unless told, four
    /// for each session of a pool of the default size. At least one is.
    #[must_use]
    pub fn signatures_at_once(mut self, count: usize) -> Self {
        self.limits.set_at_once(count);
        self
    }

    /// Shakes hands with the client at the other end of `io`.
    ///
    /// # Errors
    /// As the [module](self) says. The peer has been sent an alert, unless `io` itself failed or the
    /// time was up.
    ///
    /// # Panics
    /// Outside a tokio runtime with its timer enabled.
    pub async fn accept<IO>(&self, io: IO) -> io::Result<server::TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.limits.in_time(self.handshake(io)).await
    }

    async fn handshake<IO>(&self, io: IO) -> io::Result<server::TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), io).await?;
        let StartHandshake {
            accepted, mut io, ..
        } = start;
        let config = (self.configure)(&accepted.client_hello());
        let chosen = config.clone();
        let connection = match self
            .limits
            .run(move || accepted.into_connection(chosen))
            .await?
        {
            Ok(connection) => connection,
            Err((error, mut alert)) => {
                let mut queued = Vec::new();
                alert.write_all(&mut queued)?;
                return Err(refuse(&mut io, queued, error).await);
            }
        };
        // If a HelloRetryRequest went out, the signature goes into the answer to the second hello.
        let signs = connection.handshake_kind() == Some(HandshakeKind::FullWithHelloRetryRequest);
        let connection = complete(&mut io, connection, signs.then_some(&self.limits)).await?;
        // tokio-rustls makes streams of fresh connections only, and lets them be replaced.
        TlsAcceptor::from(config)
            .accept_with(io, |blank| *blank = connection)
            .await
    }
}

impl From<Arc<ServerConfig>> for Acceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self::by_hello(move |_| config.clone())
    }
}

impl From<Choice> for Acceptor {
    fn from(choice: Choice) -> Self {
        Self::by_hello(move |hello| choice.config_for(hello))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Makes TLS connections whose client key may be in an HSM. Clones share the limits.
///
/// It is made of an `Arc<ClientConfig>`. A client without a certificate signs nothing, and shakes
/// hands as tokio-rustls does.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    /// Like `config`, for connections that are made to be replaced: they must use up no ticket.
    blank: Arc<ClientConfig>,
    limits: Limits,
}

impl Connector {
    /// How long a handshake may take, from the call of [`connect`](Self::connect): 30 s unless told.
    /// It should be longer than the key's deadline, so that the peer gets an alert.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// How many handshakes are at the step that signs at once, each on a blocking thread: 64 unless
    /// told, at least one.
    #[must_use]
    pub fn signatures_at_once(mut self, count: usize) -> Self {
        self.limits.set_at_once(count);
        self
    }

    /// Shakes hands with the server `name` at the other end of `io`.
    ///
    /// # Errors
    /// As the [module](self) says. The peer has been sent an alert, unless `io` itself failed or the
    /// time was up.
    ///
    /// # Panics
    /// Outside a tokio runtime with its timer enabled.
    pub async fn connect<IO>(
        &self,
        name: ServerName<'static>,
        io: IO,
    ) -> io::Result<client::TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        self.limits.in_time(self.handshake(name, io)).await
    }

    async fn handshake<IO>(
        &self,
        name: ServerName<'static>,
        mut io: IO,
    ) -> io::Result<client::TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        if !self.config.client_auth_cert_resolver.has_certs() {
            let plain = TlsConnector::from(self.config.clone());
            return plain.connect(name, io).await;
        }
        let connection =
            ClientConnection::new(self.config.clone(), name.clone()).map_err(io::Error::other)?;
        let connection = complete(&mut io, connection, Some(&self.limits)).await?;
        // tokio-rustls makes streams of fresh connections only, and lets them be replaced.
        TlsConnector::from(self.blank.clone())
            .connect_with(name, io, |blank| *blank = connection)
            .await
    }
}

impl From<Arc<ClientConfig>> for Connector {
    fn from(config: Arc<ClientConfig>) -> Self {
        let mut blank = ClientConfig::clone(&config);
        blank.resumption = Resumption::disabled();
        Self {
            config,
            blank: Arc::new(blank),
            limits: Limits::default(),
        }
    }
}
