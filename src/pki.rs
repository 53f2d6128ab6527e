//! Key files, certificates and requests with SM2 keys, over `x509-cert`, `pkcs8` and `der`.
//!
//! - [`key`]: private and public keys in files, as PKCS#8, SEC1 and SubjectPublicKeyInfo.
//! - [`Ca`] issues what a [`Leaf`] or a [`Request`] describes; the signing key may live in software
//!   or in a token, anything that implements [`crate::sm2::SignDigest`].
//! - [`Certificate`], [`certificate_public_key`] and [`allows_digital_signature`] read certificates.
//!
//! Bytes from outside become typed values here, once: strict DER, bounded in size, without trailing
//! bytes. Path validation is not done here but by `webpki` inside rustls.

mod ca;
mod certificate;
mod error;
mod extensions;
pub mod key;
mod leaf;
mod name;
mod pem;
pub(crate) mod request;
mod signed;
mod validity;

pub use ca::Ca;
pub use certificate::{Certificate, allows_digital_signature, certificate_public_key};
#[cfg(feature = "pkcs11")]
pub(crate) use certificate::{
    certificate_der, certificate_names, describe_certificate, subject_public_key_info,
};
pub use error::{Error, Item, SignatureFault};
#[cfg(feature = "rustls")]
pub(crate) use extensions::forbids_signing;
pub use leaf::{Leaf, Purpose};
pub use request::Request;
pub use validity::Validity;
pub use x509_cert::ext::pkix::{KeyUsage, KeyUsages};
