//! The command `shangmi`. Each verb calls the library and prints what comes back.
//!
//! It ends with 0 if all is well, 1 if something does not work, and 2 if it was called wrongly.

mod acvp;
mod arguments;
mod hsm;
mod module;

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
    Hsm(Box<hsm::Verb>),
    /// Runs every self test of the cryptographic module.
    Selftest(module::SelfTest),
    /// The cryptographic module in a program.
    #[command(subcommand)]
    Module(module::Verb),
    /// Test vectors of a laboratory, in NIST's ACVP form.
    #[command(subcommand)]
    Acvp(acvp::Verb),
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
        Group::Selftest(test) => test.run(),
        Group::Module(verb) => verb.run(),
        Group::Acvp(verb) => verb.run(),
    };
    let (text, code) = match result {
        Ok(End::Well(text)) => (text, 0),
        Ok(End::Finding(text)) => (text, 1),
        Err(Failure::Usage(reason)) => {
            complain(&reason);
            (String::new(), 2)
        }
        Err(Failure::Fault(reason)) => {
            complain(&reason);
            (String::new(), 1)
        }
    };
    match std::io::stdout().write_all(harmless(&text).as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(1),
    }
}

fn complain(reason: &str) {
    // Whoever reads may have gone, and then there is nobody to tell.
    _ = writeln!(std::io::stderr(), "shangmi: {}", harmless(reason));
}

/// Without control characters but line breaks: those in JSON come from a token, and steer terminals.
/// What stands in their place is an escape in JSON too (RFC 8259, 7).
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() && character != '\n' {
            true => shown += &format!("\\u{:04x}", u32::from(character)),
            false => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(
            harmless("a \\u001b\n\u{9b}2J\x7fü"),
            "a \\u001b\n\\u009b2J\\u007fü"
        );
    }
}
