//! Who works, who waits, and how the token does: what a pool keeps under its one lock. Nothing here
//! calls the module or waits.

mod health;

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
        let others = self.seats.values().filter(|seat| seat.open).count();
        if Remedy::of(error) == Remedy::FewerSessions && others > 0 {
            self.full = Some((self.seats.len(), Instant::now()));
            self.note_trouble();
            return self.tell_health(notes);
        }
        self.openings_failed_in_a_row += 1;
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

#[cfg(test)]
mod tests {
    use super::health::DOWN_AFTER;
    use super::*;
    use crate::hsm::Ckr;
    use crate::hsm::pkcs11::worker::Desk;

    /// A request that is never worked on.
    struct Idle;

    impl Job for Idle {
        fn begin(&self) -> bool {
            true
        }

        fn work(&self, _: &mut Desk<'_>) -> Result<(), Error> {
            Ok(())
        }

        fn fail(&self, _: Error) {}

        fn deliver(&self) {}
    }

    fn job() -> Arc<dyn Job> {
        Arc::new(Idle)
    }

    fn call(code: Ckr) -> Error {
        let function = "C_Sign";
        Error::Call { function, code }
    }

    /// A pool with so many open sessions, all idle.
    fn with_seats(count: usize, most: usize) -> State {
        let mut state = State::new("token".into(), most);
        for _ in 0..count {
            let id = state.add_seat().unwrap();
            state.opened(id, true);
            assert!(matches!(state.next_step(id), Step::Wait(_)));
        }
        state
    }

    fn is_queued(placed: Result<Placed, Error>) -> Option<u64> {
        match placed.unwrap() {
            Placed::Queued(hired) => hired,
            Placed::Given(_) => panic!("it was given to a session"),
        }
    }

    /// The seat that has something to do.
    fn busy(state: &State) -> Vec<u64> {
        let orders = state.seats.iter().filter(|(_, seat)| seat.order.is_some());
        orders.map(|(id, _)| *id).collect()
    }

    #[test]
    fn sessions_are_opened_one_at_a_time_up_to_the_bound() {
        let mut state = State::new("token".into(), 2);
        assert_eq!(is_queued(state.place(job(), false)), Some(0));
        // The first is still being opened.
        assert_eq!(is_queued(state.place(job(), false)), None);
        state.opened(0, true);
        assert_eq!(busy(&state), [0]);
        assert_eq!(state.hire(), Some(1));
        state.opened(1, true);
        assert_eq!(is_queued(state.place(job(), false)), None);
        assert_eq!(state.metrics().waiting, 1);
        assert!(matches!(state.next_step(0), Step::Work(_)));
        state.release(0);
        assert_eq!((busy(&state), state.metrics().waiting), (vec![0, 1], 0));
    }

    #[test]
    fn the_least_recently_failed_session_is_first() {
        let mut state = with_seats(3, 3);
        state.lost(2);
        std::thread::sleep(Duration::from_millis(2));
        state.lost(0);
        for expected in [&[1][..], &[1, 2], &[0, 1, 2]] {
            assert!(matches!(state.place(job(), false), Ok(Placed::Given(_))));
            assert_eq!(busy(&state), expected);
        }
    }

    #[test]
    fn what_an_ended_seat_was_to_do_goes_to_another() {
        let mut state = with_seats(2, 2);
        state.place(job(), false).ok().unwrap();
        let [given] = busy(&state)[..] else { panic!() };
        state.remove(given);
        assert_eq!(busy(&state), [1 - given]);
        state.remove(1 - given);
        assert_eq!(state.metrics().waiting, 1);
    }

    #[test]
    fn condemned_session_is_replaced_before_it_works() {
        let mut state = with_seats(1, 1);
        state.place(job(), false).ok().unwrap();
        state.condemn(0);
        assert!(matches!(state.next_step(0), Step::Replace));
        state.lost(0);
        state.opened(0, false);
        assert!(matches!(state.next_step(0), Step::Work(_)));
        assert_eq!(state.metrics().wrong_signatures, 1);
    }

