//! X.509 certificates with SM2 keys (RFC 5280, GB/T 20518): reading, and what TLS asks of them.

use std::fmt;

use der::asn1::{BitStringRef, IntRef, SequenceRef};
use der::{Decode, Reader, SliceReader, TagMode, TagNumber};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use x509_cert::name::Name;

use super::error::{Error, Item};
use super::extensions::Extensions;
use super::signed::Signed;
use super::validity::Validity;
use super::{key, pem};
use crate::sm2::{self, PublicKey};

const ITEM: Item = Item::Certificate;

/// A certificate whose key is an SM2 key.
///
/// It is well formed, with everything that this crate reads from it, but not verified: whom to
/// trust is decided by path validation (`webpki` inside rustls) or by
/// [`Certificate::verify_signature`].
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: PublicKey,
    subject: Name,
    issuer: Name,
    validity: Validity,
    key_usage: Option<KeyUsage>,
    constraints: Option<BasicConstraints>,
    key_identifier: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads a certificate from DER.
    ///
    /// # Errors
    /// [`Error::Malformed`] and [`Error::TooLarge`] where it is not strict DER of at most 64 KiB;
    /// [`Error::UnsupportedAlgorithm`], [`Error::UnsupportedCurve`] and [`Error::InvalidKey`] where
    /// its key is not an SM2 key.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let parsed = Parsed::from_der(der)?;
        let extensions = parsed.extensions;
        let read = || {
            Ok((
                Name::from_der(parsed.subject)?,
                Name::from_der(parsed.issuer)?,
                x509_cert::time::Validity::from_der(parsed.validity)?,
                extensions.find::<KeyUsage>()?,
                extensions.find::<BasicConstraints>()?,
                extensions.find::<SubjectKeyIdentifier>()?,
            ))
        };
        let (subject, issuer, validity, key_usage, constraints, key_identifier) =
            read().map_err(ITEM.malformed())?;
        Ok(Self {
            der: der.to_vec(),
            public_key: parsed.public_key()?,
            subject,
            issuer,
            validity: Validity::from_x509(&validity),
            key_usage,
            constraints,
            key_identifier: key_identifier.map(|identifier| identifier.0.as_bytes().to_vec()),
        })
    }

    /// Reads the only certificate in a PEM text; other blocks are skipped.
    ///
    /// # Errors
    /// Those of [`Certificate::from_der`]; [`Error::NotFound`] and [`Error::Ambiguous`] unless there
    /// is exactly one; [`Error::Pem`] where the text is damaged.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let (_, der) = pem::decode_one(pem, ITEM)?;
        Self::from_der(&der)
    }

    /// Reads all certificates of a PEM text in their order, such as a chain; other blocks are skipped.
    ///
    /// # Errors
    /// As [`Certificate::from_pem`], but any number above zero is accepted.
    pub fn chain_from_pem(pem: &[u8]) -> Result<Vec<Self>, Error> {
        let chain = pem::decode_all(pem, ITEM)?;
        if chain.is_empty() {
            return Err(Error::NotFound { item: ITEM });
        }
        chain.iter().map(|der| Self::from_der(der)).collect()
    }

    /// The certificate in DER, byte for byte as it was read or issued.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// A copy of [`Certificate::as_der`].
    pub fn to_der(&self) -> Vec<u8> {
        self.der.clone()
    }

    /// The certificate as PEM text.
    ///
    /// # Errors
    /// None that depends on the certificate: [`Error::Pem`] would mean a fault of the encoder.
    pub fn to_pem(&self) -> Result<String, Error> {
        let mut pem = pem::encode("CERTIFICATE", &self.der, ITEM)?;
        Ok(std::mem::take(&mut *pem))
    }

    /// The subject's key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject in the form of RFC 4514, such as `CN=localhost,O=Example,C=CN`.
    pub fn subject(&self) -> String {
        self.subject.to_string()
    }

    /// The issuer in the form of RFC 4514.
    pub fn issuer(&self) -> String {
        self.issuer.to_string()
    }

    /// When the certificate is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The KeyUsage extension, `None` where it is left out (which allows every use).
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// Whether the subject may sign certificates: BasicConstraints says CA, and KeyUsage does not
    /// forbid it (RFC 5280 section 4.2.1.9).
    pub fn is_ca(&self) -> bool {
        self.constraints
            .as_ref()
            .is_some_and(|constraints| constraints.ca)
            && self.key_usage.is_none_or(|usage| usage.key_cert_sign())
    }

    /// Verifies the issuer's signature under `issuer`, with the signer ID 1234567812345678.
    ///
    /// This is one signature only; validity, names and constraints are for path validation.
    ///
    /// # Errors
    /// [`Error::SignatureAlgorithm`] where it is not SM2 with SM3 or named differently in its two
    /// places; [`Error::BadSignature`], which tells the known causes apart.
    pub fn verify_signature(&self, issuer: &PublicKey) -> Result<(), Error> {
        let signed = Signed::parse(&self.der, ITEM)?;
        Parsed::from_der(&self.der)?.check_algorithm(&signed)?;
        signed.verify(issuer, sm2::DEFAULT_ID)
    }

    pub(super) fn subject_name(&self) -> &Name {
        &self.subject
    }

    pub(super) fn path_length(&self) -> Option<u8> {
        self.constraints.as_ref()?.path_len_constraint
    }

    pub(super) fn key_identifier(&self) -> Option<&[u8]> {
        self.key_identifier.as_deref()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject())
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "rustls")]
impl From<Certificate> for pki_types::CertificateDer<'static> {
    fn from(certificate: Certificate) -> Self {
        certificate.der.into()
    }
}

