//! Keys in the test token: a PKCS#11 module with Luna's SM2 numbers and another implementation of
//! SM2, RustCrypto's.
#![cfg(all(feature = "pkcs11", feature = "rustls"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{AlertDescription, SignatureAlgorithm, SignatureScheme};
use shangmi::hsm::pkcs11::{KeyKind, TokenKey, Uri};
use shangmi::hsm::{Ckr, Error};
use shangmi::pki::{Ca, Purpose, Request, Validity};
use shangmi::sm2::{self, SignDigest};
use shangmi::tls13::{self, Negotiated, Sm2SigningKey, negotiated};
use shangmi_testtoken::{TestToken, module_path};

const PIN: &str = "a-secret-PIN-of-the-test";

fn token(label: &str) -> TestToken {
    TestToken::create(label, PIN).unwrap()
}

/// A URI for the test module: `path` names token and key, `pin` is the attribute of the PIN.
fn uri(path: &str, pin: &str) -> Uri {
    let module = encoded(&module_path().unwrap());
    format!("pkcs11:{path}?module-path={module}{pin}")
        .parse()
        .unwrap()
}

fn encoded(path: &Path) -> String {
    let bytes = path.to_str().unwrap().bytes();
    bytes
        .map(|b| {
            if b == b'/' {
                "/".into()
            } else {
                format!("%{b:02x}")
            }
        })
        .collect()
}

fn key_uri(token: &str, key: &str) -> Uri {
    uri(
        &format!("token={token};object={key}"),
        &format!("&pin-value={PIN}"),
    )
}

/// What the token answered to a signature that failed.
fn failed_call(signer: &impl SignDigest) -> Ckr {
    let sm2::Error::KeyUnavailable(error) = signer.sign_digest(&[1; 32]).unwrap_err() else {
        panic!("another error")
    };
    match error.downcast_ref() {
        Some(Error::Call { code, .. }) => *code,
        _ => panic!("{error}"),
    }
}

/// The error of a key that does not open; whatever it is, it shows no PIN.
fn refused(uri: &Uri, certificate: Option<&[u8]>) -> Error {
    let error = TokenKey::open(uri, certificate).unwrap_err();
    shows_no_pin(&error);
    assert!(!error.to_string().contains(PIN));
    error
}

fn shows_no_pin(value: &dyn Debug) {
    assert!(!format!("{value:?}{value:#?}").contains(PIN));
}

fn certificate_for(key: &TokenKey, ca: &Ca) -> Vec<u8> {
    let leaf = common::server_leaf();
    ca.issue(&leaf, key.sm2().unwrap().public_key())
        .unwrap()
        .to_der()
}

#[test]
fn signs_sm2_whether_the_token_answers_raw_or_der() {
    for answer in ["answer=raw", "answer=der"] {
        let token = token(answer);
        let point = token.generate_sm2("key", &[1]).unwrap();
        token.behave(answer).unwrap();
        let key = TokenKey::open(&key_uri(answer, "key"), None).unwrap();
        assert_eq!((key.kind(), key.token_label()), (KeyKind::Sm2, answer));

        let signer = key.sm2().unwrap();
        assert_eq!(signer.public_key().to_sec1(), point);
        for round in 0..20 {
            let e = [round; 32];
            let signature = signer.sign_digest(&e).unwrap();
            sm2::verify_digest(signer.public_key(), &e, &signature).unwrap();
        }
    }
}

#[test]
fn one_call_of_each_function_a_signature() {
    let token = token("calls");
    token.generate_sm2("key", &[]).unwrap();
    let signer = TokenKey::open(&key_uri("calls", "key"), None)
        .unwrap()
        .sm2()
        .unwrap();
    let counts = || ["C_SignInit", "C_Sign"].map(|call| token.calls(call).unwrap());
    let [init, sign] = counts();
    for _ in 0..5 {
        signer.sign_digest(&[7; 32]).unwrap();
    }
    assert_eq!(counts(), [init + 5, sign + 5]);
}

