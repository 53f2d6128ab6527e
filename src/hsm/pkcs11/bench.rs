//! Signatures per second, against the number of sessions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::key::TokenKey;
use super::options::Options;
use super::pool::Pool;
use super::uri::Uri;
use crate::hsm::Error;

/// What [`bench()`] measured.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Throughput {
    /// Sessions that signed side by side, each for one caller.
    pub sessions: usize,
    /// Signatures; each was verified in software.
    pub signatures: u64,
    /// How long it took.
    pub duration: Duration,
}

impl Throughput {
    /// Signatures per second.
    pub fn per_second(&self) -> f64 {
        self.signatures as f64 / self.duration.as_secs_f64()
    }
}

/// Signs with the key that `uri` describes, through a [`Pool`] of that many sessions and for as
/// many callers, for that long.
///
/// # Errors
/// Those of [`Pool::open`] and [`Pool::key`]; the first failure of a signature ends it.
pub fn bench(
    uri: &Uri,
    options: &Options,
    sessions: usize,
    duration: Duration,
) -> Result<Throughput, Error> {
    let sessions = sessions.max(1);
    let pool = Pool::open(uri, options.clone().max_sessions(sessions).eager())?;
    let key = pool.key(uri, None)?;
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    let counts = thread::scope(|scope| {
        let sign = || sign_for(&key, &stop, begin, duration);
        let threads: Vec<_> = (0..sessions).map(|_| scope.spawn(sign)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            let panicked = |_| Err(Error::answer("a thread of the measurement panicked"));
            thread.join().unwrap_or_else(panicked)
        };
        threads
            .into_iter()
            .map(join)
            .collect::<Result<Vec<u64>, _>>()
    })?;
    Ok(Throughput {
        sessions,
        signatures: counts.iter().sum(),
        duration: begin.elapsed(),
    })
}

fn sign_for(
    key: &TokenKey,
    stop: &AtomicBool,
    begin: Instant,
    duration: Duration,
) -> Result<u64, Error> {
    let Some(scheme) = key.0.schemes().first() else {
        return Err(Error::answer("the key has no scheme"));
    };
    // What is signed does not matter to the time that it takes.
    let digest = vec![0x5a; scheme.digest_len()];
    let mut count = 0;
    while begin.elapsed() < duration && !stop.load(Ordering::Relaxed) {
        if let Err(error) = key.0.sign(*scheme, &digest) {
            stop.store(true, Ordering::Relaxed);
            return Err(error);
        }
        count += 1;
    }
    Ok(count)
}
