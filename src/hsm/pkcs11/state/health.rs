//! How the token does: what counts as an outage, what as trouble, and when it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::State;
use crate::hsm::pkcs11::recovery::Remedy;
use crate::hsm::pkcs11::report::{Note, What};
use crate::hsm::pkcs11::ticket::Job;
use crate::hsm::{Error, Health};

/// How long trouble shows as [`Health::Degraded`].
const TROUBLE: Duration = Duration::from_secs(5);

/// How long the token's refusal of a further session is believed.
pub(super) const FULL: Duration = Duration::from_secs(30);

/// So many failures in a row, and nothing between them, mean that the token is down.
pub(super) const DOWN_AFTER: usize = 8;

/// So many sessions in a row that could not be opened, and no success meanwhile, mean it too.
pub(super) const DOWN_AFTER_OPENINGS: usize = 2;

/// The token is down.
#[derive(Clone, Debug)]
pub(in crate::hsm::pkcs11) struct Outage {
    pub(in crate::hsm::pkcs11) since: Instant,
    pub(in crate::hsm::pkcs11) cause: Error,
}

impl State {
    /// A caller that came at `since` got nothing until its deadline.
    pub(in crate::hsm::pkcs11) fn timed_out(
        &mut self,
        since: Instant,
        cause: &Error,
        notes: &mut Vec<Note>,
    ) {
        self.counts.timeouts += 1;
        self.note_trouble();
        let silent = self.last_success.is_none_or(|last| last < since);
        if silent && self.idle.is_empty() {
            self.go_down(cause, notes);
        }
        self.tell_health(notes);
    }

    /// A good answer was given out, or a probe succeeded.
    pub(in crate::hsm::pkcs11) fn succeeded(&mut self) {
        self.last_success = Some(Instant::now());
        self.failures_in_a_row = 0;
        self.openings_failed_in_a_row = 0;
    }

    /// Counts a failure of a session or a signature; whether the token is down, it tells.
    pub(in crate::hsm::pkcs11) fn failed(&mut self, error: &Error, notes: &mut Vec<Note>) {
        match Remedy::of(error) {
            Remedy::GiveUp => return,
            Remedy::Never => self.refuse(error, notes),
            _ => {}
        }
        self.note_trouble();
        self.failures_in_a_row += 1;
        if self.failures_in_a_row >= DOWN_AFTER.max(2 * self.seats.len()) {
            self.go_down(error, notes);
        }
        self.tell_health(notes);
    }

    pub(in crate::hsm::pkcs11) fn health(&self) -> Health {
        let recent = self.trouble.is_some_and(|when| when.elapsed() < TROUBLE);
        let full = self.full.is_some_and(|(_, when)| when.elapsed() < FULL);
        match (&self.outage, recent || full) {
            (Some(_), _) => Health::Down,
            (None, true) => Health::Degraded,
            (None, false) => Health::Up,
        }
    }

    /// Tells a change of health once.
    pub(in crate::hsm::pkcs11) fn tell_health(&mut self, notes: &mut Vec<Note>) {
        let (from, to) = (self.told, self.health());
        if from == to {
            return;
        }
        self.told = to;
        let cause = self.outage.as_ref().map(|outage| &outage.cause);
        let told = cause.map_or(Ok(()), Err);
        notes.push(Note::new(
            What::ChangeHealth { from, to },
            Duration::ZERO,
            told,
        ));
    }

    /// When the health may change for the better without anything happening.
    pub(in crate::hsm::pkcs11) fn better_at(&self) -> Option<Instant> {
        let trouble = self.trouble.map(|when| when + TROUBLE);
        let full = self.full.map(|(_, when)| when + FULL);
        (self.told == Health::Degraded)
            .then(|| trouble.max(full))
            .flatten()
    }

    /// The outage that a probe may end: none if the PIN is what is wrong.
    pub(in crate::hsm::pkcs11) fn outage(&self) -> Option<Outage> {
        let hopeless = self.refused.is_some() || self.closed;
        self.outage.clone().filter(|_| !hopeless)
    }

    /// Why the token is down.
    pub(in crate::hsm::pkcs11) fn cause(&self) -> Option<Error> {
        self.outage.as_ref().map(|outage| outage.cause.clone())
    }

    pub(in crate::hsm::pkcs11) fn recovered(&mut self, notes: &mut Vec<Note>) {
        self.outage = None;
        self.suspect = None;
        self.trouble = None;
        self.full = None;
        self.succeeded();
        self.tell_health(notes);
    }

    fn refuse(&mut self, error: &Error, notes: &mut Vec<Note>) {
        self.refused.get_or_insert_with(|| error.clone());
        self.go_down(error, notes);
    }

    pub(in crate::hsm::pkcs11) fn go_down(&mut self, cause: &Error, notes: &mut Vec<Note>) {
        self.strand();
        if self.outage.is_some() || self.closed {
            return;
        }
        self.counts.outages += 1;
        self.outage = Some(Outage {
            since: Instant::now(),
            cause: cause.clone(),
        });
        self.tell_health(notes);
    }

    pub(in crate::hsm::pkcs11) fn note_trouble(&mut self) {
        self.trouble = Some(Instant::now());
    }

    /// No one is to wait for nothing.
    pub(in crate::hsm::pkcs11) fn strand(&mut self) {
        self.stranded.extend(self.queue.drain(..));
    }

    /// Requests that waited in vain, and what to tell them.
    pub(in crate::hsm::pkcs11) fn stranded(&mut self) -> Option<(Vec<Arc<dyn Job>>, Error)> {
        if self.stranded.is_empty() {
            return None;
        }
        let closed = || self.closed_error();
        let error = self.refused.clone().or_else(|| self.down_error());
        let error = error.unwrap_or_else(closed);
        Some((std::mem::take(&mut self.stranded), error))
    }

    pub(in crate::hsm::pkcs11) fn down_error(&self) -> Option<Error> {
        self.outage.as_ref().map(|outage| Error::Down {
            token: self.token.clone(),
            since: outage.since,
            cause: outage.cause.to_string(),
        })
    }

    pub(in crate::hsm::pkcs11) fn closed_error(&self) -> Error {
        Error::Closed {
            token: self.token.clone(),
        }
    }
}
