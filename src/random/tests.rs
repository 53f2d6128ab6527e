//! What only the library's own tests can order: time that passes, and an operating system that fails.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand_core::TryRng;

use super::entropy::STUCK;
use super::*;
use crate::arch::clock;
use crate::gate::{self, State};

/// The operating system, which counts its draws.
#[derive(Default)]
struct Counting(AtomicUsize);

impl EntropySource for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn min_entropy(&self) -> MinEntropy {
        MinEntropy::HALF
    }

    fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(getrandom::fill(dst)?)
    }
}

fn reseeds_after<D: Drbg + 'static>(limits: ReseedLimits, age: Duration) {
    let source = Arc::new(Counting::default());
    let rng = DrbgRng::<D>::from_sources(vec![source.clone()], b"");
    let mut rng = rng.unwrap().with_limits(limits);
    let mut draw = || {
        rng.try_next_u64().unwrap();
        source.0.load(Ordering::Relaxed)
    };
    // Start-up test, entropy and nonce.
    assert_eq!(draw(), 3);
    clock::test::advance(age - Duration::from_secs(1));
    assert_eq!(draw(), 3);
    // What is in the buffer is not given out any more.
    clock::test::advance(Duration::from_secs(1));
    assert_eq!(draw(), 4);
    assert_eq!(draw(), 4);
    clock::test::advance(age);
    assert_eq!(draw(), 5);
}

#[test]
fn reseeds_when_the_time_has_passed() {
    for limits in [ReseedLimits::LEVEL_1, ReseedLimits::LEVEL_2] {
        reseeds_after::<CtrDrbgSm4>(limits, limits.age);
        reseeds_after::<HashDrbgSm3>(limits, limits.age);
        reseeds_after::<HashDrbgGm>(limits, limits.age);
        reseeds_after::<HmacDrbgSm3>(limits, limits.age);
    }
    assert_eq!(ReseedLimits::LEVEL_1.age, Duration::from_secs(600));
}

/// A process of its own, since there is no way back from the error state.
#[test]
fn a_stuck_operating_system_is_the_end() {
    const ALONE: &str = "SHANGMI_TEST_ALONE";
    const NAME: &str = "random::tests::a_stuck_operating_system_is_the_end";
    if std::env::var_os(ALONE).is_none() {
        let this = std::env::current_exe().unwrap();
        let mut alone = Command::new(this);
        alone.args([NAME, "--exact"]).env(ALONE, "1");
        let output = alone.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("1 passed"), "{text}");
        return;
    }

    let mut bytes = [0xa5; 32];
    SystemRandom.try_fill_bytes(&mut bytes).unwrap();
    assert_eq!(gate::state(), State::Operational);
    STUCK.set(Some(0x11));
    // It goes on from the seed until more entropy is asked for.
    SystemRandom.try_fill_bytes(&mut bytes).unwrap();
    let error = fill_with_prediction_resistance(&mut bytes).unwrap_err();
    let expected = gate::Error::SelfTestFailed {
        test: "entropy source",
        check: "repetition count",
    };
    assert!(
        matches!(&error, Error::Module(error) if *error == expected),
        "{error}"
    );
    assert_eq!(bytes, [0; 32]);
    assert_eq!(gate::state(), State::Error);

    // For good, and for every other service.
    STUCK.set(None);
    bytes.fill(0xa5);
    let error = SystemRandom.try_fill_bytes(&mut bytes).unwrap_err();
    assert!(matches!(error, Error::Module(_)));
    assert!(DrbgRng::<HashDrbgSm3>::new(b"").is_err());
    assert!(std::panic::catch_unwind(|| crate::sm3::digest(b"")).is_err());
}

/// A source that is bad in a way that only the proportion shows.
#[test]
fn a_source_of_few_values_is_refused() {
    struct Few;
    impl EntropySource for Few {
        fn name(&self) -> &str {
            "few"
        }
        fn min_entropy(&self) -> MinEntropy {
            MinEntropy::HALF
        }
        fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError> {
            dst.iter_mut()
                .zip((0..5).cycle())
                .for_each(|(to, from)| *to = from);
            Ok(())
        }
    }
    let rng = DrbgRng::<CtrDrbgSm4>::from_sources(vec![Arc::new(OsEntropy), Arc::new(Few)], b"");
    let error = rng.unwrap_err();
    let test = HealthTest::AdaptiveProportion;
    assert!(
        matches!(&error, Error::Unhealthy { name, test: found } if name == "few" && *found == test),
        "{error}"
    );
    // The application's source is not the module's.
    assert_eq!(gate::operational(), Ok(()));
}

/// A test passes at the first use, and counts what it compared.
#[test]
fn self_tests_pass() {
    let tests = [
        &self_test::ENTROPY,
        &self_test::HASH_DRBG,
        &self_test::HMAC_DRBG,
        &self_test::CTR_DRBG,
    ];
    let outcomes = gate::run_all(&tests);
    let found: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.name, outcome.checks, outcome.result.clone()))
        .collect();
    let expected = [
        ("entropy source", 4, Ok(())),
        ("Hash_DRBG-SM3", 8, Ok(())),
        ("HMAC_DRBG-SM3", 7, Ok(())),
        ("CTR_DRBG-SM4", 7, Ok(())),
    ];
    assert_eq!(found, expected);
}

/// Bytes for a self test, and for what a source itself needs, do not come from the added sources, and
/// leave nothing behind.
#[test]
fn a_thread_without_added_sources_draws_from_the_system() {
    without_added_sources();
    let (mut one, mut other) = ([0; 32], [0; 32]);
    SystemRandom.try_fill_bytes(&mut one).unwrap();
    SystemRandom.try_fill_bytes(&mut other).unwrap();
    assert_ne!(one, other);
}
