//! The stopwatch. The machines are noisy, so everyone takes turns of a few milliseconds, a round keeps
//! the best of many turns of each, and the median of the rounds is what counts.

use std::time::Duration;

use super::rows::{Promise, Row};
use super::{Bench, Entry, Result, Who};

/// How many rounds there are.
pub const ROUNDS: usize = 5;
/// How many turns everyone takes in a round.
pub const TURNS: usize = 40;
/// How long a turn is meant to be; at least one call, however long that takes.
pub const TURN: Duration = Duration::from_millis(2);

/// We and one peer, in one row.
pub struct Figure {
    /// The row's name.
    pub name: &'static str,
    /// Its unit; more is better.
    pub unit: &'static str,
    /// Ours, the median of the rounds.
    pub value: f64,
    /// Who the peer is.
    pub who: Who,
    /// Its name and version.
    pub peer: String,
    /// The peer's, likewise.
    pub peer_value: f64,
    /// The median of the rounds' ratios.
    pub ratio: f64,
    /// What the ratio is promised to be.
    pub at_least: Option<f64>,
    /// What must be said of it.
    pub note: Option<&'static str>,
}

/// Measures us and every peer that can do the row's work.
///
/// # Errors
/// When one fails.
pub fn measure(bench: &Bench, row: &Row) -> Result<Vec<Figure>> {
    let mut entries = bench.entries(row)?;
    let calls = entries
        .iter_mut()
        .map(calls_in_a_turn)
        .collect::<Result<Vec<_>>>()?;
    // rates[round][entry]
    let rates = (0..ROUNDS)
        .map(|_| round(&mut entries, &calls))
        .collect::<Result<Vec<_>>>()?;

    let scale = if row.work.len > 0 {
        row.work.len as f64 / 1e6
    } else {
        1.0
    };
    let rate = |entry: usize| scale * median(rates.iter().map(|round| round[entry]));
    let ratio = |entry: usize| median(rates.iter().map(|round| round[0] / round[entry]));
    let best = (1..entries.len())
        .filter(|&entry| entries[entry].who.speaks_sm())
        .max_by(|&a, &b| rate(a).total_cmp(&rate(b)));

    let figures = entries.iter().enumerate().skip(1).map(|(i, entry)| {
        let promised = match row.promise {
            Promise::Each(peers) => peers.iter().find(|(who, _)| *who == entry.who).map(|p| p.1),
            Promise::Best(bound) => (best == Some(i)).then_some(bound),
            Promise::None(_) => None,
        };
        let note = match row.promise {
            Promise::None(why) if entry.who.speaks_sm() => Some(why),
            Promise::Best(_) if best == Some(i) => Some("the best peer measured"),
            _ => None,
        };
        Figure {
            name: row.name,
            unit: row.unit(),
            value: rate(0),
            who: entry.who,
            peer: entry.name.clone(),
            peer_value: rate(i),
            ratio: ratio(i),
            at_least: promised,
            note,
        }
    });
    Ok(figures.collect())
}

/// As many as fill a turn, but at least one.
fn calls_in_a_turn(entry: &mut Entry) -> Result<u32> {
    let mut calls = 1;
    loop {
        let time = entry.task.time(calls)?;
        if time >= TURN / 4 {
            let fitting = f64::from(calls) * TURN.as_secs_f64() / time.as_secs_f64();
            return Ok((fitting as u32).max(1));
        }
        calls *= 4;
    }
}

/// Calls per second of everyone, each in its best turn.
fn round(entries: &mut [Entry], calls: &[u32]) -> Result<Vec<f64>> {
    let mut best = vec![Duration::MAX; entries.len()];
    for _ in 0..TURNS {
        for ((entry, best), &calls) in entries.iter_mut().zip(&mut best).zip(calls) {
            *best = entry.task.time(calls)?.min(*best);
        }
    }
    let rates = best.iter().zip(calls);
    Ok(rates
        .map(|(time, &calls)| f64::from(calls) / time.as_secs_f64())
        .collect())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
