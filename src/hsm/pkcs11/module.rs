//! PKCS#11 modules: each file is loaded once in a process and stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Info, Pkcs11};
use cryptoki::error::{Error as CryptokiError, RvError};

use super::options::Options;
use super::profile::{Profile, lacks_ha_only};
use super::raw::Raw;
use super::uri::{LibraryVersion, Uri, same};
use crate::hsm::Error;
use crate::hsm::ckr::Vendor;

/// A loaded and initialized module.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) pkcs11: Pkcs11,
    pub(super) raw: Arc<Raw>,
    pub(super) profile: Option<Profile>,
}

/// A module's file, opened by `cryptoki` and for [`Raw`].
#[derive(Clone)]
struct Library {
    pkcs11: Pkcs11,
    raw: Arc<Raw>,
}

/// C_Finalize is never called: the module is the process's, and others may use it too.
static LOADED: Mutex<BTreeMap<PathBuf, Library>> = Mutex::new(BTreeMap::new());

impl Module {
    /// Loads the module, or takes the one that is loaded, if it is the one that `uri` describes.
    pub(super) fn load(path: &Path, uri: &Uri, options: &Options) -> Result<Self, Error> {
        let Library { pkcs11, raw } = Library::load(path)?;
        let info = pkcs11.get_library_info()?;
        if !matches(&info, uri) {
            return Err(Error::Library {
                path: path.into(),
                found: described(&info),
            });
        }
        let detected = || Profile::detect(info.manufacturer_id(), info.library_description());
        let profile = options.profile_for(uri).or_else(detected);
        Ok(Self {
            pkcs11,
            raw,
            profile,
        })
    }

    /// Whose return codes the module has.
    pub(super) fn vendor(&self) -> Vendor {
        self.profile.map_or(Vendor::Unknown, |p| p.vendor())
    }

    /// Warns where slots say that a Luna client has an HA group without HAonly.
    pub(super) fn warn_of_ha_members(&self) {
        if self.vendor() != Vendor::Luna {
            return;
        }
        let slots = self.pkcs11.get_all_slots().unwrap_or_default();
        let info = |slot| self.pkcs11.get_slot_info(slot).ok();
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
    }
}

impl Library {
    fn load(path: &Path) -> Result<Self, Error> {
        let refused = |reason: String| Error::Module {
            path: path.into(),
            reason,
        };
        let file = path
            .canonicalize()
            .map_err(|error| refused(error.to_string()))?;

        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = loaded.get(&file) {
            initialize(&library.pkcs11)?;
            return Ok(library.clone());
        }
        let pkcs11 = Pkcs11::new(&file).map_err(|error| refused(error.to_string()))?;
        let raw = Raw::load(&file).map_err(|error| refused(error.to_string()))?;
        initialize(&pkcs11)?;
        let library = Self {
            pkcs11,
            raw: Arc::new(raw),
        };
        // At once: an initialized library must not be unloaded.
        loaded.insert(file, library.clone());
        Ok(library)
    }
}

/// Adopts a module that someone else in the process has initialized.
fn initialize(pkcs11: &Pkcs11) -> Result<(), Error> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
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
