//! The module's state: tokens in their slots, and sessions.

use crate::behaviour::Behaviour;
use crate::objects::Object;
use crate::token::Token;
use crate::{CKM_SM2_KEY_PAIR_GEN, CKM_SM2DSA, Result};
use cryptoki_sys::*;
use sm2::SecretKey;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Slots are numbered from here, so that nobody gets far by assuming slot 0.
const FIRST_SLOT: CK_SLOT_ID = 0x11;

/// Sessions that one token allows at a time.
pub(crate) const MAX_SESSIONS: usize = 64;

static MODULE: Mutex<Module> = Mutex::new(Module {
    owner: None,
    tokens: BTreeMap::new(),
    sessions: BTreeMap::new(),
    next_session: 1,
});

#[derive(Default)]
pub(crate) struct Module {
    /// The process that called `C_Initialize`; a forked child is another application.
    owner: Option<u32>,
    tokens: BTreeMap<CK_SLOT_ID, Token>,
    sessions: BTreeMap<CK_SESSION_HANDLE, Session>,
    next_session: CK_SESSION_HANDLE,
}

pub(crate) struct Session {
    pub(crate) slot: CK_SLOT_ID,
    pub(crate) read_write: bool,
    /// What `C_FindObjects` has still to hand out.
    pub(crate) found: Option<Vec<CK_OBJECT_HANDLE>>,
    /// The key of the signature that `C_SignInit` began.
    pub(crate) signing: Option<Arc<SecretKey>>,
}

/// The module's state, whether it is initialized or not.
pub(crate) fn lock() -> MutexGuard<'static, Module> {
    MODULE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Module {
    pub(crate) fn initialize(&mut self) -> Result<()> {
        if self.owner == Some(std::process::id()) {
            return Err(CKR_CRYPTOKI_ALREADY_INITIALIZED);
        }
        self.finalize();
        if let Ok(orders) = std::env::var(Behaviour::ENVIRONMENT) {
            let behaviour = Behaviour::parse(&orders).ok_or(CKR_ARGUMENTS_BAD)?;
            self.tokens
                .values_mut()
                .for_each(|token| token.behaviour = behaviour);
        }
        self.owner = Some(std::process::id());
        self.offer_blank_token();
        Ok(())
    }

    /// Ends sessions and logins; the tokens stay, as hardware would.
    pub(crate) fn finalize(&mut self) {
        let sessions: Vec<_> = self.sessions.keys().copied().collect();
        sessions
            .into_iter()
            .for_each(|session| self.end_session(session));
        self.owner = None;
    }

    /// The state, for every call that needs `C_Initialize` before it.
    pub(crate) fn ready(&mut self) -> Result<&mut Self> {
        match self.owner == Some(std::process::id()) {
            true => Ok(self),
            false => Err(CKR_CRYPTOKI_NOT_INITIALIZED),
        }
    }

    pub(crate) fn slots(&self) -> Vec<CK_SLOT_ID> {
        self.tokens.keys().copied().collect()
    }

    /// Whether a token orders `C_GetInfo` to fail, which has no token of its own.
    pub(crate) fn library_fails(&self) -> bool {
        self.tokens
            .values()
            .any(|token| token.behaviour.library_fails)
    }

    /// The token in a slot, which notes the call.
    pub(crate) fn token(&mut self, slot: CK_SLOT_ID, function: &'static str) -> Result<&mut Token> {
        let token = self.tokens.get_mut(&slot).ok_or(CKR_SLOT_ID_INVALID)?;
        token.count(function);
        Ok(token)
    }

    /// A session and its token, which notes the call.
    pub(crate) fn session(
        &mut self,
        handle: CK_SESSION_HANDLE,
        function: &'static str,
    ) -> Result<(&mut Session, &mut Token)> {
        let session = self
            .sessions
            .get_mut(&handle)
            .ok_or(CKR_SESSION_HANDLE_INVALID)?;
        let token = self
            .tokens
            .get_mut(&session.slot)
            .ok_or(CKR_DEVICE_REMOVED)?;
        token.count(function);
        Ok((session, token))
    }

    pub(crate) fn init_token(
        &mut self,
        slot: CK_SLOT_ID,
        so_pin: &[u8],
        label: [u8; 32],
    ) -> Result<()> {
        if self.sessions.values().any(|session| session.slot == slot) {
            return Err(CKR_SESSION_EXISTS);
        }
        self.token(slot, "C_InitToken")?.init(so_pin, label)?;
        self.offer_blank_token();
        Ok(())
    }

    pub(crate) fn open_session(
        &mut self,
        slot: CK_SLOT_ID,
        read_write: bool,
    ) -> Result<CK_SESSION_HANDLE> {
        let token = self.token(slot, "C_OpenSession")?;
        if !token.is_initialized() {
            return Err(CKR_TOKEN_NOT_RECOGNIZED);
        }
        if !read_write && token.login == Some(CKU_SO) {
            return Err(CKR_SESSION_READ_WRITE_SO_EXISTS);
        }
        if self.session_count(slot) >= MAX_SESSIONS {
            return Err(CKR_SESSION_COUNT);
        }
        let handle = self.next_session;
        self.next_session += 1;
        self.sessions.insert(
            handle,
            Session {
                slot,
                read_write,
                found: None,
                signing: None,
            },
        );
        Ok(handle)
    }

    pub(crate) fn session_count(&self, slot: CK_SLOT_ID) -> usize {
        self.sessions
            .values()
            .filter(|session| session.slot == slot)
            .count()
    }

    pub(crate) fn rw_session_count(&self, slot: CK_SLOT_ID) -> usize {
        self.sessions
            .values()
            .filter(|session| session.slot == slot && session.read_write)
            .count()
    }

    /// Closing the last session of a token logs its user out.
    pub(crate) fn end_session(&mut self, handle: CK_SESSION_HANDLE) {
        let Some(session) = self.sessions.remove(&handle) else {
            return;
        };
        let last = self.session_count(session.slot) == 0;
        if let Some(token) = self.tokens.get_mut(&session.slot) {
            token.end_session(handle);
            if last {
                token.login = None;
            }
        }
    }

    pub(crate) fn end_sessions(&mut self, slot: CK_SLOT_ID) {
        let of_slot = |(handle, session): (&CK_SESSION_HANDLE, &Session)| {
            (session.slot == slot).then_some(*handle)
        };
        let sessions: Vec<_> = self.sessions.iter().filter_map(of_slot).collect();
        sessions
            .into_iter()
            .for_each(|session| self.end_session(session));
    }

    /// Logging out closes private doors: operations under way end in every session of the token.
    pub(crate) fn logout(&mut self, handle: CK_SESSION_HANDLE) -> Result<()> {
        let (session, token) = self.session(handle, "C_Logout")?;
        if token.login.take().is_none() {
            return Err(CKR_USER_NOT_LOGGED_IN);
        }
        let slot = session.slot;
        for session in self
            .sessions
            .values_mut()
            .filter(|session| session.slot == slot)
        {
            (session.found, session.signing) = (None, None);
        }
        Ok(())
    }

    /// There is always one blank token for `C_InitToken`.
    fn offer_blank_token(&mut self) {
        if self.tokens.values().all(Token::is_initialized) {
            let slot = self
                .tokens
                .keys()
                .last()
                .map_or(FIRST_SLOT, |last| last + 1);
            let behaviour = std::env::var(Behaviour::ENVIRONMENT)
                .ok()
                .and_then(|orders| Behaviour::parse(&orders))
                .unwrap_or_default();
            self.tokens.insert(slot, Token::blank(slot, behaviour));
        }
    }
}

