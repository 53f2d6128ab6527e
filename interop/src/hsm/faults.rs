//! The faults of an HSM, each in the midst of a load: what the clients see, and when the service is
//! back.
//!
//! Whatever happens: no client waits past the deadline, none gets a wrong signature, a failure is
//! the alert `internal_error`, no PIN is tried twice, and the service is back in time.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use shangmi::hsm::pkcs11::Options;

use super::load::{self, Ending, Seen};
use super::{Bank, Result};

/// How long a caller of the pool waits, at most.
const DEADLINE: Duration = Duration::from_secs(2);

/// What a handshake may take beside the signature, on a busy machine.
const MARGIN: Duration = Duration::from_secs(2);

/// When the service must be back after the token has recovered.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// How long a fault lasts, unless it says otherwise.
const LASTS: Duration = Duration::from_millis(1500);

/// The token's standing order in good days.
const GOOD: &str = "latency=C_Sign:10ms";

/// No order of the token's, but what an administrator does.
const CHANGE_PIN: &str = "change the PIN";

/// A fault, and what must come of it.
pub struct Fault {
    /// What happens, in a few words.
    pub name: &'static str,
    /// Orders to the token before the load.
    before: &'static str,
    /// Orders that bring the fault on, or [`CHANGE_PIN`].
    inject: &'static str,
    /// Orders that end it, beside good behaviour.
    recover: &'static str,
    lasts: Duration,
    expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// No client notices more than a delay.
    Unharmed,
    /// Handshakes may fail until the token has recovered.
    Interrupted,
    /// The token refuses the login, once, and only the operator can help.
    LoginRefused,
}

use Expect::{Interrupted, LoginRefused, Unharmed};

/// The table.
pub const FAULTS: &[Fault] = &[
    fault(
        "a signature fails once",
        "fail=C_Sign:20:CKR_DEVICE_ERROR",
        Unharmed,
    ),
    fault(
        "twenty signatures fail",
        "fail=C_Sign:1-20:CKR_DEVICE_ERROR",
        Interrupted,
    ),
    fault(
        "signatures fail",
        "fail=C_Sign:*:CKR_DEVICE_ERROR",
        Interrupted,
    ),
    fault(
        "signatures fail and leave their operation active",
        "sign=device-error",
        Interrupted,
    ),
    fault(
        "one C_SignInit loses its session",
        "fail=C_SignInit:20:CKR_SESSION_HANDLE_INVALID",
        Unharmed,
    ),
    fault("the module panics once", "panic=C_Sign:20", Unharmed),
    fault(
        "the module fails in general",
        "fail=*:*:CKR_GENERAL_ERROR",
        Interrupted,
    ),
    fault(
        "the HSM cannot be reached (Luna)",
        "fail=*:*:0x8000001F",
        Interrupted,
    ),
    fault("signatures take 300 ms", "latency=C_Sign:300ms", Unharmed),
    fault("one signature hangs", "hang=C_Sign:60s:20", Interrupted).past_deadline(),
    fault("signatures hang", "hang=C_Sign", Interrupted).past_deadline(),
    fault("every call hangs", "hang=*", Interrupted).past_deadline(),
    fault("the sessions are lost", "sessions=lost", Unharmed),
    fault("the sessions are closed", "sessions=closed", Unharmed),
    fault("the login expires", "login=expired", Unharmed),
    fault(
        "logins are good for 50 signatures",
        "login-expires=50",
        Unharmed,
    ),
    fault("the PIN expires", "pin=expired;login=expired", LoginRefused),
    fault("the PIN is changed", CHANGE_PIN, LoginRefused),
    fault("the slots are renumbered", "slot=new", Unharmed),
    fault(
        "the device is removed and put back",
        "device=removed",
        Interrupted,
    )
    .recover("device=back"),
    fault(
        "a member of the HA group dies",
        "member=lost:0:200ms",
        Unharmed,
    )
    .before("members=2")
    .recover("member=back:0"),
    fault(
        "all members of the HA group die",
        "member=lost:0;member=lost:1",
        Interrupted,
    )
    .before("members=2")
    .recover("member=back:0;member=back:1"),
    fault(
        "ten signatures are corrupt",
        "signature=corrupt:1-10",
        Interrupted,
    ),
    fault("signatures are corrupt", "signature=corrupt", Interrupted),
    fault(
        "signatures are another key's",
        "signature=foreign",
        Interrupted,
    ),
    fault("signatures are short", "signature=short", Interrupted),
    fault(
        "signatures are longer than their buffer",
        "signature=overlong",
        Interrupted,
    ),
    fault("signatures are DER instead of raw", "answer=der", Unharmed),
    fault(
        "the token allows four sessions",
        "session-limit=4;sessions=lost",
        Unharmed,
    ),
    fault("the mechanism is gone", "mechanism=absent", Interrupted),
    fault(
        "somebody finalizes the module",
        "library=finalized",
        Unharmed,
    ),
];

const fn fault(name: &'static str, inject: &'static str, expect: Expect) -> Fault {
    Fault {
        name,
        before: "",
        inject,
        recover: "",
        lasts: LASTS,
        expect,
    }
}

impl Fault {
    const fn before(mut self, orders: &'static str) -> Self {
        self.before = orders;
        self
    }

