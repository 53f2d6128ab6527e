//! `shangmi selftest` and `shangmi module`: the cryptographic module in this program and in others.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use shangmi::module;

use super::{End, Failure};

/// Runs every self test and tells what it found.
#[derive(Args)]
pub(crate) struct SelfTest {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Fails if this program is not sealed.
    #[arg(long)]
    require_seal: bool,
}

impl SelfTest {
    pub(crate) fn run(self) -> Result<End, Failure> {
        let report = module::self_test();
        if self.require_seal {
            module::require_seal()?;
        }
        let text = match self.json {
            true => serde_json::to_string_pretty(&report)? + "\n",
            false => report.to_string(),
        };
        Ok(match report.failure {
            None => End::Well(text),
            Some(_) => End::Finding(text),
        })
    }
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Seals a program that has this version of shangmi in it, as the last step of its build.
    ///
    /// It tests itself against the seal when it uses the module first.
    Seal {
        /// The executable file.
        program: PathBuf,
    },
}

impl Verb {
    pub(crate) fn run(self) -> Result<End, Failure> {
        let Self::Seal { program } = self;
        let tag = module::seal(&program)?;
        let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(End::Well(format!("sealed {}: {tag}\n", program.display())))
    }
}
