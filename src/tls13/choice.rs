//! One port for SM and international clients. rustls ties neither group nor certificate to the
//! suite, so here a server chooses for both at once from what the ClientHello offers.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, CommonState, NamedGroup, ProtocolVersion, ServerConfig};

use super::Error;
use super::kx::CURVE_SM2;
use super::suites::{TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3};
use super::verify::SM2SIG_SM3;
use crate::pki;

/// Whether a client can do all that RFC 8998 asks: an SM suite, curveSM2 and sm2sig_sm3.
pub fn offers_sm(hello: &ClientHello<'_>) -> bool {
    hello.cipher_suites().iter().any(is_sm)
        && hello
            .named_groups()
            .is_some_and(|groups| groups.contains(&CURVE_SM2))
        && hello.signature_schemes().contains(&SM2SIG_SM3)
}

/// Two whole configurations on one port, the strictest way to serve both kinds of clients: with
/// `sm` made from [`strict`](super::strict), an SM suite never meets another group or certificate.
///
/// With blocking I/O, read the ClientHello through [`rustls::server::Acceptor`], then call
/// `accepted.into_connection(choice.config_for(&accepted.client_hello()))`; with tokio-rustls, use
/// `LazyConfigAcceptor` and `start.into_stream(choice.config_for(&start.client_hello()))`.
///
/// ```no_run
/// use rustls::server::{Acceptor, ServerConnection};
/// # use shangmi::tls13::Choice;
///
/// fn accept(choice: &Choice, mut tcp: std::net::TcpStream) -> std::io::Result<ServerConnection> {
///     let mut acceptor = Acceptor::default();
///     let accepted = loop {
///         if acceptor.read_tls(&mut tcp)? == 0 {
///             return Err(std::io::ErrorKind::UnexpectedEof.into());
///         }
///         match acceptor.accept() {
///             Ok(None) => continue,
///             Ok(Some(accepted)) => break accepted,
///             Err((error, mut alert)) => {
///                 alert.write_all(&mut tcp)?;
///                 return Err(std::io::Error::other(error));
///             }
///         }
///     };
///     let config = choice.config_for(&accepted.client_hello());
///     accepted.into_connection(config).map_err(|(error, mut alert)| {
///         match alert.write_all(&mut tcp) {
///             Ok(()) => std::io::Error::other(error),
///             Err(error) => error,
///         }
///     })
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Choice {
    sm: Arc<ServerConfig>,
    other: Arc<ServerConfig>,
}

impl Choice {
    /// `sm` for clients that offer all of an SM suite, curveSM2 and sm2sig_sm3, `other` for the
    /// rest.
    pub fn new(sm: Arc<ServerConfig>, other: Arc<ServerConfig>) -> Self {
        Self { sm, other }
    }

    /// The configuration to go on with.
    pub fn config_for(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        if offers_sm(hello) {
            self.sm.clone()
        } else {
            self.other.clone()
        }
    }
}

/// Two certificates in one configuration, made with [`mixed`](super::mixed) or
/// [`layered`](super::layered): the SM2 certificate goes with an SM suite, the other with all else.
///
/// rustls chooses the suite and the group on its own, each by the client's order of preference, and
/// this foresees what it will choose. A client whose preferences would combine an SM suite with
/// another group or certificate is refused (alert `access_denied`) with a warning in the log;
/// [`Choice`] serves such a client as well.
///
/// TLS 1.2 in the same configuration is served with the other certificate. This foresees wrongly, so
/// that handshakes fail or combine what does not go together, if the configuration lacks TLS 1.3,
/// serves QUIC (the SM suites do not) or sets `ServerConfig::ignore_client_order`.
pub struct CertificateByHello {
    sm: Arc<CertifiedKey>,
    other: Arc<dyn ResolvesServerCert>,
    /// Of TLS 1.3. A ClientHello lists those of TLS 1.2 too, among which rustls does not choose when
    /// it has found TLS 1.3 possible; a client that lists an SM suite speaks TLS 1.3.
    suites: Vec<CipherSuite>,
    groups: Vec<NamedGroup>,
}

impl CertificateByHello {
    /// `sm` for SM suites; `other` is asked for all else. `provider` is the one of the
    /// configuration that this goes into.
    pub fn new(
        sm: Arc<CertifiedKey>,
        other: Arc<dyn ResolvesServerCert>,
        provider: &CryptoProvider,
    ) -> Self {
        Self {
            sm,
            other,
            suites: provider
                .cipher_suites
                .iter()
                .filter(|suite| suite.version().version == ProtocolVersion::TLSv1_3)
                .map(|suite| suite.suite())
                .collect(),
            groups: provider
                .kx_groups
                .iter()
                .filter(|group| group.usable_for_version(ProtocolVersion::TLSv1_3))
                .map(|group| group.name())
                .collect(),
        }
    }
}

impl ResolvesServerCert for CertificateByHello {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chosen = |suite: &&CipherSuite| self.suites.contains(suite);
        let Some(suite) = hello
            .cipher_suites()
            .iter()
            .find(chosen)
            .filter(|suite| is_sm(suite))
        else {
            return self.other.resolve(hello);
        };
        let group = hello
            .named_groups()
            .unwrap_or_default()
            .iter()
            .find(|group| self.groups.contains(group));
        let verifies_sm2 = hello.signature_schemes().contains(&SM2SIG_SM3);
        if group == Some(&CURVE_SM2) && verifies_sm2 {
            return Some(self.sm.clone());
        }

        // rustls reports no more than that it got no certificate.
        tracing::warn!(
            "a client was refused: it prefers {suite:?} but {}; tls13::Choice serves such clients",
            match group {
                _ if !verifies_sm2 => "does not offer sm2sig_sm3".to_owned(),
                Some(group) => format!("also {group:?}, not curveSM2"),
                None => "offers no group of this server".to_owned(),
            }
        );
        None
    }
}

impl fmt::Debug for CertificateByHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateByHello").finish_non_exhaustive()
    }
}

/// What a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiated {
    /// An SM suite with curveSM2.
    Sm,
    /// No SM suite.
    International,
}

/// Tells after the handshake which world a connection belongs to.
///
/// A connection of the [`strict`](super::strict) provider is always [`Negotiated::Sm`]. A client
/// with [`mixed`](super::mixed) or [`layered`](super::layered) depends on the server's choice,
/// which rustls lets nobody tie: call this before sending data if RFC 8998 must hold.
///
/// # Errors
/// [`Error::NotConforming`] for an SM suite with a group other than curveSM2 or with a peer's
/// certificate of another algorithm, and [`Error::Tls`] while the handshake is under way.
pub fn negotiated(connection: &CommonState) -> Result<Negotiated, Error> {
    let (Some(suite), Some(group)) = (
        connection.negotiated_cipher_suite(),
        connection.negotiated_key_exchange_group(),
    ) else {
        return Err(Error::Tls(rustls::Error::HandshakeNotComplete));
    };
    if !is_sm(&suite.suite()) {
        return Ok(Negotiated::International);
    }
    let peer_conforms = connection
        .peer_certificates()
        .and_then(<[_]>::first)
        .is_none_or(|certificate| pki::certificate_public_key(certificate).is_ok());
    if group.name() != CURVE_SM2 || !peer_conforms {
        return Err(Error::NotConforming {
            suite: suite.suite(),
            group: group.name(),
        });
    }
    Ok(Negotiated::Sm)
}

fn is_sm(suite: &CipherSuite) -> bool {
    [TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3].contains(suite)
}
