//! Why there are no random bytes.

use std::fmt;
use std::sync::Arc;

use super::{DrbgError, HealthTest};
use crate::gate;

/// Why nothing was generated. The buffer that was to be filled has zeros in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The module is in the error state, or strict GM mode refuses this generator.
    Module(gate::Error),
    /// A source of entropy gave nothing. It is asked again at the next call.
    Source {
        /// [`EntropySource::name`](super::EntropySource::name).
        name: String,
        /// What it said.
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A source of entropy that the application added gave bytes that are not random. It is tried
    /// again at the next call, from the start-up test on.
    Unhealthy {
        /// [`EntropySource::name`](super::EntropySource::name).
        name: String,
        /// The test that its bytes failed.
        test: HealthTest,
    },
    /// A generator was given no source of entropy.
    NoSource,
    /// The mechanism refused an input that the caller gave.
    Drbg(DrbgError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(error) => error.fmt(f),
            Self::Source { name, cause } => {
                write!(f, "the entropy source \"{name}\" gave nothing: {cause}")
            }
            Self::Unhealthy { name, test } => write!(
                f,
                "the entropy source \"{name}\" failed the health test {test}: \
                 have the device examined, and do not use keys that it made"
            ),
            Self::NoSource => f.write_str("the generator has no source of entropy: give it one"),
            Self::Drbg(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Module(error) => Some(error),
            Self::Source { cause, .. } => Some(&**cause),
            Self::Drbg(error) => Some(error),
            Self::Unhealthy { .. } | Self::NoSource => None,
        }
    }
}

impl From<gate::Error> for Error {
    fn from(error: gate::Error) -> Self {
        Self::Module(error)
    }
}

impl From<DrbgError> for Error {
    fn from(error: DrbgError) -> Self {
        Self::Drbg(error)
    }
}
