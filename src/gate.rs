//! The state of the cryptographic module, and the gate that every service passes: nothing is computed
//! by an algorithm whose known-answer test has not passed in this process, and nothing at all once a
//! self test has failed.
//!
//! ```text
//! power-on ──first use──▶ self-test ──passed──▶ operational
//!                             │  ▲                   │ on demand
//!                      failed │  └───────────────────┤
//!                             ▼                      │ conditional test failed
//!                           error ◀──────────────────┘
//! ```
//!
//! An algorithm has a [`SelfTest`] beside it, and its services begin with [`SelfTest::enter`]: one load
//! of an atomic word while all is well. The first one to come runs the tests before the module's first
//! use (`sm3::PRE_OPERATIONAL`), then the algorithm's own, while other threads wait. A failure is for
//! good: only a new process begins again (ISO/IEC 19790, 7.3.3 and 7.10).

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

mod service;
#[cfg(test)]
mod tests;

pub use service::{Approval, Service, Services};

/// The state of the module (ISO/IEC 19790:2012, 7.11.4; GM/T 0028).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has been used yet.
    PowerOn,
    /// A thread runs self tests. Services that were not tested before wait for it.
    SelfTest,
    /// Services work, each one that is new after its own test.
    Operational,
    /// A self test failed. No service works; the process must be started anew.
    Error,
}

/// Why a service did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The module is in the error state, because this check of this self test failed.
    SelfTestFailed {
        /// The test, such as `SM4-GCM`.
        test: &'static str,
        /// What in it was wrong, such as `tag`.
        check: &'static str,
    },
    /// Strict GM mode refuses this service.
    NotApproved(Service),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PowerOn => "power-on",
            Self::SelfTest => "self-test",
            Self::Operational => "operational",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SelfTestFailed { test, check } => write!(
                f,
                "the cryptographic module is in the error state: self test {test} failed ({check}); \
                 start the process anew, and if it fails again, replace the program or the machine"
            ),
            Self::NotApproved(service) => write!(
                f,
                "{service} is not approved-GM, and strict GM mode is on: use an SM algorithm"
            ),
        }
    }
}

impl std::error::Error for Error {}

/// A self test and the services behind it. One a process for each algorithm, `static`.
pub(crate) struct SelfTest {
    algorithm: Algorithm,
    /// What must have passed before, in this order.
    first: &'static [&'static SelfTest],
    kernel: fn() -> &'static str,
    run: fn(&mut Answers) -> Answer,
}

/// How a check ends: `Err` names what is wrong.
pub(crate) type Answer = Result<(), &'static str>;

/// What one self test found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What was tested, such as `SM4-GCM`.
    pub name: &'static str,
    /// The code that it ran on, as docs/kernels.md names it.
    pub kernel: &'static str,
    /// How long it took.
    pub duration: Duration,
    /// How many answers were compared.
    pub checks: usize,
    /// The first of them that was wrong.
    pub result: Result<(), Error>,
}

/// Declares the algorithms: a bit of [`PASSED`] and a name each.
macro_rules! algorithms {
    ($($(#[$doc:meta])* $algorithm:ident = $name:literal,)+) => {
        /// What has a self test of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Algorithm {
            $($(#[$doc])* #[allow(dead_code)] $algorithm,)+
        }

        impl Algorithm {
            /// As reports and errors call it.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$algorithm => $name,)+
                }
            }

            const fn bit(self) -> u64 {
                1 << self as u8
            }

            /// All of them.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$algorithm,)+];
        }
    };
}

algorithms! {
    Sm3 = "SM3",
    HmacSm3 = "HMAC-SM3",
    Integrity = "integrity",
    HkdfSm3 = "HKDF-SM3",
    Sm4 = "SM4",
    Sm4Cbc = "SM4-CBC",
    Sm4Ctr = "SM4-CTR",
    Sm4Gcm = "SM4-GCM",
    Sm4Ccm = "SM4-CCM",
    HashDrbg = "Hash_DRBG-SM3",
    HmacDrbg = "HMAC_DRBG-SM3",
    CtrDrbg = "CTR_DRBG-SM4",
    Entropy = "entropy source",
    Sm2KeyGeneration = "SM2 key generation",
    Sm2Sign = "SM2 signature",
    Sm2Verify = "SM2 verification",
    Sm2Ecdh = "SM2 ECDH",
    Sm2Agreement = "SM2 key agreement",
    Sm2Encrypt = "SM2 encryption",
    Sm2Decrypt = "SM2 decryption",
    AesGcm = "AES-GCM",
    Sha256 = "SHA-256",
    Sha384 = "SHA-384",
    HmacSha2 = "HMAC-SHA-2",
    HkdfSha2 = "HKDF-SHA-2",
    EcdsaP256 = "ECDSA P-256",
    EcdsaP384 = "ECDSA P-384",
    EcdhP256 = "ECDH P-256",
    X25519 = "X25519",
    Rsa = "RSA verification",
}

/// A bit for each algorithm whose test has passed; after a failure [`FAILED`] and nothing else.
static PASSED: AtomicU64 = AtomicU64::new(0);
const FAILED: u64 = 1 << 63;

/// The failure behind [`FAILED`].
static CAUSE: OnceLock<Error> = OnceLock::new();

/// Held while tests run.
static TESTING: Mutex<()> = Mutex::new(());
/// Whether they do, for [`state`].
static IS_TESTING: AtomicBool = AtomicBool::new(false);

static STRICT: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread runs a test, which then may use what it tests.
    static TESTS_HERE: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread is inside a test or a service, which may use what it is made of.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// The services used since somebody began to observe.
    static USED: Cell<Services> = const { Cell::new(Services::NONE) };
}

