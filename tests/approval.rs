//! By whose standards connections are approved, in both worlds, and that nothing here says FIPS of
//! itself.
#![cfg(feature = "international")]
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use rustls::crypto::cipher::{
    AeadKey, Iv, MessageDecrypter, MessageEncrypter, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};
use rustls::crypto::{ActiveKeyExchange, CipherSuiteCommon, CryptoProvider, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{ConnectionTrafficSecrets, Error, NamedGroup, SupportedCipherSuite, Tls13CipherSuite};
use shangmi::module::{Approval, Service, observe};
use shangmi::tls13::{self, TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3, approval};

use common::*;

#[test]
fn nothing_here_says_fips() {
    let fips = validated(&international::international());
    assert!(fips.cipher_suites[0].fips() && fips.kx_groups[0].fips());
    for provider in [tls13::strict(), tls13::mixed(), tls13::layered(fips)] {
        assert!(!provider.fips());
    }
    for provider in [tls13::strict(), tls13::mixed()] {
        assert!(provider.cipher_suites.iter().all(|suite| !suite.fips()));
        assert!(provider.kx_groups.iter().all(|group| !group.fips()));
        assert!(!provider.signature_verification_algorithms.fips());
        assert!(!provider.secure_random.fips());
        assert!(!provider.key_provider.fips());
    }
}

#[test]
fn an_sm_connection_is_approved_gm() {
    for suite in [TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3] {
        let (pair, services) = observe(|| between(&strict_with(suite)).handshake());
        assert_eq!(approval(&pair.client), Approval::Gm);
        assert_eq!(approval(&pair.server), Approval::Gm);
        assert!(services.contains(Service::Sm2Ecdh));
        assert_eq!(services.approval(), Approval::Gm, "{services:?}");
    }
}

#[test]
fn none_is_approved_before_its_handshake() {
    let pair = between(&strict());
    assert_eq!(approval(&pair.client), Approval::None);
    assert_eq!(approval(&pair.server), Approval::None);
}

#[test]
fn an_international_connection_is_not_approved() {
    let international = Arc::new(international_with_sm2_certificates(tls13::mixed()));
    let (pair, services) = observe(|| between(&international).handshake());
    assert_eq!(approval(&pair.client), Approval::None);
    assert_eq!(approval(&pair.server), Approval::None);
    assert!(services.contains(Service::Aes256Gcm));
    assert_eq!(services.approval(), Approval::None);
}

/// By a base provider's word, and only where suite and group have it.
#[test]
fn a_fips_base_is_asked() {
    let base = validated(&international::international());
    let both = Arc::new(international_with_sm2_certificates(tls13::layered(base)));
    let pair = between(&both).handshake();
    assert_eq!(approval(&pair.client), Approval::Fips);
    assert_eq!(approval(&pair.server), Approval::Fips);

    let mut suite_alone = (*both).clone();
    suite_alone.kx_groups = tls13::mixed().kx_groups[1..].to_vec();
    let pair = between(&Arc::new(suite_alone)).handshake();
    assert_eq!(approval(&pair.client), Approval::None);
}

/// An SM suite with another group is neither.
#[test]
fn a_mixture_is_not_approved() {
    let mut mixture = tls13::mixed();
    mixture.cipher_suites.truncate(1);
    mixture.kx_groups.remove(0);
    let pair = between(&Arc::new(mixture)).handshake();
    assert_eq!(approval(&pair.client), Approval::None);
    assert_eq!(approval(&pair.server), Approval::None);
}

fn between(provider: &Arc<CryptoProvider>) -> Pair {
    let ca = ca("root");
    Pair::new(
        client_config(provider, &roots(&ca), None),
        server_config(provider, None, issue(&ca, &server_leaf())),
    )
}

/// Without the SM suites and group.
fn international_with_sm2_certificates(mut provider: CryptoProvider) -> CryptoProvider {
    provider.cipher_suites.drain(..2);
    provider.kx_groups.remove(0);
    provider
}

/// `provider`'s first suite and group, which say that they are validated. They are not; only another
/// library's could be.
fn validated(provider: &CryptoProvider) -> CryptoProvider {
    let suite = provider.cipher_suites[0].tls13().unwrap();
    let says = Box::leak(Box::new(SaysFips {
        suite,
        group: provider.kx_groups[0],
    }));
    let suite = Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: suite.common.suite,
            hash_provider: says,
            confidentiality_limit: suite.common.confidentiality_limit,
        },
        hkdf_provider: says,
        aead_alg: says,
        quic: None,
    };
    CryptoProvider {
        cipher_suites: vec![SupportedCipherSuite::Tls13(Box::leak(Box::new(suite)))],
        kx_groups: vec![says],
        ..provider.clone()
    }
}

struct SaysFips {
    suite: &'static Tls13CipherSuite,
    group: &'static dyn SupportedKxGroup,
}

impl std::fmt::Debug for SaysFips {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaysFips")
    }
}

impl Hash for SaysFips {
    fn start(&self) -> Box<dyn Context> {
        self.suite.common.hash_provider.start()
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.suite.common.hash_provider.hash(data)
    }

    fn output_len(&self) -> usize {
        self.suite.common.hash_provider.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.suite.common.hash_provider.algorithm()
    }

    fn fips(&self) -> bool {
        true
    }
}

impl Hkdf for SaysFips {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        self.suite.hkdf_provider.extract_from_zero_ikm(salt)
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.suite.hkdf_provider.extract_from_secret(salt, secret)
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        self.suite.hkdf_provider.expander_for_okm(okm)
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        self.suite.hkdf_provider.hmac_sign(key, message)
    }

    fn fips(&self) -> bool {
        true
    }
}

impl Tls13AeadAlgorithm for SaysFips {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        self.suite.aead_alg.encrypter(key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.suite.aead_alg.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.suite.aead_alg.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.suite.aead_alg.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        true
    }
}

impl SupportedKxGroup for SaysFips {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        self.group.start()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        self.group.name()
    }

    fn fips(&self) -> bool {
        true
    }
}
