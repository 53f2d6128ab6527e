//! The module's state: tokens in their slots, and sessions.

use crate::behaviour::{Behaviour, Encoding, Event, Library, Order};
use crate::faults::Faults;
use crate::objects::Object;
use crate::token::{Token, TokenId};
use crate::{OrderError, Profile, Result, behaviour};
use ::sm2::dsa::SigningKey;
use cryptoki_sys::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Slots are numbered from here, so that nobody gets far by assuming slot 0.
const FIRST_SLOT: CK_SLOT_ID = 0x11;

static MODULE: Mutex<Module> = Mutex::new(Module {
    owner: None,
    profile: Profile::Luna,
    environment: None,
    tokens: BTreeMap::new(),
    slots_used: 0,
    sessions: BTreeMap::new(),
    lost: BTreeMap::new(),
    next_session: 1,
});

pub(crate) struct Module {
    /// The process that called `C_Initialize`; a forked child is another application.
    owner: Option<u32>,
    pub(crate) profile: Profile,
    /// The environment's standing orders, once `C_Initialize` has read them.
    environment: Option<Faults>,
    pub(crate) tokens: BTreeMap<TokenId, Token>,
    /// How many slot numbers were ever given out.
    slots_used: CK_SLOT_ID,
    pub(crate) sessions: BTreeMap<CK_SESSION_HANDLE, Session>,
    /// Sessions that ended without their owner's doing, with their token and what they answer.
    pub(crate) lost: BTreeMap<CK_SESSION_HANDLE, (TokenId, CK_RV)>,
    next_session: CK_SESSION_HANDLE,
}

pub(crate) struct Session {
    pub(crate) token: TokenId,
    pub(crate) read_write: bool,
    /// The member of an HA group that it runs on.
    pub(crate) member: Option<usize>,
    /// What `C_FindObjects` has still to hand out.
    pub(crate) found: Option<Vec<CK_OBJECT_HANDLE>>,
    /// The signature that `C_SignInit` began.
    pub(crate) signing: Option<Signing>,
    /// A call is working in it outside the module's lock.
    pub(crate) busy: bool,
}

