//! Reading a test case, and writing its answer.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::MAX_OUTPUT;
use super::error::{Cause, Fault};
use super::limits::Budget;

/// The answer to a case, without its number.
pub(super) type Answer = Map<String, Value>;

pub(super) type Outcome = Result<Answer, Fault>;

/// Answers a case.
pub(super) type Service = fn(&Case<'_>) -> Outcome;

/// A test case. What it does not say itself, its group says for all its cases.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    own: &'a Map<String, Value>,
    group: &'a Map<String, Value>,
    pub(super) budget: &'a Budget,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        own: &'a Map<String, Value>,
        group: &'a Map<String, Value>,
        budget: &'a Budget,
    ) -> Self {
        Self { own, group, budget }
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.value(field).is_some()
    }

    pub(super) fn text(&self, field: &'static str) -> Result<&'a str, Fault> {
        let text = self.required(field)?.as_str();
        text.ok_or(Fault::in_field(field, Cause::NotText))
    }

    /// The one of `choices` that the field names.
    pub(super) fn choice<T: Copy>(
        &self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, Fault> {
        let found = self.text(field)?;
        let choice = choices.iter().find(|(name, _)| *name == found);
        choice.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            Fault::unsupported(field, found, &names.join(", "))
        })
    }

    pub(super) fn flag(&self, field: &'static str) -> Result<bool, Fault> {
        let flag = self.required(field)?.as_bool();
        flag.ok_or(Fault::in_field(field, Cause::NotAFlag))
    }

    pub(super) fn number(&self, field: &'static str) -> Result<u64, Fault> {
        let number = self.required(field)?.as_u64();
        number.ok_or(Fault::in_field(field, Cause::NotANumber))
    }

    /// A length that the request gives in bits, in bytes.
    pub(super) fn length(&self, field: &'static str) -> Result<u64, Fault> {
        let bits = self.number(field)?;
        match bits.is_multiple_of(8) {
            true => Ok(bits / 8),
            false => Err(Fault::in_field(field, Cause::NotWholeBytes)),
        }
    }

    /// The length of an output that the request names, in bytes.
    pub(super) fn output_length(&self, field: &'static str) -> Result<usize, Fault> {
        let length = usize::try_from(self.length(field)?).unwrap_or(usize::MAX);
        match length <= MAX_OUTPUT {
            true => Ok(length),
            false => Err(Fault::in_field(
                field,
                Cause::TooMuch("a case asks for at most 65536 bytes"),
            )),
        }
    }

    pub(super) fn bytes(&self, field: &'static str) -> Result<Vec<u8>, Fault> {
        let digits = self.text(field)?.as_bytes();
        let (pairs, []) = digits.as_chunks::<2>() else {
            return Err(Fault::in_field(field, Cause::NotHex));
        };
        pairs
            .iter()
            .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
            .collect::<Option<_>>()
            .ok_or(Fault::in_field(field, Cause::NotHex))
    }

    /// The bytes of a field that may be absent, which is as if it were empty.
    pub(super) fn bytes_or_none(&self, field: &'static str) -> Result<Vec<u8>, Fault> {
        match self.has(field) {
            true => self.bytes(field),
            false => Ok(Vec::new()),
        }
    }

    /// The bytes of a field whose length in bits is in another; that one may be absent.
    pub(super) fn sized(
        &self,
        field: &'static str,
        length: &'static str,
    ) -> Result<Vec<u8>, Fault> {
        let bytes = self.bytes(field)?;
        if !self.has(length) {
            return Ok(bytes);
        }
        match self.length(length)? {
            // NIST writes an empty message as one byte, too.
            0 if bytes == [0] => Ok(Vec::new()),
            expected if expected == bytes.len() as u64 => Ok(bytes),
            expected => Err(wrong_length(field, expected as usize, bytes.len())),
        }
    }

    pub(super) fn array<const N: usize>(&self, field: &'static str) -> Result<[u8; N], Fault> {
        let bytes = self.bytes(field)?;
        let array = bytes.as_slice().try_into();
        array.map_err(|_| wrong_length(field, N, bytes.len()))
    }

    /// A number in big-endian bytes, however many, as N bytes; none if it is not below 2^(8 N).
    pub(super) fn integer<const N: usize>(
        &self,
        field: &'static str,
    ) -> Result<Option<[u8; N]>, Fault> {
        let bytes = self.bytes(field)?;
        let (zeros, digits) = bytes.split_at(bytes.len().saturating_sub(N));
        let mut padded = [0; N];
        padded[N - digits.len()..].copy_from_slice(digits);
        Ok(zeros.iter().all(|zero| *zero == 0).then_some(padded))
    }

    /// The object in `field`, read like a case of the same group.
    pub(super) fn inner(&self, field: &'static str) -> Result<Self, Fault> {
        self.within(field, self.required(field)?)
    }

    /// The objects in the list `field`, read like cases of the same group.
    pub(super) fn each(&self, field: &'static str) -> Result<Vec<Self>, Fault> {
        let list = self.required(field)?.as_array();
        let list = list.ok_or(Fault::in_field(field, Cause::Shape("this is a list")))?;
        list.iter().map(|step| self.within(field, step)).collect()
    }

    fn within(&self, field: &'static str, value: &'a Value) -> Result<Self, Fault> {
        let expected = Cause::Shape("this is an object");
        let own = value.as_object().ok_or(Fault::in_field(field, expected))?;
        Ok(Self { own, ..*self })
    }

    fn required(&self, field: &'static str) -> Result<&'a Value, Fault> {
        self.value(field)
            .ok_or(Fault::in_field(field, Cause::Missing))
    }

    fn value(&self, field: &str) -> Option<&'a Value> {
        self.own.get(field).or_else(|| self.group.get(field))
    }
}

pub(super) fn wrong_length(field: &'static str, expected: usize, found: usize) -> Fault {
    Fault::in_field(field, Cause::Length { expected, found })
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

/// An answer of fields and bytes, in hexadecimal digits as ACVP has them.
pub(super) fn answer<const N: usize>(fields: [(&str, &[u8]); N]) -> Answer {
    let value = |bytes| Value::String(hex(bytes));
    fields
        .map(|(field, bytes)| (field.to_owned(), value(bytes)))
        .into_iter()
        .collect()
}

/// The answer to a case that asks whether something is right.
pub(super) fn verdict(passed: bool) -> Answer {
    Answer::from_iter([("testPassed".to_owned(), passed.into())])
}

/// The answer to a Monte Carlo test.
pub(super) fn results(array: Vec<Answer>) -> Answer {
    let array = array.into_iter().map(Value::Object).collect();
    Answer::from_iter([("resultsArray".to_owned(), Value::Array(array))])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02X}");
        text
    })
}
