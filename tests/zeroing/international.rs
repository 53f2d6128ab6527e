//! The keys of `tls13::mixed` beside SM2's and SM4's: what connections with RustCrypto's algorithms
//! free.

use std::sync::{Arc, Mutex};

use hkdf::Hkdf;
use p256::elliptic_curve::ff::PrimeField;
use p256::pkcs8::EncodePrivateKey;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{CipherSuite, KeyLog};
use sha2::{Sha256, Sha384};

use crate::common::{self, Pair, international};
use crate::heap::{Freed, freed_during};

const SUITES: [CipherSuite; 2] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
];

/// Keeps the traffic secrets that rustls reports, in room made before the recording.
#[derive(Debug)]
struct Secrets(Mutex<Vec<(String, Vec<u8>)>>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let mut kept = Vec::with_capacity(secret.len());
        kept.extend_from_slice(secret);
        self.0.lock().unwrap().push((label.to_owned(), kept));
    }
}

/// The key that a traffic secret gives (RFC 8446, 7.3). rustls's own copies of the secret are not
/// looked for: see `handshake`.
fn key_of(suite: CipherSuite, secret: &[u8]) -> Vec<u8> {
    let info = |len: u8| [&[0, len, 9][..], b"tls13 key", &[0]].concat();
    if suite == SUITES[0] {
        let mut key = vec![0; 16];
        let hkdf = Hkdf::<Sha256>::from_prk(secret).unwrap();
        hkdf.expand(&info(16), &mut key).unwrap();
        return key;
    }
    let mut key = vec![0; 32];
    let hkdf = Hkdf::<Sha384>::from_prk(secret).unwrap();
    hkdf.expand(&info(32), &mut key).unwrap();
    key
}

/// One connection with `suite`, its data sent, and all dropped.
fn connection(suite: CipherSuite, log: &Arc<Secrets>) -> Freed {
    let (root, own) = international::p256_server();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let roots = Arc::new(roots);
    let mut provider = international::international();
    provider.cipher_suites.retain(|one| one.suite() == suite);
    let provider = Arc::new(provider);
    let (_, freed) = freed_during(|| {
        let mut client = common::client_config(&provider, &roots, None);
        let mut server = common::server_config(&provider, None, own.clone());
        client.key_log = log.clone();
        server.key_log = log.clone();
        let pair = Pair::new(client, server).handshake();
        let negotiated = pair.client.negotiated_cipher_suite().unwrap();
        assert_eq!(negotiated.suite(), suite);
    });
    assert!(freed.0.len() > 10_000);
    freed
}

#[test]
fn connections_with_aes_free_no_traffic_key() {
    for suite in SUITES {
        let log = Arc::new(Secrets(Mutex::new(Vec::with_capacity(100))));
        let freed = connection(suite, &log);
        let secrets = log.0.lock().unwrap();
        assert!(secrets.len() >= 8, "{} were logged", secrets.len());
        for (label, secret) in secrets.iter() {
            freed.assert_without(&format!("{suite:?}, {label}"), &key_of(suite, secret));
        }
    }
}

/// d in any form that the arithmetic uses: big- or little-endian, plain or in Montgomery form.
#[test]
fn ecdsa_keys_leave_nothing_after_a_signature() {
    let key = international::p256_key();
    let d = key.as_nonzero_scalar();
    let montgomery = (0..256).fold(p256::Scalar::ONE, |power, _| power + power);
    let forms = [*d.as_ref(), *d.as_ref() * montgomery];
    let document = key.to_pkcs8_der().unwrap();
    let provider = international::mixed();
    let (_, freed) = freed_during(|| {
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(document.as_bytes()));
        let loaded = provider.key_provider.load_private_key(der.clone_key());
        let loaded = loaded.unwrap();
        let scheme = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
        let signer = loaded.choose_scheme(&[scheme]).unwrap();
        assert!(!signer.sign(b"message").unwrap().is_empty());
    });
    assert!(freed.0.len() > 100);
    for (form, scalar) in ["plain", "Montgomery"].iter().zip(forms) {
        let mut bytes: [u8; 32] = scalar.to_repr().into();
        freed.assert_without(&format!("d, {form}, big-endian"), &bytes);
        bytes.reverse();
        freed.assert_without(&format!("d, {form}, little-endian"), &bytes);
    }
}

/// Both exchanges, each with its shared secret, which rustls is given and wipes.
#[test]
fn key_exchanges_free_no_shared_secret() {
    for group in international::international().kx_groups {
        let mut shared = Vec::with_capacity(64);
        let (_, freed) = freed_during(|| {
            let exchange = group.start().unwrap();
            let theirs = group.start_and_complete(exchange.pub_key()).unwrap();
            let ours = exchange.complete(&theirs.pub_key).unwrap();
            assert_eq!(ours.secret_bytes(), theirs.secret.secret_bytes());
            shared.extend_from_slice(ours.secret_bytes());
        });
        assert_eq!(shared.len(), 32);
        freed.assert_without(&format!("{:?}", group.name()), &shared);
    }
}
