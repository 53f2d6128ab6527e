//! Certification requests (PKCS#10, RFC 2986) with SM2 keys.

use std::fmt;

use der::referenced::{OwnedToRef, RefToOwned};
use der::{Decode, Encode};
#[cfg(feature = "pkcs11")]
use spki::AlgorithmIdentifierRef;
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::attr::Attributes;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::request::{CertReqInfo, ExtensionReq, Version};

use super::error::{Error, Item};
use super::leaf::Leaf;
use super::signed::{self, Signed};
use super::{key, pem};
use crate::sm2::{self, PublicKey, SignDigest};

const ITEM: Item = Item::Request;

/// A request whose requester has proved possession of its private SM2 key.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    der: Vec<u8>,
    info: CertReqInfo,
    public_key: PublicKey,
}

impl Request {
    /// Makes a request for what `leaf` describes, signed with its key in software or in a token.
    /// A validity of the leaf is for the issuer to decide and not part of the request.
    ///
    /// # Errors
    /// [`Error::InvalidName`] and [`Error::Profile`] where the leaf breaks a rule;
    /// [`Error::Signer`] and [`Error::SignerMismatch`] where the key does not sign.
    pub fn new(leaf: &Leaf, signer: &dyn SignDigest) -> Result<Self, Error> {
        let key = key::sm2_spki(signer.public_key()).map_err(ITEM.malformed())?;
        let content = content(leaf, key.ref_to_owned())?;
        Self::from_der(&signed::sign(&content, signer, sm2::DEFAULT_ID, ITEM)?)
    }

    /// Reads a request from DER and verifies its signature, with the signer ID 1234567812345678.
    ///
    /// # Errors
    /// [`Error::Malformed`] and [`Error::TooLarge`] where it is not strict DER of at most 64 KiB;
    /// [`Error::UnsupportedAlgorithm`], [`Error::UnsupportedCurve`] and [`Error::InvalidKey`] where
    /// its key is not an SM2 key; [`Error::SignatureAlgorithm`] and [`Error::BadSignature`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let signed = Signed::parse(der, ITEM)?;
        let info = CertReqInfo::from_der(signed.content).map_err(ITEM.malformed())?;
        let public_key = key::public_key(&info.public_key.owned_to_ref(), ITEM)?;
        signed.verify(&public_key, sm2::DEFAULT_ID)?;
        Ok(Self {
            der: der.to_vec(),
            info,
            public_key,
        })
    }

    /// Reads the only request in a PEM text, as [`Request::from_der`].
    ///
    /// # Errors
    /// Those of [`Request::from_der`]; [`Error::NotFound`] and [`Error::Ambiguous`] unless there is
    /// exactly one; [`Error::Pem`] where the text is damaged.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let (_, der) = pem::decode_one(pem, ITEM)?;
        Self::from_der(&der)
    }

    /// The request in DER, byte for byte as it was read or made.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The request as PEM text, label `CERTIFICATE REQUEST`.
    ///
    /// # Errors
    /// None that depends on the request: [`Error::Pem`] would mean a fault of the encoder.
    pub fn to_pem(&self) -> Result<String, Error> {
        to_pem(&self.der)
    }

    /// The requester's key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject in the form of RFC 4514.
    pub fn subject(&self) -> String {
        self.info.subject.to_string()
    }

    pub(super) fn subject_name(&self) -> &Name {
        &self.info.subject
    }

    /// The subjectAltName that the extensionRequest attribute asks for (RFC 2985 section 5.4.2).
    pub(super) fn alternative_names(&self) -> Result<Vec<GeneralName>, Error> {
        use der::oid::AssociatedOid;

        let read = || {
            let mut names = Vec::new();
            for attribute in self.info.attributes.iter() {
                if attribute.oid != ExtensionReq::OID {
                    continue;
                }
                for value in attribute.values.iter() {
                    for extension in value.decode_as::<ExtensionReq>()?.0 {
                        if extension.extn_id == SubjectAltName::OID {
                            names.extend(
                                SubjectAltName::from_der(extension.extn_value.as_bytes())?.0,
                            );
                        }
                    }
                }
            }
            Ok(names)
        };
        read().map_err(ITEM.malformed())
    }
}

/// CertificationRequestInfo (RFC 2986 section 4.1), which the signature covers, for a key of any
/// kind.
pub(crate) fn content(
    leaf: &Leaf,
    public_key: SubjectPublicKeyInfoOwned,
) -> Result<Vec<u8>, Error> {
    let subject = leaf.to_name()?;
    let extensions = leaf.extensions(ITEM)?;
    let encode = || {
        let mut attributes = Attributes::default();
        attributes.insert(ExtensionReq(extensions).try_into()?)?;
        CertReqInfo {
            version: Version::V1,
            subject,
            public_key,
            attributes,
        }
        .to_der()
    };
    encode().map_err(ITEM.malformed())
}

/// A request of its content and a signature by a key of any kind.
#[cfg(feature = "pkcs11")]
pub(crate) fn assemble(
    content: &[u8],
    algorithm: AlgorithmIdentifierRef<'_>,
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    signed::envelope(content, algorithm, signature, ITEM)
}

/// PEM text, label `CERTIFICATE REQUEST`.
pub(crate) fn to_pem(der: &[u8]) -> Result<String, Error> {
    let mut pem = pem::encode("CERTIFICATE REQUEST", der, ITEM)?;
    Ok(std::mem::take(&mut *pem))
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("subject", &self.subject())
            .finish_non_exhaustive()
    }
}
