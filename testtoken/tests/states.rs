//! Orders for a token's state: sessions, logins and PINs, slots, removal, HA groups.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    PIN, alone, code, login, module, pin, private_key, sign, slot_of, user_session, verifies,
};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::RvError;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Limit;
use shangmi_testtoken::{Expiry, TestToken, module_path};
use std::time::{Duration, Instant};

fn signer(label: &str) -> (TestToken, [u8; 65], Session, ObjectHandle) {
    let token = TestToken::create(label, PIN).unwrap();
    let point = token.generate_sm2("key", &[1]).unwrap();
    let session = user_session(&token);
    let key = private_key(&session, "key");
    (token, point, session, key)
}

#[test]
fn lost_sessions_are_unknown_and_closed_ones_are_closed() {
    let (token, point, session, key) = signer("sessions");
    token.lose_sessions().unwrap();
    for _ in 0..2 {
        assert_eq!(code(sign(&session, key)), RvError::SessionHandleInvalid);
    }
    assert_eq!(token.report().unwrap().sessions_open, 0);

    // The login went with the last session.
    let session = module().open_rw_session(slot_of(&token)).unwrap();
    login(&session).unwrap();
    assert!(verifies(&point, &sign(&session, key).unwrap()));
    token.close_sessions().unwrap();
    for _ in 0..2 {
        assert_eq!(code(sign(&session, key)), RvError::SessionClosed);
    }
    assert_eq!(code(session.close()), RvError::SessionClosed);
}

#[test]
fn login_expires_and_sessions_live() {
    let (token, _, session, key) = signer("login");
    sign(&session, key).unwrap();
    token.expire_login().unwrap();
    for _ in 0..2 {
        assert_eq!(code(sign(&session, key)), RvError::UserNotLoggedIn);
    }
    session.get_session_info().unwrap();
    login(&session).unwrap();
    sign(&session, key).unwrap();

    token.limit_logins(Expiry::Signatures(2)).unwrap();
    for _ in 0..2 {
        token.expire_login().unwrap();
        login(&session).unwrap();
        for _ in 0..2 {
            sign(&session, key).unwrap();
        }
        assert_eq!(code(sign(&session, key)), RvError::UserNotLoggedIn);
    }

    token.behave("").unwrap();
    let time = Duration::from_millis(50);
    login(&session).unwrap();
    token.limit_logins(Expiry::After(time)).unwrap();
    std::thread::sleep(time);
    assert_eq!(code(sign(&session, key)), RvError::UserNotLoggedIn);
}

#[test]
fn sessions_are_limited() {
    let (token, _, session, _) = signer("limit");
    let (module, slot) = (module(), slot_of(&token));
    let limit = || module.get_token_info(slot).unwrap().max_session_count();
    assert!(matches!(limit(), Limit::Max(64)));
    token.limit_sessions(Some(2)).unwrap();
    assert!(matches!(limit(), Limit::Max(2)));
    let second = module.open_ro_session(slot).unwrap();
    assert_eq!(code(module.open_ro_session(slot)), RvError::SessionCount);
    second.close().unwrap();
    module.open_ro_session(slot).unwrap().close().unwrap();

    token.limit_sessions(None).unwrap();
    assert!(matches!(limit(), Limit::Infinite));
    let many: Vec<_> = (0..100)
        .map(|_| module.open_ro_session(slot).unwrap())
        .collect();
    assert_eq!(token.report().unwrap().sessions_open, 101);
    drop((many, session));
}

#[test]
fn pins_lock_expire_and_are_entered_elsewhere() {
    let token = TestToken::create("pins", PIN).unwrap();
    let (module, slot) = (module(), slot_of(&token));
    let session = module.open_rw_session(slot).unwrap();
    let info = || module.get_token_info(slot).unwrap();
    let wrong = || code(session.login(UserType::User, Some(&pin("wrong PIN"))));

    token.behave("pin=path").unwrap();
    assert!(info().protected_authentication_path());
    session.login(UserType::User, None).unwrap();
    session.logout().unwrap();
    token.behave("").unwrap();
    assert_eq!(
        code(session.login(UserType::User, None)),
        RvError::ArgumentsBad
    );

    token.expire_pin().unwrap();
    assert!(info().user_pin_to_be_changed());
    assert_eq!(code(login(&session)), RvError::PinExpired);
    session.set_pin(&pin(PIN), &pin("a newer PIN")).unwrap();
    session
        .login(UserType::User, Some(&pin("a newer PIN")))
        .unwrap();
    session.logout().unwrap();

    token.behave("pin-tries=3").unwrap();
    assert_eq!(
        (wrong(), wrong()),
        (RvError::PinIncorrect, RvError::PinIncorrect)
    );
    assert!(info().user_pin_count_low() && info().user_pin_final_try());
    assert_eq!(wrong(), RvError::PinIncorrect);
    assert!(info().user_pin_locked());
    assert_eq!(
        code(session.login(UserType::User, Some(&pin("a newer PIN")))),
        RvError::PinLocked
    );
    assert_eq!(token.report().unwrap().wrong_pins, 3);
}

