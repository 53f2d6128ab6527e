//! A pool of sessions against a test token that misbehaves: what callers see, and what the token
//! saw.
#![cfg(feature = "pkcs11")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use shangmi::hsm::pkcs11::{Options, Pool, Sm2TokenKey, TokenKey, Uri};
use shangmi::hsm::{Action, Audit, Ckr, Error, Event, Health};
use shangmi::sm2::{self, SignDigest};
use shangmi_testtoken::{Behaviour, Fault, TestToken, When, module_path};

const PIN: &str = "a-secret-PIN-of-the-test";

/// Far more than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// The token must serve again so long after it recovered.
const BACK: Duration = Duration::from_secs(5);

// ---- sessions ----

#[test]
fn callers_share_few_sessions_and_each_gets_its_signature() {
    let (token, pool) = pool("share", Options::default().max_sessions(4).deadline(LONG));
    let key = sm2_key(&pool, "share");
    token.latency("C_Sign", Duration::from_millis(2)).unwrap();
    thread::scope(|scope| {
        for caller in 0..64u8 {
            let key = key.clone();
            scope.spawn(move || (0..4).for_each(|round| sign_with(&key, caller ^ round << 6)));
        }
    });
    let (report, metrics) = (token.report().unwrap(), pool.metrics());
    // One more keeps the login.
    assert_eq!(report.sessions_most, 5);
    assert_eq!(report.sessions_shared, 0, "two threads were in one session");
    assert_eq!(metrics.logins, 1);
    // One signature tried the key out.
    assert_eq!((metrics.signatures, metrics.failures), (257, 0));
    assert_eq!(metrics.latency.count(), 257);
    assert_eq!((metrics.sessions, metrics.waiting), (4, 0));
    assert_eq!(pool.health(), Health::Up);
}

#[test]
fn sessions_are_opened_when_needed_or_at_once() {
    let (token, pool) = pool("lazy", Options::default().max_sessions(3));
    let key = sm2_key(&pool, "lazy");
    for _ in 0..20 {
        sign(&key);
    }
    assert_eq!(token.report().unwrap().sessions_open, 2);
    drop((key, pool));

    let eager = Pool::open(&uri("lazy"), Options::default().max_sessions(3).eager()).unwrap();
    assert_eq!(token.report().unwrap().sessions_open, 4);
    assert_eq!(eager.metrics().sessions, 3);
}

#[test]
fn token_s_own_limit_holds() {
    let token = token("limit");
    token.limit_sessions(Some(3)).unwrap();
    let eager = || Pool::open(&uri("limit"), Options::default().eager()).unwrap();
    let told = eager();
    assert_eq!(told.metrics().sessions, 2);
    assert_eq!((told.health(), told.metrics().outages), (Health::Up, 0));
    drop(told);

    // One that tells nothing of a limit, and has one.
    token.limit_sessions(None).unwrap();
    token
        .fail("C_OpenSession", When::from(4), "CKR_SESSION_COUNT")
        .unwrap();
    let learned = eager();
    assert_eq!(learned.metrics().sessions, 2);
    assert_eq!(learned.health(), Health::Degraded);
    sign(&sm2_key(&learned, "limit"));
}

#[test]
fn keys_share_a_pool() {
    let (token, pool) = pool("keys", Options::default());
    token.generate_sm2("other", &[2]).unwrap();
    let keys = ["key", "other"].map(|label| {
        let uri: Uri = format!("pkcs11:object={label}").parse().unwrap();
        pool.key(&uri, None).unwrap().sm2().unwrap()
    });
    assert_ne!(keys[0].public_key(), keys[1].public_key());
    for _ in 0..5 {
        keys.iter().for_each(sign);
    }
    assert_eq!(token.report().unwrap().sessions_open, 2);
    assert_eq!(pool.metrics().logins, 1);
}

