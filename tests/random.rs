//! The module's random generators: where their seeds come from, when they are reseeded, and that no
//! two of them give the same bytes, in no thread and in no process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rand_core::{TryCryptoRng, TryRng};
use shangmi::module::{self, Approval, Service};
use shangmi::random::{
    self, CtrDrbg, CtrDrbgSm4, Drbg, DrbgError, DrbgRng, EntropySource, Error, HashDrbg,
    HashDrbgGm, HashDrbgSm3, HealthTest, HmacDrbgSm3, MinEntropy, ReseedLimits, SourceError,
    SystemRandom,
};

/// The operating system, which counts its draws, and fails on order.
#[derive(Default)]
struct Source {
    draws: AtomicUsize,
    is_away: AtomicBool,
    is_stuck: AtomicBool,
}

impl EntropySource for Source {
    fn name(&self) -> &str {
        "test source"
    }

    fn min_entropy(&self) -> MinEntropy {
        MinEntropy::HALF
    }

    fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError> {
        self.draws.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            return Err("unplugged".into());
        }
        getrandom::fill(dst)?;
        if self.is_stuck.load(Ordering::SeqCst) {
            let from = dst.len() / 2;
            dst[from..].fill(0x77);
        }
        Ok(())
    }
}

impl Source {
    fn draws(&self) -> usize {
        self.draws.load(Ordering::SeqCst)
    }
}

fn rng<D: Drbg + 'static>() -> (Arc<Source>, DrbgRng<D>) {
    let source = Arc::new(Source::default());
    let rng = DrbgRng::from_sources(vec![source.clone()], b"tests/random.rs").unwrap();
    (source, rng)
}

fn draw<const N: usize>(rng: &mut impl TryRng<Error = Error>) -> [u8; N] {
    let mut bytes = [0; N];
    rng.try_fill_bytes(&mut bytes).unwrap();
    bytes
}

// ---- what comes out ----

/// As one goes, over the ends of buffers and requests: no eight bytes come twice.
#[test]
fn every_size_is_new_bytes() {
    fn check(rng: &mut impl TryRng<Error = Error>) {
        let mut seen = HashSet::new();
        let sizes = (0..300).chain([1023, 1024, 1025, 4095, 4096, 4097, 65536, 65537, 300_000]);
        for size in sizes {
            let mut bytes = vec![0; size];
            rng.try_fill_bytes(&mut bytes).unwrap();
            for eight in bytes.chunks_exact(8) {
                assert!(seen.insert(eight.to_vec()), "{eight:?} twice, at {size}");
            }
        }
        assert!(seen.len() > 50_000);
        // With a chance of 2^-32 that one is 0.
        assert_ne!(rng.try_next_u64().unwrap(), rng.try_next_u64().unwrap());
        assert_ne!(rng.try_next_u32().unwrap(), 0);
    }
    check(&mut SystemRandom);
    check(&mut rng::<CtrDrbgSm4>().1);
    check(&mut rng::<HashDrbgSm3>().1);
    check(&mut rng::<HmacDrbgSm3>().1);
    check(&mut rng::<HashDrbgGm>().1);
}

#[test]
fn threads_differ() {
    let draws: Vec<_> = (0..16)
        .map(|_| thread::spawn(|| draw::<32>(&mut SystemRandom)))
        .map(|thread| thread.join().unwrap())
        .collect();
    let different: HashSet<_> = draws.iter().collect();
    assert_eq!(different.len(), 16);
}

/// Two generators with the same entropy, as two copies of a machine may have it, differ too.
#[test]
fn generators_with_the_same_entropy_differ() {
    struct Same;
    impl EntropySource for Same {
        fn name(&self) -> &str {
            "same"
        }
        fn min_entropy(&self) -> MinEntropy {
            MinEntropy::FULL
        }
        fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError> {
            let blocks = (0u32..).map(|i| shangmi::sm3::digest(&i.to_be_bytes()));
            let bytes = blocks.flatten();
            dst.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            Ok(())
        }
    }
    let new = || DrbgRng::<CtrDrbgSm4>::from_sources(vec![Arc::new(Same)], b"").unwrap();
    assert_ne!(draw::<32>(&mut new()), draw::<32>(&mut new()));
}

