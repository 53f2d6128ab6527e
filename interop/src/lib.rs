//! The foreign stacks that judge us, OpenSSL 4 and Tongsuo 8.5, and what a test needs to meet them.
//!
//! [`stack`] builds each from its source crate, [`peer`] runs the scripted TLS peer that is linked
//! against it, [`ours`] is the rustls end with our provider, [`chain`] makes certificates with our
//! `pki`, and [`meeting`] brings both ends together over TCP on loopback.

pub mod chain;
pub mod meeting;
pub mod memory;
pub mod ours;
pub mod peer;
pub mod stack;
