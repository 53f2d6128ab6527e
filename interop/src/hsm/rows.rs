//! The rows of `./figures hsm`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shangmi::hsm::pkcs11::Options;

use super::load::{CLIENTS, Ending};
use super::{Bank, Result, endurance, load, overhead, processor};

/// The token's time for a signature, as a network HSM has it.
const LATENCY: Duration = Duration::from_millis(10);

/// Sessions of the pool.
const SESSIONS: usize = 16;

/// How long the load runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// A measured figure, and what was promised of it.
pub struct Row {
    name: String,
    unit: &'static str,
    value: f64,
    bound: Option<Bound>,
    note: Option<String>,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            unit,
            value,
            bound: None,
            note: None,
        }
    }

    fn bound(mut self, bound: Bound) -> Self {
        self.bound = Some(bound);
        self
    }

    fn note(mut self, note: String) -> Self {
        self.note = Some(note);
        self
    }

    /// One line, as of every area.
    pub fn json(&self) -> Value {
        let mut line = json!({
            "area": "hsm",
            "name": self.name,
            "value": (self.value * 100.0).round() / 100.0,
            "unit": self.unit,
        });
        match self.bound {
            Some(Bound::AtLeast(bound)) => line["at_least"] = json!(bound),
            Some(Bound::AtMost(bound)) => line["at_most"] = json!(bound),
            None => {}
        }
        if let Some(note) = &self.note {
            line["note"] = json!(note);
        }
        line
    }
}

/// All rows: the load measured for so long, and so many signatures for the endurance.
///
/// # Errors
/// When something does not work at all; a figure that misses its bound is no error.
pub fn measure(lasts: Duration, signatures: u64, mut print: impl FnMut(&Row)) -> Result<()> {
    for latency in [LATENCY, Duration::ZERO] {
        under_load(latency, lasts)?.iter().for_each(&mut print);
    }
    overhead()?.iter().for_each(&mut print);
    endurance(signatures)?.iter().for_each(&mut print);
    Ok(())
}

/// With latency, the sessions are the limit; without, the processor.
fn under_load(latency: Duration, lasts: Duration) -> Result<Vec<Row>> {
    let bank = Bank::open("load", Options::default().max_sessions(SESSIONS).eager())?;
    bank.token.latency("C_Sign", latency)?;
    let (seen, window) = load::run(&bank, |_| -> Result<_> {
        sleep(WARM_UP);
        let (from, used) = (Instant::now(), processor::time()?);
        sleep(lasts);
        Ok((from, Instant::now(), processor::time()? - used))
    })?;
    let (from, to, used) = window?;
    let failed = seen.count(|ending| *ending != Ending::Complete);
    if failed > 0 {
        return Err(format!("{failed} handshakes failed: {:?}", seen.server_errors).into());
    }

    let latency = latency.as_millis();
    let mut rate = Row::new(
        format!(
            "mutual handshakes under load: {CLIENTS} clients at once, {latency} ms a signature, \
             {SESSIONS} sessions, two workers"
        ),
        seen.rate(from, to),
        "1/s",
    )
    .note(format!(
        "server, clients and token together used {:.2} of {} processors",
        used.as_secs_f64() / (to - from).as_secs_f64(),
        std::thread::available_parallelism()?,
    ));
    if latency > 0 {
        let limit = 1000.0 * SESSIONS as f64 / latency as f64;
        rate = rate.bound(Bound::AtLeast(0.9 * limit));
    }
    let mut rows = vec![rate];
    for (percent, bound) in [(50, None), (99, Some(Bound::AtMost(10.0)))] {
        let within = seen.echo_within(f64::from(percent) / 100.0, from, to);
        let within = within.ok_or("no echo in time")?;
        let mut row = Row::new(
            format!("round trip beside that load, {latency} ms a signature: p{percent}"),
            within.as_secs_f64() * 1e3,
            "ms",
        );
        row.bound = bound.filter(|_| latency > 0);
        rows.push(row);
    }
    Ok(rows)
}

fn overhead() -> Result<Vec<Row>> {
    let measured = overhead::measure()?;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    Ok(vec![
        Row::new(
            "a direct C_SignInit and C_Sign, no latency",
            micros(measured.direct),
            "us",
        ),
        Row::new(
            "a signature through the pool, verified",
            micros(measured.pooled),
            "us",
        ),
        Row::new(
            "of that, the verification in software",
            micros(measured.verification),
            "us",
        ),
        Row::new("of that, the pool", measured.added() * 1e6, "us").bound(Bound::AtMost(25.0)),
    ])
}

fn endurance(signatures: u64) -> Result<Vec<Row>> {
    let endured = endurance::endure(signatures)?;
    let count = |name: &str, value: u64| {
        Row::new(
            format!("{name}, after {} signatures", endured.signatures),
            value as f64,
            "sessions",
        )
    };
    // One more session keeps the login.
    let most = SESSIONS as f64 + 1.0;
    Ok(vec![
        count("open at once, at most", endured.sessions_most).bound(Bound::AtMost(most)),
        count("ever opened", endured.sessions_opened).bound(Bound::AtMost(most)),
        count("left when the pool was closed", endured.sessions_left).bound(Bound::AtMost(0.0)),
        Row::new(
            format!("memory that {} signatures added", endured.signatures),
            endured.growth as f64 / f64::from(1 << 20),
            "MiB",
        )
        .bound(Bound::AtMost(10.0)),
    ])
}
