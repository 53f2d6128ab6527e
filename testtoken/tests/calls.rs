//! Orders for calls and signatures: failures, waiting, panics, wrong answers, counts.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    PIN, alone, code, functions, login, module, pin, private_key, sign, slot_of, user_session,
    vendor_mechanism, verifies,
};
use cryptoki::error::RvError;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki_sys::*;
use shangmi_testtoken::{CKM_SM2DSA, Encoding, Fault, TestToken, When};
use std::ptr::null_mut as null;
use std::time::{Duration, Instant};

/// Longer than any of these tests, and shorter than anyone's patience.
const LONG: Duration = Duration::from_secs(60);

/// One `C_SignInit` and one `C_Sign`, where `cryptoki` has a second one for the length: the code
/// of the last call and the length that it told.
fn sign_once(session: &Session, key: ObjectHandle, room: usize) -> (CK_RV, usize, Vec<u8>) {
    let mut mechanism = CK_MECHANISM {
        mechanism: CKM_SM2DSA,
        pParameter: std::ptr::null_mut(),
        ulParameterLen: 0,
    };
    let (mut e, mut signature, mut length) = ([1u8; 32], vec![0u8; room], room as CK_ULONG);
    // SAFETY: all pointers are to places of the lengths that go with them.
    let code = unsafe {
        let init = functions().C_SignInit.unwrap();
        match init(session.handle(), &mut mechanism, key.handle()) {
            CKR_OK => functions().C_Sign.unwrap()(
                session.handle(),
                e.as_mut_ptr(),
                32,
                signature.as_mut_ptr(),
                &mut length,
            ),
            code => code,
        }
    };
    (code, length as usize, signature)
}

fn signer(label: &str) -> (TestToken, [u8; 65], Session, ObjectHandle) {
    let token = TestToken::create(label, PIN).unwrap();
    let point = token.generate_sm2("key", &[1]).unwrap();
    let session = user_session(&token);
    let key = private_key(&session, "key");
    (token, point, session, key)
}

#[test]
fn calls_fail_by_number() {
    let (token, _, session, key) = signer("by number");
    let codes = |count| {
        let once = |_| sign_once(&session, key, 72).0;
        (0..count).map(once).collect::<Vec<_>>()
    };
    token
        .fail("C_Sign", When::nth(2), "CKR_DEVICE_ERROR")
        .unwrap();
    assert_eq!(codes(3), [CKR_OK, CKR_DEVICE_ERROR, CKR_OK]);

    token.behave("").unwrap();
    token
        .fail("C_Sign", When::next(2), "CKR_FUNCTION_FAILED")
        .unwrap();
    token
        .fail("C_SignInit", When::range(4..=5), "CKR_USER_LOCKED_OUT")
        .unwrap();
    let failed = CKR_FUNCTION_FAILED;
    let locked = 0x8000_0007;
    assert_eq!(codes(6), [failed, failed, CKR_OK, locked, locked, CKR_OK]);

    token.behave("fail=*:2-:0x80001234").unwrap();
    assert_eq!(codes(3), [0x8000_1234; 3], "C_SignInit went well but once");
    token.behave("fail=C_Sign:*:48").unwrap();
    assert_eq!(codes(2), [CKR_DEVICE_ERROR; 2]);
    token.behave("").unwrap();
    assert_eq!(codes(1), [CKR_OK]);
}

#[test]
fn opening_and_login_fail_on_order() {
    let token = TestToken::create("opening", PIN).unwrap();
    let orders = "fail=C_OpenSession:1:CKR_SESSION_COUNT; fail=C_Login:1:CKR_TOKEN_NOT_PRESENT; fail=C_GetTokenInfo:1:CKR_TIMEOUT";
    token.behave(orders).unwrap();
    let (module, slot) = (module(), slot_of(&token));
    assert_eq!(code(module.open_rw_session(slot)), RvError::SessionCount);
    let session = module.open_rw_session(slot).unwrap();
    assert_eq!(code(login(&session)), RvError::TokenNotPresent);
    login(&session).unwrap();
    assert_eq!(
        code(module.get_token_info(slot)),
        RvError::VendorDefined(0x8000_0024)
    );
    module.get_token_info(slot).unwrap();
    assert_eq!(token.report().unwrap().logins, 1);
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    let token = TestToken::create("nonsense", PIN).unwrap();
    for order in [
        "fail=C_Nothing:1:CKR_DEVICE_ERROR",
        "fail=C_Sign:0:CKR_DEVICE_ERROR",
        "fail=C_Sign:5-3:CKR_DEVICE_ERROR",
        "fail=C_Sign:1:CKR_NOTHING",
        "fail=C_Sign:CKR_DEVICE_ERROR",
        "latency=C_Sign:10",
        "latency=C_Sign:10min",
        "hang=C_Sign:1s:x",
        "signature=good",
        "member=lost:0",
        "members=0",
        "token=another:12345678",
        "key=k:0",
        "key=k:00:00",
        "profile=nobody",
        "device=removed:soon",
    ] {
        let error = token.order(order).unwrap_err();
        assert!(error.to_string().contains(order), "{order}: {error}");
    }
}

