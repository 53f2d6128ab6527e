//! What runs on any processor, in constant time: no tables, no branches on secrets.

pub(super) mod sm3;
