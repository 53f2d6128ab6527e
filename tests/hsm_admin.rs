//! Key management: in the test token (SM2) and in SoftHSM2 (ECDSA, RSA).
#![cfg(all(feature = "pkcs11", feature = "rustls"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use der::{Decode, Encode};
use p256::ecdsa::DerSignature;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::DecodePublicKey;
use sha2::{Digest, Sha256};
use shangmi::hsm::pkcs11::{
    Administration, Confirmation, KeyInfo, KeyKind, KeySpec, OlderCertificates, Options, Profile,
    TokenKey, Uri, probe,
};
use shangmi::hsm::{Action, Audit, Ckr, Error, Event};
use shangmi::pki::{self, Ca, Leaf, Purpose, Validity};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;
use shangmi_testtoken::{Behaviour, TestToken, module_path};
use signature::Verifier;
use signature::hazmat::PrehashVerifier;
use spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::request::CertReq;
use x509_cert::serial_number::SerialNumber;

use common::softhsm::SOFTHSM;

const PIN: &str = "a-secret-PIN-of-the-test";

// ---- SM2, in the test token ----

#[test]
fn sm2_pair_is_made_listed_and_signs() {
    let token = TestToken::create("admin pair", PIN).unwrap();
    let administration = open(&token);
    let id = administration
        .generate(KeySpec::Sm2, "server", None)
        .unwrap();
    assert_eq!(id.len(), 16);
    let named = administration
        .generate(KeySpec::Sm2, "client", Some(&[0xab, 1]))
        .unwrap();
    assert_eq!(named, [0xab, 1]);

    let keys = administration.keys().unwrap();
    assert_eq!(keys.len(), 2);
    let client = key(&keys, "client");
    assert_eq!(client.id, "ab01");
    assert_eq!((client.kind, client.bits), (Some(KeyKind::Sm2), Some(256)));
    assert_eq!(client.sensitive, Some(true));
    assert_eq!(client.extractable, Some(false));
    assert_eq!(client.local, Some(true));
    assert_eq!((client.public_keys, client.certificates), (1, 0));
    assert_eq!(
        client.to_string(),
        "object=client id=ab01, SM2, signs, sensitive, not extractable, made in the token, \
         public key, no certificate"
    );
    TokenKey::open(&uri(&token, "server"), None).unwrap();
}

#[test]
fn label_or_identifier_of_another_key_is_refused() {
    let token = TestToken::create("admin twice", PIN).unwrap();
    let administration = open(&token);
    administration
        .generate(KeySpec::Sm2, "server", Some(&[1]))
        .unwrap();
    for (label, id, taken) in [
        ("server", Some(&[2][..]), "object=server"),
        ("server", None, "object=server"),
        ("other", Some(&[1]), "id=01"),
    ] {
        let error = administration
            .generate(KeySpec::Sm2, label, id)
            .unwrap_err();
        assert!(
            matches!(&error, Error::KeyExists { key, .. } if key == taken),
            "{error}"
        );
    }
    for (label, id) in [("", None), ("other", Some(&[][..]))] {
        let error = administration
            .generate(KeySpec::Sm2, label, id)
            .unwrap_err();
        assert!(matches!(error, Error::Incomplete { .. }), "{error}");
    }
    assert_eq!(token.calls("C_GenerateKeyPair").unwrap(), 1);
}

#[test]
fn pair_that_fails_its_test_is_destroyed() {
    let token = TestToken::create("admin faulty", PIN).unwrap();
    let administration = open(&token);
    for orders in [
        "signature=corrupt",
        "signature=foreign",
        "signature=short",
        "sign=device-error",
        "protection=ignored",
    ] {
        token.behave(orders).unwrap();
        let error = administration
            .generate(KeySpec::Sm2, "server", Some(&[7]))
            .unwrap_err();
        let Error::PairRefused {
            reason,
            remains: None,
            key,
        } = &error
        else {
            panic!("{orders}: {error}")
        };
        assert_eq!(key, "object=server id=07");
        let expected = match orders {
            "signature=short" => matches!(**reason, Error::SignatureFormat { length: 63, .. }),
            "sign=device-error" => matches!(
                **reason,
                Error::Call {
                    code: Ckr::DEVICE_ERROR,
                    ..
                }
            ),
            "protection=ignored" => matches!(
                **reason,
                Error::Unprotected {
                    rule: "CKA_EXTRACTABLE is false",
                    ..
                }
            ),
            _ => matches!(**reason, Error::WrongSignature { .. }),
        };
        assert!(expected, "{orders}: {reason}");
        token.behave("").unwrap();
        assert!(administration.keys().unwrap().is_empty(), "{orders}");
        assert_eq!(public_keys(&token), 0, "{orders}");
    }
    // The same names are free again, and the same administration goes on.
    administration
        .generate(KeySpec::Sm2, "server", Some(&[7]))
        .unwrap();
}