#[test]
fn nothing_stays_open_after_the_end() {
    let (token, pool) = pool("end", Options::default().max_sessions(4).eager());
    let logouts = token.calls("C_Logout").unwrap();
    let key = sm2_key(&pool, "end");
    sign(&key);
    pool.close();
    assert_eq!(token.report().unwrap().sessions_open, 0);
    assert!(matches!(failure(&key), Error::Closed { token } if token == "end"));
    assert!(matches!(
        pool.key(&uri("end"), None),
        Err(Error::Closed { .. })
    ));

    let key = TokenKey::open(&uri("end"), None).unwrap();
    assert_eq!(token.report().unwrap().sessions_open, 2);
    drop(key);
    assert_eq!(token.report().unwrap().sessions_open, 0);
    assert_eq!(token.calls("C_Logout").unwrap(), logouts);
}

// ---- deadlines ----

#[test]
fn deadline_holds_while_a_call_hangs() {
    let options = Options::default().deadline(Duration::from_millis(300));
    let (token, pool) = pool("hang", options.max_sessions(1));
    let key = sm2_key(&pool, "hang");
    token.hang_until_released("C_Sign").unwrap();
    let started = Instant::now();
    let error = failure(&key);
    assert!(started.elapsed() < LONG);
    let Error::Deadline {
        token: name,
        task,
        waited,
        started: true,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (name.as_str(), task.as_str()),
        ("hang", "sign with object=key id=01")
    );
    assert!(*waited >= Duration::from_millis(300));

    // The only session hangs, and so the token is down: nobody waits any more.
    let started = Instant::now();
    assert!(matches!(failure(&key), Error::Down { .. }));
    assert!(started.elapsed() < Duration::from_millis(250));
    assert_eq!(pool.metrics().refused_while_down, 1);

    token.behave("").unwrap();
    token.release().unwrap();
    back(&key);
    // The late answer went nowhere, and its session serves again.
    assert_eq!(pool.metrics().sessions, 1);
    assert_eq!(pool.metrics().timeouts, 1);
    assert_eq!(token.report().unwrap().sessions_shared, 0);
}

#[test]
fn one_hanging_call_holds_up_nobody_else() {
    let options = Options::default().deadline(Duration::from_secs(2));
    let (token, pool) = pool("one-hangs", options.max_sessions(2));
    let key = sm2_key(&pool, "one-hangs");
    token
        .hang("C_Sign", Duration::from_secs(3600), When::nth(1))
        .unwrap();
    let stuck = thread::spawn({
        let key = key.clone();
        move || failure(&key)
    });
    until(|| token.report().unwrap().waiting == 1);
    while !stuck.is_finished() {
        sign(&key);
    }
    assert!(matches!(stuck.join().unwrap(), Error::Deadline { .. }));
    assert_eq!(pool.metrics().outages, 0);
    token.release().unwrap();
}

#[test]
fn opening_has_a_deadline_too() {
    let token = token("slow-start");
    token.hang_until_released("C_Login").unwrap();
    let options = Options::default().deadline(Duration::from_millis(200));
    let error = Pool::open(&uri("slow-start"), options).unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
    token.behave("").unwrap();
    token.release().unwrap();
    // Nobody holds the pool that is opened at last.
    until(|| token.report().unwrap().sessions_open == 0);
}

// ---- recovery ----

#[test]
fn one_retry_hides_what_passes() {
    let audit = Arc::new(Trail::default());
    let options = Options::default().deadline(LONG).audit(audit.clone());
    let (token, pool) = pool("passing", options.max_sessions(3).eager());
    let key = sm2_key(&pool, "passing");
    let faults: [(&str, &dyn Fn()); 9] = [
        ("lost", &|| token.lose_sessions().unwrap()),
        ("closed", &|| token.close_sessions().unwrap()),
        ("login", &|| token.expire_login().unwrap()),
        ("slot", &|| {
            token.renumber().unwrap();
            token.lose_sessions().unwrap();
        }),
        ("removed", &|| {
            token.remove().unwrap();
            token.put_back().unwrap();
        }),
        ("device", &|| {
            token
                .fail("C_Sign", When::nth(1), "CKR_DEVICE_ERROR")
                .unwrap()
        }),
        ("init", &|| {
            token
                .fail("C_SignInit", When::nth(1), "CKR_GENERAL_ERROR")
                .unwrap()
        }),
        ("vendor", &|| {
            token.fail("C_Sign", When::nth(1), "0x80000024").unwrap()
        }),
        ("handle", &|| {
            token
                .fail("C_SignInit", When::nth(1), "CKR_KEY_HANDLE_INVALID")
                .unwrap()
        }),
    ];
    for (name, fault) in faults {
        fault();
        for _ in 0..6 {
            let signed = key.sign_digest(&[6; 32]);
            assert!(signed.is_ok(), "{name}: {}", signed.unwrap_err());
        }
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.failures, metrics.outages), (0, 0));
    assert!(metrics.retries >= 9, "{metrics:?}");
    assert_eq!(metrics.slot_changes, 1);
    assert!(metrics.sessions_lost >= 9, "{metrics:?}");
    assert_eq!(token.report().unwrap().wrong_pins, 0);
    let slots = audit.count(|line| line.starts_with("ChangeSlot"));
    assert_eq!(slots, 1);
}

