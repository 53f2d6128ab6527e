//! `cargo run -p shangmi-interop --bin hsm-faults [NAME]`: every fault of an HSM in the midst of a
//! load, one line each; fails if one of them did what must not be.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::{Command, ExitCode};

use shangmi_interop::hsm::Result;
use shangmi_interop::hsm::faults::FAULTS;

fn main() -> Result<ExitCode> {
    match std::env::args().nth(1) {
        Some(name) => one(&name),
        None => all(),
    }
}

/// Each in a process of its own: some of them are the whole module's.
fn all() -> Result<ExitCode> {
    let mut bad = 0;
    for fault in FAULTS {
        let program = Command::new(std::env::current_exe()?)
            .arg(fault.name)
            // The module panics on order, too.
            .env("RUST_BACKTRACE", "0")
            .status()?;
        bad += u32::from(!program.success());
    }
    println!(
        "faults: {} of {} as they must be",
        FAULTS.len() as u32 - bad,
        FAULTS.len()
    );
    Ok(if bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn one(name: &str) -> Result<ExitCode> {
    let fault = FAULTS.iter().find(|fault| fault.name == name);
    let fault = fault.ok_or_else(|| format!("no fault is named {name:?}"))?;
    match fault.happen() {
        Ok(line) => println!("{line}"),
        Err(error) => {
            println!("{error}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