    #[test]
    fn a_full_token_means_fewer_sessions_and_no_outage() {
        let mut state = with_seats(2, 16);
        let mut notes = Vec::new();
        let id = state.add_seat().unwrap();
        state.opening_failed(id, true, &call(Ckr::SESSION_COUNT), &mut notes);
        assert_eq!((state.limit(), state.health()), (2, Health::Degraded));
        assert_eq!(state.add_seat(), None);
        // Without any session there is nothing to go on with.
        let mut state = State::new("token".into(), 16);
        let id = state.add_seat().unwrap();
        state.opening_failed(id, true, &call(Ckr::SESSION_COUNT), &mut notes);
        assert_eq!(state.health(), Health::Down);
    }

    #[test]
    fn failures_in_a_row_are_an_outage_told_once() {
        let mut state = with_seats(1, 1);
        let mut notes = Vec::new();
        let error = call(Ckr::DEVICE_ERROR);
        for _ in 1..DOWN_AFTER {
            state.failed(&error, &mut notes);
        }
        state.succeeded();
        for _ in 1..DOWN_AFTER {
            state.failed(&error, &mut notes);
        }
        assert_eq!(state.health(), Health::Degraded);
        state.failed(&error, &mut notes);
        state.failed(&error, &mut notes);
        let to_down = |note: &&Note| {
            matches!(
                note.what,
                What::ChangeHealth {
                    to: Health::Down,
                    ..
                }
            )
        };
        assert_eq!(notes.iter().filter(to_down).count(), 1);
        assert!(matches!(state.place(job(), false), Err(Error::Down { .. })));
        assert_eq!(state.metrics().refused_while_down, 1);
        // A probe passes.
        assert!(matches!(state.place(job(), true), Ok(Placed::Given(_))));
        state.recovered(&mut notes);
        assert_eq!(state.health(), Health::Up);
    }

    #[test]
    fn requests_own_failures_are_no_outage() {
        let mut state = with_seats(1, 1);
        let mut notes = Vec::new();
        for _ in 0..100 {
            state.failed(&call(Ckr::MECHANISM_INVALID), &mut notes);
        }
        assert_eq!((state.health(), notes.len()), (Health::Up, 0));
    }

    #[test]
    fn refused_pin_ends_all_requests_with_the_same_error() {
        let mut state = State::new("token".into(), 1);
        let mut notes = Vec::new();
        let id = is_queued(state.place(job(), false)).unwrap();
        let error = Error::Call {
            function: "C_Login",
            code: Ckr::PIN_INCORRECT,
        };
        state.opening_failed(id, true, &error, &mut notes);
        let is_pin = |error: &Error| {
            matches!(
                error,
                Error::Call {
                    code: Ckr::PIN_INCORRECT,
                    ..
                }
            )
        };
        let (jobs, told) = state.stranded().unwrap();
        assert_eq!(jobs.len(), 1);
        assert!(is_pin(&told));
        for probe in [false, true] {
            assert!(state.place(job(), probe).is_err_and(|error| is_pin(&error)));
        }
        assert!(state.outage().is_none(), "nothing is probed");
        assert_eq!(state.health(), Health::Down);
    }

    #[test]
    fn silence_for_a_whole_deadline_is_an_outage_unless_others_get_answers() {
        let came = Instant::now();
        let late = Error::answer("late");
        let mut notes = Vec::new();
        let mut state = with_seats(1, 1);
        state.place(job(), false).ok().unwrap();
        state.succeeded();
        state.timed_out(came, &late, &mut notes);
        assert_eq!(state.health(), Health::Degraded);
        state.timed_out(Instant::now(), &late, &mut notes);
        assert_eq!(state.health(), Health::Down);
        assert_eq!(state.metrics().timeouts, 2);
    }

    #[test]
    fn closing_refuses_those_who_wait() {
        let mut state = with_seats(1, 1);
        state.place(job(), false).ok().unwrap();
        assert_eq!(is_queued(state.place(job(), false)), None);
        assert_eq!(state.close().len(), 1);
        let (jobs, error) = state.stranded().unwrap();
        assert_eq!(jobs.len(), 1);
        assert!(matches!(error, Error::Closed { .. }));
        assert!(matches!(
            state.place(job(), false),
            Err(Error::Closed { .. })
        ));
        // What was given to a session is done.
        assert!(matches!(state.next_step(0), Step::Work(_)));
        assert!(matches!(state.next_step(0), Step::Leave));
    }
}
