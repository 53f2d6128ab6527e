//! Certificates that lie in the token beside their key.
#![cfg(all(feature = "pkcs11", feature = "rustls"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, CertificateType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use shangmi::hsm::Error;
use shangmi::hsm::pkcs11::{KeyKind, TokenKey, Uri};
use shangmi::pki::Ca;
use shangmi_testtoken::{TestToken, module_path};

const PIN: &str = "12345678";

#[test]
fn certificate_is_found_by_the_keys_identifier() {
    let token = token("one");
    token.generate_sm2("key", &[1, 2]).unwrap();
    token.generate_sm2("other", &[3]).unwrap();
    let key = open("one", "key", None);
    assert_eq!(key.certificate().unwrap(), None);

    let ca = common::ca("CA");
    let certificate = certificate_for(&ca, &key);
    let other = certificate_for(&ca, &open("one", "other", None));
    store(&token, "anything", &[1, 2], &certificate);
    store(&token, "key", &[3], &other);
    // Neither by a part of the identifier, nor by its label.
    store(&token, "key", &[1], &other);
    let key = open("one", "key", None);
    assert_eq!(key.certificate().unwrap(), Some(&certificate[..]));

    // The same once more is the same.
    store(&token, "copy", &[1, 2], &certificate);
    let key = open("one", "key", None);
    assert_eq!(key.certificate().unwrap(), Some(&certificate[..]));
    // And one that the program has of its own is preferred.
    let renewed = certificate_for(&ca, &key);
    let key = open("one", "key", Some(&renewed));
    assert_eq!(key.certificate().unwrap(), Some(&renewed[..]));
}

#[test]
fn several_certificates_are_listed() {
    let token = token("several");
    token.generate_sm2("key", &[1]).unwrap();
    let key = open("several", "key", None);
    let ca = common::ca("CA");
    for label in ["of 2025", "of 2026"] {
        store(&token, label, &[1], &certificate_for(&ca, &key));
    }
    let key = open("several", "key", None);
    let error = key.certificate().unwrap_err();
    let Error::Certificates { key, found } = &error else {
        panic!("{error}")
    };
    assert_eq!((key.as_str(), found.len()), ("object=key id=01", 2));
    for (found, label) in found.iter().zip(["of 2025", "of 2026"]) {
        let expected = format!("object={label} CN={} serial ", common::NAME);
        assert!(found.starts_with(&expected), "{found}");
    }
    assert_ne!(found[0].split_once("serial"), found[1].split_once("serial"));
}

#[test]
fn certificate_must_be_the_keys() {
    let token = token("foreign");
    token.generate_sm2("key", &[1]).unwrap();
    token.generate_sm2("other", &[2]).unwrap();
    let ca = common::ca("CA");
    let foreign = certificate_for(&ca, &open("foreign", "other", None));
    store(&token, "wrong", &[1], &foreign);
    let key = open("foreign", "key", None);
    let error = key.certificate().unwrap_err();
    assert!(
        matches!(
            error,
            Error::CertificateMismatch {
                certificate_kind: KeyKind::Sm2,
                ..
            }
        ),
        "{error}"
    );
    // Beside the right one it does not count.
    let certificate = certificate_for(&ca, &key);
    store(&token, "right", &[1], &certificate);
    let key = open("foreign", "key", None);
    assert_eq!(key.certificate().unwrap(), Some(&certificate[..]));
}

#[test]
fn certificates_that_cannot_be_read_are_reported() {
    let token = token("junk");
    token.generate_sm2("key", &[1]).unwrap();
    let mut junk = certificate_for(&common::ca("CA"), &open("junk", "key", None));
    junk.truncate(junk.len() - 1);
    store(&token, "cut", &[1], &junk);
    let key = open("junk", "key", None);
    let error = key.certificate().unwrap_err();
    assert!(matches!(error, Error::Certificate { .. }), "{error}");
    assert!(error.to_string().contains("object=cut"), "{error}");
}

#[test]
fn certificate_longer_than_any_is_reported() {
    let token = token("long");
    token.generate_sm2("key", &[1]).unwrap();
    store(&token, "long", &[1], &vec![0x30; 64 * 1024 + 1]);
    let error = open("long", "key", None).certificate().unwrap_err();
    assert!(
        error.to_string().contains("CKR_BUFFER_TOO_SMALL"),
        "{error}"
    );
}

fn token(label: &str) -> TestToken {
    TestToken::create(label, PIN).unwrap()
}

fn uri(token: &str, key: &str) -> Uri {
    let module = module_path().unwrap();
    let path = module.to_str().unwrap();
    format!("pkcs11:token={token};object={key}?module-path={path}&pin-value={PIN}")
        .parse()
        .unwrap()
}

fn open(token: &str, key: &str, certificate: Option<&[u8]>) -> TokenKey {
    TokenKey::open(&uri(token, key), certificate).unwrap()
}

fn certificate_for(ca: &Ca, key: &TokenKey) -> Vec<u8> {
    let key = key.sm2().unwrap();
    let leaf = common::server_leaf();
    ca.issue(&leaf, shangmi::sm2::SignDigest::public_key(&key))
        .unwrap()
        .to_der()
}

/// C_CreateObject, as any tool would do it.
fn store(token: &TestToken, label: &str, id: &[u8], der: &[u8]) {
    let module = Pkcs11::new(module_path().unwrap()).unwrap();
    let slot = module
        .get_slots_with_token()
        .unwrap()
        .into_iter()
        .find(|slot| module.get_token_info(*slot).unwrap().serial_number() == token.serial());
    let session = module.open_rw_session(slot.unwrap()).unwrap();
    // The program under test may be logged in already.
    let _ = session.login(UserType::User, Some(&AuthPin::new(PIN.into())));
    session
        .create_object(&[
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Label(label.into()),
            Attribute::Id(id.into()),
            Attribute::Subject(vec![0x30, 0]),
            Attribute::Value(der.into()),
        ])
        .unwrap();
}
