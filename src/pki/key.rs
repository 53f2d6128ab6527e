//! SM2 keys in files: PKCS#8 (RFC 5208, RFC 5958) and SEC1 (RFC 5915) private keys,
//! SubjectPublicKeyInfo (RFC 5280) public keys, in DER and in PEM.
//!
//! Private keys are parsed in place and written straight into buffers that are wiped on drop.

use der::asn1::{AnyRef, BitStringRef, ContextSpecific, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use pkcs8::PrivateKeyInfoRef;
use sec1::{EcParameters, EcPrivateKey};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use super::error::{Error, Item};
use super::pem;
use crate::module;
use crate::secret::SecretBytes;
use crate::sm2::{self, PublicKey, SecretKey};

/// The longest private key that is read, in bytes: room for RSA, so that it is refused by name.
const MAX_KEY: usize = 16 * 1024;

/// id-ecPublicKey (RFC 5480 section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Reads an SM2 private key from PEM text: `PRIVATE KEY` (PKCS#8) or `EC PRIVATE KEY` (SEC1, which
/// OpenSSL 3 labels `SM2 PRIVATE KEY`).
///
/// Other blocks, such as certificates or the `EC PARAMETERS` that OpenSSL writes, are skipped.
///
/// # Errors
/// Those of [`from_der`]; [`Error::NotFound`] and [`Error::Ambiguous`] unless there is exactly one
/// private key; [`Error::Pem`] where the text is damaged.
pub fn from_pem(pem: &[u8]) -> Result<SecretKey, Error> {
    let (label, der) = pem::decode_one(pem, Item::PrivateKey)?;
    match label {
        "ENCRYPTED PRIVATE KEY" => Err(Error::Encrypted),
        "OPENSSH PRIVATE KEY" => Err(Error::Unexpected {
            expected: Item::PrivateKey,
            found: "in OpenSSH's own format, which has no SM2 keys",
        }),
        _ => from_der(&der),
    }
}

/// Reads an SM2 private key from DER: PKCS#8 or SEC1, told apart by their structure.
///
/// A public key that stands beside the private key must belong to it. SEC1 without parameters does
/// not say on which curve the key is; it is accepted only with its public key.
///
/// # Errors
/// - [`Error::UnsupportedAlgorithm`], [`Error::UnsupportedCurve`]: a key of another kind.
/// - [`Error::ExplicitCurve`]: its curve is spelled out, be it curveSM2 or another.
/// - [`Error::Encrypted`], [`Error::Unexpected`]: not a plain private key.
/// - [`Error::Malformed`], [`Error::TooLarge`]: not strict DER, trailing bytes included.
/// - [`Error::KeyLength`], [`Error::InvalidKey`], [`Error::KeyMismatch`]: not a valid key.
/// - [`Error::Module`].
pub fn from_der(der: &[u8]) -> Result<SecretKey, Error> {
    const ITEM: Item = Item::PrivateKey;
    if der.len() > MAX_KEY {
        return Err(Error::TooLarge {
            item: ITEM,
            limit: MAX_KEY,
        });
    }
    let unexpected = |found| Error::Unexpected {
        expected: ITEM,
        found,
    };
    match outline(der).map_err(ITEM.malformed())? {
        (Tag::Integer, Tag::Sequence) => from_pkcs8(der),
        (Tag::Integer, Tag::OctetString) => from_sec1(der, None),
        (Tag::Integer, Tag::Integer) => Err(Error::UnsupportedAlgorithm {
            item: ITEM,
            algorithm: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
        }),
        (Tag::Sequence, Tag::OctetString) => Err(Error::Encrypted),
        (Tag::Sequence, Tag::BitString) => Err(unexpected("a public key")),
        (Tag::Sequence, Tag::Sequence) => Err(unexpected("a certificate or a request")),
        _ => Err(unexpected("neither PKCS#8 nor SEC1")),
    }
}

/// Writes an SM2 private key as PKCS#8 (RFC 5208), with its public key inside the SEC1 part.
///
/// # Errors
/// [`Error::Module`]. None that depends on the key: [`Error::Malformed`] would mean a fault of the
/// encoder.
pub fn to_pkcs8_der(key: &SecretKey) -> Result<SecretBytes, Error> {
    let scalar = key.to_bytes();
    let inner = encode_secret(&EcPrivateKey {
        private_key: scalar.as_bytes(),
        parameters: None,
        public_key: Some(key.public_key().as_sec1()),
    })?;
    let inner = OctetStringRef::new(&inner).map_err(Item::PrivateKey.malformed())?;
    encode_secret(&PrivateKeyInfoRef::new(sm2_key_algorithm(), inner))
}

/// Writes an SM2 private key as PKCS#8 in PEM text, label `PRIVATE KEY`.
///
/// # Errors
/// As [`to_pkcs8_der`].
pub fn to_pkcs8_pem(key: &SecretKey) -> Result<Zeroizing<String>, Error> {
    pem::encode("PRIVATE KEY", &to_pkcs8_der(key)?, Item::PrivateKey)
}

/// Writes an SM2 private key as SEC1 (RFC 5915), with its curve and its public key.
///
/// # Errors
/// As [`to_pkcs8_der`].
pub fn to_sec1_der(key: &SecretKey) -> Result<SecretBytes, Error> {
    let scalar = key.to_bytes();
    encode_secret(&EcPrivateKey {
        private_key: scalar.as_bytes(),
        parameters: Some(EcParameters::NamedCurve(sm2::CURVE_OID)),
        public_key: Some(key.public_key().as_sec1()),
    })
}

/// Writes an SM2 public key as SubjectPublicKeyInfo in DER (91 bytes).
///
/// # Errors
/// None that depends on the key: [`Error::Malformed`] would mean a fault of the encoder.
pub fn public_key_to_spki(key: &PublicKey) -> Result<Vec<u8>, Error> {
    sm2_spki(key)
        .and_then(|spki| spki.to_der())
        .map_err(Item::PublicKey.malformed())
}

/// Reads an SM2 public key from a SubjectPublicKeyInfo in DER.
///
/// # Errors
/// [`Error::UnsupportedAlgorithm`] and [`Error::UnsupportedCurve`] for other keys,
/// [`Error::ExplicitCurve`] where the curve is spelled out, [`Error::Malformed`] where it is not strict DER, [`Error::InvalidKey`] where the point is not on
/// the curve.
pub fn public_key_from_spki(der: &[u8]) -> Result<PublicKey, Error> {
    let item = Item::PublicKey;
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(item.malformed())?;
    public_key(&spki, item)
}

/// The SubjectPublicKeyInfo of an SM2 key.
pub(super) fn sm2_spki(key: &PublicKey) -> der::Result<SubjectPublicKeyInfoRef<'_>> {
    Ok(SubjectPublicKeyInfoRef {
        algorithm: sm2_key_algorithm(),
        subject_public_key: BitStringRef::from_bytes(key.as_sec1())?,
    })
}

