//! The common form of all vector files, and what may come of a case.

use std::fmt;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// What the library made of a case.
pub(crate) type Outcome = Result<(), Miss>;

/// Why the library did not give the answer of the case.
#[derive(Debug)]
pub(crate) enum Miss {
    /// It reported an error, or its types cannot express the input.
    Refused,
    /// It gave another answer.
    Wrong(&'static str),
}

/// Bytes, written in hex.
pub(crate) struct Hex(Vec<u8>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    algorithm: String,
    cases: Vec<Map<String, Value>>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Valid,
    Invalid,
}

/// Runs `check` on each case of a file and returns their number; panics on the first surprise.
pub(crate) fn run<F: DeserializeOwned>(
    text: &str,
    algorithm: &str,
    check: impl Fn(&F, bool) -> Outcome,
) -> usize {
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!(file.algorithm, algorithm);
    assert!(!file.cases.is_empty(), "{algorithm} has no cases");
    for mut case in file.cases.clone() {
        let mut take = |name: &str| {
            case.remove(name)
                .unwrap_or_else(|| panic!("{algorithm}: a case without {name}"))
        };
        let (source, comment) = (take("source"), take("comment"));
        let expected: Expected = serde_json::from_value(take("result")).unwrap();
        let label = format!("{algorithm}, {source}, {comment}");
        let fields: F = serde_json::from_value(Value::Object(case))
            .unwrap_or_else(|error| panic!("{label}: {error}"));

        let valid = expected == Expected::Valid;
        match (check(&fields, valid), valid) {
            (Ok(()), true) | (Err(Miss::Refused), false) => {}
            (Ok(()), false) => panic!("{label}: accepted"),
            (Err(Miss::Refused), true) => panic!("{label}: refused"),
            (Err(Miss::Wrong(what)), _) => panic!("{label}: wrong {what}"),
        }
    }
    file.cases.len()
}

/// Goes on if `answer` is right.
pub(crate) fn same(
    answer: impl AsRef<[u8]>,
    expected: impl AsRef<[u8]>,
    what: &'static str,
) -> Outcome {
    if answer.as_ref() == expected.as_ref() {
        return Ok(());
    }
    Err(Miss::Wrong(what))
}

/// Goes on if the library refused, as it must.
pub(crate) fn refused<T, E>(answer: Result<T, E>, what: &'static str) -> Outcome {
    match answer {
        Ok(_) => Err(Miss::Wrong(what)),
        Err(_) => Ok(()),
    }
}

/// The answer of a valid case. An invalid case has none: to ask for it means that it was accepted.
pub(crate) fn answer(field: &Option<Hex>) -> Result<&[u8], Miss> {
    field.as_deref().ok_or(Miss::Wrong("acceptance"))
}

/// Any error of the library counts as a refusal.
impl<E: std::error::Error> From<E> for Miss {
    fn from(_: E) -> Self {
        Self::Refused
    }
}

impl Hex {
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], Miss> {
        self.0.as_slice().try_into().map_err(|_| Miss::Refused)
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.0.clone()
    }
}

impl std::ops::Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Hex {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !text.is_ascii() || text.len() % 2 != 0 {
            return Err(D::Error::custom("not hex"));
        }
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).map_err(D::Error::custom))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
