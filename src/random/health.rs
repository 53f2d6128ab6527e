//! The health tests of SP 800-90B, 4.4, on every byte that an entropy source gives.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes that a source must give before its first use, tested and thrown away (SP 800-90B, 4.3).
pub(super) const START_UP: usize = 1024;

/// Bytes in a window of the adaptive proportion test, for samples of more than two values (4.4.2).
const WINDOW: u32 = 512;

/// How much min-entropy the bytes of a source have, as its owner claims; in whole bits per byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinEntropy(u8);

impl MinEntropy {
    /// Eight bits in each byte: nothing is known of the next one.
    pub const FULL: Self = Self(8);
    /// Four bits in each byte.
    pub const HALF: Self = Self(4);

    /// `bits` per byte, from 1 to 8; `None` for any other number.
    pub const fn bits_per_byte(bits: u8) -> Option<Self> {
        match bits {
            1..=8 => Some(Self(bits)),
            _ => None,
        }
    }

    /// How many bytes of the source hold as much min-entropy as `full` bytes of which nothing is known.
    pub(super) const fn bytes_for(self, full: usize) -> usize {
        (full * 8).div_ceil(self.0 as usize)
    }

    const fn cutoffs(self) -> Cutoffs {
        CUTOFFS[self.0 as usize - 1]
    }
}

/// The counts at which the tests fail.
#[derive(Clone, Copy)]
struct Cutoffs {
    repetition: u32,
    proportion: u32,
}

/// For a min-entropy of 1 to 8 bits per byte, with a false alarm in 2^40 bytes (repetition count) or
/// windows (adaptive proportion), the rarest that 4.4 recommends, if the source has no more than that.
const CUTOFFS: [Cutoffs; 8] = [
    cutoffs(41, 336),
    cutoffs(21, 201),
    cutoffs(15, 123),
    cutoffs(11, 78),
    cutoffs(9, 51),
    cutoffs(8, 35),
    cutoffs(7, 26),
    cutoffs(6, 19),
];

const fn cutoffs(repetition: u32, proportion: u32) -> Cutoffs {
    Cutoffs {
        repetition,
        proportion,
    }
}

/// Which health test a source has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthTest {
    /// A byte came again and again (SP 800-90B, 4.4.1).
    RepetitionCount,
    /// A byte was too frequent among 512 (4.4.2).
    AdaptiveProportion,
}

impl HealthTest {
    /// As reports and errors call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RepetitionCount => "repetition count",
            Self::AdaptiveProportion => "adaptive proportion",
        }
    }
}

impl fmt::Display for HealthTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Both tests of one source, continued from draw to draw.
///
/// The bytes are secret: they are compared without a branch, and what is known at the end is whether
/// one of them failed.
pub(super) struct Health {
    cutoffs: Cutoffs,
    state: Box<Counts>,
}

/// On the heap, since two of the source's bytes are in it.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
struct Counts {
    /// The last byte, and how often it came in a row; 0 times before the first byte.
    last: u8,
    run: u32,
    /// The first byte of the window, how often it came, and how many bytes the window has.
    first: u8,
    proportion: u32,
    seen: u32,
}

impl Health {
    pub(super) fn new(claim: MinEntropy) -> Self {
        Self {
            cutoffs: claim.cutoffs(),
            state: Box::default(),
        }
    }

