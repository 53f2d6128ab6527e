//! The cryptographic module as its users and a laboratory see it: its state, its self tests, the
//! integrity of the program that it is in, and which of its services are approved.
//!
//! Nothing has to be called: the first use of an algorithm runs the tests of what the module rests on
//! (SM3, HMAC-SM3, the integrity of the program), then the algorithm's own. [`power_on`] runs all of
//! them at once, as [`tls13`](crate::tls13)'s providers do, so that no handshake has to wait for one;
//! [`self_test`] runs all of them again and reports.
//!
//! ```
//! use shangmi::module::{self, State};
//!
//! module::power_on()?;
//! assert_eq!(module::state(), State::Operational);
//! # Ok::<(), module::Error>(())
//! ```
//!
//! After a failure nothing works any more in this process: services return [`Error`] within their own
//! errors, and where a trait of the ecosystem leaves no room for one, such as `digest::Digest`, they
//! panic with its text.

mod catalogue;
#[cfg(any(feature = "international", feature = "pkcs11"))]
pub(crate) mod international;
mod report;
mod seal;

use std::time::Instant;

use crate::gate;
use crate::sm3::integrity;
use crate::sm3::self_test::PRE_OPERATIONAL;

pub use crate::gate::{
    Approval, Error, Outcome, Service, Services, State, is_strict_gm, observe, operational,
    set_strict_gm, state,
};
pub use crate::sm3::integrity::Integrity;
pub use report::Report;
pub use seal::{SealError, seal};

use catalogue::CATALOGUE;

/// Runs the self tests that have not passed in this process yet; once all have, this costs
/// nanoseconds. A program that cannot start without the module calls it first.
///
/// # Errors
/// [`Error::SelfTestFailed`]: the module is in the error state.
pub fn power_on() -> Result<(), Error> {
    CATALOGUE.iter().try_for_each(|test| test.ready())
}

/// Runs all self tests again, the one of the program's integrity among them, and tells what they
/// found. It takes milliseconds, in which other threads wait before their next service, and for each
/// 50 MB of a sealed program about a tenth of a second more.
pub fn self_test() -> Report {
    let start = Instant::now();
    let outcomes = gate::run_all(CATALOGUE);
    let failure = operational().err();
    Report {
        outcomes,
        integrity: integrity(),
        state: match failure {
            None => State::Operational,
            Some(_) => State::Error,
        },
        failure,
        total: start.elapsed(),
    }
}

/// What the self tests test.
#[cfg(test)]
pub(crate) fn tested() -> impl Iterator<Item = gate::Algorithm> {
    CATALOGUE.iter().map(|test| test.algorithm())
}

/// What the last test of the program's integrity found.
///
/// A seal covers each byte of one file as it lies on the disk when the test runs: the program, or on
/// Linux the shared library that the module is in. It does not cover what happens to the code in
/// memory, nor other libraries. Its key is in the source of this library: a seal finds what changed
/// by accident, not what somebody changed and sealed again.
pub fn integrity() -> Integrity {
    integrity::found()
}

/// Refuses, in this process and from now on, to work in a program that is not sealed or whose file
/// cannot be read; tests its integrity at once, unless it was found intact before.
///
/// # Errors
/// [`Error::SelfTestFailed`]: it is not sealed, or is not what was sealed; the module is then in the
/// error state.
pub fn require_seal() -> Result<(), Error> {
    integrity::require();
    if integrity() != Integrity::Intact {
        // What was found before was found without the rule.
        gate::run_all(&PRE_OPERATIONAL);
    }
    operational()
}
