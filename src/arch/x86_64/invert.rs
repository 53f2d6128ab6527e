//! The division steps of inversion with conditional moves.

use core::arch::asm;

use crate::arch::portable::invert::Steps;

/// Twenty division steps, each four instructions long from one g to the next; the portable
/// `twenty_steps`, with masks, takes six.
#[inline(always)]
pub(crate) fn twenty_steps(Steps { zeta, f, g }: Steps) -> Steps {
    let (mut zeta, mut f, mut g) = (zeta, f, g);
    // SAFETY: instructions of any x86-64 processor, on registers only.
    unsafe {
        asm!(
            "mov {count:e}, 4",
            "2:",
            ".rept 5",
            // What comes if g is odd...
            "lea {odd_g}, [{g} + {f}]",
            "mov {difference}, {g}",
            "sub {difference}, {f}",
            "mov {odd_f}, {f}",
            "mov {odd_zeta}, {zeta}",
            "mov {inverse}, {zeta}",
            "not {inverse}",
            "test {zeta}, {zeta}",
            "cmovs {odd_g}, {difference}",
            "cmovs {odd_f}, {g}",
            "cmovs {odd_zeta}, {inverse}",
            // ... and whether it is.
            "test {g:l}, 1",
            "cmovnz {g}, {odd_g}",
            "cmovnz {f}, {odd_f}",
            "cmovnz {zeta}, {odd_zeta}",
            "sar {g}, 1",
            "dec {zeta}",
            ".endr",
            "dec {count:e}",
            "jnz 2b",
            zeta = inout(reg) zeta,
            f = inout(reg) f,
            g = inout(reg) g,
            odd_zeta = out(reg) _,
            odd_f = out(reg) _,
            odd_g = out(reg) _,
            difference = out(reg) _,
            inverse = out(reg) _,
            count = out(reg) _,
            options(pure, nomem, nostack),
        );
    }
    Steps { zeta, f, g }
}
