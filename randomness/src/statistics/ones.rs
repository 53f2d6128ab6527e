//! How many ones there are: in all, in blocks, and on the way (5.1, 5.2, 5.11).

use statrs::function::erf::erf;

use super::Values;
use crate::bits::Bits;

/// 5.1 Monobit frequency: there are as many ones as zeros.
pub fn frequency(bits: &Bits) -> Values {
    Values::normal(excess(bits.ones(), bits.len()))
}

/// 5.2 Frequency within blocks of `m` bits.
pub fn block_frequency(bits: &Bits, m: usize) -> Values {
    let blocks = bits.len() / m;
    let v = (0..blocks).map(|i| excess(bits.ones_in(i * m, m), m).powi(2));
    Values::chi_square(v.sum(), blocks)
}

/// The end from which [`cumulative_sums`] starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first bit.
    Forward,
    /// From the last bit.
    Backward,
}

/// 5.11 Cumulative sums: a walk, up for a one and down for a zero, that does not go too far.
pub fn cumulative_sums(bits: &Bits, direction: Direction) -> Values {
    let n = bits.len() as f64;
    let (mut sum, mut lowest, mut highest) = (0_i64, 0, 0);
    for bit in bits.iter() {
        sum += if bit { 1 } else { -1 };
        lowest = lowest.min(sum);
        highest = highest.max(sum);
    }
    let farthest = match direction {
        Direction::Forward => highest.max(-lowest),
        // The walk from the end is at `sum` less what it still has before it.
        Direction::Backward => (sum - lowest).max(highest - sum),
    };
    let z = farthest as f64;
    let between =
        |low: f64, high: f64| (normal(high * z / n.sqrt()) - normal(low * z / n.sqrt())).max(0.0);
    let steps = |from: f64| {
        let (first, last) = (((from - n / z) / 4.0).ceil(), ((n / z - 1.0) / 4.0).floor());
        (first as i64..=last as i64).map(|i| 4.0 * i as f64)
    };
    let inside: f64 = steps(1.0).map(|i| between(i - 1.0, i + 1.0)).sum();
    let beyond: f64 = steps(-3.0).map(|i| between(i + 1.0, i + 3.0)).sum();
    Values::one_sided((1.0 - inside + beyond).clamp(0.0, 1.0))
}

/// How many standard deviations more ones than zeros there are.
fn excess(ones: usize, n: usize) -> f64 {
    (2.0 * ones as f64 - n as f64) / (n as f64).sqrt()
}

/// The standard normal distribution function.
fn normal(x: f64) -> f64 {
    (1.0 + erf(x / std::f64::consts::SQRT_2)) / 2.0
}
