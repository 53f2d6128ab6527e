//! One token: who may enter, and what lies in it.

use crate::Result;
use crate::behaviour::Behaviour;
use crate::objects::{Attributes, Object};
use cryptoki_sys::*;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Wrong PINs in a row until the token locks, as on a Luna partition.
pub(crate) const PIN_TRIES: u32 = 10;
pub(crate) const PIN_LENGTHS: std::ops::RangeInclusive<usize> = 4..=255;

/// `CKA_LABEL` of the data object that tells which calls the token saw.
pub(crate) const CALLS_LABEL: &str = "calls";

const BEHAVIOUR: CK_OBJECT_HANDLE = 1;
const CALLS: CK_OBJECT_HANDLE = 2;
const FIRST_OBJECT: CK_OBJECT_HANDLE = 0x100;

pub(crate) struct Token {
    pub(crate) label: [u8; 32],
    pub(crate) serial: [u8; 16],
    pub(crate) behaviour: Behaviour,
    /// Who is logged in: `CKU_USER` or `CKU_SO`. The login is the application's, not a session's.
    pub(crate) login: Option<CK_USER_TYPE>,
    so_pin: Option<Pin>,
    user_pin: Option<Pin>,
    objects: BTreeMap<CK_OBJECT_HANDLE, Object>,
    next_object: CK_OBJECT_HANDLE,
    calls: BTreeMap<&'static str, u64>,
}

struct Pin {
    value: Vec<u8>,
    failures: u32,
}

impl Token {
    /// A token as it leaves the factory, before `C_InitToken`.
    pub(crate) fn blank(slot: CK_SLOT_ID, behaviour: Behaviour) -> Self {
        let mut serial = [b' '; 16];
        serial.copy_from_slice(format!("{:016}", 1_000_000 + slot).as_bytes());
        Self {
            label: [b' '; 32],
            serial,
            behaviour,
            login: None,
            so_pin: None,
            user_pin: None,
            objects: BTreeMap::new(),
            next_object: FIRST_OBJECT,
            calls: BTreeMap::new(),
        }
    }

    pub(crate) fn is_initialized(&self) -> bool {
        self.so_pin.is_some()
    }

    /// `C_InitToken`: everything that was in the token goes.
    pub(crate) fn init(&mut self, so_pin: &[u8], label: [u8; 32]) -> Result<()> {
        match &mut self.so_pin {
            Some(pin) => pin.check(so_pin)?,
            None => self.so_pin = Some(Pin::new(so_pin)?),
        }
        self.label = label;
        self.login = None;
        self.user_pin = None;
        self.objects.clear();
        self.objects
            .insert(BEHAVIOUR, Object::data(Behaviour::OBJECT_LABEL, Vec::new()));
        self.publish_calls();
        Ok(())
    }

    /// `C_InitPIN`, by the security officer.
    pub(crate) fn init_pin(&mut self, pin: &[u8]) -> Result<()> {
        if self.login != Some(CKU_SO) {
            return Err(CKR_USER_NOT_LOGGED_IN);
        }
        self.user_pin = Some(Pin::new(pin)?);
        Ok(())
    }

    /// `C_SetPIN`, by whoever is logged in, or by the user when no one is.
    pub(crate) fn set_pin(&mut self, old: &[u8], new: &[u8]) -> Result<()> {
        let pin = match self.login {
            Some(CKU_SO) => &mut self.so_pin,
            _ => &mut self.user_pin,
        };
        pin.as_mut()
            .ok_or(CKR_USER_PIN_NOT_INITIALIZED)?
            .check(old)?;
        *pin = Some(Pin::new(new)?);
        Ok(())
    }

