//! Arithmetic modulo SM2's p and n in four 64-bit limbs, in Montgomery form.
//!
//! The curve, in `sm2`, is generic over [`Arithmetic`]; a whole operation with points ([`Operation`])
//! is compiled for each implementation, and [`Kernel`] says which of them runs.

use super::portable::sm2::Portable;
#[cfg(target_arch = "x86_64")]
use super::x86_64::sm2::Mulx;

/// A number below 2^256, least significant limb first.
pub(crate) type Limbs = [u64; 4];

/// p = 2^256 - 2^224 - 2^96 + 2^64 - 1 (GB/T 32918.5).
pub(crate) const P: Limbs = [
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000,
    0xffff_ffff_ffff_ffff,
    0xffff_fffe_ffff_ffff,
];

/// n, the order of the curve (GB/T 32918.5).
pub(crate) const N: Limbs = [
    0x53bb_f409_39d5_4123,
    0x7203_df6b_21c6_052b,
    0xffff_ffff_ffff_ffff,
    0xffff_fffe_ffff_ffff,
];

/// 1 in Montgomery form, 2^256 mod p.
pub(crate) const ONE_P: Limbs = power_of_two(256, &P);
/// 1 in Montgomery form, 2^256 mod n.
pub(crate) const ONE_N: Limbs = power_of_two(256, &N);
/// 2^512 mod p: the Montgomery product with it takes a number to its Montgomery form.
pub(crate) const R2_P: Limbs = power_of_two(512, &P);
/// 2^512 mod n.
pub(crate) const R2_N: Limbs = power_of_two(512, &N);

/// One implementation of the arithmetic. Every function takes and gives fully reduced numbers, and
/// all of them run in constant time but for those named `_vartime`.
pub(crate) trait Arithmetic: Copy + Send + Sync + 'static {
    /// a b 2^-256 mod p. The one that is computed later is best the second.
    fn mul_p(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a^2 2^-256 mod p.
    fn sqr_p(self, a: &Limbs) -> Limbs;
    /// a + b mod p.
    fn add_p(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a - b mod p.
    fn sub_p(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a / 2 mod p.
    fn half_p(self, a: &Limbs) -> Limbs;
    /// a b 2^-256 mod n.
    fn mul_n(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a + b mod n.
    fn add_n(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a - b mod n.
    fn sub_n(self, a: &Limbs, b: &Limbs) -> Limbs;
    /// a^-1 2^512 mod p, so that the inverse of a Montgomery form is one too; 0 for 0.
    fn inv_p(self, a: &Limbs) -> Limbs;
    /// As [`Arithmetic::inv_p`], in variable time.
    fn inv_p_vartime(self, a: &Limbs) -> Limbs;
    /// a^-1 2^512 mod n; 0 for 0.
    fn inv_n(self, a: &Limbs) -> Limbs;
    /// Entry `index` of `table`, each entry N limbs, a multiple of 4; every entry is read. All zero
    /// if `index` is not below the table's length.
    fn lookup<const N: usize>(self, table: &[[u64; N]], index: u64) -> [u64; N];

    /// -a mod p.
    #[inline(always)]
    fn neg_p(self, a: &Limbs) -> Limbs {
        self.sub_p(&[0; 4], a)
    }

    /// (a b - c d) 2^-256 mod p. Both products can share one reduction.
    #[inline(always)]
    fn mul_sub_mul_p(self, a: &Limbs, b: &Limbs, c: &Limbs, d: &Limbs) -> Limbs {
        self.sub_p(&self.mul_p(a, b), &self.mul_p(c, d))
    }

    /// 2 a mod p.
    #[inline(always)]
    fn double_p(self, a: &Limbs) -> Limbs {
        self.add_p(a, a)
    }

    /// a squared `times` times, each with its factor 2^-256: in Montgomery form, a^(2^times).
    #[inline(always)]
    fn sqr_times_p(self, a: &Limbs, times: usize) -> Limbs {
        let mut x = *a;
        for _ in 0..times {
            x = self.sqr_p(&x);
        }
        x
    }
}

/// Something to compute, for any arithmetic.
pub(crate) trait Operation {
    /// The result.
    type Output;
    /// Computes with this arithmetic.
    fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output;
}

/// The implementations. Each operation asks which one to run on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kernel {
    /// Any processor.
    Portable,
    /// x86-64 with BMI2 and AVX2.
    #[cfg(target_arch = "x86_64")]
    Mulx(Mulx),
}

impl Kernel {
    /// The fastest that this processor can run.
    pub(crate) fn select() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(mulx) = Mulx::check() {
            return Self::Mulx(mulx);
        }
        Self::Portable
    }

    /// As docs/kernels.md calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Mulx(_) => "MULX",
        }
    }

    /// Runs the operation.
    #[inline]
    pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
        match self {
            Self::Portable => operation.run(Portable),
            #[cfg(target_arch = "x86_64")]
            Self::Mulx(mulx) => operation.run(mulx),
        }
    }

    /// All that this processor can run; those that it cannot are printed.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        match Mulx::check() {
            Some(mulx) => return vec![Self::Portable, Self::Mulx(mulx)],
            None => println!(
                "not run, for this processor lacks BMI2 or AVX2, or they are disabled: Mulx"
            ),
        }
        vec![Self::Portable]
    }
}

