//! Public keys: from a certificate or from the token, and the verification of a first signature.

use std::fmt;

use cryptoki::object::{Attribute, ObjectClass};
use cryptoki_sys::{CKA_EC_POINT, CKA_ID, CKA_LABEL, CKA_MODULUS, CKA_PUBLIC_EXPONENT};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::traits::PublicKeyParts;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::object::{MAX_MODULUS, MAX_NAME, Object};
use crate::hsm::Error;
use crate::{pki, sm2};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// What a key signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum KeyKind {
    /// SM2 with SM3 (GB/T 32918.2).
    Sm2,
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384,
    /// RSA, with PSS or PKCS#1 v1.5 padding.
    Rsa,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sm2 => "SM2",
            Self::EcdsaP256 => "ECDSA P-256",
            Self::EcdsaP384 => "ECDSA P-384",
            Self::Rsa => "RSA",
        })
    }
}

/// A public key with its SubjectPublicKeyInfo.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    pub(super) key: Key,
    pub(super) spki: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Sm2(sm2::PublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Rsa(RsaPublicKey),
}

impl PublicKey {
    pub(super) fn from_certificate(certificate: &[u8]) -> Result<Self, Error> {
        Self::from_spki(&pki::subject_public_key_info(certificate).map_err(refused)?)
    }

    /// What the token shows of the key's public half: the public object with the same identifier or
    /// label, or what the private object itself carries, as on Luna. `None` if neither is there.
    pub(super) fn from_token(private: Object<'_>, kind: KeyKind) -> Result<Option<Self>, Error> {
        for object in public_objects(private)?.into_iter().chain([private]) {
            let (oid, parameters, bits) = match kind {
                KeyKind::Rsa => (RSA_ENCRYPTION, AnyRef::NULL, rsa_public_key(object)?),
                KeyKind::Sm2 => (
                    EC_PUBLIC_KEY,
                    AnyRef::from(&sm2::CURVE_OID),
                    ec_point(object, 65)?,
                ),
                KeyKind::EcdsaP256 => (
                    EC_PUBLIC_KEY,
                    AnyRef::from(&SECP256R1),
                    ec_point(object, 65)?,
                ),
                KeyKind::EcdsaP384 => (
                    EC_PUBLIC_KEY,
                    AnyRef::from(&SECP384R1),
                    ec_point(object, 97)?,
                ),
            };
            let Some(bits) = bits else { continue };
            let parameters = Some(parameters);
            return Self::from_spki(&SubjectPublicKeyInfoRef {
                algorithm: AlgorithmIdentifierRef { oid, parameters },
                subject_public_key: BitStringRef::from_bytes(&bits).map_err(refused)?,
            })
            .map(Some);
        }
        Ok(None)
    }

    pub(super) fn kind(&self) -> KeyKind {
        match self.key {
            Key::Sm2(_) => KeyKind::Sm2,
            Key::P256(_) => KeyKind::EcdsaP256,
            Key::P384(_) => KeyKind::EcdsaP384,
            Key::Rsa(_) => KeyKind::Rsa,
        }
    }

    fn from_spki(info: &SubjectPublicKeyInfoRef<'_>) -> Result<Self, Error> {
        let spki = info.to_der().map_err(refused)?;
        let bits = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| refused("its key is not whole bytes"))?;
        let key = match info.algorithm.oid {
            RSA_ENCRYPTION => Key::Rsa(rsa_key(bits)?),
            EC_PUBLIC_KEY => {
                let parameters = info.algorithm.parameters.as_ref();
                let curve = parameters.and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
                match curve {
                    Some(sm2::CURVE_OID) => {
                        Key::Sm2(sm2::PublicKey::from_sec1(bits).map_err(refused)?)
                    }
                    Some(SECP256R1) => Key::P256(
                        p256::ecdsa::VerifyingKey::from_sec1_bytes(bits).map_err(refused)?,
                    ),
                    Some(SECP384R1) => Key::P384(
                        p384::ecdsa::VerifyingKey::from_sec1_bytes(bits).map_err(refused)?,
                    ),
                    _ => return Err(refused("its curve is none of SM2, P-256 and P-384")),
                }
            }
            other => {
                return Err(refused(format!(
                    "its key algorithm {other} is not supported"
                )));
            }
        };
        Ok(Self { key, spki })
    }
}

