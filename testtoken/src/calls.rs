//! The C boundary: each function turns pointers into values, and panics and errors into CKR codes.
//!
//! All of them are `unsafe extern "C"`; their contract is that of PKCS#11 2.40, section 5: a pointer is
//! null or valid for the length that comes with it, for the duration of the call.
#![allow(non_snake_case)]

use crate::module::{self, MAX_SESSIONS, Module, Session};
use crate::objects::{Attributes, Object};
use crate::token::{PIN_LENGTHS, Token};
use crate::{CKM_SM2_KEY_PAIR_GEN, CKM_SM2DSA, Result, sm2};
use cryptoki_sys::*;
use std::os::raw::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

const VERSION: CK_VERSION = CK_VERSION { major: 0, minor: 1 };

// ---- general purpose, 5.4 ----

pub(crate) unsafe extern "C" fn C_Initialize(args: *mut c_void) -> CK_RV {
    boundary(|| {
        // SAFETY: null or CK_C_INITIALIZE_ARGS, by the contract of this module's functions.
        if let Some(args) = unsafe { args.cast::<CK_C_INITIALIZE_ARGS>().as_ref() } {
            if !args.pReserved.is_null() {
                return Err(CKR_ARGUMENTS_BAD);
            }
            if args.CreateMutex.is_some() && args.flags & CKF_OS_LOCKING_OK == 0 {
                return Err(CKR_CANT_LOCK);
            }
        }
        module::lock().initialize()
    })
}