    pub(crate) fn login(&mut self, user: CK_USER_TYPE, pin: &[u8]) -> Result<()> {
        let known = match user {
            CKU_USER => &mut self.user_pin,
            CKU_SO => &mut self.so_pin,
            _ => return Err(CKR_USER_TYPE_INVALID),
        };
        match self.login {
            Some(who) if who == user => return Err(CKR_USER_ALREADY_LOGGED_IN),
            Some(_) => return Err(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
            None => {}
        }
        known
            .as_mut()
            .ok_or(CKR_USER_PIN_NOT_INITIALIZED)?
            .check(pin)?;
        self.login = Some(user);
        Ok(())
    }

    /// The CKF bits of `C_GetTokenInfo`.
    pub(crate) fn flags(&self) -> CK_FLAGS {
        let mut flags = CKF_RNG | CKF_LOGIN_REQUIRED;
        if self.is_initialized() {
            flags |= CKF_TOKEN_INITIALIZED;
        }
        if let Some(pin) = &self.user_pin {
            flags |= CKF_USER_PIN_INITIALIZED;
            flags |= match pin.failures {
                0 => 0,
                PIN_TRIES.. => CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED,
                n if n == PIN_TRIES - 1 => CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY,
                _ => CKF_USER_PIN_COUNT_LOW,
            };
        }
        flags
    }

    pub(crate) fn add(&mut self, object: Object) -> CK_OBJECT_HANDLE {
        let handle = self.next_object;
        self.next_object += 1;
        self.objects.insert(handle, object);
        handle
    }

    /// The object, if it exists and whoever is logged in may see it.
    pub(crate) fn object(&self, handle: CK_OBJECT_HANDLE) -> Result<&Object> {
        self.objects
            .get(&handle)
            .filter(|o| self.sees(o))
            .ok_or(CKR_OBJECT_HANDLE_INVALID)
    }

    pub(crate) fn find(&self, template: &Attributes) -> Vec<CK_OBJECT_HANDLE> {
        self.objects
            .iter()
            .filter(|(_, object)| self.sees(object) && object.matches(template))
            .map(|(handle, _)| *handle)
            .collect()
    }

    pub(crate) fn destroy(&mut self, handle: CK_OBJECT_HANDLE) -> Result<()> {
        self.object(handle)?;
        if handle < FIRST_OBJECT {
            return Err(CKR_ACTION_PROHIBITED);
        }
        self.objects.remove(&handle);
        Ok(())
    }

    /// `C_SetAttributeValue`: nothing can be changed but the token's behaviour.
    pub(crate) fn set_attributes(
        &mut self,
        handle: CK_OBJECT_HANDLE,
        template: Attributes,
    ) -> Result<()> {
        self.object(handle)?;
        let object = self
            .objects
            .get_mut(&handle)
            .ok_or(CKR_OBJECT_HANDLE_INVALID)?;
        self.behaviour = object.set_behaviour(template)?;
        Ok(())
    }

    /// Session objects die with their session, or with all of them.
    pub(crate) fn end_session(&mut self, session: CK_SESSION_HANDLE) {
        self.objects
            .retain(|_, object| object.session != Some(session));
    }

    /// Counts a call.
    pub(crate) fn count(&mut self, function: &'static str) {
        *self.calls.entry(function).or_default() += 1;
    }

    /// Brings the data object [`CALLS_LABEL`] up to date: one `function=count` a line, the counts of one width
    /// so that a reader who asks for the length first finds it unchanged.
    pub(crate) fn publish_calls(&mut self) {
        let mut report = String::new();
        for (function, count) in &self.calls {
            _ = writeln!(report, "{function}={count:20}");
        }
        let failures = self.user_pin.as_ref().map_or(0, |pin| pin.failures);
        _ = writeln!(report, "wrong user PINs in a row={failures:20}");
        self.objects
            .insert(CALLS, Object::data(CALLS_LABEL, report.into_bytes()));
    }

    fn sees(&self, object: &Object) -> bool {
        !object.is_private() || self.login == Some(CKU_USER)
    }
}

impl Pin {
    fn new(value: &[u8]) -> Result<Self> {
        match PIN_LENGTHS.contains(&value.len()) {
            true => Ok(Self {
                value: value.to_vec(),
                failures: 0,
            }),
            false => Err(CKR_PIN_LEN_RANGE),
        }
    }

    fn check(&mut self, value: &[u8]) -> Result<()> {
        if self.failures >= PIN_TRIES {
            return Err(CKR_PIN_LOCKED);
        }
        if self.value != value {
            self.failures += 1;
            return Err(CKR_PIN_INCORRECT);
        }
        self.failures = 0;
        Ok(())
    }
}
