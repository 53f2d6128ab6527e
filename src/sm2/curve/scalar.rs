//! Integers modulo n.

use std::ops::{Add, Sub};

use zeroize::{DefaultIsZeroes, Zeroize, Zeroizing};

use super::limbs::{from_be_bytes, is_below, subtract, to_be_bytes};
use crate::arch::ct::declassify;
use crate::arch::sm2::{Arithmetic, Kernel, Limbs, N, Operation, R2_N, choose, is_equal, is_zero};

/// An integer modulo n, as a number below n.
#[derive(Clone, Copy, Default)]
pub(in crate::sm2) struct Scalar(Limbs);

/// An integer modulo n to multiply others by: in Montgomery form, so that a product with a [`Scalar`]
/// is a [`Scalar`].
#[derive(Clone, Copy, Default)]
pub(in crate::sm2) struct Factor(Limbs);

impl Scalar {
    pub(in crate::sm2) const ONE: Self = Self([1, 0, 0, 0]);

    /// Reads 32 big-endian bytes; `None` if they are 0 or not below n.
    pub(in crate::sm2) fn nonzero(bytes: &[u8; 32]) -> Option<Self> {
        let limbs = Zeroizing::new(from_be_bytes(bytes));
        let good = is_below(&limbs, &N) & !is_zero(&limbs);
        // What is out of range is refused or drawn again, and that may be seen.
        declassify(good != 0).then(|| Self(*limbs))
    }

    /// 32 big-endian bytes modulo n.
    pub(in crate::sm2) fn reduce(bytes: &[u8; 32]) -> Self {
        Self::reduce_number(&from_be_bytes(bytes))
    }

    /// A number below 2^256 modulo n; one subtraction does it, since 2^256 < 2n.
    pub(super) fn reduce_number(number: &Limbs) -> Self {
        let (reduced, below) = subtract(number, &N);
        Self(choose(&reduced, number, below))
    }

    /// 32 big-endian bytes.
    pub(in crate::sm2) fn to_bytes(self) -> [u8; 32] {
        to_be_bytes(&self.0)
    }

    /// The number below n.
    pub(super) fn number(&self) -> &Limbs {
        &self.0
    }

    /// In constant time. The answer may be seen: zero is refused or drawn again wherever this is asked.
    pub(in crate::sm2) fn is_zero(&self) -> bool {
        declassify(is_zero(&self.0) != 0)
    }
}

impl Factor {
    pub(in crate::sm2) fn new(scalar: &Scalar) -> Self {
        Self(compute(Product(&scalar.0, &R2_N)))
    }

    /// 1 / scalar, in constant time; 0 for 0.
    pub(in crate::sm2) fn inverse_of(scalar: &Scalar) -> Self {
        let mut inverse = compute(Inverse(&scalar.0));
        // The inverse of a plain number has one factor 2^256 more than a Montgomery form.
        let factor = Self(compute(Product(&inverse, &[1, 0, 0, 0])));
        inverse.zeroize();
        factor
    }

    /// self x.
    pub(in crate::sm2) fn times(&self, x: &Scalar) -> Scalar {
        Scalar(compute(Product(&self.0, &x.0)))
    }
}

/// What is computed modulo n.
enum ModN<'a> {
    Sum(&'a Limbs, &'a Limbs),
    Difference(&'a Limbs, &'a Limbs),
    Product(&'a Limbs, &'a Limbs),
    Inverse(&'a Limbs),
}

use ModN::*;

impl Operation for ModN<'_> {
    type Output = Limbs;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Limbs {
        match self {
            Sum(a, b) => arithmetic.add_n(a, b),
            Difference(a, b) => arithmetic.sub_n(a, b),
            Product(a, b) => arithmetic.mul_n(a, b),
            Inverse(a) => arithmetic.inv_n(a),
        }
    }
}

fn compute(operation: ModN<'_>) -> Limbs {
    Kernel::select().run(operation)
}

impl Add for Scalar {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(compute(Sum(&self.0, &other.0)))
    }
}

impl Sub for Scalar {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(compute(Difference(&self.0, &other.0)))
    }
}

/// In constant time.
impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        is_equal(&self.0, &other.0) != 0
    }
}

impl Eq for Scalar {}

impl DefaultIsZeroes for Scalar {}
impl DefaultIsZeroes for Factor {}
