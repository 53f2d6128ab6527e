//! Orders from the environment: each in a process of its own, which has it from the start.
#![allow(clippy::unwrap_used)]

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use shangmi_testtoken::{Behaviour, CKM_SM2DSA, TestToken, module_path};
use std::process::Command;

#[test]
fn orders_hold_for_every_token() {
    let orders = "mechanism=absent; answer=der";
    under("orders_hold_for_every_token", orders, || {
        TestToken::create("token", "12345678").unwrap();
        let module = Pkcs11::new(module_path().unwrap()).unwrap();
        let slot = module.get_slots_with_initialized_token().unwrap()[0];
        let sm2dsa = MechanismType::new_vendor_defined(CKM_SM2DSA).unwrap();
        let error = module.get_mechanism_info(slot, sm2dsa).unwrap_err();
        assert!(matches!(error, Error::Pkcs11(RvError::MechanismInvalid, _)));
    });
}

#[test]
fn unknown_orders_are_refused() {
    under("unknown_orders_are_refused", "no=order", || {
        let module = Pkcs11::new(module_path().unwrap()).unwrap();
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        let error = module.initialize(args).unwrap_err();
        assert!(matches!(error, Error::Pkcs11(RvError::ArgumentsBad, _)));
    });
}

/// Runs `body` in a process of its own, as the named test, with these orders in its environment.
fn under(test: &str, orders: &str, body: fn()) {
    if std::env::var_os(Behaviour::ENVIRONMENT).is_some() {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
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
