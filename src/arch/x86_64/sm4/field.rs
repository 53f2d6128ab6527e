//! SM4's round in the field of AES, derived from the two definitions.
//!
//! SM4's S-box is S(x) = A inv(A x + c) + c, with the inverse in GF(2)[z]/(z^8 + z^7 + z^6 + z^5 +
//! z^4 + z^2 + 1), where AES and GFNI invert modulo z^8 + z^4 + z^3 + z + 1. With psi, an isomorphism
//! from the one to the other,
//!
//! > S(x) = A psi^-1 inv(psi A x + psi c) + c.
//!
//! The words of SM4's state are kept as phi(x) = psi A x, byte by byte. Then the argument of the
//! inverse is a plain sum of state words and a round key that is kept in the same form with psi c
//! added, and nothing has to be computed before the inversion.
//!
//! What follows the inversion is linear, L after A psi^-1 before phi, and is computed at once. With
//! the word's bytes numbered from the least significant, L(B) = B + (B <<< 2) + (B <<< 10) +
//! (B <<< 18) + (B <<< 24) is byte by byte
//!
//! > L(B)_j = M0 B_j + M1 B_(j-1) + M1 B_(j-2) + M3 B_(j-3),
//! > M0 = 1 + (<< 2), M1 = (<< 2) + (>> 6), M3 = 1 + (>> 6) = M0 + M1,
//!
//! as a rotation by 8 k + 2 takes six bits from one byte and two from the byte below.

/// A linear map on bytes: the images of 1, 2, 4, .. 128.
pub(super) type Matrix = [u8; 8];

/// An affine map on bytes.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    pub(super) matrix: Matrix,
    pub(super) constant: u8,
}

/// phi, from SM4's bytes to the field's.
pub(super) const PHI: Affine = linear(product(PSI, A));
/// phi^-1.
pub(super) const PHI_INVERSE: Affine = linear(inverse(PHI.matrix));
/// psi c: what the argument of the inversion has beside the words of the state.
pub(super) const ARGUMENT: u8 = apply(PSI, C);

/// The maps of a linear transformation of words: the one from byte j - k to byte j is `maps[k]`.
///
/// Each goes from an inverse in AES's field to a byte of state; the constants are all in the first.
const fn round_maps(maps: [Matrix; 4]) -> [Affine; 4] {
    let after_inverse = product(A, inverse(PSI));
    let mut out = [linear([0; 8]); 4];
    let mut k = 0;
    while k < 4 {
        let from_byte = product(PHI.matrix, maps[k]);
        out[k].matrix = product(from_byte, after_inverse);
        out[0].constant ^= apply(from_byte, C);
        k += 1;
    }
    out
}

/// M0, M1, M1, M3 of the round function's L, after an inversion.
pub(super) const ROUND: [Affine; 4] = {
    let rotation = sum(shift_left(2), shift_right(6));
    round_maps([
        sum(IDENTITY, shift_left(2)),
        rotation,
        rotation,
        sum(IDENTITY, shift_right(6)),
    ])
};

/// The same for the key schedule's L'(B) = B + (B <<< 13) + (B <<< 23), where 13 = 8 + 5 and
/// 23 = 16 + 7.
pub(super) const KEY_ROUND: [Affine; 4] = round_maps([
    IDENTITY,
    shift_left(5),
    sum(shift_right(3), shift_left(7)),
    shift_right(1),
]);

/// FK of the key schedule (GB/T 32907-2016, 7.3).
pub(super) const FK: [u8; 16] = 0xa3b1bac6_56aa3350_677d9197_b27022dc_u128.to_be_bytes();

/// CK of the key schedule, phi of each byte, first byte first, with what the argument of the
/// inversion needs: byte j of CK(i) is 7 (4 i + j) modulo 256.
pub(super) const CK: [u32; 32] = {
    let mut out = [0; 32];
    let mut i = 0;
    while i < 128 {
        let byte = apply(PHI.matrix, (7 * i % 256) as u8) ^ ARGUMENT;
        out[i / 4] |= (byte as u32) << (8 * (i % 4));
        i += 1;
    }
    out
};

/// What follows AESENCLAST: its result is B inv(x) + key. With 0x63 for the key, only B is to undo.
pub(super) const fn after_aes(map: Affine) -> Affine {
    // AES's affine map is 1 + (<<< 1) + (<<< 2) + (<<< 3) + (<<< 4) (FIPS 197, 5.1.1).
    let mut b = [0; 8];
    let mut i = 0;
    while i < 8 {
        let x = 1u8 << i;
        b[i] = x ^ x.rotate_left(1) ^ x.rotate_left(2) ^ x.rotate_left(3) ^ x.rotate_left(4);
        i += 1;
    }
    Affine {
        matrix: product(map.matrix, inverse(b)),
        constant: map.constant,
    }
}

/// AESENCLAST's own constant: SubBytes(0).
pub(super) const AES_CONSTANT: u8 = 0x63;

