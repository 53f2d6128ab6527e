//! The certificate of a private key: given by the program, or in the token with the key's CKA_ID.

use cryptoki::object::{Attribute, ObjectClass};
use cryptoki_sys::{CKA_CERTIFICATE_TYPE, CKA_ID, CKA_LABEL, CKA_VALUE, CKC_X_509};

use super::object::{MAX_NAME, Object};
use super::public::{KeyKind, PublicKey};
use crate::hsm::{Ckr, Error};
use crate::pki;

/// Longest certificate that is read from a token, in bytes.
const MAX_CERTIFICATE: usize = 64 * 1024;

/// Most certificates of one CKA_ID that are read.
const MAX_CERTIFICATES: usize = 16;

/// What is known of a key's certificate.
#[derive(Clone, Debug)]
pub(super) enum Certificate {
    None,
    /// In DER; it is for this key.
    One(Vec<u8>),
    /// All are for this key.
    Several(Vec<String>),
    /// Those that are there are for other keys.
    Foreign(KeyKind),
    /// Those that are there cannot be read.
    Unreadable(String),
}

/// A certificate in the token.
#[derive(Debug)]
pub(super) struct Found {
    name: String,
    der: Vec<u8>,
    public: Result<PublicKey, Error>,
}

impl Found {
    /// The X.509 certificates with the private key's CKA_ID.
    pub(super) fn of_key(private: Object<'_>) -> Result<Vec<Self>, Error> {
        let id = private.attribute(CKA_ID, MAX_NAME)?;
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut found: Vec<Self> = Vec::new();
        let template = [
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::Id(id),
        ];
        for object in private.find(&template)?.into_iter().take(MAX_CERTIFICATES) {
            let kind = object.number(CKA_CERTIFICATE_TYPE)?;
            if kind.is_some_and(|kind| kind != CKC_X_509) {
                continue;
            }
            let label = object.attribute(CKA_LABEL, MAX_NAME)?.unwrap_or_default();
            let label = String::from_utf8_lossy(&label);
            let (der, public) = match object.attribute(CKA_VALUE, MAX_CERTIFICATE) {
                Ok(None) => continue,
                Ok(Some(der)) => {
                    let public = PublicKey::from_certificate(&der);
                    (der, public)
                }
                // It is reported when somebody asks for the certificate.
                Err(
                    error @ Error::Call {
                        code: Ckr::BUFFER_TOO_SMALL,
                        ..
                    },
                ) => (Vec::new(), Err(error)),
                Err(error) => return Err(error),
            };
            if found.iter().any(|other| other.der == der) {
                continue;
            }
            let subject = pki::describe_certificate(&der).unwrap_or_default();
            let name = format!("object={label} {subject}").trim_end().into();
            found.push(Self { name, der, public });
        }
        Ok(found)
    }

    /// The key of this kind that they are for, if it is one: the public key of a token that shows
    /// none otherwise.
    pub(super) fn public_key(found: &[Self], kind: KeyKind) -> Option<PublicKey> {
        let mut keys = found
            .iter()
            .filter_map(|found| found.public.as_ref().ok())
            .filter(|public| public.kind() == kind);
        let first = keys.next()?;
        keys.all(|other| other.key == first.key)
            .then(|| first.clone())
    }
}

impl Certificate {
    /// The one of them that is for this key.
    pub(super) fn choose(found: Vec<Found>, public: &PublicKey) -> Self {
        let is_ours = |found: &Found| matches!(&found.public, Ok(key) if key.key == public.key);
        let (mut ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_ours);
        match (ours.len(), others.into_iter().next()) {
            (0, None) => Self::None,
            (0, Some(other)) => match other.public {
                Ok(public) => Self::Foreign(public.kind()),
                Err(error) => Self::Unreadable(format!("{}: {error}", other.name)),
            },
            (1, _) => Self::One(ours.remove(0).der),
            _ => Self::Several(ours.into_iter().map(|found| found.name).collect()),
        }
    }

    /// The certificate in DER, if there is exactly one for the key of this name and kind.
    pub(super) fn get(&self, key: &str, kind: KeyKind) -> Result<Option<&[u8]>, Error> {
        match self {
            Self::None => Ok(None),
            Self::One(der) => Ok(Some(der)),
            Self::Several(found) => Err(Error::Certificates {
                key: key.into(),
                found: found.clone(),
            }),
            Self::Foreign(other) => Err(Error::CertificateMismatch {
                key: key.into(),
                key_kind: kind,
                certificate_kind: *other,
            }),
            Self::Unreadable(reason) => Err(Error::Certificate {
                reason: reason.clone(),
            }),
        }
    }
}
