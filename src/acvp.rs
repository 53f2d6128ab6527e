//! Vector sets of NIST's Automated Cryptographic Validation Protocol (ACVP), answered by this module's
//! services, so that a laboratory can feed its own vectors; and sets of the same shape for SM2, SM3 and
//! SM4, which docs/acvp.md describes.
//!
//! [`run`] answers a request, [`compare`] holds an answer against the expected one. Every case is
//! answered or the whole request is refused with an [`Error`] that names set, group, case and field:
//! nothing is skipped.
//!
//! ```
//! let request = r#"{ "vsId": 1, "algorithm": "SM3", "revision": "1.0", "testGroups": [
//!     { "tgId": 1, "testType": "AFT", "tests": [ { "tcId": 1, "msg": "616263", "len": 24 } ] } ] }"#;
//! let response = shangmi::acvp::run(request)?;
//! assert!(response.contains("66C7F0F462EEEDD9D1F2D46BDC10E4E2")); // GB/T 32905-2016, A.1
//! # Ok::<(), shangmi::acvp::Error>(())
//! ```

mod aead;
mod algorithms;
mod case;
mod cipher;
mod comparison;
mod drbg;
mod ecdsa;
mod error;
mod hash;
mod kdf;
mod limits;
mod mac;
mod sm2;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use algorithms::{ALGORITHMS, Algorithm};
use case::Case;
use error::Fault;
use limits::Budget;

pub use comparison::{Comparison, Difference, compare};
pub use error::{Cause, Error, Place};
pub use limits::{Limits, MAX_OUTPUT, MAX_REQUEST};

/// Answers a request within [`Limits::default`].
///
/// The request is one vector set, a JSON object with `algorithm`, `mode` if the algorithm has one,
/// `vsId` and `testGroups`; or an array of objects, in which those without `algorithm`, such as ACVP's
/// first element with the version, are handed through. The answer has the same form.
///
/// # Errors
/// [`Error`], if anything in the request is not understood, is not what the algorithm takes, or goes
/// beyond a limit. Nothing is answered then.
pub fn run(request: &str) -> Result<String, Error> {
    run_within(request, Limits::default())
}

/// Answers a request, as [`run`] does, within other limits.
///
/// # Errors
/// As those of [`run`].
pub fn run_within(request: &str, limits: Limits) -> Result<String, Error> {
    answer(request, limits, ALGORITHMS)
}

fn answer(request: &str, limits: Limits, known: &[Algorithm]) -> Result<String, Error> {
    crate::module::operational().map_err(Fault::refused)?;
    let budget = Budget::new(limits);
    let answer = match parse(request)? {
        Value::Array(elements) => {
            let answers: Result<_, _> = elements
                .into_iter()
                .map(|element| match element.get("algorithm") {
                    Some(_) => vector_set(&element, &budget, known),
                    None => Ok(element),
                })
                .collect();
            Value::Array(answers?)
        }
        set => vector_set(&set, &budget, known)?,
    };
    Ok(format!("{answer:#}\n"))
}

/// Reads JSON of bounded size.
fn parse(text: &str) -> Result<Value, Error> {
    if text.len() > MAX_REQUEST {
        return Err(Fault::of_all(Cause::TooMuch("a file has at most 64 MiB")).into());
    }
    serde_json::from_str(text).map_err(|error| Fault::of_all(Cause::Json(error.to_string())).into())
}

fn vector_set(set: &Value, budget: &Budget, known: &[Algorithm]) -> Result<Value, Error> {
    let set = object(set)?;
    let place = Place {
        vector_set: set.get("vsId").and_then(Value::as_u64),
        ..Place::default()
    };
    let algorithm = algorithms::find(known, set).map_err(|fault| fault.at(place))?;
    let groups = list(set, "testGroups").map_err(|fault| fault.at(place))?;
    let groups: Result<_, _> = groups
        .iter()
        .map(|group| test_group(group, algorithm, budget, place))
        .collect();

    // What names the set, and the answers in place of the questions.
    let mut answer = set.clone();
    answer.retain(|field, _| {
        ["vsId", "algorithm", "mode", "revision", "isSample"].contains(&field.as_str())
    });
    answer.insert("testGroups".to_owned(), Value::Array(groups?));
    Ok(Value::Object(answer))
}

fn test_group(
    group: &Value,
    algorithm: &Algorithm,
    budget: &Budget,
    place: Place,
) -> Result<Value, Error> {
    let group = object(group)?;
    let id = number(group, "tgId").map_err(|fault| fault.at(place))?;
    let place = Place {
        group: Some(id),
        ..place
    };
    let answers: Result<_, _> = list(group, "tests")
        .map_err(|fault| fault.at(place))?
        .iter()
        .map(|test| test_case(test, group, algorithm, budget, place))
        .collect();
    Ok(serde_json::json!({ "tgId": id, "tests": Value::Array(answers?) }))
}

fn test_case(
    test: &Value,
    group: &Map<String, Value>,
    algorithm: &Algorithm,
    budget: &Budget,
    place: Place,
) -> Result<Value, Error> {
    let test = object(test)?;
    let id = number(test, "tcId").map_err(|fault| fault.at(place))?;
    let place = Place {
        case: Some(id),
        ..place
    };
    let case = Case::new(test, group, budget);
    let mut answer = algorithm.answer(&case).map_err(|fault| fault.at(place))?;
    answer.insert("tcId".to_owned(), id.into());
    let answer = Value::Object(answer);
    budget.write(&answer).map_err(|fault| fault.at(place))?;
    Ok(answer)
}

fn object(value: &Value) -> Result<&Map<String, Value>, Fault> {
    let expected = Cause::Shape("a vector set, a test group and a test case are objects");
    value.as_object().ok_or(Fault::of_all(expected))
}

fn list<'a>(parent: &'a Map<String, Value>, field: &'static str) -> Result<&'a [Value], Fault> {
    let value = parent
        .get(field)
        .ok_or(Fault::in_field(field, Cause::Missing))?;
    let list = value.as_array().map(Vec::as_slice);
    list.ok_or(Fault::in_field(field, Cause::Shape("this is a list")))
}

fn number(parent: &Map<String, Value>, field: &'static str) -> Result<u64, Fault> {
    let value = parent
        .get(field)
        .ok_or(Fault::in_field(field, Cause::Missing))?;
    value
        .as_u64()
        .ok_or(Fault::in_field(field, Cause::NotANumber))
}