pub(crate) unsafe extern "C" fn C_Finalize(reserved: *mut c_void) -> CK_RV {
    with_module(|module| {
        if !reserved.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        module.finalize();
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn C_GetInfo(info: *mut CK_INFO) -> CK_RV {
    with_module(|_| {
        let value = CK_INFO {
            cryptokiVersion: CK_VERSION {
                major: 2,
                minor: 40,
            },
            manufacturerID: padded("SafeNet"),
            flags: 0,
            libraryDescription: padded("Chrystoki"),
            libraryVersion: VERSION,
        };
        // SAFETY: by the contract of this module's functions.
        unsafe { write(info, value) }
    })
}

// ---- slots and tokens, 5.5 ----

pub(crate) unsafe extern "C" fn C_GetSlotList(
    _token_present: CK_BBOOL,
    list: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: by the contract of this module's functions.
    with_module(|module| unsafe { write_list(&module.slots(), list, count) })
}

pub(crate) unsafe extern "C" fn C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) -> CK_RV {
    with_module(|module| {
        module.token(slot, "C_GetSlotInfo")?;
        let value = CK_SLOT_INFO {
            slotDescription: padded("shangmi test slot"),
            manufacturerID: padded("shangmi"),
            flags: CKF_TOKEN_PRESENT,
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
    with_module(|module| {
        let (sessions, rw_sessions) = (module.session_count(slot), module.rw_session_count(slot));
        let token = module.token(slot, "C_GetTokenInfo")?;
        let value = CK_TOKEN_INFO {
            label: token.label,
            manufacturerID: padded("shangmi"),
            model: padded("shangmi test"),
            serialNumber: token.serial,
            flags: token.flags(),
            ulMaxSessionCount: MAX_SESSIONS as CK_ULONG,
            ulSessionCount: sessions as CK_ULONG,
            ulMaxRwSessionCount: MAX_SESSIONS as CK_ULONG,
            ulRwSessionCount: rw_sessions as CK_ULONG,
            ulMaxPinLen: *PIN_LENGTHS.end() as CK_ULONG,
            ulMinPinLen: *PIN_LENGTHS.start() as CK_ULONG,
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
    with_module(|module| {
        let behaviour = module.token(slot, "C_GetMechanismList")?.behaviour;
        let mechanisms: Vec<_> = module::mechanisms(behaviour)
            .into_iter()
            .map(|(mechanism, _)| mechanism)
            .collect();
        // SAFETY: by the contract of this module's functions.
        unsafe { write_list(&mechanisms, list, count) }
    })
}

pub(crate) unsafe extern "C" fn C_GetMechanismInfo(
    slot: CK_SLOT_ID,
    kind: CK_MECHANISM_TYPE,
    info: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    with_module(|module| {
        let behaviour = module.token(slot, "C_GetMechanismInfo")?.behaviour;
        let (_, flags) = module::mechanisms(behaviour)
            .into_iter()
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
    with_module(|module| {
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
    with_module(|module| {
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
    with_module(|module| {
        module.session(session, "C_CloseSession")?;
        module.end_session(session);
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn C_CloseAllSessions(slot: CK_SLOT_ID) -> CK_RV {
    with_module(|module| {
        module.token(slot, "C_CloseAllSessions")?;
        module.end_sessions(slot);
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
            slotID: session.slot,
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
        token.login(user, unsafe { slice(pin, pin_len)? })
    })
}

pub(crate) unsafe extern "C" fn C_Logout(session: CK_SESSION_HANDLE) -> CK_RV {
    with_module(|module| module.logout(session))
}

// ---- objects, 5.7 ----

pub(crate) unsafe extern "C" fn C_CreateObject(
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    object: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let handle = session;
    with_session(session, "C_CreateObject", |session, token| {
        // SAFETY: by the contract of this module's functions.
        let template = unsafe { attributes(template, count)? };
        let new = session.store(handle, token, Object::create(template)?)?;
        // SAFETY: by the contract of this module's functions.
        unsafe { write(object, new) }
    })
}

pub(crate) unsafe extern "C" fn C_DestroyObject(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
) -> CK_RV {
    with_session(session, "C_DestroyObject", |session, token| {
        session.may_write(token, token.object(object)?)?;
        token.destroy(object)
    })
}

pub(crate) unsafe extern "C" fn C_GetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    with_session(session, "C_GetAttributeValue", |_, token| {
        let object = token.object(object)?;
        if template.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        // SAFETY: by the contract of this module's functions; the caller shares the array with nobody.
        let template = unsafe { std::slice::from_raw_parts_mut(template, count as usize) };
        let mut result = Ok(());
        for wanted in template {
            let value = match object.attribute(wanted.type_) {
                Ok(value) => value,
                Err(code) => {
                    wanted.ulValueLen = CK_UNAVAILABLE_INFORMATION;
                    result = Err(code);
                    continue;
                }
            };
            if !wanted.pValue.is_null() {
                if wanted.ulValueLen < value.len() as CK_ULONG {
                    wanted.ulValueLen = CK_UNAVAILABLE_INFORMATION;
                    result = Err(CKR_BUFFER_TOO_SMALL);
                    continue;
                }
                // SAFETY: the buffer holds at least ulValueLen bytes, and it is not ours.
                unsafe { copy(value, wanted.pValue.cast()) };
            }
            wanted.ulValueLen = value.len() as CK_ULONG;
        }
        result
    })
}

pub(crate) unsafe extern "C" fn C_SetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    with_session(session, "C_SetAttributeValue", |session, token| {
        if !session.read_write {
            return Err(CKR_SESSION_READ_ONLY);
        }
        // SAFETY: by the contract of this module's functions.
        token.set_attributes(object, unsafe { attributes(template, count)? })
    })
}

pub(crate) unsafe extern "C" fn C_FindObjectsInit(
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    with_session(session, "C_FindObjectsInit", |session, token| {
        if session.found.is_some() {
            return Err(CKR_OPERATION_ACTIVE);
        }
        token.publish_calls();
        // SAFETY: by the contract of this module's functions.
        session.found = Some(token.find(&unsafe { attributes(template, count)? }));
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn C_FindObjects(
    session: CK_SESSION_HANDLE,
    objects: *mut CK_OBJECT_HANDLE,
    max: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    with_session(session, "C_FindObjects", |session, _| {
        let found = session
            .found
            .as_mut()
            .ok_or(CKR_OPERATION_NOT_INITIALIZED)?;
        if objects.is_null() || count.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        let part: Vec<_> = found.drain(..found.len().min(max as usize)).collect();
        // SAFETY: by the contract of this module's functions; `part` has at most `max` handles.
        unsafe {
            copy(&part, objects);
            write(count, part.len() as CK_ULONG)
        }
    })
}

pub(crate) unsafe extern "C" fn C_FindObjectsFinal(session: CK_SESSION_HANDLE) -> CK_RV {
    with_session(session, "C_FindObjectsFinal", |session, _| {
        session
            .found
            .take()
            .map(drop)
            .ok_or(CKR_OPERATION_NOT_INITIALIZED)
    })
}

// ---- signatures, 5.11 ----

pub(crate) unsafe extern "C" fn C_SignInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    with_session(session, "C_SignInit", |session, token| {
        if session.signing.is_some() {
            return Err(CKR_OPERATION_ACTIVE);
        }
        // SAFETY: by the contract of this module's functions.
        let mechanism = unsafe { mechanism.as_ref() }.ok_or(CKR_ARGUMENTS_BAD)?;
        if mechanism.mechanism != CKM_SM2DSA || token.behaviour.without_sm2dsa {
            return Err(CKR_MECHANISM_INVALID);
        }
        if mechanism.ulParameterLen != 0 {
            return Err(CKR_MECHANISM_PARAM_INVALID);
        }
        let key = token.object(key).map_err(|_| CKR_KEY_HANDLE_INVALID)?;
        session.signing = Some(key.signing_key()?);
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn C_Sign(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    data_len: CK_ULONG,
    signature: *mut CK_BYTE,
    signature_len: *mut CK_ULONG,
) -> CK_RV {
    boundary(|| {
        let (key, behaviour) = {
            let mut module = module::lock();
            let (session, token) = module.ready()?.session(session, "C_Sign")?;
            let key = session
                .signing
                .take()
                .ok_or(CKR_OPERATION_NOT_INITIALIZED)?;
            // SAFETY: by the contract of this module's functions.
            let room = unsafe { signature_len.as_ref() }.ok_or(CKR_ARGUMENTS_BAD)?;
            let longest = if token.behaviour.der {
                sm2::MAX_SIGNATURE
            } else {
                64
            };
            if signature.is_null() || *room < longest as CK_ULONG {
                // A question for the length, or a buffer too small: the operation goes on.
                session.signing = Some(key);
                // SAFETY: by the contract of this module's functions.
                unsafe { write(signature_len, longest as CK_ULONG)? };
                return if signature.is_null() {
                    Ok(())
                } else {
                    Err(CKR_BUFFER_TOO_SMALL)
                };
            }
            (key, token.behaviour)
        };
        // The lock is free by now: sessions sign side by side.
        // SAFETY: by the contract of this module's functions.
        let e = unsafe { slice(data, data_len)? };
        if e.len() != 32 {
            return Err(CKR_DATA_LEN_RANGE);
        }
        let answer = sm2::sign(&key, e, behaviour)?;
        // SAFETY: the buffer has room for the longest signature, checked above.
        unsafe {
            copy(&answer, signature);
            write(signature_len, answer.len() as CK_ULONG)
        }
    })
}

// ---- keys and random numbers, 5.13 and 5.14 ----

pub(crate) unsafe extern "C" fn C_GenerateKeyPair(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    public: *mut CK_ATTRIBUTE,
    public_count: CK_ULONG,
    private: *mut CK_ATTRIBUTE,
    private_count: CK_ULONG,
    public_key: *mut CK_OBJECT_HANDLE,
    private_key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let handle = session;
    with_session(session, "C_GenerateKeyPair", |session, token| {
        // SAFETY: by the contract of this module's functions.
        let mechanism = unsafe { mechanism.as_ref() }.ok_or(CKR_ARGUMENTS_BAD)?;
        if mechanism.mechanism != CKM_SM2_KEY_PAIR_GEN {
            return Err(CKR_MECHANISM_INVALID);
        }
        if public_key.is_null() || private_key.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        // SAFETY: by the contract of this module's functions.
        let (public, private) = unsafe {
            (
                attributes(public, public_count)?,
                attributes(private, private_count)?,
            )
        };
        let (public, private) = Object::generate_pair(public, private)?;
        session.may_write(token, &public)?;
        session.may_write(token, &private)?;
        // SAFETY: by the contract of this module's functions.
        unsafe {
            write(public_key, session.store(handle, token, public)?)?;
            write(private_key, session.store(handle, token, private)?)
        }
    })
}

pub(crate) unsafe extern "C" fn C_GenerateRandom(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    len: CK_ULONG,
) -> CK_RV {
    with_session(session, "C_GenerateRandom", |_, _| {
        let mut bytes = vec![0; len as usize];
        sm2::random(&mut bytes)?;
        if data.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        // SAFETY: by the contract of this module's functions.
        unsafe { copy(&bytes, data) };
        Ok(())
    })
}

// ---- the boundary itself ----

/// No panic crosses into C, and every error becomes its code.
fn boundary(call: impl FnOnce() -> Result<()>) -> CK_RV {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => CKR_OK,
        Ok(Err(code)) => code,
        Err(_) => CKR_GENERAL_ERROR,
    }
}

fn with_module(call: impl FnOnce(&mut Module) -> Result<()>) -> CK_RV {
    boundary(|| call(module::lock().ready()?))
}

fn with_session(
    handle: CK_SESSION_HANDLE,
    function: &'static str,
    call: impl FnOnce(&mut Session, &mut Token) -> Result<()>,
) -> CK_RV {
    with_module(|module| {
        let (session, token) = module.session(handle, function)?;
        call(session, token)
    })
}

/// # Safety
/// `data` is null or valid for reading `len` values while the call lasts.
unsafe fn slice<'a, T>(data: *const T, len: CK_ULONG) -> Result<&'a [T]> {
    match (data.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(CKR_ARGUMENTS_BAD),
        // SAFETY: by the contract of this function.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(data, len as usize) }),
    }
}

/// # Safety
/// `template` is null or an array of `count` attributes, each with a value of the length it tells.
unsafe fn attributes(template: *const CK_ATTRIBUTE, count: CK_ULONG) -> Result<Attributes> {
    // SAFETY: by the contract of this function.
    let template = unsafe { slice(template, count)? };
    let mut attributes = Attributes::new();
    for attribute in template {
        // SAFETY: by the contract of this function.
        let value = unsafe { slice(attribute.pValue.cast::<u8>(), attribute.ulValueLen)? };
        if attributes.insert(attribute.type_, value.to_vec()).is_some() {
            return Err(CKR_TEMPLATE_INCONSISTENT);
        }
    }
    Ok(attributes)
}

/// # Safety
/// `place` is null or valid for writing a `T`.
unsafe fn write<T>(place: *mut T, value: T) -> Result<()> {
    if place.is_null() {
        return Err(CKR_ARGUMENTS_BAD);
    }
    // SAFETY: by the contract of this function.
    unsafe { place.write(value) };
    Ok(())
}

/// # Safety
/// `to` is valid for writing as many values as `from` has.
unsafe fn copy<T: Copy>(from: &[T], to: *mut T) {
    // SAFETY: by the contract of this function; what the caller gave is not inside our own memory.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
}

/// The convention of functions that return lists: a null `list` asks for the count.
///
/// # Safety
/// `count` is null or valid; `list` is null or valid for writing `*count` values.
unsafe fn write_list<T: Copy>(values: &[T], list: *mut T, count: *mut CK_ULONG) -> Result<()> {
    // SAFETY: by the contract of this function.
    let room = *unsafe { count.as_ref() }.ok_or(CKR_ARGUMENTS_BAD)?;
    // SAFETY: by the contract of this function.
    unsafe { write(count, values.len() as CK_ULONG)? };
    if list.is_null() {
        return Ok(());
    }
    if room < values.len() as CK_ULONG {
        return Err(CKR_BUFFER_TOO_SMALL);
    }
    // SAFETY: there is room for all of them, checked above.
    unsafe { copy(values, list) };
    Ok(())
}

/// Text as PKCS#11 has it: padded with blanks, without a final zero.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
    field
}
