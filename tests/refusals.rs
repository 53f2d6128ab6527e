//! What the TLS 1.3 provider must refuse: the error on the refusing side, and the alert that the
//! other side sees.

#![cfg(feature = "international")] // the default

mod common;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    AlertDescription, CertificateError, Error, PeerIncompatible, RootCertStore, SignatureAlgorithm,
    SignatureScheme,
};
use shangmi::pki::{Ca, Leaf, Validity};
use shangmi::sm2::{self, SecretKey, SignDigest};
use shangmi::tls13::{self, SM2SIG_SM3, TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3};

use common::*;

fn past() -> Validity {
    let day = Duration::from_secs(24 * 3600);
    let now = SystemTime::now();
    Validity::new(now - 3 * day, now - 2 * day)
}

#[test]
fn an_unknown_authority() {
    let (trusted, other) = (ca("trusted"), ca("other"));
    let refused = server_only(&trusted, issue(&other, &server_leaf())).refusal();
    assert_certificate_refused(
        refused.client,
        |reason| matches!(reason, CertificateError::UnknownIssuer),
        alert(&refused.server),
        AlertDescription::UnknownCA,
    );
    let refused = with_client(&trusted, Some(issue(&other, &client_leaf()))).refusal();
    assert_certificate_refused(
        refused.server,
        |reason| matches!(reason, CertificateError::UnknownIssuer),
        alert(&refused.client),
        AlertDescription::UnknownCA,
    );
}

#[test]
fn an_authority_of_the_same_name_with_another_key() {
    let (trusted, impostor) = (ca("root"), ca("root"));
    let refused = server_only(&trusted, issue(&impostor, &server_leaf())).refusal();
    assert_certificate_refused(
        refused.client,
        |reason| matches!(reason, CertificateError::BadSignature),
        alert(&refused.server),
        AlertDescription::DecryptError,
    );
}

#[test]
fn another_name() {
    let ca = ca("root");
    let refused = server_only(&ca, issue(&ca, &Leaf::server("other.example"))).refusal();
    assert_certificate_refused(
        refused.client,
        |reason| matches!(reason, CertificateError::NotValidForNameContext { .. }),
        alert(&refused.server),
        AlertDescription::BadCertificate,
    );
}

#[test]
fn an_expired_certificate() {
    let key = secret_key();
    let day = Duration::from_secs(24 * 3600);
    let now = SystemTime::now();
    let ca = Ca::self_signed("CN=root", key, Validity::new(now - 9 * day, now + day)).unwrap();
    let refused = server_only(&ca, issue(&ca, &server_leaf().validity(past()))).refusal();
    assert_certificate_refused(
        refused.client,
        |reason| matches!(reason, CertificateError::ExpiredContext { .. }),
        alert(&refused.server),
        AlertDescription::CertificateExpired,
    );
    let client = issue(&ca, &client_leaf().validity(past()));
    let refused = with_client(&ca, Some(client)).refusal();
    assert_certificate_refused(
        refused.server,
        |reason| matches!(reason, CertificateError::ExpiredContext { .. }),
        alert(&refused.client),
        AlertDescription::CertificateExpired,
    );
}

#[test]
fn a_certificate_for_another_purpose() {
    let ca = ca("root");
    let refused = server_only(&ca, issue(&ca, &client_leaf().dns(NAME))).refusal();
    assert_certificate_refused(
        refused.client,
        |reason| matches!(reason, CertificateError::InvalidPurposeContext { .. }),
        alert(&refused.server),
        AlertDescription::UnsupportedCertificate,
    );
}

#[test]
fn a_revoked_certificate() {
    let key = secret_key();
    let ca = ca_with("root", copy_of(&key));
    let (provider, roots) = (strict(), roots(&ca));
    let (revoked, other) = (issue(&ca, &server_leaf()), issue(&ca, &server_leaf()));
    let connect = |list, server| {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
            .with_crls([list])
            .allow_unknown_revocation_status()
            .build()
            .unwrap();
        let verifier = tls13::checked_server_verifier(verifier);
        let client = tls13::client_config(provider.clone(), verifier).unwrap();
        Pair::new(
            client.with_no_client_auth(),
            server_config(&provider, None, server),
        )
    };
    let list = || signed::revoking(&revoked.cert[0], &key);
    connect(list(), other).handshake();
    let refused = connect(list(), revoked.clone()).refusal();
    assert_certificate_refused(
        refused.client,
        |reason| matches!(reason, CertificateError::Revoked),
        alert(&refused.server),
        AlertDescription::CertificateRevoked,
    );

    // A list that someone else signed.
    let forged = signed::revoking(&revoked.cert[0], &secret_key());
    let refused = connect(forged, revoked.clone()).refusal();
    assert!(matches!(
        refused.client,
        Some(Error::InvalidCertRevocationList(_))
    ));
    assert_eq!(
        alert(&refused.server),
        Some(AlertDescription::HandshakeFailure)
    );
}