#[test]
fn mutual_tls_with_both_keys_in_tokens() {
    let (server_token, client_token) = (token("tls-server"), token("tls-client"));
    let ca = common::ca("CA");
    let (roots, provider) = (common::roots(&ca), common::strict());
    let certified = |token: &TestToken, leaf| {
        token.generate_sm2("key", &[]).unwrap();
        let key = TokenKey::open(&key_uri(token.label(), "key"), None).unwrap();
        let certificate = ca
            .issue(&leaf, key.sm2().unwrap().public_key())
            .unwrap()
            .to_der();
        // Again, with the certificate that it serves.
        let key = TokenKey::open(&key_uri(token.label(), "key"), Some(&certificate)).unwrap();
        tls13::certified_key(vec![certificate.into()], Arc::new(key)).unwrap()
    };
    let server = certified(&server_token, common::server_leaf());
    let client = certified(&client_token, common::client_leaf());

    let signatures = server_token.calls("C_Sign").unwrap();
    let pair = common::Pair::new(
        common::client_config(&provider, &roots, Some(client.clone())),
        common::server_config(&provider, Some(&roots), server.clone()),
    )
    .handshake();
    assert_eq!(negotiated(&pair.client).unwrap(), Negotiated::Sm);
    assert_eq!(pair.client.peer_certificates(), Some(&server.cert[..]));
    assert_eq!(pair.server.peer_certificates(), Some(&client.cert[..]));
    assert_eq!(server_token.calls("C_Sign").unwrap(), signatures + 1);
}

#[test]
fn is_a_rustls_key_for_sm2sig_sm3_alone() {
    let token = token("rustls");
    token.generate_sm2("key", &[]).unwrap();
    let key = TokenKey::open(&key_uri("rustls", "key"), None).unwrap();
    let sm2sig = SignatureScheme::Unknown(sm2::SM2SIG_SM3);

    assert!(
        key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
            .is_none()
    );
    let signer = key
        .choose_scheme(&[SignatureScheme::RSA_PSS_SHA256, sm2sig])
        .unwrap();
    assert_eq!(signer.scheme(), sm2sig);
    let sm2_key = key.sm2().unwrap();
    let public = sm2_key.public_key().clone();
    let signature = sm2::Signature::from_der(&signer.sign(b"message").unwrap()).unwrap();
    let e = sm2::message_digest(sm2::TLS13_ID, &public, b"message").unwrap();
    sm2::verify_digest(&public, &e, &signature).unwrap();

    // The same key under the provider's own type is the same to rustls.
    let other = Sm2SigningKey::new(Arc::new(sm2_key));
    assert_eq!(SigningKey::public_key(&key), other.public_key());
    assert_eq!(key.algorithm(), other.algorithm());
    assert_ne!(key.algorithm(), SignatureAlgorithm::ECDSA);
}

#[test]
fn certificates_and_requests_are_signed_in_the_token() {
    let token = token("pki");
    token.generate_sm2("ca", &[1]).unwrap();
    token.generate_sm2("server", &[2]).unwrap();
    let open = |key| TokenKey::open(&key_uri("pki", key), None).unwrap();
    let (ca_key, server_key) = (open("ca"), open("server"));

    let ca = Ca::self_signed("CN=token CA", ca_key.sm2().unwrap(), Validity::days(30)).unwrap();
    let request = Request::new(&common::server_leaf(), &server_key.sm2().unwrap()).unwrap();
    let certificate = ca.issue_from_request(&request, Purpose::Server).unwrap();
    certificate
        .verify_signature(ca_key.sm2().unwrap().public_key())
        .unwrap();
    TokenKey::open(&key_uri("pki", "server"), Some(certificate.as_der())).unwrap();
}

#[test]
fn certificate_of_another_key_is_refused() {
    let token = token("mismatch");
    token.generate_sm2("one", &[1]).unwrap();
    token.generate_sm2("two", &[2]).unwrap();
    let ca = common::ca("CA");
    let two = TokenKey::open(&key_uri("mismatch", "two"), None).unwrap();
    let certificate = certificate_for(&two, &ca);

    let error = refused(&key_uri("mismatch", "one"), Some(&certificate));
    assert!(
        matches!(&error, Error::CertificateMismatch { key, .. } if key == "object=one id=01"),
        "{error}"
    );
    // rustls itself sees it too, when a key opened without a certificate meets a foreign one.
    let one = TokenKey::open(&key_uri("mismatch", "one"), None).unwrap();
    assert!(
        CertifiedKey::new(vec![certificate.into()], Arc::new(one))
            .keys_match()
            .is_err()
    );

    let error = refused(&key_uri("mismatch", "one"), Some(b"no certificate"));
    assert!(matches!(error, Error::Certificate { .. }), "{error}");
}

