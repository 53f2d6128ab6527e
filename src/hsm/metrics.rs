//! Counters and a histogram of latencies, in plain numbers that an exporter can read.

use std::time::Duration;

use super::audit::Health;

/// What a pool of sessions has done since it was made. Counters never go down.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// How the token does now.
    pub health: Health,
    /// Sessions that are open now, without the one that keeps the login.
    pub sessions: u64,
    /// Sessions that are in a call now.
    pub busy_sessions: u64,
    /// Callers that wait for a session now.
    pub waiting: u64,
    /// Signatures that were given out.
    pub signatures: u64,
    /// Requests for a signature that failed, whatever the reason.
    pub failures: u64,
    /// Requests that were tried a second time.
    pub retries: u64,
    /// Requests whose caller gave up at the deadline.
    pub timeouts: u64,
    /// Requests that were refused at once while the token was down.
    pub refused_while_down: u64,
    /// Signatures of the token that did not verify, and were never given out.
    pub wrong_signatures: u64,
    /// Logins that the token accepted.
    pub logins: u64,
    /// Logins that it refused.
    pub login_failures: u64,
    /// Sessions opened.
    pub sessions_opened: u64,
    /// Sessions given up after an error.
    pub sessions_lost: u64,
    /// How often the module was initialized again.
    pub reinitializations: u64,
    /// How often the token came back in another slot.
    pub slot_changes: u64,
    /// How often the token went down.
    pub outages: u64,
    /// Time from request to signature, with the wait for a session.
    pub latency: Histogram,
}

/// How many values fell into which range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// For each of [`Histogram::BOUNDS`] the values up to it and above the bound before; last,
    /// those above all bounds.
    pub counts: [u64; Self::BOUNDS.len() + 1],
    /// The sum of all values.
    pub sum: Duration,
}

impl Histogram {
    /// Upper bounds of the ranges.
    pub const BOUNDS: [Duration; 14] = [
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_secs(1),
        Duration::from_secs(5),
        Duration::from_secs(20),
    ];

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, value: Duration) {
        let range = Self::BOUNDS.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(range) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(value);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: [0; Self::BOUNDS.len() + 1],
            sum: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_their_ranges() {
        let mut histogram = Histogram::default();
        for micros in [1, 100, 101, 20_000_000, 20_000_001] {
            histogram.add(Duration::from_micros(micros));
        }
        assert_eq!(histogram.counts[0], 2);
        assert_eq!(histogram.counts[1], 1);
        assert_eq!(histogram.counts[13], 1);
        assert_eq!(histogram.counts[14], 1);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.sum, Duration::from_micros(40_000_203));
    }
}
