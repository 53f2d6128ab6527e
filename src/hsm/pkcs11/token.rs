//! Tokens: found by label or serial number, never by slot.

use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Limit, Slot, TokenInfo};

use super::module::Inside;
use super::uri::{Uri, same};
use crate::hsm::Error;
use crate::hsm::printable::Printable;

/// Most objects that an error message lists.
const MAX_LISTED: usize = 16;

/// The token that a URI describes, and the slot that it is in now.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) label: String,
    pub(super) serial: String,
    pub(super) slot: Slot,
    pub(super) login_required: bool,
    pub(super) protected_path: bool,
    /// Most sessions that an application may have, if the token tells.
    pub(super) max_sessions: Option<usize>,
}

impl Token {
    /// The one token that `uri` describes.
    pub(super) fn find(inside: &Inside<'_>, uri: &Uri) -> Result<Self, Error> {
        Self::find_by(inside, wanted(uri), |info| matches(info, uri))
    }

    /// The same token, whichever slot it is in by now: its label and serial number tell.
    pub(super) fn find_again(&self, inside: &Inside<'_>) -> Result<Self, Error> {
        let wanted = format!("token={} serial={}", self.label, self.serial);
        Self::find_by(inside, wanted, |info| self.is(info))
    }

    /// Whether it is this very token that tells of itself.
    pub(super) fn is(&self, info: &TokenInfo) -> bool {
        info.label() == self.label && info.serial_number() == self.serial
    }

    fn find_by(
        inside: &Inside<'_>,
        wanted: String,
        matches: impl Fn(&TokenInfo) -> bool,
    ) -> Result<Self, Error> {
        let mut matching = Vec::new();
        let mut found = Vec::new();
        let mut fault = None;
        for slot in inside.pkcs11().get_slots_with_token()? {
            let info = match inside.pkcs11().get_token_info(slot) {
                Ok(info) => info,
                // Slots come and go, and one that is gone is not the one that is looked for.
                Err(CryptokiError::Pkcs11(
                    RvError::TokenNotPresent
                    | RvError::TokenNotRecognized
                    | RvError::DeviceRemoved
                    | RvError::SlotIdInvalid,
                    _,
                )) => continue,
                // One faulty slot must not hide the token in another.
                Err(error) => {
                    fault = Some(error.into());
                    continue;
                }
            };
            if !info.token_initialized() {
                continue;
            }
            if found.len() < MAX_LISTED {
                found.push(format!(
                    "token={} serial={}",
                    info.label(),
                    info.serial_number()
                ));
            }
            if matches(&info) {
                matching.push((slot, info));
            }
        }
        if let (true, Some(fault)) = (matching.is_empty(), fault) {
            // The token may be the one that could not tell its name.
            return Err(fault);
        }
        match (matching.pop(), matching.len()) {
            (Some((slot, info)), 0) => Ok(Self::new(slot, &info)),
            (one, others) => {
                let matches = others + usize::from(one.is_some());
                Err(Error::Token {
                    wanted,
                    matches,
                    found,
                })
            }
        }
    }

    fn new(slot: Slot, info: &TokenInfo) -> Self {
        Self {
            label: info.label().into(),
            serial: info.serial_number().into(),
            slot,
            login_required: info.login_required(),
            protected_path: info.protected_authentication_path(),
            max_sessions: match info.max_session_count() {
                Limit::Max(count) => usize::try_from(count).ok(),
                Limit::Infinite | Limit::Unavailable => None,
            },
        }
    }
}

/// The one private key with these attributes. The search comes before anything is asked about a
/// key, since a Luna HA slot answers nothing about a handle before.
pub(super) fn find_key(
    session: &Session,
    token: &str,
    template: &[Attribute],
) -> Result<ObjectHandle, Error> {
    match session.find_objects(template)?[..] {
        [key] => Ok(key),
        ref keys => {
            let all = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
            Err(Error::Key {
                token: token.into(),
                wanted: described(names(template)),
                matches: keys.len(),
                found: all
                    .into_iter()
                    .take(MAX_LISTED)
                    .map(|key| key_name(session, key))
                    .collect(),
            })
        }
    }
}

/// What a template looks for, for people.
pub(super) fn template_name(template: &[Attribute]) -> String {
    described(names(template))
}

/// A key's label and identifier, for people.
pub(super) fn key_name(session: &Session, key: ObjectHandle) -> String {
    let wanted = [AttributeType::Label, AttributeType::Id];
    // A message about a key is worth more than the reason why the key tells no name.
    let attributes = session.get_attributes(key, &wanted).unwrap_or_default();
    names(&attributes).join(" ")
}

/// The labels and identifiers among attributes, as a URI calls them.
fn names(attributes: &[Attribute]) -> Vec<String> {
    let name = |attribute: &Attribute| match attribute {
        Attribute::Label(label) => Some(label_name(&String::from_utf8_lossy(label))),
        Attribute::Id(id) => Some(format!("id={}", hex(id))),
        _ => None,
    };
    attributes.iter().filter_map(name).collect()
}

fn label_name(label: &str) -> String {
    format!("object={}", Printable(label))
}

/// A label and an identifier, as a URI calls them, for people.
pub(super) fn object_name(label: &str, id: &[u8]) -> String {
    format!("{} id={}", label_name(label), hex(id))
}

pub(super) fn matches(info: &TokenInfo, uri: &Uri) -> bool {
    same(uri.token(), info.label())
        && same(uri.serial(), info.serial_number())
        && same(uri.manufacturer(), info.manufacturer_id())
        && same(uri.model(), info.model())
}

fn wanted(uri: &Uri) -> String {
    let parts = [
        ("token", uri.token()),
        ("serial", uri.serial()),
        ("manufacturer", uri.manufacturer()),
        ("model", uri.model()),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    described(parts.collect())
}

fn described(parts: Vec<String>) -> String {
    if parts.is_empty() {
        "of any name".into()
    } else {
        parts.join(" ")
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
