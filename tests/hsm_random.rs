//! A token's random generator as a source of the module's seeds, against a test token that misbehaves.
//! Each test is a process of its own, since sources are a process's.
#![cfg(feature = "pkcs11")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rand_core::TryRng;
use shangmi::hsm::pkcs11::{Options, Pool, TokenEntropy, Uri};
use shangmi::hsm::{self, Ckr};
use shangmi::module;
use shangmi::random::{self, EntropySource, Error, HealthTest, MinEntropy, SystemRandom};
use shangmi_testtoken::{TestToken, When, module_path};

const PIN: &str = "a-secret-PIN-of-the-test";
const CALL: &str = "C_GenerateRandom";

/// Far more than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn alone(name: &str, test: fn(&TestToken, &Pool)) {
    const ALONE: &str = "SHANGMI_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        let token = TestToken::create("seeds", PIN).unwrap();
        token.generate_sm2("key", &[1]).unwrap();
        let path = module_path().unwrap();
        let path = path.to_str().unwrap();
        let uri = format!("pkcs11:token=seeds;object=key?module-path={path}&pin-value={PIN}");
        let uri: Uri = uri.parse().unwrap();
        let pool = Pool::open(&uri, Options::default().deadline(LONG)).unwrap();
        return test(&token, &pool);
    }
    let mut this = Command::new(std::env::current_exe().unwrap());
    let output = this.args([name, "--exact"]).env(ALONE, "1").output();
    let output = output.unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

fn draw() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    SystemRandom.try_fill_bytes(&mut bytes).map(|()| bytes)
}

fn cause(error: &Error) -> &hsm::Error {
    let Error::Source { name, cause } = error else {
        unreachable!("{error}")
    };
    assert_eq!(name, "token seeds");
    cause.downcast_ref().unwrap()
}

#[test]
fn seeds_come_from_the_token_too() {
    alone("seeds_come_from_the_token_too", |token, pool| {
        let before = draw().unwrap();
        assert_eq!(token.calls(CALL), Ok(0));
        random::add_source(Arc::new(TokenEntropy::new(pool))).unwrap();
        assert_eq!(token.calls(CALL), Ok(1));
        // Start-up test and reseed; and for a new thread a nonce.
        assert_ne!(draw().unwrap(), before);
        assert_eq!(token.calls(CALL), Ok(3));
        thread::spawn(|| draw().unwrap()).join().unwrap();
        assert_eq!(token.calls(CALL), Ok(6));
        // Many draws of one seed.
        for _ in 0..1000 {
            draw().unwrap();
        }
        assert_eq!(token.calls(CALL), Ok(6));
    });
}

/// The pool's own threads log in again, for which they draw random bytes, while its caller waits for entropy.
#[test]
fn the_pool_does_not_wait_for_itself() {
    alone("the_pool_does_not_wait_for_itself", |token, pool| {
        random::add_source(Arc::new(TokenEntropy::new(pool))).unwrap();
        for _ in 0..3 {
            token.lose_sessions().unwrap();
            token.expire_login().unwrap();
            random::reseed().unwrap();
            draw().unwrap();
        }
        let key = "pkcs11:object=key".parse().unwrap();
        drop(pool.key(&key, None).unwrap());
        assert_eq!(pool.metrics().timeouts, 0);
    });
}

#[test]
fn a_stuck_token_is_refused() {
    alone("a_stuck_token_is_refused", |token, pool| {
        random::add_source(Arc::new(TokenEntropy::new(pool))).unwrap();
        draw().unwrap();
        token.stick_random().unwrap();
        for _ in 0..3 {
            let error = random::reseed().unwrap_err();
            let Error::Unhealthy { name, test } = &error else {
                unreachable!("{error}")
            };
            assert_eq!(name, "token seeds");
            assert_eq!(*test, HealthTest::RepetitionCount);
            assert!(draw().is_err());
        }
        assert_eq!(module::operational(), Ok(()));
        let again = random::add_source(Arc::new(TokenEntropy::new(pool)));
        assert!(matches!(again, Err(Error::Unhealthy { .. })));

        token.behave("").unwrap();
        draw().unwrap();
    });
}

#[test]
fn a_token_without_a_generator_is_refused() {
    alone("a_token_without_a_generator_is_refused", |token, pool| {
        token.fail(CALL, When::EVERY, "CKR_RANDOM_NO_RNG").unwrap();
        let error = random::add_source(Arc::new(TokenEntropy::new(pool))).unwrap_err();
        assert!(matches!(
            cause(&error),
            hsm::Error::Call { function, code: Ckr::RANDOM_NO_RNG } if *function == CALL
        ));
        // It was not added.
        draw().unwrap();
    });
}

#[test]
fn while_the_token_is_away_there_are_no_random_bytes() {
    alone(
        "while_the_token_is_away_there_are_no_random_bytes",
        |token, pool| {
            let source: Arc<dyn EntropySource> =
                Arc::new(TokenEntropy::new(pool).with_min_entropy(MinEntropy::FULL));
            random::add_source(source.clone()).unwrap();
            token.remove().unwrap();
            let error = random::reseed().unwrap_err();
            cause(&error);
            assert!(error.to_string().contains("\"token seeds\""), "{error}");
            assert!(draw().is_err());
            assert!(shangmi::sm2::SecretKey::generate(&mut SystemRandom).is_err());
            assert_eq!(module::operational(), Ok(()));

            token.put_back().unwrap();
            let started = Instant::now();
            while let Err(error) = draw() {
                assert!(started.elapsed() < LONG, "{error}");
                thread::sleep(Duration::from_millis(10));
            }

            // A pool that is closed is away for good, and its source can be taken away.
            pool.close();
            let error = random::reseed().unwrap_err();
            assert!(matches!(cause(&error), hsm::Error::Closed { .. }));
            assert!(random::remove_source(&source));
            draw().unwrap();
        },
    );
}

/// A token that hangs costs no more than the pool's deadline.
#[test]
fn a_token_that_hangs_is_not_waited_for() {
    alone("a_token_that_hangs_is_not_waited_for", |token, _| {
        let path = module_path().unwrap();
        let path = path.to_str().unwrap();
        let uri = format!("pkcs11:token=seeds?module-path={path}&pin-value={PIN}");
        let deadline = Duration::from_millis(300);
        let pool = Pool::open(&uri.parse().unwrap(), Options::default().deadline(deadline));
        let pool = pool.unwrap();
        random::add_source(Arc::new(TokenEntropy::new(&pool))).unwrap();
        draw().unwrap();
        token.hang_until_released(CALL).unwrap();
        let error = random::reseed().unwrap_err();
        assert!(
            matches!(cause(&error), hsm::Error::Deadline { .. }),
            "{error}"
        );
        assert!(draw().is_err());
        token.behave("").unwrap();
        token.release().unwrap();
        let started = Instant::now();
        while let Err(error) = draw() {
            assert!(started.elapsed() < LONG, "{error}");
            thread::sleep(Duration::from_millis(10));
        }
    });
}
