//! An SM2 certification authority for any key that signs: in software or in a token.

use std::sync::Arc;
use std::time::SystemTime;

use der::asn1::OctetString;
use der::{Encode, Sequence};
use rand_core::TryRng;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

use super::certificate::Certificate;
use super::error::{Error, Item};
use super::key::sm2_spki;
use super::leaf::{Leaf, Purpose};
use super::name::parse_name;
use super::request::Request;
use super::signed::{self, SM2_WITH_SM3};
use super::validity::Validity;
use crate::module;
use crate::random::SystemRandom;
use crate::sm2::{self, PublicKey, SignDigest};
use crate::sm3;

const ITEM: Item = Item::Certificate;

/// A certification authority: its certificate and the key that signs.
///
/// What it issues follows RFC 5280: a random serial number of 16 bytes; KeyUsage critical;
/// BasicConstraints critical in CA certificates and left out of leaves; key identifiers that are
/// the first 160 bits of SM3 over the public point (as RFC 7093 section 2 does with SHA-256);
/// signed with SM2 and SM3 under the signer ID 1234567812345678.
///
/// ```
/// use shangmi::pki::{Ca, Leaf, Validity};
/// use shangmi::{random::SystemRandom, sm2::SecretKey};
///
/// let root_key = SecretKey::generate(&mut SystemRandom)?;
/// let ca = Ca::self_signed("CN=Example CA,O=Example,C=CN", root_key, Validity::days(3650))?;
///
/// let server_key = SecretKey::generate(&mut SystemRandom)?;
/// let server = ca.issue(&Leaf::server("localhost"), server_key.public_key())?;
/// server.verify_signature(ca.certificate().public_key())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Ca {
    certificate: Certificate,
    key: Arc<dyn SignDigest>,
    signer_id: Vec<u8>,
}

impl Ca {
    /// Makes a root: `subject` in the form of RFC 4514, signed with its own key.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::InvalidValidity`]; [`Error::Signer`] and
    /// [`Error::SignerMismatch`] where the key does not sign.
    pub fn self_signed(
        subject: &str,
        key: impl SignDigest + 'static,
        validity: Validity,
    ) -> Result<Self, Error> {
        let key: Arc<dyn SignDigest> = Arc::new(key);
        let subject = parse_name(subject)?;
        let template = Template {
            issuer: &subject,
            subject: &subject,
            public_key: key.public_key(),
            authority_key_identifier: None,
            extensions: ca_extensions(&subject, None)?,
            validity,
        };
        let certificate = template.sign(&*key, sm2::DEFAULT_ID)?;
        Ok(Self::with_default_id(certificate, key))
    }

    /// Takes up a CA whose certificate and key exist already.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] where they do not belong together, [`Error::Profile`] where the
    /// certificate is not that of a CA.
    pub fn new(certificate: Certificate, key: impl SignDigest + 'static) -> Result<Self, Error> {
        if key.public_key() != certificate.public_key() {
            return Err(Error::KeyMismatch { item: ITEM });
        }
        if !certificate.is_ca() {
            return Err(Error::Profile {
                item: ITEM,
                subject: certificate.subject(),
                rule: "it may not sign certificates: that takes BasicConstraints with CA and, \
                       where there is a KeyUsage, keyCertSign",
            });
        }
        Ok(Self::with_default_id(certificate, Arc::new(key)))
    }

    /// Makes a CA below this one. `path_length` is how many further CAs may follow below it.
    ///
    /// # Errors
    /// As [`Ca::self_signed`]; [`Error::Profile`] where this CA's own path length forbids it.
    pub fn subordinate(
        &self,
        subject: &str,
        key: impl SignDigest + 'static,
        validity: Validity,
        path_length: u8,
    ) -> Result<Self, Error> {
        if self
            .certificate
            .path_length()
            .is_some_and(|own| path_length >= own)
        {
            return Err(Error::Profile {
                item: ITEM,
                subject: subject.into(),
                rule: "its path length must be smaller than that of its issuer",
            });
        }
        let key: Arc<dyn SignDigest> = Arc::new(key);
        let subject = parse_name(subject)?;
        let extensions = ca_extensions(&subject, Some(path_length))?;
        let certificate = self.sign(&subject, key.public_key(), extensions, validity)?;
        Ok(Self::with_default_id(certificate, key))
    }

    /// Issues a leaf certificate for a public key.
    ///
    /// # Errors
    /// [`Error::InvalidName`], [`Error::InvalidValidity`], [`Error::Profile`] where the leaf breaks
    /// a rule, or sets no validity and this CA has expired; [`Error::Signer`] and
    /// [`Error::SignerMismatch`] where the key does not sign.
    pub fn issue(&self, leaf: &Leaf, public_key: &PublicKey) -> Result<Certificate, Error> {
        let validity = match leaf.validity {
            Some(validity) => validity,
            None => self.default_validity()?,
        };
        let extensions = leaf.extensions(ITEM)?;
        self.sign(&leaf.to_name()?, public_key, extensions, validity)
    }

