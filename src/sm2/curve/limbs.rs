//! Numbers below 2^256, before and after they are scalars or elements of the field.

use crate::arch::sm2::Limbs;

/// Reads 32 big-endian bytes.
pub(super) const fn from_be_bytes(bytes: &[u8; 32]) -> Limbs {
    let mut limbs = [0; 4];
    let mut i = 0;
    while i < 32 {
        limbs[3 - i / 8] = limbs[3 - i / 8] << 8 | bytes[i] as u64;
        i += 1;
    }
    limbs
}

/// 32 big-endian bytes.
pub(super) fn to_be_bytes(limbs: &Limbs) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(limbs.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

/// a - b modulo 2^256, and all ones if a < b or else zero.
pub(super) fn subtract(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let mut borrow = 0;
    let difference = std::array::from_fn(|i| {
        let wide = u128::from(a[i])
            .wrapping_sub(u128::from(b[i]))
            .wrapping_sub(borrow);
        borrow = wide >> 127;
        wide as u64
    });
    (difference, (borrow as u64).wrapping_neg())
}

/// All ones if a < b, or else zero.
pub(super) fn is_below(a: &Limbs, b: &Limbs) -> u64 {
    subtract(a, b).1
}

/// `width` bits, fewer than 64, from bit `from` upwards; bits above the top are 0.
#[inline(always)]
pub(super) fn bits(limbs: &Limbs, from: usize, width: usize) -> u64 {
    let limb = |i: usize| limbs.get(i).copied().unwrap_or(0);
    let (i, shift) = (from / 64, from % 64);
    // Twice, since a shift by 64 is none.
    let joined = limb(i) >> shift | limb(i + 1) << 1 << (63 - shift);
    joined & ((1 << width) - 1)
}