#[test]
fn random_bytes_are_an_approved_service_on_sm_algorithms() {
    let used = |work: fn()| module::observe(work).1;
    let services = used(|| _ = draw::<32>(&mut SystemRandom));
    assert!(services.contains(Service::Random));
    assert_eq!(services.approval(), Approval::Gm);
    for services in [
        used(|| _ = draw::<32>(&mut rng::<HashDrbgSm3>().1)),
        used(|| _ = draw::<32>(&mut rng::<HmacDrbgSm3>().1)),
        used(|| _ = draw::<32>(&mut rng::<HashDrbgGm>().1)),
        used(|| _ = draw::<32>(&mut rng::<CtrDrbgSm4>().1)),
    ] {
        assert!(services.contains(Service::Random));
        assert_eq!(services.approval(), Approval::Gm);
    }
    let services = used(|| _ = draw::<32>(&mut rng::<HashDrbg<sha2::Sha256>>().1));
    assert!(services.contains(Service::RandomOther));
    assert_eq!(services.approval(), Approval::None);
}

#[test]
fn they_are_generators_for_keys() {
    fn needs(_: &impl TryCryptoRng) {}
    needs(&SystemRandom);
    let mut own = rng::<HmacDrbgSm3>().1;
    needs(&own);
    let keys = [
        shangmi::sm2::SecretKey::generate(&mut own).unwrap(),
        shangmi::sm2::SecretKey::generate(&mut SystemRandom).unwrap(),
    ];
    assert_ne!(keys[0].public_key(), keys[1].public_key());
}

// ---- reseeding ----

#[test]
fn reseeds_after_as_many_draws_as_the_standard_allows() {
    assert_eq!(ReseedLimits::LEVEL_1.requests, 1 << 20);
    let (source, mut rng) = rng::<CtrDrbgSm4>();
    // Start-up test, entropy and nonce.
    assert_eq!(source.draws(), 3);
    for _ in 0..1 << 20 {
        draw::<4>(&mut rng);
    }
    assert_eq!(source.draws(), 3);
    draw::<4>(&mut rng);
    assert_eq!(source.draws(), 4);
}

#[test]
fn reseeds_after_own_limits() {
    fn check<D: Drbg + 'static>() {
        let limits = ReseedLimits {
            requests: 3,
            age: Duration::from_secs(600),
        };
        let (source, rng) = rng::<D>();
        let mut rng = rng.with_limits(limits);
        let draws: Vec<_> = (0..10)
            .map(|_| {
                draw::<32>(&mut rng);
                source.draws()
            })
            .collect();
        assert_eq!(draws, [3, 3, 3, 4, 4, 4, 5, 5, 5, 6]);
        // A draw of several requests may be the last one only in part.
        draw::<200_000>(&mut rng);
        assert_eq!(source.draws(), 7);
    }
    check::<CtrDrbgSm4>();
    check::<HashDrbgSm3>();
    check::<HmacDrbgSm3>();
}

/// GM/T 0105-2021 gives 32 bytes a request, and all requests count.
#[test]
fn each_request_for_a_buffer_counts() {
    let (source, mut rng) = rng::<HashDrbgGm>();
    let requests = ReseedLimits::LEVEL_2.requests;
    rng = rng.with_limits(ReseedLimits::LEVEL_2);
    // Four draws for each buffer of 128 requests.
    let draws = (1..).find(|_| {
        draw::<1024>(&mut rng);
        source.draws() > 3
    });
    let of_a_buffer = 128 + 3;
    assert_eq!(draws, Some(4 * (requests / of_a_buffer) + 1));
}

#[test]
fn prediction_resistance_draws_entropy_each_time() {
    fn check<D: Drbg + 'static>() {
        let (source, rng) = rng::<D>();
        let mut rng = rng.with_prediction_resistance();
        for draws in 4..20 {
            let (one, other) = (draw::<32>(&mut rng), draws);
            assert_ne!(one, [0; 32]);
            assert_eq!(source.draws(), other);
        }
        // Each of its four requests.
        draw::<200_000>(&mut rng);
        assert_eq!(source.draws(), 23);
    }
    check::<CtrDrbgSm4>();
    check::<HashDrbgSm3>();
    check::<HmacDrbgSm3>();
}

#[test]
fn reseeds_on_demand_and_takes_additional_input() {
    let (source, mut rng) = rng::<CtrDrbgSm4>();
    rng.reseed(b"of my own").unwrap();
    assert_eq!(source.draws(), 4);
    let (mut one, mut other) = ([0; 32], [0; 32]);
    rng.fill(&mut one, b"additional").unwrap();
    rng.fill(&mut other, b"additional").unwrap();
    assert_ne!(one, other);
    assert_eq!(source.draws(), 4);
}

// ---- sources that fail ----

