//! SM2's arithmetic modulo p with MULX, and table lookup with AVX2.
//!
//! The points of the curve spend their time in [`mul`] and [`square`]. Both are bound by carries, of
//! which Intel's processors add two a cycle; ADCX and ADOX, which would add more of them, do not help.

use core::arch::asm;
use core::arch::x86_64::*;

use super::invert::twenty_steps;
use crate::arch::cpu;
use crate::arch::portable::sm2::{MODULUS_N, MODULUS_P, Portable};
use crate::arch::sm2::{Arithmetic, Limbs, ONE_P, P, R2_N, R2_P};

/// Arithmetic for processors with BMI2 and AVX2: AMD Zen, Intel Haswell, and what came after them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mulx {
    /// What `mul` and `square` need.
    _bmi2: cpu::Bmi2,
    /// What `lookup` needs.
    _avx2: cpu::Avx2,
}

impl Mulx {
    /// The arithmetic, where this processor can run it.
    pub(crate) fn check() -> Option<Self> {
        Some(Self {
            _bmi2: cpu::Bmi2::check()?,
            _avx2: cpu::Avx2::check()?,
        })
    }
}

impl Arithmetic for Mulx {
    #[inline(always)]
    fn mul_p(self, a: &Limbs, b: &Limbs) -> Limbs {
        // SAFETY: the token proves BMI2.
        unsafe { mul(a, b) }
    }

    #[inline(always)]
    fn sqr_p(self, a: &Limbs) -> Limbs {
        // SAFETY: the token proves BMI2.
        unsafe { square(a) }
    }

    #[inline(always)]
    fn mul_sub_mul_p(self, a: &Limbs, b: &Limbs, c: &Limbs, d: &Limbs) -> Limbs {
        // SAFETY: the token proves BMI2.
        unsafe {
            let cd = multiply(c, d);
            reduce_difference(multiply(a, b), &cd)
        }
    }

    #[inline(always)]
    fn add_p(self, a: &Limbs, b: &Limbs) -> Limbs {
        add(a, b)
    }

    #[inline(always)]
    fn sub_p(self, a: &Limbs, b: &Limbs) -> Limbs {
        sub(a, b)
    }

    #[inline(always)]
    fn half_p(self, a: &Limbs) -> Limbs {
        Portable.half_p(a)
    }

    // A signature takes a handful of these and hundreds of those modulo p.
    fn mul_n(self, a: &Limbs, b: &Limbs) -> Limbs {
        Portable.mul_n(a, b)
    }

    fn add_n(self, a: &Limbs, b: &Limbs) -> Limbs {
        Portable.add_n(a, b)
    }

    fn sub_n(self, a: &Limbs, b: &Limbs) -> Limbs {
        Portable.sub_n(a, b)
    }

    fn inv_p(self, a: &Limbs) -> Limbs {
        MODULUS_P.invert(a, &R2_P, twenty_steps)
    }

    fn inv_p_vartime(self, a: &Limbs) -> Limbs {
        MODULUS_P.invert_vartime(a, &R2_P)
    }

    fn inv_n(self, a: &Limbs) -> Limbs {
        MODULUS_N.invert(a, &R2_N, twenty_steps)
    }

    #[inline(always)]
    fn lookup<const N: usize>(self, table: &[[u64; N]], index: u64) -> [u64; N] {
        // SAFETY: the token proves AVX2.
        unsafe { lookup(table, index) }
    }
}

/// 2^256 - p. Its limb 1 is 2^32 - 1, the reduction's multiplier.
static MINUS_P: Limbs = ONE_P;

