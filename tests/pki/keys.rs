//! Key files.

use shangmi::pki::{Error, Item, Leaf, key};
use shangmi::sm2::{self, SecretKey};

use super::{alterations, assert_exact, issue, new_key};

#[test]
fn every_form_is_read_again() {
    let secret = new_key();
    let same = |read: Result<SecretKey, Error>| {
        let read = read.unwrap();
        assert_eq!(read.public_key(), secret.public_key());
        assert_eq!(read.to_bytes(), secret.to_bytes());
    };
    let pem = key::to_pkcs8_pem(&secret).unwrap();
    same(key::from_der(&key::to_pkcs8_der(&secret).unwrap()));
    same(key::from_der(&key::to_sec1_der(&secret).unwrap()));
    same(key::from_pem(pem.as_bytes()));
    same(key::from_pem(pem.replace('\n', "\r\n").as_bytes()));

    let leaf = issue(&Leaf::server("localhost"));
    let with_certificate = format!("{}{}", leaf.to_pem().unwrap(), *pem);
    same(key::from_pem(with_certificate.as_bytes()));

    let spki = key::public_key_to_spki(secret.public_key()).unwrap();
    assert_eq!(spki.len(), 91);
    assert_eq!(
        &key::public_key_from_spki(&spki).unwrap(),
        secret.public_key()
    );
}

#[test]
fn length_is_exact() {
    let secret = new_key();
    assert_exact(&key::to_pkcs8_der(&secret).unwrap(), key::from_der);
    assert_exact(&key::to_sec1_der(&secret).unwrap(), key::from_der);
    let spki = key::public_key_to_spki(secret.public_key()).unwrap();
    assert_exact(&spki, key::public_key_from_spki);
    assert!(matches!(
        key::from_der(&[0x30; 20_000]),
        Err(Error::TooLarge {
            item: Item::PrivateKey,
            ..
        })
    ));
    assert!(matches!(
        key::from_pem(&[b'-'; 300_000]),
        Err(Error::TooLarge {
            item: Item::PrivateKey,
            ..
        })
    ));
}

/// The public key beside it shows every altered bit of the private key.
#[test]
fn altered_bits_are_noticed() {
    for (bit, altered) in alterations(&key::to_pkcs8_der(&new_key()).unwrap()) {
        assert!(key::from_der(&altered).is_err(), "bit {bit}");
    }
}

#[test]
fn truncated_pem_is_damaged() {
    let pem = key::to_pkcs8_pem(&new_key()).unwrap();
    for length in 0..pem.trim_end().len() {
        let error = key::from_pem(&pem.as_bytes()[..length]).unwrap_err();
        assert!(
            matches!(error, Error::Pem { .. } | Error::NotFound { .. }),
            "{length}: {error}"
        );
    }
    let damaged = pem.replacen('M', "*", 1);
    assert!(matches!(
        key::from_pem(damaged.as_bytes()),
        Err(Error::Pem { .. })
    ));
}

#[test]
fn one_private_key_is_needed() {
    let pem = key::to_pkcs8_pem(&new_key()).unwrap();
    let two = pem.repeat(2);
    assert!(matches!(
        key::from_pem(two.as_bytes()),
        Err(Error::Ambiguous { .. })
    ));
    let certificate = issue(&Leaf::server("localhost")).to_pem().unwrap();
    let error = key::from_pem(certificate.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "private key: the PEM text has no PRIVATE KEY or EC PRIVATE KEY block"
    );
}

#[test]
fn a_foreign_public_key_is_a_mismatch() {
    let (ours, theirs) = (new_key(), new_key());
    for form in [key::to_pkcs8_der, key::to_sec1_der] {
        let der = form(&ours).unwrap();
        let start = der.len() - 65;
        let swapped = [&der[..start], theirs.public_key().as_sec1()].concat();
        assert!(matches!(
            key::from_der(&swapped),
            Err(Error::KeyMismatch { .. })
        ));
    }
}

/// RFC 5915 without its optional fields says nothing about the curve.
#[test]
fn bare_sec1_is_refused() {
    let scalar = new_key().to_bytes();
    let der = [&[0x30, 0x25, 2, 1, 1, 4, 32][..], scalar.as_bytes()].concat();
    let error = key::from_der(&der).unwrap_err();
    assert!(matches!(error, Error::UnsupportedCurve { curve: None, .. }));
    assert!(error.to_string().contains("cannot be known"), "{error}");
}

#[test]
fn values_out_of_range_are_refused() {
    for value in [[0; 32], [0xff; 32]] {
        let mut der = key::to_sec1_der(&new_key()).unwrap().to_vec();
        der[7..39].copy_from_slice(&value);
        assert!(matches!(
            key::from_der(&der),
            Err(Error::InvalidKey {
                source: sm2::Error::InvalidSecretKey,
                ..
            })
        ));
    }
    let mut spki = key::public_key_to_spki(new_key().public_key()).unwrap();
    spki[90] ^= 1;
    assert!(matches!(
        key::public_key_from_spki(&spki),
        Err(Error::InvalidKey {
            source: sm2::Error::InvalidPublicKey,
            ..
        })
    ));
}

#[test]
fn other_things_are_named() {
    let certificate = issue(&Leaf::server("localhost"));
    let spki = key::public_key_to_spki(certificate.public_key()).unwrap();
    for (der, found) in [
        (certificate.as_der(), "a certificate or a request"),
        (&spki, "a public key"),
    ] {
        let error = key::from_der(der).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("private key: expected, but the input is {found}")
        );
    }
}
