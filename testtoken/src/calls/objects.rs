//! Calls about objects (PKCS#11 2.40, 5.7).
#![allow(non_snake_case)]

use super::{attributes, copy, with_module, with_session, write};
use crate::gate::Target;
use crate::objects::Object;
use cryptoki_sys::*;

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
        let new = session.store(handle, token, Object::create(template, token.profile)?)?;
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
        // SAFETY: by the contract of this module's functions; the caller shares the array with
        // nobody.
        let template = unsafe { std::slice::from_raw_parts_mut(template, count as usize) };
        let mut result = Ok(());
        let cut = |kind| usize::from(token.faults.cut_point && kind == CKA_EC_POINT);
        for wanted in template {
            let value = match object.attribute(wanted.type_) {
                Ok(value) => &value[..value.len() - cut(wanted.type_).min(value.len())],
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
    let handle = session;
    with_module("C_FindObjectsInit", Target::Session(handle), |module| {
        let id = module.session(handle)?.1.id;
        let report = module.report(id);
        let (session, token) = module.session(handle)?;
        if session.found.is_some() {
            return Err(CKR_OPERATION_ACTIVE);
        }
        if let Some(report) = report {
            token.publish(&report);
        }
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
