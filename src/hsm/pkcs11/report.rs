//! What a pool tells: audit events and log lines, always outside its locks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::hsm::{Action, Audit, Error, Event, Health};

/// Whom a pool tells what happened.
pub(super) struct Reporter {
    pub(super) token: String,
    pub(super) audit: Option<Arc<dyn Audit>>,
}

/// Something that happened under a lock, to be told after it.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) what: What,
    pub(super) duration: Duration,
    pub(super) error: Option<Error>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Login,
    OpenSession,
    LoseSession,
    Reinitialize,
    ChangeSlot { from: u64, to: u64 },
    ChangeHealth { from: Health, to: Health },
}

impl Note {
    pub(super) fn new(what: What, duration: Duration, result: Result<(), &Error>) -> Self {
        Self {
            what,
            duration,
            error: result.err().cloned(),
        }
    }
}

impl Reporter {
    pub(super) fn tell(&self, notes: Vec<Note>) {
        for note in notes {
            let action = match note.what {
                What::Login => Action::Login,
                What::OpenSession => Action::OpenSession,
                What::LoseSession => Action::LoseSession,
                What::Reinitialize => Action::Reinitialize,
                What::ChangeSlot { from, to } => Action::ChangeSlot { from, to },
                What::ChangeHealth { from, to } => Action::ChangeHealth { from, to },
            };
            self.event(action, note.duration, note.error.as_ref());
        }
    }

    pub(super) fn event(&self, action: Action<'_>, duration: Duration, error: Option<&Error>) {
        let token = self.token.as_str();
        trace(token, &action, duration, error);
        let Some(audit) = &self.audit else { return };
        let event = Event {
            token,
            action,
            duration,
            error,
        };
        // The trail is the application's; its panic must not end a session's thread.
        if catch_unwind(AssertUnwindSafe(|| audit.record(&event))).is_err() {
            tracing::error!(token, ?action, "the audit trail panicked");
        }
    }
}

/// One line each; the alarm of an outage is the only one at the level `error`.
fn trace(token: &str, action: &Action<'_>, duration: Duration, error: Option<&Error>) {
    match (action, error) {
        (Action::ChangeHealth { from, to }, cause) => {
            let cause = cause.map(tracing::field::display);
            match to {
                Health::Down => tracing::error!(token, %from, %to, cause, "the token is down"),
                Health::Degraded => tracing::warn!(token, %from, %to, cause, "the token's health"),
                Health::Up => tracing::info!(token, %from, %to, "the token's health"),
            }
        }
        (Action::Sign { key, mechanism }, None) => {
            tracing::debug!(token, key, mechanism, ?duration, "signed");
        }
        (Action::Sign { key, mechanism }, Some(error)) => {
            tracing::warn!(token, key, mechanism, ?duration, %error, "no signature");
        }
        (action, None) => tracing::info!(token, ?action, ?duration, "token"),
        (action, Some(error)) => tracing::warn!(token, ?action, ?duration, %error, "token"),
    }
}
