//! `./figures validation`: the cryptographic module as a laboratory sees it, in figures.

mod counts;
mod random;
mod randomness;
mod self_tests;

use serde_json::{Value, json};

/// Why a figure could not be taken.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is measured.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// The unit of the value.
    pub unit: &'static str,
    /// What it may be at most.
    pub at_most: Option<f64>,
    /// What it is measured against.
    pub against: Option<Against>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Sequences of 10^6 bits for the tests of GM/T 0005; the standard's number is 1,000.
    pub sequences: usize,
}

/// A peer, measured in the same run in turns with us.
#[derive(Clone, Debug)]
pub struct Against {
    /// Who it is.
    pub peer: String,
    /// Its value, in the unit of ours.
    pub value: f64,
    /// The ratio that ours must have to it, at least.
    pub at_least: Option<f64>,
}

/// Takes the figures of one subject, and prints each as soon as it is there.
type Subject = fn(&Options, &mut dyn FnMut(&Row)) -> Result<(), Error>;

/// The self tests come first, since they are at their first run then.
const SUBJECTS: &[Subject] = &[
    self_tests::rows,
    random::rows,
    counts::rows,
    randomness::rows,
];

/// Takes all figures, each as soon as it is there.
///
/// # Errors
/// One could not be taken.
pub fn measure(options: &Options, mut print: impl FnMut(&Row)) -> Result<(), Error> {
    SUBJECTS
        .iter()
        .try_for_each(|rows| rows(options, &mut print))
}

impl Row {
    /// One that is not measured against anything.
    fn plain(name: &str, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit,
            at_most: None,
            against: None,
        }
    }

    /// As a line of `./figures`.
    pub fn json(&self) -> Value {
        let mut line = json!({
            "area": "validation",
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
        });
        if let Some(at_most) = self.at_most {
            line["at_most"] = json!(at_most);
        }
        if let Some(against) = &self.against {
            line["peer"] = json!(against.peer);
            line["peer_value"] = json!(rounded(against.value));
            line["ratio"] = json!(rounded(self.value / against.value));
            line["at_least"] = json!(against.at_least);
        }
        line
    }
}

fn rounded(value: f64) -> f64 {
    let scale = if value < 100.0 { 100.0 } else { 1.0 };
    (value * scale).round() / scale
}
