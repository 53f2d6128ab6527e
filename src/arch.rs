//! Kernels: the routines that decide the speed, once for each kind of processor, and the only `unsafe`
//! of the cryptographic module.
//!
//! A routine has the same file name in `portable/` and in `x86_64/`. The file of that name here chooses
//! between them: it asks [`cpu`] for a proof that the processor has the instructions, and the proof is
//! an argument of the fast routine, so that nothing can call it elsewhere. What the processor has is
//! asked once; SM4 and SM3 choose when a key or a hash is made, SM2 at each operation.
//!
//! Every kernel, the portable ones too, runs in constant time: no branch and no index depends on a
//! secret. Functions that are not so are named `_vartime`.

#![allow(unsafe_code)]

use std::fmt;

pub(crate) mod clock;
pub(crate) mod cpu;
pub(crate) mod ct;
pub(crate) mod fork;
pub(crate) mod memory;
pub(crate) mod sm2;
pub(crate) mod sm3;
pub(crate) mod sm4;
pub(crate) mod wipe;

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

/// Which code this process runs for each algorithm: names of docs/kernels.md, such as "VAES + AVX2",
/// or "portable". For logs: it decides nothing but the speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kernels {
    /// The arithmetic of SM2.
    pub sm2: &'static str,
    /// SM3's compression function.
    pub sm3: &'static str,
    /// SM4 and its modes.
    pub sm4: &'static str,
}

/// The kernels that keys made from now on use: the best ones for this processor, less what the
/// environment variable `SHANGMI_CPU_DISABLE` hid when the first of them was chosen.
pub fn kernels() -> Kernels {
    Kernels {
        sm2: sm2::Kernel::select().name(),
        sm3: sm3::Kernel::select().name(),
        sm4: sm4::Kernel::select().name(),
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SM2 {}, SM3 {}, SM4 {}", self.sm2, self.sm3, self.sm4)
    }
}
