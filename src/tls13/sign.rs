//! Handshake signatures with SM2 keys, wherever the key is.

use std::fmt;
use std::sync::Arc;

use pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::Error;
use super::verify::{SM2_PUBLIC_KEY, SM2SIG_SM3};
use crate::sm2::{self, SignDigest};

/// An SM2 key, in software or in a token, as a rustls [`SigningKey`].
///
/// It offers sm2sig_sm3 only and signs under [`sm2::TLS13_ID`] (RFC 8998 3.2.1). Only the 32-byte
/// digest e goes to the key.
#[derive(Clone)]
pub struct Sm2SigningKey(Arc<dyn SignDigest>);

impl Sm2SigningKey {
    /// A rustls key over `key`.
    pub fn new(key: Arc<dyn SignDigest>) -> Self {
        Self(key)
    }
}

impl SigningKey for Sm2SigningKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SM2SIG_SM3)
            .then(|| Box::new(Sm2Signer(self.0.clone())) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        let point = self.0.public_key().to_sec1();
        Some(public_key_to_spki(&SM2_PUBLIC_KEY, point))
    }

    /// A private-use number: TLS 1.2 has none for SM2, and TLS 1.3 does not ask.
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Unknown(0xe0)
    }
}

impl fmt::Debug for Sm2SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sm2SigningKey")
            .field(self.0.public_key())
            .finish()
    }
}

struct Sm2Signer(Arc<dyn SignDigest>);

impl Signer for Sm2Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        sm2::message_digest(sm2::TLS13_ID, self.0.public_key(), message)
            .and_then(|e| self.0.sign_digest(&e))
            .map(|signature| signature.to_der())
            .map_err(|error| Error::Sign(error).into())
    }

    fn scheme(&self) -> SignatureScheme {
        SM2SIG_SM3
    }
}

impl fmt::Debug for Sm2Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm2Signer { .. }")
    }
}
