//! The retry table: what is done about each failure. One function, so that it can be read as one.

use crate::hsm::{Ckr, Error};

/// What a failure calls for, beside a new session, which follows every failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The PIN is at fault, and each try is counted by the token: nothing is tried again, ever.
    Never,
    /// The request or the key is at fault, and the next try would be the same.
    GiveUp,
    /// The session or the device failed: another session may do.
    NewSession,
    /// The login is gone.
    LogIn,
    /// The token is gone, or in another slot.
    FindToken,
    /// Somebody finalized the module.
    Initialize,
    /// The token has no session left: those that are open must do.
    FewerSessions,
}

impl Remedy {
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Call { function, code } => Self::of_code(function, *code),
            Error::PinRefusedBefore { .. } => Self::Never,
            Error::WrongSignature { .. } | Error::SignatureFormat { .. } => Self::NewSession,
            // The binding could not make sense of an answer, which another session may do better.
            Error::Answer { .. } => Self::NewSession,
            Error::Token { .. } => Self::FindToken,
            Error::Thread { .. } => Self::FewerSessions,
            _ => Self::GiveUp,
        }
    }

    fn of_code(function: &str, code: Ckr) -> Self {
        // Vendors' codes mean what they mean to Luna only where Luna gives them.
        let luna_pin = [LUNA_USER_LOCKED_OUT, LUNA_CHALLENGE_INCORRECT].contains(&code.code());
        match code {
            Ckr::PIN_INCORRECT
            | Ckr::PIN_INVALID
            | Ckr::PIN_LEN_RANGE
            | Ckr::PIN_EXPIRED
            | Ckr::PIN_LOCKED
            | Ckr::USER_PIN_NOT_INITIALIZED => Self::Never,
            _ if luna_pin && function == "C_Login" => Self::Never,

            Ckr::USER_NOT_LOGGED_IN => Self::LogIn,
            Ckr::SLOT_ID_INVALID
            | Ckr::TOKEN_NOT_PRESENT
            | Ckr::TOKEN_NOT_RECOGNIZED
            | Ckr::DEVICE_REMOVED => Self::FindToken,
            Ckr::CRYPTOKI_NOT_INITIALIZED => Self::Initialize,
            Ckr::SESSION_COUNT => Self::FewerSessions,

            Ckr::SESSION_CLOSED
            | Ckr::SESSION_HANDLE_INVALID
            | Ckr::DEVICE_ERROR
            | Ckr::DEVICE_MEMORY
            | Ckr::HOST_MEMORY
            | Ckr::GENERAL_ERROR
            | Ckr::FUNCTION_FAILED
            | Ckr::FUNCTION_CANCELED
            | Ckr::CANCEL
            | Ckr::CANT_LOCK
            | Ckr::MUTEX_BAD
            | Ckr::MUTEX_NOT_LOCKED
            // What was active or not in this session is not so in another.
            | Ckr::OPERATION_ACTIVE
            | Ckr::OPERATION_NOT_INITIALIZED
            // Handles last no longer than a login or a session; the key is looked up again.
            | Ckr::KEY_HANDLE_INVALID
            | Ckr::OBJECT_HANDLE_INVALID => Self::NewSession,

            // A vendor's own code, such as Luna's for a lost connection or an expired time limit.
            _ if code.is_vendor_defined() => Self::NewSession,
            _ => Self::GiveUp,
        }
    }

    /// Whether the request met a session of the past, or none at all, so that nothing was signed.
    pub(super) fn is_stale(error: &Error) -> bool {
        let Error::Call { code, .. } = error else {
            return false;
        };
        let lost = [Ckr::SESSION_HANDLE_INVALID, Ckr::SESSION_CLOSED].contains(code);
        let away = matches!(
            Self::of(error),
            Self::LogIn | Self::Initialize | Self::FewerSessions
        );
        lost || away
    }

    /// Whether another session may succeed with the same request.
    pub(super) fn allows_retry(self) -> bool {
        !matches!(self, Self::Never | Self::GiveUp)
    }
}

/// Whether this answer of C_Login says that this PIN is not the user's, so that it must not be sent
/// a second time; a locked or expired PIN may be right, and counts no tries.
pub(super) fn is_wrong_pin(code: Ckr) -> bool {
    matches!(
        code,
        Ckr::PIN_INCORRECT | Ckr::PIN_INVALID | Ckr::PIN_LEN_RANGE
    ) || code.code() == LUNA_CHALLENGE_INCORRECT
}

