//! Who works, who waits, and how the token does: what a pool keeps under its one lock. Nothing here
//! calls the module or waits.

mod health;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar};
use std::time::{Duration, Instant};

use super::key::KeyFacts;
use super::recovery::Remedy;
use super::report::{Note, What};
use super::ticket::Job;
use crate::hsm::{Error, Health, Histogram, Metrics};
pub(super) use health::Outage;
use health::{DOWN_AFTER_OPENINGS, FULL};

pub(super) struct State {
    token: String,
    pub(super) closed: bool,
    /// The keeper's thread is at work.
    pub(super) kept: bool,
    /// The token refuses the PIN: nothing is tried any more.
    refused: Option<Error>,
    seats: BTreeMap<u64, Seat>,
    next_seat: u64,
    /// Seats that wait for work.
    idle: Vec<u64>,
    queue: VecDeque<Arc<dyn Job>>,
    /// Requests that waited when the token went down or the pool was closed.
    stranded: Vec<Arc<dyn Job>>,
    /// A new seat is opening its session; one at a time does.
    opening: bool,
    /// Most seats: what the options and the token's own information allow.
    most: usize,
    /// The token said that it has no more than so many, a while ago.
    full: Option<(usize, Instant)>,
    outage: Option<Outage>,
    /// The key whose signature failed last, with which a probe tries.
    pub(super) suspect: Option<Arc<KeyFacts>>,
    trouble: Option<Instant>,
    told: Health,
    failures_in_a_row: usize,
    openings_failed_in_a_row: usize,
    last_success: Option<Instant>,
    pub(super) counts: Metrics,
}

/// One session and its thread.
struct Seat {
    wake: Arc<Condvar>,
    order: Option<Arc<dyn Job>>,
    open: bool,
    /// It gave a wrong answer, and is to be replaced.
    condemned: bool,
    last_failure: Option<Instant>,
}

/// Where a request went.
pub(super) enum Placed {
    /// To an idle session, which is to be woken.
    Given(Arc<Condvar>),
    /// Into the queue; a further session may be opened for it.
    Queued(Option<u64>),
}

/// What a session's thread does next.
pub(super) enum Step {
    Work(Arc<dyn Job>),
    Replace,
    Wait(Arc<Condvar>),
    Leave,
}

impl State {
    pub(super) fn new(token: String, most: usize) -> Self {
        Self {
            token,
            closed: false,
            kept: true,
            refused: None,
            seats: BTreeMap::new(),
            next_seat: 0,
            idle: Vec::new(),
            queue: VecDeque::new(),
            stranded: Vec::new(),
            opening: false,
            most,
            full: None,
            outage: None,
            suspect: None,
            trouble: None,
            told: Health::Up,
            failures_in_a_row: 0,
            openings_failed_in_a_row: 0,
            last_success: None,
            counts: no_counts(),
        }
    }

    // ---- requests ----

    /// Takes a request in, from the least recently failed idle session on. A probe is let through
    /// while the token is down.
    pub(super) fn place(&mut self, job: Arc<dyn Job>, probe: bool) -> Result<Placed, Error> {
        if self.closed {
            return Err(self.closed_error());
        }
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        if let (Some(error), false) = (self.down_error(), probe) {
            self.counts.refused_while_down += 1;
            return Err(error);
        }
        if let Some(id) = self.take_idle()
            && let Some(seat) = self.seats.get_mut(&id)
        {
            seat.order = Some(job);
            return Ok(Placed::Given(seat.wake.clone()));
        }
        self.queue.push_back(job);
        Ok(Placed::Queued(self.hire()))
    }

    /// The idle seat that never failed, else whose failure is the longest ago; among equals the
    /// last that worked, so that few sessions are in use where few do.
    fn take_idle(&mut self) -> Option<u64> {
        let failure = |id: &u64| self.seats.get(id).and_then(|seat| seat.last_failure);
        let (at, _) = self
            .idle
            .iter()
            .enumerate()
            .rev()
            .min_by_key(|(_, id)| failure(id))?;
        Some(self.idle.remove(at))
    }

