//! One configuration with two certificates where rustls has TLS 1.2 as well: a ClientHello lists
//! the suites of both versions, and only those of the one that rustls negotiates count.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConnectionCommon, ProtocolVersion, RootCertStore,
    ServerConfig, ServerConnection, SupportedCipherSuite, SupportedProtocolVersion,
};
use shangmi::pki::{Ca, Leaf, Validity};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;
use shangmi::tls13::{
    self, CertificateByHello, Negotiated, SM4_GCM_SM3_SUITE, Sm2SigningKey, TLS_SM4_GCM_SM3,
};

const HOST: &str = "localhost";
const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];
const ECDSA: SupportedCipherSuite = cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
const AES: SupportedCipherSuite = cipher_suite::TLS13_AES_128_GCM_SHA256;

#[test]
fn an_sm_suite_after_one_of_tls_1_2() {
    let bench = Bench::new();
    for suites in [
        &[ECDSA, SM4_GCM_SM3_SUITE][..],
        &[ECDSA, SM4_GCM_SM3_SUITE, AES],
    ] {
        let client = bench.handshake(suites, BOTH);
        assert_eq!(client.suite(), TLS_SM4_GCM_SM3);
        assert_eq!(client.certificates(), bench.sm.cert);
        assert_eq!(
            tls13::negotiated(&client.0).unwrap(),
            Negotiated::Sm,
            "an SM suite with another certificate"
        );
    }
}

#[test]
fn an_aes_suite_after_one_of_tls_1_2() {
    let bench = Bench::new();
    let client = bench.handshake(&[ECDSA, AES, SM4_GCM_SM3_SUITE], BOTH);
    assert_eq!(client.suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
    assert_eq!(client.certificates(), bench.p256.cert);
}

#[test]
fn a_client_of_tls_1_2() {
    let bench = Bench::new();
    let client = bench.handshake(&[ECDSA], &[&TLS12]);
    assert_eq!(client.0.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert_eq!(client.certificates(), bench.p256.cert);
}

struct Bench {
    sm: Arc<CertifiedKey>,
    p256: Arc<CertifiedKey>,
    roots: Arc<RootCertStore>,
    server: Arc<ServerConfig>,
}

impl Bench {
    fn new() -> Self {
        let (sm_root, sm) = sm_server();
        let (p256_root, p256) = p256_server();
        let mut roots = RootCertStore::empty();
        roots.add(sm_root).unwrap();
        roots.add(p256_root).unwrap();

        let provider = Arc::new(tls13::layered(aws_lc_rs::default_provider()));
        let other = Arc::new(SingleCertAndKey::from(p256.clone()));
        let resolver = CertificateByHello::new(sm.clone(), other, &provider);
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(BOTH)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        Self {
            sm,
            p256,
            roots: Arc::new(roots),
            server: Arc::new(server),
        }
    }

    /// With a client that prefers these suites in this order.
    fn handshake(
        &self,
        suites: &[SupportedCipherSuite],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Client {
        let mut provider = tls13::layered(aws_lc_rs::default_provider());
        provider.cipher_suites = suites.to_vec();
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut server = ServerConnection::new(self.server.clone()).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            carry(&mut client, &mut server);
            carry(&mut server, &mut client);
        }
        Client(client)
    }
}

struct Client(ClientConnection);

impl Client {
    fn suite(&self) -> CipherSuite {
        self.0.negotiated_cipher_suite().unwrap().suite()
    }

    fn certificates(&self) -> &[CertificateDer<'static>] {
        self.0.peer_certificates().unwrap()
    }
}

fn sm_server() -> (CertificateDer<'static>, Arc<CertifiedKey>) {
    let new_key = || SecretKey::generate(&mut SystemRandom).unwrap();
    let ca = Ca::self_signed("CN=SM root", new_key(), Validity::days(1)).unwrap();
    let key = new_key();
    let leaf = ca.issue(&Leaf::server(HOST), key.public_key()).unwrap();
    let key = Arc::new(Sm2SigningKey::new(Arc::new(key)));
    let own = tls13::certified_key(vec![leaf.into()], key).unwrap();
    (ca.certificate().to_der().into(), own)
}

fn p256_server() -> (CertificateDer<'static>, Arc<CertifiedKey>) {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let root = params.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(params, ca_key);

    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new([HOST.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let own = tls13::certified_key(vec![leaf.der().clone()], key).unwrap();
    (root.der().clone(), own)
}

fn carry<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut wire = &wire[..];
    while !wire.is_empty() {
        to.read_tls(&mut wire).unwrap();
        to.process_new_packets().unwrap();
    }
}