/// Luna's CKR_USER_LOCKED_OUT.
const LUNA_USER_LOCKED_OUT: u64 = Ckr::LUNA_USER_LOCKED_OUT.code();
/// Luna's CKR_CHALLENGE_INCORRECT, for the secret of a partition with a PED.
const LUNA_CHALLENGE_INCORRECT: u64 = Ckr::LUNA_CHALLENGE_INCORRECT.code();

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;
    use cryptoki::error::RvError;

    use super::*;

    fn remedy(function: Function, code: RvError) -> Remedy {
        Remedy::of(&Error::call(function, code))
    }

    #[test]
    fn each_row_of_the_table() {
        for (expected, codes) in [
            (
                Remedy::Never,
                &[
                    RvError::PinIncorrect,
                    RvError::PinInvalid,
                    RvError::PinLenRange,
                    RvError::PinExpired,
                    RvError::PinLocked,
                    RvError::UserPinNotInitialized,
                ][..],
            ),
            (Remedy::LogIn, &[RvError::UserNotLoggedIn]),
            (
                Remedy::FindToken,
                &[
                    RvError::SlotIdInvalid,
                    RvError::TokenNotPresent,
                    RvError::TokenNotRecognized,
                    RvError::DeviceRemoved,
                ],
            ),
            (Remedy::Initialize, &[RvError::CryptokiNotInitialized]),
            (Remedy::FewerSessions, &[RvError::SessionCount]),
            (
                Remedy::NewSession,
                &[
                    RvError::SessionClosed,
                    RvError::SessionHandleInvalid,
                    RvError::DeviceError,
                    RvError::DeviceMemory,
                    RvError::HostMemory,
                    RvError::GeneralError,
                    RvError::FunctionFailed,
                    RvError::FunctionCanceled,
                    RvError::Cancel,
                    RvError::CantLock,
                    RvError::MutexBad,
                    RvError::MutexNotLocked,
                    RvError::OperationActive,
                    RvError::OperationNotInitialized,
                    RvError::KeyHandleInvalid,
                    RvError::ObjectHandleInvalid,
                    // Luna: UNABLE_TO_CONNECT, TIMEOUT, DEVICE_TIMEOUT.
                    RvError::VendorDefined(0x8000_001f),
                    RvError::VendorDefined(0x8000_0024),
                    RvError::VendorDefined(0x8000_002b),
                ],
            ),
            (
                Remedy::GiveUp,
                &[
                    RvError::MechanismInvalid,
                    RvError::MechanismParamInvalid,
                    RvError::KeyFunctionNotPermitted,
                    RvError::KeyTypeInconsistent,
                    RvError::DataLenRange,
                    RvError::ArgumentsBad,
                    RvError::FunctionNotSupported,
                    RvError::UserTypeInvalid,
                    RvError::UserAnotherAlreadyLoggedIn,
                ],
            ),
        ] {
            for code in codes {
                assert_eq!(remedy(Function::Sign, *code), expected, "{code:?}");
                assert_eq!(
                    expected.allows_retry(),
                    !matches!(expected, Remedy::Never | Remedy::GiveUp)
                );
            }
        }
    }

    #[test]
    fn stale_sessions_are_told_from_failed_signatures() {
        for code in [
            RvError::UserNotLoggedIn,
            RvError::SessionHandleInvalid,
            RvError::SessionClosed,
            RvError::SessionCount,
            RvError::CryptokiNotInitialized,
        ] {
            assert!(Remedy::is_stale(&Error::call(Function::SignInit, code)));
        }
        for code in [RvError::DeviceError, RvError::PinExpired] {
            assert!(!Remedy::is_stale(&Error::call(Function::Sign, code)));
        }
    }

    #[test]
    fn vendors_codes_are_about_the_pin_only_at_login() {
        for code in [0x8000_0007, 0x8000_0067].map(RvError::VendorDefined) {
            assert_eq!(remedy(Function::Login, code), Remedy::Never);
            assert_eq!(remedy(Function::Sign, code), Remedy::NewSession);
        }
    }

    #[test]
    fn only_a_wrong_pin_is_remembered() {
        assert!(is_wrong_pin(Ckr::PIN_INCORRECT));
        assert!(is_wrong_pin(RvError::VendorDefined(0x8000_0067).into()));
        for other in [Ckr::PIN_LOCKED, Ckr::PIN_EXPIRED, Ckr::DEVICE_ERROR] {
            assert!(!is_wrong_pin(other));
        }
    }

    #[test]
    fn failures_without_a_code() {
        let mechanism = String::new();
        let wrong = Error::SignatureFormat {
            mechanism,
            length: 3,
        };
        assert_eq!(Remedy::of(&wrong), Remedy::NewSession);
        let token = String::new();
        let refused = Error::PinRefusedBefore { token };
        assert_eq!(Remedy::of(&refused), Remedy::Never);
        assert_eq!(Remedy::of(&Error::Forked), Remedy::GiveUp);
    }
}