    /// A caller gave up: its request is not to wait any longer.
    pub(super) fn forget(&mut self, job: &Arc<dyn Job>) {
        self.queue.retain(|other| !Arc::ptr_eq(other, job));
    }

    /// An answer did not verify: the session that gave it is not to give another.
    pub(super) fn condemn(&mut self, id: u64) -> Option<Arc<Condvar>> {
        self.counts.wrong_signatures += 1;
        let seat = self.seats.get_mut(&id)?;
        seat.condemned = true;
        self.idle.retain(|other| *other != id);
        Some(seat.wake.clone())
    }

    // ---- seats ----

    /// The seat of a session that is to be opened, if more requests wait than sessions come, and
    /// one more is allowed.
    pub(super) fn hire(&mut self) -> Option<u64> {
        let coming = self.seats.values().filter(|seat| !seat.open).count();
        match self.queue.len() > coming {
            true => self.add_seat(),
            false => None,
        }
    }

    /// The seat of a session that is to be opened, if one more is allowed.
    pub(super) fn add_seat(&mut self) -> Option<u64> {
        if self.closed || self.opening || self.seats.len() >= self.limit() {
            return None;
        }
        self.opening = true;
        let id = self.next_seat;
        self.next_seat += 1;
        let seat = Seat {
            wake: Arc::new(Condvar::new()),
            order: None,
            open: false,
            condemned: false,
            last_failure: None,
        };
        self.seats.insert(id, seat);
        Some(id)
    }

    pub(super) fn opening(&self) -> bool {
        self.opening
    }

