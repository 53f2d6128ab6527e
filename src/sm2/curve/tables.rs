//! Tables of multiples: of the base point, computed at their first use, in less than a millisecond, and
//! of public points that are used again and again.

use std::sync::LazyLock;

use super::field::Fe;
use super::limbs::from_be_bytes;
use super::multiply::{odd_multiples_vartime, stride};
use super::point::Affine;
use super::{CURVE_PARAMETERS, Point};
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
    LazyLock::new(|| of_g(WINDOWS, WINDOW));

/// The width of the windows in which a public multiple of G is computed.
pub(super) const VARTIME_WINDOW: usize = 11;

/// The odd multiples of G below 2^(VARTIME_WINDOW - 1).
pub(super) static ODD_MULTIPLES_OF_G: LazyLock<Vec<OddMultiples<{ 1 << (VARTIME_WINDOW - 2) }>>> =
    LazyLock::new(|| of_g(1, 0));

/// The width of the windows of a prepared point's factor.
pub(super) const PREPARED_WINDOW: usize = 6;

/// The rows of a prepared point's table: 8 KiB in all.
pub(super) const PREPARED_ROWS: usize = 8;

/// A public point with a table: row i holds the odd multiples of 2^(stride i) P.
#[derive(Clone)]
pub(in crate::sm2) struct PreparedPoint(Vec<OddMultiples<{ 1 << (PREPARED_WINDOW - 2) }>>);

impl PreparedPoint {
    pub(super) fn new_vartime(point: &Point) -> Self {
        Self(Kernel::select().run(Rows {
            point,
            count: PREPARED_ROWS,
            doublings: stride(PREPARED_ROWS),
        }))
    }

    pub(super) fn rows(&self) -> [&[[u64; 8]]; PREPARED_ROWS] {
        std::array::from_fn(|i| &self.0[i][..])
    }
}

fn of_g<const N: usize>(count: usize, doublings: usize) -> Vec<OddMultiples<N>> {
    let kernel = Kernel::select();
    kernel.run(Rows {
        point: &kernel.run(Generator),
        count,
        doublings,
    })
}

/// Computes `count` rows: the first with multiples of the point, each other with multiples of
/// 2^doublings times the point of the row before.
struct Rows<'a, const N: usize> {
    point: &'a Point,
    count: usize,
    doublings: usize,
}

struct Generator;

impl<const N: usize> Operation for Rows<'_, N> {
    type Output = Vec<OddMultiples<N>>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
        let mut base = Affine::new(arithmetic, self.point).into();
        (0..self.count)
            .map(|_| {
                let row = odd_multiples_vartime(&base);
                base = base.double_times(self.doublings);
                row
            })
            .collect()
    }
}

impl Operation for Generator {
    type Output = Point;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Point {
        let [_, _, x, y] = CURVE_PARAMETERS
            .map(|parameter| Fe::from_number(arithmetic, &from_be_bytes(&parameter)));
        Affine { x, y }.point()
    }
}