#[test]
fn token_that_computes_wrongly_does_not_start() {
    let token = token("wrong");
    token.generate_sm2("key", &[]).unwrap();
    let uri = key_uri("wrong", "key");
    for order in [
        "signature=corrupt",
        "signature=foreign",
        "answer=der;signature=corrupt",
    ] {
        token.behave(order).unwrap();
        let error = refused(&uri, None);
        let known =
            matches!(&error, Error::WrongSignature { mechanism, .. } if mechanism == "CKM_SM2DSA");
        assert!(known, "{order}: {error}");
    }
    token.behave("signature=short").unwrap();
    let error = refused(&uri, None);
    assert!(
        matches!(error, Error::SignatureFormat { length: 63, .. }),
        "{error}"
    );
    token.behave("mechanism=absent").unwrap();
    let error = refused(&uri, None);
    assert_eq!(
        error.to_string(),
        "the token wrong has no CKM_SM2DSA (0x80000b21): check its firmware and policies, or use another key type"
    );
    token.behave("").unwrap();
    TokenKey::open(&uri, None).unwrap();
}

#[test]
fn failures_after_the_start_are_errors_and_pass() {
    let token = token("later");
    token.generate_sm2("key", &[]).unwrap();
    let signer = TokenKey::open(&key_uri("later", "key"), None)
        .unwrap()
        .sm2()
        .unwrap();
    for (order, message) in [
        (
            "signature=short",
            "the token's answer to CKM_SM2DSA, 63 bytes, is no signature; it was not used",
        ),
        (
            "answer=der;signature=corrupt",
            "with CKM_SM2DSA does not verify",
        ),
        (
            "mechanism=absent",
            "C_SignInit failed with CKR_MECHANISM_INVALID",
        ),
    ] {
        token.behave(order).unwrap();
        let error = signer.sign_digest(&[1; 32]).unwrap_err();
        assert!(matches!(error, sm2::Error::KeyUnavailable(_)));
        assert!(error.to_string().contains(message), "{error}");
    }
    token.behave("").unwrap();
    let signature = signer.sign_digest(&[1; 32]).unwrap();
    sm2::verify_digest(signer.public_key(), &[1; 32], &signature).unwrap();
}

#[test]
fn session_with_a_leftover_operation_is_replaced() {
    let token = token("leftover");
    token.generate_sm2("key", &[1]).unwrap();
    let signer = TokenKey::open(&key_uri("leftover", "key"), None)
        .unwrap()
        .sm2()
        .unwrap();
    token.behave("sign=device-error").unwrap();
    for _ in 0..2 {
        assert_eq!(failed_call(&signer), Ckr::DEVICE_ERROR);
    }
    token.behave("").unwrap();
    for _ in 0..2 {
        let signature = signer.sign_digest(&[1; 32]).unwrap();
        sm2::verify_digest(signer.public_key(), &[1; 32], &signature).unwrap();
    }
}