impl SelfTest {
    /// A test of `algorithm`; `kernel` names the code that it runs on, as docs/kernels.md does, and
    /// `first` is `sm3::PRE_OPERATIONAL` for all but the tests in it.
    pub(crate) const fn new(
        algorithm: Algorithm,
        first: &'static [&'static SelfTest],
        kernel: fn() -> &'static str,
        run: fn(&mut Answers) -> Answer,
    ) -> Self {
        Self {
            algorithm,
            first,
            kernel,
            run,
        }
    }

    /// Lets a service begin, or say why it may not, and notes it for who observes this thread.
    ///
    /// # Errors
    /// [`Error::SelfTestFailed`] in the error state, [`Error::NotApproved`] in strict GM mode.
    #[inline]
    pub(crate) fn enter(&'static self, service: Service) -> Result<(), Error> {
        self.ready()?;
        if !service.is_gm() && is_strict_gm() && !INSIDE.get() {
            return Err(Error::NotApproved(service));
        }
        USED.set(USED.get().with(service));
        Ok(())
    }

    /// Runs the test if it has not passed in this process yet.
    ///
    /// # Errors
    /// [`Error::SelfTestFailed`] in the error state.
    #[inline]
    pub(crate) fn ready(&'static self) -> Result<(), Error> {
        if self.has_passed() {
            return Ok(());
        }
        self.first_use()
    }

    #[inline]
    pub(crate) fn has_passed(&self) -> bool {
        PASSED.load(Ordering::Acquire) & self.algorithm.bit() != 0
    }

    /// What it tests.
    #[cfg(test)]
    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// As [`enter`](Self::enter), for traits that cannot give an error.
    ///
    /// # Panics
    /// Where `enter` fails: then it is this or a wrong result.
    #[inline]
    pub(crate) fn enter_or_panic(&'static self, service: Service) {
        if let Err(error) = self.enter(service) {
            refuse(&error);
        }
    }

    /// Runs what has not passed yet.
    #[cold]
    fn first_use(&'static self) -> Result<(), Error> {
        if TESTS_HERE.get() {
            return Ok(());
        }
        let tests = Tests::begin();
        for test in self.first.iter().copied().chain([self]) {
            operational()?;
            if !test.has_passed() {
                tests.run(test).result?;
            }
        }
        Ok(())
    }
}

/// Runs `work`, which is a part of a service that has been entered, or of a test: what it uses needs no
/// approval again, and is no service of its own to who observes.
pub(crate) fn within<T>(work: impl FnOnce() -> T) -> T {
    let _outside = Outside {
        inside: INSIDE.replace(true),
        used: USED.get(),
    };
    work()
}

/// What was before [`within`], and is again when this is dropped.
struct Outside {
    inside: bool,
    used: Services,
}

impl Drop for Outside {
    fn drop(&mut self) {
        INSIDE.set(self.inside);
        USED.set(self.used);
    }
}

#[cold]
#[allow(clippy::panic)]
fn refuse(error: &Error) -> ! {
    panic!("{error}")
}

