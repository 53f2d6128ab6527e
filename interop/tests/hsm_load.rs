//! What `./figures hsm` measures must work, however slowly: a short load and a few thousand
//! signatures. No time is looked at.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use shangmi::hsm::pkcs11::Options;
use shangmi_interop::hsm::load::{CLIENTS, Ending};
use shangmi_interop::hsm::{Bank, endurance, load, overhead};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn every_handshake_under_load_is_complete() {
    let bank = Bank::open("load", Options::default()).unwrap();
    bank.token.behave("latency=C_Sign:10ms").unwrap();
    let (seen, (from, to)) = load::run(&bank, |complete| {
        let from = Instant::now();
        while complete.load(Ordering::Relaxed) < 4 * CLIENTS as u64 && from.elapsed() < PATIENCE {
            sleep(Duration::from_millis(10));
        }
        (from, Instant::now())
    })
    .unwrap();

    let complete = seen.count(|ending| *ending == Ending::Complete);
    assert_eq!(complete, seen.handshakes.len(), "{:?}", seen.server_errors);
    assert!(complete >= 4 * CLIENTS);
    assert!(seen.rate(from, to) > 0.0);
    assert!(seen.echo_within(0.5, from, to) <= seen.echo_within(1.0, from, to));
    assert!(seen.echo_within(0.0, from, to).is_some());
    // Each of them was signed by the token, and verified before it left: no more, no less.
    let report = bank.token.report().unwrap();
    assert!(report.signatures >= complete as u64);
    assert_eq!(report.sessions_shared, 0);
}

#[test]
fn signatures_leave_no_session_behind() {
    let endured = endurance::endure(4_000).unwrap();
    assert!(endured.signatures >= 4_000, "{endured:?}");
    // One session beside the sixteen keeps the login.
    assert!((2..=17).contains(&endured.sessions_most), "{endured:?}");
    assert!(endured.sessions_opened <= 17, "{endured:?}");
    assert_eq!(endured.sessions_left, 0);
    assert_eq!(endured.sessions_shared, 0);
}

#[test]
fn overhead_is_measured_on_working_calls() {
    let overhead = overhead::measure().unwrap();
    assert!(overhead.direct > Duration::ZERO);
    assert!(overhead.pooled > overhead.verification);
}