/// The SM2 public key in a SubjectPublicKeyInfo; other keys are refused by name.
pub(super) fn public_key(
    spki: &SubjectPublicKeyInfoRef<'_>,
    item: Item,
) -> Result<PublicKey, Error> {
    check_algorithm(&spki.algorithm, item)?;
    let point = spki
        .subject_public_key
        .as_bytes()
        .ok_or_else(|| item.malformed()(Tag::BitString.value_error().into()))?;
    PublicKey::from_sec1(point).map_err(|source| Error::InvalidKey { item, source })
}

/// The first two tags inside the outer SEQUENCE, which tell the key formats apart.
fn outline(der: &[u8]) -> der::Result<(Tag, Tag)> {
    let mut reader = SliceReader::new(der)?;
    let tags = reader.sequence(|body| {
        let first = Tag::peek(body)?;
        body.tlv_bytes()?;
        let second = Tag::peek(body)?;
        while !body.is_finished() {
            body.tlv_bytes()?;
        }
        Ok::<_, der::Error>((first, second))
    })?;
    reader.finish()?;
    Ok(tags)
}

fn from_pkcs8(der: &[u8]) -> Result<SecretKey, Error> {
    let item = Item::PrivateKey;
    let info = PrivateKeyInfoRef::from_der(der).map_err(item.malformed())?;
    check_algorithm(&info.algorithm, item)?;
    let key = from_sec1(info.private_key.as_bytes(), Some(sm2::CURVE_OID))?;
    match info.public_key {
        // RFC 5958 section 2
        Some(public)
            if public
                .as_bytes()
                .is_none_or(|point| !is_public_key(point, &key)) =>
        {
            Err(Error::KeyMismatch { item })
        }
        _ => Ok(key),
    }
}

