//! Initialize and finalize: alone in its process, because both concern the whole process.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use shangmi_testtoken::{TestToken, module_path};

#[test]
fn tokens_outlive_finalize_and_sessions_do_not() {
    let module = || Pkcs11::new(module_path().unwrap()).unwrap();
    let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    let first = module();
    assert!(matches!(
        first.get_all_slots(),
        Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _))
    ));
    first.initialize(args).unwrap();
    assert!(matches!(
        first.initialize(args),
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _))
    ));

    let token = TestToken::create("kept", "12345678").unwrap();
    token.generate_sm2("key", &[1]).unwrap();
    let slot = first.get_slots_with_initialized_token().unwrap()[0];
    let session = first.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::new("12345678".into())))
        .unwrap();

    first.finalize().unwrap();
    let again = module();
    again.initialize(args).unwrap();
    assert!(matches!(
        session.get_session_info(),
        Err(Error::Pkcs11(RvError::SessionHandleInvalid, _))
    ));
    let session = again.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&AuthPin::new("12345678".into())))
        .unwrap();
    assert_eq!(
        session.find_objects(&[]).unwrap().len(),
        4,
        "behaviour, calls and the key pair"
    );
}
