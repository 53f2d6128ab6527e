//! Inversion modulo an odd number below 2^256, in constant time: Bernstein and Yang, "Fast
//! constant-time gcd computation and modular inversion" (TCHES 2019, 3), in Wuille's form
//! (libsecp256k1, `doc/safegcd_implementation.md`).
//!
//! A division step takes (delta, f, g), f odd, to
//! - (1 - delta, g, (g - f) / 2) if delta > 0 and g is odd,
//! - (1 + delta, f, (g + f) / 2) if g is odd otherwise,
//! - (1 + delta, f, g / 2) if g is even.
//!
//! It begins with the modulus, and a number below it. With delta = 1/2 at first, 590 steps make g = 0
//! and f the greatest common divisor or its negative, for every modulus below 2^256 (Wuille's computed
//! proof by convex hulls; the 2019 paper proves 741 steps for delta = 1). Here are 600. More change f no
//! more, since g remains 0.
//!
//! The low bits of f and g decide what the next steps do, so sixty are made with these alone. They
//! give a matrix that is applied to the long f and g, and, modulo the modulus, to the numbers d and e
//! that keep d a = f c and e a = g c, for the number a to be inverted and a factor c.
//!
//! The inversion of public numbers takes the same steps, but many at once, and stops when g = 0.

use crate::arch::sm2::{Limbs, barrier, negative_inverse};

/// Division steps for each matrix.
const STEPS: u32 = 60;
const BATCHES: usize = 10;
const MASK: i64 = (1 << STEPS) - 1;

/// A number in limbs of 60 bits, the highest of which has the sign.
#[derive(Clone, Copy)]
struct Signed([i64; 5]);

/// An odd modulus.
#[derive(Clone, Copy)]
pub(crate) struct Modulus {
    m: Signed,
    /// m^-1 mod 2^60.
    inverse: i64,
}

/// 2^60 times the matrix that sixty steps multiply (f, g) by: f becomes u f + v g and g becomes
/// q f + r g. |u| + |v| and |q| + |r| are 2^60 at most.
#[derive(Clone, Copy)]
struct Matrix {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// What division steps work with: f and g with the rows of their matrix, and the sign of delta.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    /// -(delta + 1/2), negative if delta is positive.
    pub(crate) zeta: i64,
    pub(crate) f: i64,
    pub(crate) g: i64,
}

impl Modulus {
    pub(crate) const fn new(m: &Limbs) -> Self {
        Self {
            m: Signed::from_limbs(m),
            inverse: negative_inverse(m[0]).wrapping_neg() as i64 & MASK,
        }
    }

    /// c a^-1, or 0 if a is 0, for a and c below the modulus. `twenty_steps` is the function of that
    /// name below, or a faster one.
    #[inline(never)]
    pub(crate) fn invert(
        &self,
        a: &Limbs,
        c: &Limbs,
        twenty_steps: impl Fn(Steps) -> Steps,
    ) -> Limbs {
        let (mut f, mut g) = (self.m, Signed::from_limbs(a));
        let (mut d, mut e) = (Signed([0; 5]), Signed::from_limbs(c));
        let mut zeta = -1;
        for _ in 0..BATCHES {
            let matrix;
            (zeta, matrix) = sixty_steps(zeta, f.0[0], g.0[0], &twenty_steps);
            (d, e) = self.apply(matrix, d, e);
            (f, g) = matrix.apply(f, g);
        }
        // f is 1 or -1, or +-m if a was 0: then d is 0.
        self.normalize(d, f.sign()).to_limbs()
    }

    /// As [`Modulus::invert`], in variable time.
    #[inline(never)]
    pub(crate) fn invert_vartime(&self, a: &Limbs, c: &Limbs) -> Limbs {
        let (mut f, mut g) = (self.m, Signed::from_limbs(a));
        let (mut d, mut e) = (Signed([0; 5]), Signed::from_limbs(c));
        let mut zeta = -1;
        while g.0 != [0; 5] {
            let matrix;
            (zeta, matrix) = sixty_steps_vartime(zeta, f.0[0], g.0[0]);
            (d, e) = self.apply(matrix, d, e);
            (f, g) = matrix.apply(f, g);
        }
        self.normalize(d, f.sign()).to_limbs()
    }

