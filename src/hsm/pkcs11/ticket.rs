//! One request and its answer: the caller waits here, until its deadline and no longer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::worker::Desk;
use crate::hsm::Error;

/// A request as the pool sees it, whatever its answer is.
pub(super) trait Job: Send + Sync {
    /// Takes the request up; `false` if its caller has given up.
    fn begin(&self) -> bool;

    /// Does the work, and keeps the answer until [`Job::deliver`].
    fn work(&self, desk: &mut Desk<'_>) -> Result<(), Error>;

    /// Answers without any work.
    fn fail(&self, error: Error);

    /// Wakes the caller.
    fn deliver(&self);
}

pub(super) struct Ticket<T, F> {
    work: F,
    state: Mutex<State<T>>,
    delivered: Condvar,
}

struct State<T> {
    answer: Option<Result<T, Error>>,
    delivered: bool,
    started: bool,
    abandoned: bool,
    /// Which session took it up.
    seat: u64,
}

/// What became of a request.
pub(super) enum Outcome<T> {
    /// The answer, and the seat of the session that gave it.
    Answer(Result<T, Error>, u64),
    /// None came in time; whether a session had taken the request up.
    Late { started: bool },
}

impl<T, F> Ticket<T, F> {
    pub(super) fn new(work: F) -> Self {
        Self {
            work,
            state: Mutex::new(State {
                answer: None,
                delivered: false,
                started: false,
                abandoned: false,
                seat: 0,
            }),
            delivered: Condvar::new(),
        }
    }

    /// Waits for the answer. One that comes later is thrown away.
    pub(super) fn wait(&self, deadline: Instant) -> Outcome<T> {
        let mut state = self.state();
        while !state.delivered {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.abandoned = true;
                let started = state.started;
                return Outcome::Late { started };
            }
            let waited = self.delivered.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let lost = || Err(Error::answer("the request was dropped"));
        let answer = state.answer.take().unwrap_or_else(lost);
        Outcome::Answer(answer, state.seat)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, F> Job for Ticket<T, F>
where
    T: Send,
    F: Fn(&mut Desk<'_>) -> Result<T, Error> + Send + Sync,
{
    fn begin(&self) -> bool {
        let mut state = self.state();
        state.started = true;
        !state.abandoned
    }

    fn work(&self, desk: &mut Desk<'_>) -> Result<(), Error> {
        let answer = (self.work)(desk);
        let told = answer.as_ref().map(|_| ()).map_err(Clone::clone);
        let mut state = self.state();
        state.answer = Some(answer);
        state.seat = desk.seat;
        told
    }

    fn fail(&self, error: Error) {
        self.state().answer = Some(Err(error));
        self.deliver();
    }

    fn deliver(&self) {
        self.state().delivered = true;
        self.delivered.notify_one();
    }
}
