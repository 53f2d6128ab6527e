//! Elements of GF(p).

use std::ops::{Add, Mul, Neg, Sub};

use zeroize::Zeroize;

use super::limbs::{from_be_bytes, is_below, to_be_bytes};
use crate::arch::sm2::{Arithmetic, Limbs, ONE_P, P, R2_P, choose, is_zero};

/// An element of GF(p) in Montgomery form, with the arithmetic that computes with it.
#[derive(Clone, Copy)]
pub(super) struct Fe<A> {
    limbs: Limbs,
    arithmetic: A,
}

impl<A: Arithmetic> Fe<A> {
    /// The element with this Montgomery form.
    #[inline(always)]
    pub(super) fn from_montgomery(arithmetic: A, limbs: Limbs) -> Self {
        Self { limbs, arithmetic }
    }

    /// Its Montgomery form.
    #[inline(always)]
    pub(super) fn montgomery(&self) -> Limbs {
        self.limbs
    }

    /// The element of a number below p.
    pub(super) fn from_number(arithmetic: A, number: &Limbs) -> Self {
        Self::from_montgomery(arithmetic, arithmetic.mul_p(number, &R2_P))
    }

    /// The number below p.
    pub(super) fn number(&self) -> Limbs {
        self.arithmetic.mul_p(&self.limbs, &[1, 0, 0, 0])
    }

    /// Reads 32 big-endian bytes; `None` if they are not below p.
    pub(super) fn from_bytes(arithmetic: A, bytes: &[u8; 32]) -> Option<Self> {
        let number = from_be_bytes(bytes);
        (is_below(&number, &P) != 0).then(|| Self::from_number(arithmetic, &number))
    }

    /// 32 big-endian bytes.
    pub(super) fn to_bytes(self) -> [u8; 32] {
        to_be_bytes(&self.number())
    }

    #[inline(always)]
    pub(super) fn one(arithmetic: A) -> Self {
        Self::from_montgomery(arithmetic, ONE_P)
    }

    #[inline(always)]
    pub(super) fn zero(arithmetic: A) -> Self {
        Self::from_montgomery(arithmetic, [0; 4])
    }

    /// 1, by the same arithmetic.
    #[inline(always)]
    pub(super) fn one_beside(&self) -> Self {
        Self::one(self.arithmetic)
    }

    #[inline(always)]
    pub(super) fn square(self) -> Self {
        self.with(self.arithmetic.sqr_p(&self.limbs))
    }

    /// Squared `times` times.
    fn square_times(self, times: usize) -> Self {
        self.with(self.arithmetic.sqr_times_p(&self.limbs, times))
    }

    #[inline(always)]
    pub(super) fn double(self) -> Self {
        self.with(self.arithmetic.double_p(&self.limbs))
    }

    #[inline(always)]
    pub(super) fn half(self) -> Self {
        self.with(self.arithmetic.half_p(&self.limbs))
    }

    /// self b - c d, at the price of one reduction.
    #[inline(always)]
    pub(super) fn mul_sub(self, b: Self, c: Self, d: Self) -> Self {
        self.with(
            self.arithmetic
                .mul_sub_mul_p(&self.limbs, &b.limbs, &c.limbs, &d.limbs),
        )
    }

    /// 1 / self, and 0 for 0.
    pub(super) fn invert(self) -> Self {
        self.with(self.arithmetic.inv_p(&self.limbs))
    }

    /// As [`Fe::invert`], in variable time.
    pub(super) fn invert_vartime(self) -> Self {
        self.with(self.arithmetic.inv_p_vartime(&self.limbs))
    }

    /// A square root, if there is one.
    ///
    /// p = 3 mod 4, so it is the power (p + 1) / 4 = (2^31 - 1) 2^223 + (2^128 - 1) 2^94 + 2^62.
    pub(super) fn sqrt_vartime(self) -> Option<Self> {
        // ones(i) = self^(2^i - 1), and ones(i + j) = ones(i)^(2^j) ones(j).
        let ones_2 = self.square() * self;
        let ones_3 = ones_2.square() * self;
        let ones_6 = ones_3.square_times(3) * ones_3;
        let ones_12 = ones_6.square_times(6) * ones_6;
        let ones_15 = ones_12.square_times(3) * ones_3;
        let ones_30 = ones_15.square_times(15) * ones_15;
        let ones_31 = ones_30.square() * self;
        let ones_32 = ones_31.square() * self;
        let ones_64 = ones_32.square_times(32) * ones_32;
        let ones_128 = ones_64.square_times(64) * ones_64;
        let root = ones_31.square_times(129) * ones_128;
        let root = (root.square_times(32) * self).square_times(62);
        (root.square() == self).then_some(root)
    }

    /// All ones if it is 0, or else zero.
    #[inline(always)]
    pub(super) fn is_zero(&self) -> u64 {
        is_zero(&self.limbs)
    }

    /// `other` where `mask` is all ones, `self` where it is zero.
    #[inline(always)]
    pub(super) fn or(self, other: Self, mask: u64) -> Self {
        self.with(choose(&self.limbs, &other.limbs, mask))
    }

    #[inline(always)]
    fn with(&self, limbs: Limbs) -> Self {
        Self::from_montgomery(self.arithmetic, limbs)
    }
}

impl<A: Arithmetic> Mul for Fe<A> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.with(self.arithmetic.mul_p(&self.limbs, &other.limbs))
    }
}

impl<A: Arithmetic> Add for Fe<A> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.with(self.arithmetic.add_p(&self.limbs, &other.limbs))
    }
}

impl<A: Arithmetic> Sub for Fe<A> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.with(self.arithmetic.sub_p(&self.limbs, &other.limbs))
    }
}

impl<A: Arithmetic> Neg for Fe<A> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        self.with(self.arithmetic.neg_p(&self.limbs))
    }
}

impl<A> Zeroize for Fe<A> {
    fn zeroize(&mut self) {
        self.limbs.zeroize();
    }
}

/// In variable time.
impl<A> PartialEq for Fe<A> {
    fn eq(&self, other: &Self) -> bool {
        self.limbs == other.limbs
    }
}
