//! SM2's arithmetic in 64-bit limbs on any processor.

use super::invert::{Modulus, twenty_steps};
use crate::arch::sm2::{
    Arithmetic, Limbs, N, ONE_N, ONE_P, P, R2_N, R2_P, barrier, choose, negative_inverse,
};

/// p, for inversion.
pub(crate) const MODULUS_P: Modulus = Modulus::new(&P);
/// n, for inversion.
pub(crate) const MODULUS_N: Modulus = Modulus::new(&N);

/// Arithmetic without special instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Arithmetic for Portable {
    #[inline(always)]
    fn mul_p(self, a: &Limbs, b: &Limbs) -> Limbs {
        montgomery_p(multiply(a, b))
    }

    #[inline(always)]
    fn sqr_p(self, a: &Limbs) -> Limbs {
        montgomery_p(square(a))
    }

    #[inline(always)]
    fn add_p(self, a: &Limbs, b: &Limbs) -> Limbs {
        add(a, b, &ONE_P)
    }

    #[inline(always)]
    fn sub_p(self, a: &Limbs, b: &Limbs) -> Limbs {
        sub(a, b, &P)
    }

    #[inline(always)]
    fn half_p(self, a: &Limbs) -> Limbs {
        half(a, &P)
    }

    #[inline(always)]
    fn mul_n(self, a: &Limbs, b: &Limbs) -> Limbs {
        montgomery_n(multiply(a, b))
    }

    #[inline(always)]
    fn add_n(self, a: &Limbs, b: &Limbs) -> Limbs {
        add(a, b, &ONE_N)
    }

    #[inline(always)]
    fn sub_n(self, a: &Limbs, b: &Limbs) -> Limbs {
        sub(a, b, &N)
    }

    fn inv_p(self, a: &Limbs) -> Limbs {
        MODULUS_P.invert(a, &R2_P, twenty_steps)
    }

    fn inv_p_vartime(self, a: &Limbs) -> Limbs {
        MODULUS_P.invert_vartime(a, &R2_P)
    }

    fn inv_n(self, a: &Limbs) -> Limbs {
        MODULUS_N.invert(a, &R2_N, twenty_steps)
    }

    #[inline(always)]
    fn lookup<const N: usize>(self, table: &[[u64; N]], index: u64) -> [u64; N] {
        let mut found = [0; N];
        for (i, entry) in (0..).zip(table) {
            let mask = equal(i, index);
            for (found, limb) in found.iter_mut().zip(entry) {
                *found |= limb & mask;
            }
        }
        found
    }
}

/// All ones if a = b, or else zero.
#[inline(always)]
fn equal(a: u64, b: u64) -> u64 {
    let difference = a ^ b;
    barrier(((difference | difference.wrapping_neg()) >> 63).wrapping_sub(1))
}

/// a + b + carry, and the carry out.
#[inline(always)]
fn adc(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry);
    (sum, (first | second) as u64)
}

/// a - b - borrow, and the borrow out.
#[inline(always)]
fn sbb(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow);
    (difference, (first | second) as u64)
}

/// a b + c + carry, which is below 2^128, as low and high limb.
#[inline(always)]
fn mac(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let sum = u128::from(a) * u128::from(b) + u128::from(c) + u128::from(carry);
    (sum as u64, (sum >> 64) as u64)
}

