//! PKCS#11 return codes by number and name, and what to do about them.

use std::fmt;

use cryptoki::error::RvError;
use cryptoki_sys::*;

/// A PKCS#11 return code. It is printed by its name in the standard; a vendor's own code by the name
/// that the vendor gave it, where the vendor is known, or else as a number.
///
/// Vendors number their own codes from 0x80000000, each in its own way. So the same number from two
/// vendors is two codes, and one whose vendor is not known equals neither.
///
/// ```
/// use shangmi::hsm::{Ckr, Error};
///
/// fn may_pass(error: &Error) -> bool {
///     matches!(error, Error::Call { code: Ckr::DEVICE_ERROR | Ckr::SESSION_COUNT, .. })
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ckr {
    code: u64,
    /// Whose code it is; [`Vendor::Unknown`] for those of the standard too.
    vendor: Vendor,
}

/// Those whose own codes are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Vendor {
    Unknown,
    Luna,
}

impl Ckr {
    const fn standard(code: u64) -> Self {
        Self {
            code,
            vendor: Vendor::Unknown,
        }
    }

    /// The number, CK_RV.
    pub const fn code(self) -> u64 {
        self.code
    }

    /// Whether the code is a vendor's own, from CKR_VENDOR_DEFINED on.
    pub const fn is_vendor_defined(self) -> bool {
        self.code >= 0x8000_0000
    }

    /// The same code, known to come from this vendor's module.
    pub(super) fn of(self, vendor: Vendor) -> Self {
        match self.is_vendor_defined() {
            true => Self { vendor, ..self },
            false => self,
        }
    }

    /// What a person should do about it, where that is known.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match *self {
            Self::PIN_INCORRECT => {
                "the PIN is wrong and was not tried again: correct it before the token locks"
            }
            Self::PIN_LOCKED => "the PIN is locked: the security officer must reset it",
            Self::PIN_EXPIRED => "the PIN has expired: change it with the vendor's tool first",
            Self::PIN_INVALID | Self::PIN_LEN_RANGE => {
                "the PIN has a length or form that the token refuses"
            }
            Self::USER_PIN_NOT_INITIALIZED => "the token has no user PIN yet: initialize it first",
            Self::USER_TYPE_INVALID => {
                "the token has no such user: the Crypto User is Luna's; others have `x-user=user`"
            }
            Self::USER_ANOTHER_ALREADY_LOGGED_IN | Self::USER_TOO_MANY_TYPES => {
                "this process is logged in as another user: use one user for a token"
            }
            Self::TOKEN_NOT_PRESENT | Self::DEVICE_REMOVED => {
                "the token is gone: check the HSM and its connection"
            }
            Self::DEVICE_ERROR => "the HSM reports a fault of its own: see its log",
            Self::DEVICE_MEMORY => "the HSM has no memory left: close sessions or delete objects",
            Self::FUNCTION_FAILED | Self::GENERAL_ERROR => {
                "the module does not say why: see the vendor's log of the client and the HSM"
            }
            Self::SESSION_COUNT => "the token has no session left: close some, or raise its limit",
            Self::SESSION_HANDLE_INVALID | Self::SESSION_CLOSED => {
                "the session was lost, as after a restart of the HSM or its network: open another"
            }
            Self::CRYPTOKI_NOT_INITIALIZED => {
                "someone in this process called C_Finalize, or this is a fork of the process that \
                 initialized the module"
            }
            Self::MECHANISM_INVALID => {
                "the token does not do this mechanism now: check its firmware and policies (on \
                 Luna, SM2 is not FIPS-approved: HSM policy 12, partition policy 43)"
            }
            Self::MECHANISM_PARAM_INVALID => "the token refuses this hash or padding by policy",
            Self::ATTRIBUTE_TYPE_INVALID => {
                "the token does not know an attribute: is the profile the vendor's?"
            }
            Self::BUFFER_TOO_SMALL => "the value is longer than any that is read here",
            Self::KEY_HANDLE_INVALID | Self::OBJECT_HANDLE_INVALID => {
                "the key was deleted, or its session is another: look it up again"
            }
            Self::KEY_FUNCTION_NOT_PERMITTED => "the key must have CKA_SIGN",
            Self::USER_NOT_LOGGED_IN => "the key needs a login: give a PIN in the URI",
            Self::LUNA_USER_LOCKED_OUT => {
                "too many wrong PINs: the role is locked until the partition SO resets it"
            }
            Self::LUNA_USER_NOT_AUTHORIZED => {
                "the role may not do this: a Crypto User signs, and a Crypto Officer manages keys"
            }
            Self::LUNA_UNABLE_TO_CONNECT => {
                "the Luna client does not reach the appliance: check the network, the NTLS or STC \
                 link and the client's registration"
            }
            Self::LUNA_PARTITION_DISABLED => "the partition is disabled: ask the HSM's SO",
            Self::LUNA_TIMEOUT | Self::LUNA_DEVICE_TIMEOUT => {
                "the HSM did not answer in time: see its load, and ReceiveTimeout in Chrystoki.conf"
            }
            Self::LUNA_ECC_UNKNOWN_CURVE => {
                "the firmware does not know the curve: SM2 needs a recent firmware 7"
            }
            Self::LUNA_OPERATION_NOT_ALLOWED => {
                "a policy forbids it: see the HSM's and the partition's policies"
            }
            Self::LUNA_CHALLENGE_INCORRECT => {
                "the challenge secret, which is the PIN of a PED partition, is wrong and was not \
                 tried again: correct it before the role locks"
            }
            Self::LUNA_HSM_TAMPERED => {
                "the HSM reports a tamper: its SO must look at it and clear it"
            }
            Self::LUNA_HSM_RESTART_REQUIRED => "the HSM must be restarted",
            Self::LUNA_KEY_NOT_ACTIVE => "the key is outside of its dates, or is not active",
            _ => return None,
        })
    }
}

