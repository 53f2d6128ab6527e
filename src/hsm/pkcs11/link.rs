//! The way to a token: its slot, its login, and new sessions. One thread at a time goes it, since
//! setting up a session of a network HSM is slow, and since one login does for all.

use std::time::{Duration, Instant};

use cryptoki::error::Error as CryptokiError;
use cryptoki::session::{Session, SessionState};

use super::login::login;
use super::module::{Inside, Module, Reinitialized};
use super::options::Options;
use super::recovery::Remedy;
use super::report::{Note, Reporter, What};
use super::token::Token;
use super::uri::Uri;
use crate::hsm::Error;

/// How often one opening may repair what is in its way: the module, the slot, the login.
const REPAIRS: u32 = 3;

pub(super) struct Link {
    module: Module,
    uri: Uri,
    options: Options,
    token: Token,
    /// The session that keeps the login. It never works.
    keeper: Option<OpenSession>,
    /// Sessions of another epoch have lost their login or their token.
    epoch: u64,
    /// A call found the login gone.
    logged_out: bool,
    /// The token refused the login for good: it is not asked again, whoever wants a session.
    refused: Option<Error>,
    /// What happened, to be told when the lock on this is free.
    pub(super) notes: Vec<Note>,
}

/// A session with the token. It is closed by [`OpenSession::close`], never by dropping it: its
/// handle may belong to somebody else once the module was initialized again.
pub(super) struct OpenSession {
    session: Session,
    generation: u64,
    epoch: u64,
}

impl OpenSession {
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the session is of this module's and this login's time.
    pub(super) fn is_current(&self, inside: &Inside<'_>, epoch: u64) -> bool {
        self.generation == inside.generation && self.epoch == epoch
    }

    /// Asks the module whether the session lives and is logged in.
    pub(super) fn lives(&self, token: &Token) -> bool {
        matches!(is_public(token, &self.session), Ok(false))
    }

    /// Asks the module whether the session lives, logged in or not.
    fn answers(&self, inside: &Inside<'_>) -> bool {
        let info = self.session.get_session_info();
        let failed = matches!(info, Err(CryptokiError::Pkcs11(..)));
        self.generation == inside.generation && !failed
    }

    pub(super) fn close(self, inside: &Inside<'_>) {
        if self.generation != inside.generation {
            return;
        }
        if let Err(error) = self.session.close() {
            // Nothing new where the session was lost.
            tracing::debug!(%error, "a session did not close");
        }
    }
}

impl Link {
    /// Finds the token and logs in.
    pub(super) fn new(module: Module, uri: Uri, options: Options) -> Result<Self, Error> {
        let found = Token::find(&module.enter()?, &uri);
        let token = found.map_err(|error| error.of(module.vendor()))?;
        let mut link = Self {
            module,
            uri,
            options,
            token,
            keeper: None,
            epoch: 0,
            logged_out: false,
            refused: None,
            notes: Vec::new(),
        };
        if let Err(error) = link.repairing(Self::prepare) {
            link.close();
            // There is no pool that could tell.
            link.reporter().tell(std::mem::take(&mut link.notes));
            return Err(error);
        }
        Ok(link)
    }

    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    pub(super) fn module(&self) -> &Module {
        &self.module
    }

