//! Signature schemes: what goes to the token, what may come back, and whether it verifies.

use cryptoki_sys::{
    CK_MECHANISM_TYPE, CK_RSA_PKCS_PSS_PARAMS, CKG_MGF1_SHA256, CKG_MGF1_SHA384, CKG_MGF1_SHA512,
    CKM_ECDSA, CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA256, CKM_SHA384, CKM_SHA512,
};
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, Pss};
use sha2::{Sha256, Sha384, Sha512};
use signature::hazmat::PrehashVerifier;

use super::profile::{Profile, SignatureEncoding};
use super::public::{Key, KeyKind, PublicKey};
use crate::hsm::Error;
use crate::module::international::{ECDSA_P256, ECDSA_P384, RSA, SHA256, SHA384};
use crate::module::{self, Service};
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

    /// Lets the digest before a signature and the verification after it begin.
    ///
    /// # Errors
    /// [`Error::Refused`] by the cryptographic module; the token is then not asked.
    pub(super) fn enter(self) -> Result<(), Error> {
        let enter = |hash: Hash| match hash {
            Hash::Sha256 => SHA256.enter(Service::Sha256),
            Hash::Sha384 | Hash::Sha512 => SHA384.enter(Service::Sha384),
        };
        let entered = match self {
            // `sm2` enters for itself.
            Self::Sm2(_) => module::operational(),
            Self::EcdsaP256 => {
                enter(Hash::Sha256).and_then(|()| ECDSA_P256.enter(Service::EcdsaVerify))
            }
            Self::EcdsaP384 => {
                enter(Hash::Sha384).and_then(|()| ECDSA_P384.enter(Service::EcdsaVerify))
            }
            Self::RsaPss(hash) | Self::RsaPkcs1(hash) => {
                enter(hash).and_then(|()| RSA.enter(Service::RsaVerify))
            }
        };
        entered.map_err(Error::Refused)
    }

    /// The mechanism's number.
    pub(super) fn mechanism_number(self) -> CK_MECHANISM_TYPE {
        match self {
            Self::Sm2(profile) => profile.mechanism(),
            Self::EcdsaP256 | Self::EcdsaP384 => CKM_ECDSA,
            Self::RsaPss(_) => CKM_RSA_PKCS_PSS,
            Self::RsaPkcs1(_) => CKM_RSA_PKCS,
        }
    }

    /// The mechanism's name.
    pub(super) fn mechanism_name(self) -> &'static str {
        match self {
            Self::Sm2(profile) => profile.mechanism_name(),
            Self::EcdsaP256 | Self::EcdsaP384 => "CKM_ECDSA",
            Self::RsaPss(_) => "CKM_RSA_PKCS_PSS",
            Self::RsaPkcs1(_) => "CKM_RSA_PKCS",
        }
    }

    /// The mechanism's parameters.
    pub(super) fn parameters(self) -> Option<CK_RSA_PKCS_PSS_PARAMS> {
        match self {
            Self::RsaPss(hash) => Some(hash.pss_parameters()),
            _ => None,
        }
    }

    /// The encodings in which the token may answer.
    pub(super) fn encodings(self) -> &'static [Encoding] {
        let Self::Sm2(profile) = self else {
            return &[Encoding::Raw, Encoding::Der];
        };
        match profile.encoding() {
            SignatureEncoding::Raw => &[Encoding::Raw],
            SignatureEncoding::Der => &[Encoding::Der],
            SignatureEncoding::Learned => &[Encoding::Raw, Encoding::Der],
        }
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
        use sha2::Digest;
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
    fn pss_parameters(self) -> CK_RSA_PKCS_PSS_PARAMS {
        let (hash, mask, salt) = match self {
            Self::Sha256 => (CKM_SHA256, CKG_MGF1_SHA256, 32),
            Self::Sha384 => (CKM_SHA384, CKG_MGF1_SHA384, 48),
            Self::Sha512 => (CKM_SHA512, CKG_MGF1_SHA512, 64),
        };
        CK_RSA_PKCS_PSS_PARAMS {
            hashAlg: hash,
            mgf: mask,
            sLen: salt,
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
fn read_sm2(answer: &[u8], encoding: Encoding) -> Option<sm2::Signature> {
    match encoding {
        Encoding::Raw => sm2::Signature::from_bytes(answer.try_into().ok()?).ok(),
        Encoding::Der => sm2::Signature::from_der(answer).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::SigningKey as P256Key;
    use p384::ecdsa::SigningKey as P384Key;
    use signature::hazmat::PrehashSigner;

    /// The signature of `digest` in both encodings.
    fn p256(digest: &[u8]) -> (PublicKey, Vec<u8>, Vec<u8>) {
        let key = P256Key::from_slice(&[3; 32]).unwrap();
        let signature: p256::ecdsa::Signature = key.sign_prehash(digest).unwrap();
        let der = signature.to_der().as_bytes().to_vec();
        let public = Key::P256(*key.verifying_key());
        (public_key(public), signature.to_bytes().to_vec(), der)
    }

    fn p384(digest: &[u8]) -> (PublicKey, Vec<u8>, Vec<u8>) {
        let key = P384Key::from_slice(&[3; 48]).unwrap();
        let signature: p384::ecdsa::Signature = key.sign_prehash(digest).unwrap();
        let der = signature.to_der().as_bytes().to_vec();
        let public = Key::P384(*key.verifying_key());
        (public_key(public), signature.to_bytes().to_vec(), der)
    }

    fn public_key(key: Key) -> PublicKey {
        PublicKey {
            key,
            spki: Vec::new(),
        }
    }

    #[test]
    fn ecdsa_is_read_raw_and_der_and_strictly() {
        let digests = [vec![5; 32], vec![5; 48]];
        let cases = [
            (Scheme::EcdsaP256, &digests[0], p256(&digests[0])),
            (Scheme::EcdsaP384, &digests[1], p384(&digests[1])),
        ];
        for (scheme, digest, (key, raw, der)) in cases {
            assert_eq!(scheme.read(&raw, Encoding::Raw, &key).as_ref(), Some(&der));
            assert_eq!(scheme.read(&der, Encoding::Der, &key).as_ref(), Some(&der));
            assert!(scheme.verifies(&key, digest, &der));
            assert!(!scheme.verifies(&key, &digest[1..], &der));

            assert_eq!(scheme.read(&raw, Encoding::Der, &key), None);
            assert_eq!(scheme.read(&der, Encoding::Raw, &key), None);
            let zero_r = [&vec![0; raw.len() / 2], &raw[raw.len() / 2..]].concat();
            let long_form = [&[0x30, 0x81], &der[1..]].concat();
            for bad in [&raw[1..], &[&raw[..], &[0]].concat(), &zero_r, &[]] {
                assert_eq!(scheme.read(bad, Encoding::Raw, &key), None);
            }
            for bad in [&der[1..], &[&der[..], &[0]].concat(), &long_form, &[]] {
                assert_eq!(scheme.read(bad, Encoding::Der, &key), None);
            }
        }
    }

    #[test]
    fn keys_of_another_kind_verify_nothing() {
        let (key, _, der) = p256(&[5; 32]);
        for scheme in [Scheme::EcdsaP384, Scheme::RsaPss(Hash::Sha256)] {
            assert!(!scheme.verifies(&key, &[5; 32], &der));
        }
        assert_eq!(
            Scheme::RsaPss(Hash::Sha256).read(&der, Encoding::Raw, &key),
            None
        );
    }

    #[test]
    fn pkcs1_takes_a_digest_info() {
        for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            let input = Scheme::RsaPkcs1(hash).input(&vec![1; hash.len()]);
            // SEQUENCE { AlgorithmIdentifier, OCTET STRING } (RFC 8017, 9.2), each length in one byte.
            assert_eq!(usize::from(input[1]), input.len() - 2);
            assert_eq!(usize::from(input[18]), hash.len());
            assert_eq!(input.len(), 19 + hash.len());
        }
    }
}
