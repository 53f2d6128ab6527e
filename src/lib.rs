//! China's national cryptography (ShangMi: SM2, SM3, SM4) for TLS on stock rustls.

#![deny(unsafe_code)]

#[cfg(feature = "pkcs11")]
pub mod hsm;
pub mod pki;
pub mod random;
pub mod secret;
pub mod sm2;
pub mod sm3;
pub mod sm4;
#[cfg(feature = "rustls")]
pub mod tls13;
