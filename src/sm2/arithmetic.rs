//! Scalars modulo n and points of the SM2 curve, all that the algorithms above need of them.
//!
//! RustCrypto's fiat-crypto arithmetic stands below; a faster one replaces this file alone.

use ::sm2::elliptic_curve::Group;
use ::sm2::elliptic_curve::ff::PrimeField;
use ::sm2::elliptic_curve::ops::{MulByGeneratorVartime, Reduce};
use ::sm2::elliptic_curve::point::AffineCoordinates;
use ::sm2::elliptic_curve::sec1::ToSec1Point;
use ::sm2::{AffinePoint, FieldBytes, ProjectivePoint};
use zeroize::{Zeroize, Zeroizing};

use crate::secret::Secret;

pub(super) use ::sm2::Scalar;

/// The curve's coefficients a and b and its base point, as Z wants them (GB/T 32918.2, 5.5).
pub(super) const CURVE_PARAMETERS: [[u8; 32]; 4] = [
    hex("fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"),
    hex("28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"),
    hex("32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"),
    hex("bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"),
];

/// A point of the curve other than infinity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Point(AffinePoint);

impl Point {
    /// Reads an uncompressed (65 bytes, 04) or compressed (33 bytes, 02 or 03) point that is on
    /// the curve, with coordinates below p. Infinity and hybrid forms are refused.
    pub(super) fn from_sec1(bytes: &[u8]) -> Option<Self> {
        if !matches!(
            (bytes.first(), bytes.len()),
            (Some(4), 65) | (Some(2 | 3), 33)
        ) {
            return None;
        }
        ::sm2::PublicKey::from_sec1_bytes(bytes)
            .ok()
            .map(|key| Self(*key.as_affine()))
    }

    /// 04 || x || y.
    pub(super) fn to_sec1(self) -> [u8; 65] {
        let mut bytes = [0; 65];
        bytes.copy_from_slice(self.0.to_sec1_point(false).as_bytes());
        bytes
    }

    /// \[k\]G, in constant time; `None` for k = 0.
    pub(super) fn mul_base(k: &Scalar) -> Option<Self> {
        Self::finite(ProjectivePoint::mul_by_generator(k))
    }

    /// \[k\]P, in constant time; `None` for k = 0.
    pub(super) fn mul(self, k: &Scalar) -> Option<Self> {
        Self::finite(ProjectivePoint::from(self.0) * k)
    }

    /// \[u\]G + \[v\]P in variable time: for public values only.
    pub(super) fn mul_add_vartime(self, u: &Scalar, v: &Scalar) -> Option<Self> {
        Self::finite(ProjectivePoint::mul_by_generator_and_mul_add_vartime(
            u,
            v,
            &self.0.into(),
        ))
    }

    /// P + \[k\]Q, in constant time.
    pub(super) fn add_mul(self, k: &Scalar, q: Self) -> Option<Self> {
        Self::finite(ProjectivePoint::from(q.0) * k + ProjectivePoint::from(self.0))
    }

    /// The x coordinate modulo n.
    pub(super) fn x_scalar(self) -> Scalar {
        reduce(&self.0.x().into())
    }

    /// x || y, to be treated as secret.
    pub(super) fn secret_coordinates(mut self) -> Secret<64> {
        let mut coordinates = Secret::<64>::zeroed();
        let mut encoded = Zeroizing::new(self.to_sec1());
        coordinates.as_mut_bytes().copy_from_slice(&encoded[1..]);
        encoded.zeroize();
        self.0.zeroize();
        coordinates
    }

    fn finite(mut point: ProjectivePoint) -> Option<Self> {
        let affine = point.to_affine();
        let finite = !bool::from(point.is_identity());
        point.zeroize();
        finite.then_some(Self(affine))
    }
}

/// The scalar of 32 big-endian bytes below n; `None` if they are not below n.
pub(super) fn scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    let mut repr = FieldBytes::from(*bytes);
    let scalar = Scalar::from_repr(repr).into_option();
    repr.zeroize();
    scalar
}

/// As [`scalar`], but zero is refused too.
pub(super) fn nonzero_scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    scalar(bytes).filter(|s| !bool::from(s.is_zero()))
}

/// 32 big-endian bytes modulo n.
pub(super) fn reduce(bytes: &[u8; 32]) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(&FieldBytes::from(*bytes))
}

/// (1 + d)^-1 modulo n, in constant time; `None` for d = n - 1.
pub(super) fn inverse_of_one_plus(d: &Scalar) -> Option<Scalar> {
    (Scalar::ONE + d).invert().into_option()
}

pub(super) fn is_zero(scalar: &Scalar) -> bool {
    scalar.is_zero().into()
}

const fn hex(digits: &str) -> [u8; 32] {
    const fn nibble(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            _ => digit - b'a' + 10,
        }
    }
    let digits = digits.as_bytes();
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]);
        i += 1;
    }
    bytes
}