    pub(super) fn reporter(&self) -> Reporter {
        Reporter {
            token: self.token.label.clone(),
            audit: self.options.audit.clone(),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A call found the login gone.
    pub(super) fn doubt_login(&mut self) {
        self.logged_out = true;
    }

    /// A new session, logged in, with the token itself: whatever is in the way is repaired once.
    pub(super) fn open(&mut self) -> Result<OpenSession, Error> {
        let started = Instant::now();
        let opened = self.repairing(|link, inside| {
            link.prepare(inside)?;
            link.open_prepared(inside)
        });
        let result = opened.as_ref().map(|_| ());
        let note = Note::new(What::OpenSession, started.elapsed(), result);
        self.notes.push(note);
        opened
    }

    /// Closes the session that keeps the login. C_Logout is never called, since it would log out
    /// whoever else uses the token in this process.
    pub(super) fn close(&mut self) {
        if let Ok(inside) = self.module.clone().enter() {
            self.drop_keeper(&inside);
        }
    }

    fn repairing<T>(
        &mut self,
        step: impl Fn(&mut Self, &Inside<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let module = self.module.clone();
        let mut repairs = 0;
        loop {
            let inside = module.enter()?;
            let done = step(self, &inside).map_err(|error| error.of(module.vendor()));
            let error = match done {
                Err(error) if repairs < REPAIRS => error,
                done => return done,
            };
            repairs += 1;
            match Remedy::of(&error) {
                Remedy::Initialize => {
                    let generation = inside.generation;
                    drop(inside);
                    self.initialize_again(generation)?;
                }
                remedy => self.repair(&inside, remedy, error)?,
            }
        }
    }

    /// Removes what is in the way, or gives the error back if that cannot be.
    fn repair(&mut self, inside: &Inside<'_>, remedy: Remedy, error: Error) -> Result<(), Error> {
        match remedy {
            Remedy::LogIn => {
                self.logged_out = true;
                Ok(())
            }
            // The session that keeps the login may be the one that failed.
            Remedy::NewSession if self.keeper.is_some() => {
                self.drop_keeper(inside);
                Ok(())
            }
            Remedy::FindToken if !matches!(error, Error::Token { .. }) => {
                let found = self.token.find_again(inside)?;
                self.move_to(inside, found);
                // Even if it is in the same slot, it was away.
                self.drop_keeper(inside);
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn initialize_again(&mut self, generation: u64) -> Result<(), Error> {
        let started = Instant::now();
        let result = self.module.initialize_again(generation);
        let told = match &result {
            Ok(Reinitialized::Not) => return Ok(()),
            Ok(Reinitialized::Done) => Ok(()),
            Err(error) => Err(error),
        };
        let note = Note::new(What::Reinitialize, started.elapsed(), told);
        self.notes.push(note);
        result.map(|_| ())
    }

    /// The slot's token must be the one that is meant, and the user be logged in to it.
    fn prepare(&mut self, inside: &Inside<'_>) -> Result<(), Error> {
        let info = inside.pkcs11().get_token_info(self.token.slot)?;
        if !self.token.is(&info) {
            let found = self.token.find_again(inside)?;
            self.move_to(inside, found);
        }
        let keeper = match self.keeper.take() {
            Some(keeper) if !self.logged_out && keeper.generation == inside.generation => keeper,
            Some(keeper) if keeper.answers(inside) => keeper,
            lost => {
                if let Some(keeper) = lost {
                    keeper.close(inside);
                }
                self.logged_out = true;
                self.raw_session(inside)?
            }
        };
        let keeper = self.keeper.insert(keeper);
        if !self.logged_out {
            return Ok(());
        }
        if self.token.login_required {
            if let Some(error) = &self.refused {
                return Err(error.clone());
            }
            let started = Instant::now();
            let result = login(&self.token, &keeper.session, &self.uri, &self.options)
                .map_err(|error| error.of(self.module.vendor()));
            let told = result.as_ref().copied();
            self.notes
                .push(Note::new(What::Login, started.elapsed(), told));
            self.refused = result
                .as_ref()
                .err()
                .filter(|error| Remedy::of(error) == Remedy::Never)
                .cloned();
            result?;
        }
        self.logged_out = false;
        // The others lost what this one has got anew.
        self.epoch += 1;
        keeper.epoch = self.epoch;
        Ok(())
    }

    fn open_prepared(&mut self, inside: &Inside<'_>) -> Result<OpenSession, Error> {
        let session = self.raw_session(inside)?;
        match is_public(&self.token, &session.session) {
            Ok(false) => Ok(session),
            // The login went without a word, as it does with the last session of all.
            Ok(true) => {
                session.close(inside);
                self.logged_out = true;
                self.prepare(inside)?;
                self.raw_session(inside)
            }
            Err(error) => {
                session.close(inside);
                Err(error)
            }
        }
    }

    fn raw_session(&self, inside: &Inside<'_>) -> Result<OpenSession, Error> {
        // `cryptoki` would close it on drop, and log an error where the session is lost.
        let session = inside.pkcs11().open_ro_session_no_drop(self.token.slot)?;
        Ok(OpenSession {
            session,
            generation: inside.generation,
            epoch: self.epoch,
        })
    }

    fn move_to(&mut self, inside: &Inside<'_>, token: Token) {
        let (from, to) = (self.token.slot.id(), token.slot.id());
        self.token = token;
        if from != to {
            let note = Note::new(What::ChangeSlot { from, to }, Duration::ZERO, Ok(()));
            self.notes.push(note);
            self.drop_keeper(inside);
        }
    }

    /// The session that keeps the login is lost, or in doubt.
    fn drop_keeper(&mut self, inside: &Inside<'_>) {
        if let Some(keeper) = self.keeper.take() {
            keeper.close(inside);
        }
    }
}

/// Whether the token wants a login and the session has none (PKCS#11 2.40, 5.6).
pub(super) fn is_public(token: &Token, session: &Session) -> Result<bool, Error> {
    let state = match session.get_session_info() {
        Ok(info) => info.session_state(),
        Err(error @ CryptokiError::Pkcs11(..)) => return Err(error.into()),
        // A state that only a vendor knows, as of its own users.
        Err(_) => return Ok(false),
    };
    let public = matches!(state, SessionState::RoPublic | SessionState::RwPublic);
    Ok(token.login_required && public)
}
