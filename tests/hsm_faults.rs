//! Faults of a whole module or slot, which every other test would feel: each in a process of its
//! own.
#![cfg(feature = "pkcs11")]
#![allow(clippy::unwrap_used, clippy::panic)]

use cryptoki::context::Pkcs11;
use shangmi::hsm::pkcs11::{TokenKey, Uri};
use shangmi::hsm::{Ckr, Error};
use shangmi_testtoken::{Behaviour, TestToken, module_path};

const PIN: &str = "12345678";

#[test]
fn faulty_slot_hides_no_other_token() {
    alone("faulty_slot_hides_no_other_token", "", || {
        let token = |label| TestToken::create(label, PIN).unwrap();
        let tokens = [token("first"), token("healthy"), token("last")];
        tokens[1].generate_sm2("key", &[1]).unwrap();
        for faulty in [&tokens[0], &tokens[2]] {
            faulty.behave("info=device-error").unwrap();
        }
        TokenKey::open(&uri("healthy"), None).unwrap();
        assert_eq!(failed_call("last"), ("C_GetTokenInfo", Ckr::DEVICE_ERROR));
    });
}

#[test]
fn module_that_fails_after_initialize_stays_loaded() {
    let orders = "library=device-error";
    alone(
        "module_that_fails_after_initialize_stays_loaded",
        orders,
        || {
            let expected = ("C_GetInfo", Ckr::DEVICE_ERROR);
            assert_eq!(failed_call("any"), expected);
            // Loaded anew, it would not be initialized.
            let module = Pkcs11::new(module_path().unwrap()).unwrap();
            assert_eq!(module.get_all_slots().unwrap().len(), 1);
        },
    );
}

fn uri(token: &str) -> Uri {
    let module = module_path().unwrap();
    let path = module.to_str().unwrap();
    format!("pkcs11:token={token}?module-path={path}&pin-value={PIN}")
        .parse()
        .unwrap()
}

/// The call that fails when the token's key is opened.
fn failed_call(token: &str) -> (&'static str, Ckr) {
    match TokenKey::open(&uri(token), None) {
        Err(Error::Call { function, code }) => (function, code),
        other => panic!("{other:?}"),
    }
}

/// Runs `body` in a process of its own, as the named test, with these orders for every token.
fn alone(test: &str, orders: &str, body: fn()) {
    if std::env::var_os(Behaviour::ENVIRONMENT).is_some() {
        return body();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(Behaviour::ENVIRONMENT, orders)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
