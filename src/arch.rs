//! Kernels: the routines that decide the speed, once for each kind of processor, and the only `unsafe`
//! of the cryptographic module.
//!
//! A routine has the same file name in `portable/` and in `x86_64/`. The file of that name here chooses
//! between them: it asks [`cpu`] for a proof that the processor has the instructions, and the proof is
//! an argument of the fast routine, so that nothing can call it elsewhere. The choice is made once,
//! when a key is made.
//!
//! Every kernel, the portable ones too, runs in constant time: no branch and no index depends on a
//! secret. Functions that are not so are named `_vartime`.

#![allow(unsafe_code)]

pub(crate) mod cpu;
pub(crate) mod ct;
pub(crate) mod sm2;
pub(crate) mod sm3;
pub(crate) mod sm4;
pub(crate) mod wipe;

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;
