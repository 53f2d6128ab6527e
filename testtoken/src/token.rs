//! One token: who may enter, and what lies in it.

use crate::behaviour::{Behaviour, Encoding, Expiry, Order, Standing};
use crate::faults::Faults;
use crate::objects::{Attributes, Object};
use crate::pin::Pin;
use crate::presence::Presence;
use crate::report::Report;
use crate::{Profile, Result, behaviour};
use cryptoki_sys::*;
use std::collections::BTreeMap;
use std::time::Instant;

/// Luna's crypto user, who may use keys and nothing else.
pub(crate) const CKU_CRYPTO_USER: CK_USER_TYPE = 0x8000_0001;
/// Luna's answer to a user whose role does not allow it.
const CKR_USER_NOT_AUTHORIZED: CK_RV = 0x8000_001A;

/// `CKA_LABEL` of the data object that tells which calls the token saw.
const CALLS_LABEL: &str = "calls";

const BEHAVIOUR: CK_OBJECT_HANDLE = 1;
const CALLS: CK_OBJECT_HANDLE = 2;
const FIRST_OBJECT: CK_OBJECT_HANDLE = 0x100;

/// What a token is known by, wherever it moves; its serial number says it.
pub(crate) type TokenId = u64;

pub(crate) struct Token {
    pub(crate) id: TokenId,
    pub(crate) slot: CK_SLOT_ID,
    pub(crate) profile: Profile,
    pub(crate) label: [u8; 32],
    pub(crate) faults: Faults,
    pub(crate) presence: Presence,
    pub(crate) counts: Counts,
    /// Who is logged in. The login is the application's, not a session's.
    login: Option<Login>,
    /// The last login ended without a logout, which private operations are told.
    login_expired: bool,
    so_pin: Option<Pin>,
    user_pin: Option<Pin>,
    crypto_user_pin: Option<Pin>,
    objects: BTreeMap<CK_OBJECT_HANDLE, Object>,
    next_object: CK_OBJECT_HANDLE,
}

struct Login {
    user: CK_USER_TYPE,
    since: Instant,
    signatures: u64,
}

/// What the token counts by itself; [`Report`] says what each means.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) calls: BTreeMap<&'static str, u64>,
    pub(crate) sessions_most: u64,
    pub(crate) sessions_opened: u64,
    pub(crate) sessions_shared: u64,
    pub(crate) logins: u64,
    pub(crate) wrong_pins: u64,
    pub(crate) signatures: u64,
    pub(crate) waiting: u64,
    /// How often waiting calls were let go on; no part of the report.
    pub(crate) releases: u64,
}

impl Token {
    /// A token as it leaves the factory, before `C_InitToken`.
    pub(crate) fn blank(slot: CK_SLOT_ID, profile: Profile, faults: Faults) -> Self {
        Self {
            id: slot,
            slot,
            profile,
            label: [b' '; 32],
            faults,
            presence: Presence::default(),
            counts: Counts::default(),
            login: None,
            login_expired: false,
            so_pin: None,
            user_pin: None,
            crypto_user_pin: None,
            objects: BTreeMap::new(),
            next_object: FIRST_OBJECT,
        }
    }

    pub(crate) fn serial(&self) -> String {
        format!("{:016}", 1_000_000 + self.id)
    }

    pub(crate) fn is_initialized(&self) -> bool {
        self.so_pin.is_some()
    }

    /// `C_InitToken`: everything that was in the token goes.
    pub(crate) fn init(&mut self, so_pin: &[u8], label: [u8; 32]) -> Result<()> {
        match &mut self.so_pin {
            Some(pin) => pin.check(so_pin, self.faults.pin_tries)?,
            None => self.so_pin = Some(Pin::new(so_pin)?),
        }
        self.label = label;
        self.login = None;
        (self.user_pin, self.crypto_user_pin) = (None, None);
        self.objects.clear();
        self.objects
            .insert(BEHAVIOUR, Object::data(Behaviour::OBJECT_LABEL, Vec::new()));
        Ok(())
    }

    // ---- users ----

    /// `C_InitPIN`, by the security officer.
    pub(crate) fn init_pin(&mut self, pin: &[u8]) -> Result<()> {
        if self.user() != Some(CKU_SO) {
            return Err(CKR_USER_NOT_LOGGED_IN);
        }
        self.set_user_pin(pin)
    }

    pub(crate) fn set_user_pin(&mut self, pin: &[u8]) -> Result<()> {
        self.user_pin = Some(Pin::new(pin)?);
        Ok(())
    }