/// An affine map as two tables for PSHUFB, of the low and of the high nibble.
pub(super) const fn nibbles(map: Affine) -> [[u8; 16]; 2] {
    let mut tables = [[0; 16]; 2];
    let mut i = 0;
    while i < 16 {
        tables[0][i] = apply(map.matrix, i as u8) ^ map.constant;
        tables[1][i] = apply(map.matrix, (i as u8) << 4);
        i += 1;
    }
    tables
}

/// A matrix as GFNI has it, twice: row i, the inputs of output bit i, is byte 7 - i.
pub(super) const fn gfni(matrix: Matrix) -> [u8; 16] {
    let mut out = [0; 16];
    let mut i = 0;
    while i < 8 {
        let mut j = 0;
        while j < 8 {
            let bit = (matrix[j] >> i & 1) << j;
            out[7 - i] |= bit;
            out[15 - i] |= bit;
            j += 1;
        }
        i += 1;
    }
    out
}

/// A of SM4's S-box: row i has the bits of 0xa7 rotated left by i.
const A: Matrix = {
    let mut a = [0; 8];
    let mut row = 0;
    while row < 8 {
        let mut column = 0;
        while column < 8 {
            a[column] |= (0xa7u8.rotate_left(row) >> column & 1) << row;
            column += 1;
        }
        row += 1;
    }
    a
};

/// c of SM4's S-box.
const C: u8 = 0xd3;

/// Modulus of SM4's field.
const SM4_MODULUS: u16 = 0x1f5;
/// Modulus of AES's field.
const AES_MODULUS: u16 = 0x11b;

/// psi: z goes to a root of SM4's modulus in AES's field.
const PSI: Matrix = {
    let mut root = 2;
    while evaluate(SM4_MODULUS, root) != 0 {
        root += 1;
    }
    let mut psi = [1; 8];
    let mut i = 1;
    while i < 8 {
        psi[i] = multiply(psi[i - 1], root);
        i += 1;
    }
    psi
};

/// A polynomial's value at a point of AES's field.
const fn evaluate(polynomial: u16, at: u8) -> u8 {
    let (mut value, mut i) = (0, 9);
    while i > 0 {
        i -= 1;
        value = multiply(value, at) ^ (polynomial >> i & 1) as u8;
    }
    value
}

/// The product in AES's field.
const fn multiply(a: u8, b: u8) -> u8 {
    let (mut product, mut i) = (0u16, 8);
    while i > 0 {
        i -= 1;
        product <<= 1;
        product ^= (product >> 8) * AES_MODULUS;
        product ^= (b >> i & 1) as u16 * a as u16;
    }
    product as u8
}

const IDENTITY: Matrix = shift_left(0);

const fn linear(matrix: Matrix) -> Affine {
    Affine {
        matrix,
        constant: 0,
    }
}

const fn shift_left(bits: u32) -> Matrix {
    let mut out = [0; 8];
    let mut i = 0;
    while i < 8 {
        out[i] = ((1u16 << i) << bits) as u8;
        i += 1;
    }
    out
}

const fn shift_right(bits: u32) -> Matrix {
    let mut out = [0; 8];
    let mut i = 0;
    while i < 8 {
        out[i] = (1u8 << i) >> bits;
        i += 1;
    }
    out
}

const fn sum(a: Matrix, b: Matrix) -> Matrix {
    let mut out = [0; 8];
    let mut i = 0;
    while i < 8 {
        out[i] = a[i] ^ b[i];
        i += 1;
    }
    out
}

/// a after b.
const fn product(a: Matrix, b: Matrix) -> Matrix {
    let mut out = [0; 8];
    let mut i = 0;
    while i < 8 {
        out[i] = apply(a, b[i]);
        i += 1;
    }
    out
}

/// The inverse of a map that has one.
const fn inverse(a: Matrix) -> Matrix {
    let mut out = [0; 8];
    let mut x = 0;
    while x < 256 {
        let image = apply(a, x as u8);
        if image.is_power_of_two() {
            out[image.trailing_zeros() as usize] = x as u8;
        }
        x += 1;
    }
    out
}