#[test]
fn crypto_user_signs_and_makes_nothing() {
    let (token, point, session, key) = signer("crypto user");
    let crypto_user = UserType::VendorExtension(0x8000_0001);
    session.logout().unwrap();
    let none = session.login(crypto_user, Some(&pin("12345678")));
    assert_eq!(code(none), RvError::UserPinNotInitialized);
    token.set_crypto_user("12345678").unwrap();
    session.login(crypto_user, Some(&pin("12345678"))).unwrap();
    assert!(verifies(&point, &sign(&session, key).unwrap()));
    assert_eq!(
        code(session.destroy_object(key)),
        RvError::VendorDefined(0x8000_001A)
    );
}

#[test]
fn slots_renumber_under_living_sessions() {
    alone("slots_renumber_under_living_sessions", "", || {
        let (token, point, session, key) = signer("mover");
        let other = TestToken::create("other", PIN).unwrap();
        let (old, others) = (slot_of(&token), slot_of(&other));
        let label = |slot| module().get_token_info(slot).unwrap().label().to_owned();

        token.renumber().unwrap();
        let new = slot_of(&token);
        assert!(new != old && new != others);
        assert_eq!(label(new), "mover");
        assert_eq!(code(module().get_token_info(old)), RvError::SlotIdInvalid);
        assert!(verifies(&point, &sign(&session, key).unwrap()));
        assert_eq!(session.get_session_info().unwrap().slot_id(), new);

        // Another token takes the old number, and then both swap.
        other.move_to(old.id()).unwrap();
        assert_eq!(label(old), "other");
        token.move_to(old.id()).unwrap();
        assert_eq!((label(old), label(new)), ("mover".into(), "other".into()));
        assert_ne!(token.serial(), other.serial());
        sign(&session, key).unwrap();
    });
}

#[test]
fn removed_token_comes_back_without_sessions() {
    let (token, point, session, key) = signer("removed");
    let (module, slot) = (module(), slot_of(&token));
    token.remove().unwrap();
    assert_eq!(code(sign(&session, key)), RvError::DeviceRemoved);
    assert_eq!(code(module.get_token_info(slot)), RvError::TokenNotPresent);
    assert_eq!(code(module.open_rw_session(slot)), RvError::TokenNotPresent);
    assert!(!module.get_slots_with_token().unwrap().contains(&slot));
    assert!(module.get_all_slots().unwrap().contains(&slot));
    assert!(!module.get_slot_info(slot).unwrap().token_present());
    assert!(token.report().unwrap().calls("C_OpenSession") > 0);

    token.put_back().unwrap();
    assert_eq!(code(sign(&session, key)), RvError::SessionHandleInvalid);
    let session = module.open_rw_session(slot).unwrap();
    let keys = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
    assert!(session.find_objects(&keys).unwrap().is_empty());
    login(&session).unwrap();
    assert!(verifies(&point, &sign(&session, key).unwrap()));

    // For a time, it comes back by itself.
    let time = Duration::from_millis(100);
    let begin = Instant::now();
    token.remove_for(time).unwrap();
    let code_then = code(sign(&session, key));
    assert!(code_then == RvError::DeviceRemoved || begin.elapsed() >= time);
    std::thread::sleep(time);
    assert_eq!(code(sign(&session, key)), RvError::SessionHandleInvalid);
    module.get_token_info(slot).unwrap();
}

#[test]
fn group_lives_while_a_member_lives() {
    alone("group_lives_while_a_member_lives", "", || {
        let (token, point, session, key) = signer("group");
        token.make_group(2).unwrap();
        assert_eq!(code(sign(&session, key)), RvError::SessionHandleInvalid);
        let sessions: Vec<_> = (0..4).map(|_| user_session(&token)).collect();
        let work = || sessions.iter().filter(|s| sign(s, key).is_ok()).count();
        assert_eq!(work(), 4);

        let pause = Duration::from_millis(100);
        let begin = Instant::now();
        token.lose_member(1, pause).unwrap();
        assert_eq!(work(), 2);
        assert!(begin.elapsed() >= pause);
        // The login is that of the group, and outlives the member.
        let beside = module().open_rw_session(slot_of(&token)).unwrap();
        assert!(verifies(&point, &sign(&beside, key).unwrap()));
        assert!(token.lose_member(1, pause).is_err(), "dead already");

        token.lose_member(0, Duration::ZERO).unwrap();
        let slot = slot_of(&token);
        for round in 0..2 {
            // Back in the second round, but only C_Initialize sees it.
            assert_eq!(code(sign(&beside, key)), RvError::DeviceError, "{round}");
            let opened = module().open_rw_session(slot);
            assert_eq!(code(opened), RvError::TokenNotPresent, "{round}");
            if round == 0 {
                token.restore_member(1).unwrap();
            }
        }
        module().finalize().unwrap();
        let session = user_session(&token);
        assert!(verifies(&point, &sign(&session, key).unwrap()));
    });
}

#[test]
fn module_finalized_by_another_answers_orders() {
    alone("module_finalized_by_another_answers_orders", "", || {
        let (token, point, session, key) = signer("finalized");
        token.finalize_library().unwrap();
        assert_eq!(code(sign(&session, key)), RvError::CryptokiNotInitialized);
        let module = Pkcs11::new(module_path().unwrap()).unwrap();
        assert_eq!(
            code(module.get_all_slots()),
            RvError::CryptokiNotInitialized
        );
        assert_eq!(token.report().unwrap().sessions_open, 0);
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        module.initialize(args).unwrap();
        assert!(verifies(&point, &sign(&user_session(&token), key).unwrap()));
    });
}
