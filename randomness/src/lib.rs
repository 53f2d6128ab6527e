//! The fifteen statistical tests of GM/T 0005-2021, "Randomness test specification", on sequences of
//! random bits, and bad generators that they must reject. A tool beside the library, as `constant-time/`
//! is.
//!
//! ```text
//! cargo run --release -p shangmi-randomness -- test --source system --sequences 1000 --bits 1000000
//! ```
//!
//! # What is tested
//!
//! [`TESTS`] lists the fifteen tests of clause 5 with the parameters of annex A for sequences of 10^6
//! bits, 27 rows in all. Each gives a P value and a Q value ([`statistics::Values`]) for a sequence.
//! [`run`] judges many sequences as clause 6 does:
//!
//! - 6.2: of s sequences, at least s (1 - α - 3 √(α (1 - α) / s)) must pass each test, that is have
//!   P ≥ α = 0.01 there: 981 of 1000.
//! - 6.3: the Q values must be spread evenly over ten intervals: the chi-square test's P value must be
//!   at least 0.0001.
//! - 6.4: a generator is accepted if both hold for every test.
//!
//! What the edition of 2021 changed against that of 2012, as far as this code is concerned: the Q values
//! and 6.3 are new, the longest run is also tested on zeros, run distribution expects its runs
//! from their total number, and the discrete Fourier test has another variance.
//!
//! # What a verdict means
//!
//! Good bits fail, too: with 1000 sequences a row refuses a perfect generator with a probability of
//! about 0.0033 by 6.2 and 0.0001 by 6.3. For the 27 rows, which depend on one another, that is less
//! than 10 % in all. A refusal by one row that is not there on the next run is such an accident.
//! Passing says that no defect of these kinds is there, not that nobody can predict the bits: the
//! output of a block cipher under a published key passes ([`Source::Sm4Ctr`]), and a shift register is
//! seen by one row alone ([`bad::Bad::Lfsr`]).
//!
//! # Where the numbers are from
//!
//! Formulas and parameters are facts gathered from public implementations of the standard, whose text
//! was not at hand; where they differ, this follows its annex C. All fifteen tests are checked with the examples of annex C, those that the standard shares
//! with NIST SP 800-22 rev. 1a with the latter's published P values for the binary expansion of e, and
//! each row of [`TESTS`] but the last with an implementation by others (`tests/`). The last, the
//! discrete Fourier test, takes a transform of as many points as there are bits, from the constant
//! term on: only so does the example of annex C come out, and the peaks for e are those that NIST's
//! P value tells. Some implementations pad to a power of two instead.

pub mod bad;
mod battery;
mod bits;
mod report;
mod source;
pub mod statistics;

pub use battery::{TESTS, Test};
pub use bits::Bits;
pub use report::{Error, Report, Row, run};
pub use source::{Source, UnknownSource};

/// The significance level of one sequence (6.2).
pub const ALPHA: f64 = 0.01;

/// The significance level of the Q values' distribution (6.3).
pub const ALPHA_T: f64 = 0.0001;