    /// A session is open, and its seat ready for work.
    pub(super) fn opened(&mut self, id: u64, first: bool) {
        if first {
            self.opening = false;
        }
        self.openings_failed_in_a_row = 0;
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.open = true;
            seat.condemned = false;
            // What it was to do before it was replaced comes first.
            seat.order = seat.order.take().or_else(|| self.queue.pop_front());
        }
    }

    /// The seat's session is being given up.
    pub(super) fn lost(&mut self, id: u64) {
        self.note_trouble();
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.open = false;
            seat.last_failure = Some(Instant::now());
        }
    }

    /// The seat's session could not be opened, and its thread ends.
    pub(super) fn opening_failed(
        &mut self,
        id: u64,
        first: bool,
        error: &Error,
        notes: &mut Vec<Note>,
    ) {
        if first {
            self.opening = false;
        }
        self.remove(id);
        // Some are open, or the last of them that cannot be will come here.
        if Remedy::of(error) == Remedy::FewerSessions && !self.seats.is_empty() {
            self.full = Some((self.seats.len(), Instant::now()));
            // The token answers; how those failed that are gone says nothing of those that remain.
            self.failures_in_a_row = 0;
            self.note_trouble();
            return self.tell_health(notes);
        }
        self.openings_failed_in_a_row += 1;
        let others = self.seats.values().filter(|seat| seat.open).count();
        if self.outage.is_some()
            || others == 0
            || self.openings_failed_in_a_row >= DOWN_AFTER_OPENINGS
        {
            self.go_down(error, notes);
        }
        self.failed(error, notes);
    }

    /// What the seat's thread does next, when it has nothing to do.
    pub(super) fn next_step(&mut self, id: u64) -> Step {
        let closed = self.closed;
        let Some(seat) = self.seats.get_mut(&id) else {
            return Step::Leave;
        };
        if closed {
            return seat.order.take().map_or(Step::Leave, Step::Work);
        }
        if seat.condemned {
            return Step::Replace;
        }
        if let Some(job) = seat.order.take() {
            return Step::Work(job);
        }
        let wake = seat.wake.clone();
        if let Some(job) = self.queue.pop_front() {
            self.idle.retain(|other| *other != id);
            return Step::Work(job);
        }
        if !self.idle.contains(&id) {
            self.idle.push(id);
        }
        Step::Wait(wake)
    }

    /// The seat has done its work: it takes the next from the queue, or is idle. This is so before
    /// the caller gets its answer, so that its next request finds the session.
    pub(super) fn release(&mut self, id: u64) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        if seat.condemned || self.closed {
            return;
        }
        match self.queue.pop_front() {
            Some(job) => seat.order = Some(job),
            None => self.idle.push(id),
        }
    }

    /// The seat could not do what it was to do: when it ends, another does.
    pub(super) fn hand_back(&mut self, id: u64, job: Arc<dyn Job>) {
        let Some(seat) = self.seats.get_mut(&id) else {
            return;
        };
        // Ahead of what the seat was to do next, if it was given that.
        if let Some(next) = seat.order.replace(job) {
            self.queue.push_front(next);
        }
    }

    /// The seat's thread has ended. What it was to do next is for another.
    pub(super) fn remove(&mut self, id: u64) {
        self.idle.retain(|other| *other != id);
        let Some(job) = self.seats.remove(&id).and_then(|seat| seat.order) else {
            return;
        };
        match self.take_idle().and_then(|id| self.seats.get_mut(&id)) {
            Some(seat) => {
                seat.order = Some(job);
                seat.wake.notify_one();
            }
            None => self.queue.push_front(job),
        }
    }

    /// Every thread has come to its end.
    pub(super) fn ended(&self) -> bool {
        !self.kept && self.seats.is_empty()
    }

    pub(super) fn seats(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn limit(&self) -> usize {
        match self.full {
            Some((count, when)) if when.elapsed() < FULL => count.clamp(1, self.most),
            _ => self.most,
        }
    }

    /// Ends everything: whom to wake is returned.
    pub(super) fn close(&mut self) -> Vec<Arc<Condvar>> {
        self.closed = true;
        self.strand();
        let wakes = self.seats.values().map(|seat| seat.wake.clone());
        wakes.collect()
    }

    // ---- metrics ----

    pub(super) fn count(&mut self, note: &Note) {
        let counts = &mut self.counts;
        let counter = match (note.what, &note.error) {
            (What::Login, None) => &mut counts.logins,
            (What::Login, Some(_)) => &mut counts.login_failures,
            (What::OpenSession, None) => &mut counts.sessions_opened,
            (What::LoseSession, _) => &mut counts.sessions_lost,
            (What::Reinitialize, None) => &mut counts.reinitializations,
            (What::ChangeSlot { .. }, _) => &mut counts.slot_changes,
            _ => return,
        };
        *counter += 1;
    }

    /// A request for a signature came to its end.
    pub(super) fn signed(&mut self, latency: Duration, good: bool) {
        match good {
            true => {
                self.succeeded();
                self.counts.signatures += 1;
                self.counts.latency.add(latency);
            }
            false => self.counts.failures += 1,
        }
    }

    pub(super) fn metrics(&self) -> Metrics {
        let open = self.seats.values().filter(|seat| seat.open).count();
        let idle = self.idle.len();
        Metrics {
            health: self.health(),
            sessions: open as u64,
            busy_sessions: open.saturating_sub(idle) as u64,
            waiting: self.queue.len() as u64,
            ..self.counts.clone()
        }
    }
}

fn no_counts() -> Metrics {
    Metrics {
        health: Health::Up,
        sessions: 0,
        busy_sessions: 0,
        waiting: 0,
        signatures: 0,
        failures: 0,
        retries: 0,
        timeouts: 0,
        refused_while_down: 0,
        wrong_signatures: 0,
        logins: 0,
        login_failures: 0,
        sessions_opened: 0,
        sessions_lost: 0,
        reinitializations: 0,
        slot_changes: 0,
        outages: 0,
        latency: Histogram::default(),
    }
}
