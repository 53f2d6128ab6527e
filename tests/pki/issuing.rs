//! The rules of the issuer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use der::Decode;
use shangmi::pki::{Ca, Error, KeyUsages, Leaf, Request, Validity, key};
use shangmi::sm2::{self, PublicKey, SecretKey, SignDigest, Signature};

use super::{issue, new_ca, new_key};

#[test]
fn dates_from_2050_are_generalized_time() {
    let year = |n: u64| UNIX_EPOCH + Duration::from_secs((n - 1970) * 31_556_952);
    let validity = Validity::new(year(2030), year(2060));
    let certificate = issue(&Leaf::server("localhost").validity(validity));
    assert_eq!(certificate.validity(), validity);
    let parsed = x509_cert::Certificate::from_der(certificate.as_der()).unwrap();
    let parsed = parsed.tbs_certificate().validity();
    assert!(matches!(
        parsed.not_before,
        x509_cert::time::Time::UtcTime(_)
    ));
    assert!(matches!(
        parsed.not_after,
        x509_cert::time::Time::GeneralTime(_)
    ));
}

#[test]
fn the_default_validity_ends_with_the_issuer() {
    let ca = Ca::self_signed("CN=Short", new_key(), Validity::days(2)).unwrap();
    let leaf = ca
        .issue(&Leaf::client("alice"), new_key().public_key())
        .unwrap();
    assert_eq!(
        leaf.validity().not_after,
        ca.certificate().validity().not_after
    );
}

#[test]
fn an_expired_issuer_is_named() {
    let hour = Duration::from_secs(3600);
    let now = SystemTime::now();
    let past = Validity::new(now - 5 * hour, now - hour / 2);
    let ca = Ca::self_signed("CN=Old", new_key(), past).unwrap();
    let issue = |leaf: &Leaf| ca.issue(leaf, new_key().public_key());
    let error = issue(&Leaf::client("x")).unwrap_err();
    assert!(matches!(&error, Error::Profile { subject, .. } if subject == "CN=Old"));
    assert!(error.to_string().contains("this CA has expired"), "{error}");
    // To make an expired certificate on purpose
    let leaf = issue(&Leaf::client("x").validity(past)).unwrap();
    assert!(leaf.validity().not_after < now);
}

#[test]
fn impossible_validities_are_refused() {
    let now = SystemTime::now();
    let year_10000 = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    for validity in [
        Validity::new(now, now),
        Validity::new(now, UNIX_EPOCH),
        Validity::new(UNIX_EPOCH - Duration::from_secs(1), now),
        Validity::new(now, year_10000),
    ] {
        assert!(matches!(
            Ca::self_signed("CN=CA", new_key(), validity),
            Err(Error::InvalidValidity)
        ));
    }
}

#[test]
fn impossible_names_are_refused() {
    for subject in [
        "",
        "CN",
        "CN=",
        "C=China",
        "C=中国",
        "=x",
        "CN=\\ff",
        &"O=x,".repeat(300),
    ] {
        let made = Ca::self_signed(subject, new_key(), Validity::days(1));
        assert!(matches!(made, Err(Error::InvalidName { .. })), "{subject}");
    }
    let ca = new_ca();
    for dns in [
        "",
        "a..b",
        "-a.cn",
        "bücher.example",
        "a b",
        "a.*.cn",
        "a\0b",
        &"a".repeat(64),
    ] {
        let made = ca.issue(&Leaf::client("x").dns(dns), new_key().public_key());
        assert!(matches!(made, Err(Error::InvalidName { .. })), "{dns:?}");
    }
    for common_name in ["", &"x".repeat(65)] {
        let made = ca.issue(&Leaf::client(common_name), new_key().public_key());
        assert!(
            matches!(made, Err(Error::InvalidName { .. })),
            "{common_name:?}"
        );
    }
    let odd = ca.issue(&Leaf::client("a,O=b+C=\\x"), new_key().public_key());
    assert_eq!(odd.unwrap().subject(), "CN=a\\,O=b\\+C=\\\\x");
}

#[test]
fn leaves_may_not_sign_certificates() {
    let ca = new_ca();
    let issue =
        |usage: KeyUsages| ca.issue(&Leaf::client("x").key_usage(usage), new_key().public_key());
    assert!(issue(KeyUsages::NonRepudiation).is_ok());
    assert!(matches!(
        issue(KeyUsages::KeyCertSign),
        Err(Error::Profile { .. })
    ));
    assert!(matches!(
        issue(KeyUsages::CRLSign),
        Err(Error::Profile { .. })
    ));

    let secret = new_key();
    let leaf = ca.issue(&Leaf::client("x"), secret.public_key()).unwrap();
    assert!(matches!(Ca::new(leaf, secret), Err(Error::Profile { .. })));
}

#[test]
fn a_ca_is_taken_up_again() {
    let secret = new_key();
    let copy = key::from_der(&key::to_pkcs8_der(&secret).unwrap()).unwrap();
    let certificate = Ca::self_signed("CN=CA", secret, Validity::days(1))
        .unwrap()
        .certificate()
        .clone();
    let ca = Ca::new(certificate.clone(), copy).unwrap();
    let leaf = ca
        .issue(&Leaf::client("x"), new_key().public_key())
        .unwrap();
    leaf.verify_signature(certificate.public_key()).unwrap();
    assert!(matches!(
        Ca::new(certificate, new_key()),
        Err(Error::KeyMismatch { .. })
    ));
}

#[test]
fn path_lengths_shrink() {
    let root = new_ca();
    let below = |ca: &Ca, length| ca.subordinate("CN=Below", new_key(), Validity::days(10), length);
    let one = below(&root, 1).unwrap();
    assert!(matches!(below(&one, 1), Err(Error::Profile { .. })));
    let zero = below(&one, 0).unwrap();
    assert!(matches!(below(&zero, 0), Err(Error::Profile { .. })));
}

/// A key that says one thing and signs with another, as a token with two keys of one label.
#[derive(Debug)]
struct TwoKeys(SecretKey, SecretKey);

impl SignDigest for TwoKeys {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign_digest(&self, e: &[u8; 32]) -> Result<Signature, sm2::Error> {
        self.1.sign_digest(e)
    }
}

#[test]
fn a_signer_with_another_key_is_noticed() {
    let made = Ca::self_signed("CN=CA", TwoKeys(new_key(), new_key()), Validity::days(1));
    assert!(matches!(made, Err(Error::SignerMismatch)));
    let made = Request::new(&Leaf::client("x"), &TwoKeys(new_key(), new_key()));
    assert!(matches!(made, Err(Error::SignerMismatch)));
}
