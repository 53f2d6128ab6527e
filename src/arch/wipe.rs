//! Wiping what a computation leaves behind when it returns: secrets in registers, and in the frames
//! of its functions below the caller's stack pointer.

#[cfg(test)]
pub(crate) mod dump;

#[cfg(not(target_arch = "x86_64"))]
use super::portable::wipe::wipe;
#[cfg(target_arch = "x86_64")]
use super::x86_64::wipe::wipe;

/// How much more of the stack is wiped where code is hardly optimised, as debug assertions tell.
pub(super) const UNOPTIMISED: usize = if cfg!(debug_assertions) { 4 } else { 1 };

/// Runs `f`, and when it has returned or panicked, wipes the registers that a function may leave
/// anything in, and the `STACK` bytes of stack below the caller's frame.
///
/// A public function that has to do with secrets puts its whole body into this. `f` takes secrets
/// by reference, and gives back nothing secret but what is on the heap: what it captures and returns
/// is in the caller's own frame. HMAC's and HKDF's states are given back as they are, so that a hash needs
/// no heap; their owner's drop wipes them. `STACK` is what optimised code needs, as `tests/wiping` shows.
pub(crate) fn leaving<const STACK: usize, T>(f: impl FnOnce() -> T) -> T {
    let _leftovers = Leftovers::<STACK>;
    below(f)
}

/// Wipes when dropped.
struct Leftovers<const STACK: usize>;

impl<const STACK: usize> Drop for Leftovers<STACK> {
    // Inlined, so that the wiping begins right below the frame of `leaving`.
    #[inline(always)]
    fn drop(&mut self) {
        wipe::<STACK>();
    }
}

/// Not inlined, so that all that `f` has on the stack is below the frame of `leaving`.
#[inline(never)]
fn below<T>(f: impl FnOnce() -> T) -> T {
    f()
}

#[cfg(all(test, target_arch = "x86_64", not(windows)))]
mod tests {
    use std::hint::black_box;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::dump::{Dump, after};
    use super::*;

    const SECRET: [u8; 64] = *b"0123456789abcdef-a-secret-of-64-bytes-in-registers-and-on-stack.";

    /// Puts the secret where it can: on the stack at two depths, and into vector registers.
    #[inline(never)]
    fn leak(secret: &[u8; 64]) {
        leak_below(black_box(secret));
        let mut copy = black_box(*secret);
        black_box(&mut copy);
        load(secret);
    }

    #[inline(never)]
    fn leak_below(secret: &[u8; 64]) {
        let mut room = [0u8; 1024];
        room[100..164].copy_from_slice(secret);
        black_box(&mut room);
    }

    /// Into the first and the last of the registers, as wide as they are.
    #[inline(never)]
    fn load(secret: &[u8; 64]) {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has AVX-512, and 64 bytes are read.
            unsafe {
                std::arch::asm!(
                    "vmovups zmm0, [{0}]",
                    "vmovups zmm15, [{0}]",
                    "vmovups zmm16, [{0}]",
                    "vmovups zmm31, [{0}]",
                    "kmovw k1, [{0}]",
                    "kmovw k7, [{0}]",
                    in(reg) secret,
                    clobber_abi("sysv64"),
                );
            }
        } else if is_x86_feature_detected!("avx") {
            println!("not run on this machine: AVX-512 registers");
            // SAFETY: the processor has AVX, and 32 bytes are read.
            unsafe {
                std::arch::asm!(
                    "vmovups ymm0, [{0}]",
                    "vmovups ymm15, [{0}]",
                    in(reg) secret,
                    clobber_abi("sysv64"),
                );
            }
        } else {
            println!("not run on this machine: AVX and AVX-512 registers");
            // SAFETY: 16 bytes are read.
            unsafe {
                std::arch::asm!(
                    "movups xmm0, [{0}]",
                    "movups xmm15, [{0}]",
                    in(reg) secret,
                    clobber_abi("sysv64"),
                );
            }
        }
    }

    /// The control: without the wiping, everything is found.
    #[test]
    fn a_leak_is_found() {
        let dump = after(|| leak(&SECRET));
        assert!(stack_has(&dump, &SECRET[..8]));
        assert!(stack_has(&dump, &SECRET[56..]));
        assert!(dump.dirty_depth() > 1024);
        assert!(!dump.vector_registers_are_wiped());
        for register in [0, 15] {
            assert_eq!(dump.vectors[register][..16], SECRET[..16]);
        }
        if is_x86_feature_detected!("avx512f") {
            for register in [0, 15, 16, 31] {
                assert_eq!(dump.vectors[register], SECRET);
            }
            assert_eq!(dump.masks[1], 0x3130);
            assert_eq!(dump.masks[7], 0x3130);
        }
    }

    #[test]
    fn what_is_left_is_wiped() {
        assert_wiped(&after(|| leaving::<4096, _>(|| leak(&SECRET))));
    }

    #[test]
    fn what_a_panic_leaves_is_wiped() {
        let mut panicked = false;
        let dump = after(|| {
            let result = catch_unwind(AssertUnwindSafe(|| {
                leaving::<65536, _>(|| {
                    leak(&SECRET);
                    std::panic::resume_unwind(Box::new(()));
                })
            }));
            panicked = result.is_err();
        });
        assert!(panicked);
        assert!(!stack_has(&dump, &SECRET[..8]));
    }

    #[test]
    fn too_little_is_seen() {
        let dump = after(|| leaving::<64, _>(|| leak(&SECRET)));
        assert!(stack_has(&dump, &SECRET[..8]));
        assert!(dump.dirty_depth() > 1024);
    }

    #[test]
    fn the_result_is_handed_on() {
        assert_eq!(leaving::<64, _>(|| black_box(7)), 7);
        assert_eq!(leaving::<64, _>(|| black_box(SECRET)), SECRET);
    }

    fn stack_has(dump: &Dump, needle: &[u8]) -> bool {
        dump.stack().windows(needle.len()).any(|it| it == needle)
    }

    fn assert_wiped(dump: &Dump) {
        assert!(!stack_has(dump, &SECRET[..8]));
        assert!(!stack_has(dump, &SECRET[56..]));
        assert!(dump.vector_registers_are_wiped());
        assert!(dump.dirty_depth() < 512, "{}", dump.dirty_depth());
    }
}
