//! Runs of equal bits: how many, how long, and the longest (5.5, 5.6, 5.7).

use super::{Values, pearson};
use crate::bits::Bits;

/// 5.5 Total number of runs.
pub fn runs(bits: &Bits) -> Values {
    let n = bits.len() as f64;
    let runs = bits.differences(1).ones() as f64 + 1.0;
    let ones = bits.ones() as f64 / n;
    let change = 2.0 * ones * (1.0 - ones);
    Values::normal((runs - n * change) / (n.sqrt() * change))
}

/// 5.6 Run distribution: runs of each length, of ones and of zeros, as often as their number lets
/// expect. (The 2012 edition expected them from the length of the sequence.)
pub fn run_distribution(bits: &Bits) -> Values {
    let n = bits.len() as f64;
    // The longest length that is expected five times; all longer runs count as this one.
    let longest = (1..60)
        .take_while(|k| (n - f64::from(*k) + 3.0) / 2_f64.powi(k + 2) >= 5.0)
        .count();
    if longest < 2 {
        return Values::one_sided(f64::NAN);
    }
    let mut counts = [vec![0_u32; longest], vec![0; longest]];
    for (bit, len) in bits.runs() {
        counts[usize::from(bit)][len.min(longest) - 1] += 1;
    }
    let total = f64::from(counts.iter().flatten().sum::<u32>());
    let expected = |i: usize| total / 2_f64.powi((i + 2).min(longest) as i32);
    let v = counts.iter().flat_map(|counts| {
        let counts = counts.iter().enumerate();
        counts.map(|(i, count)| (f64::from(*count), expected(i)))
    });
    Values::chi_square(pearson(v), 2 * (longest - 1))
}

/// How long the longest run in a block is: the block's length, and how probable each length is.
#[derive(Clone, Copy, Debug)]
pub struct LongestRun {
    /// Bits in a block.
    m: usize,
    /// The first class has the runs up to this length, the last one those of its length and longer.
    first: usize,
    probabilities: &'static [f64],
}

/// For sequences of 128 to 6271 bits.
pub const LONGEST_8: LongestRun = LongestRun {
    m: 8,
    first: 1,
    probabilities: &[0.2148, 0.3672, 0.2305, 0.1875],
};

/// For sequences of 6272 to 749999 bits.
pub const LONGEST_128: LongestRun = LongestRun {
    m: 128,
    first: 4,
    probabilities: &[0.1174, 0.2430, 0.2494, 0.1752, 0.1027, 0.1124],
};

/// For sequences from 750000 bits on.
pub const LONGEST_10000: LongestRun = LongestRun {
    m: 10_000,
    first: 10,
    probabilities: &[
        0.086632, 0.208201, 0.248419, 0.193913, 0.121458, 0.068011, 0.073366,
    ],
};

/// 5.7 Longest run of ones, or of zeros, in a block.
pub fn longest_run(bits: &Bits, of: bool, expected: &LongestRun) -> Values {
    let LongestRun {
        m,
        first,
        probabilities,
    } = *expected;
    let blocks = bits.len() / m;
    let mut counts = vec![0_u32; probabilities.len()];
    for block in 0..blocks {
        let longest = longest(bits.range(block * m..(block + 1) * m), of);
        counts[longest.saturating_sub(first).min(probabilities.len() - 1)] += 1;
    }
    let v = counts.iter().zip(probabilities);
    let v = v.map(|(count, probability)| (f64::from(*count), blocks as f64 * probability));
    Values::chi_square(pearson(v), probabilities.len() - 1)
}

fn longest(bits: impl Iterator<Item = bool>, of: bool) -> usize {
    let (mut longest, mut run) = (0, 0);
    for bit in bits {
        run = (run + 1) * usize::from(bit == of);
        longest = longest.max(run);
    }
    longest
}