/// Runs `tests` again, all services waiting meanwhile, and tells what each found; none runs after
/// one that failed.
pub(crate) fn run_all(tests: &[&'static SelfTest]) -> Vec<Outcome> {
    let running = Tests::begin();
    // From here on every service comes to `first_use`, and waits.
    PASSED.fetch_and(FAILED, Ordering::AcqRel);
    let mut outcomes = Vec::with_capacity(tests.len());
    for test in tests {
        if operational().is_err() {
            break;
        }
        outcomes.push(running.run(test));
    }
    outcomes
}

/// The right to run tests, of one thread at a time.
struct Tests(#[allow(dead_code)] MutexGuard<'static, ()>);

impl Tests {
    fn begin() -> Self {
        let guard = TESTING.lock().unwrap_or_else(PoisonError::into_inner);
        IS_TESTING.store(true, Ordering::Relaxed);
        TESTS_HERE.set(true);
        Self(guard)
    }

    fn run(&self, test: &SelfTest) -> Outcome {
        let name = test.algorithm.name();
        let start = Instant::now();
        let mut answers = Answers::of(name);
        let result = match within(|| (test.run)(&mut answers)) {
            Ok(()) if answers.compared > 0 => {
                pass(test.algorithm);
                operational()
            }
            Ok(()) => Err(fail(name, "nothing was compared")),
            Err(check) => Err(fail(name, check)),
        };
        Outcome {
            name,
            kernel: (test.kernel)(),
            duration: start.elapsed(),
            checks: answers.compared,
            result,
        }
    }
}

impl Drop for Tests {
    fn drop(&mut self) {
        if std::thread::panicking() {
            fail("self tests", "panicked");
        }
        TESTS_HERE.set(false);
        IS_TESTING.store(false, Ordering::Relaxed);
    }
}

/// Whether this thread runs a self test just now, for whose end all others wait.
#[inline]
pub(crate) fn is_testing_here() -> bool {
    TESTS_HERE.get()
}

fn pass(algorithm: Algorithm) {
    let add = |passed| (passed & FAILED == 0).then_some(passed | algorithm.bit());
    // In the error state nothing passes any more.
    _ = PASSED.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
}

/// Takes the module to the error state, also for a conditional test: a pair of keys that do not
/// belong together, an entropy source that repeats itself. The error is the first failure's.
#[cold]
pub(crate) fn fail(test: &'static str, check: &'static str) -> Error {
    let error = CAUSE.get_or_init(|| Error::SelfTestFailed { test, check });
    PASSED.store(FAILED, Ordering::Release);
    error.clone()
}

/// The state of the module in this process.
pub fn state() -> State {
    let passed = PASSED.load(Ordering::Acquire);
    if passed & FAILED != 0 {
        State::Error
    } else if IS_TESTING.load(Ordering::Relaxed) {
        State::SelfTest
    } else if passed == 0 {
        State::PowerOn
    } else {
        State::Operational
    }
}

/// Whether this algorithm's test has passed.
#[cfg(test)]
pub(crate) fn has_passed(algorithm: Algorithm) -> bool {
    PASSED.load(Ordering::Acquire) & algorithm.bit() != 0
}

/// Nothing, unless the module is in the error state.
///
/// # Errors
/// [`Error::SelfTestFailed`].
pub fn operational() -> Result<(), Error> {
    if PASSED.load(Ordering::Acquire) & FAILED == 0 {
        return Ok(());
    }
    // `fail` sets it first.
    match CAUSE.get() {
        Some(error) => Err(error.clone()),
        None => Err(fail("self tests", "state")),
    }
}

/// Refuses, in this process and from now on, every service that is not approved-GM. There is no way
/// back: what was refused once was refused for a reason.
pub fn set_strict_gm() {
    STRICT.store(true, Ordering::Relaxed);
}

/// Whether strict GM mode is on.
pub fn is_strict_gm() -> bool {
    STRICT.load(Ordering::Relaxed)
}

/// Runs `work` and tells which services of the module it used on this thread.
pub fn observe<T>(work: impl FnOnce() -> T) -> (T, Services) {
    let before = USED.replace(Services::NONE);
    let result = work();
    let used = USED.get();
    // Who observes around this sees it too.
    USED.set(before.and(used));
    (result, used)
}

/// Where a self test compares what an algorithm gave with what is known.
pub(crate) struct Answers {
    #[allow(dead_code)]
    test: &'static str,
    compared: usize,
}

impl Answers {
    fn of(test: &'static str) -> Self {
        Self { test, compared: 0 }
    }

    /// Compares the bytes named `check`.
    pub(crate) fn equal(&mut self, check: &'static str, found: &[u8], known: &[u8]) -> Answer {
        self.that(check, found == known)
    }

    /// Says whether the check of this name ended well.
    pub(crate) fn that(&mut self, check: &'static str, well: bool) -> Answer {
        self.compared += 1;
        #[cfg(test)]
        let well = well && !injection::fails(self.test, check);
        if well { Ok(()) } else { Err(check) }
    }
}

/// For what is for good, the error state and strict GM mode: runs `body` in a process of its own.
/// `test`, from which it is called, is named as in the list of tests.
#[cfg(test)]
pub(crate) fn in_a_process_of_its_own(test: &str, body: impl FnOnce()) {
    const HERE: &str = "SHANGMI_TEST_OWN_PROCESS";
    if std::env::var_os(HERE).is_some() {
        return body();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(HERE, "1")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "{test} in a process of its own:\n{text}");
}

/// Failures on order, in the library's own unit tests and nowhere else: no other build has this code.
#[cfg(test)]
pub(crate) mod injection {
    use std::sync::{Mutex, PoisonError};

    /// The check that is to fail, such as `SM4-GCM/tag`; `list` prints the names of all instead.
    pub(crate) const VARIABLE: &str = "SHANGMI_TEST_INJECT";

    /// As the variable, from now on.
    static LATER: Mutex<Option<String>> = Mutex::new(None);

    pub(crate) fn order(check: &str) {
        *LATER.lock().unwrap_or_else(PoisonError::into_inner) = Some(check.to_owned());
    }

    pub(crate) fn fails(test: &str, check: &str) -> bool {
        let later = LATER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(ordered) = later.or_else(|| std::env::var(VARIABLE).ok()) else {
            return false;
        };
        let name = format!("{test}/{check}");
        if ordered == "list" {
            println!("\ncheck {name}");
        }
        ordered == name
    }
}
