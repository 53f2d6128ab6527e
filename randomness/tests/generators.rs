//! Good generators are accepted, bad ones are rejected, and by the tests that should see their defect.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use shangmi_randomness::bad::Bad;
use shangmi_randomness::{Bits, Report, Source, TESTS, run};

const BITS: usize = 1_000_000;

fn report(source: Source, sequences: usize) -> Report {
    run(source.open().unwrap(), sequences, BITS).unwrap()
}

/// The same bits each time, so that the standard's own thresholds cannot fail by accident.
#[test]
fn sm4_in_counter_mode_is_accepted() {
    let report = report(Source::Sm4Ctr, 20);
    assert!(report.accepted, "{report}");
}

/// Fresh bits each time: seven failures of one row in twenty sequences would have to come together. That
/// any of 27 rows has so many is less probable than 10^-7 for each source, even if each failed good
/// sequences with 0.0125 instead of 0.01, as a discrete statistic may. Uniformity (6.3) has no threshold
/// as sure as that with so few sequences.
#[test]
fn the_librarys_generators_are_accepted() {
    for source in [
        Source::System,
        Source::CtrDrbg,
        Source::HashDrbg,
        Source::HmacDrbg,
    ] {
        let report = report(source.clone(), 20);
        assert_eq!(report.rows.len(), TESTS.len());
        assert!(
            report.rows.iter().all(|row| row.passes > 13),
            "{source:?}\n{report}"
        );
    }
}

#[test]
fn biased_bits_are_rejected_by_tests_that_count_them() {
    rejected(
        Bad::Biased,
        &[
            "monobit frequency",
            "poker, m = 4",
            "serial, m = 3, P1",
            "cumulative sums, forward",
            "cumulative sums, backward",
            "approximate entropy, m = 2",
        ],
    );
}

#[test]
fn sticky_bits_are_rejected_by_tests_of_neighbours() {
    rejected(
        Bad::Sticky,
        &[
            "serial, m = 3, P1",
            "runs",
            "autocorrelation, d = 1",
            "approximate entropy, m = 2",
        ],
    );
}

/// Nothing else sees it: with blocks of 500 bits a register of 401 looks like a random one.
#[test]
fn a_shift_register_is_rejected_by_linear_complexity_alone() {
    let report = rejected(Bad::Lfsr, &["linear complexity, m = 1000"]);
    assert_eq!(report.rejected_by(), ["linear complexity, m = 1000"]);
}

/// Its bits are so even that some tests always pass: uniformity (6.3) sees that.
#[test]
fn weak_low_bits_are_rejected_by_their_period_and_evenness() {
    let report = rejected(
        Bad::Lcg,
        &[
            "monobit frequency",
            "run distribution",
            "longest run of ones, m = 10000",
            "autocorrelation, d = 8",
            "matrix rank",
            "universal, L = 7, Q = 1280",
            "discrete Fourier",
        ],
    );
    let frequency = &report.rows[0];
    assert!(frequency.passes == report.sequences && frequency.uniformity < 0.0001);
}

#[test]
fn a_counter_is_rejected_by_nearly_all() {
    let report = rejected(
        Bad::Counter,
        &["monobit frequency", "runs", "discrete Fourier"],
    );
    assert!(report.rejected_by().len() > 20, "{report}");
}

#[test]
fn a_period_is_rejected_by_tests_of_patterns_and_spectrum() {
    rejected(
        Bad::Periodic,
        &[
            "poker, m = 8",
            "serial, m = 5, P1",
            "matrix rank",
            "discrete Fourier",
        ],
    );
}

fn rejected(bad: Bad, by: &[&str]) -> Report {
    let report = report(Source::Bad(bad), 10);
    assert!(!report.accepted);
    let rejecting = report.rejected_by();
    for test in by {
        assert!(rejecting.contains(test), "{test}\n{report}");
    }
    report
}

/// Statistics that are infinite, or have no variance, are still judged.
#[test]
fn degenerate_bits_have_values_and_fail() {
    let mut half = vec![0; BITS / 8];
    half[BITS / 16..].fill(0xff);
    for bytes in [
        vec![0; BITS / 8],
        vec![0xff; BITS / 8],
        vec![0x55; BITS / 8],
        half,
    ] {
        let bits = Bits::from_bytes(&bytes, BITS);
        for test in &TESTS {
            let values = (test.values)(&bits);
            let probable = |p: f64| (0.0..=1.0).contains(&p);
            assert!(
                probable(values.p) && probable(values.q),
                "{}: {values:?}",
                test.name
            );
        }
        let report = run(bytes.as_slice(), 1, BITS).unwrap();
        assert!(
            report.rejected_by().contains(&"discrete Fourier"),
            "{report}"
        );
    }
}

#[test]
fn the_command_tells_by_its_exit_status() {
    let (good, bad) = (
        &["--source", "sm4-ctr"],
        &["--source", "bad:lfsr", "--json"],
    );
    let accepted = command(&[&good[..], &["--sequences", "2"]].concat(), &[]);
    assert_eq!(accepted.status.code(), Some(0));
    let text = String::from_utf8(accepted.stdout).unwrap();
    assert!(text.ends_with("27 of 27 tests accept 2 sequences of 1000000 bits\n"));

    let rejected = command(&[&bad[..], &["--sequences", "2"]].concat(), &[]);
    assert_eq!(rejected.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&rejected.stdout).unwrap();
    assert_eq!(
        (&json["accepted"], &json["sequences"]),
        (&false.into(), &2.into())
    );
    assert_eq!(json["rows"][24]["test"], "linear complexity, m = 1000");
    assert_eq!(json["rows"][24]["passes"], 0);

    for wrong in [
        &["--source", "file:/nowhere"][..],
        &["--source", "nowhere"],
        &["--bits", "1000"],
        &["--source", "stdin", "--sequences", "1"],
    ] {
        let output = command(wrong, &[0; 1000]);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn the_command_reads_standard_input() {
    let output = command(
        &["--source", "stdin", "--sequences", "1"],
        &[0x55; BITS / 8],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("REJECTED")
    );
}

fn command(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_randomness"))
        .arg("test")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that does not read its input may have ended before it was written.
    _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}
