//! PKCS#11 modules: each file is loaded once in a process and stays; who is inside it is counted,
//! so that it is initialized again only while nobody is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Info, Pkcs11};
use cryptoki::error::{Error as CryptokiError, RvError};

use super::options::Options;
use super::profile::{Profile, lacks_ha_only};
use super::raw::Raw;
use super::uri::{LibraryVersion, Uri, same};
use crate::hsm::Error;
use crate::hsm::ckr::Vendor;

/// C_Finalize and C_Initialize come at most once in this time.
const REINITIALIZE_INTERVAL: Duration = Duration::from_secs(30);

/// How long re-initialization waits for calls under way. One that hangs prevents it: C_Finalize
/// during a call is undefined (PKCS#11 2.40, 5.4).
const DRAIN: Duration = Duration::from_secs(1);

/// A loaded and initialized module.
#[derive(Clone, Debug)]
pub(super) struct Module {
    library: Arc<Library>,
    pub(super) profile: Option<Profile>,
}

/// A module's file, opened by `cryptoki` and for [`Raw`].
struct Library {
    pkcs11: Pkcs11,
    raw: Arc<Raw>,
    /// The process that initialized it. A forked child is another application.
    process: u32,
    gate: Mutex<Gate>,
    gate_changed: Condvar,
}

struct Gate {
    /// Threads that are in the module's functions, or may call them any moment.
    inside: usize,
    /// No one may enter: the module is about to be initialized again.
    shut: bool,
    /// How often the module was initialized. Sessions and handles do not outlive their generation.
    generation: u64,
    /// We initialized it, and so may finalize it.
    ours: bool,
    reinitialized: Option<Instant>,
}

/// Leave to call the module, as long as this lives. Nobody enters twice at a time.
pub(super) struct Inside<'a> {
    library: &'a Library,
    /// The module's generation, which stays for as long.
    pub(super) generation: u64,
}

/// What re-initialization came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reinitialized {
    /// The module is new; every session is gone.
    Done,
    /// It was not tried: somebody else did it, it is too soon, or a call is under way.
    Not,
}

static LOADED: Mutex<BTreeMap<PathBuf, Arc<Library>>> = Mutex::new(BTreeMap::new());

impl Module {
    /// Loads the module, or takes the one that is loaded, if it is the one that `uri` describes.
    pub(super) fn load(uri: &Uri, options: &Options) -> Result<Self, Error> {
        let path = uri.module_path().ok_or(Error::Incomplete {
            advice: "the module is not named: add module-path=/path/to/module.so",
        })?;
        let library = Library::load(path)?;
        let info = library.enter()?.pkcs11().get_library_info()?;
        if !matches(&info, uri) {
            return Err(Error::Library {
                path: path.into(),
                found: described(&info),
            });
        }
        let detected = || Profile::detect(info.manufacturer_id(), info.library_description());
        let profile = options.profile_for(uri).or_else(detected);
        Ok(Self { library, profile })
    }

    /// Whose return codes the module has.
    pub(super) fn vendor(&self) -> Vendor {
        Profile::vendor(self.profile)
    }

    /// Warns where slots say that a Luna client has an HA group without HAonly.
    pub(super) fn warn_of_ha_members(&self) -> Result<(), Error> {
        if self.vendor() != Vendor::Luna {
            return Ok(());
        }
        let inside = self.enter()?;
        let slots = inside.pkcs11().get_all_slots().unwrap_or_default();
        let info = |slot| inside.pkcs11().get_slot_info(slot).ok();
        let descriptions: Vec<String> = slots
            .into_iter()
            .filter_map(|slot| Some(info(slot)?.slot_description().to_owned()))
            .collect();
        if lacks_ha_only(&descriptions) {
            tracing::warn!(
                "an HA group and partitions are visible as slots: if they are its members, turn \
                 HAonly on (lunacm: hagroup haonly -enable), or slots renumber when a member fails"
            );
        }
        Ok(())
    }

    /// Waits while the module is being initialized again.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child of the process that loaded the module.
    pub(super) fn enter(&self) -> Result<Inside<'_>, Error> {
        self.library.enter()
    }

    /// C_Finalize and C_Initialize, if the module is still of this generation, if nobody is inside,
    /// and if the last time is long enough ago.
    ///
    /// # Errors
    /// [`Error::ForeignModule`] if the module is not ours to finalize.
    pub(super) fn reinitialize(&self, generation: u64) -> Result<Reinitialized, Error> {
        self.library.renew(generation, true)
    }

    /// C_Initialize alone, for a module that somebody else has finalized.
    pub(super) fn initialize_again(&self, generation: u64) -> Result<Reinitialized, Error> {
        self.library.renew(generation, false)
    }
}

