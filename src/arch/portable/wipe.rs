//! Wiping by safe means: what the compiler does with it is its own affair.

use std::hint::black_box;

use crate::arch::wipe::UNOPTIMISED;

/// Overwrites `STACK` bytes of stack below the caller's frame.
#[inline(never)]
pub(in crate::arch) fn wipe<const STACK: usize>() {
    black_box(&mut [[0u8; STACK]; UNOPTIMISED]);
}