#[test]
fn an_expired_login_is_renewed_once_for_all() {
    let options = Options::default().deadline(LONG).max_sessions(8).eager();
    let (token, pool) = pool("expired", options);
    let key = sm2_key(&pool, "expired");
    let logins = token.report().unwrap().logins;
    token.latency("C_Sign", Duration::from_millis(5)).unwrap();
    token.expire_login().unwrap();
    thread::scope(|scope| {
        for _ in 0..32 {
            let key = key.clone();
            scope.spawn(move || sign(&key));
        }
    });
    assert_eq!(token.report().unwrap().logins, logins + 1);
    assert_eq!(pool.metrics().failures, 0);
}

#[test]
fn session_that_never_saw_the_key_does_not_miss_it_without_a_login() {
    let (token, pool) = pool("unseen", Options::default().max_sessions(1).eager());
    token.expire_login().unwrap();
    // A search without a login finds nothing, and fails with nothing.
    sign(&sm2_key(&pool, "unseen"));
    assert_eq!((pool.metrics().retries, pool.metrics().logins), (1, 2));
}

#[test]
fn another_token_in_the_old_slot_is_not_taken_for_it() {
    let (token, pool) = pool("moved", Options::default());
    let key = sm2_key(&pool, "moved");
    let other = self::token("intruder");
    let (old, new) = (token.report().unwrap().slot, other.report().unwrap().slot);
    let calls = |function| other.report().unwrap().calls(function);
    let before = [calls("C_Login"), calls("C_SignInit")];
    token.move_to(new).unwrap();
    token.lose_sessions().unwrap();
    assert_eq!(other.report().unwrap().slot, old);
    for _ in 0..4 {
        sign(&key);
    }
    assert_eq!([calls("C_Login"), calls("C_SignInit")], before);
    assert_eq!(pool.metrics().slot_changes, 1);
}

#[test]
fn wrong_signatures_never_leave() {
    let (token, pool) = pool("wrong", Options::default());
    let key = sm2_key(&pool, "wrong");
    for fault in [Fault::Corrupt, Fault::Foreign, Fault::Short] {
        let before = pool.metrics();
        token.spoil(fault, When::nth(1)).unwrap();
        sign(&key);
        let after = pool.metrics();
        assert_eq!(after.wrong_signatures, before.wrong_signatures + 1);
        assert_eq!(after.retries, before.retries + 1);
        // The session that gave it is gone.
        until(|| pool.metrics().sessions_lost == before.sessions_lost + 1);
    }
    token.spoil(Fault::Corrupt, When::EVERY).unwrap();
    let error = failure(&key);
    assert!(matches!(&error, Error::WrongSignature { key, .. } if key == "object=key id=01"));
    token.behave("").unwrap();
    sign(&key);
}

#[test]
fn other_encoding_of_good_signatures_is_read() {
    let (token, pool) = pool("encoding", Options::default());
    let key = sm2_key(&pool, "encoding");
    for answer in ["answer=der", ""] {
        token.behave(answer).unwrap();
        (0..20).for_each(|byte| sign_with(&key, byte));
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.retries, metrics.wrong_signatures), (0, 0));
    // Never without a check.
    token.behave("answer=der").unwrap();
    token.spoil(Fault::Corrupt, When::EVERY).unwrap();
    assert!(matches!(
        failure(&key),
        Error::WrongSignature { .. } | Error::SignatureFormat { .. }
    ));
}