#[test]
fn what_the_token_cannot_make_is_refused_by_name() {
    let token = TestToken::create("admin kinds", PIN).unwrap();
    let administration = open(&token);
    let error = administration
        .generate(KeySpec::Rsa2048, "server", None)
        .unwrap_err();
    let expected = "CKM_RSA_PKCS_KEY_PAIR_GEN (0x0)";
    assert!(
        matches!(&error, Error::Mechanism { mechanism, .. } if mechanism == expected),
        "{error}"
    );
}

/// A vendor that only the program knows, with numbers below CKM_VENDOR_DEFINED.
#[test]
fn pair_with_numbers_of_the_programs_own() {
    let test = "pair_with_numbers_of_the_programs_own";
    if std::env::var_os(Behaviour::ENVIRONMENT).is_none() {
        let orders = format!("profile=unnamed;token=own:{PIN};key=old:01");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(Behaviour::ENVIRONMENT, orders)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("1 passed"),
            "{said}"
        );
        return;
    }
    let uri = module_uri(&module_path().unwrap(), "token=own", PIN);
    let unknown = Administration::open(&uri, &Options::default()).unwrap();
    let error = unknown.generate(KeySpec::Sm2, "new", None).unwrap_err();
    assert!(matches!(error, Error::NoSm2Numbers { .. }), "{error}");

    let numbers = Profile::new("own", 0x0001_0001, 0x0001_0002);
    let numbers = numbers.with_key_pair_generation(0x0001_0009);
    let options = Options::default().profile(numbers);
    let administration = Administration::open(&uri, &options).unwrap();
    administration.generate(KeySpec::Sm2, "new", None).unwrap();
    let keys = administration.keys().unwrap();
    assert_eq!(key(&keys, "new").kind, Some(KeyKind::Sm2));
    assert_eq!(key(&keys, "old").kind, Some(KeyKind::Sm2));
}

#[test]
fn request_and_certificate_of_an_sm2_key() {
    let token = TestToken::create("admin request", PIN).unwrap();
    let administration = open(&token);
    administration
        .generate(KeySpec::Sm2, "server", Some(&[1]))
        .unwrap();
    administration
        .generate(KeySpec::Sm2, "other", Some(&[2]))
        .unwrap();

    let leaf = Leaf::server("bank.example").subject("CN=bank.example,O=Bank,C=CN");
    let request = administration.request(&object("server"), &leaf).unwrap();
    let read = pki::Request::from_pem(request.to_pem().unwrap().as_bytes()).unwrap();
    assert_eq!(read.as_der(), request.as_der());
    assert_eq!(read.subject(), "CN=bank.example,O=Bank,C=CN");
    let spki = pki::key::public_key_to_spki(read.public_key()).unwrap();
    let server = TokenKey::open(&uri(&token, "server"), None).unwrap();
    assert_eq!(server.public_key_info(), spki);

    let root = SecretKey::generate(&mut SystemRandom).unwrap();
    let ca = Ca::self_signed("CN=Test CA,O=Bank", root, Validity::days(30)).unwrap();
    let issued = ca.issue_from_request(&read, Purpose::Server).unwrap();
    let name = administration
        .import_certificate(issued.as_der(), OlderCertificates::Keep)
        .unwrap();
    assert_eq!(name, "object=server id=01");
    let keys = administration.keys().unwrap();
    assert_eq!(key(&keys, "server").certificates, 1);
    assert_eq!(key(&keys, "other").certificates, 0);
    assert_eq!(
        certificate_attributes(&token),
        expected_attributes(issued.as_der())
    );

    let again = administration
        .import_certificate(issued.as_der(), OlderCertificates::Keep)
        .unwrap_err();
    assert!(
        matches!(&again, Error::CertificateExists { subject, .. } if subject.starts_with(&read.subject())),
        "{again}"
    );
    let foreign = administration
        .import_certificate(ca.certificate().as_der(), OlderCertificates::Keep)
        .unwrap_err();
    assert!(
        matches!(&foreign, Error::NoKeyForCertificate { subject, .. } if subject.contains("Test CA")),
        "{foreign}"
    );
    let broken = administration
        .import_certificate(&issued.as_der()[1..], OlderCertificates::Keep)
        .unwrap_err();
    assert!(matches!(broken, Error::Pki(_)), "{broken}");

    let pem = issued.to_pem().unwrap();
    let renewed = ca.issue_from_request(&read, Purpose::Server).unwrap();
    administration
        .import_certificate(
            renewed.to_pem().unwrap().as_bytes(),
            OlderCertificates::Delete,
        )
        .unwrap();
    assert_eq!(
        certificate_attributes(&token),
        expected_attributes(renewed.as_der())
    );
    administration
        .import_certificate(pem.as_bytes(), OlderCertificates::Keep)
        .unwrap();
    let keys = administration.keys().unwrap();
    assert_eq!(key(&keys, "server").certificates, 2);

    // One of them may be that of a second key with the same identifier.
    let id: Vec<u8> = key(&keys, "server")
        .id
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    token.generate_sm2("twin", &id).unwrap();
    let again = ca.issue_from_request(&read, Purpose::Server).unwrap();
    administration
        .import_certificate(again.as_der(), OlderCertificates::Delete)
        .unwrap();
    let keys = administration.keys().unwrap();
    assert_eq!(key(&keys, "server").certificates, 3);
}

