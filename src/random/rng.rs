//! A generator that seeds itself, reseeds itself in time, and gives its bytes from a buffer.

use std::fmt;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rand_core::{TryCryptoRng, TryRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::entropy::Sources;
use super::self_test::{self, ENTROPY};
use super::{Drbg, EntropySource, Error, ReseedLimits};
use crate::arch::clock::Moment;
use crate::arch::fork::Watch;
use crate::arch::wipe::leaving;
use crate::gate::Service;
use crate::secret::SecretBytes;

/// How many bytes are generated at once.
const BUFFER: usize = 4096;

/// Larger draws are generated where they are wanted.
const LARGEST_FROM_BUFFER: usize = BUFFER / 4;

/// What a draw may use of the stack, apart from the mechanism and the sources.
const STACK: usize = 4096;
const STACK_OF_COPY: usize = 256;

/// A generator of SP 800-90A with its own seed, sources of entropy and buffer, for one user at a time.
///
/// It is reseeded when as many draws or as much time have passed as [`ReseedLimits::LEVEL_1`] has, or
/// other limits, and in the child after a fork, before it gives any more. Where a source fails then, so does every draw, until the source works.
/// A byte that was given out is wiped from the buffer at once; state and buffer are on the heap, and wiped when
/// dropped.
///
/// ```
/// use shangmi::random::{CtrDrbgSm4, DrbgRng};
///
/// let mut rng = DrbgRng::<CtrDrbgSm4>::new(b"an example")?.with_prediction_resistance();
/// let mut bytes = [0; 32];
/// rng.fill(&mut bytes, b"")?;
/// # Ok::<(), shangmi::random::Error>(())
/// ```
pub struct DrbgRng<D: Drbg> {
    sources: Sources,
    personalization: Vec<u8>,
    limits: ReseedLimits,
    has_prediction_resistance: bool,
    watch: Watch,
    /// None before the first seeding, and when a fork has made it another process's.
    seeded: Option<Seeded<D>>,
}

struct Seeded<D> {
    drbg: D,
    buffer: Buffer,
    /// The draws since the seeding, those that filled the buffer included, and its time.
    draws: u64,
    since: Moment,
    /// Of the process, and of the sources, at the seeding.
    generation: u64,
    changes: u64,
}

impl<D: Drbg + 'static> DrbgRng<D> {
    /// A generator that takes its entropy from the operating system and from what
    /// [`add_source`](super::add_source) has added. `personalization` may be empty.
    ///
    /// # Errors
    /// The module is in the error state, a source fails, or `personalization` is longer than the
    /// mechanism takes.
    pub fn new(personalization: &[u8]) -> Result<Self, Error> {
        Self::seeded_from(Sources::system(), personalization)
    }

    /// A generator that takes its entropy from `sources`, from each as much as if it were the only one.
    ///
    /// # Errors
    /// As of [`DrbgRng::new`], and [`Error::NoSource`].
    pub fn from_sources(
        sources: Vec<Arc<dyn EntropySource>>,
        personalization: &[u8],
    ) -> Result<Self, Error> {
        Self::seeded_from(Sources::own(sources), personalization)
    }

    pub(super) fn from_system_alone() -> Result<Self, Error> {
        Self::seeded_from(Sources::system_alone(), b"")
    }

    fn seeded_from(sources: Sources, personalization: &[u8]) -> Result<Self, Error> {
        let (test, service) = self_test::of::<D>();
        test.enter(service)?;
        let mut rng = Self {
            sources,
            personalization: personalization.to_vec(),
            limits: ReseedLimits::LEVEL_1,
            has_prediction_resistance: false,
            watch: Watch::start(),
            seeded: None,
        };
        rng.ready()?;
        Ok(rng)
    }

    /// Has it reseed after other limits: draws from the buffer count as requests, and so do those that fill it.
    #[must_use]
    pub fn with_limits(mut self, limits: ReseedLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Has every draw reseed before (SP 800-90A Rev. 1, 8.8).
    #[must_use]
    pub fn with_prediction_resistance(mut self) -> Self {
        self.has_prediction_resistance = true;
        self
    }

    /// Fills `dst` with random bytes. `additional` goes into the state before, and may be empty; it need not be
    /// secret, and does no harm where it is known.
    ///
    /// # Errors
    /// Nothing was generated: the module is in the error state, a source fails, or `additional` is
    /// longer than the mechanism takes.
    pub fn fill(&mut self, dst: &mut [u8], additional: &[u8]) -> Result<(), Error> {
        let (test, service) = self_test::of::<D>();
        test.enter(service)?;
        self.fill_entered(dst, additional, self.has_prediction_resistance)
    }

    /// Takes fresh entropy into the state, and drops what was generated before.
    ///
    /// # Errors
    /// As of [`DrbgRng::fill`].
    pub fn reseed(&mut self, additional: &[u8]) -> Result<(), Error> {
        let (test, service) = self_test::of::<D>();
        test.enter(service)?;
        leaving::<STACK, _>(|| {
            self.own_seed()?;
            self.take_entropy(additional)
        })
    }

    /// As [`fill`](Self::fill), after the gate.
    #[inline]
    pub(super) fn fill_entered(
        &mut self,
        dst: &mut [u8],
        additional: &[u8],
        prediction_resistance: bool,
    ) -> Result<(), Error> {
        if self.is_current()
            && additional.is_empty()
            && !prediction_resistance
            && let Some(seeded) = &mut self.seeded
            && seeded.buffer.has(dst.len())
        {
            leaving::<STACK_OF_COPY, _>(|| seeded.give(dst));
            return Ok(());
        }
        self.generate(dst, additional, prediction_resistance)
    }

    #[inline(never)]
    fn generate(
        &mut self,
        dst: &mut [u8],
        additional: &[u8],
        prediction_resistance: bool,
    ) -> Result<(), Error> {
        let result = leaving::<STACK, _>(|| match (additional, prediction_resistance) {
            ([], false) if dst.len() <= LARGEST_FROM_BUFFER => {
                let requests = self.limits.requests;
                let mut seeded = self.ready()?;
                if seeded.draws.saturating_add(Seeded::<D>::REFILL) > requests {
                    self.take_entropy(b"")?;
                    seeded = self.ready()?;
                }
                seeded.refill()?;
                seeded.give(dst);
                Ok(())
            }
            _ => dst
                .chunks_mut(D::MAX_REQUEST)
                .try_for_each(|request| self.request(request, additional, prediction_resistance)),
        });
        if result.is_err() {
            dst.zeroize();
        }
        result
    }

    /// One request to the mechanism.
    fn request(
        &mut self,
        dst: &mut [u8],
        additional: &[u8],
        prediction_resistance: bool,
    ) -> Result<(), Error> {
        let mut additional = additional;
        if prediction_resistance {
            self.own_seed()?;
            // 9.3.1: the additional input goes into the reseeding.
            self.take_entropy(std::mem::take(&mut additional))?;
        }
        let seeded = self.ready()?;
        seeded.draws += 1;
        Ok(seeded.drbg.generate(dst, additional)?)
    }

    /// Whether the seed may still be drawn from.
    #[inline]
    fn is_current(&self) -> bool {
        self.seeded.as_ref().is_some_and(|seeded| {
            seeded.generation == self.watch.generation()
                && seeded.changes == self.sources.changes()
                && seeded.draws < self.limits.requests
                && Moment::now().since(seeded.since) < self.limits.age
        })
    }

    /// What may be drawn from: seeded and reseeded where that is due.
    fn ready(&mut self) -> Result<&mut Seeded<D>, Error> {
        self.own_seed()?;
        if !self.is_current() {
            self.take_entropy(b"")?;
        }
        self.seeded.as_mut().ok_or(Error::NoSource)
    }

    /// Sees to it that there is a seed, and that it is this process's.
    fn own_seed(&mut self) -> Result<(), Error> {
        let generation = self.watch.generation();
        let is_own = |seeded: &Seeded<D>| seeded.generation == generation;
        if self.seeded.as_ref().is_some_and(is_own) {
            return Ok(());
        }
        // A parent's, who goes on with it.
        self.seeded = None;
        self.sources.restart();
        self.seeded = Some(self.instantiate(generation)?);
        Ok(())
    }

    fn instantiate(&mut self, generation: u64) -> Result<Seeded<D>, Error> {
        ENTROPY.enter(Service::Random)?;
        let changes = self.sources.changes();
        let entropy = self.sources.draw(D::STRENGTH.max(D::ENTROPY_LEN))?;
        // 8.6.7: half of the strength at random, and for good measure what no two generators share.
        let random = self.sources.draw(D::STRENGTH / 2)?;
        let nonce = SecretBytes::new([random.as_bytes(), &unique()].concat());
        Ok(Seeded {
            drbg: D::instantiate(&entropy, &nonce, &self.personalization)?,
            buffer: Buffer::empty(),
            draws: 0,
            since: Moment::now(),
            generation,
            changes,
        })
    }

    /// Reseeds. On an error the old seed stays, and stays due.
    fn take_entropy(&mut self, additional: &[u8]) -> Result<(), Error> {
        ENTROPY.enter(Service::Random)?;
        let changes = self.sources.changes();
        let Some(seeded) = &mut self.seeded else {
            return Err(Error::NoSource);
        };
        let entropy = self.sources.draw(D::STRENGTH.max(D::ENTROPY_LEN))?;
        seeded.drbg.reseed(&entropy, additional)?;
        seeded.buffer.drop_all();
        seeded.draws = 0;
        seeded.since = Moment::now();
        seeded.changes = changes;
        Ok(())
    }
}

/// What no other generator has: the process, the number of the generator in it, and the time.
fn unique() -> [u8; 28] {
    static GENERATORS: AtomicU64 = AtomicU64::new(0);
    let number = GENERATORS.fetch_add(1, Ordering::Relaxed);
    // A clock before 1970 makes it no less unique.
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut unique = [0; 28];
    unique[..4].copy_from_slice(&process::id().to_be_bytes());
    unique[4..12].copy_from_slice(&number.to_be_bytes());
    unique[12..].copy_from_slice(&time.as_nanos().to_be_bytes());
    unique
}

impl<D: Drbg> Seeded<D> {
    /// The requests that it takes to fill the buffer.
    const REFILL: u64 = BUFFER.div_ceil(D::MAX_REQUEST) as u64;

    fn refill(&mut self) -> Result<(), Error> {
        self.buffer.drop_all();
        let bytes = self.buffer.bytes.as_mut_bytes();
        let mut requests = bytes.chunks_mut(D::MAX_REQUEST);
        requests.try_for_each(|request| self.drbg.generate(request, b""))?;
        // One of them counts as the first draw.
        self.draws += Self::REFILL - 1;
        self.buffer.left = BUFFER;
        Ok(())
    }

    /// Moves bytes out of the buffer, which has them.
    #[inline]
    fn give(&mut self, dst: &mut [u8]) {
        self.draws += 1;
        self.buffer.take(dst);
    }
}

/// Bytes that were generated and not given out yet, at the end; zeros before.
struct Buffer {
    bytes: SecretBytes,
    left: usize,
}

impl Buffer {
    fn empty() -> Self {
        Self {
            bytes: SecretBytes::zeroed(BUFFER),
            left: 0,
        }
    }

    #[inline]
    fn has(&self, len: usize) -> bool {
        len <= self.left
    }

    /// As many bytes as `dst` has, or as there are: zeros come in their place.
    #[inline]
    fn take(&mut self, dst: &mut [u8]) {
        let given = dst.len().min(self.left);
        let bytes = self.bytes.as_mut_bytes();
        let first = bytes.len() - self.left;
        dst.fill(0);
        dst[..given].swap_with_slice(&mut bytes[first..][..given]);
        self.left -= given;
    }

    fn drop_all(&mut self) {
        self.bytes.as_mut_bytes().zeroize();
        self.left = 0;
    }
}

impl<D: Drbg + 'static> TryRng for DrbgRng<D> {
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

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Error> {
        self.fill(dst, b"")
    }
}

impl<D: Drbg + 'static> TryCryptoRng for DrbgRng<D> {}

/// The mechanism wipes its state, and the buffer itself.
impl<D: Drbg + ZeroizeOnDrop> ZeroizeOnDrop for DrbgRng<D> {}

impl<D: Drbg> fmt::Debug for DrbgRng<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrbgRng")
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_wiped() {
        let mut buffer = Buffer::empty();
        getrandom::fill(buffer.bytes.as_mut_bytes()).unwrap();
        buffer.left = BUFFER;
        let generated = buffer.bytes.to_vec();
        let (mut first, mut second) = ([0; 32], [0; 5]);
        buffer.take(&mut first);
        buffer.take(&mut second);
        assert_eq!(first, generated[..32]);
        assert_eq!(second, generated[32..37]);
        assert_eq!(buffer.bytes[..37], [0; 37]);
        assert_eq!(buffer.bytes[37..], generated[37..]);
        assert_eq!(buffer.left, BUFFER - 37);
        assert!(buffer.has(BUFFER - 37) && !buffer.has(BUFFER - 36));
        buffer.drop_all();
        assert!(!buffer.has(1));
        assert_eq!(buffer.bytes[..], [0; BUFFER]);
    }
}
