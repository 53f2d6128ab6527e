//! Holding answers against the expected ones.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::error::{Cause, Error, Fault, Place};
use super::{list, number, object, parse};

/// What [`compare`] found.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Cases that are in both.
    pub cases: usize,
    /// Where they differ.
    pub differences: Vec<Difference>,
}

/// A case whose answer is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which case.
    pub place: Place,
    /// What is wrong with it.
    pub what: String,
}

/// Compares a response with the expected results, both in the form of [`run`](super::run): each case
/// that one has, the other must have, and each field that is expected must be there and be the same;
/// hexadecimal digits may be of either case. `testPassed: true` beside an output is not required.
///
/// # Errors
/// [`Error`], if one of the two is not built like a response.
pub fn compare(response: &str, expected: &str) -> Result<Comparison, Error> {
    let (mut found, expected) = (cases(response)?, cases(expected)?);
    let mut comparison = Comparison::default();
    let mut differs = |place, what: &str| {
        let what = what.to_owned();
        comparison.differences.push(Difference { place, what });
    };
    for (key, expected) in expected {
        let place = place_of(key);
        let Some(found) = found.remove(&key) else {
            differs(place, "expected, but not answered");
            continue;
        };
        comparison.cases += 1;
        for (field, expected) in &expected {
            match found.get(field) {
                Some(found) if same(found, expected) => {}
                Some(_) => differs(place, &format!("`{field}` is not the expected one")),
                None if field == "testPassed" && *expected == Value::Bool(true) => {}
                None => differs(place, &format!("`{field}` is expected, but not there")),
            }
        }
        if let Some(unexpected) = found.keys().find(|field| !expected.contains_key(*field)) {
            differs(place, &format!("`{unexpected}` is not expected"));
        }
    }
    for key in found.into_keys() {
        differs(place_of(key), "answered, but not expected");
    }
    Ok(comparison)
}

/// Where a case is: the number of its vector set in the file, and the names that ACVP gives.
type Key = (usize, Option<u64>, u64, u64);

fn place_of((_, vector_set, group, case): Key) -> Place {
    Place {
        vector_set,
        group: Some(group),
        case: Some(case),
        field: None,
    }
}

fn cases(text: &str) -> Result<BTreeMap<Key, Map<String, Value>>, Error> {
    let sets = match parse(text)? {
        Value::Array(elements) => elements,
        set => vec![set],
    };
    let sets = sets.iter().filter(|set| set.get("testGroups").is_some());
    let mut cases = BTreeMap::new();
    for (index, set) in sets.enumerate() {
        let set = object(set)?;
        let name = set.get("vsId").and_then(Value::as_u64);
        for group in list(set, "testGroups")? {
            let group = object(group)?;
            for case in list(group, "tests")? {
                let mut case = object(case)?.clone();
                let key = (index, name, number(group, "tgId")?, number(&case, "tcId")?);
                case.remove("tcId");
                if cases.insert(key, case).is_some() {
                    let unique = Cause::Shape("the numbers of groups and cases are unique");
                    return Err(Fault::in_field("tcId", unique).at(place_of(key)));
                }
            }
        }
    }
    Ok(cases)
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.eq_ignore_ascii_case(b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let of_b = |field| b.get(field);
            a.len() == b.len()
                && a.iter()
                    .all(|(field, a)| of_b(field).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