#[test]
fn stale_session_is_not_a_failed_signature() {
    let options = Options::default().deadline(LONG).max_sessions(1);
    let (token, pool) = pool("stale", options);
    let key = sm2_key(&pool, "stale");
    let stale = [
        "CKR_USER_NOT_LOGGED_IN",
        "CKR_SESSION_HANDLE_INVALID",
        "CKR_SESSION_CLOSED",
    ];
    for code in stale {
        token.fail("C_SignInit", When::next(3), code).unwrap();
        sign(&key);
    }
    assert_eq!(pool.metrics().failures, 0);
    // Sessions that are always stale are a fault of the token's.
    token
        .fail("C_SignInit", When::EVERY, "CKR_SESSION_CLOSED")
        .unwrap();
    let before = token.calls("C_SignInit").unwrap();
    failure(&key);
    assert_eq!(token.calls("C_SignInit").unwrap(), before + 4);
    // What C_Sign itself says is believed at the second time.
    token.behave("").unwrap();
    token
        .fail("C_Sign", When::next(2), "CKR_DEVICE_ERROR")
        .unwrap();
    failure(&key);
}

#[test]
fn full_token_s_refusal_reaches_no_caller() {
    let audit = Arc::new(Trail::default());
    let options = Options::default().deadline(LONG).audit(audit.clone());
    let (token, pool) = pool("full", options.max_sessions(8).eager());
    let key = sm2_key(&pool, "full");
    token.latency("C_Sign", Duration::from_millis(10)).unwrap();
    token.limit_sessions(Some(3)).unwrap();
    token.lose_sessions().unwrap();
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| (0..8).for_each(|byte| sign_with(&key, byte)));
        }
    });
    let metrics = pool.metrics();
    assert_eq!((metrics.failures, metrics.outages), (0, 0), "{metrics:?}");
    let refused = audit.count(|line| line.contains("CKR_SESSION_COUNT"));
    assert!(refused > 0, "the token was never full");
    assert_eq!(pool.health(), Health::Degraded);
}

