//! Wide vectors and GFNI without the instructions, for tests: a machine that lacks them, and
//! valgrind, can still run the generic code that is written for them.
//!
//! A wide vector is a [`super::Pair`]. GFNI's two instructions are made from AES-NI and PSHUFB, in
//! constant time as they are.

use super::{Aes, Gfni, Has128, HasAes128, M128, Pair, Vector};
use crate::arch::cpu::AesAvx;

/// Declares the tokens: each stands for AES-NI and AVX, and names what is emulated with them.
macro_rules! tokens {
    ($($(#[$doc:meta])* $token:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct $token(#[allow(dead_code)] AesAvx);

            impl $token {
                pub(crate) fn check() -> Option<Self> {
                    AesAvx::check().map(Self)
                }
            }

            // SAFETY: `AesAvx` shows so.
            unsafe impl Has128 for $token {}
            // SAFETY: as above.
            unsafe impl HasAes128 for $token {}
        )+
    };
}

tokens! {
    /// VAES and VPCLMULQDQ, 256 bits.
    Vaes256;
    /// GFNI and VPCLMULQDQ, 256 bits.
    Gfni256;
    /// GFNI and VPCLMULQDQ, 512 bits.
    Gfni512;
}

impl Gfni for M128<Gfni256> {
    #[inline(always)]
    fn affine<const CONSTANT: i32>(self, matrix: Self) -> Self {
        // SAFETY: `self` holds the proof.
        unsafe { affine(self, matrix, CONSTANT as u8) }
    }

    #[inline(always)]
    fn affine_of_inverse<const CONSTANT: i32>(self, matrix: Self) -> Self {
        // SAFETY: `self` holds the proof.
        unsafe { affine(inverse(self), matrix, CONSTANT as u8) }
    }
}

impl Gfni for M128<Gfni512> {
    #[inline(always)]
    fn affine<const CONSTANT: i32>(self, matrix: Self) -> Self {
        // SAFETY: `self` holds the proof.
        unsafe { affine(self, matrix, CONSTANT as u8) }
    }

    #[inline(always)]
    fn affine_of_inverse<const CONSTANT: i32>(self, matrix: Self) -> Self {
        // SAFETY: `self` holds the proof.
        unsafe { affine(inverse(self), matrix, CONSTANT as u8) }
    }
}

impl<V: Gfni> Gfni for Pair<V> {
    #[inline(always)]
    fn affine<const CONSTANT: i32>(self, matrix: Self) -> Self {
        Self(
            self.0.affine::<CONSTANT>(matrix.0),
            self.1.affine::<CONSTANT>(matrix.1),
        )
    }

    #[inline(always)]
    fn affine_of_inverse<const CONSTANT: i32>(self, matrix: Self) -> Self {
        Self(
            self.0.affine_of_inverse::<CONSTANT>(matrix.0),
            self.1.affine_of_inverse::<CONSTANT>(matrix.1),
        )
    }
}

/// GF2P8AFFINEQB: bit i of the result is the parity of x AND byte 7 - i of the matrix. Both halves
/// of `matrix` must be the same.
#[inline(never)]
#[target_feature(enable = "ssse3,aes,avx")]
fn affine<P: HasAes128>(x: M128<P>, matrix: M128<P>, constant: u8) -> M128<P> {
    let mut rows = [0; 16];
    matrix.store(&mut rows);
    let tables = tables(&rows);
    let mask = x.constant([0x0f; 16]);
    x.constant(tables[0]).shuffle(x & mask)
        ^ x.constant(tables[1]).shuffle(x.shift_right_4() & mask)
        ^ x.constant([constant; 16])
}

/// The multiples of the low and of the high nibbles.
const fn tables(rows: &[u8; 16]) -> [[u8; 16]; 2] {
    let mut tables = [[0; 16]; 2];
    let mut column = 0;
    while column < 8 {
        let (mut image, mut bit) = (0, 0);
        while bit < 8 {
            image |= (rows[7 - bit] >> column & 1) << bit;
            bit += 1;
        }
        let (table, new) = (&mut tables[column / 4], 1 << (column % 4));
        let mut i = 0;
        while i < new {
            table[new + i] = table[i] ^ image;
            i += 1;
        }
        column += 1;
    }
    tables
}

/// The inverse of each byte in AES's field: SubBytes without its affine map.
#[inline(never)]
#[target_feature(enable = "ssse3,aes,avx")]
fn inverse<P: HasAes128>(x: M128<P>) -> M128<P> {
    // ShiftRows undone beforehand: row r of column c comes from column c - r.
    const UNDONE: [u8; 16] = [0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3];
    // The inverse of the affine map is (<<< 1) + (<<< 3) + (<<< 6) (FIPS 197, 5.3.2).
    const B_INVERSE: [[u8; 16]; 2] = {
        let mut rows = [0; 16];
        let mut bit = 0;
        while bit < 8 {
            rows[7 - bit] = 0b1010_0100u8.rotate_left(bit as u32);
            bit += 1;
        }
        tables(&rows)
    };
    let mask = x.constant([0x0f; 16]);
    let x = x
        .shuffle(x.constant(UNDONE))
        .aes_last_round(x.constant([0x63; 16]));
    x.constant(B_INVERSE[0]).shuffle(x & mask)
        ^ x.constant(B_INVERSE[1]).shuffle(x.shift_right_4() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::cpu::GfniAvx2;

    /// The product in AES's field.
    fn multiply(a: u8, b: u8) -> u8 {
        let mut product = 0u16;
        for i in (0..8).rev() {
            product <<= 1;
            product ^= (product >> 8) * 0x11b;
            product ^= u16::from(b >> i & 1) * u16::from(a);
        }
        product as u8
    }

    #[target_feature(enable = "ssse3,aes,avx")]
    fn emulated(token: Gfni256, x: &[u8; 16], matrix: [u8; 16]) -> [[u8; 16]; 2] {
        let mut out = [[0; 16]; 2];
        let (x, matrix) = (M128::load(token, x), M128::load(token, &matrix));
        x.affine::<0xa5>(matrix).store(&mut out[0]);
        x.affine_of_inverse::<0xa5>(matrix).store(&mut out[1]);
        out
    }

    #[target_feature(enable = "avx,gfni")]
    fn real(token: GfniAvx2, x: &[u8; 16], matrix: [u8; 16]) -> [[u8; 16]; 2] {
        let mut out = [[0; 16]; 2];
        let (x, matrix) = (M128::load(token, x), M128::load(token, &matrix));
        x.affine::<0xa5>(matrix).store(&mut out[0]);
        x.affine_of_inverse::<0xa5>(matrix).store(&mut out[1]);
        out
    }

    #[test]
    fn the_emulation_is_as_the_manual_and_the_processor_say() {
        let Some(token) = Gfni256::check() else {
            println!("not run on this machine: emulated GFNI");
            return;
        };
        let processor = GfniAvx2::check();
        if processor.is_none() {
            println!("not compared on this machine: GFNI");
        }
        let mut matrix = 0x0123_4567_89ab_cdef_u64;
        for _ in 0..50 {
            matrix = matrix.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let rows = matrix.to_le_bytes();
            let both = [rows, rows].as_flattened().try_into().unwrap();
            for first in (0..=255u8).step_by(16) {
                let x = std::array::from_fn(|i| first + i as u8);
                let map = |x: u8| {
                    (0..8).fold(0xa5, |sum, i| {
                        sum ^ ((rows[7 - i] & x).count_ones() as u8 & 1) << i
                    })
                };
                let inverse = |x: u8| (0..254).fold(1, |power, _| multiply(power, x));
                let expected = [x.map(map), x.map(|x| map(inverse(x)))];
                // SAFETY: the token shows the instructions.
                assert_eq!(unsafe { emulated(token, &x, both) }, expected);
                if let Some(processor) = processor {
                    // SAFETY: the token shows the instructions.
                    assert_eq!(unsafe { real(processor, &x, both) }, expected);
                }
            }
        }
    }
}