#[test]
fn request_needs_an_honest_token_and_a_valid_subject() {
    let token = TestToken::create("admin bad request", PIN).unwrap();
    let administration = open(&token);
    administration
        .generate(KeySpec::Sm2, "server", None)
        .unwrap();
    let leaf = Leaf::server("bank.example");
    token.behave("signature=corrupt").unwrap();
    let error = administration
        .request(&object("server"), &leaf)
        .unwrap_err();
    assert!(matches!(error, Error::WrongSignature { .. }), "{error}");
    token.behave("answer=der").unwrap();
    let request = administration.request(&object("server"), &leaf).unwrap();
    pki::Request::from_der(request.as_der()).unwrap();

    let error = administration
        .request(&object("server"), &leaf.subject("no name"))
        .unwrap_err();
    assert!(matches!(error, Error::Pki(_)), "{error}");
    let error = administration
        .request(&object("nobody"), &Leaf::server("bank.example"))
        .unwrap_err();
    assert!(matches!(error, Error::Key { matches: 0, .. }), "{error}");
}

#[test]
fn nothing_is_deleted_by_accident() {
    let token = TestToken::create("admin delete", PIN).unwrap();
    let administration = open(&token);
    for (label, id) in [("server", &[0xa1]), ("other", &[0xa2])] {
        administration
            .generate(KeySpec::Sm2, label, Some(id))
            .unwrap();
    }
    for wrong in ["", "other", "Server", "server ", "a2"] {
        let error = administration
            .delete(&object("server"), &Confirmation::of(wrong))
            .unwrap_err();
        assert!(
            matches!(&error, Error::Unconfirmed { key } if key == "object=server id=a1"),
            "{error}"
        );
    }
    let everything: Uri = "pkcs11:".parse().unwrap();
    let error = administration
        .delete(&everything, &Confirmation::of("server"))
        .unwrap_err();
    assert!(matches!(error, Error::Key { matches: 2, .. }), "{error}");
    assert_eq!(token.calls("C_DestroyObject").unwrap(), 0);

    let gone = administration
        .delete(&object("server"), &Confirmation::of("server"))
        .unwrap();
    assert_eq!(gone, 2);
    let by_id: Uri = "pkcs11:id=%A2".parse().unwrap();
    assert_eq!(
        administration
            .delete(&by_id, &Confirmation::of("A2"))
            .unwrap(),
        2
    );
    assert!(administration.keys().unwrap().is_empty());
    assert_eq!(public_keys(&token), 0);
}