#[derive(Clone)]
pub(crate) struct Signing {
    pub(crate) key: Arc<SigningKey>,
    /// As the mechanism writes signatures.
    pub(crate) encoding: Encoding,
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
        self.owner = Some(std::process::id());
        self.tokens
            .values_mut()
            .for_each(|token| token.presence.initialize());
        Ok(())
    }

    /// Before the first `C_Initialize`, there must be tokens to take the orders for it.
    pub(crate) fn prepare(&mut self) -> Result<()> {
        if self.environment.is_none() {
            self.read_environment().map_err(|_| CKR_ARGUMENTS_BAD)?;
        }
        self.offer_blank_token();
        Ok(())
    }

    /// Ends sessions and logins; the tokens stay, as hardware would.
    pub(crate) fn finalize(&mut self) {
        let sessions: Vec<_> = self.sessions.keys().copied().collect();
        sessions
            .into_iter()
            .for_each(|session| self.end_session(session));
        self.lost.clear();
        self.owner = None;
    }

    /// Fails for every call that needs `C_Initialize` before it.
    pub(crate) fn ready(&self) -> Result<()> {
        match self.owner == Some(std::process::id()) {
            true => Ok(()),
            false => Err(CKR_CRYPTOKI_NOT_INITIALIZED),
        }
    }

    // ---- slots ----

    /// The slots, or only those with a token in them.
    pub(crate) fn slots(&self, with_token: bool) -> Vec<CK_SLOT_ID> {
        let tokens = self.tokens.values();
        let mut slots: Vec<_> = tokens
            .filter(|token| !with_token || token.presence.is_present())
            .map(|token| token.slot)
            .collect();
        slots.sort_unstable();
        slots
    }

    pub(crate) fn token(&mut self, slot: CK_SLOT_ID) -> Result<&mut Token> {
        let mut tokens = self.tokens.values_mut();
        tokens
            .find(|token| token.slot == slot)
            .ok_or(CKR_SLOT_ID_INVALID)
    }

    /// Moves a token to a slot; one that is there takes its old place.
    pub(crate) fn move_token(&mut self, id: TokenId, slot: Option<CK_SLOT_ID>) {
        let new = slot.unwrap_or_else(|| self.new_slot());
        let Some(old) = self.tokens.get(&id).map(|token| token.slot) else {
            return;
        };
        if let Ok(other) = self.token(new) {
            other.slot = old;
        }
        if let Some(token) = self.tokens.get_mut(&id) {
            token.slot = new;
        }
    }

    pub(crate) fn init_token(
        &mut self,
        slot: CK_SLOT_ID,
        so_pin: &[u8],
        label: [u8; 32],
    ) -> Result<()> {
        let token = self.token(slot)?.id;
        if self.session_counts(token) != (0, 0) {
            return Err(CKR_SESSION_EXISTS);
        }
        self.token(slot)?.init(so_pin, label)?;
        self.offer_blank_token();
        Ok(())
    }

    /// There is always one blank token for `C_InitToken`.
    fn offer_blank_token(&mut self) {
        if self.tokens.values().all(Token::is_initialized) {
            let slot = self.new_slot();
            let faults = self.environment.clone().unwrap_or_default();
            self.tokens
                .insert(slot, Token::blank(slot, self.profile, faults));
        }
    }

    fn new_slot(&mut self) -> CK_SLOT_ID {
        self.slots_used += 1;
        FIRST_SLOT - 1 + self.slots_used
    }

    // ---- sessions ----

    pub(crate) fn session(
        &mut self,
        handle: CK_SESSION_HANDLE,
    ) -> Result<(&mut Session, &mut Token)> {
        let session = self.sessions.get_mut(&handle);
        let session = session.ok_or(CKR_SESSION_HANDLE_INVALID)?;
        let token = self.tokens.get_mut(&session.token);
        Ok((session, token.ok_or(CKR_DEVICE_REMOVED)?))
    }

    pub(crate) fn open_session(
        &mut self,
        slot: CK_SLOT_ID,
        read_write: bool,
    ) -> Result<CK_SESSION_HANDLE> {
        let id = self.token(slot)?.id;
        let (open, _) = self.session_counts(id);
        let token = self.token(slot)?;
        if !token.is_initialized() {
            return Err(CKR_TOKEN_NOT_RECOGNIZED);
        }
        if !read_write && token.user() == Some(CKU_SO) {
            return Err(CKR_SESSION_READ_WRITE_SO_EXISTS);
        }
        if token
            .faults
            .session_limit
            .is_some_and(|limit| open >= limit)
        {
            return Err(CKR_SESSION_COUNT);
        }
        let member = token.presence.member_for(token.counts.sessions_opened);
        token.counts.sessions_opened += 1;
        token.counts.sessions_most = token.counts.sessions_most.max(open as u64 + 1);
        let handle = self.next_session;
        self.next_session += 1;
        self.sessions.insert(
            handle,
            Session {
                token: id,
                read_write,
                member,
                found: None,
                signing: None,
                busy: false,
            },
        );
        Ok(handle)
    }

    /// Sessions of a token: all, and those that may write.
    pub(crate) fn session_counts(&self, token: TokenId) -> (usize, usize) {
        let ours = self.sessions.values().filter(|s| s.token == token);
        ours.fold((0, 0), |(all, writing), session| {
            (all + 1, writing + usize::from(session.read_write))
        })
    }

    /// Closing the last session of a token logs its user out.
    pub(crate) fn end_session(&mut self, handle: CK_SESSION_HANDLE) {
        let Some(session) = self.sessions.remove(&handle) else {
            return;
        };
        let last = !self.sessions.values().any(|s| s.token == session.token);
        if let Some(token) = self.tokens.get_mut(&session.token) {
            token.end_session(handle);
            if last {
                token.logout();
            }
        }
    }

    pub(crate) fn end_sessions(&mut self, token: TokenId) {
        let sessions = self.sessions_of(token, |_| true);
        sessions
            .into_iter()
            .for_each(|session| self.end_session(session));
    }

    /// Sessions end behind their owner's back, and answer with `code` from now on.
    pub(crate) fn lose_sessions(
        &mut self,
        token: TokenId,
        which: impl Fn(&Session) -> bool,
        code: CK_RV,
    ) {
        for session in self.sessions_of(token, which) {
            self.end_session(session);
            self.lost.insert(session, (token, code));
        }
    }

    fn sessions_of(
        &self,
        token: TokenId,
        which: impl Fn(&Session) -> bool,
    ) -> Vec<CK_SESSION_HANDLE> {
        let sessions = self.sessions.iter();
        sessions
            .filter(|(_, session)| session.token == token && which(session))
            .map(|(handle, _)| *handle)
            .collect()
    }

    /// Logging out closes private doors: operations under way end in every session of the token.
    pub(crate) fn logout(&mut self, handle: CK_SESSION_HANDLE) -> Result<()> {
        let (session, token) = self.session(handle)?;
        token.logout().ok_or(CKR_USER_NOT_LOGGED_IN)?;
        let id = session.token;
        for session in self.sessions.values_mut().filter(|s| s.token == id) {
            (session.found, session.signing) = (None, None);
        }
        Ok(())
    }

    // ---- orders from the environment ----

    /// Makes the tokens and takes the orders that the environment asks for, once in a process.
    fn read_environment(&mut self) -> std::result::Result<(), OrderError> {
        let text = std::env::var(Behaviour::ENVIRONMENT).unwrap_or_default();
        let mut faults = Faults::default();
        let mut events: Vec<Event> = Vec::new();
        let mut made = Vec::new();
        for order in behaviour::parse(&text)? {
            match order {
                Order::Standing(order) => faults.obey(order),
                Order::Event(event) => events.push(event),
                Order::Library(Library::Token { label, pin }) => made.push((label, pin)),
                Order::Library(Library::Profile(profile)) => self.set_profile(profile),
                Order::Library(Library::Finalize) => return Err(OrderError(text)),
            }
        }
        if made.is_empty() && !events.is_empty() {
            return Err(OrderError(text));
        }
        for (label, pin) in made {
            let slot = self.new_slot();
            let mut token = Token::blank(slot, self.profile, Faults::default());
            let ready = token
                .init(b"security officer", crate::calls::padded(&label))
                .and_then(|()| token.set_user_pin(pin.as_bytes()));
            ready.map_err(|_| OrderError(text.clone()))?;
            self.tokens.insert(slot, token);
            for event in &events {
                self.obey(slot, event.clone())
                    .map_err(|_| OrderError(text.clone()))?;
            }
        }
        for token in self.tokens.values_mut() {
            token.faults = faults.clone();
        }
        self.environment = Some(faults);
        Ok(())
    }

    pub(crate) fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
        self.tokens
            .values_mut()
            .for_each(|token| token.profile = profile);
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
        token.may_write(object)
    }

    pub(crate) fn state(&self, token: &Token) -> CK_STATE {
        match (token.user(), self.read_write) {
            (None, false) => CKS_RO_PUBLIC_SESSION,
            (None, true) => CKS_RW_PUBLIC_SESSION,
            (Some(CKU_SO), _) => CKS_RW_SO_FUNCTIONS,
            (Some(_), false) => CKS_RO_USER_FUNCTIONS,
            (Some(_), true) => CKS_RW_USER_FUNCTIONS,
        }
    }
}