impl Library {
    fn load(path: &Path) -> Result<Arc<Self>, Error> {
        let refused = |reason: String| Error::Module {
            path: path.into(),
            reason,
        };
        let file = path
            .canonicalize()
            .map_err(|error| refused(error.to_string()))?;

        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let (pkcs11, raw) = match loaded.get(&file) {
            Some(library) if library.process == std::process::id() => {
                if initialize(&library.pkcs11)? {
                    // Somebody had finalized it.
                    library.gate().begin_generation(true);
                }
                return Ok(library.clone());
            }
            // A parent's: the code is the same, the state is not.
            Some(library) => (library.pkcs11.clone(), library.raw.clone()),
            None => {
                let pkcs11 = Pkcs11::new(&file).map_err(|error| refused(error.to_string()))?;
                let raw = Raw::load(&file).map_err(|error| refused(error.to_string()))?;
                (pkcs11, Arc::new(raw))
            }
        };
        let ours = initialize(&pkcs11)?;
        let library = Arc::new(Self {
            pkcs11,
            raw,
            process: std::process::id(),
            gate: Mutex::new(Gate {
                inside: 0,
                shut: false,
                generation: 0,
                ours,
                reinitialized: None,
            }),
            gate_changed: Condvar::new(),
        });
        // At once: an initialized library must not be unloaded.
        loaded.insert(file, library.clone());
        Ok(library)
    }

    fn enter(&self) -> Result<Inside<'_>, Error> {
        // Before the lock, which a child may have inherited locked.
        if self.process != std::process::id() {
            return Err(Error::Forked);
        }
        let mut gate = self.gate();
        while gate.shut {
            gate = self.wait(gate, DRAIN);
        }
        gate.inside += 1;
        Ok(Inside {
            library: self,
            generation: gate.generation,
        })
    }

    fn renew(&self, generation: u64, finalize: bool) -> Result<Reinitialized, Error> {
        if self.process != std::process::id() {
            return Err(Error::Forked);
        }
        let mut gate = self.gate();
        let too_soon = gate
            .reinitialized
            .is_some_and(|last| last.elapsed() < REINITIALIZE_INTERVAL);
        if gate.shut || gate.generation != generation || (finalize && too_soon) {
            return Ok(Reinitialized::Not);
        }
        if finalize && !gate.ours {
            return Err(Error::ForeignModule);
        }
        gate.shut = true;
        let end = Instant::now() + DRAIN;
        while gate.inside > 0 && Instant::now() < end {
            gate = self.wait(gate, end.saturating_duration_since(Instant::now()));
        }
        let free = gate.inside == 0;
        drop(gate);

        // The gate is shut, and so the lock need not be held during the calls.
        let result = match free {
            true => self.finalize_and_initialize(finalize).map(Some),
            false => Ok(None),
        };
        let mut gate = self.gate();
        if free && finalize {
            gate.reinitialized = Some(Instant::now());
        }
        if let Ok(Some(ours)) = result {
            gate.begin_generation(ours);
        }
        gate.shut = false;
        self.gate_changed.notify_all();
        result.map(|done| match done {
            Some(_) => Reinitialized::Done,
            None => Reinitialized::Not,
        })
    }

    /// Whether it was we who initialized the module.
    fn finalize_and_initialize(&self, finalize: bool) -> Result<bool, Error> {
        if finalize {
            match self.pkcs11.clone().finalize() {
                Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        initialize(&self.pkcs11)
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, gate: MutexGuard<'a, Gate>, most: Duration) -> MutexGuard<'a, Gate> {
        let waited = self.gate_changed.wait_timeout(gate, most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Gate {
    fn begin_generation(&mut self, ours: bool) {
        self.generation += 1;
        self.ours = ours;
    }
}

impl Inside<'_> {
    pub(super) fn pkcs11(&self) -> &Pkcs11 {
        &self.library.pkcs11
    }

    pub(super) fn raw(&self) -> &Raw {
        &self.library.raw
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut gate = self.library.gate();
        gate.inside -= 1;
        if gate.shut {
            self.library.gate_changed.notify_all();
        }
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

/// Adopts a module that someone else in the process has initialized. Whether it was we who did.
fn initialize(pkcs11: &Pkcs11) -> Result<bool, Error> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) => Ok(true),
        Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Compares with C_GetInfo (RFC 7512, 2.3).
fn matches(info: &Info, uri: &Uri) -> bool {
    same(uri.library_manufacturer(), info.manufacturer_id())
        && same(uri.library_description(), info.library_description())
        && uri
            .library_version()
            .is_none_or(|wanted| wanted == version(info))
}

fn version(info: &Info) -> LibraryVersion {
    let version = info.library_version();
    LibraryVersion {
        major: version.major(),
        minor: version.minor(),
    }
}

fn described(info: &Info) -> String {
    let LibraryVersion { major, minor } = version(info);
    format!(
        "library-manufacturer={} library-description={} library-version={major}.{minor}",
        info.manufacturer_id(),
        info.library_description()
    )
}