impl fmt::Display for Ckr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "code {:#010x}", self.code),
        }
    }
}

impl fmt::Debug for Ckr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! codes {
    ($($name:ident = $code:ident: $binding:ident,)*) => {
        impl Ckr {
            $(
                #[doc = concat!("`", stringify!($code), "`")]
                pub const $name: Self = Self::standard($code as u64);
            )*

            fn standard_name(&self) -> Option<&'static str> {
                match *self {
                    $(Self::$name => Some(stringify!($code)),)*
                    _ => None,
                }
            }
        }

        impl From<RvError> for Ckr {
            fn from(code: RvError) -> Self {
                match code {
                    $(RvError::$binding => Self::$name,)*
                    RvError::VendorDefined(code) | RvError::UnknownErrorCode(code) => {
                        Self::standard(code as u64)
                    }
                }
            }
        }
    };
}

/// A vendor's own codes.
macro_rules! vendor_codes {
    ($vendor:ident, $of:literal: $($name:ident = $shown:literal: $code:literal,)*) => {
        impl Ckr {
            $(
                #[doc = concat!("`", $shown, "` of ", $of, ", ", stringify!($code))]
                pub const $name: Self = Self { code: $code, vendor: Vendor::$vendor };
            )*

            /// The name in the standard, such as `CKR_PIN_INCORRECT`, or the vendor's; `None` for a
            /// code of an unknown vendor.
            pub fn name(&self) -> Option<&'static str> {
                match *self {
                    $(Self::$name => Some($shown),)*
                    _ => self.standard_name(),
                }
            }
        }
    };
}

// From the cryptoki_v2.h of Luna's clients 5.10 and 7.
vendor_codes! {
    Luna, "Thales Luna":
    LUNA_USER_LOCKED_OUT = "CKR_USER_LOCKED_OUT": 0x8000_0007,
    LUNA_USER_NOT_AUTHORIZED = "CKR_USER_NOT_AUTHORIZED": 0x8000_001A,
    LUNA_UNABLE_TO_CONNECT = "CKR_UNABLE_TO_CONNECT": 0x8000_001F,
    LUNA_PARTITION_DISABLED = "CKR_PARTITION_DISABLED": 0x8000_0020,
    LUNA_TIMEOUT = "CKR_TIMEOUT": 0x8000_0024,
    LUNA_ECC_UNKNOWN_CURVE = "CKR_ECC_UNKNOWN_CURVE": 0x8000_0025,
    LUNA_DEVICE_TIMEOUT = "CKR_DEVICE_TIMEOUT": 0x8000_002B,
    LUNA_OPERATION_NOT_ALLOWED = "CKR_OPERATION_NOT_ALLOWED": 0x8000_0030,
    LUNA_CHALLENGE_INCORRECT = "CKR_CHALLENGE_INCORRECT": 0x8000_0067,
    LUNA_HSM_TAMPERED = "CKR_HSM_TAMPERED": 0x8000_0076,
    LUNA_HSM_RESTART_REQUIRED = "CKR_HSM_RESTART_REQUIRED": 0x8000_008D,
    LUNA_KEY_NOT_ACTIVE = "CKR_KEY_NOT_ACTIVE": 0x8000_0136,
}