#[inline(always)]
fn add_limbs(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = adc(a[0], b[0], 0);
    let (r1, c) = adc(a[1], b[1], c);
    let (r2, c) = adc(a[2], b[2], c);
    let (r3, c) = adc(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

#[inline(always)]
fn sub_limbs(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = sbb(a[0], b[0], 0);
    let (r1, c) = sbb(a[1], b[1], c);
    let (r2, c) = sbb(a[2], b[2], c);
    let (r3, c) = sbb(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// a + 2^256 high, which is below 2 m, modulo m; `r` is 2^256 - m.
#[inline(always)]
fn reduce_once(a: &Limbs, high: u64, r: &Limbs) -> Limbs {
    // Not below m if adding 2^256 - m carries.
    let (reduced, carry) = add_limbs(a, &r.map(barrier));
    choose(a, &reduced, (high | carry).wrapping_neg())
}

#[inline(always)]
fn add(a: &Limbs, b: &Limbs, r: &Limbs) -> Limbs {
    let (sum, carry) = add_limbs(a, b);
    reduce_once(&sum, carry, r)
}

#[inline(always)]
fn sub(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
    let (difference, borrow) = sub_limbs(a, b);
    let mask = barrier(borrow.wrapping_neg());
    add_limbs(&difference, &core::array::from_fn(|i| m[i] & mask)).0
}

/// a / 2, or (a + m) / 2 if a is odd.
#[inline(always)]
fn half(a: &Limbs, m: &Limbs) -> Limbs {
    let mask = barrier((a[0] & 1).wrapping_neg());
    let (sum, carry) = add_limbs(a, &core::array::from_fn(|i| m[i] & mask));
    [
        sum[0] >> 1 | sum[1] << 63,
        sum[1] >> 1 | sum[2] << 63,
        sum[2] >> 1 | sum[3] << 63,
        sum[3] >> 1 | carry << 63,
    ]
}

#[inline(always)]
fn multiply(a: &Limbs, b: &Limbs) -> [u64; 8] {
    let [t0, high @ ..] = add_row([0; 4], a, b[0]);
    let [t1, high @ ..] = add_row(high, a, b[1]);
    let [t2, high @ ..] = add_row(high, a, b[2]);
    let [t3, t4, t5, t6, t7] = add_row(high, a, b[3]);
    [t0, t1, t2, t3, t4, t5, t6, t7]
}

/// t + a b.
#[inline(always)]
fn add_row(t: Limbs, a: &Limbs, b: u64) -> [u64; 5] {
    let [(l0, h0), (l1, h1), (l2, h2), (l3, h3)] = a.map(|limb| mac(limb, b, 0, 0));
    let (r0, c) = adc(t[0], l0, 0);
    let (r1, c) = adc(t[1], l1, c);
    let (r2, c) = adc(t[2], l2, c);
    let (r3, c) = adc(t[3], l3, c);
    let r4 = h3 + c;
    let (r1, c) = adc(r1, h0, 0);
    let (r2, c) = adc(r2, h1, c);
    let (r3, c) = adc(r3, h2, c);
    [r0, r1, r2, r3, r4 + c]
}

#[inline(always)]
fn square(a: &Limbs) -> [u64; 8] {
    // The products of different limbs, once.
    let (t1, c) = mac(a[0], a[1], 0, 0);
    let (t2, c) = mac(a[0], a[2], 0, c);
    let (t3, t4) = mac(a[0], a[3], 0, c);
    let (t3, c) = mac(a[1], a[2], t3, 0);
    let (t4, t5) = mac(a[1], a[3], t4, c);
    let (t5, t6) = mac(a[2], a[3], t5, 0);
    // Twice these, and the squares of the limbs.
    let (t1, c) = adc(t1, t1, 0);
    let (t2, c) = adc(t2, t2, c);
    let (t3, c) = adc(t3, t3, c);
    let (t4, c) = adc(t4, t4, c);
    let (t5, c) = adc(t5, t5, c);
    let (t6, t7) = adc(t6, t6, c);
    let [(t0, h0), (l1, h1), (l2, h2), (l3, h3)] = a.map(|limb| mac(limb, limb, 0, 0));
    let (t1, c) = adc(t1, h0, 0);
    let (t2, c) = adc(t2, l1, c);
    let (t3, c) = adc(t3, h1, c);
    let (t4, c) = adc(t4, l2, c);
    let (t5, c) = adc(t5, h2, c);
    let (t6, c) = adc(t6, l3, c);
    [t0, t1, t2, t3, t4, t5, t6, t7 + h3 + c]
}

/// t 2^-256 mod p, for t below 2^256 p.
///
/// -p^-1 mod 2^64 is 1, so the lowest limb l vanishes by adding
/// l p = l (2^256 - 2^224 - 2^96 + 2^64 - 1), without a multiplication.
#[inline(always)]
fn montgomery_p(t: [u64; 8]) -> Limbs {
    let mut low = [t[0], t[1], t[2], t[3]];
    for _ in 0..4 {
        let l = low[0];
        let (s, h) = (l << 32, l >> 32);
        let (w0, b) = sbb(s, l, 0);
        let w1 = h - b;
        let (r0, b) = sbb(low[1], w0, 0);
        let (r1, b) = sbb(low[2], w1, b);
        let (r2, b) = sbb(low[3], s, b);
        let r3 = l.wrapping_sub(h).wrapping_sub(b);
        low = [r0, r1, r2, r3];
    }
    let (sum, carry) = add_limbs(&low, &[t[4], t[5], t[6], t[7]]);
    reduce_once(&sum, carry, &ONE_P)
}

/// t 2^-256 mod n, for t below 2^256 n.
#[inline(always)]
fn montgomery_n(t: [u64; 8]) -> Limbs {
    let mut low = [t[0], t[1], t[2], t[3]];
    for _ in 0..4 {
        let l = low[0].wrapping_mul(const { negative_inverse(N[0]) });
        let [_, high @ ..] = add_row(low, &N, l);
        low = high;
    }
    let (sum, carry) = add_limbs(&low, &[t[4], t[5], t[6], t[7]]);
    reduce_once(&sum, carry, &ONE_N)
}
