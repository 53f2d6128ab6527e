//! Times every operation with a fixed secret and with random ones, in random order, and asks with
//! Welch's t-test whether the two kinds of times differ (Reparaz, Balasch, Verbauwhede: "Dude, is my
//! code constant time?"). Not for CI: a busy machine disturbs it.
//!
//! `cargo run --release -p shangmi-constant-time --bin dudect [PART OF A NAME]`

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rand_core::TryRng;
use shangmi::random::SystemRandom;
use shangmi_constant_time::{CONTROLS, Subject, fixed_secret, subjects};

/// |t| above this is no accident.
const THRESHOLD: f64 = 10.0;
/// How long each operation is measured.
const TIME: Duration = Duration::from_secs(10);
/// Secrets drawn at once.
const BATCH: usize = 500;

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let mut subjects = subjects()
        .filter(|subject| subject.name.contains(&wanted))
        .peekable();
    if subjects.peek().is_none() {
        println!("dudect FAILED: no operation has `{wanted}` in its name");
        return ExitCode::FAILURE;
    }
    let mut failures = 0;
    for subject in subjects {
        let (t, samples) = measure(subject);
        let verdict = if t < THRESHOLD {
            "ok"
        } else {
            "FAILED: the times differ"
        };
        failures += usize::from(t >= THRESHOLD);
        println!(
            "dudect {}: |t| = {t:.1}, {samples} samples, {verdict}",
            subject.name
        );
    }
    for (i, control) in CONTROLS.iter().enumerate() {
        let (t, samples) = measure(control);
        // The first, a comparison, must be caught. A table's lines may all stay in the cache of an
        // idle machine.
        let verdict = match t < THRESHOLD {
            true if i == 0 => "FAILED: not caught",
            true => "not caught",
            false => "caught",
        };
        failures += usize::from(i == 0 && t < THRESHOLD);
        println!(
            "dudect {}: |t| = {t:.1}, {samples} samples, {verdict}",
            control.name
        );
    }
    match failures {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The largest |t| over several cuts of the times' upper tail, and the number of times.
fn measure(subject: &Subject) -> (f64, usize) {
    let mut samples = Vec::new();
    let start = Instant::now();
    while start.elapsed() < TIME {
        let batch = inputs(subject.secret_len);
        for (fixed, secret) in &batch {
            let before = Instant::now();
            black_box((subject.run)(black_box(secret)));
            samples.push((*fixed, before.elapsed().as_nanos() as f64));
        }
    }
    let mut sorted: Vec<f64> = samples.iter().map(|(_, time)| *time).collect();
    sorted.sort_by(f64::total_cmp);
    let cuts = [0.5, 0.75, 0.9, 0.95, 0.99, 1.0];
    let t = cuts
        .iter()
        .map(|cut| sorted[((sorted.len() - 1) as f64 * cut) as usize])
        .map(|limit| welch(samples.iter().filter(|(_, time)| *time <= limit)))
        .fold(0.0, f64::max);
    (t, samples.len())
}

/// Secrets of both classes in random order, drawn before the clock runs.
fn inputs(len: usize) -> Vec<(bool, Vec<u8>)> {
    let random = |len| {
        let mut bytes = vec![0; len];
        match SystemRandom.try_fill_bytes(&mut bytes) {
            Ok(()) => bytes,
            Err(error) => panic!("{error}"),
        }
    };
    random(BATCH)
        .iter()
        .map(|class| match class & 1 {
            0 => (true, fixed_secret(len)),
            _ => {
                let mut secret = random(len);
                secret[0] &= 0x7f;
                (false, secret)
            }
        })
        .collect()
}

/// |t| of Welch's test.
fn welch<'a>(samples: impl Iterator<Item = &'a (bool, f64)>) -> f64 {
    // Count, mean and sum of squared differences of each class (Welford).
    let mut classes = [(0.0, 0.0, 0.0); 2];
    for (fixed, time) in samples {
        let (count, mean, squares) = &mut classes[usize::from(*fixed)];
        *count += 1.0;
        let difference = time - *mean;
        *mean += difference / *count;
        *squares += difference * (time - *mean);
    }
    let [(n0, m0, s0), (n1, m1, s1)] = classes;
    if n0 < 2.0 || n1 < 2.0 {
        return 0.0;
    }
    let error = (s0 / (n0 - 1.0) / n0 + s1 / (n1 - 1.0) / n1).sqrt();
    if error == 0.0 {
        0.0
    } else {
        (m0 - m1).abs() / error
    }
}