#[test]
fn a_missing_client_certificate() {
    let refused = with_client(&ca("root"), None).refusal();
    assert_eq!(refused.server, Some(Error::NoCertificatesPresented));
    assert_eq!(
        alert(&refused.client),
        Some(AlertDescription::CertificateRequired)
    );
}

#[test]
fn a_certificate_signed_under_an_empty_id_is_named() {
    let ca = ca("root").with_signer_id(b"");
    let refused = server_only(&ca, issue(&ca, &server_leaf())).refusal();
    assert!(matches!(own(&refused.client), tls13::Error::EmptySignerId));
    assert_eq!(
        alert(&refused.server),
        Some(AlertDescription::CertificateUnknown)
    );

    let refused = with_client(&ca, Some(issue(&ca, &client_leaf()))).refusal();
    assert!(matches!(own(&refused.client), tls13::Error::EmptySignerId));
}

/// Where our verifiers only wrap another, or none of them is used, the log names the mistake.
#[test]
fn an_empty_id_is_named_in_the_log() {
    let ca = ca("root").with_signer_id(b"");
    let (provider, roots) = (strict(), roots(&ca));
    let inner = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
    let verifier = tls13::checked_server_verifier(inner.build().unwrap());
    let client = tls13::client_config(provider.clone(), verifier).unwrap();
    let wrapped = Pair::new(
        client.with_no_client_auth(),
        server_config(&provider, None, issue(&ca, &server_leaf())),
    );
    let (client, server) = (issue(&ca, &client_leaf()), issue(&ca, &server_leaf()));
    let bare = under_rustls_verifiers(&provider, &roots, client, server);
    for pair in [wrapped, bare] {
        let (refused, warnings) = log::warnings_of(|| pair.refusal());
        assert_certificate_refused(
            refused.client,
            |reason| matches!(reason, CertificateError::BadSignature),
            alert(&refused.server),
            AlertDescription::DecryptError,
        );
        assert!(
            matches!(&warnings[..], [warning] if warning.contains("empty SM2 signer ID")),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_client_certificate_signed_under_an_empty_id_is_named() {
    let ca = ca("root");
    let (roots, server) = (roots(&ca), issue(&ca, &server_leaf()));
    let client = issue(&ca.with_signer_id(b""), &client_leaf());
    let refused = Pair::new(
        client_config(&strict(), &roots, Some(client)),
        server_config(&strict(), Some(&roots), server),
    )
    .refusal();
    assert!(matches!(own(&refused.server), tls13::Error::EmptySignerId));
    assert_eq!(
        alert(&refused.client),
        Some(AlertDescription::CertificateUnknown)
    );
}

#[test]
fn an_intermediate_signed_under_an_empty_id_is_named() {
    let root = ca("root").with_signer_id(b"");
    let between = root
        .subordinate("CN=between", secret_key(), Validity::days(9), 0)
        .unwrap();
    let leaf = issue(&between, &server_leaf());
    let chain = vec![leaf.cert[0].clone(), der(&between)];
    let server = tls13::certified_key(chain, leaf.key.clone()).unwrap();
    let refused = server_only(&root, server).refusal();
    assert!(matches!(own(&refused.client), tls13::Error::EmptySignerId));
}

#[test]
fn a_certificate_signed_under_other_ids() {
    for id in [sm2::TLS13_ID, b"someone else", b"1234567812345679"] {
        let ca = ca("root").with_signer_id(id);
        let refused = server_only(&ca, issue(&ca, &server_leaf())).refusal();
        assert_certificate_refused(
            refused.client,
            |reason| matches!(reason, CertificateError::BadSignature),
            alert(&refused.server),
            AlertDescription::DecryptError,
        );
    }
}

/// Signs CertificateVerify under the ID that belongs in certificates.
#[derive(Debug)]
struct WrongId(Arc<SecretKey>);

impl SigningKey for WrongId {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self(self.0.clone())))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Unknown(0xe0)
    }
}

impl Signer for WrongId {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let key = self.0.public_key();
        let e = sm2::message_digest(sm2::DEFAULT_ID, key, message).unwrap();
        Ok(self.0.sign_digest(&e).unwrap().to_der())
    }

    fn scheme(&self) -> SignatureScheme {
        SM2SIG_SM3
    }
}