    /// (u d + v e) / 2^60 and (q d + r e) / 2^60 modulo m; all between -2m and m, as d and e are.
    #[inline(always)]
    fn apply(&self, Matrix { u, v, q, r }: Matrix, d: Signed, e: Signed) -> (Signed, Signed) {
        let (Signed(m), Signed(d), Signed(e)) = (self.m, d, e);
        // How often m is to be added: once for each negative number, for the range, and so often
        // that the lowest limb vanishes.
        let (sign_d, sign_e) = (
            barrier((d[4] >> 63) as u64) as i64,
            barrier((e[4] >> 63) as u64) as i64,
        );
        let mut m_to_d = (u & sign_d) + (v & sign_e);
        let mut m_to_e = (q & sign_d) + (r & sign_e);
        let mut new_d = wide(u, d[0]) + wide(v, e[0]);
        let mut new_e = wide(q, d[0]) + wide(r, e[0]);
        m_to_d -= (new_d as i64)
            .wrapping_mul(self.inverse)
            .wrapping_add(m_to_d)
            & MASK;
        m_to_e -= (new_e as i64)
            .wrapping_mul(self.inverse)
            .wrapping_add(m_to_e)
            & MASK;
        new_d += wide(m[0], m_to_d);
        new_e += wide(m[0], m_to_e);
        let (mut to_d, mut to_e) = ([0; 5], [0; 5]);
        for i in 1..5 {
            new_d = (new_d >> STEPS) + wide(u, d[i]) + wide(v, e[i]) + wide(m[i], m_to_d);
            new_e = (new_e >> STEPS) + wide(q, d[i]) + wide(r, e[i]) + wide(m[i], m_to_e);
            to_d[i - 1] = new_d as i64 & MASK;
            to_e[i - 1] = new_e as i64 & MASK;
        }
        to_d[4] = (new_d >> STEPS) as i64;
        to_e[4] = (new_e >> STEPS) as i64;
        (Signed(to_d), Signed(to_e))
    }

    /// d, or -d if `negative` is all ones, modulo m; d is between -2m and m.
    fn normalize(&self, d: Signed, negative: i64) -> Signed {
        let add_if_negative = |d: Signed| {
            let sign = d.sign();
            Signed::carried(core::array::from_fn(|i| d.0[i] + (self.m.0[i] & sign)))
        };
        let d = add_if_negative(d);
        let d = Signed::carried(d.0.map(|limb| (limb ^ negative) - negative));
        add_if_negative(d)
    }
}

impl Signed {
    const fn from_limbs(a: &Limbs) -> Self {
        Self([
            a[0] as i64 & MASK,
            (a[0] >> 60 | a[1] << 4) as i64 & MASK,
            (a[1] >> 56 | a[2] << 8) as i64 & MASK,
            (a[2] >> 52 | a[3] << 12) as i64 & MASK,
            (a[3] >> 48) as i64,
        ])
    }

    /// A number that is not negative, below 2^256.
    fn to_limbs(self) -> Limbs {
        let a = self.0.map(|limb| limb as u64);
        [
            a[0] | a[1] << 60,
            a[1] >> 4 | a[2] << 56,
            a[2] >> 8 | a[3] << 52,
            a[3] >> 12 | a[4] << 48,
        ]
    }

    /// All ones if negative, or else zero.
    fn sign(&self) -> i64 {
        barrier((self.0[4] >> 63) as u64) as i64
    }

    /// Carries what is outside 60 bits to the next limb.
    fn carried(mut limbs: [i64; 5]) -> Self {
        for i in 0..4 {
            limbs[i + 1] += limbs[i] >> STEPS;
            limbs[i] &= MASK;
        }
        Self(limbs)
    }
}

impl Matrix {
    /// (u f + v g) / 2^60 and (q f + r g) / 2^60, which are whole numbers.
    #[inline(always)]
    fn apply(self, Signed(f): Signed, Signed(g): Signed) -> (Signed, Signed) {
        let Self { u, v, q, r } = self;
        let mut new_f = wide(u, f[0]) + wide(v, g[0]);
        let mut new_g = wide(q, f[0]) + wide(r, g[0]);
        let (mut to_f, mut to_g) = ([0; 5], [0; 5]);
        for i in 1..5 {
            new_f = (new_f >> STEPS) + wide(u, f[i]) + wide(v, g[i]);
            new_g = (new_g >> STEPS) + wide(q, f[i]) + wide(r, g[i]);
            to_f[i - 1] = new_f as i64 & MASK;
            to_g[i - 1] = new_g as i64 & MASK;
        }
        to_f[4] = (new_f >> STEPS) as i64;
        to_g[4] = (new_g >> STEPS) as i64;
        (Signed(to_f), Signed(to_g))
    }

    /// The matrix of `self`'s steps and then `next`'s.
    #[inline(always)]
    fn then(self, next: Self) -> Self {
        Self {
            u: next.u * self.u + next.v * self.q,
            v: next.u * self.v + next.v * self.r,
            q: next.q * self.u + next.r * self.q,
            r: next.q * self.v + next.r * self.r,
        }
    }
}

