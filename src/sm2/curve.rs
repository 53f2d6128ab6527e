//! Scalars modulo n and points of the SM2 curve (GB/T 32918.5-2017), all that the algorithms above
//! need of them. They run on the arithmetic that [`Kernel::select`] names.

mod field;
mod limbs;
mod multiply;
mod point;
mod scalar;
mod tables;
#[cfg(test)]
mod tests;

use zeroize::{Zeroize, Zeroizing};

use self::field::Fe;
use self::multiply::{IsMultipleOfG, Multiple, MultipleOfG, SumHasX};
use self::point::{Affine, Jacobian, right_side};
use crate::arch::sm2::{Arithmetic, Kernel, Limbs, Operation};
use crate::secret::Secret;

pub(super) use self::scalar::{Factor, Scalar};
pub(super) use self::tables::PreparedPoint;

/// The curve's coefficients a and b and its base point, as Z wants them (GB/T 32918.2, 5.5).
pub(super) const CURVE_PARAMETERS: [[u8; 32]; 4] = [
    hex("fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"),
    hex("28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"),
    hex("32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"),
    hex("bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"),
];

/// A point of the curve other than infinity: its coordinates in Montgomery form.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Point {
    x: Limbs,
    y: Limbs,
}

impl Point {
    /// Reads an uncompressed (65 bytes, 04) or compressed (33 bytes, 02 or 03) point that is on
    /// the curve, with coordinates below p. Infinity and hybrid forms are refused.
    pub(super) fn from_sec1(bytes: &[u8]) -> Option<Self> {
        Kernel::select().run(Decode(bytes))
    }

    /// 04 || x || y.
    pub(super) fn to_sec1(self) -> [u8; 65] {
        Kernel::select().run(Encode(&self))
    }

    /// \[k\]G, in constant time; `None` for k = 0.
    pub(super) fn mul_base(k: &Scalar) -> Option<Self> {
        Kernel::select().run(MultipleOfG(k))
    }

    /// Whether this is \[k\]G, in constant time.
    pub(super) fn is_multiple_of_g(&self, k: &Scalar) -> bool {
        Kernel::select().run(IsMultipleOfG(k, self))
    }

    /// \[k\]P, in constant time but for P, which is public; `None` for k = 0.
    pub(super) fn mul(&self, k: &Scalar) -> Option<Self> {
        Kernel::select().run(Multiple(k, self))
    }

    /// P + Q, in constant time; `None` for infinity.
    pub(super) fn add(&self, q: &Self) -> Option<Self> {
        Kernel::select().run(Sum(self, q))
    }

    /// Whether \[u\]G + \[v\]P is finite with an x that is r modulo n, in variable time: for public
    /// values only.
    pub(super) fn sum_has_x_vartime(&self, u: &Scalar, v: &Scalar, r: &Scalar) -> bool {
        Kernel::select().run(SumHasX { u, v, p: self, r })
    }

    /// With a table of its multiples, computed in variable time.
    pub(super) fn prepare_vartime(&self) -> PreparedPoint {
        PreparedPoint::new_vartime(self)
    }

    /// The x coordinate modulo n.
    pub(super) fn x_scalar(&self) -> Scalar {
        Scalar::reduce_number(&Kernel::select().run(XNumber(self)))
    }

    /// x || y, to be treated as secret.
    pub(super) fn secret_coordinates(mut self) -> Secret<64> {
        let mut coordinates = Secret::<64>::zeroed();
        let encoded = Zeroizing::new(self.to_sec1());
        coordinates.as_mut_bytes().copy_from_slice(&encoded[1..]);
        self.zeroize();
        coordinates
    }
}

impl PreparedPoint {
    /// As [`Point::sum_has_x_vartime`], in less than half the time.
    pub(super) fn sum_has_x_vartime(&self, u: &Scalar, v: &Scalar, r: &Scalar) -> bool {
        Kernel::select().run(SumHasX { u, v, p: self, r })
    }
}

struct Decode<'a>(&'a [u8]);
struct Encode<'a>(&'a Point);
struct XNumber<'a>(&'a Point);
struct Sum<'a>(&'a Point, &'a Point);

impl Operation for Decode<'_> {
    type Output = Option<Point>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Option<Point> {
        let (form, coordinates) = self.0.split_first()?;
        let mut coordinates = coordinates.as_chunks().0.iter();
        let mut coordinate = || Fe::from_bytes(arithmetic, coordinates.next()?);
        let (x, y) = match (form, self.0.len()) {
            (4, 65) => {
                let (x, y) = (coordinate()?, coordinate()?);
                (y.square() == right_side(arithmetic, x)).then_some((x, y))?
            }
            (2 | 3, 33) => {
                let x = coordinate()?;
                let y = right_side(arithmetic, x).sqrt_vartime()?;
                let is_odd = y.number()[0] & 1;
                (x, if is_odd == u64::from(form & 1) { y } else { -y })
            }
            _ => return None,
        };
        Some(Affine { x, y }.point())
    }
}

impl Operation for Encode<'_> {
    type Output = [u8; 65];

    fn run<A: Arithmetic>(self, arithmetic: A) -> [u8; 65] {
        let Affine { x, y } = Affine::new(arithmetic, self.0);
        let mut bytes = [4; 65];
        bytes[1..33].copy_from_slice(&x.to_bytes());
        bytes[33..].copy_from_slice(&y.to_bytes());
        bytes
    }
}

impl Operation for XNumber<'_> {
    type Output = Limbs;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Limbs {
        Affine::new(arithmetic, self.0).x.number()
    }
}

impl Operation for Sum<'_> {
    type Output = Option<Point>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Option<Point> {
        let [p, q] = [self.0, self.1].map(|point| Affine::new(arithmetic, point));
        Some(Jacobian::from(p).add_complete(q).affine()?.point())
    }
}

impl Zeroize for Point {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

/// The bytes of lower-case hexadecimal digits.
pub(super) const fn hex<const N: usize>(digits: &str) -> [u8; N] {
    const fn nibble(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            _ => digit - b'a' + 10,
        }
    }
    let digits = digits.as_bytes();
    assert!(digits.len() == 2 * N);
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]);
        i += 1;
    }
    bytes
}