#[test]
fn token_that_is_away_is_down_at_once_and_back_by_itself() {
    let audit = Arc::new(Trail::default());
    let options = Options::default().deadline(LONG).audit(audit.clone());
    let (token, pool) = pool("away", options.max_sessions(4).eager());
    let key = sm2_key(&pool, "away");
    token.remove().unwrap();
    until(|| matches!(failure(&key), Error::Down { .. }));
    assert_eq!(pool.health(), Health::Down);
    let started = Instant::now();
    for _ in 0..100 {
        let error = failure(&key);
        let Error::Down { token, cause, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(token, "away");
        assert!(
            cause.contains("CKR_") || cause.contains("0 tokens are"),
            "{cause}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(2));

    token.put_back().unwrap();
    back(&key);
    assert_eq!(pool.metrics().outages, 1);
    assert_eq!(audit.count(|line| line.ends_with("to: Down }")), 1);
    assert_eq!(
        audit.count(|line| line == "ChangeHealth { from: Down, to: Up }"),
        1
    );
}

#[test]
fn token_that_never_signs_is_down_and_comes_back() {
    let (token, pool) = pool("mute", Options::default());
    let key = sm2_key(&pool, "mute");
    token.behave("sign=device-error").unwrap();
    let error = failure(&key);
    assert!(
        matches!(&error, Error::Call { function, code: Ckr::DEVICE_ERROR } if *function == "C_Sign")
    );
    until(|| matches!(failure(&key), Error::Down { .. }));
    // Sessions can be opened all the while: a probe must sign.
    thread::sleep(Duration::from_millis(600));
    assert_eq!(pool.health(), Health::Down);
    token.behave("").unwrap();
    back(&key);
}

// ---- PINs ----

#[test]
fn refused_pin_is_sent_once_in_a_process() {
    let token = token("pin");
    let wrong = uri_with_pin("pin", "not-the-PIN");
    let logins = || token.report().unwrap().calls("C_Login");
    let before = logins();
    let error = TokenKey::open(&wrong, None).unwrap_err();
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
    for _ in 0..3 {
        let error = TokenKey::open(&wrong, None).unwrap_err();
        assert!(
            matches!(&error, Error::PinRefusedBefore { token } if token == "pin"),
            "{error}"
        );
        assert!(!format!("{error}{error:?}").contains("not-the-PIN"));
    }
    assert_eq!(logins(), before + 1);
    assert_eq!(token.wrong_pins().unwrap(), 1);
    // Another PIN for this token, and this PIN for another token, are other matters.
    TokenKey::open(&uri("pin"), None).unwrap();
    let namesake = TestToken::create("namesake", "not-the-PIN").unwrap();
    namesake.generate_sm2("key", &[1]).unwrap();
    TokenKey::open(&uri_with_pin("namesake", "not-the-PIN"), None).unwrap();
}

#[test]
fn pin_that_is_refused_later_ends_it() {
    let (token, pool) = pool("turned", Options::default().eager());
    let key = sm2_key(&pool, "turned");
    let before = token.calls("C_Login").unwrap();
    token.latency("C_Sign", Duration::from_millis(5)).unwrap();
    token.expire_pin().unwrap();
    token.lose_sessions().unwrap();
    let refused = |error| matches!(&error, Error::Call { function, code: Ckr::PIN_EXPIRED } if *function == "C_Login");
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| until(|| refused(failure(&key))));
        }
    });
    for _ in 0..20 {
        assert!(refused(failure(&key)));
    }
    // Long enough for probes, which must not come.
    thread::sleep(Duration::from_millis(1500));
    // Each of 16 sessions wanted the login, and one asked for it.
    assert_eq!(token.calls("C_Login").unwrap(), before + 1);
    assert_eq!(pool.health(), Health::Down);
    assert_eq!(pool.metrics().login_failures, 1);
    // A new pool asks once more: the PIN may have been changed meanwhile.
    assert!(refused(
        Pool::open(&uri("turned"), Options::default()).unwrap_err()
    ));
    assert_eq!(token.calls("C_Login").unwrap(), before + 2);
}

// ---- the process ----

#[test]
fn forked_child_is_refused() {
    let (_token, pool) = pool("fork", Options::default());
    let key = sm2_key(&pool, "fork");
    let in_child = in_child(|| {
        let forked = [
            matches!(failure(&key), Error::Forked),
            pool.health() == Health::Down,
            pool.metrics().signatures == 0,
            matches!(pool.key(&uri("fork"), None), Err(Error::Forked)),
        ];
        pool.close();
        drop((key.clone(), pool.clone()));
        forked == [true; 4]
    });
    assert!(in_child);
    // The parent's sessions are as they were.
    sign(&key);
    assert_eq!(pool.metrics().sessions_lost, 0);
}

#[test]
fn forked_child_opens_its_own() {
    alone("forked_child_opens_its_own", || {
        let (_token, pool) = pool("child", Options::default());
        let key = sm2_key(&pool, "child");
        assert!(in_child(|| {
            let own = TokenKey::open(&uri("child"), None).unwrap().sm2().unwrap();
            sign(&own);
            matches!(failure(&key), Error::Forked)
        }));
        sign(&key);
    });
}

/// What `body` says in a forked child.
fn in_child(body: impl Fn() -> bool) -> bool {
    let mut pipe = [0; 2];
    // SAFETY: `pipe` has room for two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    // SAFETY: the child takes no lock that another thread of this test could hold.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let good = catch_unwind(AssertUnwindSafe(body)).unwrap_or(false);
        let answer = u8::from(good);
        // SAFETY: one byte is read; the process ends without running anything else.
        unsafe {
            libc::write(pipe[1], (&raw const answer).cast(), 1);
            libc::_exit(0);
        }
    }
    let mut answer = 9u8;
    // SAFETY: the descriptors are open, and there is room for one byte.
    unsafe {
        libc::close(pipe[1]);
        assert_eq!(libc::read(pipe[0], (&raw mut answer).cast(), 1), 1);
        libc::close(pipe[0]);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    answer == 1
}

