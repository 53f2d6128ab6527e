//! SM2, the elliptic-curve cryptography of GB/T 32918-2016 on the recommended curve of
//! GB/T 32918.5-2017: keys, signatures, ECDH, encryption and key agreement.
//!
//! A signature covers e = SM3(Z || M), where Z binds the signer's ID and public key. Which ID is
//! used where decides whether a peer accepts it: [`DEFAULT_ID`] in certificates, requests and
//! revocation lists, [`TLS13_ID`] in the CertificateVerify message of TLS 1.3.
//!
//! ```
//! use shangmi::random::SystemRandom;
//! use shangmi::sm2::{DEFAULT_ID, SecretKey, SigningKey, Signer, Verifier};
//!
//! let key = SigningKey::new(SecretKey::generate(&mut SystemRandom)?, DEFAULT_ID)?;
//! let signature = key.try_sign(b"message")?;
//! key.verifying_key().verify(b"message", &signature)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod curve;
mod error;
mod id;
mod kdf;
mod key;
pub(crate) mod self_test;
mod sign;
mod signature;
#[cfg(test)]
mod tests;

pub mod agreement;
pub mod ecdh;
pub mod encryption;

/// Operations with a chosen nonce, for known-answer tests only: a nonce that is known or used
/// twice gives the private key away.
#[doc(hidden)]
pub mod hazmat {
    pub use crate::sm2::encryption::encrypt_with_nonce;
    pub use crate::sm2::sign::sign_digest_with_nonce;
}

pub use agreement::Agree;
pub use encryption::Decrypt;
pub use error::Error;
pub use id::{DEFAULT_ID, MAX_ID_LEN, TLS13_ID, message_digest, z_value};
pub use key::{PublicKey, SecretKey};
pub use sign::{PreparedVerifyingKey, SignDigest, SigningKey, VerifyingKey, verify_digest};
pub use signature::Signature;

#[doc(no_inline)]
pub use ::signature::{Signer, Verifier};

use der::asn1::ObjectIdentifier;

/// Stack that no operation here exceeds, to be wiped after those with secrets.
const STACK: usize = 12 << 10;

/// The curve's OID, 1.2.156.10197.1.301 (GB/T 33560), as `namedCurve` in key files and certificates.
pub const CURVE_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");

/// The OID of SM2 signatures with SM3, 1.2.156.10197.1.501 (GB/T 33560).
pub const SIGN_WITH_SM3_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// The TLS 1.3 SignatureScheme `sm2sig_sm3` (RFC 8998, 2.2).
pub const SM2SIG_SM3: u16 = 0x0708;

/// The TLS 1.3 NamedGroup `curveSM2` (RFC 8998, 2.3).
pub const CURVE_SM2: u16 = 41;
