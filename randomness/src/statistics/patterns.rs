//! How often each pattern of some bits occurs (5.3, 5.4, 5.12).

use super::Values;
use crate::bits::Bits;

/// 5.3 Poker: blocks of `m` bits (at most 16) have all values equally often.
pub fn poker(bits: &Bits, m: usize) -> Values {
    let mut counts = vec![0; 1 << m];
    for value in bits.values(m) {
        counts[value as usize] += 1;
    }
    Values::chi_square(unevenness(&counts, bits.len() / m), counts.len() - 1)
}

/// 5.4 Serial, "overlapping subsequences": the patterns of `m` bits (2 to 16) at every position, round
/// the end, are equally often. The two statistics of the clause.
pub fn serial(bits: &Bits, m: usize) -> [Values; 2] {
    let long = overlapping(bits, m);
    let middle = shorter(&long);
    let short = shorter(&middle);
    let [long, middle, short] =
        [&long, &middle, &short].map(|counts| unevenness(counts, bits.len()));
    [
        Values::chi_square(long - middle, 1 << (m - 1)),
        Values::chi_square(long - 2.0 * middle + short, 1 << (m - 2)),
    ]
}

/// 5.12 Approximate entropy: what a pattern of `m` bits (1 to 15) says about the next bit.
pub fn approximate_entropy(bits: &Bits, m: usize) -> Values {
    let n = bits.len() as f64;
    let entropy = |counts: &[u32]| -> f64 {
        let shares = counts.iter().map(|count| f64::from(*count) / n);
        shares
            .filter(|share| *share > 0.0)
            .map(|share| share * share.ln())
            .sum()
    };
    let long = overlapping(bits, m + 1);
    let difference = entropy(&shorter(&long)) - entropy(&long);
    Values::chi_square(2.0 * n * (std::f64::consts::LN_2 - difference), 1 << m)
}

/// How often each pattern of `m` bits begins at one of the positions, round the end.
fn overlapping(bits: &Bits, m: usize) -> Vec<u32> {
    let mut counts = vec![0; 1 << m];
    let mut pattern = 0;
    for (i, bit) in bits.iter().chain(bits.iter().take(m - 1)).enumerate() {
        pattern = (pattern << 1 | usize::from(bit)) & (counts.len() - 1);
        if i + 1 >= m {
            counts[pattern] += 1;
        }
    }
    counts
}

/// The counts for patterns one bit shorter.
fn shorter(counts: &[u32]) -> Vec<u32> {
    counts.chunks(2).map(|pair| pair.iter().sum()).collect()
}

/// Pearson's statistic of `n` things in equally probable classes.
fn unevenness(counts: &[u32], n: usize) -> f64 {
    let squares: f64 = counts.iter().map(|count| f64::from(*count).powi(2)).sum();
    squares * counts.len() as f64 / n as f64 - n as f64
}
