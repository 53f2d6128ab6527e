//! What the self tests found, for people and for programs.

use std::fmt;
use std::time::Duration;

use crate::gate::{Error, Outcome, State};
use crate::sm3::integrity::Integrity;

/// What [`self_test`](super::self_test) found.
///
/// It is shown as a table, and with the feature `serde` it serializes, times in microseconds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Each test that ran; none runs after one that failed.
    pub outcomes: Vec<Outcome>,
    /// What is known of the program's file.
    pub integrity: Integrity,
    /// [`State::Operational`], or [`State::Error`].
    pub state: State,
    /// Why it is the error state.
    pub failure: Option<Error>,
    /// How long all of it took.
    pub total: Duration,
}

impl Report {
    /// How many answers were compared.
    pub fn checks(&self) -> usize {
        self.outcomes.iter().map(|outcome| outcome.checks).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20} {:<28} {:>7} {:>8}  result",
            "test", "kernel", "answers", "µs"
        )?;
        for Outcome {
            name,
            kernel,
            duration,
            checks,
            result,
        } in &self.outcomes
        {
            let micros = duration.as_micros();
            let result = match result {
                Ok(()) => "passed",
                Err(_) => "FAILED",
            };
            writeln!(
                f,
                "{name:<20} {kernel:<28} {checks:>7} {micros:>8}  {result}"
            )?;
        }
        writeln!(f, "program    {}", self.integrity)?;
        writeln!(f, "state      {}", self.state)?;
        if let Some(failure) = &self.failure {
            writeln!(f, "failure    {failure}")?;
        }
        writeln!(
            f,
            "total      {} tests, {} answers, {:.1} ms",
            self.outcomes.len(),
            self.checks(),
            self.total.as_secs_f64() * 1e3
        )
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTested => "not tested yet",
            Self::NotSealed => "not sealed: nothing is known of its integrity",
            Self::Unreadable => "sealed, but its file cannot be read: not tested",
            Self::Broken => "sealed, and changed since",
            Self::Intact => "sealed, and intact",
        })
    }
}

#[cfg(feature = "serde")]
mod serialize {
    use serde::ser::{Serialize, SerializeStruct, Serializer};

    use super::{Duration, Integrity, Outcome, Report, State};

    fn micros(duration: Duration) -> u64 {
        u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
    }

    impl Serialize for Report {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut report = serializer.serialize_struct("Report", 5)?;
            report.serialize_field("tests", &self.outcomes)?;
            report.serialize_field("integrity", &self.integrity)?;
            report.serialize_field("state", &self.state)?;
            let failure = self.failure.as_ref().map(ToString::to_string);
            report.serialize_field("failure", &failure)?;
            report.serialize_field("total_us", &micros(self.total))?;
            report.end()
        }
    }

    impl Serialize for Outcome {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut outcome = serializer.serialize_struct("Outcome", 5)?;
            outcome.serialize_field("name", self.name)?;
            outcome.serialize_field("kernel", self.kernel)?;
            outcome.serialize_field("duration_us", &micros(self.duration))?;
            outcome.serialize_field("checks", &self.checks)?;
            outcome.serialize_field("passed", &self.result.is_ok())?;
            outcome.end()
        }
    }

    impl Serialize for State {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    impl Serialize for Integrity {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(match self {
                Self::NotTested => "not tested",
                Self::NotSealed => "not sealed",
                Self::Unreadable => "unreadable",
                Self::Broken => "broken",
                Self::Intact => "intact",
            })
        }
    }
}