#[test]
fn every_change_is_audited() {
    #[derive(Default)]
    struct Trail(Mutex<Vec<String>>);

    impl Audit for Trail {
        fn record(&self, event: &Event<'_>) {
            let what = match event.action {
                Action::Login => "login".into(),
                Action::Sign { key, mechanism } => format!("sign {key} {mechanism}"),
                Action::GenerateKey { key, mechanism } => format!("generate {key} {mechanism}"),
                Action::Delete { object } => format!("delete {object}"),
                Action::ImportCertificate { object } => format!("import {object}"),
                Action::OpenSession => "open session".into(),
                other => panic!("{other:?}"),
            };
            let end = if event.error.is_some() { " failed" } else { "" };
            let line = format!("{}: {what}{end}", event.token);
            self.0.lock().unwrap().push(line);
        }
    }

    let token = TestToken::create("admin audit", PIN).unwrap();
    let trail = Arc::new(Trail::default());
    let options = Options::default().audit(trail.clone());
    token
        .behave("fail=C_OpenSession:*:CKR_SESSION_COUNT")
        .unwrap();
    Administration::open(&uri(&token, "any"), &options).unwrap_err();
    token.behave("").unwrap();
    let administration = Administration::open(&uri(&token, "any"), &options).unwrap();
    token
        .behave("fail=C_OpenSession:*:CKR_SESSION_COUNT")
        .unwrap();
    administration.keys().unwrap_err();
    token.behave("signature=corrupt").unwrap();
    administration
        .generate(KeySpec::Sm2, "server", Some(&[1]))
        .unwrap_err();
    token.behave("").unwrap();
    administration
        .generate(KeySpec::Sm2, "server", Some(&[1]))
        .unwrap();
    administration
        .generate(KeySpec::Sm2, "server", Some(&[2]))
        .unwrap_err();
    administration
        .delete(&object("server"), &Confirmation::of("other"))
        .unwrap_err();
    let leaf = Leaf::server("bank.example");
    let request = administration.request(&object("server"), &leaf).unwrap();
    let request = pki::Request::from_der(request.as_der()).unwrap();
    let root = SecretKey::generate(&mut SystemRandom).unwrap();
    let ca = Ca::self_signed("CN=Test CA", root, Validity::days(30)).unwrap();
    let certificate = ca.issue_from_request(&request, Purpose::Server);
    administration
        .import_certificate(certificate.unwrap().as_der(), OlderCertificates::Keep)
        .unwrap();
    let confirmation = Confirmation::of("server").and_certificates();
    assert_eq!(
        administration
            .delete(&object("server"), &confirmation)
            .unwrap(),
        3
    );
    let expected = [
        "open session failed",
        "login",
        "open session failed",
        "sign object=server id=01 CKM_SM2DSA failed",
        "generate object=server id=01 CKM_SM2_KEY_PAIR_GEN failed",
        "sign object=server id=01 CKM_SM2DSA",
        "generate object=server id=01 CKM_SM2_KEY_PAIR_GEN",
        "generate object=server id=02 CKM_SM2_KEY_PAIR_GEN failed",
        "delete object=server id=01 failed",
        "sign object=server id=01 CKM_SM2DSA",
        "import object=server id=01",
        "delete object=server id=01",
    ];
    let expected = expected.map(|event| format!("admin audit: {event}"));
    assert_eq!(*trail.0.lock().unwrap(), expected);
}

#[test]
fn wrong_pin_is_tried_once() {
    let token = TestToken::create("admin pin", PIN).unwrap();
    let wrong = module_uri(&module_path().unwrap(), "token=admin%20pin", "not-the-PIN");
    let error = Administration::open(&wrong, &Options::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Call {
                code: Ckr::PIN_INCORRECT,
                ..
            }
        ),
        "{error}"
    );
    assert!(!format!("{error:?} {error}").contains("not-the-PIN"));
    assert_eq!(token.wrong_pins().unwrap(), 1);
    assert_eq!(
        token.calls("C_Login").unwrap(),
        2,
        "the token's own and ours"
    );
}

