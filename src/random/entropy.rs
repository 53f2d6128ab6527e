//! Where seeds come from: the operating system, and what an application adds to it; each under the
//! health tests of SP 800-90B.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroize;

use super::Error;
use super::health::{Health, HealthTest, MinEntropy, START_UP};
use crate::gate;
use crate::secret::SecretBytes;

/// Why a source gave nothing.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A source of entropy, for seeding generators.
///
/// Generators call it from all threads, at their first use and at each reseed, and test every byte.
pub trait EntropySource: Send + Sync {
    /// As errors call it.
    fn name(&self) -> &str;

    /// The least min-entropy that its bytes have. It decides how many are drawn, and how the health
    /// tests judge them.
    fn min_entropy(&self) -> MinEntropy;

    /// Fills `dst`, or says why not, after a time that its caller can wait. It may use the module's
    /// random bytes itself: those come from the operating system meanwhile.
    ///
    /// # Errors
    /// Nothing was given, and nothing will be generated from it.
    fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError>;
}

/// The operating system's generator: `getrandom` on Linux.
///
/// Half of what it gives counts as entropy, so that twice as much is drawn, and a false alarm of the
/// health tests is out of the question: uniform bytes repeat themselves 11 times with a chance of
/// 2^-80, and 10^13 of them a year give 10^-11 alarms.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl EntropySource for OsEntropy {
    fn name(&self) -> &str {
        "operating system"
    }

    fn min_entropy(&self) -> MinEntropy {
        MinEntropy::HALF
    }

    fn fill(&self, dst: &mut [u8]) -> Result<(), SourceError> {
        #[cfg(test)]
        if let Some(value) = STUCK.get() {
            dst.fill(value);
            return Ok(());
        }
        Ok(getrandom::fill(dst)?)
    }
}

#[cfg(test)]
thread_local! {
    /// What the operating system gives on this thread, instead of random bytes.
    pub(super) static STUCK: Cell<Option<u8>> = const { Cell::new(None) };
}

/// What the application has added. Written when it starts or has forked, read at each seeding.
static ADDED: RwLock<Vec<Arc<dyn EntropySource>>> = RwLock::new(Vec::new());

/// How often the application has changed the sources or asked for a reseed.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// Adds a source to the operating system's: from now on every generator of [`SystemRandom`] and
/// [`DrbgRng::new`] takes from all sources when it is seeded, as much from each as if it were the only
/// one, and those that are seeded already are reseeded before they give more.
///
/// What was added is required: while it fails, random bytes are refused with [`Error::Source`], and so
/// are keys, signatures and handshakes; the module is not in the error state, and goes on as soon as the
/// source does. Where the bytes of the source are unhealthy, [`Error::Unhealthy`] is given, and it is tried
/// again from the start-up test on.
///
/// After a fork, a source that does not work in the child, as a token's does not, is to be replaced by the
/// child's own.
///
/// [`SystemRandom`]: super::SystemRandom
/// [`DrbgRng::new`]: super::DrbgRng::new
///
/// # Errors
/// The source fails, or its first 1,024 bytes do not pass the health tests. It was not added.
pub fn add_source(source: Arc<dyn EntropySource>) -> Result<(), Error> {
    Tested::start(Origin::Added(source.clone()))?;
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    added.push(source);
    drop(added);
    note_change();
    Ok(())
}

/// Takes `source` away again: whether it was there.
pub fn remove_source(source: &Arc<dyn EntropySource>) -> bool {
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    let before = added.len();
    added.retain(|other| !Arc::ptr_eq(other, source));
    let removed = added.len() < before;
    drop(added);
    note_change();
    removed
}

/// Has every generator of the process that takes from the system's sources reseed before it gives more.
pub(super) fn note_change() {
    CHANGES.fetch_add(1, Ordering::AcqRel);
}

/// A number that [`note_change`] changes.
#[inline]
fn changes() -> u64 {
    CHANGES.load(Ordering::Acquire)
}

thread_local! {
    /// Whether this thread must not ask the sources that the application has added.
    static WITHOUT_ADDED: Cell<bool> = const { Cell::new(false) };
}

/// For good on this thread: it is one that a source itself works with, and would wait for itself.
#[cfg_attr(not(feature = "pkcs11"), allow(dead_code))]
pub(crate) fn without_added_sources() {
    WITHOUT_ADDED.set(true);
}

/// Whether random bytes must come from the operating system alone just now: within a source, or in a
/// self test, for whose end the source may wait.
#[inline]
pub(super) fn is_without_added() -> bool {
    WITHOUT_ADDED.get() || gate::is_testing_here()
}

/// Whether a source is at work on this thread.
struct Within(bool);

impl Within {
    fn begin() -> Self {
        Self(WITHOUT_ADDED.replace(true))
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        WITHOUT_ADDED.set(self.0);
    }
}

