//! A file in Wycheproof's schema, and what an implementation makes of its cases.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// What an implementation made of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Judgement {
    /// It accepted, and every answer was right.
    Right,
    /// It reported an error, or its types cannot hold the input.
    Refused,
    /// It gave another answer.
    Wrong(&'static str),
    /// It has no interface for cases of this kind.
    Inexpressible,
}

/// What came of a file.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cases: usize,
    pub(crate) acceptable_accepted: usize,
    pub(crate) inexpressible: usize,
    /// By flag: the numbers of the cases that were decided otherwise.
    pub(crate) disagreements: BTreeMap<String, Vec<usize>>,
}

/// How a file begins.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) algorithm: &'static str,
    pub(crate) schema: &'static str,
    /// The types of its groups.
    pub(crate) groups: &'static [&'static str],
}

/// Any error of an implementation counts as a refusal.
impl<E: std::error::Error> From<E> for Judgement {
    fn from(_: E) -> Self {
        Self::Refused
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    algorithm: String,
    schema: String,
    number_of_tests: usize,
    header: Vec<String>,
    notes: BTreeMap<String, Note>,
    test_groups: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Note {
    bug_type: BugType,
    description: String,
}

/// Those of Wycheproof (doc/formats.md) that occur here.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum BugType {
    AuthBypass,
    Basic,
    BerEncoding,
    CanOfWorms,
    Confidentiality,
    EdgeCase,
    Functionality,
    Legacy,
    MissingStep,
    ModifiedParameter,
    SignatureMalleability,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    name: String,
    version: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Valid,
    Invalid,
    Acceptable,
}

/// Runs `decide` on each case. Panics where the file is not in the form of its schema.
pub(crate) fn judge<G: DeserializeOwned, C: DeserializeOwned>(
    text: &str,
    kind: Kind,
    decide: impl Fn(&G, &C) -> Result<(), Judgement>,
) -> Tally {
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!(
        (file.algorithm.as_str(), file.schema.as_str()),
        (kind.algorithm, kind.schema)
    );
    assert!(!file.header.is_empty(), "{}: no header", kind.algorithm);
    for (flag, note) in &file.notes {
        let _: &BugType = &note.bug_type;
        assert!(!note.description.is_empty(), "{flag} has no description");
    }
    let mut tally = Tally::default();
    let mut used = BTreeSet::new();
    for mut group in file.test_groups {
        let source: Source = take(&mut group, "source");
        assert!(!source.name.is_empty() && !source.version.is_empty());
        let type_: String = take(&mut group, "type");
        assert!(
            kind.groups.contains(&type_.as_str()),
            "unknown group {type_}"
        );
        let cases: Vec<Map<String, Value>> = take(&mut group, "tests");
        assert!(!cases.is_empty(), "a group without cases");
        let group: G = fields(group);
        for mut case in cases {
            tally.cases += 1;
            let number: usize = take(&mut case, "tcId");
            assert_eq!(number, tally.cases, "tcId");
            let comment: String = take(&mut case, "comment");
            assert!(!comment.is_empty(), "case {number} has no comment");
            let flags: Vec<String> = take(&mut case, "flags");
            assert!(!flags.is_empty(), "case {number} has no flag");
            let expected: Expected = take(&mut case, "result");
            let case: C = fields(case);

            let judgement = decide(&group, &case).err().unwrap_or(Judgement::Right);
            let agrees = match (judgement, expected) {
                (Judgement::Inexpressible, _) => {
                    tally.inexpressible += 1;
                    true
                }
                (Judgement::Right, Expected::Acceptable) => {
                    tally.acceptable_accepted += 1;
                    true
                }
                (Judgement::Refused, Expected::Acceptable) => true,
                (Judgement::Right, Expected::Valid) => true,
                (Judgement::Refused, Expected::Invalid) => true,
                _ => false,
            };
            if !agrees {
                let of_flag = tally.disagreements.entry(flags[0].clone()).or_default();
                of_flag.push(number);
            }
            for flag in flags {
                let note = file
                    .notes
                    .get(&flag)
                    .unwrap_or_else(|| panic!("no note on {flag}"));
                // Why a standard leaves it open.
                let explained = note.description.contains("acceptable");
                assert_eq!(
                    explained,
                    expected == Expected::Acceptable,
                    "case {number}: {flag}"
                );
                used.insert(flag);
            }
        }
    }
    assert_ne!(tally.cases, 0, "{} has no cases", kind.algorithm);
    assert_eq!(tally.cases, file.number_of_tests, "numberOfTests");
    assert!(
        used.iter().eq(file.notes.keys()),
        "notes on flags without a case"
    );
    tally
}

fn take<T: DeserializeOwned>(map: &mut Map<String, Value>, name: &str) -> T {
    let value = map
        .remove(name)
        .unwrap_or_else(|| panic!("missing field {name} in {map:?}"));
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn fields<T: DeserializeOwned>(map: Map<String, Value>) -> T {
    serde_json::from_value(Value::Object(map)).unwrap_or_else(|error| panic!("{error}"))
}

/// Goes on if `answer` is right.
pub(crate) fn same(
    answer: impl AsRef<[u8]>,
    expected: impl AsRef<[u8]>,
    what: &'static str,
) -> Result<(), Judgement> {
    if answer.as_ref() == expected.as_ref() {
        return Ok(());
    }
    Err(Judgement::Wrong(what))
}

/// Bytes in hex.
pub(crate) struct Hex(Vec<u8>);

impl Deref for Hex {
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
        let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
        let bytes = text.as_bytes().chunks(2).map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        });
        let bytes: Option<_> = bytes.collect();
        bytes
            .map(Self)
            .ok_or_else(|| D::Error::custom("not pairs of hex digits"))
    }
}

/// A BigInt: two's complement in hex, in its shortest form.
#[derive(Deserialize)]
pub(crate) struct BigInt(Hex);

impl BigInt {
    /// The 32 bytes of a number in 0..2^256.
    pub(crate) fn to_array(&self) -> Option<[u8; 32]> {
        let bytes: &[u8] = &self.0;
        let magnitude = match bytes {
            [first, ..] if *first >= 0x80 => return None,
            [0, rest @ ..] => rest,
            _ => bytes,
        };
        let start = 32usize.checked_sub(magnitude.len())?;
        let mut array = [0; 32];
        array[start..].copy_from_slice(magnitude);
        Some(array)
    }
}