#[test]
fn nothing_comes_out_while_a_source_is_away() {
    let (source, rng) = rng::<CtrDrbgSm4>();
    let limits = ReseedLimits {
        requests: 2,
        age: Duration::from_secs(600),
    };
    let mut rng = rng.with_limits(limits);
    source.is_away.store(true, Ordering::SeqCst);
    // What the seed is good for.
    draw::<32>(&mut rng);
    draw::<32>(&mut rng);
    for size in [1, 32, 5000] {
        let mut bytes = vec![0xa5; size];
        let error = rng.try_fill_bytes(&mut bytes).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("\"test source\"") && text.contains("unplugged"),
            "{text}"
        );
        assert!(matches!(error, Error::Source { name, .. } if name == "test source"));
        assert_eq!(bytes, vec![0; size]);
    }
    source.is_away.store(false, Ordering::SeqCst);
    assert_ne!(draw::<32>(&mut rng), [0; 32]);
}

#[test]
fn nothing_comes_out_of_an_unhealthy_source() {
    let (source, mut rng) = rng::<HashDrbgSm3>();
    source.is_stuck.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = rng.reseed(b"").unwrap_err();
        let Error::Unhealthy { name, test } = error else {
            unreachable!("{error}")
        };
        assert_eq!(
            (name.as_str(), test),
            ("test source", HealthTest::RepetitionCount)
        );
    }
    assert_eq!(module::operational(), Ok(()));
    // It begins anew, with the start-up test.
    source.is_stuck.store(false, Ordering::SeqCst);
    let before = source.draws();
    rng.reseed(b"").unwrap();
    assert_eq!(source.draws(), before + 2);
    assert_ne!(draw::<32>(&mut rng), [0; 32]);
}

#[test]
fn a_generator_needs_a_source_and_a_mechanism_that_takes_its_inputs() {
    let error = DrbgRng::<CtrDrbgSm4>::from_sources(Vec::new(), b"").unwrap_err();
    assert!(matches!(error, Error::NoSource), "{error}");
    // Without a derivation function there is no nonce, and no longer entropy.
    let error = DrbgRng::<CtrDrbg<shangmi::sm4::Sm4, false>>::new(b"").unwrap_err();
    assert!(
        matches!(error, Error::Drbg(DrbgError::InputTooLong)),
        "{error}"
    );
}

// ---- processes of their own ----

const ALONE: &str = "SHANGMI_TEST_ALONE";

/// Runs `test` in a process of its own: sources are the whole process's, and a fork copies what other
/// threads hold.
fn alone(name: &str, test: fn()) {
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let mut this = Command::new(std::env::current_exe().unwrap());
    let output = this.args([name, "--exact"]).env(ALONE, "1").output();
    let output = output.unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn what_is_added_is_required() {
    alone("what_is_added_is_required", || {
        let before = draw::<32>(&mut SystemRandom);
        let source = Arc::new(Source::default());
        let added: Arc<dyn EntropySource> = source.clone();
        random::add_source(added.clone()).unwrap();
        assert_eq!(source.draws(), 1);

        // Generators that were seeded before, and new ones.
        assert_ne!(draw::<32>(&mut SystemRandom), before);
        assert_eq!(source.draws(), 3);
        thread::spawn(|| draw::<32>(&mut SystemRandom))
            .join()
            .unwrap();
        assert_eq!(source.draws(), 6);
        let mut own = DrbgRng::<HmacDrbgSm3>::new(b"").unwrap();
        assert_eq!(source.draws(), 9);
        random::reseed().unwrap();
        assert_eq!(source.draws(), 10);
        draw::<32>(&mut own);
        assert_eq!(source.draws(), 11);
        let mut bytes = [0; 32];
        random::fill_with_prediction_resistance(&mut bytes).unwrap();
        assert_eq!(source.draws(), 12);
        random::fill_with_additional_input(&mut bytes, b"additional").unwrap();
        assert_eq!(source.draws(), 12);

        source.is_away.store(true, Ordering::SeqCst);
        let error = random::reseed().unwrap_err();
        assert!(
            matches!(&error, Error::Source { name, .. } if name == "test source"),
            "{error}"
        );
        // Until it is back there are no keys.
        assert!(SystemRandom.try_fill_bytes(&mut bytes).is_err());
        assert_eq!(bytes, [0; 32]);
        assert!(shangmi::sm2::SecretKey::generate(&mut SystemRandom).is_err());
        assert_eq!(module::operational(), Ok(()));
        source.is_away.store(false, Ordering::SeqCst);
        draw::<32>(&mut SystemRandom);

        assert!(random::remove_source(&added));
        assert!(!random::remove_source(&added));
        let draws = source.draws();
        draw::<32>(&mut SystemRandom);
        assert_eq!(source.draws(), draws);

        source.is_stuck.store(true, Ordering::SeqCst);
        let error = random::add_source(added).unwrap_err();
        assert!(matches!(error, Error::Unhealthy { .. }), "{error}");
        draw::<32>(&mut SystemRandom);
    });
}

/// A source may use the module itself: its driver makes a TLS connection, say.
#[test]
fn a_source_may_draw_random_bytes() {
    struct Driver(Source);
    impl EntropySource for Driver {
        fn name(&self) -> &str {
            "driver"
        }
        fn min_entropy(&self) -> MinEntropy {
            MinEntropy::FULL
        }
        fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError> {
            draw::<32>(&mut SystemRandom);
            self.0.fill(dst)
        }
    }
    alone("a_source_may_draw_random_bytes", || {
        let driver = Arc::new(Driver(Source::default()));
        random::add_source(driver.clone()).unwrap();
        draw::<32>(&mut SystemRandom);
        random::reseed().unwrap();
        assert_eq!(driver.0.draws(), 5);
    });
}

/// Thread-locals that are dropped before the generator, and after it.
#[test]
fn random_bytes_can_be_drawn_while_a_thread_ends() {
    static DRAWN: Mutex<Vec<[u8; 32]>> = Mutex::new(Vec::new());
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            for _ in 0..2 {
                DRAWN.lock().unwrap().push(draw(&mut SystemRandom));
            }
        }
    }
    thread_local! {
        static BEFORE: Last = const { Last };
        static AFTER: Last = const { Last };
    }
    thread::spawn(|| {
        BEFORE.with(|_| ());
        draw::<32>(&mut SystemRandom);
        AFTER.with(|_| ());
    })
    .join()
    .unwrap();
    let drawn = DRAWN.lock().unwrap();
    assert_eq!(drawn.len(), 4);
    assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), 4);
}

