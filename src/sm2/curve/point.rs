//! The group law of y^2 = x^3 - 3x + b.
//!
//! A chord cannot add a point to itself, nor to infinity, whose z is 0. Three functions add: one
//! that leaves these cases to the caller, one that is complete, and one that is complete in variable
//! time.

use zeroize::Zeroize;

use super::field::Fe;
use super::limbs::from_be_bytes;
use super::{CURVE_PARAMETERS, Point};
use crate::arch::ct::declassify;
use crate::arch::sm2::Arithmetic;

/// A point (x, y) other than infinity.
#[derive(Clone, Copy)]
pub(super) struct Affine<A> {
    pub(super) x: Fe<A>,
    pub(super) y: Fe<A>,
}

/// The point (x / z^2, y / z^3), or infinity where z = 0.
#[derive(Clone, Copy)]
pub(super) struct Jacobian<A> {
    pub(super) x: Fe<A>,
    pub(super) y: Fe<A>,
    pub(super) z: Fe<A>,
}

/// The point (x / zz, y / zzz), or infinity where zz = 0: what a sum of affine points is collected
/// in. It takes one squaring less than in Jacobian coordinates, but doublings would cost more.
#[derive(Clone, Copy)]
pub(super) struct Collected<A> {
    x: Fe<A>,
    y: Fe<A>,
    zz: Fe<A>,
    zzz: Fe<A>,
}

/// The chord through p and q, if z is the common one of both. What it meets has z h.
pub(super) struct Chord<A> {
    /// Zero where both points have the same x.
    h: Fe<A>,
    hh: Fe<A>,
    hhh: Fe<A>,
    /// Zero where both points have the same y.
    r: Fe<A>,
    rr: Fe<A>,
    /// p's x with z h.
    v: Fe<A>,
    y1: Fe<A>,
}

impl<A: Arithmetic> Affine<A> {
    pub(super) fn new(arithmetic: A, point: &Point) -> Self {
        Self {
            x: Fe::from_montgomery(arithmetic, point.x),
            y: Fe::from_montgomery(arithmetic, point.y),
        }
    }

    pub(super) fn point(&self) -> Point {
        Point {
            x: self.x.montgomery(),
            y: self.y.montgomery(),
        }
    }

    /// From an entry of a table.
    #[inline(always)]
    pub(super) fn from_limbs(arithmetic: A, limbs: &[u64; 8]) -> Self {
        let [x, y] = split(arithmetic, limbs);
        Self { x, y }
    }

    /// As an entry of a table.
    pub(super) fn limbs(&self) -> [u64; 8] {
        join([self.x, self.y])
    }

    /// -self where `mask` is all ones, self where it is zero.
    #[inline(always)]
    pub(super) fn negated_if(self, mask: u64) -> Self {
        Self {
            x: self.x,
            y: self.y.or(-self.y, mask),
        }
    }
}

/// x^3 - 3x + b, which is y^2.
pub(super) fn right_side<A: Arithmetic>(arithmetic: A, x: Fe<A>) -> Fe<A> {
    let b = Fe::from_number(arithmetic, &from_be_bytes(&CURVE_PARAMETERS[1]));
    x.square() * x - x.double() - x + b
}

impl<A: Arithmetic> Jacobian<A> {
    #[inline(always)]
    fn new((x, y): (Fe<A>, Fe<A>), z: Fe<A>) -> Self {
        Self { x, y, z }
    }

    pub(super) fn infinity(arithmetic: A) -> Self {
        Self {
            x: Fe::one(arithmetic),
            y: Fe::one(arithmetic),
            z: Fe::zero(arithmetic),
        }
    }

    /// All ones for infinity, or else zero.
    pub(super) fn is_infinity(&self) -> u64 {
        self.z.is_zero()
    }

    /// In constant time; `None` for infinity, which is refused or drawn again and may be seen.
    pub(super) fn affine(&self) -> Option<Affine<A>> {
        let affine = self.scaled(self.z.invert());
        declassify(self.is_infinity() == 0).then_some(affine)
    }

    /// (x / z^2, y / z^3), given 1 / z.
    pub(super) fn scaled(&self, inverse: Fe<A>) -> Affine<A> {
        let square = inverse.square();
        Affine {
            x: self.x * square,
            y: self.y * (square * inverse),
        }
    }

    /// 2 self, for every point.
    pub(super) fn double(&self) -> Self {
        self.double_beside_self().0
    }

    /// 2 self, for every point, and self with the same z, which costs nothing.
    ///
    /// The tangent's slope is m / z with m = 3 (x^2 - z^4) / 2y; as a = -3, its numerator is a
    /// product. A z of half the usual size saves doublings.
    #[inline(always)]
    pub(super) fn double_beside_self(&self) -> (Self, Self) {
        let zz = self.z.square();
        let yy = self.y.square();
        let m = (self.x - zz) * (self.x + zz);
        let xyy = self.x * yy;
        // Here, for what comes next waits for m.
        let z = self.y * self.z;
        let m = m + m.half();
        let mm = m.square();
        let yyyy = yy.square();
        let x = mm - xyy.double();
        let y = m.mul_sub(xyy - x, yy, yy);
        (Self::new((x, y), z), Self::new((xyy, yyyy), z))
    }

    /// 2^times self.
    pub(super) fn double_times(&self, times: usize) -> Self {
        let mut point = *self;
        for _ in 0..times {
            point = point.double();
        }
        point
    }

    /// self + q. The caller knows that self is not infinity and that they are not equal; the sum of
    /// P and -P is right.
    #[inline(always)]
    pub(super) fn add_unequal(&self, q: Affine<A>) -> Self {
        self.add_by(&self.chord(q))
    }