codes! {
    CANCEL = CKR_CANCEL: Cancel,
    HOST_MEMORY = CKR_HOST_MEMORY: HostMemory,
    SLOT_ID_INVALID = CKR_SLOT_ID_INVALID: SlotIdInvalid,
    GENERAL_ERROR = CKR_GENERAL_ERROR: GeneralError,
    FUNCTION_FAILED = CKR_FUNCTION_FAILED: FunctionFailed,
    ARGUMENTS_BAD = CKR_ARGUMENTS_BAD: ArgumentsBad,
    NO_EVENT = CKR_NO_EVENT: NoEvent,
    NEED_TO_CREATE_THREADS = CKR_NEED_TO_CREATE_THREADS: NeedToCreateThreads,
    CANT_LOCK = CKR_CANT_LOCK: CantLock,
    ATTRIBUTE_READ_ONLY = CKR_ATTRIBUTE_READ_ONLY: AttributeReadOnly,
    ATTRIBUTE_SENSITIVE = CKR_ATTRIBUTE_SENSITIVE: AttributeSensitive,
    ATTRIBUTE_TYPE_INVALID = CKR_ATTRIBUTE_TYPE_INVALID: AttributeTypeInvalid,
    ATTRIBUTE_VALUE_INVALID = CKR_ATTRIBUTE_VALUE_INVALID: AttributeValueInvalid,
    ACTION_PROHIBITED = CKR_ACTION_PROHIBITED: ActionProhibited,
    DATA_INVALID = CKR_DATA_INVALID: DataInvalid,
    DATA_LEN_RANGE = CKR_DATA_LEN_RANGE: DataLenRange,
    DEVICE_ERROR = CKR_DEVICE_ERROR: DeviceError,
    DEVICE_MEMORY = CKR_DEVICE_MEMORY: DeviceMemory,
    DEVICE_REMOVED = CKR_DEVICE_REMOVED: DeviceRemoved,
    ENCRYPTED_DATA_INVALID = CKR_ENCRYPTED_DATA_INVALID: EncryptedDataInvalid,
    ENCRYPTED_DATA_LEN_RANGE = CKR_ENCRYPTED_DATA_LEN_RANGE: EncryptedDataLenRange,
    FUNCTION_CANCELED = CKR_FUNCTION_CANCELED: FunctionCanceled,
    FUNCTION_NOT_PARALLEL = CKR_FUNCTION_NOT_PARALLEL: FunctionNotParallel,
    FUNCTION_NOT_SUPPORTED = CKR_FUNCTION_NOT_SUPPORTED: FunctionNotSupported,
    CURVE_NOT_SUPPORTED = CKR_CURVE_NOT_SUPPORTED: CurveNotSupported,
    KEY_HANDLE_INVALID = CKR_KEY_HANDLE_INVALID: KeyHandleInvalid,
    KEY_SIZE_RANGE = CKR_KEY_SIZE_RANGE: KeySizeRange,
    KEY_TYPE_INCONSISTENT = CKR_KEY_TYPE_INCONSISTENT: KeyTypeInconsistent,
    KEY_NOT_NEEDED = CKR_KEY_NOT_NEEDED: KeyNotNeeded,
    KEY_CHANGED = CKR_KEY_CHANGED: KeyChanged,
    KEY_NEEDED = CKR_KEY_NEEDED: KeyNeeded,
    KEY_INDIGESTIBLE = CKR_KEY_INDIGESTIBLE: KeyIndigestible,
    KEY_FUNCTION_NOT_PERMITTED = CKR_KEY_FUNCTION_NOT_PERMITTED: KeyFunctionNotPermitted,
    KEY_NOT_WRAPPABLE = CKR_KEY_NOT_WRAPPABLE: KeyNotWrappable,
    KEY_UNEXTRACTABLE = CKR_KEY_UNEXTRACTABLE: KeyUnextractable,
    MECHANISM_INVALID = CKR_MECHANISM_INVALID: MechanismInvalid,
    MECHANISM_PARAM_INVALID = CKR_MECHANISM_PARAM_INVALID: MechanismParamInvalid,
    OBJECT_HANDLE_INVALID = CKR_OBJECT_HANDLE_INVALID: ObjectHandleInvalid,
    OPERATION_ACTIVE = CKR_OPERATION_ACTIVE: OperationActive,
    OPERATION_NOT_INITIALIZED = CKR_OPERATION_NOT_INITIALIZED: OperationNotInitialized,
    PIN_INCORRECT = CKR_PIN_INCORRECT: PinIncorrect,
    PIN_INVALID = CKR_PIN_INVALID: PinInvalid,
    PIN_LEN_RANGE = CKR_PIN_LEN_RANGE: PinLenRange,
    PIN_EXPIRED = CKR_PIN_EXPIRED: PinExpired,
    PIN_LOCKED = CKR_PIN_LOCKED: PinLocked,
    SESSION_CLOSED = CKR_SESSION_CLOSED: SessionClosed,
    SESSION_COUNT = CKR_SESSION_COUNT: SessionCount,
    SESSION_HANDLE_INVALID = CKR_SESSION_HANDLE_INVALID: SessionHandleInvalid,
    SESSION_PARALLEL_NOT_SUPPORTED = CKR_SESSION_PARALLEL_NOT_SUPPORTED: SessionParallelNotSupported,
    SESSION_READ_ONLY = CKR_SESSION_READ_ONLY: SessionReadOnly,
    SESSION_EXISTS = CKR_SESSION_EXISTS: SessionExists,
    SESSION_READ_ONLY_EXISTS = CKR_SESSION_READ_ONLY_EXISTS: SessionReadOnlyExists,
    SESSION_READ_WRITE_SO_EXISTS = CKR_SESSION_READ_WRITE_SO_EXISTS: SessionReadWriteSoExists,
    SIGNATURE_INVALID = CKR_SIGNATURE_INVALID: SignatureInvalid,
    SIGNATURE_LEN_RANGE = CKR_SIGNATURE_LEN_RANGE: SignatureLenRange,
    TEMPLATE_INCOMPLETE = CKR_TEMPLATE_INCOMPLETE: TemplateIncomplete,
    TEMPLATE_INCONSISTENT = CKR_TEMPLATE_INCONSISTENT: TemplateInconsistent,
    TOKEN_NOT_PRESENT = CKR_TOKEN_NOT_PRESENT: TokenNotPresent,
    TOKEN_NOT_RECOGNIZED = CKR_TOKEN_NOT_RECOGNIZED: TokenNotRecognized,
    TOKEN_WRITE_PROTECTED = CKR_TOKEN_WRITE_PROTECTED: TokenWriteProtected,
    UNWRAPPING_KEY_HANDLE_INVALID = CKR_UNWRAPPING_KEY_HANDLE_INVALID: UnwrappingKeyHandleInvalid,
    UNWRAPPING_KEY_SIZE_RANGE = CKR_UNWRAPPING_KEY_SIZE_RANGE: UnwrappingKeySizeRange,
    UNWRAPPING_KEY_TYPE_INCONSISTENT = CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT: UnwrappingKeyTypeInconsistent,
    USER_ALREADY_LOGGED_IN = CKR_USER_ALREADY_LOGGED_IN: UserAlreadyLoggedIn,
    USER_NOT_LOGGED_IN = CKR_USER_NOT_LOGGED_IN: UserNotLoggedIn,
    USER_PIN_NOT_INITIALIZED = CKR_USER_PIN_NOT_INITIALIZED: UserPinNotInitialized,
    USER_TYPE_INVALID = CKR_USER_TYPE_INVALID: UserTypeInvalid,
    USER_ANOTHER_ALREADY_LOGGED_IN = CKR_USER_ANOTHER_ALREADY_LOGGED_IN: UserAnotherAlreadyLoggedIn,
    USER_TOO_MANY_TYPES = CKR_USER_TOO_MANY_TYPES: UserTooManyTypes,
    WRAPPED_KEY_INVALID = CKR_WRAPPED_KEY_INVALID: WrappedKeyInvalid,
    WRAPPED_KEY_LEN_RANGE = CKR_WRAPPED_KEY_LEN_RANGE: WrappedKeyLenRange,
    WRAPPING_KEY_HANDLE_INVALID = CKR_WRAPPING_KEY_HANDLE_INVALID: WrappingKeyHandleInvalid,
    WRAPPING_KEY_SIZE_RANGE = CKR_WRAPPING_KEY_SIZE_RANGE: WrappingKeySizeRange,
    WRAPPING_KEY_TYPE_INCONSISTENT = CKR_WRAPPING_KEY_TYPE_INCONSISTENT: WrappingKeyTypeInconsistent,
    RANDOM_SEED_NOT_SUPPORTED = CKR_RANDOM_SEED_NOT_SUPPORTED: RandomSeedNotSupported,
    RANDOM_NO_RNG = CKR_RANDOM_NO_RNG: RandomNoRng,
    DOMAIN_PARAMS_INVALID = CKR_DOMAIN_PARAMS_INVALID: DomainParamsInvalid,
    BUFFER_TOO_SMALL = CKR_BUFFER_TOO_SMALL: BufferTooSmall,
    SAVED_STATE_INVALID = CKR_SAVED_STATE_INVALID: SavedStateInvalid,
    INFORMATION_SENSITIVE = CKR_INFORMATION_SENSITIVE: InformationSensitive,
    STATE_UNSAVEABLE = CKR_STATE_UNSAVEABLE: StateUnsaveable,
    CRYPTOKI_NOT_INITIALIZED = CKR_CRYPTOKI_NOT_INITIALIZED: CryptokiNotInitialized,
    CRYPTOKI_ALREADY_INITIALIZED = CKR_CRYPTOKI_ALREADY_INITIALIZED: CryptokiAlreadyInitialized,
    MUTEX_BAD = CKR_MUTEX_BAD: MutexBad,
    MUTEX_NOT_LOCKED = CKR_MUTEX_NOT_LOCKED: MutexNotLocked,
    NEW_PIN_MODE = CKR_NEW_PIN_MODE: NewPinMode,
    NEXT_OTP = CKR_NEXT_OTP: NextOtp,
    EXCEEDED_MAX_ITERATIONS = CKR_EXCEEDED_MAX_ITERATIONS: ExceededMaxIterations,
    FIPS_SELF_TEST_FAILED = CKR_FIPS_SELF_TEST_FAILED: FipsSelfTestFailed,
    LIBRARY_LOAD_FAILED = CKR_LIBRARY_LOAD_FAILED: LibraryLoadFailed,
    PIN_TOO_WEAK = CKR_PIN_TOO_WEAK: PinTooWeak,
    PUBLIC_KEY_INVALID = CKR_PUBLIC_KEY_INVALID: PublicKeyInvalid,
    FUNCTION_REJECTED = CKR_FUNCTION_REJECTED: FunctionRejected,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_and_numbers_of_the_standard() {
        for (binding, ckr, code, name) in [
            (
                RvError::PinIncorrect,
                Ckr::PIN_INCORRECT,
                0xa0,
                "CKR_PIN_INCORRECT",
            ),
            (
                RvError::DeviceError,
                Ckr::DEVICE_ERROR,
                0x30,
                "CKR_DEVICE_ERROR",
            ),
            (
                RvError::SlotIdInvalid,
                Ckr::SLOT_ID_INVALID,
                3,
                "CKR_SLOT_ID_INVALID",
            ),
        ] {
            assert_eq!(Ckr::from(binding), ckr);
            assert_eq!((ckr.code(), ckr.to_string().as_str()), (code, name));
        }
        assert_eq!(format!("{:?}", Ckr::PIN_LOCKED), "CKR_PIN_LOCKED");
        let vendor = Ckr::from(RvError::VendorDefined(0x8000_0024));
        assert_eq!(vendor.to_string(), "code 0x80000024");
        assert_eq!((vendor.code(), vendor.name()), (0x8000_0024, None));
        assert!(Ckr::PIN_LOCKED.advice().is_some() && vendor.advice().is_none());
    }

    #[test]
    fn vendors_codes_have_names_where_the_vendor_is_known() {
        let unknown = Ckr::from(RvError::VendorDefined(0x8000_001F));
        let luna = unknown.of(Vendor::Luna);
        assert_eq!(luna, Ckr::LUNA_UNABLE_TO_CONNECT);
        assert_ne!(luna, unknown);
        assert_eq!(luna.to_string(), "CKR_UNABLE_TO_CONNECT");
        assert_eq!(luna.code(), unknown.code());
        assert!(luna.advice().is_some_and(|advice| advice.contains("NTLS")));
        let other = Ckr::from(RvError::VendorDefined(0x8000_0999)).of(Vendor::Luna);
        assert_eq!(other.to_string(), "code 0x80000999");
        // The standard's codes are everyone's.
        assert_eq!(Ckr::PIN_LOCKED.of(Vendor::Luna), Ckr::PIN_LOCKED);
    }
}