/// Where the bytes come from: a failed health test of the system's own source is the module's failure.
pub(super) enum Origin {
    System,
    Added(Arc<dyn EntropySource>),
}

impl Origin {
    fn source(&self) -> &dyn EntropySource {
        match self {
            Self::System => &OsEntropy,
            Self::Added(source) => &**source,
        }
    }

    fn draw(&self, dst: &mut [u8]) -> Result<(), Error> {
        let source = self.source();
        let within = Within::begin();
        let result = source.fill(dst);
        drop(within);
        result.map_err(|cause| Error::Source {
            name: source.name().into(),
            cause: cause.into(),
        })
    }

    fn unhealthy(&self, test: HealthTest) -> Error {
        match self {
            Self::System => Error::Module(gate::fail("entropy source", test.name())),
            Self::Added(source) => Error::Unhealthy {
                name: source.name().into(),
                test,
            },
        }
    }
}

/// A source that has passed its start-up test, and is tested on.
pub(super) struct Tested {
    origin: Origin,
    health: Health,
}

impl Tested {
    /// Draws the first 1,024 bytes, tests them and throws them away (SP 800-90B, 4.3).
    pub(super) fn start(origin: Origin) -> Result<Self, Error> {
        let health = Health::new(origin.source().min_entropy());
        let mut tested = Self { origin, health };
        tested.fill(&mut SecretBytes::zeroed(START_UP).as_mut_bytes()[..])?;
        Ok(tested)
    }

    fn fill(&mut self, dst: &mut [u8]) -> Result<(), Error> {
        self.origin.draw(dst)?;
        self.health.check(dst).map_err(|test| {
            dst.zeroize();
            self.origin.unhealthy(test)
        })
    }

    fn claim(&self) -> MinEntropy {
        self.origin.source().min_entropy()
    }
}

/// The sources of one generator, started when they are first drawn from.
pub(super) struct Sources {
    which: Which,
    tested: Vec<Tested>,
}

enum Which {
    /// The operating system, and what is added at the time of the draw.
    System,
    /// The operating system alone.
    SystemAlone,
    Own(Vec<Arc<dyn EntropySource>>),
}

impl Sources {
    pub(super) fn system() -> Self {
        Self::new(Which::System)
    }

    pub(super) fn system_alone() -> Self {
        Self::new(Which::SystemAlone)
    }

    pub(super) fn own(sources: Vec<Arc<dyn EntropySource>>) -> Self {
        Self::new(Which::Own(sources))
    }

    fn new(which: Which) -> Self {
        Self {
            which,
            tested: Vec::new(),
        }
    }

    /// [`changes`], if they are about these sources.
    #[inline]
    pub(super) fn changes(&self) -> u64 {
        match self.which {
            Which::System | Which::SystemAlone => changes(),
            Which::Own(_) => 0,
        }
    }

    /// Forgets the tests so far: the next draw begins with those of the start.
    pub(super) fn restart(&mut self) {
        self.tested.clear();
    }

    /// Entropy worth `full` bytes from each source, one after the other.
    pub(super) fn draw(&mut self, full: usize) -> Result<SecretBytes, Error> {
        let result = self.start().and_then(|()| self.draw_started(full));
        if result.is_err() {
            self.restart();
        }
        result
    }

    fn draw_started(&mut self, full: usize) -> Result<SecretBytes, Error> {
        let lengths = self
            .tested
            .iter()
            .map(|source| source.claim().bytes_for(full));
        let mut entropy = SecretBytes::zeroed(lengths.sum());
        let mut rest = entropy.as_mut_bytes();
        for source in &mut self.tested {
            let (own, others) = rest.split_at_mut(source.claim().bytes_for(full));
            source.fill(own)?;
            rest = others;
        }
        Ok(entropy)
    }

    /// Starts those that are not, and drops those that were taken away.
    fn start(&mut self) -> Result<(), Error> {
        let wanted = match &self.which {
            Which::System => {
                let added = ADDED.read().unwrap_or_else(PoisonError::into_inner);
                origins(true, &added)
            }
            Which::SystemAlone => origins(true, &[]),
            Which::Own(sources) => origins(false, sources),
        };
        let mut before = std::mem::take(&mut self.tested);
        for origin in wanted {
            let same = before.iter().position(|tested| tested.origin == origin);
            let tested = match same {
                Some(at) => before.swap_remove(at),
                None => Tested::start(origin)?,
            };
            self.tested.push(tested);
        }
        if self.tested.is_empty() {
            return Err(Error::NoSource);
        }
        Ok(())
    }
}

fn origins(system: bool, added: &[Arc<dyn EntropySource>]) -> Vec<Origin> {
    let system = system.then_some(Origin::System);
    let added = added.iter().cloned().map(Origin::Added);
    system.into_iter().chain(added).collect()
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::System, Self::System) => true,
            (Self::Added(one), Self::Added(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .tested
            .iter()
            .map(|tested| tested.origin.source().name());
        f.debug_list().entries(names).finish()
    }
}
