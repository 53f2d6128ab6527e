//! Private keys and certificates of every kind that the providers load or verify.

#![cfg(feature = "international")] // the default

mod common;

use std::sync::Arc;

use p256::pkcs8::EncodePrivateKey;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{CertificateError, Error, RootCertStore, SignatureAlgorithm, SignatureScheme};
use sha2::{Sha256, Sha384, Sha512};
use shangmi::pki;
use shangmi::tls13::{self, SM2SIG_SM3};
use signature::{SignatureEncoding, Signer as _};

use common::international::*;
use common::*;

fn load(provider: &rustls::crypto::CryptoProvider, key: &PrivateKeyDer<'_>) -> Loaded {
    provider.key_provider.load_private_key(key.clone_key())
}

type Loaded = Result<Arc<dyn SigningKey>, Error>;

#[test]
fn sm2_keys_from_pkcs8_and_sec1_in_der_and_pem() {
    let key = secret_key();
    let spki = pki::key::public_key_to_spki(key.public_key()).unwrap();
    let private = hex(&key.to_bytes().as_bytes()[..8]);
    let pkcs8 = pki::key::to_pkcs8_der(&key).unwrap();
    let sec1 = pki::key::to_sec1_der(&key).unwrap();
    let pem = pki::key::to_pkcs8_pem(&key).unwrap();
    let files = [
        PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.to_vec())),
        PrivateKeyDer::from(PrivateSec1KeyDer::from(sec1.to_vec())),
        PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap(),
    ];
    for provider in [
        tls13::strict(),
        tls13::mixed(),
        tls13::layered(international()),
    ] {
        for file in &files {
            let loaded = load(&provider, file).unwrap();
            assert_eq!(loaded.public_key().unwrap().as_ref(), spki);
            assert!(loaded.choose_scheme(&[SM2SIG_SM3]).is_some());
            let others = [
                SignatureScheme::ECDSA_NISTP256_SHA256,
                SignatureScheme::ED25519,
            ];
            assert!(loaded.choose_scheme(&others).is_none());
            assert!(!format!("{loaded:?}").contains(&private));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn keys_that_are_refused_name_the_cause() {
    let pkcs8 = |key: &dyn Fn() -> pkcs8::SecretDocument| {
        PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key().as_bytes().to_vec()))
    };
    let p256 = pkcs8(&|| p256_key().to_pkcs8_der().unwrap());
    let rsa = pkcs8(&|| rsa_key().to_pkcs8_der().unwrap());

    let error = load(&tls13::strict(), &p256).unwrap_err();
    let own = tls13::Error::find(&error).unwrap();
    assert!(
        matches!(own, tls13::Error::Key(pki::Error::UnsupportedCurve { .. })),
        "{own:?}"
    );

    let error = load(&tls13::mixed(), &rsa).unwrap_err();
    let own = tls13::Error::find(&error).unwrap();
    assert!(matches!(own, tls13::Error::RsaKeyInSoftware));
    assert!(own.to_string().contains("RUSTSEC-2023-0071"));

    // A P-256 key whose private value is zero.
    let mut zero = p256.secret_der().to_vec();
    let value = zero
        .windows(2)
        .position(|bytes| bytes == [0x04, 0x20])
        .unwrap()
        + 2;
    zero[value..value + 32].fill(0);
    let zero = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(zero));
    let error = load(&tls13::mixed(), &zero).unwrap_err();
    let own = tls13::Error::find(&error).unwrap();
    assert!(matches!(own, tls13::Error::EcdsaKey), "{own:?}");

    for provider in [
        tls13::strict(),
        tls13::mixed(),
        tls13::layered(international()),
    ] {
        let whole = pki::key::to_pkcs8_der(&secret_key()).unwrap().to_vec();
        for len in 0..whole.len() {
            let cut = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(whole[..len].to_vec()));
            let error = load(&provider, &cut).unwrap_err();
            assert!(tls13::Error::find(&error).is_some(), "{error:?}");
            let cut = PrivateKeyDer::from(PrivateSec1KeyDer::from(whole[..len].to_vec()));
            assert!(load(&provider, &cut).is_err());
        }
    }
}

#[test]
fn ecdsa_keys_in_mixed() {
    let p256 = PrivatePkcs8KeyDer::from(p256_key().to_pkcs8_der().unwrap().as_bytes().to_vec());
    let p384 = PrivatePkcs8KeyDer::from(p384_key().to_pkcs8_der().unwrap().as_bytes().to_vec());
    let key: p256::SecretKey = p256_key().into();
    let sec1 = PrivateSec1KeyDer::from(key.to_sec1_der().unwrap().to_vec());
    for (file, scheme) in [
        (
            PrivateKeyDer::from(p256),
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ),
        (
            PrivateKeyDer::from(p384),
            SignatureScheme::ECDSA_NISTP384_SHA384,
        ),
        (
            PrivateKeyDer::from(sec1),
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ),
    ] {
        let loaded = load(&tls13::mixed(), &file).unwrap();
        assert_eq!(loaded.choose_scheme(&[scheme]).unwrap().scheme(), scheme);
        assert!(loaded.choose_scheme(&[SM2SIG_SM3]).is_none());
    }
}

/// A server certificate signed by `root` must serve a mixed client.
fn accepted(root: rustls::pki_types::CertificateDer<'static>, server: Arc<CertifiedKey>) -> Pair {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    Pair::new(
        client_config(&mixed(), &Arc::new(roots), None),
        server_config(&mixed(), None, server),
    )
}

