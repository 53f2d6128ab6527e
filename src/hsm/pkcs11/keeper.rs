//! The keeper's thread: it opens the token, probes it while it is down, and closes it at the end.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::link::Link;
use super::module::{Module, Reinitialized};
use super::options::Options;
use super::pool::{Pool, Shared, StateGuard};
use super::recovery::Remedy;
use super::report::{Note, What};
use super::ticket::{Outcome, Ticket};
use super::uri::Uri;
use super::worker::Desk;
use crate::hsm::Error;
use crate::random::without_added_sources;

/// Time between probes: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long one probe may take, before the next tries another session.
const PROBE: Duration = Duration::from_secs(1);

/// An outage so long is no short one: the module is initialized again.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens a token on a thread of its own, since any call of its module may hang.
pub(super) fn start(uri: Uri, options: Options) -> Result<Receiver<Result<Pool, Error>>, Error> {
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new()
        .name("shangmi-hsm-keeper".into())
        .spawn(move || {
            // As in a session's thread.
            without_added_sources();
            run(uri, options, &sender);
        })
        .map(|_| receiver)
        .map_err(|error| Error::Thread {
            reason: error.to_string(),
        })
}

fn run(uri: Uri, options: Options, sender: &SyncSender<Result<Pool, Error>>) {
    let open = || {
        let module = Module::load(&uri, &options)?;
        module.warn_of_ha_members()?;
        Link::new(module, uri.clone(), options.clone())
    };
    let mut link = match open() {
        Ok(link) => link,
        // Whether anybody still waits for it or not.
        Err(error) => return drop(sender.send(Err(error))),
    };
    let notes = std::mem::take(&mut link.notes);
    let shared = Arc::new(Shared::new(link, options));
    shared.tell(notes);
    // If nobody waits for the pool any more, it is dropped and so closed at once.
    drop(sender.send(Ok(Pool::new(shared.clone()))));
    keep(&shared);
    shared.end();
}

fn keep(shared: &Arc<Shared>) {
    loop {
        let mut notes = Vec::new();
        let mut state = shared.state();
        if state.closed {
            return;
        }
        state.tell_health(&mut notes);
        if !notes.is_empty() {
            drop(state);
            shared.tell(notes);
        } else if state.outage().is_some() {
            drop(state);
            attend(shared);
        } else {
            shared.rest(state);
        }
    }
}

/// Probes until the token is back or the pool is closed.
fn attend(shared: &Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    let mut ours = true;
    loop {
        shared.rest_for(pause);
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        let Some(outage) = shared.state().outage() else {
            return;
        };
        match probe(shared) {
            Ok(()) => return shared.with(|state, notes| state.recovered(notes)),
            // The token answers, and the failure is the key's own.
            Err(error) if Remedy::of(&error) == Remedy::GiveUp && !is_outage(&error) => {
                return shared.with(|state, notes| state.recovered(notes));
            }
            Err(error) => tracing::debug!(%error, "the token is still down"),
        }
        let lasts = outage.since.elapsed() >= PATIENCE;
        if lasts && ours && Remedy::of(&outage.cause).allows_retry() {
            ours = reinitialize(shared);
        }
    }
}

fn is_outage(error: &Error) -> bool {
    matches!(
        error,
        Error::Down { .. } | Error::Deadline { .. } | Error::Closed { .. } | Error::Forked
    )
}

/// Opens a session as any request would, and signs with the key that failed last.
fn probe(shared: &Arc<Shared>) -> Result<(), Error> {
    let key = shared.state().suspect.clone();
    let suspect = key.clone();
    let work = move |desk: &mut Desk<'_>| suspect.as_ref().map_or(Ok(()), |key| key.prove(desk));
    let ticket = Arc::new(Ticket::new(work));
    let started = Instant::now();
    shared.place(ticket.clone(), true)?;
    let result = match ticket.wait(started + PROBE) {
        Outcome::Answer(answer, _) => answer,
        Outcome::Late { started: begun } => {
            shared.forget(ticket);
            Err(shared.deadline_error("answer a probe".into(), started, begun))
        }
    };
    if let Some(key) = key {
        let error = result.as_ref().err();
        shared.tell_signature(&key.name, key.mechanism_name(), started.elapsed(), error);
    }
    result
}

/// C_Finalize and C_Initialize: the last resort, which takes all sessions of the process. Whether the
/// module is ours to do so.
fn reinitialize(shared: &Shared) -> bool {
    let started = Instant::now();
    let generation = match shared.module.enter() {
        Ok(inside) => inside.generation,
        Err(_) => return true,
    };
    let result = shared.module.reinitialize(generation);
    let told = match &result {
        Ok(Reinitialized::Not) => return true,
        Ok(Reinitialized::Done) => Ok(()),
        Err(error) => Err(error),
    };
    shared.tell(vec![Note::new(What::Reinitialize, started.elapsed(), told)]);
    !matches!(result, Err(Error::ForeignModule))
}

impl Shared {
    /// Waits until something happens, or until the health may be better.
    fn rest(&self, state: StateGuard<'_>) {
        let most = state
            .better_at()
            .map(|when| when.saturating_duration_since(Instant::now()));
        match most {
            None => drop(
                self.keeper_wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            ),
            Some(most) => drop(self.keeper_wake.wait_timeout(state, most)),
        }
    }

    fn rest_for(&self, pause: Duration) {
        let state = self.state();
        if !state.closed {
            drop(self.keeper_wake.wait_timeout(state, pause));
        }
    }
}
