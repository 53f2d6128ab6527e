//! What the self tests cost: the command, a process's start, and on demand.

use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use shangmi::module;

use super::{Error, Options, Row};

/// Runs, of which the middle one counts.
const RUNS: usize = 21;

/// What the issue allows the command.
const COMMAND_AT_MOST: f64 = 50.0;

pub(super) fn rows(_: &Options, print: &mut dyn FnMut(&Row)) -> Result<(), Error> {
    let start = Instant::now();
    module::power_on()?;
    let first = start.elapsed();

    let mut reports = Vec::new();
    for _ in 0..RUNS {
        let report = module::self_test();
        module::operational()?;
        reports.push(report);
    }
    reports.sort_by_key(|report| report.total);
    let report = &reports[RUNS / 2];

    let mut row = |name: &str, value: f64, unit, at_most| {
        print(&Row {
            at_most,
            ..Row::plain(&format!("self tests: {name}"), value, unit)
        });
    };
    row("tests", report.outcomes.len() as f64, "1", None);
    row("answers compared", report.checks() as f64, "1", None);
    row(
        "at the start of a process",
        first.as_secs_f64() * 1e3,
        "ms",
        None,
    );
    row("on demand", report.total.as_secs_f64() * 1e3, "ms", None);
    let (size, whole, total) = command()?;
    row("the sealed program `shangmi`", size, "MB", None);
    row(
        "`shangmi selftest`, its own total",
        total,
        "ms",
        Some(COMMAND_AT_MOST),
    );
    row(
        "`shangmi selftest`, the whole process",
        whole,
        "ms",
        Some(COMMAND_AT_MOST),
    );
    Ok(())
}

/// The size in MB of a sealed release build of the command, and the middle times of `shangmi selftest` in ms:
/// of the process, and what it says itself.
fn command() -> Result<(f64, f64, f64), Error> {
    let build = [
        "build",
        "--locked",
        "--quiet",
        "--release",
        "-p",
        "shangmi",
        "--bin",
        "shangmi",
    ];
    let built = Command::new("cargo")
        .args(build)
        .args(["--features", "cli"])
        .status()?;
    if !built.success() {
        return Err(format!("cargo build: {built}").into());
    }
    let folder = std::env::current_exe()?;
    let folder = folder.parent().ok_or("no folder")?;
    let program = folder.join("shangmi-sealed");
    std::fs::copy(folder.join("shangmi"), &program)?;
    module::seal(&program)?;

    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let output = Command::new(&program)
            .args(["selftest", "--json", "--require-seal"])
            .output()?;
        let whole = start.elapsed().as_secs_f64() * 1e3;
        if !output.status.success() {
            return Err(format!(
                "shangmi selftest: {}",
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let total = report["total_us"]
            .as_f64()
            .ok_or("the report has no total")?
            / 1e3;
        runs.push((whole, total));
    }
    let size = std::fs::metadata(&program)?.len() as f64 / 1e6;
    runs.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (whole, total) = runs[RUNS / 2];
    Ok((size, whole, total))
}