#[test]
fn certificates_signed_with_rsa_and_ecdsa() {
    let (rsa, leaf, p384) = (rsa_key(), p256_key(), p384_key());
    let key = leaf.verifying_key();

    macro_rules! rsa_chain {
        ($signer:expr, $signature:ty) => {{
            let signer = $signer;
            let root = issue_root::<_, $signature>(&signer);
            let server = issue_leaf::<_, $signature>(&signer, key);
            accepted(root, certified(server, &leaf)).handshake();
        }};
    }
    use rsa::{pkcs1v15, pss};
    rsa_chain!(
        pkcs1v15::SigningKey::<Sha256>::new(rsa.clone()),
        pkcs1v15::Signature
    );
    rsa_chain!(
        pkcs1v15::SigningKey::<Sha384>::new(rsa.clone()),
        pkcs1v15::Signature
    );
    rsa_chain!(
        pkcs1v15::SigningKey::<Sha512>::new(rsa.clone()),
        pkcs1v15::Signature
    );
    rsa_chain!(
        Pss(pss::SigningKey::<Sha256>::new(rsa.clone())),
        pss::Signature
    );
    rsa_chain!(
        Pss(pss::SigningKey::<Sha384>::new(rsa.clone())),
        pss::Signature
    );
    rsa_chain!(Pss(pss::SigningKey::<Sha512>::new(rsa)), pss::Signature);

    let root = issue_root::<_, p384::ecdsa::DerSignature>(&p384);
    let server = issue_leaf::<_, p384::ecdsa::DerSignature>(&p384, p384.verifying_key());
    accepted(root, certified(server, &p384)).handshake();
}

/// An RSA key in a test's hand; the library takes none.
#[derive(Debug)]
struct PssKey(rsa::RsaPrivateKey);

impl SigningKey for PssKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        assert!(offered.contains(&SignatureScheme::RSA_PSS_SHA256));
        assert!(!offered.contains(&SignatureScheme::RSA_PKCS1_SHA256));
        Some(Box::new(Self(self.0.clone())))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for PssKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let key = Pss(rsa::pss::SigningKey::<Sha256>::new(self.0.clone()));
        Ok(key.sign(message).to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::RSA_PSS_SHA256
    }
}

#[test]
fn a_handshake_signed_with_rsa() {
    let rsa = rsa_key();
    let signer = rsa::pkcs1v15::SigningKey::<Sha256>::new(rsa.clone());
    let root = issue_root::<_, rsa::pkcs1v15::Signature>(&signer);
    let leaf = issue_leaf::<_, rsa::pkcs1v15::Signature>(&signer, &rsa.to_public_key());
    let server = tls13::certified_key(vec![leaf], Arc::new(PssKey(rsa))).unwrap();
    accepted(root, server).handshake();
}

#[test]
fn weak_rsa_keys_are_refused() {
    let weak = rsa::RsaPrivateKey::new(
        &mut rand_core::UnwrapErr(shangmi::random::SystemRandom),
        1024,
    )
    .unwrap();
    let leaf = p256_key();
    let signer = rsa::pkcs1v15::SigningKey::<Sha256>::new(weak);
    assert!(signer.try_sign(b"the key itself works").is_ok());
    let root = issue_root::<_, rsa::pkcs1v15::Signature>(&signer);
    let server = issue_leaf::<_, rsa::pkcs1v15::Signature>(&signer, leaf.verifying_key());
    let refused = accepted(root, certified(server, &leaf)).refusal();
    assert_eq!(
        refused.client,
        Some(Error::InvalidCertificate(CertificateError::BadSignature))
    );
}

#[test]
fn layering_twice_adds_nothing_and_fips_is_never_claimed() {
    let once = tls13::layered(international());
    let twice = tls13::layered(once.clone());
    assert_eq!(once.cipher_suites, twice.cipher_suites);
    assert_eq!(once.kx_groups.len(), twice.kx_groups.len());
    assert_eq!(
        once.signature_verification_algorithms.supported_schemes(),
        twice.signature_verification_algorithms.supported_schemes()
    );
    let again = tls13::layered(international());
    assert!(std::ptr::eq(
        once.signature_verification_algorithms.all,
        again.signature_verification_algorithms.all
    ));
    for provider in [once, tls13::strict(), tls13::mixed()] {
        assert!(!provider.fips());
    }
}

/// CFCA sends them; RFC 8998 and we leave them out.
#[test]
fn certificates_with_null_parameters() {
    let key = secret_key();
    let ca = ca_with("root", copy_of(&key));
    let again = |own: Arc<CertifiedKey>| {
        let certificate = signed::with_null_parameters(&own.cert[0], &key);
        assert_ne!(certificate, own.cert[0]);
        tls13::certified_key(vec![certificate], own.key.clone()).unwrap()
    };
    let mut roots = RootCertStore::empty();
    roots
        .add(signed::with_null_parameters(&der(&ca), &key))
        .unwrap();
    let roots = Arc::new(roots);
    for provider in [strict(), mixed(), Arc::new(tls13::layered(international()))] {
        Pair::new(
            client_config(&provider, &roots, Some(again(issue(&ca, &client_leaf())))),
            server_config(&provider, Some(&roots), again(issue(&ca, &server_leaf()))),
        )
        .handshake();
    }
}