#[test]
fn probe_changes_nothing_and_spares_the_last_try() {
    let token = TestToken::create("probed", PIN).unwrap();
    token.generate_sm2("server", &[1]).unwrap();
    let look = |pin: &str| {
        let path = format!("serial={}", token.serial());
        let uri = module_uri(&module_path().unwrap(), &path, pin);
        probe(&uri, &Options::default()).unwrap()
    };
    let findings = look(PIN).findings;
    assert!(findings.is_empty(), "{findings:?}");
    for changing in ["C_CreateObject", "C_DestroyObject", "C_GenerateKeyPair"] {
        assert_eq!(token.calls(changing).unwrap(), 0, "{changing}");
    }
    assert_eq!(token.calls("C_Logout").unwrap(), 1, "the token's own");

    token.behave("pin-tries=2").unwrap();
    let findings = look("first-wrong-PIN").findings;
    assert!(findings[0].contains("CKR_PIN_INCORRECT"), "{findings:?}");
    assert_eq!(token.wrong_pins().unwrap(), 1);
    let findings = look("second-wrong-PIN").findings;
    assert!(findings[0].contains("this is its last try"), "{findings:?}");
    assert_eq!(token.wrong_pins().unwrap(), 1);
}

// ---- ECDSA and RSA, in SoftHSM2 ----

#[test]
fn softhsm_keys_are_made_requested_for_and_deleted() {
    SOFTHSM.isolated("softhsm_keys_are_made_requested_for_and_deleted", || {
        SOFTHSM.token().close();
        let token = format!("token={}", common::token::TOKEN);
        let uri = module_uri(&(SOFTHSM.path)(), &token, common::token::PIN);
        let administration = Administration::open(&uri, &Options::default()).unwrap();
        let pairs = [
            (KeySpec::P256, KeyKind::EcdsaP256, 256),
            (KeySpec::P384, KeyKind::EcdsaP384, 384),
            (KeySpec::Rsa2048, KeyKind::Rsa, 2048),
            (KeySpec::Rsa3072, KeyKind::Rsa, 3072),
        ];
        for (spec, kind, bits) in pairs {
            let label = spec.to_string();
            administration.generate(spec, &label, None).unwrap();
            let keys = administration.keys().unwrap();
            let key = key(&keys, &label);
            assert_eq!((key.kind, key.bits), (Some(kind), Some(bits)));
            assert_eq!((key.sensitive, key.extractable), (Some(true), Some(false)));
            assert_eq!(key.public_keys, 1);

            let leaf = Leaf::server("bank.example").subject("CN=bank.example,C=CN");
            let request = administration.request(&object(&label), &leaf).unwrap();
            let request = CertReq::from_der(request.as_der()).unwrap();
            assert_signed(&request, kind);

            let certificate = international_certificate(request.info.public_key.clone());
            administration
                .import_certificate(&certificate, OlderCertificates::Keep)
                .unwrap();
            let same = administration
                .import_certificate(&certificate, OlderCertificates::Keep)
                .unwrap_err();
            assert!(matches!(same, Error::CertificateExists { .. }), "{same}");
            let confirmation = Confirmation::of(&label).and_certificates();
            let gone = administration
                .delete(&object(&label), &confirmation)
                .unwrap();
            assert_eq!(gone, 3);
            assert!(administration.keys().unwrap().is_empty());
        }
        let error = administration
            .generate(KeySpec::Sm2, "server", None)
            .unwrap_err();
        assert!(matches!(error, Error::NoSm2Numbers { .. }), "{error}");
    });
}

/// Verifies a request with RustCrypto alone.
fn assert_signed(request: &CertReq, kind: KeyKind) {
    let content = request.info.to_der().unwrap();
    let spki = request.info.public_key.to_der().unwrap();
    let signature = request.signature.as_bytes().unwrap();
    let algorithm = request.algorithm.oid.to_string();
    match kind {
        KeyKind::EcdsaP256 => {
            let key = p256::ecdsa::VerifyingKey::from_public_key_der(&spki).unwrap();
            key.verify(&content, &DerSignature::from_bytes(signature).unwrap())
                .unwrap();
            assert_eq!(algorithm, "1.2.840.10045.4.3.2");
        }
        KeyKind::EcdsaP384 => {
            let key = p384::ecdsa::VerifyingKey::from_public_key_der(&spki).unwrap();
            let signature = p384::ecdsa::DerSignature::from_bytes(signature).unwrap();
            key.verify_prehash(&sha2::Sha384::digest(&content), &signature)
                .unwrap();
            assert_eq!(algorithm, "1.2.840.10045.4.3.3");
        }
        KeyKind::Rsa => {
            let key = rsa::RsaPublicKey::from_public_key_der(&spki).unwrap();
            let digest = Sha256::digest(&content);
            key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, signature)
                .unwrap();
            assert_eq!(algorithm, "1.2.840.113549.1.1.11");
        }
        other => panic!("{other}"),
    }
}

