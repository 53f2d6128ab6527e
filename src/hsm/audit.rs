//! What happened with keys and tokens, for an audit trail. No event carries a secret.

use std::fmt;
use std::time::Duration;

use super::Error;

/// Whoever keeps the audit trail: it is called for every private-key operation, every login, every
/// failure and every failover, on the thread on which that happened.
///
/// An implementation should be quick, and hand what takes long to a thread of its own: a session
/// waits for it. It must not call back into the pool.
pub trait Audit: Send + Sync {
    /// Takes note of an event, after it happened.
    fn record(&self, event: &Event<'_>);
}

/// One event.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The token's label.
    pub token: &'a str,
    /// What was done or has changed.
    pub action: Action<'a>,
    /// How long it took.
    pub duration: Duration,
    /// Why it failed, if it did. [`Error::Call`] has the PKCS#11 call and its CKR code.
    pub error: Option<&'a Error>,
}

/// What was done, or what has changed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Action<'a> {
    /// A private key signed a digest.
    Sign {
        /// The key's label and identifier.
        key: &'a str,
        /// The mechanism's name.
        mechanism: &'a str,
    },
    /// The application logged in to the token.
    Login,
    /// A session was opened, and has the keys that it needs.
    OpenSession,
    /// A session was given up after an error.
    LoseSession,
    /// The module was finalized and initialized again, or could not be.
    Reinitialize,
    /// The token was found in another slot than before, by its label or serial number.
    ChangeSlot {
        /// The slot's number before.
        from: u64,
        /// The slot's number now.
        to: u64,
    },
    /// The token's state changed; the change to [`Health::Down`] is the alarm, once an outage.
    ChangeHealth {
        /// The state before.
        from: Health,
        /// The state now.
        to: Health,
    },
    /// A key pair was made in the token.
    GenerateKey {
        /// The key's label and identifier.
        key: &'a str,
        /// The mechanism's name.
        mechanism: &'a str,
    },
    /// A key or a certificate was deleted.
    Delete {
        /// Its label and identifier.
        object: &'a str,
    },
    /// A certificate was stored in the token.
    ImportCertificate {
        /// Its label and identifier.
        object: &'a str,
    },
}

/// How a token does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// Signatures come.
    Up,
    /// Signatures come, but a session was lost or a call failed a short time ago.
    Degraded,
    /// Nothing comes. Callers fail at once, and probes look for the token until it is back.
    Down,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        })
    }
}
