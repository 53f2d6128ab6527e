//! The random generators: what a thread's leaves when the thread ends, and what others leave.

use rand_core::TryRng;
use shangmi::random::{CtrDrbgSm4, Drbg, DrbgRng, HashDrbgSm3, HmacDrbgSm3, SystemRandom, reseed};

use crate::heap::{Freed, freed_during, heap_of, heap_of_thread};

/// The buffer of a generator, and how much of it one draw takes.
const BUFFER: usize = 4096;
const DRAW: usize = 32;

#[test]
fn a_thread_s_generator_is_wiped_when_the_thread_ends() {
    // What a process has once for all is not a thread's.
    SystemRandom.try_next_u64().unwrap();
    let (blocks, freed) = heap_of_thread(|| {
        SystemRandom.try_fill_bytes(&mut [0; DRAW]).unwrap();
    });
    assert_wiped("SystemRandom", &blocks, &freed);
}

#[test]
fn a_generator_is_wiped_when_dropped() {
    fn check<D: Drbg + 'static>(name: &str) {
        let (rng, blocks) = heap_of(|| {
            let mut rng = DrbgRng::<D>::new(b"").unwrap();
            rng.try_fill_bytes(&mut [0; DRAW]).unwrap();
            rng
        });
        let (_, freed) = freed_during(|| drop(rng));
        assert_wiped(name, &blocks, &freed);
    }
    check::<CtrDrbgSm4>("CTR_DRBG");
    check::<HashDrbgSm3>("Hash_DRBG");
    check::<HmacDrbgSm3>("HMAC_DRBG");
}

/// Of a generator's heap, the buffer and the state: of what has no pointers in it.
fn assert_wiped(name: &str, blocks: &[Vec<u8>], freed: &Freed) {
    let mut buffers = blocks.iter().filter(|block| block.len() == BUFFER);
    let buffer = buffers.next().expect("a buffer");
    assert!(buffers.next().is_none(), "{name}: two buffers");
    // What was drawn is not there any more even now.
    assert_eq!(buffer[..DRAW], [0; DRAW]);
    freed.assert_without(name, &buffer[DRAW..]);
    let states: Vec<_> = blocks
        .iter()
        .filter(|block| STATE.contains(&block.len()))
        .collect();
    assert!(!states.is_empty(), "{name}: no state");
    for state in states {
        for eight in state.windows(8).filter(|eight| is_random(eight)) {
            assert!(
                !freed.holds_part_of(eight),
                "{name}: {eight:?} of the state"
            );
        }
    }
}

/// Sizes of a mechanism's state in bytes.
const STATE: std::ops::RangeInclusive<usize> = 48..=1024;

/// Neither an address nor a small number, which have zeros.
fn is_random(eight: &[u8]) -> bool {
    !eight.contains(&0)
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
