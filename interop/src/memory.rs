//! Whole TLS handshakes in memory, both ends on one thread: what `./figures` measures.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, RootCertStore};
use rustls::{ServerConfig, ServerConnection};
use shangmi::pki::{Ca, Leaf, Validity};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;
use shangmi::tls13::{self, Sm2SigningKey};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const NAME: &str = "localhost";

/// A client's and a server's configuration that authenticate each other.
pub struct Ends {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// Our strict provider: SM2 certificates, TLS_SM4_GCM_SM3, curveSM2.
pub fn sm() -> Result<Ends> {
    let ca = Ca::self_signed(
        "CN=CA",
        SecretKey::generate(&mut SystemRandom)?,
        Validity::days(1),
    )?;
    let issue = |leaf: Leaf| -> Result<Arc<CertifiedKey>> {
        let key = SecretKey::generate(&mut SystemRandom)?;
        let certificate = ca.issue(&leaf, key.public_key())?;
        let key = Arc::new(Sm2SigningKey::new(Arc::new(key)));
        Ok(tls13::certified_key(
            vec![certificate.to_der().into()],
            key,
        )?)
    };
    let root = ca.certificate().to_der().into();
    ends(
        tls13::strict(),
        root,
        issue(Leaf::server(NAME))?,
        issue(Leaf::client("client"))?,
    )
}

/// The mainstream yardstick: aws-lc-rs with P-256 certificates, AES-128-GCM and secp256r1.
pub fn p256_aws_lc() -> Result<Ends> {
    use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
    let provider = CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![kx_group::SECP256R1],
        ..aws_lc_rs::default_provider()
    };
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate()?;
    let root = params.self_signed(&ca_key)?;
    let issuer = rcgen::Issuer::new(params, ca_key);
    let issue = || -> Result<Arc<CertifiedKey>> {
        let key = rcgen::KeyPair::generate()?;
        let leaf = rcgen::CertificateParams::new([NAME.to_owned()])?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let key = aws_lc_rs::sign::any_supported_type(&key)?;
        Ok(Arc::new(CertifiedKey::new(vec![leaf.der().clone()], key)))
    };
    ends(provider, root.der().clone(), issue()?, issue()?)
}

/// One full handshake with both ends authenticated.
pub fn mutual_handshake(ends: &Ends) -> Result<()> {
    let mut client = ClientConnection::new(ends.client.clone(), ServerName::try_from(NAME)?)?;
    let mut server = ServerConnection::new(ends.server.clone())?;
    while client.is_handshaking() || server.is_handshaking() {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
    }
    match server.peer_certificates() {
        Some([_, ..]) => Ok(()),
        _ => Err("the client was not authenticated".into()),
    }
}

fn ends(
    provider: CryptoProvider,
    root: CertificateDer<'static>,
    server: Arc<CertifiedKey>,
    client: Arc<CertifiedKey>,
) -> Result<Ends> {
    let provider = Arc::new(provider);
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let roots = Arc::new(roots);

    let verifier = tls13::server_verifier(roots.clone(), &provider)?;
    let mut client_config = tls13::client_config(provider.clone(), verifier)?
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client)));
    client_config.resumption = rustls::client::Resumption::disabled();
    let mut server_config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(tls13::client_verifier(roots, &provider)?)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(server)));
    server_config.send_tls13_tickets = 0;
    Ok(Ends {
        client: Arc::new(client_config),
        server: Arc::new(server_config),
    })
}

fn carry<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) -> Result<()> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire)?;
    }
    let mut wire = io::Cursor::new(wire);
    while (wire.position() as usize) < wire.get_ref().len() {
        to.read_tls(&mut wire)?;
        to.process_new_packets()?;
    }
    Ok(())
}
