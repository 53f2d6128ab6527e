//! Whole TLS connections in memory, both ends on one thread: what `./figures` measures.

use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
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
    let roots = roots(ca.certificate().to_der().into())?;
    let provider = Arc::new(tls13::strict());
    let verifiers = Verifiers {
        server: tls13::server_verifier(roots.clone(), &provider)?,
        client: tls13::client_verifier(roots, &provider)?,
    };
    let (server, client) = (issue(Leaf::server(NAME))?, issue(Leaf::client("client"))?);
    ends(provider, verifiers, server, client)
}

/// The mainstream yardstick: aws-lc-rs with P-256 certificates, AES-128-GCM and secp256r1, and
/// rustls's own verifiers. The certificates have the extensions that ours have.
pub fn p256_aws_lc() -> Result<Ends> {
    use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
    let provider = CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![kx_group::SECP256R1],
        ..aws_lc_rs::default_provider()
    };
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = rcgen::KeyPair::generate()?;
    let root = params.self_signed(&ca_key)?;
    let issuer = rcgen::Issuer::new(params, ca_key);
    let issue = |purpose| -> Result<Arc<CertifiedKey>> {
        let key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new([NAME.to_owned()])?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let key = aws_lc_rs::sign::any_supported_type(&key)?;
        Ok(Arc::new(CertifiedKey::new(vec![leaf.der().clone()], key)))
    };

    let roots = roots(root.der().clone())?;
    let provider = Arc::new(provider);
    let server = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
    let client = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    let verifiers = Verifiers {
        server: server.build()?,
        client: client.build()?,
    };
    let server = issue(ExtendedKeyUsagePurpose::ServerAuth)?;
    let client = issue(ExtendedKeyUsagePurpose::ClientAuth)?;
    ends(provider, verifiers, server, client)
}

/// One full handshake with both ends authenticated.
pub fn mutual_handshake(ends: &Ends) -> Result<()> {
    Transfer::new(ends).map(|_| ())
}

/// A connection on which both ends are authenticated, to send data through.
pub struct Transfer {
    client: ClientConnection,
    server: ServerConnection,
    wire: Vec<u8>,
}

impl Transfer {
    /// Shakes hands.
    pub fn new(ends: &Ends) -> Result<Self> {
        let name = ServerName::try_from(NAME)?;
        let mut client = ClientConnection::new(ends.client.clone(), name)?;
        let mut server = ServerConnection::new(ends.server.clone())?;
        let mut wire = Vec::new();
        while client.is_handshaking() || server.is_handshaking() {
            carry(&mut client, &mut server, &mut wire)?;
            carry(&mut server, &mut client, &mut wire)?;
        }
        match server.peer_certificates() {
            Some([_, ..]) => {}
            _ => return Err("the client was not authenticated".into()),
        }
        Ok(Self {
            client,
            server,
            wire,
        })
    }

    /// Sends `data` from client to server, where it fills `received`.
    pub fn record(&mut self, data: &[u8], received: &mut [u8]) -> Result<()> {
        self.client.writer().write_all(data)?;
        carry(&mut self.client, &mut self.server, &mut self.wire)?;
        Ok(self.server.reader().read_exact(received)?)
    }
}

struct Verifiers {
    server: Arc<dyn ServerCertVerifier>,
    client: Arc<dyn ClientCertVerifier>,
}

fn roots(root: CertificateDer<'static>) -> Result<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    Ok(Arc::new(roots))
}

fn ends(
    provider: Arc<CryptoProvider>,
    verifiers: Verifiers,
    server: Arc<CertifiedKey>,
    client: Arc<CertifiedKey>,
) -> Result<Ends> {
    let mut client_config = tls13::client_config(provider.clone(), verifiers.server)?
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client)));
    client_config.resumption = rustls::client::Resumption::disabled();
    let mut server_config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifiers.client)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(server)));
    server_config.send_tls13_tickets = 0;
    Ok(Ends {
        client: Arc::new(client_config),
        server: Arc::new(server_config),
    })
}

/// Moves what one end wants to send to the other, through `wire`.
fn carry<A, B>(
    from: &mut ConnectionCommon<A>,
    to: &mut ConnectionCommon<B>,
    wire: &mut Vec<u8>,
) -> Result<()> {
    wire.clear();
    while from.wants_write() {
        from.write_tls(wire)?;
    }
    let mut wire = io::Cursor::new(wire);
    while (wire.position() as usize) < wire.get_ref().len() {
        to.read_tls(&mut wire)?;
        to.process_new_packets()?;
    }
    Ok(())
}
