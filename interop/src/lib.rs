//! The foreign stacks that judge us, OpenSSL 4 and Tongsuo 8.5, and what a test needs to meet them.
//!
//! [`stack`] builds each from its source crate, [`peer`] runs the scripted TLS peer that is linked
//! against it, [`ours`] is the rustls end with our provider, [`chain`] makes certificates with our
//! `pki`, and [`meeting`] brings both ends together over TCP on loopback.
//!
//! [`bench`] measures us against them, libgcrypt, Botan, RustCrypto and aws-lc-rs; [`hsm`] is about keys
//! in an HSM, under load and with faults; [`validation`] is about the cryptographic module.

pub mod bench;
pub mod chain;
pub mod hsm;
pub mod meeting;
pub mod memory;
pub mod ours;
pub mod peer;
pub mod stack;
pub mod validation;

/// The version of a crate that is measured or tested, from the lock file.
pub fn locked(name: &str) -> &'static str {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let entry = format!("name = \"{name}\"\nversion = \"");
    let versions = LOCK
        .split(&entry)
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    versions.unwrap_or("of unknown version")
}
