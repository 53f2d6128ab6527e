//! A pool of sessions with one token: requests go to sessions, answers come back in time.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::key::{KeyFacts, TokenKey};
use super::link::{Link, OpenSession};
use super::module::Module;
use super::options::Options;
use super::profile::Profile;
use super::recovery::Remedy;
use super::report::{Note, Reporter};
use super::state::{Placed, State};
use super::ticket::{Job, Outcome, Ticket};
use super::token::Token;
use super::uri::Uri;
use super::worker::Desk;
use super::{keeper, worker};
use crate::hsm::{Action, Error, Health, Metrics};

/// Sessions with one token, logged in once, for any number of keys and callers.
///
/// Sessions are opened when they are needed, one after the other, each with a thread of its own:
/// a call that hangs in the module holds up nobody past [`Options::deadline`]. Lost sessions are
/// replaced, the token is found again in another slot, and the user is logged in again; a request
/// that failed is tried once more, and up to three times where its session or login was lost before
/// it. While the token is down, callers fail at once with [`Error::Down`], and probes bring it back.
///
/// A login that the token refuses because of the PIN is never tried again: the pool keeps failing
/// with that error, and a new one must be opened when the PIN is in order. A wrong PIN is not sent a
/// second time by any pool of the process ([`Error::PinRefusedBefore`]).
///
/// As the last resort of an outage the module is initialized again, at most once in 30 s, and only
/// if a pool initialized it. An application that calls C_Initialize itself must also call
/// C_Finalize and C_Initialize itself then; [`Action::Reinitialize`] with
/// [`Error::ForeignModule`] tells it so, once an outage.
///
/// Clones are the same pool. It ends with [`Pool::close`], or with its last clone and key. After a
/// fork the child must open its own.
#[derive(Clone)]
pub struct Pool(Arc<Handle>);

/// What the pool's users hold; its threads do not, and so end with them.
struct Handle(Arc<Shared>);

/// What the pool's threads and users share.
pub(super) struct Shared {
    /// The process that opened the pool.
    process: u32,
    pub(super) module: Module,
    reporter: Reporter,
    deadline: Duration,
    state: Mutex<State>,
    pub(super) keeper_wake: Condvar,
    /// A seat was opened or left.
    seats_changed: Condvar,
    link: Mutex<Link>,
    /// The link's epoch, to be read without its lock.
    epoch: AtomicU64,
    /// How often a session failed. What befell one may have befallen all, so that the others are
    /// looked at before they work again.
    alarms: AtomicU64,
    /// A call found the login gone.
    logged_out: AtomicBool,
}

pub(super) type StateGuard<'a> = MutexGuard<'a, State>;

impl Pool {
    /// Finds the token that `uri` describes, and logs in.
    ///
    /// # Errors
    /// [`Error`] names the call or the token that is at fault; [`Error::Deadline`] if that takes
    /// longer than [`Options::deadline`]. A wrong PIN is reported and never tried again.
    pub fn open(uri: &Uri, options: Options) -> Result<Self, Error> {
        let (started, deadline, eager) = (Instant::now(), options.deadline, options.eager);
        let opened = keeper::start(uri.clone(), options)?.recv_timeout(deadline);
        let pool = match opened {
            Ok(opened) => opened?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::answer("the thread that opens the token panicked"));
            }
            Err(RecvTimeoutError::Timeout) => {
                return Err(Error::Deadline {
                    token: uri.token().or(uri.serial()).unwrap_or("of any name").into(),
                    task: "be opened".into(),
                    waited: started.elapsed(),
                    started: true,
                });
            }
        };
        if eager {
            pool.shared().open_all_sessions()?;
        }
        Ok(pool)
    }

    /// Opens the private key that `uri` describes in the pool's token, and tries it out, as
    /// [`TokenKey::open`] does. What the URI says about module, token and PIN is not looked at.
    ///
    /// # Errors
    /// As of [`TokenKey::open`].
    pub fn key(&self, uri: &Uri, certificate: Option<&[u8]>) -> Result<TokenKey, Error> {
        TokenKey::open_in(self, uri, certificate)
    }

    /// The label of the token.
    pub fn token_label(&self) -> &str {
        &self.shared().reporter.token
    }

    /// How the token does.
    pub fn health(&self) -> Health {
        match self.shared().is_forked() {
            true => Health::Down,
            false => self.shared().state().health(),
        }
    }

    /// What the pool has done so far. In a forked child it is what a new pool has.
    pub fn metrics(&self) -> Metrics {
        match self.shared().is_forked() {
            true => State::new(String::new(), 0).metrics(),
            false => self.shared().state().metrics(),
        }
    }

    /// Ends the pool's sessions and threads, and waits for them, at most [`Options::deadline`]: a
    /// call that hangs longer ends its session when it returns. Its keys fail with
    /// [`Error::Closed`] from now on.
    pub fn close(&self) {
        self.shared().close(self.shared().deadline);
    }

    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Handle(shared)))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close(LINGER);
    }
}