/// One step of Montgomery's reduction modulo p: adds l p at the limb l, which vanishes, for -p^-1 is
/// 1 mod 2^64. With h the upper half of l and s = l 2^32 mod 2^64,
///
/// l p = l 2^256 - (h 2^64 + s) 2^192 - (2^32 - 1) l 2^64 - l.
///
/// So the next two limbs lose (2^32 - 1) l and the third s; l itself becomes the fourth, less h. It
/// is kept apart from what the product has there: l - h takes the borrow without one of its own.
macro_rules! reduce {
    ($l:literal, $t1:literal, $t2:literal, $t3:literal) => {
        concat!(
            "mov rdx, ",
            $l,
            "\n",
            "mulx {y}, {x}, qword ptr [rip + {minus_p} + 8]\n",
            "mov {z}, ",
            $l,
            "\n",
            "shl {z}, 32\n",
            "shr rdx, 32\n",
            "sub ",
            $t1,
            ", {x}\n",
            "sbb ",
            $t2,
            ", {y}\n",
            "sbb ",
            $t3,
            ", {z}\n",
            "sbb ",
            $l,
            ", rdx\n",
        )
    };
}

/// Makes p's limbs, or zeros after a carry, of x = 0: in x, y, x, z. They are -1, -2^32, -1 and
/// -2^32 - 1.
macro_rules! p_unless_carry {
    () => {
        "
        adc {x}, -1
        mov {y}, {x}
        shl {y}, 32
        lea {z}, [{x} + {y}]
        "
    };
}

/// Adds the product's upper half to the reduced lower half, which is p at most. The upper half comes
/// with 2^256 - p added, so that a carry says that the sum is not below p, and has subtracted p.
macro_rules! finish {
    () => {
        concat!(
            "
            xor {x:e}, {x:e}
            add {t0}, {t4}
            adc {t1}, {t5}
            adc {t2}, {t6}
            adc {t3}, {t7}
            ",
            p_unless_carry!(),
            "
            add {t0}, {x}
            adc {t1}, {y}
            adc {t2}, {x}
            adc {t3}, {z}
            "
        )
    };
}

/// Adds a b_i at the limb t0; b_i comes in t4, which gets the highest limb, and c with it.
macro_rules! row {
    ($t0:literal, $t1:literal, $t2:literal, $t3:literal, $t4:literal, $c:literal) => {
        concat!(
            "mov rdx, ",
            $t4,
            "\n",
            "mulx {y}, {x}, qword ptr [{a}]\n",
            "add ",
            $t0,
            ", {x}\n",
            "mulx {z}, {x}, qword ptr [{a} + 8]\n",
            "adc ",
            $t1,
            ", {x}\n",
            "mulx ",
            $t4,
            ", {x}, qword ptr [{a} + 16]\n",
            "adc ",
            $t2,
            ", {x}\n",
            "mulx rdx, {x}, qword ptr [{a} + 24]\n",
            "adc ",
            $t3,
            ", {x}\n",
            "adc rdx, 0\n",
            "add ",
            $t1,
            ", {y}\n",
            "adc ",
            $t2,
            ", {z}\n",
            "adc ",
            $t3,
            ", ",
            $t4,
            "\n",
            "mov ",
            $t4,
            ", rdx\n",
            "adc ",
            $t4,
            ", ",
            $c,
            "\n",
        )
    };
}

