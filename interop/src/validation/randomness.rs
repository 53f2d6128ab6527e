//! GM/T 0005-2021 on what the module's generators give, and on generators that it must reject.

use std::io::Read;
use std::time::Instant;

use shangmi_randomness::bad::Bad;
use shangmi_randomness::{Report, Source, run};

use super::{Error, Options, Row};

/// Bits of a sequence, as the standard has it.
const BITS: usize = 1_000_000;

pub(super) fn rows(options: &Options, print: &mut dyn FnMut(&Row)) -> Result<(), Error> {
    let start = Instant::now();
    let report = tested(Source::System.open()?, options.sequences)?;
    let seconds = start.elapsed().as_secs_f64();
    if !report.accepted {
        eprintln!("{report}");
    }
    let mut row = |name: String, value: f64, unit| {
        print(&Row::plain(&format!("GM/T 0005-2021: {name}"), value, unit));
    };
    let sequences = options.sequences;
    row(
        format!("SystemRandom, {sequences} sequences of 10^6 bits, tests"),
        report.rows.len() as f64,
        "1",
    );
    row(
        "SystemRandom, tests that reject it".into(),
        report.rejected_by().len() as f64,
        "1",
    );
    let fewest = report.rows.iter().map(|row| row.passes).min().unwrap_or(0);
    row(
        format!("SystemRandom, fewest passes of {sequences}"),
        fewest as f64,
        "1",
    );
    let required = report.rows.first().map_or(0, |row| row.required);
    row("passes required".into(), required as f64, "1");
    row(
        "time for them, two threads or as many as there are processors".into(),
        seconds,
        "s",
    );
    for bad in Bad::ALL {
        // A tenth is enough to see them, and none gets better with more.
        let report = tested(bad.open(), (sequences / 10).max(20))?;
        row(
            format!("bad generator `{}`, tests that reject it", bad.name()),
            report.rejected_by().len() as f64,
            "1",
        );
    }
    Ok(())
}

fn tested(source: Box<dyn Read + Send>, sequences: usize) -> Result<Report, Error> {
    run(source, sequences, BITS).map_err(|error| error.to_string().into())
}
