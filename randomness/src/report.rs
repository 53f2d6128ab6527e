//! Many sequences, and what clause 6 says of them.

use std::fmt;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use serde::Serialize;

use crate::bits::Bits;
use crate::statistics::{Values, upper_gamma};
use crate::{ALPHA, ALPHA_T, TESTS};

/// Lengths of a sequence for which annex A gives the parameters of [`TESTS`], in bits: from 10^6 to
/// less than 10^8, where it has others.
const LENGTHS: RangeInclusive<usize> = 1_000_000..=99_999_999;

/// Intervals of the Q values (6.3).
const INTERVALS: usize = 10;

/// What clause 6 says of a generator.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Number of sequences.
    pub sequences: usize,
    /// Bits of each.
    pub bits: usize,
    /// Whether every test accepts them.
    pub accepted: bool,
    /// The tests, in the order of [`TESTS`].
    pub rows: Vec<Row>,
}

/// What one test says.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Name of the test.
    pub test: &'static str,
    /// Clause that defines it.
    pub clause: &'static str,
    /// How many sequences passed.
    pub passes: usize,
    /// How many must pass (6.2).
    pub required: usize,
    /// The P value of the Q values' spread (6.3).
    pub uniformity: f64,
    /// Whether both are enough.
    pub accepted: bool,
}

/// Why nothing could be tested.
#[derive(Debug)]
pub enum Error {
    /// There are no parameters for sequences of so many bits: take 10^6 to less than 10^8.
    Length(usize),
    /// No sequence at all was asked for.
    NoSequences,
    /// The source failed, or ended before there were enough bits.
    Source(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bits) => write!(
                f,
                "no parameters for sequences of {bits} bits: take {} to {}",
                LENGTHS.start(),
                LENGTHS.end()
            ),
            Self::NoSequences => write!(f, "no sequences to test: take at least one"),
            Self::Source(error) => write!(f, "the source gave too few bits: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            Self::Length(_) | Self::NoSequences => None,
        }
    }
}

/// Tests `sequences` sequences of `bits` bits (10^6 to less than 10^8) from a source, on all processors.
/// A sequence begins at a whole byte of the source.
pub fn run(source: impl Read + Send, sequences: usize, bits: usize) -> Result<Report, Error> {
    if !LENGTHS.contains(&bits) {
        return Err(Error::Length(bits));
    }
    if sequences == 0 {
        return Err(Error::NoSequences);
    }
    let source = Mutex::new((source, sequences));
    let (sender, receiver) = mpsc::channel();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let values = thread::scope(|scope| {
        for _ in 0..threads.min(sequences) {
            let sender = sender.clone();
            scope.spawn(|| test_all(&source, bits, sender));
        }
        drop(sender);
        receiver.into_iter().collect::<io::Result<Vec<_>>>()
    });
    Ok(Report::new(&values.map_err(Error::Source)?, bits))
}

/// The values of one sequence, in the order of [`TESTS`].
type Outcome = [Values; TESTS.len()];

/// Takes sequence after sequence until there is none left, or nobody waits for it.
fn test_all(
    source: &Mutex<(impl Read, usize)>,
    bits: usize,
    sender: mpsc::Sender<io::Result<Outcome>>,
) {
    let mut buffer = vec![0; bits.div_ceil(8)];
    while let Some(read) = next(source, &mut buffer) {
        let outcome = read.map(|()| {
            let bits = Bits::from_bytes(&buffer, bits);
            std::array::from_fn(|i| (TESTS[i].values)(&bits))
        });
        if sender.send(outcome).is_err() {
            return;
        }
    }
}

/// Reads the next sequence; none if there were enough of them or the source failed before.
fn next(source: &Mutex<(impl Read, usize)>, buffer: &mut [u8]) -> Option<io::Result<()>> {
    let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
    let (source, left) = &mut *source;
    *left = left.checked_sub(1)?;
    let read = source.read_exact(buffer);
    if read.is_err() {
        *left = 0;
    }
    Some(read)
}

