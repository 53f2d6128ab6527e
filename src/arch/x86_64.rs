//! Kernels for x86-64.

pub(crate) mod ghash;
pub(crate) mod sm4;
pub(in crate::arch) mod vector;