pub(super) const fn apply(a: Matrix, x: u8) -> u8 {
    let (mut image, mut i) = (0, 0);
    while i < 8 {
        image ^= (x >> i & 1) * a[i];
        i += 1;
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GB/T 32907-2016, table A.1.
    const SBOX: [u8; 256] = [
        0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7, 0x16, 0xb6, 0x14, 0xc2, 0x28, 0xfb, 0x2c,
        0x05, 0x2b, 0x67, 0x9a, 0x76, 0x2a, 0xbe, 0x04, 0xc3, 0xaa, 0x44, 0x13, 0x26, 0x49, 0x86,
        0x06, 0x99, 0x9c, 0x42, 0x50, 0xf4, 0x91, 0xef, 0x98, 0x7a, 0x33, 0x54, 0x0b, 0x43, 0xed,
        0xcf, 0xac, 0x62, 0xe4, 0xb3, 0x1c, 0xa9, 0xc9, 0x08, 0xe8, 0x95, 0x80, 0xdf, 0x94, 0xfa,
        0x75, 0x8f, 0x3f, 0xa6, 0x47, 0x07, 0xa7, 0xfc, 0xf3, 0x73, 0x17, 0xba, 0x83, 0x59, 0x3c,
        0x19, 0xe6, 0x85, 0x4f, 0xa8, 0x68, 0x6b, 0x81, 0xb2, 0x71, 0x64, 0xda, 0x8b, 0xf8, 0xeb,
        0x0f, 0x4b, 0x70, 0x56, 0x9d, 0x35, 0x1e, 0x24, 0x0e, 0x5e, 0x63, 0x58, 0xd1, 0xa2, 0x25,
        0x22, 0x7c, 0x3b, 0x01, 0x21, 0x78, 0x87, 0xd4, 0x00, 0x46, 0x57, 0x9f, 0xd3, 0x27, 0x52,
        0x4c, 0x36, 0x02, 0xe7, 0xa0, 0xc4, 0xc8, 0x9e, 0xea, 0xbf, 0x8a, 0xd2, 0x40, 0xc7, 0x38,
        0xb5, 0xa3, 0xf7, 0xf2, 0xce, 0xf9, 0x61, 0x15, 0xa1, 0xe0, 0xae, 0x5d, 0xa4, 0x9b, 0x34,
        0x1a, 0x55, 0xad, 0x93, 0x32, 0x30, 0xf5, 0x8c, 0xb1, 0xe3, 0x1d, 0xf6, 0xe2, 0x2e, 0x82,
        0x66, 0xca, 0x60, 0xc0, 0x29, 0x23, 0xab, 0x0d, 0x53, 0x4e, 0x6f, 0xd5, 0xdb, 0x37, 0x45,
        0xde, 0xfd, 0x8e, 0x2f, 0x03, 0xff, 0x6a, 0x72, 0x6d, 0x6c, 0x5b, 0x51, 0x8d, 0x1b, 0xaf,
        0x92, 0xbb, 0xdd, 0xbc, 0x7f, 0x11, 0xd9, 0x5c, 0x41, 0x1f, 0x10, 0x5a, 0xd8, 0x0a, 0xc1,
        0x31, 0x88, 0xa5, 0xcd, 0x7b, 0xbd, 0x2d, 0x74, 0xd0, 0x12, 0xb8, 0xe5, 0xb4, 0xb0, 0x89,
        0x69, 0x97, 0x4a, 0x0c, 0x96, 0x77, 0x7e, 0x65, 0xb9, 0xf1, 0x09, 0xc5, 0x6e, 0xc6, 0x84,
        0x18, 0xf0, 0x7d, 0xec, 0x3a, 0xdc, 0x4d, 0x20, 0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39,
        0x48,
    ];

    fn inverse_in_aes_field(x: u8) -> u8 {
        (0..254).fold(1, |power, _| multiply(power, x))
    }

    #[test]
    fn the_algebra_gives_the_standards_s_box() {
        for x in 0..=255u8 {
            let argument = apply(PHI.matrix, x) ^ ARGUMENT;
            let inverse_of_psi = inverse(PSI);
            let s = apply(product(A, inverse_of_psi), inverse_in_aes_field(argument)) ^ C;
            assert_eq!(s, SBOX[usize::from(x)], "S({x:#x})");
        }
    }

    #[test]
    fn the_maps_give_the_round_function() {
        let l: fn(u32) -> u32 =
            |b| b ^ b.rotate_left(2) ^ b.rotate_left(10) ^ b.rotate_left(18) ^ b.rotate_left(24);
        let l_prime: fn(u32) -> u32 = |b| b ^ b.rotate_left(13) ^ b.rotate_left(23);
        for (maps, l) in [(ROUND, l), (KEY_ROUND, l_prime)] {
            for x in (0..1000u32).map(|i| i.wrapping_mul(0x9e37_79b9)) {
                let expected = l(u32::from_ne_bytes(
                    x.to_ne_bytes().map(|byte| SBOX[usize::from(byte)]),
                ));
                let inverses = x
                    .to_le_bytes()
                    .map(|byte| inverse_in_aes_field(apply(PHI.matrix, byte) ^ ARGUMENT));
                let found: [u8; 4] = std::array::from_fn(|j| {
                    let in_field = (0..4).fold(0, |sum, k| {
                        sum ^ apply(maps[k].matrix, inverses[(j + 4 - k) % 4]) ^ maps[k].constant
                    });
                    apply(PHI_INVERSE.matrix, in_field)
                });
                assert_eq!(u32::from_le_bytes(found), expected, "{x:#x}");
            }
        }
    }
}
