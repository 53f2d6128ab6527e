//! The KeyUsage rule of TLS 1.3 (RFC 8446 4.4.2.2) on every path to a certificate, and what it must
//! not refuse.

#![cfg(feature = "international")] // the default

mod common;

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use shangmi::pki::{Certificate, KeyUsages};
use shangmi::tls13::{self, Sm2SigningKey};

use common::*;

#[test]
fn a_key_that_must_not_sign() {
    let ca = ca("root");
    let usage = KeyUsages::KeyEncipherment | KeyUsages::DataEncipherment | KeyUsages::KeyAgreement;
    let refused = server_only(&ca, issue(&ca, &server_leaf().key_usage(usage))).refusal();
    assert!(matches!(
        own(&refused.client),
        tls13::Error::NoDigitalSignature
    ));
    assert_eq!(
        alert(&refused.server),
        Some(AlertDescription::CertificateUnknown)
    );

    let client = issue(&ca, &client_leaf().key_usage(usage));
    let refused = with_client(&ca, Some(client)).refusal();
    assert!(matches!(
        own(&refused.server),
        tls13::Error::NoDigitalSignature
    ));
    assert_eq!(
        alert(&refused.client),
        Some(AlertDescription::CertificateUnknown)
    );

    // Beside other uses, digitalSignature is enough.
    let usage = usage | KeyUsages::DigitalSignature;
    server_only(&ca, issue(&ca, &server_leaf().key_usage(usage))).handshake();
}

/// The rule holds for who uses rustls's verifiers instead of ours.
#[test]
fn a_key_that_must_not_sign_under_rustls_verifiers() {
    let ca = ca("root");
    let roots = roots(&ca);
    let usage = KeyUsages::KeyEncipherment;
    let build = |client, server| under_rustls_verifiers(&strict(), &roots, client, server);
    let (client, server) = (issue(&ca, &client_leaf()), issue(&ca, &server_leaf()));
    build(client.clone(), server.clone()).handshake();

    let pair = build(client, issue(&ca, &server_leaf().key_usage(usage)));
    assert_refused_for_key_usage(pair, Side::Client);
    let pair = build(issue(&ca, &client_leaf().key_usage(usage)), server);
    assert_refused_for_key_usage(pair, Side::Server);
}

/// As much for certificates of other algorithms.
#[test]
fn a_p256_key_that_must_not_sign_under_rustls_verifiers() {
    let provider = international::mixed();
    for usage in [KeyUsages::DigitalSignature, KeyUsages::KeyAgreement] {
        let (root, own) = international::p256_server_with(usage);
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let pair = under_rustls_verifiers(&provider, &Arc::new(roots), own.clone(), own);
        if usage == KeyUsages::DigitalSignature {
            pair.handshake();
        } else {
            assert_refused_for_key_usage(pair, Side::Client);
        }
    }
}

enum Side {
    Client,
    Server,
}

/// As a bad signature, which is all that webpki can be told; the log has the cause.
#[track_caller]
fn assert_refused_for_key_usage(pair: Pair, by: Side) {
    let (refused, warnings) = log::warnings_of(|| pair.refusal());
    let (error, alert_seen) = match by {
        Side::Client => (refused.client, alert(&refused.server)),
        Side::Server => (refused.server, alert(&refused.client)),
    };
    assert_certificate_refused(
        error,
        |reason| matches!(reason, CertificateError::BadSignature),
        alert_seen,
        AlertDescription::DecryptError,
    );
    assert!(
        matches!(&warnings[..], [warning] if warning.contains("lacks digitalSignature")),
        "{warnings:?}"
    );
}

/// Extensions that nobody here knows are nobody's business, whatever their OIDs.
#[test]
fn unknown_extensions_are_no_reason() {
    // 2.25 with a UUID as its arc, and an OID of 60 bytes.
    let uuid = [&[0x69][..], &[0x83], &[0xd5; 16], &[0x12]].concat();
    let more: [(&[u8], &[u8]); 2] = [(&uuid, b"any"), (&[0x2a; 60], b"value")];

    let key = secret_key();
    let ca = ca_with("root", copy_of(&key));
    let roots = roots(&ca);
    let extended = |leaf| {
        let own = issue(&ca, leaf);
        let certificate = signed::with_extensions(&own.cert[0], &more, &key);
        Certificate::from_der(&certificate).unwrap();
        tls13::certified_key(vec![certificate], own.key.clone()).unwrap()
    };
    let (client, server) = (extended(&client_leaf()), extended(&server_leaf()));
    under_rustls_verifiers(&strict(), &roots, client.clone(), server.clone()).handshake();
    let pair = Pair::new(
        client_config(&strict(), &roots, Some(client)),
        server_config(&strict(), Some(&roots), server),
    )
    .handshake();
    assert!(tls13::negotiated(&pair.client).is_ok() && tls13::negotiated(&pair.server).is_ok());
}

