//! Which data is secret, told to valgrind: `constant-time/` runs the library under memcheck with secrets
//! marked as undefined memory, which then reports every branch and index that depends on one.
//!
//! Only a build with `--cfg shangmi_ctgrind` talks to valgrind; in any other, [`declassify`] gives back
//! its argument and the rest is not there.

/// Says that `value` may be known to all, though it was computed from secrets: a signature, whether a
/// tag was right, whether a candidate for a nonce was thrown away. Each call gives its reason.
#[inline(always)]
pub(crate) fn declassify<T: Copy>(value: T) -> T {
    #[cfg(shangmi_ctgrind)]
    mark_public(std::slice::from_ref(&value));
    value
}

#[cfg(shangmi_ctgrind)]
pub use valgrind::{errors, has_secrets, mark_public, mark_secret, running};

/// The client requests of valgrind that are needed, as valgrind.h and memcheck.h number them.
#[cfg(shangmi_ctgrind)]
mod valgrind {
    use core::arch::asm;
    use core::mem::size_of_val;

    const RUNNING_ON_VALGRIND: usize = 0x1001;
    const COUNT_ERRORS: usize = 0x1201;
    const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;
    const MAKE_MEM_UNDEFINED: usize = MEMCHECK + 1;
    const MAKE_MEM_DEFINED: usize = MEMCHECK + 2;
    const GET_VBITS: usize = MEMCHECK + 8;

    /// Whether the program runs under valgrind.
    pub fn running() -> bool {
        request([RUNNING_ON_VALGRIND, 0, 0, 0]) != 0
    }

    /// How many errors valgrind has seen so far.
    pub fn errors() -> usize {
        request([COUNT_ERRORS, 0, 0, 0])
    }

    /// From now on, nothing may depend on `data` but data.
    pub fn mark_secret<T: Copy>(data: &mut [T]) {
        request([
            MAKE_MEM_UNDEFINED,
            data.as_mut_ptr() as usize,
            size_of_val(data),
            0,
        ]);
    }

    /// From now on, all may know `data`.
    pub fn mark_public<T: Copy>(data: &[T]) {
        request([
            MAKE_MEM_DEFINED,
            data.as_ptr() as usize,
            size_of_val(data),
            0,
        ]);
    }

    /// Whether `data` depends on anything that was marked secret.
    pub fn has_secrets(data: &[u8]) -> bool {
        let mut bits = vec![0u8; data.len()];
        request([
            GET_VBITS,
            data.as_ptr() as usize,
            bits.as_mut_ptr() as usize,
            data.len(),
        ]);
        bits.iter().any(|&undefined| undefined != 0)
    }

    /// Does nothing and answers 0 outside valgrind, which knows the sequence of rotations.
    #[inline(always)]
    fn request(arguments: [usize; 4]) -> usize {
        let block = [arguments[0], arguments[1], arguments[2], arguments[3], 0, 0];
        let mut answer = 0;
        // SAFETY: the rotations add up to 128 and the exchange is with itself, so that nothing
        // changes but, under valgrind, the answer and the marks of memory that is ours.
        unsafe {
            asm!(
                "rol rdi, 3",
                "rol rdi, 13",
                "rol rdi, 61",
                "rol rdi, 51",
                "xchg rbx, rbx",
                in("rax") &block,
                inout("rdx") answer,
            );
        }
        answer
    }
}
