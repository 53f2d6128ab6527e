//! Whether the sequence could be compressed (5.14).

use super::Values;
use crate::bits::Bits;

/// Bits of a block, L.
const LENGTH: usize = 7;
/// Blocks that are only remembered, Q.
const REMEMBERED: usize = 1280;
/// Mean and variance for this length.
const MEAN: f64 = 6.1962507;
const VARIANCE: f64 = 3.125;

/// 5.14 Maurer's universal test: how long ago each block of 7 bits was there before.
pub fn universal(bits: &Bits) -> Values {
    let mut last = [0_u32; 1 << LENGTH];
    let mut sum = 0.0;
    for (i, value) in (1..).zip(bits.values(LENGTH)) {
        let distance = i - std::mem::replace(&mut last[value as usize], i);
        if i as usize > REMEMBERED {
            sum += f64::from(distance).log2();
        }
    }
    let (l, k) = (
        LENGTH as f64,
        (bits.len() / LENGTH) as f64 - REMEMBERED as f64,
    );
    let c = 0.7 - 0.8 / l + (4.0 + 32.0 / l) * k.powf(-3.0 / l) / 15.0;
    Values::normal((sum / k - MEAN) / (c * (VARIANCE / k).sqrt()))
}
