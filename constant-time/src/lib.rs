//! What both side-channel tests run: every operation of the library that takes a secret, and controls
//! that leak on purpose and must be caught.

mod controls;
mod sm2;
mod symmetric;

pub use controls::CONTROLS;

/// An operation on a secret.
pub struct Subject {
    /// What is done, for the report.
    pub name: &'static str,
    /// Size of the secret in bytes; every value with a first byte below 0x80 is a valid secret.
    pub secret_len: usize,
    /// Does it, and gives back what came out.
    pub run: fn(&[u8]) -> Vec<u8>,
    /// Whether what came out may be known to all.
    pub output: Output,
}

/// What an operation gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Something that depends on the secret and was not declassified.
    Secret,
    /// Something that the library calls public: a signature, a public key, a refusal.
    Public,
}

/// The operations that must be constant-time.
pub fn subjects() -> impl Iterator<Item = &'static Subject> {
    symmetric::SUBJECTS.iter().chain(sm2::SUBJECTS)
}

/// The secret of class "fixed", which an operation gets again and again.
pub fn fixed_secret(len: usize) -> Vec<u8> {
    (0..len).map(|i| 0x5a ^ i as u8).collect()
}
