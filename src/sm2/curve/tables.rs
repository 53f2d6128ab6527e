//! Tables of multiples of the base point, computed at their first use, in less than a millisecond.

use std::sync::LazyLock;

use super::CURVE_PARAMETERS;
use super::field::Fe;
use super::limbs::from_be_bytes;
use super::multiply::odd_multiples_vartime;
use super::point::Affine;
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
        (0..self.0)
            .map(|_| {
                let row = odd_multiples_vartime(&base);
                base = base.double_times(N.ilog2() as usize + 1);
                row
            })
            .collect()
    }
}
