//! What the self tests cost: at the start of a process, and on demand.

use std::time::Instant;

use shangmi::module;

use super::{Error, Row};

/// Runs on demand, of which the middle one counts.
const RUNS: usize = 21;

pub(super) fn rows(print: &mut dyn FnMut(&Row)) -> Result<(), Error> {
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

    let mut row = |name: &str, value: f64, unit| {
        print(&Row {
            name: format!("self tests: {name}"),
            value,
            unit,
            against: None,
        });
    };
    row("tests", report.outcomes.len() as f64, "1");
    row("answers compared", report.checks() as f64, "1");
    row("at the start of a process", first.as_secs_f64() * 1e3, "ms");
    row("on demand", report.total.as_secs_f64() * 1e3, "ms");
    Ok(())
}
