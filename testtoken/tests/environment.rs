//! Orders from the environment: each in a process of its own, which has it from the start.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PIN, alone, code, private_key, sign, user_session, verifies};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use shangmi_testtoken::{CKM_SM2DSA, TestToken, module_path};

#[test]
fn orders_hold_for_every_token() {
    let orders = "mechanism=absent; answer=der";
    alone("orders_hold_for_every_token", orders, || {
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
    alone("unknown_orders_are_refused", "no=order", || {
        let module = Pkcs11::new(module_path().unwrap()).unwrap();
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        let error = module.initialize(args).unwrap_err();
        assert!(matches!(error, Error::Pkcs11(RvError::ArgumentsBad, _)));
    });
}

#[test]
fn token_and_key_come_with_the_process() {
    let orders = "token=given:12345678; key=k:0a0b:0505050505050505050505050505050505050505050505050505050505050505; fail=C_Sign:2:CKR_DEVICE_ERROR";
    alone("token_and_key_come_with_the_process", orders, || {
        let module = Pkcs11::new(module_path().unwrap()).unwrap();
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        module.initialize(args).unwrap();
        let slots = module.get_slots_with_initialized_token().unwrap();
        assert_eq!(slots.len(), 1);
        let info = module.get_token_info(slots[0]).unwrap();
        assert_eq!((info.label(), info.user_pin_initialized()), ("given", true));
        let session = module.open_rw_session(slots[0]).unwrap();
        session
            .login(UserType::User, Some(&AuthPin::new("12345678".into())))
            .unwrap();
        let key = private_key(&session, "k");
        // cryptoki asks for the length first, so that the second call is the signature.
        assert_eq!(code(sign(&session, key)), RvError::DeviceError);
        sign(&session, key).unwrap();

        // The key is the one that the order names.
        let other = TestToken::create("other", PIN).unwrap();
        let point = other.import_sm2("k", &[1], &[5; 32]).unwrap();
        assert!(verifies(&point, &sign(&session, key).unwrap()));
        other.behave("").unwrap();
        let session = user_session(&other);
        let signature = sign(&session, private_key(&session, "k")).unwrap();
        assert!(verifies(&point, &signature));
    });
}

#[test]
fn first_initialize_can_fail_on_order() {
    let orders = "fail=C_Initialize:1:CKR_TOKEN_NOT_PRESENT; fail=C_GetSlotList:2:0x8000001F";
    alone("first_initialize_can_fail_on_order", orders, || {
        let module = Pkcs11::new(module_path().unwrap()).unwrap();
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        assert_eq!(code(module.initialize(args)), RvError::TokenNotPresent);
        module.initialize(args).unwrap();
        // cryptoki asks for the number of slots first.
        assert_eq!(
            code(module.get_all_slots()),
            RvError::VendorDefined(0x8000_001F)
        );
        assert_eq!(module.get_all_slots().unwrap().len(), 1);
    });
}
