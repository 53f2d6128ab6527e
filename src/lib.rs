//! China's national cryptography (ShangMi: SM2, SM3, SM4) for TLS on stock rustls 0.23, with private
//! keys that may live in an HSM.
//!
//! | to | use |
//! |---|---|
//! | serve or speak RFC 8998 (SM suites in TLS 1.3) | [`tls13`], feature `rustls` |
//! | sign with a key in a PKCS#11 token | [`hsm`], feature `pkcs11` |
//! | read key files, make and read certificates and requests | [`pki`] |
//! | sign, verify, encrypt, agree with SM2 | [`sm2`] |
//! | hash, authenticate, derive keys with SM3 | [`sm3`] |
//! | encrypt with SM4 | [`sm4`] |
//! | see the module's state, run its self tests | [`module`] |
//! | answer a laboratory's test vectors | `acvp`, feature `acvp` |
//!
//! On by default are `rustls`, `pkcs11`, and `international`, which adds AES-GCM, P-256, P-384, X25519
//! and RSA verification from RustCrypto to [`tls13`] as `mixed()`. `tokio` adds `tls13::tokio` for
//! servers and clients on tokio, `serde` makes reports about tokens serializable, and `cli` builds the
//! command `shangmi`. A module imports only from modules below it in that table and from [`random`]
//! and [`secret`].
//!
//! A certificate and its key, and a TLS key made of them:
//!
//! ```
//! use std::sync::Arc;
//! use shangmi::pki::{Ca, Leaf, Validity};
//! use shangmi::random::SystemRandom;
//! use shangmi::sm2::SecretKey;
//! # #[cfg(feature = "rustls")] {
//! use shangmi::tls13::{Sm2SigningKey, certified_key};
//!
//! let root = SecretKey::generate(&mut SystemRandom)?;
//! let ca = Ca::self_signed("CN=Example CA,O=Example,C=CN", root, Validity::days(365))?;
//! let key = SecretKey::generate(&mut SystemRandom)?;
//! let certificate = ca.issue(&Leaf::server("localhost"), key.public_key())?;
//!
//! let chain = vec![certificate.to_der().into()];
//! let for_rustls = certified_key(chain, Arc::new(Sm2SigningKey::new(Arc::new(key))))?;
//! # drop(for_rustls); }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout
    )
)]

#[cfg(feature = "acvp")]
pub mod acvp;
mod arch;
#[cfg(test)]
mod error_state;
mod gate;
#[cfg(feature = "pkcs11")]
pub mod hsm;
pub mod module;
pub mod pki;
pub mod random;
pub mod secret;
pub mod sm2;
pub mod sm3;
pub mod sm4;
#[cfg(feature = "rustls")]
pub mod tls13;

pub use arch::{Kernels, kernels};

/// For the side-channel test in `constant-time/` only.
#[cfg(shangmi_ctgrind)]
#[doc(hidden)]
pub mod ct {
    pub use crate::arch::ct::{errors, has_secrets, mark_public, mark_secret, running};
}

/// The README's program texts, compiled.
#[cfg(all(doctest, feature = "pkcs11", feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
