//! How much a request may make this module do: a request comes from outside, and Monte Carlo and large
//! data tests ask for much with few bytes.

use std::cell::Cell;

use serde_json::Value;

use super::error::{Cause, Fault};

/// The longest request, and the longest text that is compared, in bytes: 64 MiB.
pub const MAX_REQUEST: usize = 64 << 20;

/// The most bytes that one case may ask for where it names the length itself, as for a derived key:
/// 64 KiB.
pub const MAX_OUTPUT: usize = 64 << 10;

/// What a public-key operation costs, in bytes of work.
const PUBLIC_KEY: u64 = 64 << 10;

/// What all cases of a request together may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that go through a hash or a cipher; a public-key operation counts as 64 KiB. By default
    /// 64 GiB: NIST's large data tests hash up to 8 GiB in one case.
    pub work: u64,
    /// Characters of the answers before they are indented. By default 2^28.
    pub answer: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            work: 1 << 36,
            answer: 1 << 28,
        }
    }
}

/// What is left of the limits.
pub(super) struct Budget {
    work: Cell<u64>,
    answer: Cell<u64>,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            work: limits.work.into(),
            answer: limits.answer.into(),
        }
    }

    /// Pays for `bytes` through a hash or a cipher, before they are worked on.
    pub(super) fn work(&self, bytes: u64) -> Result<(), Fault> {
        pay(
            &self.work,
            bytes,
            "the request asks for more work than its limit",
        )
    }

    /// Pays for operations with public or private keys.
    pub(super) fn public_key(&self, operations: u64) -> Result<(), Fault> {
        self.work(operations.saturating_mul(PUBLIC_KEY))
    }

    /// Pays for an answer.
    pub(super) fn write(&self, answer: &Value) -> Result<(), Fault> {
        pay(
            &self.answer,
            size(answer),
            "the answers are longer than their limit",
        )
    }
}

fn pay(left: &Cell<u64>, price: u64, limit: &'static str) -> Result<(), Fault> {
    let rest = left.get().checked_sub(price);
    left.set(rest.ok_or(Fault::of_all(Cause::TooMuch(limit)))?);
    Ok(())
}

/// Characters of a JSON value, about.
fn size(value: &Value) -> u64 {
    const PUNCTUATION: u64 = 8;
    PUNCTUATION
        + match value {
            Value::String(text) => text.len() as u64,
            Value::Array(values) => values.iter().map(size).sum(),
            Value::Object(fields) => {
                let names: u64 = fields.keys().map(|name| name.len() as u64).sum();
                names + fields.values().map(size).sum::<u64>()
            }
            _ => 0,
        }
}