    pub(crate) fn set_crypto_user_pin(&mut self, pin: &[u8]) -> Result<()> {
        self.crypto_user_pin = Some(Pin::new(pin)?);
        Ok(())
    }

    /// `C_SetPIN`, by whoever is logged in, or by the user when no one is.
    pub(crate) fn set_pin(&mut self, old: &[u8], new: &[u8]) -> Result<()> {
        let user = self.user().unwrap_or(CKU_USER);
        self.check_pin(user, old)?;
        *self.pin(user)? = Some(Pin::new(new)?);
        Ok(())
    }

    pub(crate) fn expire_pin(&mut self) -> Result<()> {
        let pin = self.user_pin.as_mut().ok_or(CKR_USER_PIN_NOT_INITIALIZED)?;
        pin.expired = true;
        Ok(())
    }

    /// `C_Login`; no PIN at all is one entered at the device.
    pub(crate) fn login(&mut self, user: CK_USER_TYPE, pin: Option<&[u8]>) -> Result<()> {
        self.pin(user)?;
        match self.user() {
            Some(who) if who == user => return Err(CKR_USER_ALREADY_LOGGED_IN),
            Some(_) => return Err(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
            None => {}
        }
        match pin {
            None if self.faults.protected_path => {}
            None => return Err(CKR_ARGUMENTS_BAD),
            Some(pin) => self.check_pin(user, pin)?,
        }
        let known = self.pin(user)?.as_ref();
        if known.ok_or(CKR_USER_PIN_NOT_INITIALIZED)?.expired {
            return Err(CKR_PIN_EXPIRED);
        }
        self.login = Some(Login {
            user,
            since: Instant::now(),
            signatures: 0,
        });
        self.login_expired = false;
        self.counts.logins += u64::from(user != CKU_SO);
        Ok(())
    }

    /// Whoever is logged in: `CKU_USER`, `CKU_SO` or the crypto user.
    pub(crate) fn user(&self) -> Option<CK_USER_TYPE> {
        self.login.as_ref().map(|login| login.user)
    }

    pub(crate) fn logout(&mut self) -> Option<CK_USER_TYPE> {
        self.login_expired = false;
        self.login.take().map(|login| login.user)
    }

    /// The login ends, but not by a logout.
    pub(crate) fn expire_login(&mut self) {
        self.login_expired = self.login.take().is_some();
    }

    /// Ends a login that has had its time.
    pub(crate) fn expire_login_if_due(&mut self) {
        if let (Some(login), Some(Expiry::After(time))) = (&self.login, self.faults.login_expires)
            && login.since.elapsed() >= time
        {
            self.expire_login();
        }
    }

    fn pin(&mut self, user: CK_USER_TYPE) -> Result<&mut Option<Pin>> {
        match user {
            CKU_USER => Ok(&mut self.user_pin),
            CKU_SO => Ok(&mut self.so_pin),
            CKU_CRYPTO_USER if self.profile == Profile::Luna => Ok(&mut self.crypto_user_pin),
            _ => Err(CKR_USER_TYPE_INVALID),
        }
    }

    fn check_pin(&mut self, user: CK_USER_TYPE, value: &[u8]) -> Result<()> {
        let tries = self.faults.pin_tries;
        let pin = self.pin(user)?.as_mut();
        let result = pin.ok_or(CKR_USER_PIN_NOT_INITIALIZED)?.check(value, tries);
        self.counts.wrong_pins += u64::from(result == Err(CKR_PIN_INCORRECT));
        result
    }

    // ---- what it tells about itself ----

    /// The CKF bits of `C_GetTokenInfo`.
    pub(crate) fn flags(&self) -> CK_FLAGS {
        let mut flags = CKF_RNG | CKF_LOGIN_REQUIRED;
        if self.is_initialized() {
            flags |= CKF_TOKEN_INITIALIZED;
        }
        if self.faults.protected_path {
            flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
        }
        let user = self.user_pin.as_ref();
        flags | user.map_or(0, |pin| pin.flags(self.faults.pin_tries))
    }

    /// What a token can do, and with what.
    pub(crate) fn mechanisms(&self) -> Vec<(CK_MECHANISM_TYPE, CK_FLAGS)> {
        let generate = (self.profile.key_pair_mechanism(), CKF_GENERATE_KEY_PAIR);
        let signatures = self.profile.signatures().iter();
        let signatures = signatures.map(|(mechanism, _)| (*mechanism, CKF_SIGN));
        match self.faults.without_signatures {
            true => vec![generate],
            false => std::iter::once(generate).chain(signatures).collect(),
        }
    }

    /// How a mechanism's signatures are written, if the token has it.
    pub(crate) fn signature(&self, mechanism: CK_MECHANISM_TYPE) -> Option<Encoding> {
        let mut known = self.profile.signatures().iter();
        let (_, encoding) = known.find(|(known, _)| *known == mechanism)?;
        (!self.faults.without_signatures).then_some(*encoding)
    }

    pub(crate) fn report(&self, sessions_open: usize) -> Report {
        let counts = &self.counts;
        let calls = counts.calls.iter();
        let failures = self.user_pin.as_ref().map_or(0, |pin| pin.failures);
        Report {
            calls: calls
                .map(|(name, count)| ((*name).into(), *count))
                .collect(),
            sessions_open: sessions_open as u64,
            sessions_most: counts.sessions_most,
            sessions_opened: counts.sessions_opened,
            sessions_shared: counts.sessions_shared,
            logins: counts.logins,
            wrong_pins: counts.wrong_pins,
            wrong_pins_in_a_row: failures.into(),
            signatures: counts.signatures,
            waiting: counts.waiting,
            slot: self.slot,
        }
    }

    /// Brings the data object labelled [`CALLS_LABEL`] up to date.
    pub(crate) fn publish(&mut self, report: &Report) {
        let text = report.to_text().into_bytes();
        self.objects.insert(CALLS, Object::data(CALLS_LABEL, text));
    }

    // ---- objects ----

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

    /// The key for `C_SignInit`, which counts against the login's limit.
    pub(crate) fn key_to_sign(&mut self, handle: CK_OBJECT_HANDLE) -> Result<&Object> {
        let limit = self.faults.login_expires;
        if let Some(login) = &mut self.login {
            login.signatures += 1;
            if matches!(limit, Some(Expiry::Signatures(limit)) if login.signatures > limit) {
                self.expire_login();
            }
        }
        if self.login_expired {
            return Err(CKR_USER_NOT_LOGGED_IN);
        }
        self.object(handle).map_err(|_| CKR_KEY_HANDLE_INVALID)
    }

    /// Whether whoever is logged in may make or destroy an object.
    pub(crate) fn may_write(&self, object: &Object) -> Result<()> {
        match self.user() {
            _ if !object.is_private() => Ok(()),
            Some(CKU_USER) => Ok(()),
            Some(CKU_CRYPTO_USER) => Err(CKR_USER_NOT_AUTHORIZED),
            _ => Err(CKR_USER_NOT_LOGGED_IN),
        }
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

    /// Destroys the keys with a label, whoever may see them.
    pub(crate) fn destroy_keys(&mut self, label: &str) {
        self.objects
            .retain(|_, object| !object.is_key() || !object.is_labelled(label));
    }

    /// `C_SetAttributeValue`: nothing can be changed but the token's standing orders.
    pub(crate) fn set_attributes(
        &mut self,
        handle: CK_OBJECT_HANDLE,
        template: Attributes,
    ) -> Result<()> {
        self.object(handle)?;
        let object = self.objects.get_mut(&handle);
        let object = object.ok_or(CKR_OBJECT_HANDLE_INVALID)?;
        if !object.is_labelled(Behaviour::OBJECT_LABEL) || template.len() != 1 {
            return Err(CKR_ATTRIBUTE_READ_ONLY);
        }
        let value = template.get(&CKA_VALUE).ok_or(CKR_ATTRIBUTE_READ_ONLY)?;
        let orders = str::from_utf8(value)
            .ok()
            .and_then(standing)
            .ok_or(CKR_ATTRIBUTE_VALUE_INVALID)?;
        object.set(template);
        self.faults = Faults::default();
        orders.into_iter().for_each(|order| self.faults.obey(order));
        Ok(())
    }

    /// Session objects die with their session, or with all of them.
    pub(crate) fn end_session(&mut self, session: CK_SESSION_HANDLE) {
        self.objects
            .retain(|_, object| object.session != Some(session));
    }

    /// Counts a call.
    pub(crate) fn count(&mut self, function: &'static str) {
        *self.counts.calls.entry(function).or_default() += 1;
    }

    fn sees(&self, object: &Object) -> bool {
        !object.is_private() || matches!(self.user(), Some(CKU_USER | CKU_CRYPTO_USER))
    }
}

/// The standing orders of a text that has no others.
fn standing(text: &str) -> Option<Vec<Standing>> {
    let orders = behaviour::parse(text).ok()?.into_iter();
    orders
        .map(|order| match order {
            Order::Standing(order) => Some(order),
            _ => None,
        })
        .collect()
}
