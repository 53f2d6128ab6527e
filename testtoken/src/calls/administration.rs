//! Calls about the module, its tokens and sessions (PKCS#11 2.40, 5.4 to 5.6).
#![allow(non_snake_case)]

use super::{
    padded, slice, with_library, with_module, with_session, with_token, write, write_list,
};
use crate::gate::Target;
use crate::pin;
use cryptoki_sys::*;
use std::os::raw::c_void;

const VERSION: CK_VERSION = CK_VERSION { major: 0, minor: 1 };

// ---- general purpose, 5.4 ----

pub(crate) unsafe extern "C" fn C_Initialize(args: *mut c_void) -> CK_RV {
    with_library("C_Initialize", |module| {
        // SAFETY: null or CK_C_INITIALIZE_ARGS, by the contract of this module's functions.
        if let Some(args) = unsafe { args.cast::<CK_C_INITIALIZE_ARGS>().as_ref() } {
            if !args.pReserved.is_null() {
                return Err(CKR_ARGUMENTS_BAD);
            }
            if args.CreateMutex.is_some() && args.flags & CKF_OS_LOCKING_OK == 0 {
                return Err(CKR_CANT_LOCK);
            }
        }
        module.initialize()
    })
}

pub(crate) unsafe extern "C" fn C_Finalize(reserved: *mut c_void) -> CK_RV {
    with_library("C_Finalize", |module| {
        if !reserved.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        module.finalize();
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn C_GetInfo(info: *mut CK_INFO) -> CK_RV {
    with_library("C_GetInfo", |module| {
        let value = CK_INFO {
            cryptokiVersion: CK_VERSION {
                major: 2,
                minor: 40,
            },
            manufacturerID: padded(module.profile.manufacturer()),
            flags: 0,
            libraryDescription: padded(module.profile.description()),
            libraryVersion: VERSION,
        };
        // SAFETY: by the contract of this module's functions.
        unsafe { write(info, value) }
    })
}

// ---- slots and tokens, 5.5 ----

pub(crate) unsafe extern "C" fn C_GetSlotList(
    token_present: CK_BBOOL,
    list: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: by the contract of this module's functions.
    with_library("C_GetSlotList", |module| unsafe {
        write_list(&module.slots(token_present != CK_FALSE), list, count)
    })
}

pub(crate) unsafe extern "C" fn C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) -> CK_RV {
    with_token(slot, "C_GetSlotInfo", |token| {
        let present = match token.presence.is_present() {
            true => CKF_TOKEN_PRESENT,
            false => 0,
        };
        let value = CK_SLOT_INFO {
            slotDescription: padded("shangmi test slot"),
            manufacturerID: padded("shangmi"),
            flags: CKF_REMOVABLE_DEVICE | present,
            hardwareVersion: VERSION,
            firmwareVersion: VERSION,
        };
        // SAFETY: by the contract of this module's functions.
        unsafe { write(info, value) }
    })
}

pub(crate) unsafe extern "C" fn C_GetTokenInfo(
    slot: CK_SLOT_ID,
    info: *mut CK_TOKEN_INFO,
) -> CK_RV {
    with_module("C_GetTokenInfo", Target::Slot(slot), |module| {
        let id = module.token(slot)?.id;
        let (sessions, rw_sessions) = module.session_counts(id);
        let token = module.token(slot)?;
        if token.faults.info_fails {
            return Err(CKR_DEVICE_ERROR);
        }
        let limit = token.faults.session_limit;
        let limit = limit.map_or(CK_EFFECTIVELY_INFINITE, |limit| limit as CK_ULONG);
        let value = CK_TOKEN_INFO {
            label: token.label,
            manufacturerID: padded("shangmi"),
            model: padded("shangmi test"),
            serialNumber: padded(&token.serial()),
            flags: token.flags(),
            ulMaxSessionCount: limit,
            ulSessionCount: sessions as CK_ULONG,
            ulMaxRwSessionCount: limit,
            ulRwSessionCount: rw_sessions as CK_ULONG,
            ulMaxPinLen: *pin::LENGTHS.end() as CK_ULONG,
            ulMinPinLen: *pin::LENGTHS.start() as CK_ULONG,
            ulTotalPublicMemory: CK_UNAVAILABLE_INFORMATION,
            ulFreePublicMemory: CK_UNAVAILABLE_INFORMATION,
            ulTotalPrivateMemory: CK_UNAVAILABLE_INFORMATION,
            ulFreePrivateMemory: CK_UNAVAILABLE_INFORMATION,
            hardwareVersion: VERSION,
            firmwareVersion: VERSION,
            utcTime: padded(""),
        };
        // SAFETY: by the contract of this module's functions.
        unsafe { write(info, value) }
    })
}

pub(crate) unsafe extern "C" fn C_GetMechanismList(
    slot: CK_SLOT_ID,
    list: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> CK_RV {
    with_token(slot, "C_GetMechanismList", |token| {
        let mechanisms = token.mechanisms().into_iter();
        let mechanisms: Vec<_> = mechanisms.map(|(mechanism, _)| mechanism).collect();
        // SAFETY: by the contract of this module's functions.
        unsafe { write_list(&mechanisms, list, count) }
    })
}

pub(crate) unsafe extern "C" fn C_GetMechanismInfo(
    slot: CK_SLOT_ID,
    kind: CK_MECHANISM_TYPE,
    info: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    with_token(slot, "C_GetMechanismInfo", |token| {
        let mut mechanisms = token.mechanisms().into_iter();
        let (_, flags) = mechanisms
            .find(|(mechanism, _)| *mechanism == kind)
            .ok_or(CKR_MECHANISM_INVALID)?;
        let value = CK_MECHANISM_INFO {
            ulMinKeySize: 256,
            ulMaxKeySize: 256,
            flags,
        };
        // SAFETY: by the contract of this module's functions.
        unsafe { write(info, value) }
    })
}

pub(crate) unsafe extern "C" fn C_InitToken(
    slot: CK_SLOT_ID,
    pin: *mut CK_UTF8CHAR,
    pin_len: CK_ULONG,
    label: *mut CK_UTF8CHAR,
) -> CK_RV {
    with_module("C_InitToken", Target::Slot(slot), |module| {
        // SAFETY: by the contract of this module's functions; a label is 32 bytes.
        let (pin, label) = unsafe { (slice(pin, pin_len)?, slice(label, 32)?) };
        module.init_token(slot, pin, label.try_into().map_err(|_| CKR_ARGUMENTS_BAD)?)
    })
}

pub(crate) unsafe extern "C" fn C_InitPIN(
    session: CK_SESSION_HANDLE,
    pin: *mut CK_UTF8CHAR,
    pin_len: CK_ULONG,
) -> CK_RV {
    with_session(session, "C_InitPIN", |_, token| {
        // SAFETY: by the contract of this module's functions.
        token.init_pin(unsafe { slice(pin, pin_len)? })
    })
}

pub(crate) unsafe extern "C" fn C_SetPIN(
    session: CK_SESSION_HANDLE,
    old: *mut CK_UTF8CHAR,
    old_len: CK_ULONG,
    new: *mut CK_UTF8CHAR,
    new_len: CK_ULONG,
) -> CK_RV {
    with_session(session, "C_SetPIN", |session, token| {
        if !session.read_write {
            return Err(CKR_SESSION_READ_ONLY);
        }
        // SAFETY: by the contract of this module's functions.
        unsafe { token.set_pin(slice(old, old_len)?, slice(new, new_len)?) }
    })
}

// ---- sessions, 5.6 ----

pub(crate) unsafe extern "C" fn C_OpenSession(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    _application: *mut c_void,
    _notify: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    with_module("C_OpenSession", Target::Slot(slot), |module| {
        if flags & CKF_SERIAL_SESSION == 0 {
            return Err(CKR_SESSION_PARALLEL_NOT_SUPPORTED);
        }
        if session.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        let handle = module.open_session(slot, flags & CKF_RW_SESSION != 0)?;
        // SAFETY: by the contract of this module's functions.
        unsafe { write(session, handle) }
    })
}

pub(crate) unsafe extern "C" fn C_CloseSession(session: CK_SESSION_HANDLE) -> CK_RV {
    with_module("C_CloseSession", Target::Session(session), |module| {
        module.end_session(session);
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn C_CloseAllSessions(slot: CK_SLOT_ID) -> CK_RV {
    with_module("C_CloseAllSessions", Target::Slot(slot), |module| {
        let token = module.token(slot)?.id;
        module.end_sessions(token);
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn C_GetSessionInfo(
    session: CK_SESSION_HANDLE,
    info: *mut CK_SESSION_INFO,
) -> CK_RV {
    with_session(session, "C_GetSessionInfo", |session, token| {
        let rw = if session.read_write {
            CKF_RW_SESSION
        } else {
            0
        };
        let value = CK_SESSION_INFO {
            slotID: token.slot,
            state: session.state(token),
            flags: CKF_SERIAL_SESSION | rw,
            ulDeviceError: 0,
        };
        // SAFETY: by the contract of this module's functions.
        unsafe { write(info, value) }
    })
}

pub(crate) unsafe extern "C" fn C_Login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    pin_len: CK_ULONG,
) -> CK_RV {
    with_session(session, "C_Login", |session, token| {
        if user == CKU_SO && !session.read_write {
            return Err(CKR_SESSION_READ_ONLY_EXISTS);
        }
        // SAFETY: by the contract of this module's functions.
        let given = unsafe { slice(pin, pin_len)? };
        token.login(user, (!pin.is_null()).then_some(given))
    })
}

pub(crate) unsafe extern "C" fn C_Logout(session: CK_SESSION_HANDLE) -> CK_RV {
    with_module("C_Logout", Target::Session(session), |module| {
        module.logout(session)
    })
}
