//! When a certificate is valid.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::time::Time;

use super::error::Error;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A period of time, both ends included, in whole seconds once it is in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: SystemTime,
    /// The last moment.
    pub not_after: SystemTime,
}

impl Validity {
    /// From one moment to another; both may lie in the past or in the future.
    pub fn new(not_before: SystemTime, not_after: SystemTime) -> Self {
        Self {
            not_before,
            not_after,
        }
    }

    /// From an hour ago, for peers whose clocks are slow, until `days` days from now.
    pub fn days(days: u16) -> Self {
        let now = SystemTime::now();
        // A clock that is out of range gives a validity that no certificate is issued with.
        Self {
            not_before: now.checked_sub(HOUR).unwrap_or(now),
            not_after: now.checked_add(DAY * u32::from(days)).unwrap_or(UNIX_EPOCH),
        }
    }

    pub(super) fn from_x509(validity: &x509_cert::time::Validity) -> Self {
        Self {
            not_before: validity.not_before.to_system_time(),
            not_after: validity.not_after.to_system_time(),
        }
    }

    /// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
    pub(super) fn to_x509(self) -> Result<x509_cert::time::Validity, Error> {
        if self.not_after <= self.not_before {
            return Err(Error::InvalidValidity);
        }
        let time = |at| Time::try_from(at).map_err(|_| Error::InvalidValidity);
        Ok(x509_cert::time::Validity::new(
            time(self.not_before)?,
            time(self.not_after)?,
        ))
    }
}
