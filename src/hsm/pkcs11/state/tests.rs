//! What a pool keeps, step by step.

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
fn sessions_lost_to_a_full_token_are_no_outage() {
    let mut state = with_seats(16, 16);
    let mut notes = Vec::new();
    for id in 0..16 {
        state.failed(&call(Ckr::SESSION_HANDLE_INVALID), &mut notes);
        state.lost(id);
    }
    (0..3).for_each(|id| state.opened(id, false));
    for id in 3..16 {
        state.opening_failed(id, false, &call(Ckr::SESSION_COUNT), &mut notes);
    }
    assert_eq!(state.limit(), 3);
    state.failed(&call(Ckr::SESSION_HANDLE_INVALID), &mut notes);
    assert_eq!(state.health(), Health::Degraded);
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