    const fn recover(mut self, orders: &'static str) -> Self {
        self.recover = orders;
        self
    }

    /// Calls hang for longer than callers wait.
    const fn past_deadline(mut self) -> Self {
        self.lasts = Duration::from_secs(3);
        self.recover("release")
    }

    /// Loads a server, lets it happen, and tells in a line what came of it.
    ///
    /// # Errors
    /// When something came of it that must not.
    pub fn happen(&self) -> Result<String> {
        let bank = Bank::open_alone("faults", Options::default().deadline(DEADLINE))?;
        bank.token.order(self.before)?;
        bank.token.order(GOOD)?;
        let before = bank.token.report()?;
        let (seen, recovered) = load::run(&bank, |complete| self.course(&bank, complete))?;
        let recovered = recovered?;
        let after = bank.token.report()?;
        let logins = after.calls("C_Login") - before.calls("C_Login");
        let mut faults = self.judge(&seen, recovered);
        if after.wrong_pins != u64::from(self.inject == CHANGE_PIN) {
            faults.push(format!("a wrong PIN was sent {} times", after.wrong_pins));
        }
        let refused = logins - (after.logins - before.logins);
        if self.expect == LoginRefused && refused != 1 {
            faults.push(format!("{refused} logins were tried and refused"));
        }
        if after.sessions_shared > 0 {
            faults.push(format!("{} calls shared a session", after.sessions_shared));
        }
        let line = self.line(&seen, recovered, logins);
        match faults.as_slice() {
            [] => Ok(line),
            faults => Err(format!("{line}\nMUST NOT BE: {}", faults.join("; ")).into()),
        }
    }

    /// Brings the fault on and ends it. Tells when that was.
    fn course(&self, bank: &Bank, complete: &AtomicU64) -> Result<Instant> {
        let token = &bank.token;
        wait_for_service(complete);
        match self.inject {
            CHANGE_PIN => bank.change_pin()?,
            orders => token.order(orders)?,
        }
        sleep(self.lasts);
        token.behave(GOOD)?;
        token.order(self.recover)?;
        let recovered = Instant::now();
        wait_for_service(complete);
        // What fails after that shows that the service is not back for good.
        sleep(Duration::from_millis(500));
        Ok(recovered)
    }

    fn judge(&self, seen: &Seen, recovered: Instant) -> Vec<String> {
        let mut faults = Vec::new();
        let wrong = seen.count(|ending| *ending == Ending::WrongSignature);
        if wrong > 0 {
            faults.push(format!("{wrong} clients got a wrong signature"));
        }
        let hung = seen.count(|ending| *ending == Ending::Hung);
        if hung > 0 || seen.longest() > DEADLINE + MARGIN {
            faults.push(format!(
                "{hung} clients hung, the longest {:?}",
                seen.longest()
            ));
        }
        let broken = |ending: &&Ending| matches!(ending, Ending::Broken(_));
        if let Some(ending) = seen.handshakes.iter().map(|it| &it.ending).find(broken) {
            faults.push(format!("a failure without its alert: {ending:?}"));
        }
        let failed = failed(seen);
        if self.expect == Unharmed && failed > 0 {
            faults.push(format!("{failed} handshakes failed"));
        }
        if self.expect != LoginRefused {
            match back(seen, recovered) {
                Some(time) if time <= BACK_WITHIN => {}
                Some(time) => faults.push(format!("the service was back in {time:?} only")),
                None => faults.push("the service was never back".into()),
            }
        }
        faults
    }

    fn line(&self, seen: &Seen, recovered: Instant, logins: u64) -> String {
        let mut line = format!(
            "fault {}: {} handshakes ok, {} failed, the longest {} ms, ",
            self.name,
            seen.count(|ending| *ending == Ending::Complete),
            failed(seen),
            seen.longest().as_millis(),
        );
        _ = match back(seen, recovered) {
            Some(time) => write!(line, "back in {} ms", time.as_millis()),
            None => write!(line, "not back"),
        };
        _ = write!(line, ", {logins} more logins");
        for (error, count) in &seen.server_errors {
            _ = write!(line, "\n  {count} x {error}");
        }
        line
    }
}

/// Waits until each client may have shaken hands once, but no longer than the service may be away.
fn wait_for_service(complete: &AtomicU64) {
    let (start, before) = (Instant::now(), complete.load(Ordering::Relaxed));
    while complete.load(Ordering::Relaxed) < before + load::CLIENTS as u64
        && start.elapsed() < BACK_WITHIN
    {
        sleep(Duration::from_millis(10));
    }
}

fn failed(seen: &Seen) -> usize {
    seen.count(|ending| *ending != Ending::Complete)
}

/// When the service was back: from the token's recovery to the end of the first good handshake of
/// those that began when no other would fail any more. `None` if there was none.
fn back(seen: &Seen, recovered: Instant) -> Option<Duration> {
    let failures = seen
        .handshakes
        .iter()
        .filter(|handshake| handshake.ending != Ending::Complete);
    let last_failure = failures.map(|handshake| handshake.began).max();
    let good_from = last_failure.map_or(recovered, |last| last.max(recovered));
    let good = seen
        .handshakes
        .iter()
        .filter(|handshake| handshake.ending == Ending::Complete && handshake.began >= good_from);
    let first = good.map(|handshake| handshake.ended).min()?;
    Some(first - recovered)
}
