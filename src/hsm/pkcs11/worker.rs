//! A session's thread: it opens the session, works in it, and replaces it when it is lost.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;

use super::link::{OpenSession, is_public};
use super::module::Inside;
use super::pool::Shared;
use super::profile::Profile;
use super::recovery::Remedy;
use super::report::{Note, What};
use super::state::Step;
use super::ticket::Job;
use super::token::{Token, find_key};
use crate::hsm::{Ckr, Error};
use crate::random::without_added_sources;

/// Most key handles that a session remembers.
const MAX_HANDLES: usize = 1024;

/// What a request works with: a session that is logged in, on the thread that owns it.
pub(super) struct Desk<'a> {
    pub(super) inside: &'a Inside<'a>,
    pub(super) session: &'a Session,
    pub(super) token: &'a Token,
    pub(super) profile: Option<Profile>,
    /// The seat of the session in the pool.
    pub(super) seat: u64,
    handles: &'a mut HashMap<u64, ObjectHandle>,
}

impl Desk<'_> {
    /// The handle of a key in this session. It is looked up once in each session, and never taken
    /// from one to another.
    pub(super) fn key(&mut self, id: u64, template: &[Attribute]) -> Result<ObjectHandle, Error> {
        if let Some(handle) = self.handles.get(&id) {
            return Ok(*handle);
        }
        let search = || find_key(self.session, &self.token.label, template);
        let handle = match search() {
            // Private keys are not seen without a login, and nothing else tells that it is gone.
            Err(Error::Key { matches: 0, .. }) if is_public(self.token, self.session)? => {
                return Err(Error::Call {
                    function: "C_FindObjects",
                    code: Ckr::USER_NOT_LOGGED_IN,
                });
            }
            // Or it was gone during the search, and another session has logged in since.
            Err(Error::Key { matches: 0, .. }) => search()?,
            found => found?,
        };
        if self.handles.len() >= MAX_HANDLES {
            self.handles.clear();
        }
        self.handles.insert(id, handle);
        Ok(handle)
    }
}

/// Starts the thread of a seat, which opens the seat's session.
pub(super) fn start(shared: &Arc<Shared>, seat: u64) {
    let worker = Worker {
        shared: shared.clone(),
        seat,
    };
    let thread = thread::Builder::new().name("shangmi-hsm".into());
    if let Err(error) = thread.spawn(move || {
        // A generator that was seeded by the token would wait for this thread here.
        without_added_sources();
        worker.run();
    }) {
        let reason = error.to_string();
        shared.opening_failed(seat, true, &Error::Thread { reason });
    }
}

struct Worker {
    shared: Arc<Shared>,
    seat: u64,
}

/// A session, and what is known in it.
struct Post {
    session: OpenSession,
    token: Token,
    handles: HashMap<u64, ObjectHandle>,
    /// The alarms of which the session is known to have come to no harm.
    alarms: u64,
}

impl Worker {
    fn run(self) {
        let mut post = self.open(true);
        while let Some(open) = post {
            post = match self.next() {
                Step::Work(job) => self.work(open, job),
                Step::Replace => self.replace(open, &Error::answer("a signature was wrong")),
                Step::Leave | Step::Wait(_) => {
                    self.close(open);
                    None
                }
            };
        }
        self.shared.left(self.seat);
    }

    /// Waits for something to do.
    fn next(&self) -> Step {
        let mut state = self.shared.state();
        loop {
            match state.next_step(self.seat) {
                Step::Wait(wake) => {
                    state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                step => return step,
            }
        }
    }

    fn work(&self, mut post: Post, job: Arc<dyn Job>) -> Option<Post> {
        if !job.begin() {
            return Some(post);
        }
        loop {
            match self.serve(&mut post, &*job) {
                // The login, the slot or the module is new since the session was opened.
                None => match self.renew(post) {
                    Ok(fresh) => post = fresh,
                    Err(error) => {
                        // Those that are open take it over.
                        if Remedy::of(&error) == Remedy::FewerSessions {
                            self.shared.with(|state, _| state.hand_back(self.seat, job));
                            self.shared.opening_failed(self.seat, false, &error);
                        } else {
                            self.shared.opening_failed(self.seat, false, &error);
                            job.fail(error);
                        }
                        return None;
                    }
                },
                Some(Ok(())) => {
                    self.shared.with(|state, _| state.release(self.seat));
                    job.deliver();
                    return Some(post);
                }
                Some(Err(error)) => return self.failed(post, &*job, &error),
            }
        }
    }

    /// Does the work; `None` if the session is of the past.
    fn serve(&self, post: &mut Post, job: &dyn Job) -> Option<Result<(), Error>> {
        let inside = match self.shared.module.enter() {
            Ok(inside) => inside,
            Err(error) => return Some(Err(error)),
        };
        if !self.is_fit(post, &inside) {
            return None;
        }
        let mut desk = Desk {
            inside: &inside,
            session: post.session.session(),
            token: &post.token,
            profile: self.shared.module.profile,
            seat: self.seat,
            handles: &mut post.handles,
        };
        let work = || job.work(&mut desk);
        // No panic is known; one must not leave a seat without its thread.
        let panicked = |_| Err(Error::answer("the thread of a session panicked"));
        Some(catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked))
    }

    /// Whether the session may work: it is of the present, and lives on after others failed.
    fn is_fit(&self, post: &mut Post, inside: &Inside<'_>) -> bool {
        let shared = &self.shared;
        if !post.session.is_current(inside, shared.epoch()) || shared.logged_out() {
            return false;
        }
        let alarms = shared.alarms();
        if post.alarms != alarms {
            if !post.session.lives(&post.token) {
                return false;
            }
            post.handles.clear();
            post.alarms = alarms;
        }
        true
    }

    /// The caller gets its error at once, and may try elsewhere while the session is replaced.
    fn failed(&self, post: Post, job: &dyn Job, error: &Error) -> Option<Post> {
        let remedy = Remedy::of(error);
        self.shared.with(|state, notes| state.failed(error, notes));
        // C_Sign may leave its operation active, which would refuse the next.
        let in_doubt = matches!(error, Error::Call { function, .. } if *function == "C_Sign");
        if !remedy.allows_retry() && !in_doubt {
            self.shared.with(|state, _| state.release(self.seat));
            job.deliver();
            return Some(post);
        }
        self.shared.alarm(remedy);
        self.shared.with(|state, _| state.lost(self.seat));
        job.deliver();
        self.replace(post, error)
    }

    fn replace(&self, post: Post, error: &Error) -> Option<Post> {
        self.shared.with(|state, notes| {
            state.lost(self.seat);
            notes.push(Note::new(What::LoseSession, Duration::ZERO, Err(error)));
        });
        self.close(post);
        self.open(false)
    }

    fn renew(&self, post: Post) -> Result<Post, Error> {
        self.close(post);
        self.open_post()
    }

    fn open_post(&self) -> Result<Post, Error> {
        // An alarm during the opening is about the new session too.
        let alarms = self.shared.alarms();
        let (session, token) = self.shared.open_session()?;
        Ok(Post {
            session,
            token,
            handles: HashMap::new(),
            alarms,
        })
    }

    /// Opens the session, or ends the seat.
    fn open(&self, first: bool) -> Option<Post> {
        match self.open_post() {
            Ok(post) => {
                self.shared.opened(self.seat, first);
                Some(post)
            }
            Err(error) => {
                self.shared.opening_failed(self.seat, first, &error);
                None
            }
        }
    }

    fn close(&self, post: Post) {
        if let Ok(inside) = self.shared.module.enter() {
            post.session.close(&inside);
        }
    }
}
