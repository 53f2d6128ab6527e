//! The fifteen tests of clause 5, each with its parameters. Sequences must have at least one whole
//! block of each; a value that does not exist is NaN, which passes nothing.

mod differences;
mod linear_complexity;
mod matrix_rank;
mod ones;
mod patterns;
mod runs;
mod spectral;
mod universal;

use statrs::function::{erf::erfc, gamma::checked_gamma_ur};

pub use differences::{autocorrelation, binary_derivative};
pub use linear_complexity::linear_complexity;
pub use matrix_rank::matrix_rank;
pub use ones::{Direction, block_frequency, cumulative_sums, frequency};
pub use patterns::{approximate_entropy, poker, serial};
pub use runs::{
    LONGEST_8, LONGEST_128, LONGEST_10000, LongestRun, longest_run, run_distribution, runs,
};
pub use spectral::discrete_fourier;
pub use universal::universal;

/// What a test says of one sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Values {
    /// How probable a statistic at least so extreme is for random bits; the sequence passes from
    /// [`ALPHA`](crate::ALPHA) on.
    pub p: f64,
    /// The probability above the statistic, which random bits spread evenly from 0 to 1. The same as
    /// `p` for a test that looks at one side.
    pub q: f64,
}

impl Values {
    /// Of a statistic with the standard normal distribution, of which both sides count.
    fn normal(v: f64) -> Self {
        let v = v / std::f64::consts::SQRT_2;
        Self {
            p: erfc(v.abs()),
            q: erfc(v) / 2.0,
        }
    }

    /// Of a statistic with the chi-square distribution.
    fn chi_square(v: f64, degrees: usize) -> Self {
        Self::one_sided(upper_gamma(degrees as f64 / 2.0, v / 2.0))
    }

    fn one_sided(p: f64) -> Self {
        Self { p, q: p }
    }
}

/// Pearson's statistic.
fn pearson(observed_expected: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    observed_expected
        .into_iter()
        .map(|(observed, expected)| (observed - expected).powi(2) / expected)
        .sum()
}

/// The regularised upper incomplete gamma function.
pub(crate) fn upper_gamma(a: f64, x: f64) -> f64 {
    match x {
        f64::INFINITY => 0.0,
        // A sum of squares that rounding made negative.
        x if x <= 0.0 => 1.0,
        x => checked_gamma_ur(a, x).unwrap_or(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Critical values of the chi-square distribution as tables have them (for one, the NIST/SEMATECH
    /// e-Handbook of Statistical Methods, 1.3.6.7.4) and of the normal distribution.
    #[test]
    fn distributions_have_their_critical_values() {
        for (degrees, v, p) in [
            (1, 3.841, 0.05),
            (9, 16.919, 0.05),
            (9, 21.666, 0.01),
            (100, 135.807, 0.01),
        ] {
            assert!((Values::chi_square(v, degrees).p - p).abs() < 2e-5);
        }
        let normal = Values::normal(-2.575_829);
        assert!((normal.p - 0.01).abs() < 1e-6 && (normal.q - 0.995).abs() < 1e-6);
    }

    #[test]
    fn extremes_have_values() {
        assert_eq!(Values::chi_square(f64::INFINITY, 3).p, 0.0);
        assert_eq!(Values::chi_square(1e9, 3).p, 0.0);
        assert_eq!(Values::chi_square(-1e-12, 3).p, 1.0);
        assert!(Values::chi_square(f64::NAN, 3).p.is_nan());
        assert_eq!(Values::normal(f64::INFINITY).p, 0.0);
        assert_eq!(Values::normal(f64::NEG_INFINITY).q, 1.0);
    }
}
