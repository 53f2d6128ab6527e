//! Kernels for x86-64.

pub(crate) mod ghash;
pub(super) mod invert;
pub(super) mod sm2;
pub(super) mod sm3;
pub(crate) mod sm4;
pub(super) mod vector;
pub(super) mod wipe;
