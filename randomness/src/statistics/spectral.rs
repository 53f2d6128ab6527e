//! Periods (5.15).

use std::cell::RefCell;

use realfft::RealFftPlanner;

use super::Values;
use crate::bits::Bits;

thread_local! {
    /// Keeps what it computed for a length.
    static PLANNER: RefCell<RealFftPlanner<f64>> = RefCell::new(RealFftPlanner::new());
}

/// 5.15 Discrete Fourier: 95 % of the first half of the spectrum stay below a height. The variance is
/// n 0.95 0.05 / 3.8; the 2012 edition divided by 4, as NIST SP 800-22 does.
pub fn discrete_fourier(bits: &Bits) -> Values {
    let n = bits.len() as f64;
    let v = low_peaks(bits) as f64 - 0.95 * n / 2.0;
    Values::normal(v / (n * 0.95 * 0.05 / 3.8).sqrt())
}

/// How many of the first half of the peaks are below the height that 95 % should not reach.
fn low_peaks(bits: &Bits) -> usize {
    let transform = PLANNER.with_borrow_mut(|planner| planner.plan_fft_forward(bits.len()));
    let mut signal: Vec<_> = bits
        .iter()
        .map(|bit| if bit { 1.0 } else { -1.0 })
        .collect();
    let mut spectrum = transform.make_output_vec();
    // It only refuses buffers of another length.
    if transform.process(&mut signal, &mut spectrum).is_err() {
        return 0;
    }
    let height = 2.995732274 * bits.len() as f64;
    let half = &spectrum[..bits.len() / 2];
    half.iter().filter(|peak| peak.norm_sqr() < height).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, on lengths of all kinds.
    #[test]
    fn peaks_are_those_of_the_slow_transform() {
        for n in [2, 16, 99, 100, 128, 250] {
            let bits: Bits = (0..n).map(|i: usize| i * i % 11 < 5).collect();
            let signal: Vec<_> = bits
                .iter()
                .map(|bit| if bit { 1.0 } else { -1.0 })
                .collect();
            let low = (0..n / 2).filter(|j| {
                let sum = |part: fn(f64) -> f64| -> f64 {
                    let angle = |k: usize| (j * k % n) as f64 / n as f64 * std::f64::consts::TAU;
                    signal
                        .iter()
                        .enumerate()
                        .map(|(k, x)| x * part(angle(k)))
                        .sum()
                };
                sum(f64::cos).hypot(sum(f64::sin)) < (2.995732274 * n as f64).sqrt()
            });
            assert_eq!(low_peaks(&bits), low.count(), "{n}");
        }
    }
}
