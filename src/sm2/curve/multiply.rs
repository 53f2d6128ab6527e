//! Multiples of points.
//!
//! With a secret factor k, every window of k becomes an odd digit, positive or negative, so that
//! each step adds a point that is not infinity ([`OddDigits`]). It adds by a chord
//! (`add_unequal`), which is right for all points but equal ones; why it meets none of these is said
//! at [`MultipleOfG`] and [`Multiple`].

use zeroize::{Zeroize, Zeroizing};

use super::Point;
use super::field::Fe;
use super::limbs::{bits, is_below, subtract};
use super::point::{Affine, Collected, Jacobian};
use super::scalar::Scalar;
use super::tables::{
    ODD_MULTIPLES_OF_G, OddMultiples, PREPARED_ROWS, PREPARED_WINDOW, PreparedPoint,
    VARTIME_WINDOW, WINDOW, WINDOWS, WINDOWS_OF_G,
};
use crate::arch::ct::declassify;
use crate::arch::sm2::{Arithmetic, Limbs, N, Operation, P, barrier, choose};

/// k or -k mod n as a sum of digits d_i 2^(W i), of which each is odd and -2^W < d_i < 2^W.
///
/// Of k and n - k one is odd, as n is; call it m. With M_i = floor(m / 2^(W i)) | 1, which is
/// m for i = 0, the digits d_i = M_i - 2^W M_(i+1) are odd, and the digits from i upwards are those
/// of M_i. Before d_i is added, the sum is s_i = 2^W M_(i+1), and 0 < |d_i| < s_i.
struct OddDigits<const W: usize> {
    odd: Zeroizing<Limbs>,
    /// All ones if m = n - k, or else zero.
    negated: u64,
}

/// A digit: its absolute value is 2 index + 1.
struct Digit {
    index: u64,
    /// All ones, or zero.
    negative: u64,
}

impl<const W: usize> OddDigits<W> {
    /// Whether s_0 = d_0 modulo n for some k, so that the last addition is a doubling.
    ///
    /// It is where s_0 - d_0 = n, or m = n + 2 d_0. As m is not above n, d_0 < 0; as M_1 is odd,
    /// s_0 = 2^W and so d_0 = 2^W - n modulo 2^(W+1).
    const ENDS_IN_DOUBLING: bool = N[0] % (2 << W) > 1 << W;

    fn of(k: &Scalar) -> Self {
        let negated = (k.number()[0] & 1).wrapping_sub(1);
        let negative = Zeroizing::new(subtract(&N, k.number()).0);
        Self {
            odd: Zeroizing::new(choose(k.number(), &negative, negated)),
            negated,
        }
    }

    /// d_i, for any i but the highest.
    #[inline(always)]
    fn digit(&self, i: usize) -> Digit {
        // d_i = (2 h + 1) - 2^W, where h is W bits from bit W i + 1 upwards.
        let h = bits(&self.odd, W * i + 1, W);
        let negative = barrier((h >> (W - 1)).wrapping_sub(1));
        Digit {
            index: (h ^ negative) & ((1 << (W - 1)) - 1),
            negative,
        }
    }

    /// The highest digit: M_i, which is positive.
    fn top_index(&self, i: usize) -> u64 {
        bits(&self.odd, W * i + 1, W)
    }
}

/// \[k\]G in constant time.
///
/// Row i of the table has the multiples d 2^(W i) G for all digits d, so nothing is doubled. Points
/// that are added are equal where (s_i - d_i) 2^(W i), which is below 2n, is n: since n is odd, at
/// i = 0 if anywhere, and not there either for this width.
pub(super) struct MultipleOfG<'a>(pub(super) &'a Scalar);

impl Operation for MultipleOfG<'_> {
    type Output = Option<Point>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Option<Point> {
        finish(multiple_of_g(arithmetic, self.0))
    }
}

/// Whether P is \[k\]G, in constant time but for the answer, and without an inversion.
pub(super) struct IsMultipleOfG<'a>(pub(super) &'a Scalar, pub(super) &'a Point);

impl Operation for IsMultipleOfG<'_> {
    type Output = bool;

    fn run<A: Arithmetic>(self, arithmetic: A) -> bool {
        let Self(k, p) = self;
        let mut multiple = multiple_of_g(arithmetic, k);
        let equal = multiple.is(Affine::new(arithmetic, p));
        multiple.zeroize();
        declassify(equal != 0)
    }
}

