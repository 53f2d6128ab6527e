//! GHASH (NIST SP 800-38D, 6.4) without carry-less multiplication instructions and without tables.
//!
//! Polynomials are multiplied by integer multiplication "with holes": with only every fourth bit in
//! use, sums of up to 15 bits carry into the three bits above, which are masked off (T. Pornin,
//! <https://www.bearssl.org/constanttime.html>). Integer multiplication takes constant time on
//! x86-64 and on the application processors of ARMv8-A; on some small cores (ARM Cortex-M3, early
//! PowerPC) it does not, and there this code does not either.

use std::array;

use zeroize::ZeroizeOnDrop;

/// The hash key H, times x^-1, for the reason given at [`Key::mul`].
#[derive(Clone, ZeroizeOnDrop)]
pub(in crate::arch) struct Key(u128);

impl Key {
    pub(in crate::arch) fn new(h: &[u8; 16]) -> Self {
        // x^-1 = x^127 + x^6 + x + 1, since x^128 = x^7 + x^2 + x + 1.
        const X_INVERSE: u128 = 1 | 1 << 121 | 1 << 126 | 1 << 127;
        let h = u128::from_be_bytes(*h);
        Self(h << 1 ^ (h >> 127).wrapping_neg() & X_INVERSE)
    }

    /// For each of `blocks`: state = (state + block) H.
    pub(in crate::arch) fn absorb(&self, state: &mut [u8; 16], blocks: &[[u8; 16]]) {
        let mut y = u128::from_be_bytes(*state);
        for block in blocks {
            y = self.mul(y ^ u128::from_be_bytes(*block));
        }
        *state = y.to_be_bytes();
    }

    /// y H in GF(2^128), bit 127 - i of a number being the coefficient of x^i.
    ///
    /// In the 255 bits of a product that order makes bit 254 - i the coefficient of x^i; read as
    /// 256 bits, it is x times the product, which the key's x^-1 makes up for.
    #[inline]
    fn mul(&self, y: u128) -> u128 {
        let [y0, y1] = halves(y);
        let [h0, h1] = halves(self.0);
        let low = polynomial_mul(y0, h0);
        let high = polynomial_mul(y1, h1);
        let middle = polynomial_mul(y0 ^ y1, h0 ^ h1) ^ low ^ high;
        reduce(high ^ middle >> 64, low ^ middle << 64)
    }
}

/// The lower and the upper half.
fn halves(a: u128) -> [u64; 2] {
    [a as u64, (a >> 64) as u64]
}

/// The product of polynomials, bit i being the coefficient of x^i.
#[inline]
fn polynomial_mul(a: u64, b: u64) -> u128 {
    /// The bits whose numbers are 0 modulo 4.
    const CLASS: u128 = u128::MAX / 15;

    // Without its four highest bits, b has only 15 in each class, and no sum is greater.
    let mut product = 0;
    for k in 0..4 {
        product ^= u128::from(a & (b >> (60 + k) & 1).wrapping_neg()) << (60 + k);
    }
    let a: [u64; 4] = array::from_fn(|i| a & (CLASS as u64) << i);
    let b: [u64; 4] = array::from_fn(|i| b << 4 >> 4 & (CLASS as u64) << i);
    for k in 0..4 {
        let sum = (0..4).fold(0, |sum, i| {
            sum ^ (u128::from(a[i]) * u128::from(b[(k + 4 - i) % 4]))
        });
        product ^= sum & CLASS << k;
    }
    product
}

/// The remainder modulo x^128 + x^7 + x^2 + x + 1 of a 256-bit number, whose bit 255 - i is the
/// coefficient of x^i.
fn reduce(high: u128, low: u128) -> u128 {
    // low stands for x^128 and above: low x^128 = low (1 + x + x^2 + x^7), and what that shifts out
    // at the right is once more x^128 and above.
    let low = low ^ low << 127 ^ low << 126 ^ low << 121;
    high ^ low ^ low >> 1 ^ low >> 2 ^ low >> 7
}

#[cfg(test)]
mod tests {
    use ghash::GHash;
    use ghash::universal_hash::UniversalHash;

    use super::*;

    type Block = [u8; 16];

    #[test]
    fn polynomials_are_multiplied() {
        let edges = (0..64)
            .flat_map(|bit| [1 << bit, !(1 << bit), u64::MAX << bit, u64::MAX >> bit])
            .chain((0..4).map(|i| 0x1111111111111111 << i))
            .chain([0, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa]);
        let edges: Vec<u64> = edges.collect();
        for &a in &edges {
            for &b in &edges {
                let expected = (0..64)
                    .filter(|bit| b >> bit & 1 == 1)
                    .fold(0, |sum, bit| sum ^ u128::from(a) << bit);
                assert_eq!(polynomial_mul(a, b), expected, "{a:x} {b:x}");
            }
        }
    }

    #[test]
    fn agrees_with_rustcrypto_for_every_number_of_blocks() {
        for count in 0..=70 {
            let blocks: Vec<Block> = (0..count).map(|_| random()).collect();
            agree(&random(), &random(), &blocks);
        }
    }

    #[test]
    fn agrees_with_rustcrypto_on_edge_values() {
        let edges: Vec<Block> = [0x00, 0xff, 0x80, 0x01, 0x11, 0x88, 0x55, 0xaa]
            .map(|byte| [byte; 16])
            .into_iter()
            .chain((0..128).map(|bit| (1u128 << bit).to_be_bytes()))
            .collect();
        for h in &edges {
            for block in &edges {
                agree(h, &[0; 16], &[*block]);
            }
        }
    }

    /// That a state is carried on, too: it is what a first block would have been.
    fn agree(h: &Block, state: &Block, blocks: &[Block]) {
        let mut ours = [0; 16];
        Key::new(h).absorb(&mut ours, &[*state]);
        Key::new(h).absorb(&mut ours, blocks);
        let mut judge = GHash::new(h.into());
        judge.update(&[(*state).into()]);
        for block in blocks {
            judge.update(&[(*block).into()]);
        }
        assert_eq!(ours, judge.finalize()[..], "{} blocks", blocks.len());
    }

    fn random() -> Block {
        let mut block = [0; 16];
        getrandom::fill(&mut block).unwrap();
        block
    }
}