impl Session {
    /// Puts a new object into the token, if this session and login may.
    pub(crate) fn store(
        &self,
        handle: CK_SESSION_HANDLE,
        token: &mut Token,
        mut object: Object,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.may_write(token, &object)?;
        if !object.is_token() {
            object.session = Some(handle);
        }
        Ok(token.add(object))
    }

    /// Whether an object may be made or destroyed here.
    pub(crate) fn may_write(&self, token: &Token, object: &Object) -> Result<()> {
        if object.is_token() && !self.read_write {
            return Err(CKR_SESSION_READ_ONLY);
        }
        if object.is_private() && token.login != Some(CKU_USER) {
            return Err(CKR_USER_NOT_LOGGED_IN);
        }
        Ok(())
    }

    pub(crate) fn state(&self, token: &Token) -> CK_STATE {
        match (token.login, self.read_write) {
            (None, false) => CKS_RO_PUBLIC_SESSION,
            (None, true) => CKS_RW_PUBLIC_SESSION,
            (Some(CKU_SO), _) => CKS_RW_SO_FUNCTIONS,
            (Some(_), false) => CKS_RO_USER_FUNCTIONS,
            (Some(_), true) => CKS_RW_USER_FUNCTIONS,
        }
    }
}

/// What a token can do, and with what.
pub(crate) fn mechanisms(behaviour: Behaviour) -> Vec<(CK_MECHANISM_TYPE, CK_FLAGS)> {
    let mut mechanisms = vec![(CKM_SM2_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR)];
    if !behaviour.without_sm2dsa {
        mechanisms.push((CKM_SM2DSA, CKF_SIGN));
    }
    mechanisms
}
