//! What a pool of sessions must do with any module, for tests that run in a process of their own.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use p256::ecdsa::signature::Verifier;
use p256::pkcs8::DecodePublicKey;
use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use shangmi::hsm::pkcs11::{Options, Pool, TokenKey};
use shangmi::hsm::{Ckr, Error, Health};

use super::token::{Module, P256, Token};

/// How long a service may take to come back; far more than it takes.
const BACK: Duration = Duration::from_secs(60);
pub const WRONG_PIN: &str = "0987654321";
const MESSAGE: &[u8] = b"message";

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn alarm(seconds: u32) -> u32;
    fn _exit(status: i32) -> !;
}

impl Module {
    pub fn pool(&self, options: Options) -> Pool {
        Pool::open(&self.uri("key"), options).unwrap()
    }

    /// Twelve threads and four sessions, an EC key and an RSA key.
    pub fn threads_share_sessions(&self) {
        const THREADS: usize = 12;
        const EACH: usize = 25;
        let token = self.token();
        token.generate_ec("key", &[1], P256);
        token.generate_rsa("rsa", &[2], 2048);
        let pool = self.pool(Options::default().max_sessions(4));
        let key = pool.key(&self.uri("key"), None).unwrap();
        let rsa = pool.key(&self.uri("rsa"), None).unwrap();
        let before = pool.metrics();

        let mut signatures = BTreeSet::new();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut made = Vec::new();
                        for _ in 0..EACH {
                            made.push(sign(&key).unwrap());
                            sign_rsa(&rsa).unwrap();
                        }
                        made
                    })
                })
                .collect();
            for thread in threads {
                signatures.extend(thread.join().unwrap());
            }
        });
        let public = p256::ecdsa::VerifyingKey::from_public_key_der(key.public_key_info());
        let public = public.unwrap();
        for signature in &signatures {
            let signature = p256::ecdsa::DerSignature::from_bytes(signature).unwrap();
            public.verify(MESSAGE, &signature).unwrap();
        }
        assert_eq!(signatures.len(), THREADS * EACH);

        let metrics = pool.metrics();
        let expected = 2 * (THREADS * EACH) as u64;
        assert_eq!(metrics.signatures - before.signatures, expected);
        assert_eq!(metrics.health, Health::Up);
        assert_eq!((metrics.failures, metrics.sessions_lost), (0, 0));
        assert!((1..=4).contains(&metrics.sessions), "{metrics:?}");
        assert!(metrics.sessions_opened <= 5, "{metrics:?}");
        pool.close();
        assert!(matches!(
            pool.key(&self.uri("key"), None).unwrap_err(),
            Error::Closed { .. }
        ));
    }

    /// A child has no part in its parent's sessions, and can open its own.
    pub fn fork_is_refused(&self) {
        self.token().generate_ec("key", &[1], P256);
        let pool = self.pool(Options::default());
        let key = pool.key(&self.uri("key"), None).unwrap();
        sign(&key).unwrap();
        // SAFETY: the child ends in `_exit` whatever happens, and by SIGALRM if it hangs; the C
        // library's allocator can be used after a fork.
        let child = unsafe { fork() };
        if child == 0 {
            // SAFETY: takes a number.
            unsafe { alarm(60) };
            let refused = catch_unwind(AssertUnwindSafe(|| {
                let error = pool.key(&self.uri("key"), None).unwrap_err();
                assert!(matches!(error, Error::Forked), "{error}");
                let error = sign(&key).unwrap_err();
                assert!(matches!(hsm_error(&error), Error::Forked), "{error}");
            }));
            // SAFETY: takes a number.
            unsafe { _exit(i32::from(refused.is_err())) };
        }
        assert!(child > 0);
        let mut status = -1;
        // SAFETY: `status` outlives the call.
        assert_eq!(unsafe { waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the child was not refused as it should be");
        // The parent goes on.
        sign(&key).unwrap();
        assert_eq!(pool.metrics().sessions_lost, 0);
    }

    /// Some other part of the program calls C_Finalize.
    pub fn finalized_by_someone_else(&self) {
        let token = self.token();
        token.generate_ec("key", &[1], P256);
        token.close();
        let pool = self.pool(Options::default());
        let key = pool.key(&self.uri("key"), None).unwrap();
        sign(&key).unwrap();

        Pkcs11::new((self.path)()).unwrap().finalize().unwrap();
        let took = wait_for(&key, |_| {});
        println!(
            "\nhsm signatures after C_Finalize by someone else: {} ms",
            took.as_millis()
        );
        let metrics = pool.metrics();
        assert!(
            metrics.reinitializations + metrics.sessions_lost > 0,
            "{metrics:?}"
        );
        assert_eq!(metrics.login_failures, 0);
    }

    /// A wrong PIN reaches the token once in a process, however often a pool is opened with it.
    /// `assert_one_try` asks the token.
    pub fn wrong_pin_is_sent_once(&self, assert_one_try: fn(&Token)) {
        let token = self.token();
        token.generate_ec("key", &[1], P256);
        assert!(!token.info().user_pin_count_low());
        token.session.logout().unwrap();

        let wrong = self.uri_with_pin("key", WRONG_PIN);
        let first = Pool::open(&wrong, Options::default()).unwrap_err();
        let Error::Call { function, code } = &first else {
            panic!("{first}");
        };
        assert_eq!(*function, "C_Login");
        assert_eq!(*code, Ckr::PIN_INCORRECT);
        for _ in 0..20 {
            let again = Pool::open(&wrong, Options::default()).unwrap_err();
            assert!(matches!(again, Error::PinRefusedBefore { .. }), "{again}");
        }
        assert_one_try(&token);

        // The right one is another PIN, and resets the count.
        let pool = self.pool(Options::default());
        sign(&pool.key(&self.uri("key"), None).unwrap()).unwrap();
        assert!(!token.info().user_pin_count_low());
    }
}

pub fn sign(key: &TokenKey) -> Result<Vec<u8>, rustls::Error> {
    sign_with(key, SignatureScheme::ECDSA_NISTP256_SHA256)
}

fn sign_rsa(key: &TokenKey) -> Result<Vec<u8>, rustls::Error> {
    sign_with(key, SignatureScheme::RSA_PSS_SHA256)
}

fn sign_with(key: &TokenKey, scheme: SignatureScheme) -> Result<Vec<u8>, rustls::Error> {
    key.choose_scheme(&[scheme]).unwrap().sign(MESSAGE)
}

/// What rustls carries.
pub fn hsm_error(error: &rustls::Error) -> &Error {
    let rustls::Error::Other(rustls::OtherError(inner)) = error else {
        panic!("not the HSM's: {error}");
    };
    let found = inner.downcast_ref();
    found.unwrap_or_else(|| panic!("not the HSM's: {error}"))
}

/// Time until the key signs again; what it says until then goes to `refused`.
pub fn wait_for(key: &TokenKey, mut refused: impl FnMut(rustls::Error)) -> Duration {
    let start = Instant::now();
    loop {
        match sign(key) {
            Ok(_) => return start.elapsed(),
            Err(error) => refused(error),
        }
        assert!(start.elapsed() < BACK, "the key does not sign again");
        thread::sleep(Duration::from_millis(20));
    }
}