    /// Tests `samples`, which follow those of the last call.
    ///
    /// # Errors
    /// The test that failed. It is over with the source then: what it counts from here on is of no
    /// use.
    pub(super) fn check(&mut self, samples: &[u8]) -> Result<(), HealthTest> {
        let (mut repeats, mut dominates) = (0, 0);
        let state = &mut *self.state;
        for sample in samples {
            let again = u32::from(*sample == state.last);
            state.run = state.run * again + 1;
            state.last = *sample;
            repeats |= u32::from(state.run >= self.cutoffs.repetition);

            if state.seen == 0 {
                state.first = *sample;
                state.proportion = 0;
            }
            state.proportion += u32::from(*sample == state.first);
            state.seen = (state.seen + 1) % WINDOW;
            dominates |= u32::from(state.proportion >= self.cutoffs.proportion);
        }
        match (repeats, dominates) {
            (0, 0) => Ok(()),
            (0, _) => Err(HealthTest::AdaptiveProportion),
            _ => Err(HealthTest::RepetitionCount),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALPHA: f64 = 1.0 / (1u64 << 40) as f64;

    /// The cutoffs by the formulas of 4.4.1 and 4.4.2, from the claimed min-entropy alone.
    #[test]
    fn cutoffs_are_those_of_the_standard() {
        for bits in 1..=8 {
            let found = MinEntropy::bits_per_byte(bits).unwrap().cutoffs();
            let repetition = 1 + 40u32.div_ceil(bits.into());
            assert_eq!(found.repetition, repetition, "{bits} bits");

            // The smallest C with P(at least C of 512) <= alpha: 1 + CRITBINOM(512, 2^-H, 1 - alpha).
            let p = 0.5f64.powi(bits.into());
            let tail = |least: u32| (least..=WINDOW).map(|k| binomial(k, p)).sum::<f64>();
            assert!(tail(found.proportion) <= ALPHA, "{bits} bits");
            assert!(tail(found.proportion - 1) > ALPHA, "{bits} bits");
        }
    }

    /// P(k of 512), by logarithms, since the coefficients are large.
    fn binomial(k: u32, p: f64) -> f64 {
        let ln_factorial = |n: u32| (1..=n).map(|i| f64::from(i).ln()).sum::<f64>();
        let ln_choose = ln_factorial(WINDOW) - ln_factorial(k) - ln_factorial(WINDOW - k);
        (ln_choose + f64::from(k) * p.ln() + f64::from(WINDOW - k) * (1.0 - p).ln()).exp()
    }

    #[test]
    fn a_claim_is_from_one_to_eight_bits() {
        assert_eq!(MinEntropy::bits_per_byte(0), None);
        assert_eq!(MinEntropy::bits_per_byte(9), None);
        assert_eq!(MinEntropy::bits_per_byte(8), Some(MinEntropy::FULL));
        assert_eq!(MinEntropy::FULL.bytes_for(32), 32);
        assert_eq!(MinEntropy::HALF.bytes_for(32), 64);
        assert_eq!(
            MinEntropy::bits_per_byte(3).unwrap().bytes_for(16),
            43 // 42 bytes have 126 bits
        );
    }

    fn claims() -> impl Iterator<Item = MinEntropy> {
        (1..=8).map(|bits| MinEntropy::bits_per_byte(bits).unwrap())
    }

    /// How many bytes of `source` it takes until a test fails, and which.
    fn caught(
        claim: MinEntropy,
        mut source: impl FnMut(usize) -> u8,
    ) -> Option<(usize, HealthTest)> {
        let mut health = Health::new(claim);
        (0..4 * START_UP).find_map(|at| {
            let failed = health.check(&[source(at)]).err();
            failed.map(|test| (at + 1, test))
        })
    }

    #[test]
    fn a_stuck_source_is_caught_at_the_cutoff() {
        for claim in claims() {
            for value in [0, 0x55, 0xff] {
                let cutoff = claim.cutoffs().repetition as usize;
                let expected = Some((cutoff, HealthTest::RepetitionCount));
                assert_eq!(caught(claim, |_| value), expected, "{claim:?}");
            }
            // One byte fewer is no failure.
            let cutoff = claim.cutoffs().repetition as usize;
            let mut health = Health::new(claim);
            assert_eq!(health.check(&vec![7; cutoff - 1]), Ok(()));
            assert_eq!(health.check(&[8]), Ok(()));
        }
    }

    /// It takes turns, so that the repetition count sees nothing.
    #[test]
    fn a_source_of_two_values_is_caught_at_the_cutoff() {
        for claim in claims().skip(1) {
            let found = caught(claim, |at| [3, 200][at % 2]);
            let at = 2 * claim.cutoffs().proportion as usize - 1;
            assert_eq!(found, Some((at, HealthTest::AdaptiveProportion)));
        }
    }

    /// A pattern of so many bytes, again and again.
    #[test]
    fn a_repeating_source_is_caught() {
        for claim in claims() {
            // What the test must see is a byte more frequent than the claim allows.
            let cutoff = claim.cutoffs().proportion as usize;
            for period in 2..=WINDOW as usize / cutoff {
                let found = caught(claim, |at| (at % period) as u8);
                let test = HealthTest::AdaptiveProportion;
                assert!(
                    matches!(found, Some((_, found)) if found == test),
                    "{period}"
                );
            }
        }
    }

    #[test]
    fn a_biased_source_is_caught() {
        for claim in claims() {
            // Half of the claimed bits: the most frequent byte has a chance of 2^(-H/2).
            let chance = 0.5f64.powf(f64::from(claim.0) / 2.0);
            let mut uniform = uniform();
            let found = (0..4).find_map(|_| {
                caught(claim, |_| match uniform() {
                    random if f64::from(random) < chance * 2f64.powi(32) => 0x41,
                    random => random as u8,
                })
            });
            assert!(found.is_some(), "{claim:?}");
        }
    }

    /// Every second bit is stuck, which leaves four bits in a byte.
    #[test]
    fn stuck_bits_are_caught_where_more_is_claimed() {
        let mut uniform = uniform();
        assert!(caught(MinEntropy::FULL, |_| uniform() as u8 & 0x55).is_some());
        assert_eq!(caught(MinEntropy::HALF, |_| uniform() as u8 & 0x55), None);
    }

    #[test]
    fn a_good_source_passes() {
        let mut block = vec![0; 1 << 20];
        for claim in [MinEntropy::HALF, MinEntropy::FULL] {
            let mut health = Health::new(claim);
            for _ in 0..12 {
                getrandom::fill(&mut block).unwrap();
                assert_eq!(health.check(&block), Ok(()));
            }
        }
    }

    /// How the bytes are cut into draws makes no difference.
    #[test]
    fn draws_are_one_stream() {
        let mut samples = vec![0; 4096];
        getrandom::fill(&mut samples).unwrap();
        let value = samples[1999];
        samples[2000..2006].fill(value);
        let mut whole = Health::new(MinEntropy::FULL);
        assert_eq!(whole.check(&samples), Err(HealthTest::RepetitionCount));
        for size in [1, 7, 64, 513] {
            let mut health = Health::new(MinEntropy::FULL);
            let draws = samples.chunks(size);
            let results: Vec<_> = draws.map(|draw| health.check(draw)).collect();
            assert!(results.contains(&Err(HealthTest::RepetitionCount)));
        }
    }

    /// xorshift64*, from a fixed seed: a test that fails, fails again.
    fn uniform() -> impl FnMut() -> u32 {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        move || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
        }
    }
}
