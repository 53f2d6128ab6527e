//! Tables of multiples of the base point, computed at their first use, in less than a millisecond.

use std::sync::LazyLock;

use super::CURVE_PARAMETERS;
use super::field::Fe;
use super::limbs::from_be_bytes;
use super::multiply::odd_multiples;
use super::point::{Affine, Jacobian};
use crate::arch::sm2::{Arithmetic, Kernel, Operation};

/// The width of the windows in which a secret multiple of G is computed. Wider ones save additions
/// and make the tables longer, all of which is read each time.
pub(super) const WINDOW: usize = 6;

/// The windows of a number below 2^256.
pub(super) const WINDOWS: usize = 256_usize.div_ceil(WINDOW);

/// The affine points G', 3G', .., (2 N - 1) G'.
pub(super) type OddMultiples<const N: usize> = [[u64; 8]; N];

/// Row i holds the odd multiples of 2^(WINDOW i) G.
pub(super) static WINDOWS_OF_G: LazyLock<Vec<OddMultiples<{ 1 << (WINDOW - 1) }>>> =
    LazyLock::new(|| Kernel::select().run(Rows(WINDOWS)));

/// The width of the windows in which a public multiple of G is computed.
pub(super) const VARTIME_WINDOW: usize = 11;

/// The odd multiples of G below 2^(VARTIME_WINDOW - 1).
pub(super) static ODD_MULTIPLES_OF_G: LazyLock<Vec<OddMultiples<{ 1 << (VARTIME_WINDOW - 2) }>>> =
    LazyLock::new(|| Kernel::select().run(Rows(1)));

/// Computes that many rows: the first with multiples of G, each other with multiples of 2N times
/// the point of the row before.
struct Rows<const N: usize>(usize);

impl<const N: usize> Operation for Rows<N> {
    type Output = Vec<OddMultiples<N>>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
        let [_, _, x, y] = CURVE_PARAMETERS
            .map(|parameter| Fe::from_number(arithmetic, &from_be_bytes(&parameter)));
        let mut base = Affine { x, y }.into();
        let mut points = Vec::with_capacity(self.0 * N);
        for _ in 0..self.0 {
            points.extend(odd_multiples::<A, N>(&base));
            base = base.double_times(N.ilog2() as usize + 1);
        }
        let entries: Vec<_> = to_affine(arithmetic, &points)
            .iter()
            .map(Affine::limbs)
            .collect();
        entries.as_chunks().0.to_vec()
    }
}

/// Takes finite points to affine coordinates with one inversion.
fn to_affine<A: Arithmetic>(arithmetic: A, points: &[Jacobian<A>]) -> Vec<Affine<A>> {
    // products[i] = z_0 z_1 .. z_i-1
    let mut product = Fe::one(arithmetic);
    let products: Vec<_> = points
        .iter()
        .map(|point| {
            let before = product;
            product = product * point.z;
            before
        })
        .collect();
    let mut inverse = product.invert();
    let mut affine: Vec<_> = points
        .iter()
        .zip(products)
        .rev()
        .map(|(point, before)| {
            let inverse_of_z = inverse * before;
            inverse = inverse * point.z;
            point.scaled(inverse_of_z)
        })
        .collect();
    affine.reverse();
    affine
}
