//! The command `shangmi`. Each verb calls the library and prints what comes back.
//!
//! It ends with 0 if all is well, 1 if something does not work, and 2 if it was called wrongly.

mod arguments;
mod hsm;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// China's national cryptography for TLS, with private keys in an HSM.
#[derive(Parser)]
#[command(name = "shangmi", version)]
struct Command {
    #[command(subcommand)]
    group: Group,
}

#[derive(Subcommand)]
enum Group {
    /// Keys in an HSM behind PKCS#11.
    #[command(subcommand)]
    Hsm(hsm::Verb),
}

/// How a verb ends.
enum End {
    /// With this text for standard output.
    Well(String),
    /// With this text, and something in it does not work.
    Finding(String),
}

/// Why a verb does not end well.
enum Failure {
    /// It was called wrongly.
    Usage(String),
    /// The library or the system refused.
    Fault(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Fault(error.to_string())
    }
}

fn main() -> ExitCode {
    let command = Command::parse();
    let result = match command.group {
        Group::Hsm(verb) => verb.run(),
    };
    let (text, code) = match result {
        Ok(End::Well(text)) => (text, 0),
        Ok(End::Finding(text)) => (text, 1),
        Err(Failure::Usage(reason)) => {
            eprintln!("shangmi: {reason}");
            (String::new(), 2)
        }
        Err(Failure::Fault(reason)) => {
            eprintln!("shangmi: {reason}");
            (String::new(), 1)
        }
    };
    // Whoever reads may have gone, and then there is nobody to tell.
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(1),
    }
}
