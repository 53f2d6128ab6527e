//! Tokens: found by label or serial number, never by slot; logged into once.

use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki_sys::{CK_MECHANISM_INFO, CK_MECHANISM_TYPE};

use super::module::Module;
use super::options::Options;
use super::pin;
use super::uri::{Uri, same};
use crate::hsm::Error;

/// Most objects that an error message lists.
const MAX_LISTED: usize = 16;

/// The token that a URI describes.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) module: Module,
    pub(super) label: String,
    slot: Slot,
    login_required: bool,
    protected_path: bool,
}

impl Token {
    pub(super) fn find(module: Module, uri: &Uri) -> Result<Self, Error> {
        let mut matching = Vec::new();
        let mut found = Vec::new();
        let mut fault = None;
        for slot in module.pkcs11.get_slots_with_token()? {
            let info = match module.pkcs11.get_token_info(slot) {
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
            if matches(&info, uri) {
                matching.push((slot, info));
            }
        }
        if let (true, Some(fault)) = (matching.is_empty(), fault) {
            // The token may be the one that could not tell its name.
            return Err(fault);
        }
        match (matching.pop(), matching.len()) {
            (Some((slot, info)), 0) => Ok(Self {
                module,
                label: info.label().into(),
                slot,
                login_required: info.login_required(),
                protected_path: info.protected_authentication_path(),
            }),
            (one, others) => {
                let matches = others + usize::from(one.is_some());
                Err(Error::Token {
                    wanted: wanted(uri),
                    matches,
                    found,
                })
            }
        }
    }

    /// A read-only session, without login.
    pub(super) fn open_session(&self) -> Result<Session, Error> {
        Ok(self.module.pkcs11.open_ro_session(self.slot)?)
    }

    /// A session for making, changing and deleting objects, without login.
    pub(super) fn open_rw_session(&self) -> Result<Session, Error> {
        Ok(self.module.pkcs11.open_rw_session(self.slot)?)
    }

    /// Logs the user in, once: a wrong PIN is never tried again, since tries are counted.
    ///
    /// The login is the whole application's, and lasts as long as it has a session with the token.
    pub(super) fn login(
        &self,
        session: &Session,
        uri: &Uri,
        options: &Options,
    ) -> Result<(), Error> {
        if !self.login_required {
            return Ok(());
        }
        let user = options.user_for(uri).into();
        let result = match options.pin_for(uri) {
            Some(source) => session.login_with_raw(user, &pin::read(source)?),
            None if self.protected_path => session.login(user, None),
            None => {
                return Err(Error::Incomplete {
                    advice: "the token requires a login: add pin-source=file:/path",
                });
            }
        };
        match result {
            Ok(()) | Err(CryptokiError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses a token without the mechanism, by the mechanism's name.
    pub(super) fn require_mechanism(
        &self,
        number: CK_MECHANISM_TYPE,
        name: &str,
    ) -> Result<(), Error> {
        match self.has_mechanism(number)? {
            true => Ok(()),
            false => Err(Error::Mechanism {
                token: self.label.clone(),
                mechanism: format!("{name} ({number:#x})"),
            }),
        }
    }

    pub(super) fn has_mechanism(&self, number: CK_MECHANISM_TYPE) -> Result<bool, Error> {
        Ok(self.module.raw.mechanisms(self.slot)?.contains(&number))
    }

    pub(super) fn mechanism_info(
        &self,
        number: CK_MECHANISM_TYPE,
    ) -> Result<CK_MECHANISM_INFO, CryptokiError> {
        self.module.raw.mechanism_info(self.slot, number)
    }

    /// The one private key with these attributes.
    pub(super) fn find_key(
        &self,
        session: &Session,
        template: &[Attribute],
    ) -> Result<ObjectHandle, Error> {
        match session.find_objects(template)?[..] {
            [key] => Ok(key),
            ref keys => {
                let all = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
                Err(Error::Key {
                    token: self.label.clone(),
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
        Attribute::Label(label) => Some(format!("object={}", String::from_utf8_lossy(label))),
        Attribute::Id(id) => Some(format!("id={}", hex(id))),
        _ => None,
    };
    attributes.iter().filter_map(name).collect()
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