#[cfg(unix)]
mod forks {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::FromRawFd;

    use super::*;

    /// What one process draws: by the thread's generator, and by one that it holds.
    const DRAW: usize = 64;

    /// The draws of a child, of its own child, and of both parents after they were copied.
    fn check(fork: fn() -> libc::c_long) {
        let (mut own, mut ends) = (rng::<HashDrbgSm3>().1, [0; 2]);
        // Buffers are filled, so that there is something to repeat.
        draw::<32>(&mut SystemRandom);
        draw::<32>(&mut own);
        // SAFETY: a place for two descriptors.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        // SAFETY: both ends of the pipe are nobody else's.
        let [mut from, mut to] = ends.map(|end| unsafe { File::from_raw_fd(end) });

        let child = fork();
        assert!(child >= 0);
        if child == 0 {
            let grandchild = fork();
            to.write_all(&tell(&mut own)).unwrap();
            if grandchild > 0 {
                wait(grandchild);
            }
            // SAFETY: ends the child without the test's own end.
            unsafe { libc::_exit(0) };
        }
        let parent = tell(&mut own);
        wait(child);
        drop(to);
        let mut children = Vec::new();
        from.read_to_end(&mut children).unwrap();
        assert_eq!(children.len(), 2 * DRAW);

        let draws: HashSet<_> = parent
            .chunks(DRAW / 2)
            .chain(children.chunks(DRAW / 2))
            .collect();
        assert_eq!(draws.len(), 6, "a process repeats another's bytes");
    }

    fn tell(own: &mut DrbgRng<HashDrbgSm3>) -> Vec<u8> {
        [draw::<32>(&mut SystemRandom), draw::<32>(own)].concat()
    }

    fn wait(child: libc::c_long) {
        let mut status = 0;
        // SAFETY: a place for the status.
        let waited = unsafe { libc::waitpid(child as libc::pid_t, &mut status, 0) };
        assert_eq!((libc::c_long::from(waited), status), (child, 0));
    }

    #[test]
    fn a_child_does_not_repeat_its_parent() {
        alone("forks::a_child_does_not_repeat_its_parent", || {
            // SAFETY: this process has one thread that does anything.
            check(|| libc::c_long::from(unsafe { libc::fork() }));
        });
    }

    /// Made without the C library, of which no handler knows.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_raw_clone_does_not_repeat_its_parent() {
        alone("forks::a_raw_clone_does_not_repeat_its_parent", || {
            // SAFETY: as a fork: no memory is shared, and no stack is given.
            check(|| unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) });
        });
    }
}