fn multiple_of_g<A: Arithmetic>(arithmetic: A, k: &Scalar) -> Jacobian<A> {
    const { assert!(!OddDigits::<WINDOW>::ENDS_IN_DOUBLING) };
    let digits = OddDigits::<WINDOW>::of(k);
    let rows = &**WINDOWS_OF_G;
    let entry =
        |i: usize, index| Affine::from_limbs(arithmetic, &arithmetic.lookup(&rows[i], index));
    let addend = |i| {
        let Digit { index, negative } = digits.digit(i);
        entry(i, index).negated_if(negative)
    };

    let top = WINDOWS - 1;
    let mut sum = Collected::from(entry(top, digits.top_index(top)));
    for i in (0..top).rev() {
        sum = sum.add_unequal(addend(i));
    }
    Jacobian::from(sum).negated_if(digits.negated)
}

/// \[k\]P in constant time. P is public wherever there is one: a peer's key, or half of a ciphertext.
///
/// Points that are added are equal where s_i - d_i = n: not before i = 0, as s_i is far below n.
/// The last addition is complete, since for this width there is a k, n - 6, of which it is a doubling.
pub(super) struct Multiple<'a>(pub(super) &'a Scalar, pub(super) &'a Point);

/// The width of [`Multiple`]'s windows.
const W: usize = 5;

impl Operation for Multiple<'_> {
    type Output = Option<Point>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Option<Point> {
        const TOP: usize = 255 / W;
        // The highest digit is 1.
        const { assert!(W * TOP == 255) };
        const { assert!(OddDigits::<W>::ENDS_IN_DOUBLING) };
        let digits = OddDigits::<W>::of(self.0);
        let p = Affine::new(arithmetic, self.1).into();
        let table: OddMultiples<{ 1 << (W - 1) }> = odd_multiples_vartime(&p);
        let addend = |i| {
            let Digit { index, negative } = digits.digit(i);
            let entry = arithmetic.lookup(&table, index);
            Affine::from_limbs(arithmetic, &entry).negated_if(negative)
        };

        let mut sum = p;
        for i in (1..TOP).rev() {
            sum = sum.double_times(W).add_unequal(addend(i));
        }
        let sum = sum.double_times(W).add_complete(addend(0));
        finish(sum.negated_if(digits.negated))
    }
}

fn finish<A: Arithmetic>(mut product: Jacobian<A>) -> Option<Point> {
    let mut affine = product.affine();
    product.zeroize();
    let point = affine.map(|affine| affine.point());
    affine.zeroize();
    point
}

/// P, 3P, .., (2 N - 1) P, for finite P and N far below n, in variable time.
pub(super) fn odd_multiples_vartime<A: Arithmetic, const N: usize>(
    p: &Jacobian<A>,
) -> OddMultiples<N> {
    let (mut twice, mut multiple) = p.double_beside_self();
    // Each with what its z has more than the one before; on the heap, since they may be hundreds.
    let mut next = |i| {
        let mut factor = multiple.z;
        if i > 0 {
            (multiple, twice, factor) = twice.add_beside_self(&multiple);
        }
        (multiple, factor)
    };
    let multiples: Vec<_> = (0..N).map(&mut next).collect();
    let mut inverse = multiple.z.invert_vartime();
    let mut table = [[0; 8]; N];
    for (entry, (multiple, factor)) in table.iter_mut().zip(&multiples).rev() {
        *entry = multiple.scaled(inverse).limbs();
        inverse = inverse * *factor;
    }
    table
}

/// A public point, to be multiplied in variable time.
pub(super) trait PublicPoint {
    /// \[u\]G + \[v\]P.
    fn sum_vartime<A: Arithmetic>(&self, arithmetic: A, u: &Scalar, v: &Scalar) -> Jacobian<A>;
}

/// Whether \[u\]G + \[v\]P is finite with an x that is r modulo n, in variable time.
pub(super) struct SumHasX<'a, T> {
    pub(super) u: &'a Scalar,
    pub(super) v: &'a Scalar,
    pub(super) p: &'a T,
    pub(super) r: &'a Scalar,
}

impl<T: PublicPoint> Operation for SumHasX<'_, T> {
    type Output = bool;

    fn run<A: Arithmetic>(self, arithmetic: A) -> bool {
        let sum = self.p.sum_vartime(arithmetic, self.u, self.v);
        if sum.is_infinity() != 0 {
            return false;
        }
        // x / z^2 is below p, so it is r, or r + n where that is below p.
        let zz = sum.z.square();
        let r = Fe::from_number(arithmetic, self.r.number());
        let n = Fe::from_number(arithmetic, &N);
        let (p_minus_n, _) = subtract(&P, &N);
        r * zz == sum.x || is_below(self.r.number(), &p_minus_n) != 0 && (r + n) * zz == sum.x
    }
}