/// Reads RFC 5915; `curve` is what an outer PKCS#8 says.
fn from_sec1(der: &[u8], curve: Option<ObjectIdentifier>) -> Result<SecretKey, Error> {
    let item = Item::PrivateKey;
    let inner = EcPrivateKey::from_der(der).map_err(|source| {
        if has_explicit_curve(der).unwrap_or(false) {
            Error::ExplicitCurve { item }
        } else {
            Error::Malformed { item, source }
        }
    })?;
    let named = inner
        .parameters
        .and_then(|parameters| parameters.named_curve());
    match named.or(curve) {
        Some(named) if named == sm2::CURVE_OID => {}
        Some(other) => {
            return Err(Error::UnsupportedCurve {
                item,
                curve: Some(other),
            });
        }
        // The public key proves the curve.
        None if inner.public_key.is_some() => {}
        None => return Err(Error::UnsupportedCurve { item, curve: None }),
    }
    let scalar = <&[u8; 32]>::try_from(inner.private_key).map_err(|_| Error::KeyLength {
        length: inner.private_key.len(),
    })?;
    let key = SecretKey::from_bytes(scalar).map_err(|source| match source {
        sm2::Error::Module(error) => Error::Module(error),
        source => Error::InvalidKey { item, source },
    })?;
    match inner.public_key {
        Some(point) if !is_public_key(point, &key) => Err(Error::KeyMismatch { item }),
        _ => Ok(key),
    }
}

/// Whether RFC 5915's parameters are a SpecifiedECDomain, which [`EcPrivateKey`] does not read.
fn has_explicit_curve(der: &[u8]) -> der::Result<bool> {
    let mut reader = SliceReader::new(der)?;
    let explicit = reader.sequence(|body| {
        body.tlv_bytes()?;
        body.tlv_bytes()?;
        let parameters = ContextSpecific::<AnyRef<'_>>::decode_explicit(body, TagNumber(0))?;
        while !body.is_finished() {
            body.tlv_bytes()?;
        }
        Ok::<_, der::Error>(parameters.is_some_and(|found| found.value.tag() == Tag::Sequence))
    })?;
    reader.finish()?;
    Ok(explicit)
}

fn is_public_key(point: &[u8], key: &SecretKey) -> bool {
    PublicKey::from_sec1(point).is_ok_and(|public| public == *key.public_key())
}

/// id-ecPublicKey with the named curve curveSM2, and nothing else.
fn check_algorithm(algorithm: &AlgorithmIdentifierRef<'_>, item: Item) -> Result<(), Error> {
    if algorithm.oid != EC_PUBLIC_KEY {
        return Err(Error::UnsupportedAlgorithm {
            item,
            algorithm: algorithm.oid,
        });
    }
    if algorithm
        .parameters
        .is_some_and(|parameters| parameters.tag() == Tag::Sequence)
    {
        return Err(Error::ExplicitCurve { item });
    }
    match algorithm.parameters_oid() {
        Ok(curve) if curve == sm2::CURVE_OID => Ok(()),
        Ok(other) => Err(Error::UnsupportedCurve {
            item,
            curve: Some(other),
        }),
        Err(_) => Err(Error::UnsupportedCurve { item, curve: None }),
    }
}

fn sm2_key_algorithm() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef {
        oid: EC_PUBLIC_KEY,
        parameters: Some(AnyRef::from(&sm2::CURVE_OID)),
    }
}

/// Encodes into one allocation of the right size, so that growing leaves no copy behind.
fn encode_secret(value: &impl Encode) -> Result<SecretBytes, Error> {
    // In the error state no secret leaves.
    module::operational().map_err(Error::Module)?;
    let malformed = Item::PrivateKey.malformed();
    let length = value.encoded_len().map_err(&malformed)?;
    let length = usize::try_from(length).map_err(&malformed)?;
    let mut buffer = SecretBytes::zeroed(length);
    value
        .encode_to_slice(buffer.as_mut_bytes())
        .map_err(&malformed)?;
    Ok(buffer)
}