#[test]
fn finalized_module_is_initialized_again() {
    alone("finalized_module_is_initialized_again", || {
        let (token, pool) = pool("finalized", Options::default());
        let key = sm2_key(&pool, "finalized");
        for round in 1..=3 {
            token.finalize_library().unwrap();
            sign(&key);
            assert_eq!(pool.metrics().reinitializations, round);
        }
        assert_eq!(pool.metrics().failures, 0);
    });
}

#[test]
fn module_is_initialized_again_as_the_last_resort_and_not_soon_again() {
    alone(
        "module_is_initialized_again_as_the_last_resort_and_not_soon_again",
        || {
            let token = token("group");
            token.make_group(2).unwrap();
            // From now on it is the pool that initialized the module, and may finalize it.
            token.finalize_library().unwrap();
            let pool = Pool::open(&uri("group"), Options::default()).unwrap();
            let key = sm2_key(&pool, "group");
            let lose_all = || (0..2).for_each(|i| token.lose_member(i, Duration::ZERO).unwrap());
            let restore_all = || (0..2).for_each(|i| token.restore_member(i).unwrap());
            let finalized = || token.calls("C_Finalize").unwrap();

            // One member does for the other.
            token.lose_member(0, Duration::ZERO).unwrap();
            sign(&key);
            token.restore_member(0).unwrap();
            assert_eq!(finalized(), 0);

            lose_all();
            until(|| matches!(failure(&key), Error::Down { .. }));
            restore_all();
            back(&key);
            assert_eq!((finalized(), pool.metrics().reinitializations), (1, 1));

            lose_all();
            until(|| matches!(failure(&key), Error::Down { .. }));
            restore_all();
            thread::sleep(BACK);
            assert_eq!(finalized(), 1);
            assert_eq!(pool.health(), Health::Down);
        },
    );
}

#[test]
fn module_of_another_part_of_the_program_is_left_to_it() {
    alone(
        "module_of_another_part_of_the_program_is_left_to_it",
        || {
            // The token's maker has initialized the module.
            let token = token("foreign");
            token.make_group(2).unwrap();
            let audit = Arc::new(Trail::default());
            let options = Options::default().audit(audit.clone());
            let pool = Pool::open(&uri("foreign"), options).unwrap();
            let key = sm2_key(&pool, "foreign");
            (0..2).for_each(|i| token.lose_member(i, Duration::ZERO).unwrap());
            until(|| matches!(failure(&key), Error::Down { .. }));
            let told = || audit.count(|line| line.starts_with("Reinitialize the module should"));
            until(|| told() > 0);
            // Long enough for some probes.
            thread::sleep(Duration::from_millis(2500));
            assert_eq!(told(), 1);
            assert_eq!(token.calls("C_Finalize").unwrap(), 0);
            assert_eq!(pool.metrics().reinitializations, 0);
        },
    );
}

#[test]
fn panicking_audit_stops_nothing() {
    struct Panics;
    impl Audit for Panics {
        fn record(&self, _: &Event<'_>) {
            panic!("as this test wants");
        }
    }
    let options = Options::default().audit(Arc::new(Panics));
    let (token, pool) = pool("panics", options);
    let key = sm2_key(&pool, "panics");
    token.lose_sessions().unwrap();
    sign(&key);
    assert_eq!(pool.metrics().failures, 0);
}