impl Report {
    fn new(outcomes: &[Outcome], bits: usize) -> Self {
        let rows: Vec<_> = TESTS
            .iter()
            .enumerate()
            .map(|(i, test)| {
                let passes = outcomes
                    .iter()
                    .filter(|values| values[i].p >= ALPHA)
                    .count();
                let required = required(outcomes.len());
                let uniformity = uniformity(outcomes.iter().map(|values| values[i].q));
                Row {
                    test: test.name,
                    clause: test.clause,
                    passes,
                    required,
                    uniformity,
                    accepted: passes >= required && uniformity >= ALPHA_T,
                }
            })
            .collect();
        Self {
            sequences: outcomes.len(),
            bits,
            accepted: rows.iter().all(|row| row.accepted),
            rows,
        }
    }

    /// The names of the tests that do not accept the sequences.
    pub fn rejected_by(&self) -> Vec<&'static str> {
        let rows = self.rows.iter().filter(|row| !row.accepted);
        rows.map(|row| row.test).collect()
    }
}

/// A table, and the verdict.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<6} {:<32} {:>8} {:>8} {:>10}  verdict",
            "clause", "test", "passes", "required", "uniformity"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:<6} {:<32} {:>8} {:>8} {:>10.6}  {}",
                row.clause,
                row.test,
                row.passes,
                row.required,
                row.uniformity,
                if row.accepted { "ok" } else { "REJECTED" }
            )?;
        }
        let rejecting = self.rejected_by().len();
        write!(
            f,
            "GM/T 0005-2021: {}, {} of {} tests accept {} sequences of {} bits",
            if self.accepted {
                "accepted"
            } else {
                "REJECTED"
            },
            self.rows.len() - rejecting,
            self.rows.len(),
            self.sequences,
            self.bits
        )
    }
}

/// How many of `s` sequences must pass (6.2).
fn required(s: usize) -> usize {
    let s = s as f64;
    (s * (1.0 - ALPHA - 3.0 * (ALPHA * (1.0 - ALPHA) / s).sqrt())).ceil() as usize
}

/// The P value of the Q values' spread over ten intervals (6.3).
fn uniformity(q: impl Iterator<Item = f64>) -> f64 {
    let mut counts = [0_u32; INTERVALS];
    for q in q {
        counts[((q * INTERVALS as f64) as usize).min(INTERVALS - 1)] += 1;
    }
    let expected = f64::from(counts.iter().sum::<u32>()) / INTERVALS as f64;
    let squares = counts
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2));
    upper_gamma(
        (INTERVALS - 1) as f64 / 2.0,
        squares.sum::<f64>() / expected / 2.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 981 of 1000 is the number that the standard's users know; the others by hand.
    #[test]
    fn required_passes() {
        assert_eq!([1000, 100, 50, 20, 1].map(required), [981, 97, 48, 19, 1]);
    }

    #[test]
    fn even_q_values_are_accepted_and_others_not() {
        let even = (0..1000).map(|i| f64::from(i) / 1000.0);
        assert_eq!(uniformity(even.clone()), 1.0);
        assert!(uniformity(even.map(|q| q * q)) < ALPHA_T);
        // 110 and 90 instead of 100 in every other interval: chi-square is 10, of 9 degrees.
        let uneven = (0..1000).map(|i| {
            if i % 200 < 110 {
                i / 200 * 2
            } else {
                i / 200 * 2 + 1
            }
        });
        let p = uniformity(uneven.map(|interval| f64::from(interval) / 10.0 + 0.05));
        assert!((p - 0.350_485).abs() < 1e-6, "{p}");
    }

    #[test]
    fn what_cannot_be_tested_is_refused() {
        let run = |bytes: &[u8], sequences, bits| run(bytes, sequences, bits).unwrap_err();
        assert!(matches!(run(&[], 1, 999_999), Error::Length(999_999)));
        assert!(matches!(run(&[], 1, 100_000_000), Error::Length(_)));
        assert!(matches!(run(&[], 0, 1_000_000), Error::NoSequences));
        assert!(matches!(run(&[0; 124_999], 1, 1_000_000), Error::Source(_)));
        assert!(matches!(run(&[0; 125_000], 2, 1_000_000), Error::Source(_)));
    }
}