    /// self + q, self with the same z, which costs nothing, and by what self's z was multiplied. The
    /// caller knows that self and q have the same z, and are neither infinity nor equal.
    #[inline(always)]
    pub(super) fn add_beside_self(&self, q: &Self) -> (Self, Self, Fe<A>) {
        let chord = Chord::through((self.x, self.y), (q.x, q.y));
        let sum = self.add_by(&chord);
        (sum, Self::new(chord.p(), sum.z), chord.h)
    }

    /// self + q for every self and q, in constant time.
    pub(super) fn add_complete(&self, q: Affine<A>) -> Self {
        let chord = self.chord(q);
        self.add_by(&chord)
            .or(&self.double(), chord.points_are_equal())
            .or(&q.into(), self.is_infinity())
    }

    /// All ones if it is q, or else zero.
    pub(super) fn is(&self, q: Affine<A>) -> u64 {
        self.chord(q).points_are_equal() & !self.is_infinity()
    }

    /// self + q for every self and q.
    #[inline(always)]
    pub(super) fn add_vartime(&self, q: Affine<A>) -> Self {
        if self.is_infinity() != 0 {
            return q.into();
        }
        let chord = self.chord(q);
        match chord.points_are_equal() {
            0 => self.add_by(&chord),
            _ => self.double(),
        }
    }

    /// The chord through self and q; meaningless if self is infinity.
    #[inline(always)]
    fn chord(&self, q: Affine<A>) -> Chord<A> {
        let zz = self.z.square();
        Chord::through((self.x, self.y), (q.x * zz, q.y * (zz * self.z)))
    }

    /// self and the other point of the chord.
    #[inline(always)]
    fn add_by(&self, chord: &Chord<A>) -> Self {
        let z = self.z * chord.h;
        Self::new(chord.sum(), z)
    }

    /// -self where `mask` is all ones, self where it is zero.
    #[inline(always)]
    pub(super) fn negated_if(self, mask: u64) -> Self {
        Self {
            y: self.y.or(-self.y, mask),
            ..self
        }
    }

    /// `other` where `mask` is all ones, `self` where it is zero.
    fn or(&self, other: &Self, mask: u64) -> Self {
        Self {
            x: self.x.or(other.x, mask),
            y: self.y.or(other.y, mask),
            z: self.z.or(other.z, mask),
        }
    }
}

impl<A: Arithmetic> Collected<A> {
    /// self + q. The caller knows that self is not infinity and that they are not equal; the sum of
    /// P and -P is right.
    pub(super) fn add_unequal(&self, q: Affine<A>) -> Self {
        let chord = Chord::through((self.x, self.y), (q.x * self.zz, q.y * self.zzz));
        let (zz, zzz) = (self.zz * chord.hh, self.zzz * chord.hhh);
        let (x, y) = chord.sum();
        Self { x, y, zz, zzz }
    }
}

impl<A: Arithmetic> From<Affine<A>> for Jacobian<A> {
    #[inline(always)]
    fn from(point: Affine<A>) -> Self {
        Self {
            x: point.x,
            y: point.y,
            z: point.x.one_beside(),
        }
    }
}

impl<A: Arithmetic> From<Affine<A>> for Collected<A> {
    fn from(point: Affine<A>) -> Self {
        let one = point.x.one_beside();
        Self {
            x: point.x,
            y: point.y,
            zz: one,
            zzz: one,
        }
    }
}

/// With zz as its z: zz^3 = zzz^2, so the point is (x zz / zz^2, y zzz / zz^3).
impl<A: Arithmetic> From<Collected<A>> for Jacobian<A> {
    fn from(point: Collected<A>) -> Self {
        Self {
            x: point.x * point.zz,
            y: point.y * point.zzz,
            z: point.zz,
        }
    }
}

impl<A> Zeroize for Affine<A> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

impl<A> Zeroize for Jacobian<A> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.z.zeroize();
    }
}

impl<A: Arithmetic> Chord<A> {
    /// The chord through (x1, y1) and (x2, y2), both with the same z.
    #[inline(always)]
    fn through((x1, y1): (Fe<A>, Fe<A>), (x2, y2): (Fe<A>, Fe<A>)) -> Self {
        let h = x2 - x1;
        let r = y2 - y1;
        // In this order, neighbours do not wait for each other.
        let (hh, rr) = (h.square(), r.square());
        let (hhh, v) = (hh * h, x1 * hh);
        Self {
            h,
            hh,
            hhh,
            r,
            rr,
            v,
            y1,
        }
    }

    /// p + q. What else is to be multiplied is best multiplied before.
    #[inline(always)]
    fn sum(&self) -> (Fe<A>, Fe<A>) {
        let x = self.rr - self.hhh - self.v.double();
        (x, self.r.mul_sub(self.v - x, self.y1, self.hhh))
    }

    /// p.
    #[inline(always)]
    fn p(&self) -> (Fe<A>, Fe<A>) {
        (self.v, self.y1 * self.hhh)
    }

    fn points_are_equal(&self) -> u64 {
        self.h.is_zero() & self.r.is_zero()
    }
}

#[inline(always)]
fn split<A: Arithmetic, const N: usize, const M: usize>(
    arithmetic: A,
    limbs: &[u64; N],
) -> [Fe<A>; M] {
    const { assert!(N == 4 * M) };
    std::array::from_fn(|i| {
        Fe::from_montgomery(arithmetic, std::array::from_fn(|j| limbs[4 * i + j]))
    })
}

#[inline(always)]
fn join<A: Arithmetic, const N: usize, const M: usize>(elements: [Fe<A>; M]) -> [u64; N] {
    const { assert!(N == 4 * M) };
    std::array::from_fn(|i| elements[i / 4].montgomery()[i % 4])
}
