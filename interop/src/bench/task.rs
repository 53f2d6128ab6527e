//! A work that one contender is ready to do, again and again.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::Result;
use super::work::plaintext;

pub(super) trait Task {
    /// Does it once.
    fn once(&mut self) -> Result<()>;

    /// Does it once with the input that everyone has, and gives what comes out.
    fn output(&mut self) -> Result<Vec<u8>>;

    /// The time of so many calls. A run follows another contender's: one call beforehand brings the
    /// code and the data back.
    fn time(&mut self, calls: u32) -> Result<Duration> {
        if calls > 1 {
            self.once()?;
        }
        let start = Instant::now();
        for _ in 0..calls {
            self.once()?;
        }
        Ok(start.elapsed())
    }
}

/// A task that gives a value.
pub(super) fn gives<T: AsRef<[u8]>>(
    work: impl FnMut() -> Result<T> + 'static,
) -> Result<Option<Box<dyn Task>>> {
    Ok(Some(Box::new(Gives(work))))
}

/// A task on a buffer of `len` bytes of plaintext and `spare` more.
pub(super) fn changes(
    len: usize,
    spare: usize,
    work: impl FnMut(&mut [u8]) -> Result<()> + 'static,
) -> Result<Option<Box<dyn Task>>> {
    let mut fresh = plaintext(len);
    fresh.resize(len + spare, 0);
    Ok(Some(Box::new(Changes {
        buffer: fresh.clone(),
        fresh,
        work,
    })))
}

struct Gives<F>(F);

impl<T: AsRef<[u8]>, F: FnMut() -> Result<T>> Task for Gives<F> {
    fn once(&mut self) -> Result<()> {
        black_box((self.0)()?);
        Ok(())
    }

    fn output(&mut self) -> Result<Vec<u8>> {
        Ok((self.0)()?.as_ref().to_vec())
    }
}

struct Changes<F> {
    fresh: Vec<u8>,
    buffer: Vec<u8>,
    work: F,
}

impl<F: FnMut(&mut [u8]) -> Result<()>> Task for Changes<F> {
    fn once(&mut self) -> Result<()> {
        (self.work)(black_box(&mut self.buffer))
    }

    fn output(&mut self) -> Result<Vec<u8>> {
        self.buffer.copy_from_slice(&self.fresh);
        self.once()?;
        Ok(self.buffer.clone())
    }
}