impl PublicPoint for Point {
    fn sum_vartime<A: Arithmetic>(&self, arithmetic: A, u: &Scalar, v: &Scalar) -> Jacobian<A> {
        const W: usize = 5;
        let of_p: OddMultiples<{ 1 << (W - 2) }> =
            odd_multiples_vartime(&Affine::new(arithmetic, self).into());
        let of_g = Term {
            digits: non_adjacent_form_vartime(u.number(), VARTIME_WINDOW),
            rows: [&ODD_MULTIPLES_OF_G[0][..]],
        };
        let of_p = Term {
            digits: non_adjacent_form_vartime(v.number(), W),
            rows: [&of_p[..]],
        };
        sum_of_terms_vartime(arithmetic, [of_g, of_p])
    }
}

impl PublicPoint for PreparedPoint {
    fn sum_vartime<A: Arithmetic>(&self, arithmetic: A, u: &Scalar, v: &Scalar) -> Jacobian<A> {
        // Row i of G's table, too, is to have the multiples of 2^(stride i) G.
        const STEP: usize = stride(PREPARED_ROWS) / WINDOW;
        const { assert!(STEP * (PREPARED_ROWS - 1) < WINDOWS) };
        let of_g = Term {
            // One more than WINDOW, since these digits are below half their window's range.
            digits: non_adjacent_form_vartime(u.number(), WINDOW + 1),
            rows: std::array::from_fn(|i| &WINDOWS_OF_G[STEP * i][..]),
        };
        let of_p = Term {
            digits: non_adjacent_form_vartime(v.number(), PREPARED_WINDOW),
            rows: self.rows(),
        };
        sum_of_terms_vartime(arithmetic, [of_g, of_p])
    }
}

/// A factor's digits, and tables of its point P: row i has the odd multiples of 2^(stride i) P.
struct Term<'a, const ROWS: usize> {
    digits: [i16; DIGITS],
    rows: [&'a [[u64; 8]]; ROWS],
}

/// How many digits have a non-adjacent form.
const DIGITS: usize = 257;

/// How far rows of tables are apart: all doublings that there are. It is a multiple of WINDOW, so that
/// G's windows have such rows.
pub(super) const fn stride(rows: usize) -> usize {
    DIGITS.div_ceil(rows * WINDOW) * WINDOW
}

/// The sum of both, each doubling for all rows of both.
#[inline(always)]
fn sum_of_terms_vartime<A: Arithmetic, const ROWS: usize>(
    arithmetic: A,
    terms: [Term<'_, ROWS>; 2],
) -> Jacobian<A> {
    let stride = const { stride(ROWS) };
    let mut sum = Jacobian::infinity(arithmetic);
    for i in (0..stride).rev() {
        sum = sum.double();
        for Term { digits, rows } in &terms {
            for (digit, row) in digits[i..].iter().step_by(stride).zip(rows) {
                if let Some((index, negative)) = entry_of(*digit) {
                    let entry = Affine::from_limbs(arithmetic, &row[index]);
                    sum = sum.add_vartime(entry.negated_if(negative));
                }
            }
        }
    }
    sum
}

/// k as a sum of digits d_i 2^i that are zero or odd, below 2^(width - 1) in absolute value, of
/// which `width` in a row hold at most one that is not zero. The highest is d_256 at most.
fn non_adjacent_form_vartime(k: &Limbs, width: usize) -> [i16; DIGITS] {
    let mut digits = [0; DIGITS];
    let (mut i, mut carry) = (0, 0);
    while i < digits.len() {
        let window = bits(k, i, width) + carry;
        if window.is_multiple_of(2) {
            i += 1;
            continue;
        }
        // An odd window stands for itself or, from half its range on, for itself - 2^width.
        carry = window >> (width - 1);
        digits[i] = window as i16 - ((carry as i16) << width);
        i += width;
    }
    digits
}

/// Where a table of odd multiples holds |digit|, and all ones if it is negative.
fn entry_of(digit: i16) -> Option<(usize, u64)> {
    let negative = if digit < 0 { u64::MAX } else { 0 };
    (digit != 0).then_some((usize::from(digit.unsigned_abs()) / 2, negative))
}
