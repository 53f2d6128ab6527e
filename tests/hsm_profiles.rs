//! Vendors' profiles, users and PIN sources, against a test token that poses as each vendor. The
//! vendor is the whole module's, so that each test is a process of its own.
#![cfg(all(feature = "pkcs11", feature = "rustls"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use shangmi::hsm::pkcs11::{KeyKind, Profile, TokenKey, Uri};
use shangmi::hsm::{Ckr, Error};
use shangmi::sm2::{self, SignDigest};
use shangmi::tls13::{self, Negotiated, negotiated};
use shangmi_testtoken::{Behaviour, TestToken, module_path};

const PIN: &str = "a-secret-PIN-of-the-test";

#[test]
fn luna() {
    alone("luna", "profile=luna", || serves(Profile::LUNA));
}

#[test]
fn sansec() {
    alone("sansec", "profile=sansec", || serves(Profile::SANSEC));
}

#[test]
fn tass() {
    alone("tass", "profile=tass", || serves(Profile::TASS));
}

#[test]
fn ibm_ep11() {
    alone("ibm_ep11", "profile=ibm-ep11", || serves(Profile::IBM_EP11));
}

/// The module is recognized, its key signs and serves TLS; under another vendor's name it does not.
fn serves(profile: Profile) {
    let token = token();
    let point = token.generate_sm2("key", &[1]).unwrap();
    let named = format!("&x-profile={}", profile.name());
    for extra in ["", &named] {
        let key = TokenKey::open(&uri(extra), None).unwrap();
        assert_eq!(key.kind(), KeyKind::Sm2);
        signs(&key, &point);
        handshake(&token, &key);
    }
    for other in Profile::ALL
        .iter()
        .filter(|other| other.key_type() != profile.key_type())
    {
        let error = refused(&format!("&x-profile={}", other.name()));
        assert!(matches!(error, Error::KeyType { .. }), "{error}");
        let expected = format!(
            "the key object=key id=01 is of the type {:#x}; in the profile {}, SM2 is {:#x};",
            profile.key_type(),
            other.name(),
            other.key_type()
        );
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

/// Sansec and TASS number their keys alike, and their mechanisms not.
#[test]
fn mechanism_of_another_vendor_is_refused_by_name() {
    let test = "mechanism_of_another_vendor_is_refused_by_name";
    alone(test, "profile=tass", || {
        token().generate_sm2("key", &[1]).unwrap();
        let error = refused("&x-profile=sansec");
        assert_eq!(
            error.to_string(),
            "the token token has no CKM_SM2_SIGN (0x80008104): check its firmware and policies, or \
             use another key type"
        );
    });
}

#[test]
fn vendor_that_is_not_known_must_be_described() {
    let test = "vendor_that_is_not_known_must_be_described";
    alone(test, "profile=unnamed", || {
        token().generate_sm2("key", &[1]).unwrap();
        let error = refused("");
        assert!(matches!(error, Error::KeyType { .. }), "{error}");
        assert!(error.to_string().contains("name the vendor with x-profile"));
    });
}

#[test]
fn vendors_codes_are_named_where_the_vendor_is_known() {
    let test = "vendors_codes_are_named_where_the_vendor_is_known";
    alone(test, "profile=luna", || {
        let token = token();
        token.generate_sm2("key", &[1]).unwrap();
        token.order("fail=C_OpenSession:*:0x8000001F").unwrap();
        let error = refused("");
        let Error::Call { code, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(*code, Ckr::LUNA_UNABLE_TO_CONNECT);
        assert_eq!(
            error.to_string(),
            "C_OpenSession failed with CKR_UNABLE_TO_CONNECT: the Luna client does not reach the \
             appliance: check the network, the NTLS or STC link and the client's registration"
        );
        // The same number of another vendor may mean anything.
        let error = refused("&x-profile=tass");
        assert_eq!(
            error.to_string(),
            "C_OpenSession failed with code 0x8000001f"
        );

        token.behave("").unwrap();
        let key = TokenKey::open(&uri(""), None).unwrap().sm2().unwrap();
        token.order("fail=C_Sign:*:CKR_HSM_TAMPERED").unwrap();
        let error = key.sign_digest(&[1; 32]).unwrap_err().to_string();
        assert!(error.contains("CKR_HSM_TAMPERED"), "{error}");
    });
}

#[test]
fn crypto_user_signs() {
    alone("crypto_user_signs", "profile=luna", || {
        const CRYPTO_USER: &str = "PIN-of-the-crypto-user";
        let token = token();
        let point = token.generate_sm2("key", &[1]).unwrap();
        token.set_crypto_user(CRYPTO_USER).unwrap();
        for user in ["crypto-user", "0x80000001"] {
            let uri = uri_with(&format!("&x-user={user}&pin-value={CRYPTO_USER}"));
            signs(&TokenKey::open(&uri, None).unwrap(), &point);
        }
    });
}

#[test]
fn users_have_their_own_pins() {
    alone("users_have_their_own_pins", "profile=luna", || {
        let token = token();
        token.generate_sm2("key", &[1]).unwrap();
        token.set_crypto_user("another PIN").unwrap();
        let error = refused("&x-user=crypto-user");
        assert!(matches!(
            error,
            Error::Call {
                code: Ckr::PIN_INCORRECT,
                ..
            }
        ));
    });
}

#[test]
fn crypto_user_is_lunas_alone() {
    alone("crypto_user_is_lunas_alone", "profile=sansec", || {
        token().generate_sm2("key", &[1]).unwrap();
        let error = refused("&x-user=crypto-user").to_string();
        assert!(error.contains("CKR_USER_TYPE_INVALID: the token has no such user"));
    });
}

#[cfg(unix)]
#[test]
fn pin_from_a_command() {
    alone("pin_from_a_command", "profile=luna", || {
        let token = token();
        token.generate_sm2("key", &[1]).unwrap();
        let open = |command: &str| TokenKey::open(&uri_with(command), None);
        open(&format!("&pin-source=|/bin/echo%20{PIN}")).unwrap();
        let logins = token.calls("C_Login").unwrap();
        for (command, reason) in [
            ("/bin/false", "it is empty"),
            ("/nonexistent", "No such file or directory (os error 2)"),
        ] {
            let error = open(&format!("&pin-source=|{command}%20{PIN}")).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("PIN command {command}: {reason}")
            );
            assert!(!format!("{error:?}").contains(PIN));
        }
        assert_eq!(token.calls("C_Login").unwrap(), logins);
    });
}

#[test]
fn pin_from_the_environment() {
    alone("pin_from_the_environment", "profile=luna", || {
        token().generate_sm2("key", &[1]).unwrap();
        let open = |name: &str| TokenKey::open(&uri_with(&format!("&pin-source=env:{name}")), None);
        open(PIN_VARIABLE).unwrap();
        let error = open("SHANGMI_NO_SUCH_VARIABLE").unwrap_err();
        assert!(matches!(error, Error::PinEnvironment { .. }), "{error}");
    });
}

/// Every log line of a start and of its failures, from the loudest level on.
#[test]
fn no_log_shows_a_pin() {
    alone("no_log_shows_a_pin", "profile=luna", || {
        let log = common::log::Log::start();
        let token = token();
        token.generate_sm2("key", &[1]).unwrap();
        for source in [
            format!("pin-value={PIN}"),
            format!("pin-source=env:{PIN_VARIABLE}"),
            format!("pin-source=|/bin/echo%20{PIN}"),
        ] {
            TokenKey::open(&uri_with(&format!("&{source}")), None).unwrap();
        }
        token.order("fail=C_Login:*:CKR_PIN_INCORRECT").unwrap();
        token.order("login=expired").unwrap();
        refused("");
        tracing::warn!("the log is read");
        let text = log.text();
        assert!(text.contains("the log is read") && !text.contains(PIN));
    });
}

fn token() -> TestToken {
    TestToken::create("token", PIN).unwrap()
}

/// The token's key `key`, with these attributes after that of the PIN.
fn uri(extra: &str) -> Uri {
    uri_with(&format!("&pin-value={PIN}{extra}"))
}

fn uri_with(query: &str) -> Uri {
    let module = module_path().unwrap();
    let path = module.to_str().unwrap();
    format!("pkcs11:token=token;object=key?module-path={path}{query}")
        .parse()
        .unwrap()
}

fn refused(extra: &str) -> Error {
    let error = TokenKey::open(&uri(extra), None).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(PIN), "{error}");
    error
}

fn signs(key: &TokenKey, point: &[u8; 65]) {
    let signer = key.sm2().unwrap();
    assert_eq!(signer.public_key().to_sec1(), *point);
    for round in 0..20 {
        let e = [round; 32];
        let signature = signer.sign_digest(&e).unwrap();
        sm2::verify_digest(signer.public_key(), &e, &signature).unwrap();
    }
}

fn handshake(token: &TestToken, key: &TokenKey) {
    let ca = common::ca("CA");
    let certificate = ca
        .issue(&common::server_leaf(), key.sm2().unwrap().public_key())
        .unwrap();
    let chain = vec![certificate.to_der().into()];
    let server = tls13::certified_key(chain, Arc::new(key.clone())).unwrap();
    let signatures = token.calls("C_Sign").unwrap();
    let pair = common::server_only(&ca, server).handshake();
    assert_eq!(negotiated(&pair.client).unwrap(), Negotiated::Sm);
    assert_eq!(token.calls("C_Sign").unwrap(), signatures + 1);
}

const PIN_VARIABLE: &str = "SHANGMI_PIN_OF_THE_TEST";

/// Runs `body` in a process of its own, as the named test, with these orders for the module.
fn alone(test: &str, orders: &str, body: impl FnOnce()) {
    if std::env::var_os(Behaviour::ENVIRONMENT).is_some() {
        return body();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(Behaviour::ENVIRONMENT, orders)
        .env(PIN_VARIABLE, PIN)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
