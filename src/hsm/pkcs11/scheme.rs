//! Signature schemes: what goes to the token, what may come back, and whether it verifies.

use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki_sys::CK_MECHANISM_TYPE;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, Pss};
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::hazmat::PrehashVerifier;

use super::profile::Profile;
use super::public::{Key, KeyKind, PublicKey};
use crate::hsm::Error;
use crate::sm2;

/// How a key signs a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Sm2(Profile),
    EcdsaP256,
    EcdsaP384,
    RsaPss(Hash),
    RsaPkcs1(Hash),
}

/// A hash that the host computes, so that the token sees digests alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How a token writes (r, s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// r || s.
    Raw,
    /// A DER SEQUENCE of two INTEGERs.
    Der,
}

impl Scheme {
    pub(super) fn kind(self) -> KeyKind {
        match self {
            Self::Sm2(_) => KeyKind::Sm2,
            Self::EcdsaP256 => KeyKind::EcdsaP256,
            Self::EcdsaP384 => KeyKind::EcdsaP384,
            Self::RsaPss(_) | Self::RsaPkcs1(_) => KeyKind::Rsa,
        }
    }

    /// The mechanism's number.
    pub(super) fn mechanism_number(self) -> CK_MECHANISM_TYPE {
        match self {
            Self::Sm2(profile) => profile.sign,
            Self::EcdsaP256 | Self::EcdsaP384 => *MechanismType::ECDSA,
            Self::RsaPss(_) => *MechanismType::RSA_PKCS_PSS,
            Self::RsaPkcs1(_) => *MechanismType::RSA_PKCS,
        }
    }

    /// The mechanism's name.
    pub(super) fn mechanism_name(self) -> &'static str {
        match self {
            Self::Sm2(profile) => profile.sign_name,
            Self::EcdsaP256 | Self::EcdsaP384 => "CKM_ECDSA",
            Self::RsaPss(_) => "CKM_RSA_PKCS_PSS",
            Self::RsaPkcs1(_) => "CKM_RSA_PKCS",
        }
    }

    pub(super) fn mechanism(self) -> Result<Mechanism<'static>, Error> {
        Ok(match self {
            Self::Sm2(profile) => {
                let kind = MechanismType::new_vendor_defined(profile.sign)?;
                Mechanism::VendorDefined(VendorDefinedMechanism::new::<()>(kind, None))
            }
            Self::EcdsaP256 | Self::EcdsaP384 => Mechanism::Ecdsa,
            Self::RsaPss(hash) => Mechanism::RsaPkcsPss(hash.pss_parameters()),
            Self::RsaPkcs1(_) => Mechanism::RsaPkcs,
        })
    }

    /// Length of the digest in bytes.
    pub(super) fn digest_len(self) -> usize {
        match self {
            Self::Sm2(_) | Self::EcdsaP256 => 32,
            Self::EcdsaP384 => 48,
            Self::RsaPss(hash) | Self::RsaPkcs1(hash) => hash.len(),
        }
    }

    /// What C_Sign takes for a digest.
    pub(super) fn input(self, digest: &[u8]) -> Vec<u8> {
        match self {
            Self::RsaPkcs1(hash) => [hash.digest_info_prefix(), digest].concat(),
            _ => digest.to_vec(),
        }
    }

    /// The token's answer as TLS and X.509 write it; `None` if it is no signature in this
    /// encoding.
    pub(super) fn read(
        self,
        answer: &[u8],
        encoding: Encoding,
        key: &PublicKey,
    ) -> Option<Vec<u8>> {
        match self {
            Self::Sm2(_) => Some(read_sm2(answer, encoding)?.to_der()),
            Self::EcdsaP256 => {
                use p256::ecdsa::Signature;
                let signature = match encoding {
                    Encoding::Raw => Signature::from_slice(answer),
                    Encoding::Der => Signature::from_der(answer),
                };
                Some(signature.ok()?.to_der().as_bytes().to_vec())
            }
            Self::EcdsaP384 => {
                use p384::ecdsa::Signature;
                let signature = match encoding {
                    Encoding::Raw => Signature::from_slice(answer),
                    Encoding::Der => Signature::from_der(answer),
                };
                Some(signature.ok()?.to_der().as_bytes().to_vec())
            }
            Self::RsaPss(_) | Self::RsaPkcs1(_) => {
                let Key::Rsa(key) = &key.key else { return None };
                (answer.len() == key.size()).then(|| answer.to_vec())
            }
        }
    }

    /// Whether a signature, as [`Scheme::read`] returns it, verifies in software.
    pub(super) fn verifies(self, key: &PublicKey, digest: &[u8], signature: &[u8]) -> bool {
        match (self, &key.key) {
            (Self::Sm2(_), Key::Sm2(key)) => {
                let signature = sm2::Signature::from_der(signature);
                let e: Result<[u8; 32], _> = digest.try_into();
                matches!((e, signature), (Ok(e), Ok(s)) if sm2::verify_digest(key, &e, &s).is_ok())
            }
            (Self::EcdsaP256, Key::P256(key)) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|s| key.verify_prehash(digest, &s).is_ok()),
            (Self::EcdsaP384, Key::P384(key)) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|s| key.verify_prehash(digest, &s).is_ok()),
            (Self::RsaPss(hash), Key::Rsa(key)) => match hash {
                Hash::Sha256 => key.verify(Pss::<Sha256>::new(), digest, signature).is_ok(),
                Hash::Sha384 => key.verify(Pss::<Sha384>::new(), digest, signature).is_ok(),
                Hash::Sha512 => key.verify(Pss::<Sha512>::new(), digest, signature).is_ok(),
            },
            (Self::RsaPkcs1(_), Key::Rsa(key)) => key
                .verify(
                    Pkcs1v15Sign::new_unprefixed(),
                    &self.input(digest),
                    signature,
                )
                .is_ok(),
            _ => false,
        }
    }
}

impl Hash {
    #[cfg(feature = "rustls")]
    pub(super) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The salt is as long as the digest (RFC 8446, 4.2.3).
    fn pss_parameters(self) -> PkcsPssParams {
        let (hash_alg, mgf, length) = match self {
            Self::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
            Self::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
            Self::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
        };
        PkcsPssParams {
            hash_alg,
            mgf,
            s_len: length.into(),
        }
    }

    /// DigestInfo up to the digest (RFC 8017, 9.2, note 1).
    fn digest_info_prefix(self) -> &'static [u8] {
        match self {
            Self::Sha256 => {
                b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
            }
            Self::Sha384 => {
                b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
            }
            Self::Sha512 => {
                b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
            }
        }
    }
}

/// An SM2 signature in the token's encoding.
pub(super) fn read_sm2(answer: &[u8], encoding: Encoding) -> Option<sm2::Signature> {
    match encoding {
        Encoding::Raw => sm2::Signature::from_bytes(answer.try_into().ok()?).ok(),
        Encoding::Der => sm2::Signature::from_der(answer).ok(),
    }
}
