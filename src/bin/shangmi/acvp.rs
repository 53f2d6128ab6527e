//! `shangmi acvp`: a laboratory's test vectors.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use shangmi::acvp;

use super::{End, Failure};

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Answer the vector sets in a file (docs/acvp.md lists what is supported).
    ///
    /// All cases are answered, or none: what is not supported ends with an error that names it.
    Run(Run),
    /// Answer the vector sets in a file, and compare with the expected answers.
    ///
    /// Ends with 1 and lists the cases that differ, if any do.
    Check(Check),
}

#[derive(Args)]
pub(crate) struct Run {
    /// The vector sets: ACVP's JSON.
    request: PathBuf,
    /// Write the answers to this file in place of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Check {
    /// The vector sets: ACVP's JSON.
    request: PathBuf,
    /// The expected answers, such as NIST's `expectedResults.json`.
    expected: PathBuf,
}

impl Verb {
    pub(crate) fn run(self) -> Result<End, Failure> {
        match self {
            Self::Run(arguments) => arguments.run(),
            Self::Check(arguments) => arguments.run(),
        }
    }
}

impl Run {
    fn run(self) -> Result<End, Failure> {
        let response = answer(&self.request)?;
        let Some(output) = self.output else {
            return Ok(End::Well(response));
        };
        fs::write(&output, response).map_err(|error| fault(&output, error))?;
        Ok(End::Well(String::new()))
    }
}

impl Check {
    fn run(self) -> Result<End, Failure> {
        let response = answer(&self.request)?;
        let expected = read(&self.expected)?;
        let comparison =
            acvp::compare(&response, &expected).map_err(|error| fault(&self.expected, error))?;
        let differences = comparison.differences.len();
        let mut text: String = comparison
            .differences
            .iter()
            .map(|difference| format!("{difference}\n"))
            .collect();
        text += &format!("{} cases, {differences} differences\n", comparison.cases);
        // Nothing compared is nothing shown.
        Ok(match differences == 0 && comparison.cases > 0 {
            true => End::Well(text),
            false => End::Finding(text),
        })
    }
}

fn answer(request: &Path) -> Result<String, Failure> {
    acvp::run(&read(request)?).map_err(|error| fault(request, error))
}

/// The text of a file, unless it is larger than any that is answered.
fn read(path: &Path) -> Result<String, Failure> {
    let length = fs::metadata(path)
        .map_err(|error| fault(path, error))?
        .len();
    if length > acvp::MAX_REQUEST as u64 {
        return Err(fault(path, "a file has at most 64 MiB"));
    }
    fs::read_to_string(path).map_err(|error| fault(path, error))
}

fn fault(path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::Fault(format!("{}: {error}", path.display()))
}