#[test]
fn key_replaced_under_its_name_never_signs() {
    let token = token("replaced");
    token.import_sm2("key", &[1], &[5; 32]).unwrap();
    let signer = TokenKey::open(&key_uri("replaced", "key"), None)
        .unwrap()
        .sm2()
        .unwrap();
    let fails = |expected: &str| {
        let error = signer.sign_digest(&[1; 32]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    token.destroy("key").unwrap();
    // The handle is invalid, and so the key is looked up again.
    fails("0 private keys of the token replaced are object=key");
    token.generate_sm2("key", &[1]).unwrap();
    fails("does not verify");
    fails("does not verify");

    token.destroy("key").unwrap();
    token.import_sm2("key", &[1], &[5; 32]).unwrap();
    let signature = signer.sign_digest(&[1; 32]).unwrap();
    sm2::verify_digest(signer.public_key(), &[1; 32], &signature).unwrap();
}

#[test]
fn private_key_tells_its_own_public_key() {
    let token = token("alone");
    let point = token.import_sm2("key", &[1], &[6; 32]).unwrap();
    let key = TokenKey::open(&key_uri("alone", "key"), None).unwrap();
    assert_eq!(key.sm2().unwrap().public_key().to_sec1(), point);
}

#[test]
fn certificate_stands_in_for_an_unreadable_point() {
    let token = token("point");
    token.import_sm2("key", &[1], &[7; 32]).unwrap();
    token.generate_sm2("other", &[2]).unwrap();
    let uri = key_uri("point", "key");
    let ca = common::ca("CA");
    let open = |key| TokenKey::open(&key_uri("point", key), None).unwrap();
    let certificate = certificate_for(&open("key"), &ca);
    let foreign = certificate_for(&open("other"), &ca);

    token.behave("point=cut").unwrap();
    let error = refused(&uri, None);
    assert!(matches!(error, Error::Answer { .. }), "{error}");
    TokenKey::open(&uri, Some(&certificate)).unwrap();
    let error = refused(&uri, Some(&foreign));
    assert!(matches!(error, Error::WrongSignature { .. }), "{error}");
}

#[test]
fn wrong_pin_is_tried_once() {
    let token = token("pin");
    token.generate_sm2("key", &[]).unwrap();
    let logins = token.calls("C_Login").unwrap();
    let error =
        TokenKey::open(&uri("token=pin;object=key", "&pin-value=not-the-PIN"), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "C_Login failed with CKR_PIN_INCORRECT: the PIN is wrong and was not tried again: correct it before the \
         token locks"
    );
    assert!(
        matches!(&error, Error::Call { function, code: Ckr::PIN_INCORRECT } if *function == "C_Login")
    );
    assert!(!format!("{error:?}").contains("not-the-PIN"));
    assert_eq!(token.wrong_pins().unwrap(), 1);
    assert_eq!(token.calls("C_Login").unwrap(), logins + 1);

    let error = refused(&uri("token=pin;object=key", ""), None);
    assert!(matches!(error, Error::Incomplete { .. }), "{error}");
    assert_eq!(token.calls("C_Login").unwrap(), logins + 1);
}

#[test]
fn pin_comes_from_a_file_and_is_never_shown() {
    let token = token("file");
    token.generate_sm2("key", &[]).unwrap();
    let file = std::env::temp_dir().join(format!("shangmi-pin-{}", std::process::id()));
    let with_file = uri(
        "token=file",
        &format!("&pin-source=file:{}", encoded(&file)),
    );
    let error = refused(&with_file, None);
    assert!(
        matches!(&error, Error::PinFile { path, .. } if *path == file),
        "{error}"
    );

    std::fs::write(&file, format!("{PIN}\n")).unwrap();
    let key = TokenKey::open(&with_file, None).unwrap();
    std::fs::remove_file(&file).unwrap();
    for value in [
        &with_file as &dyn Debug,
        &key_uri("file", "key"),
        &key,
        &key.sm2().unwrap(),
    ] {
        shows_no_pin(value);
    }
}

#[test]
fn missing_and_ambiguous_tokens_are_named() {
    let tokens = [token("twins"), token("twins")];
    let error = refused(&key_uri("no-such-token", "key"), None);
    let Error::Token {
        wanted,
        matches: 0,
        found,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(wanted, "token=no-such-token");
    assert!(
        found
            .iter()
            .any(|token| token.starts_with("token=twins serial=")),
        "{found:?}"
    );

    let error = refused(&key_uri("twins", "key"), None);
    assert!(matches!(error, Error::Token { matches: 2, .. }), "{error}");

    tokens[1].generate_sm2("key", &[]).unwrap();
    let serial = tokens[1].serial();
    let by_serial = uri(
        &format!("token=twins;serial={serial}"),
        &format!("&pin-value={PIN}"),
    );
    TokenKey::open(&by_serial, None).unwrap();
    let other_model = uri("token=twins;model=Luna", &format!("&pin-value={PIN}"));
    assert!(matches!(
        refused(&other_model, None),
        Error::Token { matches: 0, .. }
    ));
}

#[test]
fn missing_and_ambiguous_keys_are_named() {
    let token = token("keys");
    let first = token.generate_sm2("same", &[1]).unwrap();
    let second = token.generate_sm2("same", &[2]).unwrap();
    let error = refused(&key_uri("keys", "other"), None);
    let Error::Key {
        wanted,
        matches: 0,
        found,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(wanted, "object=other");
    assert_eq!(found, &["object=same id=01", "object=same id=02"]);
    assert!(matches!(
        refused(&key_uri("keys", "same"), None),
        Error::Key { matches: 2, .. }
    ));

    for (id, point) in [("%01", first), ("%02", second)] {
        let by_id = uri(
            &format!("token=keys;id={id};type=private"),
            &format!("&pin-value={PIN}"),
        );
        let key = TokenKey::open(&by_id, None).unwrap();
        assert_eq!(key.sm2().unwrap().public_key().to_sec1(), point);
    }
    let public = uri(
        "token=keys;id=%01;type=public",
        &format!("&pin-value={PIN}"),
    );
    assert!(matches!(refused(&public, None), Error::Incomplete { .. }));
}

#[test]
fn modules_that_cannot_be_loaded_are_named() {
    let missing: Uri = "pkcs11:token=t?module-path=/nonexistent/module.so"
        .parse()
        .unwrap();
    assert!(matches!(refused(&missing, None), Error::Module { .. }));
    let unnamed: Uri = "pkcs11:token=t".parse().unwrap();
    assert!(matches!(refused(&unnamed, None), Error::Incomplete { .. }));

    let junk = std::env::temp_dir().join(format!("shangmi-junk-{}", std::process::id()));
    std::fs::write(&junk, "no library").unwrap();
    let uri: Uri = format!("pkcs11:token=t?module-path={}", encoded(&junk))
        .parse()
        .unwrap();
    let error = refused(&uri, None);
    std::fs::remove_file(&junk).unwrap();
    assert!(matches!(error, Error::Module { .. }), "{error}");
}

#[test]
fn module_must_be_the_one_that_the_uri_describes() {
    let token = token("library");
    token.generate_sm2("key", &[1]).unwrap();
    let open = |library: &str| {
        let path = format!("token=library;{library}");
        TokenKey::open(&uri(&path, &format!("&pin-value={PIN}")), None)
    };
    open("library-manufacturer=SafeNet;library-description=Chrystoki;library-version=0.1").unwrap();
    for other in [
        "library-manufacturer=Other",
        "library-description=Other",
        "library-version=0",
        "library-version=1.1",
    ] {
        let error = open(other).unwrap_err();
        let expected =
            "library-manufacturer=SafeNet library-description=Chrystoki library-version=0.1";
        assert!(
            matches!(&error, Error::Library { found, .. } if found == expected),
            "{error}"
        );
    }
}

#[test]
fn clones_sign_from_many_threads() {
    let token = token("threads");
    token.generate_sm2("key", &[]).unwrap();
    let signer = TokenKey::open(&key_uri("threads", "key"), None)
        .unwrap()
        .sm2()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let signer = signer.clone();
            scope.spawn(move || {
                let e = [thread; 32];
                let signature = signer.sign_digest(&e).unwrap();
                sm2::verify_digest(signer.public_key(), &e, &signature).unwrap();
            });
        }
    });
}

/// As docs/deployment.md tells a server without tokio.
#[test]
fn a_server_without_tokio_can_say_that_its_key_does_not_sign() {
    let token = token("alert");
    token.generate_sm2("key", &[1]).unwrap();
    let key = TokenKey::open(&key_uri("alert", "key"), None).unwrap();
    let ca = common::ca("root");
    let request = Request::new(&common::server_leaf(), &key.sm2().unwrap()).unwrap();
    let certificate = ca.issue_from_request(&request, Purpose::Server).unwrap();
    let own = CertifiedKey::new(
        vec![certificate.as_der().to_vec().into()],
        Arc::new(key.clone()),
    );
    let provider = common::strict();
    let server = Arc::new(common::server_config(&provider, None, Arc::new(own)));
    let client = common::client_config(&provider, &common::roots(&ca), None);
    let mut pair = common::Pair::new(client, server.clone());
    token.behave("signature=corrupt").unwrap();

    let mut acceptor = rustls::server::Acceptor::default();
    let hello = common::written(&mut pair.client);
    acceptor.read_tls(&mut &hello[..]).unwrap();
    let accepted = acceptor.accept().unwrap().unwrap();
    let (error, mut alert) = accepted.into_connection(server).unwrap_err();
    assert!(matches!(error, rustls::Error::Other(_)), "{error}");
    let mut queued = Vec::new();
    alert.write_all(&mut queued).unwrap();
    assert_eq!(queued.first(), Some(&22), "a ServerHello, and no alert");

    let internal_error = [0x15, 3, 3, 0, 2, 2, 0x50];
    let error = common::deliver(&mut pair.client, &internal_error).unwrap_err();
    assert_eq!(
        error,
        rustls::Error::AlertReceived(AlertDescription::InternalError)
    );
}
