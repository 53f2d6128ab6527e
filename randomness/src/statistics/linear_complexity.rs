//! The shortest linear feedback shift register that makes a block (5.13).

use super::{Values, pearson};
use crate::bits::Bits;

/// Classes of the difference from the expected complexity, from -3 and less to 3 and more.
const PROBABILITIES: [f64; 7] = [0.010417, 0.03125, 0.125, 0.5, 0.25, 0.0625, 0.020833];

/// 5.13 Linear complexity of blocks of `m` bits (at most 1023).
pub fn linear_complexity(bits: &Bits, m: usize) -> Values {
    let blocks = bits.len() / m;
    let sign = if m.is_multiple_of(2) { 1.0 } else { -1.0 };
    let length = m as f64;
    let mean = length / 2.0 + (9.0 - sign) / 36.0 - (length / 3.0 + 2.0 / 9.0) / 2_f64.powf(length);
    let mut counts = [0_u32; 7];
    for block in 0..blocks {
        let block = bits.range(block * m..(block + 1) * m);
        // A polynomial has at most m + 1 coefficients.
        let complexity = match m {
            ..512 => complexity::<8>(block),
            _ => complexity::<16>(block),
        };
        let t = sign * (complexity as f64 - mean) + 2.0 / 9.0;
        counts[((t + 2.5).ceil() as usize).min(6)] += 1;
    }
    let v = counts.iter().zip(PROBABILITIES);
    let v = v.map(|(count, probability)| (f64::from(*count), blocks as f64 * probability));
    Values::chi_square(pearson(v), 6)
}

/// Berlekamp and Massey's algorithm, on polynomials of some words.
fn complexity<const WORDS: usize>(bits: impl Iterator<Item = bool>) -> usize {
    // Bit i of a polynomial is its coefficient of x^i. `earlier` is the connection polynomial before
    // the last change of length, times x for every bit since; bit i of `seen` is the bit i ago.
    let (mut connection, mut earlier, mut seen) = ([0; WORDS], [0; WORDS], [0; WORDS]);
    connection[0] = 1;
    earlier[0] = 1;
    let mut length = 0;
    for (n, bit) in bits.enumerate() {
        seen = shifted(&seen, bit);
        earlier = shifted(&earlier, false);
        let products = connection.iter().zip(&seen);
        let discrepancy = products.fold(0, |sum, (c, s)| sum ^ (c & s));
        if discrepancy.count_ones().is_multiple_of(2) {
            continue;
        }
        let before = connection;
        for (c, e) in connection.iter_mut().zip(&earlier) {
            *c ^= e;
        }
        if 2 * length <= n {
            length = n + 1 - length;
            earlier = before;
        }
    }
    length
}

/// Times x, plus a bit.
fn shifted<const WORDS: usize>(polynomial: &[u64; WORDS], bit: bool) -> [u64; WORDS] {
    std::array::from_fn(|i| {
        let carry = match i {
            0 => u64::from(bit),
            _ => polynomial[i - 1] >> 63,
        };
        polynomial[i] << 1 | carry
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST SP 800-22 rev. 1a, 2.10.8: the example's block 1101011110001 has complexity 4.
    #[test]
    fn complexity_of_nists_example() {
        let block = "1101011110001".chars().map(|c| c == '1');
        assert_eq!(complexity::<8>(block), 4);
    }

    #[test]
    fn a_register_is_found_at_its_length() {
        assert_eq!(complexity::<16>((0..1000).map(|_| false)), 0);
        assert_eq!(complexity::<16>((0..1000).map(|_| true)), 1);
        // The first one comes late: only a register of all that length can wait so long.
        assert_eq!(complexity::<16>((0..1000).map(|i| i == 699)), 700);
        // x^9 + x^5 + 1, as for the bits of ITU-T O.150.
        let mut state = 0x1ff_u32;
        let register = (0..1000).map(|_| {
            let bit = (state >> 8 ^ state >> 4) & 1;
            state = state << 1 | bit;
            bit == 1
        });
        assert_eq!(complexity::<16>(register), 9);
    }
}