/// a b 2^-256 mod p. `b` may come late: it is taken from registers, limb after limb.
///
/// # Safety
///
/// The processor must have BMI2.
#[inline(always)]
unsafe fn mul(a: &Limbs, b: &Limbs) -> Limbs {
    let (t0, t1, t2, t3);
    // SAFETY: reads the four limbs at `a` and MINUS_P, writes registers only; BMI2 is the
    // caller's promise.
    unsafe {
        asm!(
            // 2^256 - p, for `finish`, comes in where the highest limbs begin. They have room: a row
            // is below 2^320 - 2^288, as a < p, and a b 2^-256 is below p - 2^223.
            "
            mulx {t1}, {t0}, qword ptr [{a}]
            mulx {t2}, {x}, qword ptr [{a} + 8]
            add {t1}, {x}
            mulx {t3}, {x}, qword ptr [{a} + 16]
            adc {t2}, {x}
            mulx {t4}, {x}, qword ptr [{a} + 24]
            adc {t3}, {x}
            adc {t4}, 1
            ",
            reduce!("{t0}", "{t1}", "{t2}", "{t3}"),
            row!("{t1}", "{t2}", "{t3}", "{t4}", "{t5}", "qword ptr [rip + {minus_p} + 8]"),
            reduce!("{t1}", "{t2}", "{t3}", "{t0}"),
            row!("{t2}", "{t3}", "{t4}", "{t5}", "{t6}", "0"),
            reduce!("{t2}", "{t3}", "{t0}", "{t1}"),
            row!("{t3}", "{t4}", "{t5}", "{t6}", "{t7}", "qword ptr [rip + {minus_p} + 24]"),
            reduce!("{t3}", "{t0}", "{t1}", "{t2}"),
            finish!(),
            a = in(reg) a.as_ptr(),
            inout("rdx") b[0] => _,
            t0 = out(reg) t0,
            t1 = out(reg) t1,
            t2 = out(reg) t2,
            t3 = out(reg) t3,
            t4 = out(reg) _,
            t5 = inout(reg) b[1] => _,
            t6 = inout(reg) b[2] => _,
            t7 = inout(reg) b[3] => _,
            x = out(reg) _,
            y = out(reg) _,
            z = out(reg) _,
            minus_p = sym MINUS_P,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3]
}

/// a b. `b` is taken as by [`mul`].
///
/// # Safety
///
/// The processor must have BMI2.
#[inline(always)]
unsafe fn multiply(a: &Limbs, b: &Limbs) -> [u64; 8] {
    let (t0, t1, t2, t3, t4, t5, t6, t7);
    // SAFETY: reads the four limbs at `a`, writes registers only; BMI2 is the caller's promise.
    unsafe {
        asm!(
            "
            mulx {t1}, {t0}, qword ptr [{a}]
            mulx {t2}, {x}, qword ptr [{a} + 8]
            add {t1}, {x}
            mulx {t3}, {x}, qword ptr [{a} + 16]
            adc {t2}, {x}
            mulx {t4}, {x}, qword ptr [{a} + 24]
            adc {t3}, {x}
            adc {t4}, 0
            ",
            row!("{t1}", "{t2}", "{t3}", "{t4}", "{t5}", "0"),
            row!("{t2}", "{t3}", "{t4}", "{t5}", "{t6}", "0"),
            row!("{t3}", "{t4}", "{t5}", "{t6}", "{t7}", "0"),
            a = in(reg) a.as_ptr(),
            inout("rdx") b[0] => _,
            t0 = out(reg) t0,
            t1 = out(reg) t1,
            t2 = out(reg) t2,
            t3 = out(reg) t3,
            t4 = out(reg) t4,
            t5 = inout(reg) b[1] => t5,
            t6 = inout(reg) b[2] => t6,
            t7 = inout(reg) b[3] => t7,
            x = out(reg) _,
            y = out(reg) _,
            z = out(reg) _,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3, t4, t5, t6, t7]
}

/// (t - u) 2^-256 mod p, for t and u below 2^256 p.
///
/// # Safety
///
/// The processor must have BMI2.
#[inline(always)]
unsafe fn reduce_difference(t: [u64; 8], u: &[u64; 8]) -> Limbs {
    let (t0, t1, t2, t3);
    // SAFETY: reads the eight limbs at `u` and MINUS_P, writes registers only; BMI2 is the
    // caller's promise.
    unsafe {
        asm!(
            // Where t < u, 2^256 p would come to the difference; as `finish` wants p less, it is
            // taken from the others.
            "
            xor {x:e}, {x:e}
            sub {t0}, qword ptr [{u}]
            sbb {t1}, qword ptr [{u} + 8]
            sbb {t2}, qword ptr [{u} + 16]
            sbb {t3}, qword ptr [{u} + 24]
            sbb {t4}, qword ptr [{u} + 32]
            sbb {t5}, qword ptr [{u} + 40]
            sbb {t6}, qword ptr [{u} + 48]
            sbb {t7}, qword ptr [{u} + 56]
            ",
            p_unless_carry!(),
            "
            sub {t4}, {x}
            sbb {t5}, {y}
            sbb {t6}, {x}
            sbb {t7}, {z}
            ",
            reduce!("{t0}", "{t1}", "{t2}", "{t3}"),
            reduce!("{t1}", "{t2}", "{t3}", "{t0}"),
            reduce!("{t2}", "{t3}", "{t0}", "{t1}"),
            reduce!("{t3}", "{t0}", "{t1}", "{t2}"),
            finish!(),
            u = in(reg) u.as_ptr(),
            t0 = inout(reg) t[0] => t0,
            t1 = inout(reg) t[1] => t1,
            t2 = inout(reg) t[2] => t2,
            t3 = inout(reg) t[3] => t3,
            t4 = inout(reg) t[4] => _,
            t5 = inout(reg) t[5] => _,
            t6 = inout(reg) t[6] => _,
            t7 = inout(reg) t[7] => _,
            x = out(reg) _,
            y = out(reg) _,
            z = out(reg) _,
            out("rdx") _,
            minus_p = sym MINUS_P,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3]
}

/// a^2 2^-256 mod p.
///
/// # Safety
///
/// The processor must have BMI2.
#[inline(always)]
unsafe fn square(a: &Limbs) -> Limbs {
    let (t0, t1, t2, t3);
    // SAFETY: reads MINUS_P, writes registers only; BMI2 is the caller's promise.
    unsafe {
        asm!(
            // The products of different limbs: a0 a1, a0 a2, a0 a3, a1 a3, a2 a3 are one chain of
            // carries; a1 a2 comes to it. a0^2 goes to z:t0. a1 is in t7 and a2 in y.
            "
            mulx {t2}, {t1}, {t7}
            mulx {t3}, {t5}, {y}
            mulx {z}, {t0}, rdx
            mulx {t4}, {t6}, {a3}
            mov rdx, {a3}
            add {t2}, {t5}
            mulx {t5}, {x}, {t7}
            adc {t3}, {t6}
            adc {t4}, {x}
            mulx {t6}, {x}, {y}
            adc {t5}, {x}
            adc {t6}, 0
            mov rdx, {t7}
            mulx rdx, {x}, {y}
            add {t3}, {x}
            adc {t4}, rdx
            adc {t5}, 0
            adc {t6}, 0
            ",
            // Twice these, and the squares.
            "
            mov rdx, {t7}
            mulx rdx, {x}, rdx
            xor {t7:e}, {t7:e}
            add {t1}, {t1}
            adc {t2}, {t2}
            adc {t3}, {t3}
            adc {t4}, {t4}
            adc {t5}, {t5}
            adc {t6}, {t6}
            adc {t7}, {t7}
            add {t1}, {z}
            adc {t2}, {x}
            adc {t3}, rdx
            mov rdx, {y}
            mulx rdx, {x}, rdx
            adc {t4}, {x}
            adc {t5}, rdx
            mov rdx, {a3}
            mulx rdx, {x}, rdx
            adc {t6}, {x}
            adc {t7}, rdx
            ",
            // For `finish`.
            "
            add {t4}, 1
            adc {t5}, qword ptr [rip + {minus_p} + 8]
            adc {t6}, 0
            adc {t7}, qword ptr [rip + {minus_p} + 24]
            ",
            reduce!("{t0}", "{t1}", "{t2}", "{t3}"),
            reduce!("{t1}", "{t2}", "{t3}", "{t0}"),
            reduce!("{t2}", "{t3}", "{t0}", "{t1}"),
            reduce!("{t3}", "{t0}", "{t1}", "{t2}"),
            finish!(),
            inout("rdx") a[0] => _,
            t7 = inout(reg) a[1] => _,
            a3 = in(reg) a[3],
            t0 = out(reg) t0,
            t1 = out(reg) t1,
            t2 = out(reg) t2,
            t3 = out(reg) t3,
            t4 = out(reg) _,
            t5 = out(reg) _,
            t6 = out(reg) _,
            x = out(reg) _,
            y = inout(reg) a[2] => _,
            z = out(reg) _,
            minus_p = sym MINUS_P,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3]
}

/// a + b mod p.
#[inline(always)]
fn add(a: &Limbs, b: &Limbs) -> Limbs {
    let (t0, t1, t2, t3);
    // SAFETY: instructions of any x86-64 processor, on registers only.
    unsafe {
        asm!(
            "
            add {t0}, {t4}
            adc {t1}, {t5}
            adc {t2}, {t6}
            adc {t3}, {t7}
            sbb {x}, {x}
            mov {t4}, {t0}
            mov {t5}, {t1}
            mov {t6}, {t2}
            mov {t7}, {t3}
            sub {t0}, -1
            sbb {t1}, {p1}
            sbb {t2}, -1
            sbb {t3}, {p3}
            sbb {x}, 0
            cmovc {t0}, {t4}
            cmovc {t1}, {t5}
            cmovc {t2}, {t6}
            cmovc {t3}, {t7}
            ",
            t0 = inout(reg) a[0] => t0,
            t1 = inout(reg) a[1] => t1,
            t2 = inout(reg) a[2] => t2,
            t3 = inout(reg) a[3] => t3,
            t4 = inout(reg) b[0] => _,
            t5 = inout(reg) b[1] => _,
            t6 = inout(reg) b[2] => _,
            t7 = inout(reg) b[3] => _,
            x = out(reg) _,
            p1 = in(reg) P[1],
            p3 = in(reg) P[3],
            options(pure, nomem, nostack),
        );
    }
    [t0, t1, t2, t3]
}

/// a - b mod p.
#[inline(always)]
fn sub(a: &Limbs, b: &Limbs) -> Limbs {
    let (t0, t1, t2, t3);
    // SAFETY: instructions of any x86-64 processor, on registers only.
    unsafe {
        asm!(
            "
            sub {t0}, {b0}
            sbb {t1}, {b1}
            sbb {t2}, {b2}
            sbb {t3}, {b3}
            sbb {x}, {x}
            and {p1}, {x}
            and {p3}, {x}
            add {t0}, {x}
            adc {t1}, {p1}
            adc {t2}, {x}
            adc {t3}, {p3}
            ",
            t0 = inout(reg) a[0] => t0,
            t1 = inout(reg) a[1] => t1,
            t2 = inout(reg) a[2] => t2,
            t3 = inout(reg) a[3] => t3,
            b0 = in(reg) b[0],
            b1 = in(reg) b[1],
            b2 = in(reg) b[2],
            b3 = in(reg) b[3],
            x = out(reg) _,
            p1 = inout(reg) P[1] => _,
            p3 = inout(reg) P[3] => _,
            options(pure, nomem, nostack),
        );
    }
    [t0, t1, t2, t3]
}

/// As [`Arithmetic::lookup`].
#[target_feature(enable = "avx2")]
fn lookup<const N: usize>(table: &[[u64; N]], index: u64) -> [u64; N] {
    const { assert!(N.is_multiple_of(4), "entries of whole vectors") };
    let index = _mm256_set1_epi64x(index as i64);
    let mut number = _mm256_setzero_si256();
    let mut found = [_mm256_setzero_si256(); N];
    for entry in table {
        let mask = _mm256_cmpeq_epi64(number, index);
        for (found, limbs) in found.iter_mut().zip(entry.chunks_exact(4)) {
            // SAFETY: `limbs` is 32 bytes long; the load needs no alignment.
            let limbs = unsafe { _mm256_loadu_si256(limbs.as_ptr().cast()) };
            *found = _mm256_or_si256(*found, _mm256_and_si256(mask, limbs));
        }
        number = _mm256_add_epi64(number, _mm256_set1_epi64x(1));
    }
    let mut result = [0; N];
    for (limbs, found) in result.chunks_exact_mut(4).zip(found) {
        // SAFETY: `limbs` is 32 bytes long; the store needs no alignment.
        unsafe { _mm256_storeu_si256(limbs.as_mut_ptr().cast(), found) };
    }
    result
}
