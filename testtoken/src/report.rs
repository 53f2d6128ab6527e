//! What a token has counted.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A token's counts since it was initialized. Neither `C_Finalize` nor its own removal changes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Calls that reached the token, by function; failed ones and those for the module as a whole
    /// included.
    pub calls: BTreeMap<String, u64>,
    /// Sessions open now.
    pub sessions_open: u64,
    /// Sessions open at one time, at most.
    pub sessions_most: u64,
    /// Sessions ever opened.
    pub sessions_opened: u64,
    /// Calls in a session that another thread was still using, which PKCS#11 forbids.
    pub sessions_shared: u64,
    /// Logins of users, but not of the security officer.
    pub logins: u64,
    /// PINs that were wrong.
    pub wrong_pins: u64,
    /// Wrong user PINs since the last right one.
    pub wrong_pins_in_a_row: u64,
    /// Signatures given out, good or bad.
    pub signatures: u64,
    /// Calls that hang or wait now.
    pub waiting: u64,
    /// The number of the slot where the token is.
    pub slot: u64,
}

impl Report {
    /// How often the token saw a function, such as `C_Sign`.
    pub fn calls(&self, function: &str) -> u64 {
        self.calls.get(function).copied().unwrap_or(0)
    }

    /// One `name=count` a line, the counts of one width so that a reader who asks for the length
    /// first finds it unchanged.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        let calls = self
            .calls
            .iter()
            .map(|(name, count)| (name.as_str(), *count));
        let totals = TOTALS
            .iter()
            .map(|(name, field)| (*name, *field(&mut self.clone())));
        for (name, count) in calls.chain(totals) {
            _ = writeln!(text, "{name}={count:20}");
        }
        text
    }

    /// Reads what [`Report::to_text`] wrote; `None` if it is something else.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let mut report = Self::default();
        for line in text.lines() {
            let (name, count) = line.split_once('=')?;
            let count = count.trim().parse().ok()?;
            match TOTALS.iter().find(|(total, _)| *total == name) {
                Some((_, field)) => *field(&mut report) = count,
                None => _ = report.calls.insert(name.into(), count),
            }
        }
        Some(report)
    }
}

type Field = fn(&mut Report) -> &mut u64;

const TOTALS: [(&str, Field); 10] = [
    ("sessions open", |r| &mut r.sessions_open),
    ("sessions open at most", |r| &mut r.sessions_most),
    ("sessions opened", |r| &mut r.sessions_opened),
    ("sessions shared", |r| &mut r.sessions_shared),
    ("logins", |r| &mut r.logins),
    ("wrong PINs", |r| &mut r.wrong_pins),
    ("wrong user PINs in a row", |r| &mut r.wrong_pins_in_a_row),
    ("signatures", |r| &mut r.signatures),
    ("waiting", |r| &mut r.waiting),
    ("slot", |r| &mut r.slot),
];
