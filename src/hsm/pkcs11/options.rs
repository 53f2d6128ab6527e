//! How a token is used: sessions, deadline, login, numbers, audit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::hsm::Audit;

/// How a pool of sessions uses its token. The default suits a Luna partition.
#[derive(Clone)]
pub struct Options {
    pub(super) max_sessions: usize,
    pub(super) deadline: Duration,
    pub(super) eager: bool,
    pub(super) audit: Option<Arc<dyn Audit>>,
}

impl Options {
    /// Most sessions that are open at a time, beside the one that keeps the login: 16 unless told.
    /// The token's own limit holds as well. At least one is used.
    #[must_use]
    pub fn max_sessions(mut self, count: usize) -> Self {
        self.max_sessions = count.max(1);
        self
    }

    /// How long a caller waits for a signature, whatever the token does: 10 s unless told. A call
    /// that hangs in the module goes on in the pool's own thread.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Opens all sessions at the start; otherwise they are opened when they are needed.
    #[must_use]
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Who keeps the audit trail.
    #[must_use]
    pub fn audit(mut self, audit: Arc<dyn Audit>) -> Self {
        self.audit = Some(audit);
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_sessions: 16,
            deadline: Duration::from_secs(10),
            eager: false,
            audit: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_sessions", &self.max_sessions)
            .field("deadline", &self.deadline)
            .field("eager", &self.eager)
            .finish_non_exhaustive()
    }
}
