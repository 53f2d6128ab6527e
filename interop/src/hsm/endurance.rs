//! Very many signatures through a pool: what is left of sessions and memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use shangmi::hsm::pkcs11::Options;
use shangmi::sm2::SignDigest;

use super::{Bank, Result, processor};

/// Callers at once: more than there are sessions, so that some always wait.
const CALLERS: usize = 24;

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub struct Endured {
    /// Signatures given out, as the pool counts them.
    pub signatures: u64,
    /// Sessions with the token at one time, at most; one of them keeps the login.
    pub sessions_most: u64,
    /// Sessions that the pool ever opened.
    pub sessions_opened: u64,
    /// Sessions open after the pool was closed.
    pub sessions_left: u64,
    /// Calls in a session that another thread was using.
    pub sessions_shared: u64,
    /// How much memory grew from the first tenth of the signatures to the last one, in bytes.
    pub growth: i64,
}

/// Signs so often, with sixteen sessions, and closes the pool.
///
/// # Errors
/// When a signature fails.
pub fn endure(signatures: u64) -> Result<Endured> {
    let bank = Bank::open("endurance", Options::default())?;
    sign(&bank, signatures / 10)?;
    let before = processor::memory()?;
    sign(&bank, signatures - signatures / 10)?;
    let after = processor::memory()?;

    let given = bank.pool.metrics().signatures;
    bank.pool.close();
    // A session whose last call just returned is closed by its own thread.
    thread::sleep(Duration::from_millis(100));
    let report = bank.token.report()?;
    Ok(Endured {
        signatures: given,
        sessions_most: report.sessions_most,
        sessions_opened: report.sessions_opened - bank.sessions_before,
        sessions_left: report.sessions_open,
        sessions_shared: report.sessions_shared,
        growth: after as i64 - before as i64,
    })
}

fn sign(bank: &Bank, signatures: u64) -> Result<()> {
    let key = bank.key.sm2()?;
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < signatures {
                        key.sign_digest(&[7; 32])?;
                    }
                    Ok(())
                })
            })
            .collect();
        for caller in callers {
            let result: Result<()> = caller.join().map_err(|_| "a caller panicked")?;
            result?;
        }
        Ok(())
    })
}
