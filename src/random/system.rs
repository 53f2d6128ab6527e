//! The generator of each thread.

use std::cell::Cell;

use rand_core::{TryCryptoRng, TryRng};

use super::entropy::{is_without_added, note_change};
use super::self_test::CTR_DRBG;
use super::{CtrDrbgSm4, DrbgRng, Error};
use crate::gate::Service;

/// The module's random generator: for each thread its own CTR_DRBG on SM4, a [`DrbgRng`], without locks.
///
/// It is seeded at the thread's first draw, by the operating system and what
/// [`add_source`](super::add_source) has added, reseeded as [`DrbgRng`] says, and wiped when the
/// thread ends. Where thread-locals are gone already, a draw has a generator for itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

/// Fills `dst` from a state that was reseeded just for it (SP 800-90A Rev. 1, 8.8): who has seen
/// the state before learns nothing of these bytes. For keys of great value; each call asks all
/// sources of entropy, an HSM too.
///
/// # Errors
/// As of [`SystemRandom`].
pub fn fill_with_prediction_resistance(dst: &mut [u8]) -> Result<(), Error> {
    with_own(|own| own.fill_entered(dst, b"", true))
}

/// Fills `dst` after `additional` has gone into the state (SP 800-90A Rev. 1, 8.7.2), such as the hash
/// of a message. At most 64 KiB of it.
///
/// # Errors
/// As of [`SystemRandom`], and [`Error::Drbg`] if `additional` is too long.
pub fn fill_with_additional_input(dst: &mut [u8], additional: &[u8]) -> Result<(), Error> {
    with_own(|own| own.fill_entered(dst, additional, false))
}

/// Reseeds this thread's generator now, and every other generator on the system's sources before it
/// gives more.
///
/// # Errors
/// As of [`SystemRandom`], about this thread's generator. The others are reseeded in any case.
pub fn reseed() -> Result<(), Error> {
    note_change();
    with_own(|own| own.reseed(b""))
}

type Generator = DrbgRng<CtrDrbgSm4>;

thread_local! {
    /// Taken out for as long as it is at work.
    static OWN: Cell<Option<Box<Generator>>> = const { Cell::new(None) };
}

/// Works with this thread's generator.
#[inline]
fn with_own<T>(work: impl FnOnce(&mut Generator) -> Result<T, Error>) -> Result<T, Error> {
    CTR_DRBG.enter(Service::Random)?;
    if is_without_added() {
        return work(&mut Generator::from_system_alone()?);
    }
    let mut own = match OWN.try_with(Cell::take) {
        Ok(Some(own)) => own,
        _ => Box::new(Generator::new(b"shangmi::random::SystemRandom")?),
    };
    let result = work(&mut own);
    // While the thread ends it is too late for that, and it is dropped.
    _ = OWN.try_with(|slot| slot.set(Some(own)));
    result
}

impl TryRng for SystemRandom {
    type Error = Error;

    fn try_next_u32(&mut self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    #[cfg(not(fuzzing))]
    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Error> {
        with_own(|own| own.fill_entered(dst, b"", false))
    }

    /// fuzz/ puts its own bytes in the operating system's place, so that an input does the same in
    /// every run. A generator would not: it draws ahead.
    #[cfg(fuzzing)]
    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Error> {
        use super::{EntropySource, OsEntropy};

        CTR_DRBG.enter(Service::Random)?;
        OsEntropy.fill(dst).map_err(|cause| Error::Source {
            name: OsEntropy.name().into(),
            cause: cause.into(),
        })
    }
}

impl TryCryptoRng for SystemRandom {}