/// Reads nothing, as a verifier with pinned certificates may.
#[derive(Debug)]
struct Anyone(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// rustls's own error stands for a certificate that it cannot read, ours for one that it accepts.
#[test]
fn an_unreadable_certificate() {
    let key = secret_key();
    let ca = ca_with("root", copy_of(&key));
    let (provider, roots) = (strict(), roots(&ca));
    let issued = issue(&ca, &server_leaf());
    let key_usage: [(&[u8], &[u8]); 1] = [(&[0x55, 0x1d, 0x0f], &[3, 2, 7, 0x80])];
    let twice = signed::with_extensions(&issued.cert[0], &key_usage, &key);
    let server = Arc::new(CertifiedKey::new(vec![twice], issued.key.clone()));
    let inner = || {
        let builder = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
        builder.build().unwrap()
    };
    let connect = |inner: Arc<dyn ServerCertVerifier>| {
        let verifier = tls13::checked_server_verifier(inner);
        let client = tls13::client_config(provider.clone(), verifier).unwrap();
        Pair::new(
            client.with_no_client_auth(),
            server_config(&provider, None, server.clone()),
        )
        .refusal()
    };
    let refused = connect(Arc::new(Anyone(inner())));
    assert!(matches!(
        own(&refused.client),
        tls13::Error::UnreadableCertificate(_)
    ));
    assert_eq!(
        alert(&refused.server),
        Some(AlertDescription::CertificateUnknown)
    );

    let refused = connect(inner());
    assert!(
        matches!(refused.client, Some(Error::InvalidCertificate(_))),
        "{refused:?}"
    );
    assert!(tls13::Error::find(refused.client.as_ref().unwrap()).is_none());
}

/// Verifiers of others, with revocation lists say, get the rule from a wrapper.
#[test]
fn a_key_that_must_not_sign_under_wrapped_verifiers() {
    let ca = ca("root");
    let (provider, roots) = (strict(), roots(&ca));
    let inner = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
    let verifier = tls13::checked_server_verifier(inner.build().unwrap());
    let client = tls13::client_config(provider.clone(), verifier).unwrap();
    let server = issue(&ca, &server_leaf().key_usage(KeyUsages::KeyAgreement));
    let refused = Pair::new(
        client.with_no_client_auth(),
        server_config(&provider, None, server),
    )
    .refusal();
    assert!(matches!(
        own(&refused.client),
        tls13::Error::NoDigitalSignature
    ));

    let inner = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    let inner = inner.allow_unauthenticated().build().unwrap();
    let mut server = server_config(&provider, None, issue(&ca, &server_leaf()));
    server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(tls13::checked_client_verifier(inner))
        .with_cert_resolver(server.cert_resolver.clone());
    let server = Arc::new(server);
    Pair::new(client_config(&provider, &roots, None), server.clone()).handshake();
    let client = issue(&ca, &client_leaf().key_usage(KeyUsages::KeyAgreement));
    let refused = Pair::new(client_config(&provider, &roots, Some(client)), server).refusal();
    assert!(matches!(
        own(&refused.server),
        tls13::Error::NoDigitalSignature
    ));
}

#[test]
fn our_own_certificate_is_checked_when_loaded() {
    let ca = ca("root");
    let good = issue(&ca, &server_leaf());
    let encryption = issue(&ca, &server_leaf().key_usage(KeyUsages::KeyEncipherment));
    let other_key = Arc::new(Sm2SigningKey::new(Arc::new(secret_key())));
    assert!(tls13::certified_key(good.cert.clone(), good.key.clone()).is_ok());
    assert!(matches!(
        tls13::certified_key(encryption.cert.clone(), encryption.key.clone()),
        Err(tls13::Error::NoDigitalSignature)
    ));
    assert!(matches!(
        tls13::certified_key(good.cert.clone(), other_key),
        Err(tls13::Error::KeyMismatch)
    ));
    assert!(matches!(
        tls13::certified_key(Vec::new(), good.key.clone()),
        Err(tls13::Error::NoCertificate)
    ));
    let cut = good.cert[0][..200].to_vec().into();
    assert!(matches!(
        tls13::certified_key(vec![cut], good.key.clone()),
        Err(tls13::Error::UnreadableCertificate(_))
    ));
}
