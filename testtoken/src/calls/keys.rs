//! Calls that work with keys and random numbers (PKCS#11 2.40, 5.11, 5.13 and 5.14).
#![allow(non_snake_case)]

use super::{attributes, boundary, copy, slice, with_session, write};
use crate::objects::Object;
use crate::{CKM_SM2_KEY_PAIR_GEN, CKM_SM2DSA, module, sm2};
use cryptoki_sys::*;

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
            if token.behaviour.sign_fails {
                return Err(CKR_DEVICE_ERROR);
            }
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
