//! For test programs: find the module, make a token in it, put keys there.
//!
//! A token is made through PKCS#11, as an administrator's tool would; keys are put there by order,
//! so that it works under every profile and counts as no login.

use crate::OrderError;
use crate::control::{CONTROL, Control};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use cryptoki_sys::{CKR_ARGUMENTS_BAD, CKR_OK};
use libloading::Library;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{env, io};

const SO_PIN: &str = "security officer of the test token";

/// The module that cargo built beside the running test, example or program.
///
/// Fails with [`io::ErrorKind::NotFound`] if there is none, which means that the program was moved
/// away from cargo's target directory.
pub fn module_path() -> io::Result<PathBuf> {
    let file = format!("{DLL_PREFIX}shangmi_testtoken{DLL_SUFFIX}");
    let program = env::current_exe()?;
    // Tests lie in target/<profile>/deps themselves, programs beside it, examples in a sister of
    // it.
    let found = program
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|folder| [folder.join(&file), folder.join("deps").join(&file)])
        .find(|path| path.is_file());
    found.ok_or_else(|| {
        let message = format!(
            "{file} is not beside {}: run it with cargo",
            program.display()
        );
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// A token in the test module, made for one test or example, and what it is ordered to do.
///
/// It logs in only while it is made, so that it is the program under test whose login counts.
#[derive(Debug)]
pub struct TestToken {
    label: String,
    pub(crate) serial: String,
}

impl TestToken {
    /// Initializes a blank token of the module with a label (at most 32 bytes) and a user PIN (4 to
    /// 255 bytes).
    ///
    /// # Errors
    /// What the module answered, or [`Error::InvalidValue`] if [`module_path`] found no module.
    pub fn create(label: &str, pin: &str) -> Result<Self, Error> {
        // Two threads must not take the same blank token.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

        let module = load()?;
        // The newest first, which is the blank one: others may hang or fail by now.
        let slots = module.get_slots_with_token()?;
        let is_blank = |slot: &Slot| {
            let info = module.get_token_info(*slot);
            info.is_ok_and(|info| !info.token_initialized())
        };
        let slot = slots.into_iter().rev().find(is_blank);
        let slot = slot.ok_or(Error::NotSupported)?;
        let so_pin = AuthPin::new(SO_PIN.into());
        module.init_token(slot, &so_pin, label)?;
        let session = module.open_rw_session(slot)?;
        session.login(UserType::So, Some(&so_pin))?;
        session.init_pin(&AuthPin::new(pin.into()))?;
        session.logout()?;
        Ok(Self {
            label: label.into(),
            serial: module.get_token_info(slot)?.serial_number().into(),
        })
    }

    /// The token's label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The token's serial number, which it keeps wherever it moves.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Makes an SM2 key pair in the token and returns its public key, 04 || X || Y in 65 bytes.
    ///
    /// # Errors
    /// [`OrderError`] for a label with `:` or `;`.
    pub fn generate_sm2(&self, label: &str, id: &[u8]) -> Result<[u8; 65], OrderError> {
        self.make(&format!("key={label}:{}", hex(id)))
    }

    /// Puts an SM2 key pair into the token by its private key (32 bytes) and returns the public
    /// key, 04 || X || Y in 65 bytes.
    ///
    /// # Errors
    /// [`OrderError`] for a label with `:` or `;`, or for a private key outside 1 to n - 2.
    pub fn import_sm2(
        &self,
        label: &str,
        id: &[u8],
        private_key: &[u8; 32],
    ) -> Result<[u8; 65], OrderError> {
        self.make(&format!("key={label}:{}:{}", hex(id), hex(private_key)))
    }

    /// Destroys every key object with this label.
    ///
    /// # Errors
    /// [`OrderError`] for a label with `:` or `;`.
    pub fn destroy(&self, label: &str) -> Result<(), OrderError> {
        self.order(&format!("destroy={label}"))
    }

    fn make(&self, order: &str) -> Result<[u8; 65], OrderError> {
        let refused = || OrderError(order.into());
        let answer = control(&self.serial, "add", order)?;
        let point = answer
            .as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>();
        point
            .and_then(|point| point.try_into().ok())
            .ok_or_else(refused)
    }
}

/// Gives orders to the module that this process has loaded, and takes its answer.
pub(crate) fn control(serial: &str, verb: &str, orders: &str) -> Result<String, OrderError> {
    /// Far more than any report.
    const ROOM: usize = 1 << 16;
    static DOOR: OnceLock<Control> = OnceLock::new();

    let refused = |why: &str| OrderError(format!("{orders}: {why}"));
    let door = match DOOR.get() {
        Some(door) => *door,
        None => {
            let door = open_door().map_err(|why| refused(&why))?;
            *DOOR.get_or_init(|| door)
        }
    };
    let request = format!("{serial}\n{verb}\n{orders}");
    let mut answer = vec![0; ROOM];
    let mut length = answer.len();
    // SAFETY: both are valid for the lengths that go with them.
    let code = unsafe {
        door(
            request.as_ptr(),
            request.len(),
            answer.as_mut_ptr(),
            &mut length,
        )
    };
    answer.truncate(length);
    let answer = String::from_utf8(answer).map_err(|_| refused("no answer"))?;
    match code {
        CKR_OK => Ok(answer),
        CKR_ARGUMENTS_BAD => Err(OrderError(answer)),
        code => Err(refused(&format!("error {code:#x}"))),
    }
}

/// Finds the module's own function, which `cryptoki` has no name for.
fn open_door() -> Result<Control, String> {
    let path = module_path().map_err(|error| error.to_string())?;
    // SAFETY: the module has no initializers. It is the one that `cryptoki` loads, not a second.
    let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
    // SAFETY: the module gives that name to a function of this type.
    let door = unsafe { library.get::<Control>(CONTROL) }.map(|door| *door);
    // Kept for good, so that the function stays where it is.
    std::mem::forget(library);
    door.map_err(|error| error.to_string())
}

fn load() -> Result<Pkcs11, Error> {
    // Kept for good: unloading the library would lose its tokens.
    static LOADED: OnceLock<Pkcs11> = OnceLock::new();
    let module = match LOADED.get() {
        Some(module) => module.clone(),
        None => {
            let module = Pkcs11::new(module_path().map_err(|_| Error::InvalidValue)?)?;
            LOADED.get_or_init(|| module).clone()
        }
    };
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(module),
        Err(error) => Err(error),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
