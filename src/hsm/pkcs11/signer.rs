//! A key in a token as rustls's `SigningKey`.

use std::sync::Arc;

use pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};

use super::key::{Inner, TokenKey};
use super::public::{Key, KeyKind};
use super::scheme::{Hash, Scheme};
use crate::hsm::Error;
use crate::sm2::{self, SM2SIG_SM3, TLS13_ID};

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self
            .0
            .schemes()
            .iter()
            .find(|scheme| offered.contains(&tls_scheme(**scheme)))?;
        Some(Box::new(TokenSigner {
            key: self.0.clone(),
            scheme: *scheme,
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.public_key_info()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.kind() {
            // A private-use number: TLS 1.2 has none for SM2, and TLS 1.3 does not ask.
            KeyKind::Sm2 => SignatureAlgorithm::Unknown(0xe0),
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 => SignatureAlgorithm::ECDSA,
            KeyKind::Rsa => SignatureAlgorithm::RSA,
        }
    }
}

#[derive(Debug)]
struct TokenSigner {
    key: Arc<Inner>,
    scheme: Scheme,
}

impl Signer for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature = self
            .digest(message)
            .and_then(|digest| self.key.sign(self.scheme, &digest));
        signature.map_err(|error| rustls::Error::Other(OtherError(Arc::new(error))))
    }

    fn scheme(&self) -> SignatureScheme {
        tls_scheme(self.scheme)
    }
}

impl TokenSigner {
    fn digest(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(match (self.scheme, &self.key.public().key) {
            (Scheme::Sm2(_), Key::Sm2(key)) => {
                // The ID of CertificateVerify (RFC 8998, 3.2.1), which no token could know.
                let e = sm2::message_digest(TLS13_ID, key, message);
                e.map_err(|error| Error::unless_refused(Error::answer(error.to_string())))?
                    .to_vec()
            }
            (Scheme::Sm2(_), _) => {
                return Err(Error::WrongKind {
                    wanted: KeyKind::Sm2,
                    found: self.key.public().kind(),
                });
            }
            (Scheme::EcdsaP256, _) => Hash::Sha256.digest(message),
            (Scheme::EcdsaP384, _) => Hash::Sha384.digest(message),
            (Scheme::RsaPss(hash) | Scheme::RsaPkcs1(hash), _) => hash.digest(message),
        })
    }
}

fn tls_scheme(scheme: Scheme) -> SignatureScheme {
    match scheme {
        Scheme::Sm2(_) => SignatureScheme::Unknown(SM2SIG_SM3),
        Scheme::EcdsaP256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        Scheme::EcdsaP384 => SignatureScheme::ECDSA_NISTP384_SHA384,
        Scheme::RsaPss(Hash::Sha256) => SignatureScheme::RSA_PSS_SHA256,
        Scheme::RsaPss(Hash::Sha384) => SignatureScheme::RSA_PSS_SHA384,
        Scheme::RsaPss(Hash::Sha512) => SignatureScheme::RSA_PSS_SHA512,
        Scheme::RsaPkcs1(Hash::Sha256) => SignatureScheme::RSA_PKCS1_SHA256,
        Scheme::RsaPkcs1(Hash::Sha384) => SignatureScheme::RSA_PKCS1_SHA384,
        Scheme::RsaPkcs1(Hash::Sha512) => SignatureScheme::RSA_PKCS1_SHA512,
    }
}
