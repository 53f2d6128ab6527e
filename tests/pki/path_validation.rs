//! webpki, which rustls uses, validates what the CA issues.

use std::time::{Duration, UNIX_EPOCH};

use pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName,
    SignatureVerificationAlgorithm, UnixTime,
};
use shangmi::pki::{Certificate, Leaf, Validity};
use shangmi::sm2::{self, PublicKey, Signature};

use super::{issue, new_ca, new_key};

/// SM2 for webpki, with nothing of the provider.
#[derive(Debug)]
struct Sm2;

impl SignatureVerificationAlgorithm for Sm2 {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = PublicKey::from_sec1(key).map_err(|_| InvalidSignature)?;
        let e = sm2::message_digest(sm2::DEFAULT_ID, &key, message).unwrap();
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        sm2::verify_digest(&key, &e, &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d",
        )
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(b"\x06\x08\x2a\x81\x1c\xcf\x55\x01\x83\x75")
    }
}

fn validate(
    leaf: &Certificate,
    below: &[&Certificate],
    root: &Certificate,
    usage: webpki::KeyUsage,
) -> Result<(), webpki::Error> {
    let leaf = CertificateDer::from(leaf.as_der());
    let below: Vec<_> = below
        .iter()
        .map(|c| CertificateDer::from(c.as_der()))
        .collect();
    let root = CertificateDer::from(root.as_der());
    let anchors = [webpki::anchor_from_trusted_cert(&root)?];
    let leaf = webpki::EndEntityCert::try_from(&leaf)?;
    leaf.verify_for_usage(
        &[&Sm2],
        &anchors,
        &below,
        UnixTime::now(),
        usage,
        None,
        None,
    )?;
    Ok(())
}

#[test]
fn webpki_accepts_a_chain() {
    let root = new_ca();
    let below = root
        .subordinate("CN=Below,O=Example,C=CN", new_key(), Validity::days(100), 0)
        .unwrap();
    let server = Leaf::server("localhost").ip([127, 0, 0, 1].into());
    let server = below.issue(&server, new_key().public_key()).unwrap();
    let client = below
        .issue(&Leaf::client("alice"), new_key().public_key())
        .unwrap();
    let chain = [below.certificate()];
    let check = |leaf, usage| validate(leaf, &chain, root.certificate(), usage);
    check(&server, webpki::KeyUsage::server_auth()).unwrap();
    check(&client, webpki::KeyUsage::client_auth()).unwrap();
    assert!(check(&client, webpki::KeyUsage::server_auth()).is_err());

    let der = CertificateDer::from(server.as_der());
    let der = webpki::EndEntityCert::try_from(&der).unwrap();
    for (name, is_valid) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("example.cn", false),
    ] {
        let name = ServerName::try_from(name).unwrap();
        assert_eq!(
            der.verify_is_valid_for_subject_name(&name).is_ok(),
            is_valid
        );
    }
}

#[test]
fn webpki_refuses_what_tests_need_refused() {
    let ca = new_ca();
    let usage = webpki::KeyUsage::server_auth;
    let past = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let expired = Validity::new(past, past + Duration::from_secs(86_400));
    let expired = ca
        .issue(
            &Leaf::server("localhost").validity(expired),
            new_key().public_key(),
        )
        .unwrap();
    assert!(matches!(
        validate(&expired, &[], ca.certificate(), usage()),
        Err(webpki::Error::CertExpired { .. })
    ));
    let ca = ca.with_signer_id(b"");
    let other_id = ca
        .issue(&Leaf::server("localhost"), new_key().public_key())
        .unwrap();
    assert!(matches!(
        validate(&other_id, &[], ca.certificate(), usage()),
        Err(webpki::Error::InvalidSignatureForPublicKey)
    ));
    assert!(
        validate(
            &issue(&Leaf::server("localhost")),
            &[],
            ca.certificate(),
            usage()
        )
        .is_err()
    );
}
