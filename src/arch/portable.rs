//! What runs on any processor, in constant time: no tables, no branches on secrets.

pub(super) mod ghash;
pub(super) mod invert;
pub(super) mod sm2;
pub(super) mod sm3;
pub(super) mod sm4;
#[cfg(not(target_arch = "x86_64"))]
pub(super) mod wipe;