#[test]
fn latency_holds_no_lock() {
    let (token, _, session, key) = signer("latency");
    let wait = Duration::from_millis(200);
    token.latency("C_Sign", wait).unwrap();
    let begin = Instant::now();
    assert_eq!(sign_once(&session, key, 72).0, CKR_OK);
    assert!(begin.elapsed() >= wait);

    // All eight of them wait at one time, which no lock would allow.
    let sessions: Vec<_> = (0..8).map(|_| user_session(&token)).collect();
    std::thread::scope(|scope| {
        for session in sessions {
            scope.spawn(move || assert_eq!(sign_once(&session, key, 72).0, CKR_OK));
        }
        wait_for(&token, 8);
    });
    let report = token.report().unwrap();
    assert_eq!((report.signatures, report.sessions_shared), (9, 0));
}

/// Returns when as many calls wait in the token.
fn wait_for(token: &TestToken, calls: u64) {
    let begin = Instant::now();
    while token.report().unwrap().waiting != calls {
        if begin.elapsed() > LONG {
            // Otherwise the threads that hang would be waited for, and never come.
            token.behave("").unwrap();
            token.release().unwrap();
            panic!("{calls} calls should wait");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn hanging_calls_are_released() {
    let (token, _, session, key) = signer("hanging");
    let slot = slot_of(&token);
    let _login = user_session(&token);
    token.hang("C_Sign", LONG, When::EVERY).unwrap();
    for function in ["C_GetTokenInfo", "C_OpenSession", "C_Login"] {
        token.hang_until_released(function).unwrap();
    }
    let begin = Instant::now();
    let beside = std::thread::scope(|scope| {
        let calls = [
            scope.spawn(|| _ = module().get_token_info(slot).unwrap()),
            scope.spawn(move || assert_eq!(sign_once(&session, key, 72).0, CKR_OK)),
            scope.spawn(|| _ = module().open_rw_session(slot).unwrap()),
        ];
        wait_for(&token, 3);
        assert!(calls.iter().all(|call| !call.is_finished()));
        token.release().unwrap();
        calls.into_iter().for_each(|call| call.join().unwrap());

        token.behave("hang=C_Login").unwrap();
        let beside = module().open_rw_session(slot).unwrap();
        let call = scope.spawn(move || {
            assert_eq!(code(login(&beside)), RvError::UserAlreadyLoggedIn);
            beside
        });
        wait_for(&token, 1);
        token.release().unwrap();
        call.join().unwrap()
    });
    assert!(begin.elapsed() < LONG);
    // A hang ends by itself, too.
    token.behave("").unwrap();
    let wait = Duration::from_millis(100);
    token.hang("C_GetSessionInfo", wait, When::nth(1)).unwrap();
    let begin = Instant::now();
    beside.get_session_info().unwrap();
    assert!(begin.elapsed() >= wait);
}

#[test]
fn hanging_call_sees_what_happened_meanwhile() {
    let (token, _, session, key) = signer("meanwhile");
    token.hang_until_released("C_Sign").unwrap();
    let hanging = std::thread::spawn(move || sign_once(&session, key, 72).0);
    wait_for(&token, 1);
    token.lose_sessions().unwrap();
    token.release().unwrap();
    assert_eq!(hanging.join().unwrap(), CKR_SESSION_HANDLE_INVALID);
    assert_eq!(token.report().unwrap().waiting, 0);
}

#[test]
fn no_function_lets_a_panic_out() {
    alone("no_function_lets_a_panic_out", "", || {
        let (token, _, session, _) = signer("panic");
        for function in [
            "*",
            "C_Initialize",
            "C_Finalize",
            "C_GetInfo",
            "C_GetSlotList",
        ] {
            token.panic(function, When::EVERY).unwrap();
        }
        let (slot, session) = (slot_of(&token).id(), session.handle());
        let list = functions();
        macro_rules! call {
            ($name:ident($($arg:expr),*)) => {{
                // SAFETY: a null pointer is allowed everywhere, with a length of 0.
                let code = unsafe { list.$name.unwrap()($($arg),*) };
                (stringify!($name), code)
            }};
        }
        let answers = [
            call!(C_Initialize(null())),
            call!(C_Finalize(null())),
            call!(C_GetInfo(null())),
            call!(C_GetSlotList(CK_FALSE, null(), null())),
            call!(C_GetSlotInfo(slot, null())),
            call!(C_GetTokenInfo(slot, null())),
            call!(C_GetMechanismList(slot, null(), null())),
            call!(C_GetMechanismInfo(slot, 0, null())),
            call!(C_InitToken(slot, null(), 0, null())),
            call!(C_InitPIN(session, null(), 0)),
            call!(C_SetPIN(session, null(), 0, null(), 0)),
            call!(C_OpenSession(slot, 0, null(), None, null())),
            call!(C_CloseSession(session)),
            call!(C_CloseAllSessions(slot)),
            call!(C_GetSessionInfo(session, null())),
            call!(C_Login(session, CKU_USER, null(), 0)),
            call!(C_Logout(session)),
            call!(C_CreateObject(session, null(), 0, null())),
            call!(C_DestroyObject(session, 0)),
            call!(C_GetAttributeValue(session, 0, null(), 0)),
            call!(C_SetAttributeValue(session, 0, null(), 0)),
            call!(C_FindObjectsInit(session, null(), 0)),
            call!(C_FindObjects(session, null(), 0, null())),
            call!(C_FindObjectsFinal(session)),
            call!(C_GenerateKeyPair(
                session,
                null(),
                null(),
                0,
                null(),
                0,
                null(),
                null()
            )),
            call!(C_SignInit(session, null(), 0)),
            call!(C_Sign(session, null(), 0, null(), null())),
            call!(C_GenerateRandom(session, null(), 0)),
        ];
        for (function, answer) in answers {
            assert_eq!(answer, CKR_GENERAL_ERROR, "{function}");
            assert!(token.report().unwrap().calls(function) > 0, "{function}");
        }
        // The module lives on.
        token.behave("").unwrap();
        let key = private_key(&user_session(&token), "key");
        sign(&user_session(&token), key).unwrap();
    });
}

#[test]
fn signatures_are_spoilt_by_number() {
    let (token, point, session, key) = signer("spoilt");
    let good = |signature: Vec<u8>| verifies(&point, &signature);
    let next = || sign(&session, key).unwrap();
    token.spoil(Fault::Corrupt, When::nth(2)).unwrap();
    token.spoil(Fault::Foreign, When::nth(3)).unwrap();
    token.spoil(Fault::Short, When::from(5)).unwrap();
    assert_eq!(
        [next(), next(), next(), next()].map(good),
        [true, false, false, true]
    );
    assert_eq!((next().len(), next().len()), (63, 63));

    token.behave("").unwrap();
    token.answer(Encoding::Der, When::range(2..=3)).unwrap();
    let first = [next(), next(), next(), next()].map(|signature| signature.len() == 64);
    assert_eq!(first, [true, false, false, true]);
}

#[test]
fn overlong_answer_stays_inside_the_buffer() {
    let (token, point, session, key) = signer("overlong");
    token.spoil(Fault::Overlong, When::nth(1)).unwrap();
    let (code, length, buffer) = sign_once(&session, key, 72);
    assert_eq!((code, length), (CKR_OK, 1072));
    assert!(verifies(&point, &buffer[..64]) && buffer[64..] == [0; 8]);
    assert_eq!(sign_once(&session, key, 72).1, 64);
}

#[test]
fn sharing_a_session_is_seen() {
    let (token, _, session, key) = signer("shared");
    token.hang_until_released("C_Sign").unwrap();
    let handle = session.handle();
    let hanging = std::thread::spawn(move || sign_once(&session, key, 72).0);
    wait_for(&token, 1);
    // SAFETY: the pointer is null.
    let code = unsafe { functions().C_GetSessionInfo.unwrap()(handle, std::ptr::null_mut()) };
    assert_eq!(code, CKR_ARGUMENTS_BAD);
    assert_eq!(token.report().unwrap().sessions_shared, 1);
    token.release().unwrap();
    assert_eq!(hanging.join().unwrap(), CKR_OK);
}

#[test]
fn everything_is_counted() {
    let (token, _, session, key) = signer("counted");
    let beside = user_session(&token);
    sign_once(&session, key, 72);
    beside.close().unwrap();
    session.logout().unwrap();
    let wrong = session.login(UserType::User, Some(&pin("wrong PIN")));
    assert_eq!(code(wrong), RvError::PinIncorrect);
    login(&session).unwrap();
    token.remove().unwrap();

    let report = token.report().unwrap();
    assert_eq!((report.sessions_open, report.sessions_most), (0, 2));
    // One more was that of the token's making.
    assert_eq!((report.sessions_opened, report.logins), (3, 2));
    assert_eq!((report.wrong_pins, report.wrong_pins_in_a_row), (1, 0));
    assert_eq!(report.signatures, 1);
    assert_eq!(report.calls("C_SignInit"), 1);
    assert_eq!(report.calls("C_GenerateRandom"), 0);
}

#[test]
fn sign_holds_against_threads_and_orders_at_once() {
    let (token, point, first, _) = signer("threads");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let session = user_session(&token);
                let key = private_key(&session, "key");
                for _ in 0..20 {
                    let signature = session.sign(&vendor_mechanism(CKM_SM2DSA), key, &[1; 32]);
                    assert!(verifies(&point, &signature.unwrap()));
                }
            });
        }
        for _ in 0..50 {
            token.behave("latency=C_Sign:1ms").unwrap();
            token.release().unwrap();
            token.report().unwrap();
        }
    });
    let report = token.report().unwrap();
    assert_eq!((report.signatures, report.sessions_shared), (160, 0));
    assert_eq!(report.sessions_open, 1);
    drop(first);
}
