//! For test programs: find the module, make a token in it, put keys there.
//!
//! All of it goes through PKCS#11, as an administrator's tool would.

use crate::behaviour::Behaviour;
use crate::token::CALLS_LABEL;
use crate::{CKK_SM2, CKM_SM2_KEY_PAIR_GEN, sm2};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, Result, RvError};
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
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

/// A token in the test module, made for one test or example.
///
/// It logs in only while it works, so that it is the program under test whose login counts.
#[derive(Debug)]
pub struct TestToken {
    module: Pkcs11,
    slot: Slot,
    label: String,
    pin: AuthPin,
}

impl TestToken {
    /// Initializes a blank token of the module with a label (at most 32 bytes) and a user PIN (4 to
    /// 255 bytes).
    ///
    /// # Errors
    /// What the module answered, or [`Error::InvalidValue`] if [`module_path`] found no module.
    pub fn create(label: &str, pin: &str) -> Result<Self> {
        // Two threads must not take the same blank token.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

        let module = load()?;
        let initialized = module.get_slots_with_initialized_token()?;
        let blank = module
            .get_all_slots()?
            .into_iter()
            .find(|slot| !initialized.contains(slot));
        let token = Self {
            slot: blank.ok_or(Error::NotSupported)?,
            module,
            label: label.into(),
            pin: AuthPin::new(pin.into()),
        };
        let so_pin = AuthPin::new(SO_PIN.into());
        token.module.init_token(token.slot, &so_pin, label)?;
        let session = token.module.open_rw_session(token.slot)?;
        session.login(UserType::So, Some(&so_pin))?;
        session.init_pin(&token.pin)?;
        session.logout()?;
        Ok(token)
    }

    /// The token's label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The token's serial number.
    ///
    /// # Errors
    /// What the module answered.
    pub fn serial(&self) -> Result<String> {
        Ok(self
            .module
            .get_token_info(self.slot)?
            .serial_number()
            .into())
    }

    /// Makes an SM2 key pair in the token and returns its public key, 04 || X || Y in 65 bytes.
    ///
    /// # Errors
    /// What the module answered.
    pub fn generate_sm2(&self, label: &str, id: &[u8]) -> Result<[u8; 65]> {
        let names = [
            Attribute::Token(true),
            Attribute::Label(label.into()),
            Attribute::Id(id.into()),
        ];
        // Luna takes the curve from the public template alone.
        let mut public = names.to_vec();
        public.push(Attribute::EcParams(sm2::EC_PARAMS.into()));
        let kind = MechanismType::new_vendor_defined(CKM_SM2_KEY_PAIR_GEN)?;
        let mechanism = Mechanism::VendorDefined(VendorDefinedMechanism::new::<()>(kind, None));
        self.as_user(|session| {
            let (public, _) = session.generate_key_pair(&mechanism, &public, &names)?;
            point(session, public)
        })
    }

    /// Puts a private SM2 key (32 bytes) into the token and returns its public key, 04 || X || Y in
    /// 65 bytes.
    ///
    /// # Errors
    /// What the module answered.
    pub fn import_sm2(&self, label: &str, id: &[u8], private_key: &[u8; 32]) -> Result<[u8; 65]> {
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::new_vendor_defined(CKK_SM2)?),
            Attribute::Token(true),
            Attribute::Label(label.into()),
            Attribute::Id(id.into()),
            Attribute::EcParams(sm2::EC_PARAMS.into()),
            Attribute::Value(private_key.into()),
        ];
        self.as_user(|session| point(session, session.create_object(&template)?))
    }

    /// Destroys every key object with this label.
    ///
    /// # Errors
    /// What the module answered.
    pub fn destroy(&self, label: &str) -> Result<()> {
        self.as_user(|session| {
            for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
                let template = [Attribute::Class(class), Attribute::Label(label.into())];
                for object in session.find_objects(&template)? {
                    session.destroy_object(object)?;
                }
            }
            Ok(())
        })
    }

    /// Orders a behaviour, in the words of [`Behaviour`]; an empty text is good behaviour.
    ///
    /// # Errors
    /// What the module answered: `CKR_ATTRIBUTE_VALUE_INVALID` for an unknown order.
    pub fn behave(&self, orders: &str) -> Result<()> {
        let session = self.module.open_rw_session(self.slot)?;
        let object = data_object(&session, Behaviour::OBJECT_LABEL)?;
        session.update_attributes(object, &[Attribute::Value(orders.into())])
    }

    /// How often the token saw a call, such as `C_Sign`.
    ///
    /// # Errors
    /// What the module answered.
    pub fn calls(&self, function: &str) -> Result<u64> {
        self.reported(function)
    }

    /// Wrong user PINs since the last right one.
    ///
    /// # Errors
    /// What the module answered.
    pub fn wrong_pins(&self) -> Result<u64> {
        self.reported("wrong user PINs in a row")
    }

    fn reported(&self, name: &str) -> Result<u64> {
        let session = self.module.open_ro_session(self.slot)?;
        let object = data_object(&session, CALLS_LABEL)?;
        let values = session.get_attributes(object, &[AttributeType::Value])?;
        let Some(Attribute::Value(report)) = values.first() else {
            return Err(Error::InvalidValue);
        };
        let line = str::from_utf8(report)?
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix('='));
        Ok(line.unwrap_or("0").trim().parse()?)
    }

    /// Works in a logged-in session, and leaves the login as it was.
    fn as_user<T>(&self, work: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
        let session = self.module.open_rw_session(self.slot)?;
        let ours = match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) => true,
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => false,
            Err(error) => return Err(error),
        };
        let result = work(&session);
        if ours {
            session.logout()?;
        }
        result
    }
}

fn load() -> Result<Pkcs11> {
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

fn data_object(session: &Session, label: &str) -> Result<ObjectHandle> {
    let template = [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Label(label.into()),
    ];
    session
        .find_objects(&template)?
        .first()
        .copied()
        .ok_or(Error::InvalidValue)
}

fn point(session: &Session, key: ObjectHandle) -> Result<[u8; 65]> {
    let values = session.get_attributes(key, &[AttributeType::EcPoint])?;
    let Some(Attribute::EcPoint(point)) = values.first() else {
        return Err(Error::InvalidValue);
    };
    let point = point.strip_prefix(&[0x04, 65]).ok_or(Error::InvalidValue)?;
    Ok(point.try_into()?)
}
