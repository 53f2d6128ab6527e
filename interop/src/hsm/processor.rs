//! What this process has used of the machine, from Linux's /proc.

use std::fs;
use std::time::Duration;

use super::Result;

/// Ticks a second in /proc, on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Processor time of all threads so far.
pub(super) fn time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // Behind the program's name, which may hold spaces, utime and stime are the 12th and the 13th.
    let (_, numbers) = text.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let mut ticks = 0.0;
    for number in numbers.split_whitespace().skip(11).take(2) {
        ticks += number.parse::<f64>()?;
    }
    Ok(Duration::from_secs_f64(ticks / TICKS))
}

/// Resident memory in bytes.
pub(super) fn memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    Ok(kibibytes
        .ok_or("no VmRSS in /proc/self/status")?
        .trim()
        .parse::<u64>()?
        * 1024)
}
