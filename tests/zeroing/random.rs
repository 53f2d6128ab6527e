//! The random generators: what a thread's leaves when the thread ends, and what others leave.

use std::collections::BTreeSet;
use std::process::Command;

use rand_core::TryRng;
use shangmi::random::{CtrDrbgSm4, Drbg, DrbgRng, HashDrbgSm3, HmacDrbgSm3, SystemRandom, reseed};

use crate::heap::{freed_during, heap_of_thread};
use crate::locked::undumped_pages;

const DRAW: usize = 32;

#[test]
fn a_thread_s_generator_is_wiped_when_the_thread_ends() {
    alone(
        "random::a_thread_s_generator_is_wiped_when_the_thread_ends",
        || {
            // What a process has once for all is not a thread's.
            SystemRandom.try_next_u64().unwrap();
            let before = secrets();
            let thread = std::thread::spawn(move || {
                let mut drawn = [0; DRAW];
                SystemRandom.try_fill_bytes(&mut drawn).unwrap();
                let own: BTreeSet<_> = secrets().difference(&before).copied().collect();
                assert_held("SystemRandom", &own, &drawn);
                own
            });
            assert_gone("SystemRandom", &thread.join().unwrap());
        },
    );
}

/// Of CTR_DRBG's state, the round keys are on the heap.
#[test]
fn a_thread_s_round_keys_are_wiped_when_the_thread_ends() {
    SystemRandom.try_next_u64().unwrap();
    let (blocks, freed) = heap_of_thread(|| {
        SystemRandom.try_fill_bytes(&mut [0; DRAW]).unwrap();
    });
    // Of this size, and like random bytes.
    let is_constant = |eight: &[u8]| eight.iter().all(|byte| *byte == eight[0]);
    let is_key = |block: &&Vec<u8>| block.len() == 128 && !block.windows(8).any(is_constant);
    let round_keys: Vec<_> = blocks.iter().filter(is_key).collect();
    assert!(!round_keys.is_empty());
    for keys in round_keys {
        freed.assert_without("round keys", keys);
    }
}

#[test]
fn a_generator_is_wiped_when_dropped() {
    fn check<D: Drbg + 'static>(name: &str) {
        let before = secrets();
        let mut rng = DrbgRng::<D>::new(b"").unwrap();
        let mut drawn = [0; DRAW];
        rng.try_fill_bytes(&mut drawn).unwrap();
        let own = secrets().difference(&before).copied().collect();
        assert_held(name, &own, &drawn);
        let (_, freed) = freed_during(|| drop(rng));
        assert_gone(name, &own);
        let left = freed.0.windows(8).filter(|eight| own.contains(*eight));
        assert_eq!(left.count(), 0, "{name}: on the heap");
    }
    alone("random::a_generator_is_wiped_when_dropped", || {
        check::<CtrDrbgSm4>("CTR_DRBG");
        check::<HashDrbgSm3>("Hash_DRBG");
        check::<HmacDrbgSm3>("HMAC_DRBG");
    });
}

/// Runs `body` in a process of its own, in whose locked pages nobody else's secrets are.
fn alone(test: &str, body: impl FnOnce()) {
    const HERE: &str = "SHANGMI_ZEROING_ALONE";
    if std::env::var_os(HERE).is_some() {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(HERE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

/// What looks like secrets in the locked pages: eight bytes without a zero, as random ones mostly are.
fn secrets() -> BTreeSet<[u8; 8]> {
    let pages = undumped_pages();
    let eights = pages.0.windows(8).filter(|eight| !eight.contains(&0));
    eights.map(|eight| eight.try_into().unwrap()).collect()
}

/// The generator's buffer and state are there, and what was drawn from the buffer is not.
fn assert_held(name: &str, own: &BTreeSet<[u8; 8]>, drawn: &[u8; DRAW]) {
    assert!(own.len() > 3000, "{name}: {} of the buffer", own.len());
    let left = drawn.windows(8).filter(|eight| own.contains(*eight));
    assert_eq!(left.count(), 0, "{name}: what was drawn");
}

fn assert_gone(name: &str, own: &BTreeSet<[u8; 8]>) {
    assert_eq!(secrets().intersection(own).count(), 0, "{name}");
}

/// The entropy input, which only its source knows, and what is drawn, in what a call frees.
#[test]
fn draws_and_reseeds_leave_nothing() {
    let mut drawn = [0; 3000];
    let (_, freed) = freed_during(|| {
        for part in drawn.chunks_mut(100) {
            SystemRandom.try_fill_bytes(part).unwrap();
        }
        reseed().unwrap();
    });
    freed.assert_without("SystemRandom", &drawn);
}

mod source {
    use std::sync::{Arc, Mutex};

    use shangmi::random::{EntropySource, MinEntropy, SourceError};

    use super::*;

    /// Remembers what it gave.
    #[derive(Default)]
    struct Remembering(Mutex<Vec<[u8; 8]>>);

    impl EntropySource for Remembering {
        fn name(&self) -> &str {
            "remembering"
        }

        fn min_entropy(&self) -> MinEntropy {
            MinEntropy::FULL
        }

        fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError> {
            getrandom::fill(dst)?;
            let mut given = self.0.lock().unwrap();
            assert!(given.len() + dst.len() / 8 <= given.capacity(), "no room");
            given.extend(dst.chunks_exact(8).map(|eight| {
                let mut copy = [0; 8];
                copy.copy_from_slice(eight);
                copy
            }));
            Ok(())
        }
    }

    #[test]
    fn entropy_is_wiped() {
        let source = Arc::new(Remembering(Mutex::new(Vec::with_capacity(4096))));
        let (rng, freed) = freed_during(|| {
            let mut rng = DrbgRng::<CtrDrbgSm4>::from_sources(vec![source.clone()], b"").unwrap();
            rng.reseed(b"").unwrap();
            rng
        });
        drop(rng);
        let given = source.0.lock().unwrap();
        // Start-up test, entropy, nonce, entropy.
        assert_eq!(given.len(), (1024 + 16 + 8 + 16) / 8);
        for eight in given.iter() {
            assert!(!freed.holds_part_of(eight), "{eight:?}");
        }
    }
}
