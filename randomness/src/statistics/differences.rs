//! Bits compared with later ones (5.8, 5.9).

use super::{Values, frequency};
use crate::bits::Bits;

/// 5.8 Binary derivative: neighbours XORed, `k` times over, are as often one as zero.
pub fn binary_derivative(bits: &Bits, k: usize) -> Values {
    match k {
        0 => frequency(bits),
        _ => binary_derivative(&bits.differences(1), k - 1),
    }
}

/// 5.9 Autocorrelation: a bit says nothing of the one `d` after it.
pub fn autocorrelation(bits: &Bits, d: usize) -> Values {
    frequency(&bits.differences(d))
}
