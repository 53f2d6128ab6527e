//! PKCS#11 modules: each file is loaded once in a process and stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as CryptokiError, RvError};

use super::profile::Profile;
use super::raw::Raw;
use crate::hsm::Error;

/// A loaded and initialized module.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub(super) pkcs11: Pkcs11,
    pub(super) raw: Arc<Raw>,
    pub(super) profile: Option<Profile>,
}

/// C_Finalize is never called: the module is the process's, and others may use it too.
static LOADED: Mutex<BTreeMap<PathBuf, Module>> = Mutex::new(BTreeMap::new());

impl Module {
    /// Loads the module, or takes the one that is loaded.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let refused = |reason: String| Error::Module {
            path: path.into(),
            reason,
        };
        let file = path
            .canonicalize()
            .map_err(|error| refused(error.to_string()))?;

        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(&file) {
            initialize(&module.pkcs11)?;
            return Ok(module.clone());
        }
        let pkcs11 = Pkcs11::new(&file).map_err(|error| refused(error.to_string()))?;
        let raw = Raw::load(&file).map_err(|error| refused(error.to_string()))?;
        initialize(&pkcs11)?;
        let profile = Profile::of(&pkcs11.get_library_info()?);
        let module = Self {
            pkcs11,
            raw: Arc::new(raw),
            profile,
        };
        loaded.insert(file, module.clone());
        Ok(module)
    }
}

/// Adopts a module that someone else in the process has initialized.
fn initialize(pkcs11: &Pkcs11) -> Result<(), Error> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