/// The SM2 public key of a certificate in DER.
///
/// # Errors
/// As [`Certificate::from_der`]: keys of other kinds are refused by name.
pub fn certificate_public_key(der: &[u8]) -> Result<PublicKey, Error> {
    Parsed::from_der(der)?.public_key()
}

/// The SubjectPublicKeyInfo of a certificate in DER, with a key of any algorithm.
#[cfg(feature = "pkcs11")]
pub(crate) fn subject_public_key_info(der: &[u8]) -> Result<SubjectPublicKeyInfoRef<'_>, Error> {
    Ok(Parsed::from_der(der)?.key)
}

/// The subject and the serial number of a certificate with a key of any algorithm, for people.
#[cfg(feature = "pkcs11")]
pub(crate) fn describe_certificate(der: &[u8]) -> Result<String, Error> {
    let parsed = Parsed::from_der(der)?;
    let subject = Name::from_der(parsed.subject).map_err(ITEM.malformed())?;
    let serial: String = parsed
        .serial
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!("{subject} serial {serial}"))
}

/// What a token stores of a certificate beside it (PKCS#11 2.40, 4.6.3), each in DER.
#[cfg(feature = "pkcs11")]
pub(crate) struct Names {
    pub(crate) subject: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) serial_number: Vec<u8>,
}

/// The names in a certificate in DER, byte for byte, with a key of any algorithm.
#[cfg(feature = "pkcs11")]
pub(crate) fn certificate_names(der: &[u8]) -> Result<Names, Error> {
    let parsed = Parsed::from_der(der)?;
    Ok(Names {
        subject: parsed.subject.to_vec(),
        issuer: parsed.issuer.to_vec(),
        serial_number: der::Encode::to_der(&parsed.serial).map_err(ITEM.malformed())?,
    })
}

/// The DER of the only certificate in a file, which is in DER or PEM.
#[cfg(feature = "pkcs11")]
pub(crate) fn certificate_der(file: &[u8]) -> Result<Vec<u8>, Error> {
    // A SEQUENCE begins so, and no text that anyone puts before PEM does.
    match file.first() {
        Some(0x30) => Ok(file.to_vec()),
        _ => Ok(pem::decode_one(file, ITEM)?.1.to_vec()),
    }
}

/// Whether a certificate's key may make signatures: its KeyUsage is left out or has
/// digitalSignature (RFC 5280 section 4.2.1.3, RFC 8446 section 4.4.2.2).
///
/// For keys of every algorithm.
///
/// # Errors
/// [`Error::Malformed`] and [`Error::TooLarge`] where the certificate or its KeyUsage cannot be read.
pub fn allows_digital_signature(der: &[u8]) -> Result<bool, Error> {
    let signed = Signed::parse(der, ITEM)?;
    Extensions::of_signed(signed.content)
        .and_then(|extensions| extensions.allow_digital_signature())
        .map_err(ITEM.malformed())
}

/// The fields of a certificate, borrowed from its bytes, with keys of any algorithm.
struct Parsed<'a> {
    #[cfg(feature = "pkcs11")]
    serial: IntRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    key: SubjectPublicKeyInfoRef<'a>,
    extensions: Extensions<'a>,
}

impl<'a> Parsed<'a> {
    fn from_der(der: &'a [u8]) -> Result<Self, Error> {
        let signed = Signed::parse(der, ITEM)?;
        Self::from_content(signed.content).map_err(ITEM.malformed())
    }

    /// RFC 5280 section 4.1
    fn from_content(content: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(content)?;
        let parsed = reader.sequence(|fields| {
            fields.context_specific::<Version>(TagNumber(0), TagMode::Explicit)?;
            let _serial = IntRef::decode(fields)?;
            let algorithm = AlgorithmIdentifierRef::decode(fields)?;
            let issuer = fields.tlv_bytes()?;
            let validity = fields.tlv_bytes()?;
            let subject = fields.tlv_bytes()?;
            let key = SubjectPublicKeyInfoRef::decode(fields)?;
            for unique_identifier in [TagNumber(1), TagNumber(2)] {
                fields
                    .context_specific::<BitStringRef<'_>>(unique_identifier, TagMode::Implicit)?;
            }
            fields.context_specific::<&SequenceRef>(TagNumber(3), TagMode::Explicit)?;
            Ok::<_, der::Error>(Self {
                #[cfg(feature = "pkcs11")]
                serial: _serial,
                algorithm,
                issuer,
                validity,
                subject,
                key,
                extensions: Extensions::of_signed(content)?,
            })
        })?;
        reader.finish()?;
        Ok(parsed)
    }

    fn public_key(&self) -> Result<PublicKey, Error> {
        key::public_key(&self.key, ITEM)
    }

    /// The algorithm stands inside and outside of what is signed, and must be the same (RFC 5280
    /// section 4.1.1.2).
    fn check_algorithm(&self, signed: &Signed<'_>) -> Result<(), Error> {
        if self.algorithm == signed.algorithm {
            return Ok(());
        }
        Err(Error::SignatureAlgorithm {
            item: ITEM,
            algorithm: self.algorithm.oid,
        })
    }
}