/// How often a request is tried again after a failure that another session may not have.
const RETRIES: u32 = 1;

/// How often it is tried again because its session was of the past: while a login expires, another
/// session's new login may expire too before the request gets to it.
const RENEWALS: u32 = 3;

/// How long dropping a pool waits for its threads.
const LINGER: Duration = Duration::from_millis(500);

impl Shared {
    pub(super) fn new(link: Link, options: Options) -> Self {
        let token = link.token();
        // One session keeps the login; if the token allows no other, its refusal will tell.
        let allowed = token
            .max_sessions
            .map_or(usize::MAX, |max| max.saturating_sub(1));
        let most = options.max_sessions.min(allowed).max(1);
        Self {
            process: std::process::id(),
            module: link.module().clone(),
            reporter: link.reporter(),
            deadline: options.deadline,
            state: Mutex::new(State::new(token.label.clone(), most)),
            keeper_wake: Condvar::new(),
            seats_changed: Condvar::new(),
            epoch: AtomicU64::new(link.epoch()),
            alarms: AtomicU64::new(0),
            logged_out: AtomicBool::new(false),
            link: Mutex::new(link),
        }
    }

    // ---- requests ----

    /// Has one of the sessions do `work`, and again if it failed for a reason that another session
    /// may not have. `check` looks at the answer, on the caller's thread.
    pub(super) fn run<T, U, F>(
        self: &Arc<Self>,
        task: &dyn Fn() -> String,
        work: F,
        check: impl Fn(T) -> Result<U, Error>,
    ) -> Result<U, Error>
    where
        T: Send + 'static,
        F: Fn(&mut Desk<'_>) -> Result<T, Error> + Send + Sync + 'static,
    {
        // Before any lock: a child may have inherited it locked.
        if self.is_forked() {
            return Err(Error::Forked);
        }
        let started = Instant::now();
        let work = Arc::new(work);
        let attempt = || {
            let work = work.clone();
            let work = move |desk: &mut Desk<'_>| {
                let vendor = Profile::vendor(desk.profile);
                work(desk).map_err(|error| error.of(vendor))
            };
            let ticket = Arc::new(Ticket::new(work));
            self.place(ticket.clone(), false)?;
            match ticket.wait(started + self.deadline) {
                Outcome::Answer(answer, seat) => check(answer?).inspect_err(|error| {
                    self.condemn(seat, error);
                }),
                Outcome::Late { started: begun } => {
                    self.forget(ticket);
                    let error = self.deadline_error(task(), started, begun);
                    self.with(|state, notes| state.timed_out(started, &error, notes));
                    Err(error)
                }
            }
        };
        let (mut retries, mut renewals) = (RETRIES, RENEWALS);
        loop {
            let error = match attempt() {
                Err(error) if Remedy::of(&error).allows_retry() => error,
                done => return done,
            };
            let left = match Remedy::is_stale(&error) {
                true => &mut renewals,
                false => &mut retries,
            };
            if *left == 0 {
                return Err(error);
            }
            *left -= 1;
            tracing::debug!(token = self.reporter.token, %error, "tried once more");
            self.with(|state, _| state.counts.retries += 1);
        }
    }

    /// A signature by a key, as `check` makes it of the token's answer.
    pub(super) fn sign<U>(
        self: &Arc<Self>,
        key: &Arc<KeyFacts>,
        mechanism: &str,
        work: impl Fn(&mut Desk<'_>) -> Result<Vec<u8>, Error> + Send + Sync + 'static,
        check: impl Fn(Vec<u8>) -> Result<U, Error>,
    ) -> Result<U, Error> {
        let started = Instant::now();
        let result = self.run(&|| format!("sign with {}", key.name), work, check);
        if self.is_forked() {
            return result;
        }
        let duration = started.elapsed();
        let error = result.as_ref().err();
        self.with(|state, _| {
            state.signed(duration, error.is_none());
            if error.is_some_and(is_suspicious) {
                state.suspect = Some(key.clone());
            }
        });
        self.tell_signature(&key.name, mechanism, duration, error);
        result
    }

    /// Tells of a signature.
    pub(super) fn tell_signature(
        &self,
        key: &str,
        mechanism: &str,
        took: Duration,
        error: Option<&Error>,
    ) {
        self.reporter
            .event(Action::Sign { key, mechanism }, took, error);
    }

    /// Gives a request to a session, or queues it.
    pub(super) fn place(self: &Arc<Self>, job: Arc<dyn Job>, probe: bool) -> Result<(), Error> {
        let placed = self.state().place(job, probe)?;
        match placed {
            Placed::Given(wake) => wake.notify_one(),
            Placed::Queued(Some(seat)) => worker::start(self, seat),
            Placed::Queued(None) => {}
        }
        Ok(())
    }

    pub(super) fn forget(&self, job: Arc<dyn Job>) {
        self.state().forget(&job);
    }

    fn condemn(&self, seat: u64, error: &Error) {
        if let Some(wake) = self.with(|state, notes| {
            state.failed(error, notes);
            state.condemn(seat)
        }) {
            wake.notify_one();
        }
    }

    pub(super) fn deadline_error(&self, task: String, since: Instant, started: bool) -> Error {
        Error::Deadline {
            token: self.reporter.token.clone(),
            task,
            waited: since.elapsed(),
            started,
        }
    }

    // ---- sessions ----

    /// A new session, and the token as it is known now.
    pub(super) fn open_session(&self) -> Result<(OpenSession, Token), Error> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if self.logged_out.swap(false, Ordering::AcqRel) {
            link.doubt_login();
        }
        let opened = link.open();
        self.epoch.store(link.epoch(), Ordering::Release);
        let token = link.token().clone();
        let notes = std::mem::take(&mut link.notes);
        drop(link);
        self.tell(notes);
        opened.map(|session| (session, token))
    }