/// All ones if a = 0, or else zero.
#[inline(always)]
pub(crate) fn is_zero(a: &Limbs) -> u64 {
    let any = a[0] | a[1] | a[2] | a[3];
    // The top bit of any | -any says whether any bit is set.
    barrier(((any | any.wrapping_neg()) >> 63).wrapping_sub(1))
}

/// All ones if a = b, or else zero.
#[inline(always)]
pub(crate) fn is_equal(a: &Limbs, b: &Limbs) -> u64 {
    is_zero(&core::array::from_fn(|i| a[i] ^ b[i]))
}

/// `b` where `mask` is all ones, `a` where it is zero.
#[inline(always)]
pub(crate) fn choose<const N: usize>(a: &[u64; N], b: &[u64; N], mask: u64) -> [u64; N] {
    let mask = barrier(mask);
    core::array::from_fn(|i| a[i] ^ (mask & (a[i] ^ b[i])))
}

/// The same number, of which the optimiser knows nothing: it cannot make a branch of a mask.
#[inline(always)]
pub(crate) fn barrier(x: u64) -> u64 {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut x = x;
        // SAFETY: no instruction at all.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) x, options(pure, nomem, nostack, preserves_flags));
        }
        x
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    core::hint::black_box(x)
}

/// 2^exponent mod m, for m above 2^255: repeated doubling.
const fn power_of_two(exponent: usize, m: &Limbs) -> Limbs {
    let mut x = [1, 0, 0, 0];
    let mut i = 0;
    while i < exponent {
        let doubled = [
            x[0] << 1,
            x[1] << 1 | x[0] >> 63,
            x[2] << 1 | x[1] >> 63,
            x[3] << 1 | x[2] >> 63,
        ];
        let (reduced, borrow) = sub_limbs(&doubled, m);
        x = if x[3] >> 63 == 1 || !borrow {
            reduced
        } else {
            doubled
        };
        i += 1;
    }
    x
}

const fn sub_limbs(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let mut difference = [0; 4];
    let mut borrow = false;
    let mut i = 0;
    while i < 4 {
        let (d, first) = a[i].overflowing_sub(b[i]);
        let (d, second) = d.overflowing_sub(borrow as u64);
        difference[i] = d;
        borrow = first | second;
        i += 1;
    }
    (difference, borrow)
}

/// -m^-1 mod 2^64, for odd m, by Newton's iteration: each step doubles the right bits.
pub(super) const fn negative_inverse(m: u64) -> u64 {
    let mut x: u64 = 1;
    let mut i = 0;
    while i < 6 {
        x = x.wrapping_mul(2u64.wrapping_sub(m.wrapping_mul(x)));
        i += 1;
    }
    x.wrapping_neg()
}

const _: () = {
    assert!(negative_inverse(P[0]) == 1);
    assert!(negative_inverse(N[0]).wrapping_mul(N[0]) == u64::MAX);
};

#[cfg(test)]
mod tests;