fn rsa_key(bits: &[u8]) -> Result<RsaPublicKey, Error> {
    let key = RsaPublicKey::from_pkcs1_der(bits).map_err(refused)?;
    match key.size() {
        256..=1024 => Ok(key),
        size => Err(refused(format!(
            "its RSA modulus has {} bits, not 2048 to 8192",
            size * 8
        ))),
    }
}

/// Public objects that belong to a private key: by identifier, or by label if it has none. During
/// a rotation two keys have one label.
fn public_objects(private: Object<'_>) -> Result<Vec<Object<'_>>, Error> {
    let name = |kind| -> Result<Option<Vec<u8>>, Error> {
        let name = private.attribute(kind, MAX_NAME)?;
        Ok(name.filter(|name| !name.is_empty()))
    };
    let class = Attribute::Class(ObjectClass::PUBLIC_KEY);
    if let Some(id) = name(CKA_ID)? {
        return private.find(&[class, Attribute::Id(id)]);
    }
    let Some(label) = name(CKA_LABEL)? else {
        return Ok(Vec::new());
    };
    let found = private.find(&[class, Attribute::Label(label)])?;
    // Several of one label may each be of another key.
    match found.len() {
        1 => Ok(found),
        _ => Ok(Vec::new()),
    }
}

/// The point in CKA_EC_POINT, of `length` bytes.
fn ec_point(object: Object<'_>, length: usize) -> Result<Option<Vec<u8>>, Error> {
    match object.attribute(CKA_EC_POINT, MAX_NAME)? {
        Some(value) if !value.is_empty() => point(&value, length).map(Some),
        _ => Ok(None),
    }
}

/// An OCTET STRING around the point, as the standard wants it, or the bare point, as some tokens
/// have it.
fn point(value: &[u8], length: usize) -> Result<Vec<u8>, Error> {
    let point = match <&OctetStringRef>::from_der(value) {
        Ok(wrapped) if value.len() != length => wrapped.as_bytes(),
        _ => value,
    };
    match point.len() == length {
        true => Ok(point.to_vec()),
        false => Err(Error::answer("CKA_EC_POINT is no uncompressed point")),
    }
}

/// RSAPublicKey (RFC 8017, A.1.1).
#[derive(Sequence)]
struct RsaPublicKeyInfo<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

fn rsa_public_key(object: Object<'_>) -> Result<Option<Vec<u8>>, Error> {
    let modulus = object.attribute(CKA_MODULUS, MAX_MODULUS)?;
    let exponent = object.attribute(CKA_PUBLIC_EXPONENT, MAX_MODULUS)?;
    let (Some(modulus), Some(exponent)) = (modulus, exponent) else {
        return Ok(None);
    };
    let encode = || {
        RsaPublicKeyInfo {
            modulus: UintRef::new(&modulus)?,
            public_exponent: UintRef::new(&exponent)?,
        }
        .to_der()
    };
    encode().map(Some).map_err(refused)
}

fn refused(reason: impl fmt::Display) -> Error {
    Error::Certificate {
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_wrapped_or_bare() {
        let bare = [&[0x04; 1][..], &[7; 64]].concat();
        assert_eq!(point(&bare, 65).unwrap(), bare);
        assert_eq!(point(&[&[0x04, 65], &bare[..]].concat(), 65).unwrap(), bare);
        for bad in [&bare[1..], &[0x04, 65], &[&[0x04, 64], &bare[1..]].concat()] {
            assert!(point(bad, 65).is_err());
        }
        // A bare point that happens to read as an OCTET STRING of 63 bytes.
        let ambiguous = [&[0x04, 63][..], &[7; 63]].concat();
        assert_eq!(point(&ambiguous, 65).unwrap(), ambiguous);
    }
}