    pub(super) fn opened(self: &Arc<Self>, seat: u64, first: bool) {
        let next = self.with(|state, _| {
            state.opened(seat, first);
            state.hire()
        });
        self.seats_changed.notify_all();
        if let Some(next) = next {
            worker::start(self, next);
        }
    }

    pub(super) fn opening_failed(&self, seat: u64, first: bool, error: &Error) {
        self.with(|state, notes| state.opening_failed(seat, first, error, notes));
        self.seats_changed.notify_all();
    }

    pub(super) fn left(&self, seat: u64) {
        self.state().remove(seat);
        self.seats_changed.notify_all();
    }

    fn open_all_sessions(self: &Arc<Self>) -> Result<(), Error> {
        let mut state = self.state();
        loop {
            if let Some(cause) = state.cause() {
                return Err(cause);
            }
            if let Some(seat) = state.add_seat() {
                drop(state);
                worker::start(self, seat);
                state = self.state();
            } else if state.opening() {
                let started = Instant::now();
                let (changed, late) = self
                    .seats_changed
                    .wait_timeout_while(state, self.deadline, |state| state.opening())
                    .unwrap_or_else(PoisonError::into_inner);
                if late.timed_out() {
                    return Err(self.deadline_error("open all sessions".into(), started, true));
                }
                state = changed;
            } else {
                return Ok(());
            }
        }
    }

    /// Ends all threads, and waits for them so long at most.
    fn close(&self, wait: Duration) {
        if self.is_forked() {
            return;
        }
        for wake in self.with(|state, _| state.close()) {
            wake.notify_one();
        }
        self.keeper_wake.notify_one();
        let state = self.state();
        drop(
            self.seats_changed
                .wait_timeout_while(state, wait, |state| !state.ended()),
        );
    }

    /// The keeper's last act.
    pub(super) fn end(&self) {
        // Sessions end before the one that keeps their login.
        let state = self.state();
        drop(
            self.seats_changed
                .wait_timeout_while(state, LINGER, |state| state.seats() > 0),
        );
        self.link
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .close();
        self.state().kept = false;
        self.seats_changed.notify_all();
    }

    // ---- state ----

    pub(super) fn state(&self) -> StateGuard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the state, and tells afterwards what came of it.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State, &mut Vec<Note>) -> T) -> T {
        let mut notes = Vec::new();
        let mut state = self.state();
        let result = work(&mut state, &mut notes);
        let stranded = state.stranded();
        drop(state);
        if let Some((jobs, error)) = stranded {
            for job in jobs {
                job.fail(error.clone());
            }
        }
        if !notes.is_empty() {
            self.keeper_wake.notify_one();
            self.tell(notes);
        }
        result
    }

    pub(super) fn tell(&self, notes: Vec<Note>) {
        if notes.is_empty() {
            return;
        }
        let mut state = self.state();
        notes.iter().for_each(|note| state.count(note));
        drop(state);
        self.reporter.tell(notes);
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn alarms(&self) -> u64 {
        self.alarms.load(Ordering::Acquire)
    }

    /// A session failed, before its caller knows.
    pub(super) fn alarm(&self, remedy: Remedy) {
        if remedy == Remedy::LogIn {
            self.logged_out.store(true, Ordering::Release);
        }
        self.alarms.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn logged_out(&self) -> bool {
        self.logged_out.load(Ordering::Acquire)
    }

    fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }
}

/// Whether a probe should try what failed so.
fn is_suspicious(error: &Error) -> bool {
    Remedy::of(error).allows_retry() || matches!(error, Error::Deadline { .. })
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("token", &self.token_label())
            .finish_non_exhaustive()
    }
}