#[test]
fn a_handshake_signed_under_the_certificate_id() {
    let ca = ca("root");
    let wrong = |leaf: &Leaf| {
        let key = secret_key();
        let certificate = ca.issue(leaf, key.public_key()).unwrap();
        Arc::new(CertifiedKey::new(
            vec![certificate.as_der().to_vec().into()],
            Arc::new(WrongId(Arc::new(key))),
        ))
    };
    let refused = server_only(&ca, wrong(&server_leaf())).refusal();
    assert_certificate_refused(
        refused.client,
        |reason| matches!(reason, CertificateError::BadSignature),
        alert(&refused.server),
        AlertDescription::DecryptError,
    );
    let refused = with_client(&ca, Some(wrong(&client_leaf()))).refusal();
    assert_certificate_refused(
        refused.server,
        |reason| matches!(reason, CertificateError::BadSignature),
        alert(&refused.client),
        AlertDescription::DecryptError,
    );
}

#[test]
fn no_common_suite() {
    let ca = ca("root");
    let refused = Pair::new(
        client_config(&strict_with(TLS_SM4_GCM_SM3), &roots(&ca), None),
        server_config(
            &strict_with(TLS_SM4_CCM_SM3),
            None,
            issue(&ca, &server_leaf()),
        ),
    )
    .refusal();
    assert_eq!(
        refused.server,
        Some(PeerIncompatible::NoCipherSuitesInCommon.into())
    );
    assert_eq!(
        alert(&refused.client),
        Some(AlertDescription::HandshakeFailure)
    );
}

#[test]
fn a_peer_without_sm_algorithms() {
    let ca = ca("root");
    let other = Arc::new(international::international());
    let refused = Pair::new(
        client_config(&other, &roots(&ca), None),
        server_config(&strict(), None, issue(&ca, &server_leaf())),
    )
    .refusal();
    assert_eq!(
        refused.server,
        Some(PeerIncompatible::NoKxGroupsInCommon.into())
    );
    assert_eq!(
        alert(&refused.client),
        Some(AlertDescription::HandshakeFailure)
    );

    let (_, p256) = international::p256_server();
    let refused = Pair::new(
        client_config(&strict(), &roots(&ca), None),
        server_config(&other, None, p256),
    )
    .refusal();
    assert_eq!(
        alert(&refused.client),
        Some(AlertDescription::HandshakeFailure)
    );
}

/// Signs with P-256 whatever the peer has asked for.
#[derive(Debug)]
struct Stubborn(Arc<dyn SigningKey>);

impl SigningKey for Stubborn {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0
            .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[test]
fn a_p256_certificate_is_nothing_to_strict() {
    let ca = ca("root");
    let (p256_root, p256) = international::p256_server();
    let mut both = RootCertStore::empty();
    both.add(der(&ca)).unwrap();
    both.add(p256_root).unwrap();
    let both = Arc::new(both);
    let stubborn = Arc::new(CertifiedKey::new(
        p256.cert.clone(),
        Arc::new(Stubborn(p256.key.clone())),
    ));

    // A mixed server has no certificate for a strict client ..
    let refused = Pair::new(
        client_config(&strict(), &both, None),
        server_config(&international::mixed(), None, p256.clone()),
    )
    .refusal();
    assert_eq!(
        refused.server,
        Some(PeerIncompatible::NoSignatureSchemesInCommon.into())
    );
    assert_eq!(
        alert(&refused.client),
        Some(AlertDescription::HandshakeFailure)
    );

    // .. and one that sends it all the same is refused, though its root is trusted.
    let refused = Pair::new(
        client_config(&strict(), &both, None),
        server_config(&international::mixed(), None, stubborn.clone()),
    )
    .refusal();
    assert_certificate_refused(
        refused.client,
        |reason| {
            matches!(
                reason,
                CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            )
        },
        alert(&refused.server),
        AlertDescription::DecryptError,
    );

    // So is a client: an honest one has no certificate to show, a stubborn one a useless one.
    let server = Arc::new(server_config(
        &strict(),
        Some(&both),
        issue(&ca, &server_leaf()),
    ));
    let mixed = international::mixed();
    let refused = Pair::new(client_config(&mixed, &both, Some(p256)), server.clone()).refusal();
    assert_eq!(refused.server, Some(Error::NoCertificatesPresented));
    let refused = Pair::new(client_config(&mixed, &both, Some(stubborn)), server).refusal();
    assert!(matches!(refused.server, Some(Error::InvalidCertificate(_))));
}
