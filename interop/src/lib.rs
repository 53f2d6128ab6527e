//! The foreign stacks that judge us, OpenSSL 4 and Tongsuo 8.5, and what a test needs to drive them.
//!
//! [`stack`] builds each from its source crate, [`peer`] runs the scripted TLS peer that is linked
//! against it.

pub mod peer;
pub mod stack;