    /// Issues a leaf certificate for what a request asks: its key, its subject, its DNS names and
    /// IP addresses. For more say in it: [`Leaf::from_request`] and [`Ca::issue`].
    ///
    /// # Errors
    /// As [`Leaf::from_request`] and [`Ca::issue`].
    pub fn issue_from_request(
        &self,
        request: &Request,
        purpose: Purpose,
    ) -> Result<Certificate, Error> {
        let leaf = Leaf::from_request(request, purpose)?;
        self.issue(&leaf, request.public_key())
    }

    /// Signs with another signer ID from now on.
    ///
    /// For experts: everything that follows GB/T 35276 expects 1234567812345678, and refuses what
    /// this issues. It serves to show that a verifier checks the ID, and old closed systems.
    pub fn with_signer_id(mut self, id: &[u8]) -> Self {
        self.signer_id = id.to_vec();
        self
    }

    /// The CA's own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn with_default_id(certificate: Certificate, key: Arc<dyn SignDigest>) -> Self {
        Self {
            certificate,
            key,
            signer_id: sm2::DEFAULT_ID.to_vec(),
        }
    }

    fn default_validity(&self) -> Result<Validity, Error> {
        let last = self.certificate.validity().not_after;
        if last < SystemTime::now() {
            return Err(Error::Profile {
                item: ITEM,
                subject: self.certificate.subject(),
                rule: "this CA has expired, and what it issues ends with it: \
                       issue under a renewed CA, or set a validity",
            });
        }
        let mut validity = Validity::days(365);
        validity.not_after = validity.not_after.min(last);
        Ok(validity)
    }

    fn sign(
        &self,
        subject: &Name,
        public_key: &PublicKey,
        extensions: Vec<Extension>,
        validity: Validity,
    ) -> Result<Certificate, Error> {
        let own = &self.certificate;
        let authority_key_identifier = match own.key_identifier() {
            Some(identifier) => identifier.to_vec(),
            None => key_identifier(own.public_key())?,
        };
        let template = Template {
            issuer: own.subject_name(),
            subject,
            public_key,
            authority_key_identifier: Some(authority_key_identifier),
            extensions,
            validity,
        };
        template.sign(&*self.key, &self.signer_id)
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// A certificate before it is signed.
struct Template<'a> {
    issuer: &'a Name,
    subject: &'a Name,
    public_key: &'a PublicKey,
    authority_key_identifier: Option<Vec<u8>>,
    extensions: Vec<Extension>,
    validity: Validity,
}

impl Template<'_> {
    fn sign(self, key: &dyn SignDigest, id: &[u8]) -> Result<Certificate, Error> {
        let validity = self.validity.to_x509()?;
        let serial_number = random_serial_number()?;
        let own_identifier = key_identifier(self.public_key)?;
        let encode = || {
            let mut extensions = self.extensions;
            let subject_key_identifier = OctetString::new(own_identifier)?;
            extensions.push(
                (&SubjectKeyIdentifier(subject_key_identifier)).to_extension(self.subject, &[])?,
            );
            if let Some(identifier) = self.authority_key_identifier {
                let identifier = AuthorityKeyIdentifier {
                    key_identifier: Some(OctetString::new(identifier)?),
                    ..Default::default()
                };
                extensions.push((&identifier).to_extension(self.subject, &[])?);
            }
            TbsCertificate {
                version: Version::V3,
                serial_number: SerialNumber::new(&serial_number)?,
                signature: SM2_WITH_SM3,
                issuer: self.issuer.clone(),
                validity,
                subject: self.subject.clone(),
                subject_public_key_info: sm2_spki(self.public_key)?,
                extensions,
            }
            .to_der()
        };
        let content = encode().map_err(ITEM.malformed())?;
        Certificate::from_der(&signed::sign(&content, key, id, ITEM)?)
    }
}

/// RFC 5280 section 4.1
#[derive(Sequence)]
struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierRef<'a>,
    issuer: Name,
    validity: x509_cert::time::Validity,
    subject: Name,
    subject_public_key_info: SubjectPublicKeyInfoRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

fn ca_extensions(subject: &Name, path_length: Option<u8>) -> Result<Vec<Extension>, Error> {
    let constraints = BasicConstraints {
        ca: true,
        path_len_constraint: path_length,
    };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let encode = || {
        Ok(vec![
            (&constraints).to_extension(subject, &[])?,
            (&usage).to_extension(subject, &[])?,
        ])
    };
    encode().map_err(ITEM.malformed())
}

/// The first 160 bits of SM3 over the point of 65 bytes.
fn key_identifier(key: &PublicKey) -> Result<Vec<u8>, Error> {
    // A hash has no error to give.
    module::operational().map_err(Error::Module)?;
    let digest = sm3::digest(key.as_sec1());
    Ok(digest.iter().copied().take(20).collect())
}

/// 126 random bits in 16 bytes; the first two bits make it positive and of constant length.
fn random_serial_number() -> Result<[u8; 16], Error> {
    let mut serial = [0; 16];
    SystemRandom
        .try_fill_bytes(&mut serial)
        .map_err(|_| Error::Random)?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}
