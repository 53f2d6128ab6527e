//! `randomness test --source SOURCE --sequences N --bits M [--json]`: GM/T 0005-2021 on a generator.
//!
//! It ends with 0 if the generator is accepted, 1 if it is rejected, and 2 if nothing could be tested.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use shangmi_randomness::{Report, Source, run};

/// The statistical tests of GM/T 0005-2021.
#[derive(Parser)]
#[command(name = "randomness", version)]
enum Command {
    /// Tests sequences of bits and prints what each test says.
    Test(Test),
}

#[derive(clap::Args)]
struct Test {
    /// system, os, ctr-drbg, hash-drbg, hmac-drbg, sm4-ctr, stdin, file:PATH or bad:NAME
    #[arg(long, default_value = "system")]
    source: Source,
    /// How many sequences; the standard's number is 1000.
    #[arg(long, default_value_t = 1000)]
    sequences: usize,
    /// Bits of each sequence.
    #[arg(long, default_value_t = 1_000_000)]
    bits: usize,
    /// Prints one line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let Command::Test(arguments) = Command::parse();
    let printed = test(&arguments).and_then(|report| print(&report, arguments.json));
    match printed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Whoever reads may have gone, and then there is nobody to tell.
            _ = writeln!(std::io::stderr(), "randomness: {error}");
            ExitCode::from(2)
        }
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn test(arguments: &Test) -> Result<Report> {
    Ok(run(
        arguments.source.open()?,
        arguments.sequences,
        arguments.bits,
    )?)
}

/// Prints it, and tells whether the generator is accepted.
fn print(report: &Report, json: bool) -> Result<bool> {
    let text = match json {
        true => serde_json::to_string(report)?,
        false => report.to_string(),
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(report.accepted)
}
