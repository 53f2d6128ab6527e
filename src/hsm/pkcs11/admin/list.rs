//! The keys of a token.

use std::fmt;

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::super::public::KeyKind;
use super::super::token::{hex, key_name};
use super::super::visit::{Access, Visit};
use super::{Administration, label_and_id, objects, with_id};
use crate::hsm::Error;
use crate::hsm::printable::Printable;

/// A private key in a token, as the token describes it. What the token does not tell is `None`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeyInfo {
    /// CKA_LABEL
    pub label: String,
    /// CKA_ID in hexadecimal digits.
    pub id: String,
    /// What it signs with; `None` if it cannot be used here.
    pub kind: Option<KeyKind>,
    /// Length of the modulus or of the curve's order in bits.
    pub bits: Option<usize>,
    /// Why it cannot be used, if it cannot.
    pub refusal: Option<String>,
    /// CKA_SIGN
    pub sign: Option<bool>,
    /// CKA_SENSITIVE
    pub sensitive: Option<bool>,
    /// CKA_EXTRACTABLE
    pub extractable: Option<bool>,
    /// CKA_LOCAL: it was made in the token.
    pub local: Option<bool>,
    /// Public keys with this identifier.
    pub public_keys: usize,
    /// Certificates with this identifier.
    pub certificates: usize,
}

impl Administration {
    /// The private keys of the token, at most 4096.
    ///
    /// # Errors
    /// [`Error::Call`] where the token fails.
    pub fn keys(&self) -> Result<Vec<KeyInfo>, Error> {
        self.visit(Access::Read, |visit| {
            let keys = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
            let found = objects(&visit.session, &keys)?.into_iter();
            found.map(|key| KeyInfo::read(visit, key)).collect()
        })
    }
}

impl KeyInfo {
    /// The label and the identifier, as a URI calls them.
    pub(in super::super) fn name(&self) -> String {
        format!("object={} id={}", Printable(&self.label), self.id)
    }

    pub(in super::super) fn read(visit: &Visit<'_>, key: ObjectHandle) -> Result<Self, Error> {
        let session = &visit.session;
        let (label, id) = label_and_id(session, key)?;
        let name = key_name(session, key);
        let (kind, refusal) = match visit.schemes(key, &name) {
            Ok(schemes) => (schemes.first().map(|scheme| scheme.kind()), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let count = |class| match id.is_empty() {
            true => Ok(0),
            false => with_id(session, class, &id).map(|found| found.len()),
        };
        let mut info = Self {
            label,
            bits: kind.and_then(|kind| bits(session, key, kind)),
            kind,
            refusal,
            sign: None,
            sensitive: None,
            extractable: None,
            local: None,
            public_keys: count(ObjectClass::PUBLIC_KEY)?,
            certificates: count(ObjectClass::CERTIFICATE)?,
            id: hex(&id),
        };
        let wanted = [
            AttributeType::Sign,
            AttributeType::Sensitive,
            AttributeType::Extractable,
            AttributeType::Local,
        ];
        for attribute in session.get_attributes(key, &wanted)? {
            match attribute {
                Attribute::Sign(value) => info.sign = Some(value),
                Attribute::Sensitive(value) => info.sensitive = Some(value),
                Attribute::Extractable(value) => info.extractable = Some(value),
                Attribute::Local(value) => info.local = Some(value),
                _ => {}
            }
        }
        Ok(info)
    }
}

fn bits(session: &Session, key: ObjectHandle, kind: KeyKind) -> Option<usize> {
    match kind {
        KeyKind::Sm2 | KeyKind::EcdsaP256 => Some(256),
        KeyKind::EcdsaP384 => Some(384),
        KeyKind::Rsa => match session
            .get_attributes(key, &[AttributeType::Modulus])
            .ok()?
            .pop()?
        {
            Attribute::Modulus(modulus) => {
                let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
                let first = modulus.get(zeros)?;
                Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
            }
            _ => None,
        },
    }
}

impl fmt::Display for KeyInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        match (self.kind, self.bits) {
            (Some(KeyKind::Rsa), Some(bits)) => write!(f, ", RSA {bits}")?,
            (Some(kind), _) => write!(f, ", {kind}")?,
            (None, _) => f.write_str(", not usable")?,
        }
        let flags = [
            (self.sign, "signs", "does not sign"),
            (self.sensitive, "sensitive", "NOT sensitive"),
            (self.extractable, "EXTRACTABLE", "not extractable"),
            (self.local, "made in the token", "imported"),
        ];
        for (flag, yes, no) in flags {
            if let Some(flag) = flag {
                write!(f, ", {}", if flag { yes } else { no })?;
            }
        }
        match self.public_keys {
            0 => f.write_str(", no public key")?,
            _ => f.write_str(", public key")?,
        }
        match self.certificates {
            0 => f.write_str(", no certificate"),
            1 => f.write_str(", certificate"),
            count => write!(f, ", {count} certificates"),
        }
    }
}
