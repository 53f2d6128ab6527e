//! Wiping registers and dead stack, by instructions that the compiler cannot leave out.

use std::arch::asm;

use crate::arch::wipe::UNOPTIMISED;

/// Wipes the registers that a called function need not preserve, and the `STACK` bytes of stack
/// below the frame that this is inlined into.
///
/// The processor decides, whatever `SHANGMI_CPU_DISABLE` hides: the compiler and the C library use
/// what there is.
#[inline(always)]
pub(in crate::arch) fn wipe<const STACK: usize>() {
    wipe_vector_registers();
    wipe_stack::<STACK>();
}

#[inline(always)]
fn wipe_vector_registers() {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512, and what is overwritten is declared.
        unsafe {
            asm!(
                "vpxord zmm16, zmm16, zmm16",
                "vpxord zmm17, zmm17, zmm17",
                "vpxord zmm18, zmm18, zmm18",
                "vpxord zmm19, zmm19, zmm19",
                "vpxord zmm20, zmm20, zmm20",
                "vpxord zmm21, zmm21, zmm21",
                "vpxord zmm22, zmm22, zmm22",
                "vpxord zmm23, zmm23, zmm23",
                "vpxord zmm24, zmm24, zmm24",
                "vpxord zmm25, zmm25, zmm25",
                "vpxord zmm26, zmm26, zmm26",
                "vpxord zmm27, zmm27, zmm27",
                "vpxord zmm28, zmm28, zmm28",
                "vpxord zmm29, zmm29, zmm29",
                "vpxord zmm30, zmm30, zmm30",
                "vpxord zmm31, zmm31, zmm31",
                "kxorw k0, k0, k0",
                "kxorw k1, k1, k1",
                "kxorw k2, k2, k2",
                "kxorw k3, k3, k3",
                "kxorw k4, k4, k4",
                "kxorw k5, k5, k5",
                "kxorw k6, k6, k6",
                "kxorw k7, k7, k7",
                clobber_abi("sysv64"),
                options(nomem, nostack),
            );
        }
    }
    if is_x86_feature_detected!("avx") {
        // SAFETY: the processor has AVX, and what is overwritten is declared.
        unsafe { asm!("vzeroall", clobber_abi("sysv64"), options(nomem, nostack)) }
    } else {
        // SAFETY: every x86-64 processor has SSE2, and what is overwritten is declared.
        unsafe {
            asm!(
                "pxor xmm0, xmm0",
                "pxor xmm1, xmm1",
                "pxor xmm2, xmm2",
                "pxor xmm3, xmm3",
                "pxor xmm4, xmm4",
                "pxor xmm5, xmm5",
                "pxor xmm6, xmm6",
                "pxor xmm7, xmm7",
                "pxor xmm8, xmm8",
                "pxor xmm9, xmm9",
                "pxor xmm10, xmm10",
                "pxor xmm11, xmm11",
                "pxor xmm12, xmm12",
                "pxor xmm13, xmm13",
                "pxor xmm14, xmm14",
                "pxor xmm15, xmm15",
                clobber_abi("sysv64"),
                options(nomem, nostack),
            );
        }
    }
}

/// Wipes the other registers as well: the loop needs some of them.
#[inline(always)]
fn wipe_stack<const STACK: usize>() {
    const {
        assert!(
            STACK > 0 && STACK.is_multiple_of(64),
            "64 bytes are wiped at once"
        )
    };
    // SAFETY: nothing below the stack pointer is in use. The pointer moves along, so that the pages
    // are reached in the order in which a system maps them, and is put back at the end.
    unsafe {
        asm!(
            "mov r8, rsp",
            "pxor xmm0, xmm0",
            "2:",
            "sub rsp, 64",
            "movups [rsp + 48], xmm0",
            "movups [rsp + 32], xmm0",
            "movups [rsp + 16], xmm0",
            "movups [rsp], xmm0",
            "dec ecx",
            "jnz 2b",
            "mov rsp, r8",
            "xor eax, eax",
            "xor edx, edx",
            "xor esi, esi",
            "xor edi, edi",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            inout("ecx") STACK / 64 * UNOPTIMISED => _,
            clobber_abi("sysv64"),
        );
    }
}
