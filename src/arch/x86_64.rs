//! Kernels for x86-64.

pub(super) mod invert;
pub(super) mod sm2;