/// A certificate by an issuer in software, which nobody needs to trust.
fn international_certificate(key: SubjectPublicKeyInfoOwned) -> Vec<u8> {
    struct Profile;

    impl BuilderProfile for Profile {
        fn get_issuer(&self, _: &Name) -> Name {
            "CN=CA".parse().unwrap()
        }

        fn get_subject(&self) -> Name {
            "CN=bank.example".parse().unwrap()
        }

        fn build_extensions(
            &self,
            _: SubjectPublicKeyInfoRef<'_>,
            _: SubjectPublicKeyInfoRef<'_>,
            _: &TbsCertificate,
        ) -> x509_cert::builder::Result<Vec<Extension>> {
            Ok(Vec::new())
        }
    }

    let issuer = p256::ecdsa::SigningKey::from_slice(&[0x42; 32]).unwrap();
    let validity = x509_cert::time::Validity::from_now(Duration::from_secs(3600)).unwrap();
    let builder =
        CertificateBuilder::new(Profile, SerialNumber::from(2u32), validity, key).unwrap();
    let certificate = builder.build::<_, DerSignature>(&issuer).unwrap();
    certificate.to_der().unwrap()
}

// ---- helpers ----

fn open(token: &TestToken) -> Administration {
    Administration::open(&uri(token, "any"), &Options::default()).unwrap()
}

fn uri(token: &TestToken, key: &str) -> Uri {
    let path = format!("serial={};object={key}", token.serial());
    module_uri(&module_path().unwrap(), &path, PIN)
}

fn module_uri(module: &Path, path: &str, pin: &str) -> Uri {
    let module = module.to_str().unwrap();
    format!("pkcs11:{path}?module-path={module}&pin-value={pin}")
        .parse()
        .unwrap()
}

fn object(label: &str) -> Uri {
    format!("pkcs11:object={label}").parse().unwrap()
}

fn key<'a>(keys: &'a [KeyInfo], label: &str) -> &'a KeyInfo {
    keys.iter().find(|key| key.label == label).unwrap()
}

/// A session of the test's own with the test token; public objects alone.
fn session(token: &TestToken) -> cryptoki::session::Session {
    let module = Pkcs11::new(module_path().unwrap()).unwrap();
    let slots = module.get_slots_with_token().unwrap().into_iter();
    let has_serial = |slot| module.get_token_info(slot).unwrap().serial_number() == token.serial();
    let slot = slots.into_iter().find(|slot| has_serial(*slot)).unwrap();
    module.open_ro_session(slot).unwrap()
}

fn public_keys(token: &TestToken) -> usize {
    let template = [Attribute::Class(ObjectClass::PUBLIC_KEY)];
    session(token).find_objects(&template).unwrap().len()
}

const CERTIFICATE_ATTRIBUTES: [AttributeType; 6] = [
    AttributeType::Label,
    AttributeType::Id,
    AttributeType::Subject,
    AttributeType::Issuer,
    AttributeType::SerialNumber,
    AttributeType::Value,
];

/// The attributes of the only certificate.
fn certificate_attributes(token: &TestToken) -> Vec<Attribute> {
    let session = session(token);
    let template = [Attribute::Class(ObjectClass::CERTIFICATE)];
    let [certificate] = session.find_objects(&template).unwrap()[..] else {
        panic!("not one certificate")
    };
    session
        .get_attributes(certificate, &CERTIFICATE_ATTRIBUTES)
        .unwrap()
}

/// PKCS#11 2.40, 4.6.3: names and serial number are DER.
fn expected_attributes(certificate: &[u8]) -> Vec<Attribute> {
    let parsed = x509_cert::Certificate::from_der(certificate).unwrap();
    let content = parsed.tbs_certificate();
    vec![
        Attribute::Label("server".into()),
        Attribute::Id(vec![1]),
        Attribute::Subject(content.subject().to_der().unwrap()),
        Attribute::Issuer(content.issuer().to_der().unwrap()),
        Attribute::SerialNumber(content.serial_number().to_der().unwrap()),
        Attribute::Value(certificate.into()),
    ]
}
