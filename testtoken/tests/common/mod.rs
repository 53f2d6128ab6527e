//! What the tests of the module share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_OK};
use libloading::Library;
use shangmi_testtoken::{Behaviour, CKM_SM2DSA, TestToken, module_path};
use sm2::dsa::signature::hazmat::PrehashVerifier;
use sm2::dsa::{Signature, VerifyingKey};
use std::process::Command;

pub const PIN: &str = "a user's PIN";

pub fn module() -> Pkcs11 {
    let module = Pkcs11::new(module_path().unwrap()).unwrap();
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => module,
        Err(error) => panic!("{error}"),
    }
}

pub fn slot_of(token: &TestToken) -> Slot {
    token.report().unwrap().slot.try_into().unwrap()
}

pub fn pin(pin: &str) -> AuthPin {
    AuthPin::new(pin.into())
}

pub fn login(session: &Session) -> cryptoki::error::Result<()> {
    session.login(UserType::User, Some(&pin(PIN)))
}

/// A session on a token that nobody or the user is logged in to; the user is afterwards.
pub fn user_session(token: &TestToken) -> Session {
    let session = module().open_rw_session(slot_of(token)).unwrap();
    match login(&session) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => session,
        Err(error) => panic!("{error}"),
    }
}

pub fn private_key(session: &Session, label: &str) -> ObjectHandle {
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Label(label.into()),
    ];
    let found = session.find_objects(&template).unwrap();
    assert_eq!(found.len(), 1);
    found[0]
}

pub fn vendor_mechanism(number: u64) -> Mechanism<'static> {
    let kind = MechanismType::new_vendor_defined(number).unwrap();
    Mechanism::VendorDefined(VendorDefinedMechanism::new::<()>(kind, None))
}

/// A raw signature on 32 bytes of 1, checked against a point.
pub fn sign(session: &Session, key: ObjectHandle) -> cryptoki::error::Result<Vec<u8>> {
    session.sign(&vendor_mechanism(CKM_SM2DSA), key, &[1; 32])
}

/// Whether it is a raw signature on 32 bytes of 1.
pub fn verifies(point: &[u8], signature: &[u8]) -> bool {
    let key = VerifyingKey::from_sec1_bytes("", point).unwrap();
    Signature::from_slice(signature).is_ok_and(|s| key.verify_prehash(&[1; 32], &s).is_ok())
}

pub fn code<T: std::fmt::Debug>(result: cryptoki::error::Result<T>) -> RvError {
    match result.unwrap_err() {
        Error::Pkcs11(code, _) => code,
        other => panic!("{other}"),
    }
}

/// Runs `body` in a process of its own, as the named test, with these orders in its environment.
pub fn alone(test: &str, orders: &str, body: fn()) {
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

/// The loaded module's functions, for what `cryptoki` does not let pass.
pub fn functions() -> &'static CK_FUNCTION_LIST {
    type GetFunctionList = unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV;
    // SAFETY: the module has no initializers.
    let library = unsafe { Library::new(module_path().unwrap()) }.unwrap();
    let mut list = std::ptr::null_mut();
    // SAFETY: every PKCS#11 module has this function; `list` is a place for one pointer.
    let code = unsafe {
        let get = library
            .get::<GetFunctionList>(b"C_GetFunctionList")
            .unwrap();
        get(&mut list)
    };
    assert_eq!(code, CKR_OK);
    std::mem::forget(library);
    // SAFETY: the list is a static of the module, which stays loaded.
    unsafe { &*list }
}
