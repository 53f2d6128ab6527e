//! Certificates, configurations and an in-memory wire for tests of the TLS 1.3 provider.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod faulty;
pub mod international;
pub mod log;
pub mod signed;
#[cfg(feature = "pkcs11")]
pub mod softhsm;
#[cfg(feature = "pkcs11")]
pub mod token;
#[cfg(feature = "pkcs11")]
pub mod token_pool;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, ConnectionCommon, Error,
    RootCertStore, ServerConfig, ServerConnection, SideData,
};
use shangmi::pki::{Ca, Leaf, Validity};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;
use shangmi::tls13::{self, Sm2SigningKey};

pub const NAME: &str = "server.example";

pub fn secret_key() -> SecretKey {
    SecretKey::generate(&mut SystemRandom).unwrap()
}

pub fn ca(name: &str) -> Ca {
    ca_with(name, secret_key())
}

pub fn ca_with(name: &str, key: SecretKey) -> Ca {
    Ca::self_signed(&format!("CN={name}"), key, Validity::days(30)).unwrap()
}

/// The same key again, for what an authority of the library does not sign.
pub fn copy_of(key: &SecretKey) -> SecretKey {
    SecretKey::from_bytes(key.to_bytes().as_bytes()).unwrap()
}

pub fn roots(ca: &Ca) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(der(ca)).unwrap();
    Arc::new(roots)
}

pub fn der(ca: &Ca) -> CertificateDer<'static> {
    ca.certificate().as_der().to_vec().into()
}

/// A leaf certificate with its key, without the checks of `tls13::certified_key`.
pub fn issue(ca: &Ca, leaf: &Leaf) -> Arc<CertifiedKey> {
    let key = secret_key();
    let certificate = ca.issue(leaf, key.public_key()).unwrap();
    Arc::new(CertifiedKey::new(
        vec![certificate.as_der().to_vec().into()],
        Arc::new(Sm2SigningKey::new(Arc::new(key))),
    ))
}

pub fn server_leaf() -> Leaf {
    Leaf::server(NAME)
}

pub fn client_leaf() -> Leaf {
    Leaf::client("alice")
}

pub fn strict() -> Arc<CryptoProvider> {
    Arc::new(tls13::strict())
}

/// The strict set reduced to one suite.
pub fn strict_with(suite: rustls::CipherSuite) -> Arc<CryptoProvider> {
    let mut provider = tls13::strict();
    provider
        .cipher_suites
        .retain(|offered| offered.suite() == suite);
    assert_eq!(provider.cipher_suites.len(), 1);
    Arc::new(provider)
}

pub fn client_config(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    own: Option<Arc<CertifiedKey>>,
) -> ClientConfig {
    let verifier = tls13::server_verifier(roots.clone(), provider).unwrap();
    let config = tls13::client_config(provider.clone(), verifier).unwrap();
    match own {
        Some(own) => config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        None => config.with_no_client_auth(),
    }
}

/// With `clients`, mutual authentication.
pub fn server_config(
    provider: &Arc<CryptoProvider>,
    clients: Option<&Arc<RootCertStore>>,
    own: Arc<CertifiedKey>,
) -> ServerConfig {
    let verifier = match clients {
        Some(roots) => tls13::client_verifier(roots.clone(), provider).unwrap(),
        None => WebPkiClientVerifier::no_client_auth(),
    };
    ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
}

/// A client and a server with a wire between them.
pub struct Pair {
    pub client: ClientConnection,
    pub server: ServerConnection,
}

/// What each side said when a handshake failed.
#[derive(Debug, Default)]
pub struct Refused {
    pub client: Option<Error>,
    pub server: Option<Error>,
}

impl Pair {
    pub fn new(client: impl Into<Arc<ClientConfig>>, server: impl Into<Arc<ServerConfig>>) -> Self {
        let name = ServerName::try_from(NAME).unwrap();
        Self {
            client: ClientConnection::new(client.into(), name).unwrap(),
            server: ServerConnection::new(server.into()).unwrap(),
        }
    }

    /// Carries bytes to and fro until both sides are quiet.
    pub fn run(&mut self) -> Result<(), Box<Refused>> {
        let mut refused = Box::<Refused>::default();
        loop {
            let to_server = written(&mut self.client);
            let to_client = written(&mut self.server);
            if to_server.is_empty() && to_client.is_empty() {
                break;
            }
            if refused.server.is_none() {
                refused.server = deliver(&mut self.server, &to_server).err();
            }
            if refused.client.is_none() {
                refused.client = deliver(&mut self.client, &to_client).err();
            }
        }
        if refused.client.is_some() || refused.server.is_some() {
            return Err(refused);
        }
        Ok(())
    }

    /// Runs the handshake and says that it is complete.
    pub fn handshake(mut self) -> Self {
        self.run().unwrap();
        assert!(!self.client.is_handshaking() && !self.server.is_handshaking());
        self
    }

    /// Runs the handshake and says how it failed.
    pub fn refusal(mut self) -> Refused {
        *self.run().expect_err("the handshake must be refused")
    }
}

/// Takes what a side has to send.
pub fn written<D: SideData>(from: &mut ConnectionCommon<D>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Gives bytes to a side and lets it work on them.
pub fn deliver<D: SideData>(to: &mut ConnectionCommon<D>, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// The alert that a side received.
pub fn alert(error: &Option<Error>) -> Option<AlertDescription> {
    match error {
        Some(Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

/// A server that asks for no certificate, and a client that trusts `ca`.
pub fn server_only(ca: &Ca, server: Arc<CertifiedKey>) -> Pair {
    Pair::new(
        client_config(&strict(), &roots(ca), None),
        server_config(&strict(), None, server),
    )
}

/// Mutual authentication with a good server certificate.
pub fn with_client(ca: &Ca, client: Option<Arc<CertifiedKey>>) -> Pair {
    Pair::new(
        client_config(&strict(), &roots(ca), client),
        server_config(&strict(), Some(&roots(ca)), issue(ca, &server_leaf())),
    )
}

/// Mutual authentication without anything of ours but the provider.
pub fn under_rustls_verifiers(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    client: Arc<CertifiedKey>,
    server: Arc<CertifiedKey>,
) -> Pair {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    Pair::new(
        ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client))),
        ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(server))),
    )
}

#[track_caller]
pub fn assert_certificate_refused(
    error: Option<Error>,
    expected: impl Fn(&CertificateError) -> bool,
    alert_seen: Option<AlertDescription>,
    alert: AlertDescription,
) {
    match &error {
        Some(Error::InvalidCertificate(reason)) if expected(reason) => {}
        other => panic!("refused for another reason: {other:?}"),
    }
    assert_eq!(alert_seen, Some(alert));
}

/// The error of this crate inside of rustls's.
#[track_caller]
pub fn own(error: &Option<Error>) -> &tls13::Error {
    tls13::Error::find(error.as_ref().unwrap()).unwrap_or_else(|| panic!("{error:?}"))
}