/// Sixty division steps with the low 60 bits of f and g: the new zeta, and the matrix.
#[inline(always)]
fn sixty_steps(zeta: i64, f: i64, g: i64, twenty_steps: impl Fn(Steps) -> Steps) -> (i64, Matrix) {
    let (zeta, first) = packed_steps(zeta, f, g, &twenty_steps);
    let (f, g) = first.apply_low(f, g);
    let (zeta, second) = packed_steps(zeta, f, g, &twenty_steps);
    let (f, g) = second.apply_low(f, g);
    let (zeta, third) = packed_steps(zeta, f, g, &twenty_steps);
    (zeta, first.then(second).then(third))
}

impl Matrix {
    /// f and g after twenty steps, but for the 20 highest bits that were right.
    #[inline(always)]
    fn apply_low(self, f: i64, g: i64) -> (i64, i64) {
        let Self { u, v, q, r } = self;
        (
            u.wrapping_mul(f).wrapping_add(v.wrapping_mul(g)) >> 20,
            q.wrapping_mul(f).wrapping_add(r.wrapping_mul(g)) >> 20,
        )
    }
}

/// Twenty division steps with the low 20 bits of f and g: the new zeta, and 2^20 times the matrix.
///
/// The 20 bits and the matrix's rows are packed together, f + 2^21 u + 2^42 v and g + 2^21 q + 2^42 r, and a
/// step does to u and v what it does to f. Fields have 21 bits with the sign, so -2^20 is among
/// them and 2^20 is not: the matrix is negative, and begins as minus 2^20 times the identity. It
/// does not reach 2^20: that is the largest sum of a row's absolute values, halving makes
/// them smaller, and all rows but the two at first come of halving.
#[inline(always)]
fn packed_steps(zeta: i64, f: i64, g: i64, twenty_steps: impl Fn(Steps) -> Steps) -> (i64, Matrix) {
    const LOW: i64 = (1 << 20) - 1;
    let Steps { zeta, f, g } = twenty_steps(Steps {
        zeta,
        f: (f & LOW) - (1 << 41),
        g: (g & LOW) - (1 << 62),
    });
    let unpack = |row: i64| {
        let row = ((row + (1 << 20)) >> 21) + (1 << 20);
        ((1 << 20) - (row & ((1 << 21) - 1)), -(row >> 21))
    };
    let ((u, v), (q, r)) = (unpack(f), unpack(g));
    (zeta, Matrix { u, v, q, r })
}

/// Twenty division steps.
#[inline(always)]
pub(crate) fn twenty_steps(
    Steps {
        mut zeta,
        mut f,
        mut g,
    }: Steps,
) -> Steps {
    for _ in 0..20 {
        let positive = barrier((zeta >> 63) as u64) as i64;
        let odd = barrier((g & 1).wrapping_neg() as u64) as i64;
        let swap = positive & odd;
        let before = g;
        g = (g + (((f ^ positive) - positive) & odd)) >> 1;
        f ^= (f ^ before) & swap;
        zeta = (zeta ^ swap) - 1;
    }
    Steps { zeta, f, g }
}

/// As [`sixty_steps`], in variable time: halves g as often as it is even, and makes it even to up to
/// six bits at once.
fn sixty_steps_vartime(mut zeta: i64, mut f: i64, mut g: i64) -> (i64, Matrix) {
    // 2^done times the matrix, as the row of f is doubled where the row of g would be halved.
    let (mut u, mut v, mut q, mut r) = (1, 0, 0, 1);
    let mut left = STEPS;
    loop {
        // If all the bits that are left are zero, so many steps.
        let zeros = (g | -1 << left).trailing_zeros();
        g >>= zeros;
        (u, v) = (u << zeros, v << zeros);
        zeta -= i64::from(zeros);
        left -= zeros;
        if left == 0 {
            return (zeta, Matrix { u, v, q, r });
        }

        // What the swap does to zeta but for the 1 that is taken with the halving.
        if zeta < 0 {
            zeta = !zeta;
            (f, g) = (g, f.wrapping_neg());
            (u, q) = (q, -u);
            (v, r) = (r, -v);
        }
        // For zeta + 1 steps there is no other swap: they add f to g as often as makes the lowest bits
        // of g zero. That is -g / f; and f (2 - f^2) is 1 / f modulo 2^6, as f^2 is 1 modulo 2^3.
        let bits = (zeta + 1).min(i64::from(left)).min(6);
        let inverse = f.wrapping_mul(f.wrapping_mul(f).wrapping_sub(2));
        let times = g.wrapping_mul(inverse) & ((1 << bits) - 1);
        g = g.wrapping_add(f.wrapping_mul(times));
        q += u * times;
        r += v * times;
    }
}

fn wide(a: i64, b: i64) -> i128 {
    i128::from(a) * i128::from(b)
}