#[test]
fn audit_trail_names_what_happened() {
    let audit = Arc::new(Trail::default());
    let (token, pool) = pool("trail", Options::default().audit(audit.clone()));
    let key = sm2_key(&pool, "trail");
    sign(&key);
    token.behave("sign=device-error").unwrap();
    failure(&key);
    let has = |wanted: &str| {
        assert!(
            audit.count(|line| line == wanted) > 0,
            "{wanted}: {audit:?}"
        )
    };
    has("Login");
    has("OpenSession");
    has(r#"Sign { key: "object=key id=01", mechanism: "CKM_SM2DSA" }"#);
    has(
        r#"Sign { key: "object=key id=01", mechanism: "CKM_SM2DSA" } C_Sign failed with CKR_DEVICE_ERROR: the HSM reports a fault of its own: see its log"#,
    );
    has(
        "LoseSession C_Sign failed with CKR_DEVICE_ERROR: the HSM reports a fault of its own: see its log",
    );
    assert_eq!(audit.count(|line| line.contains(PIN)), 0);
}

#[test]
fn opening_is_audited_and_leaves_no_session_where_it_fails() {
    let token = token("opening");
    let audit = Arc::new(Trail::default());
    let open = |uri: &Uri| Pool::open(uri, Options::default().audit(audit.clone()));
    for _ in 0..3 {
        open(&uri_with_pin("opening", "wrong")).unwrap_err();
    }
    assert_eq!(token.report().unwrap().sessions_open, 0);
    assert_eq!(token.report().unwrap().wrong_pins, 1);
    let refused = |line: &str| line.starts_with("Login C_Login failed with CKR_PIN_INCORRECT");
    assert_eq!(audit.count(refused), 1, "{audit:?}");
    // The token was not asked again, and the trail says so.
    assert_eq!(audit.count(|line| line.starts_with("Login ")), 3);

    let pool = open(&uri("opening")).unwrap();
    assert_eq!(audit.count(|line| line == "Login"), 1, "{audit:?}");
    assert_eq!(pool.metrics().logins, 1);
}

// ---- helpers ----

/// Every event, one line each.
#[derive(Debug, Default)]
struct Trail(Mutex<Vec<String>>);

impl Audit for Trail {
    fn record(&self, event: &Event<'_>) {
        let error = event
            .error
            .map_or(String::new(), |error| format!(" {error}"));
        let line = match event.action {
            // The cause of an outage depends on which call met it first.
            action @ Action::ChangeHealth { .. } => format!("{action:?}"),
            action => format!("{action:?}{error}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Trail {
    fn count(&self, wanted: impl Fn(&str) -> bool) -> usize {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|line| wanted(line))
            .count()
    }
}

fn token(label: &str) -> TestToken {
    let token = TestToken::create(label, PIN).unwrap();
    token.generate_sm2("key", &[1]).unwrap();
    token
}

fn pool(label: &str, options: Options) -> (TestToken, Pool) {
    let token = token(label);
    let pool = Pool::open(&uri(label), options).unwrap();
    assert_eq!(pool.token_label(), label);
    (token, pool)
}

fn uri(token: &str) -> Uri {
    uri_with_pin(token, PIN)
}

fn uri_with_pin(token: &str, pin: &str) -> Uri {
    let module = module_path().unwrap();
    let path = module.to_str().unwrap();
    format!("pkcs11:token={token};object=key?module-path={path}&pin-value={pin}")
        .parse()
        .unwrap()
}

fn sm2_key(pool: &Pool, token: &str) -> Sm2TokenKey {
    pool.key(&uri(token), None).unwrap().sm2().unwrap()
}

fn sign(key: &Sm2TokenKey) {
    sign_with(key, 7);
}

fn sign_with(key: &Sm2TokenKey, byte: u8) {
    let e = [byte; 32];
    let signature = key.sign_digest(&e).unwrap();
    sm2::verify_digest(key.public_key(), &e, &signature).unwrap();
}

fn failure(key: &Sm2TokenKey) -> Error {
    let error = key.sign_digest(&[3; 32]).unwrap_err();
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<Error>());
    source.expect("an error of the token").clone()
}

/// Waits for what must come.
fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < end, "it did not come");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The token has just recovered, and must serve again in time.
fn back(key: &Sm2TokenKey) {
    let recovered = Instant::now();
    while let Err(error) = key.sign_digest(&[8; 32]) {
        assert!(recovered.elapsed() < BACK, "{error}");
        thread::sleep(Duration::from_millis(10));
    }
    sign(key);
}

/// Runs `body` in a process of its own, as the named test.
fn alone(test: &str, body: fn()) {
    if std::env::var_os(Behaviour::ENVIRONMENT).is_some() {
        return body();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(Behaviour::ENVIRONMENT, "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
