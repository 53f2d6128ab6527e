//! Calls that work with keys and random numbers (PKCS#11 2.40, 5.11, 5.13 and 5.14).
#![allow(non_snake_case)]

use super::{attributes, boundary, copy, slice, with_session, write};
use crate::behaviour::Fault;
use crate::gate::{self, Target};
use crate::module::Signing;
use crate::objects::Object;
use crate::{module, sm2};
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
        let encoding = token.signature(mechanism.mechanism);
        let encoding = encoding.ok_or(CKR_MECHANISM_INVALID)?;
        if mechanism.ulParameterLen != 0 {
            return Err(CKR_MECHANISM_PARAM_INVALID);
        }
        let key = token.key_to_sign(key)?.signing_key()?;
        session.signing = Some(Signing { key, encoding });
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
    let handle = session;
    let target = Target::Session(handle);
    boundary(|| {
        let (key, encoding, fault, room) = {
            let mut module = gate::enter("C_Sign", target)?;
            let (session, token) = module.session(handle)?;
            if token.faults.sign_fails {
                return Err(CKR_DEVICE_ERROR);
            }
            let signing = session.signing.take();
            let signing = signing.ok_or(CKR_OPERATION_NOT_INITIALIZED)?;
            if token.user().is_none() {
                return Err(CKR_USER_NOT_LOGGED_IN);
            }
            // SAFETY: by the contract of this module's functions.
            let room = *unsafe { signature_len.as_ref() }.ok_or(CKR_ARGUMENTS_BAD)?;
            let encoding = token.faults.encoding().unwrap_or(signing.encoding);
            let longest = sm2::longest(encoding) as CK_ULONG;
            if signature.is_null() || room < longest {
                // A question for the length, or a buffer too small: the operation goes on.
                session.signing = Some(signing);
                // SAFETY: by the contract of this module's functions.
                unsafe { write(signature_len, longest)? };
                return match signature.is_null() {
                    true => Ok(()),
                    false => Err(CKR_BUFFER_TOO_SMALL),
                };
            }
            session.busy = true;
            (signing.key, encoding, token.faults.meet_signature(), room)
        };
        // The lock is free by now: sessions sign side by side.
        // SAFETY: by the contract of this module's functions.
        let answer = unsafe { slice(data, data_len) }.and_then(|e| match e.len() {
            32 => sm2::sign(&key, e, encoding, fault),
            _ => Err(CKR_DATA_LEN_RANGE),
        });
        let mut module = module::lock();
        module.set_busy(target, false);
        let answer = answer?;
        if let Ok((_, token)) = module.session(handle) {
            token.counts.signatures += 1;
        }
        let length = match fault {
            Some(Fault::Overlong) => room + 1000,
            _ => answer.len() as CK_ULONG,
        };
        // SAFETY: the buffer has room for the longest signature, checked above.
        unsafe {
            copy(&answer, signature);
            write(signature_len, length)
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
        if mechanism.mechanism != token.profile.key_pair_mechanism() {
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
        let (public, private) = Object::generate_pair(public, private, token.profile)?;
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
    with_session(session, "C_GenerateRandom", |_, token| {
        let mut bytes = vec![0x5a; len as usize];
        if !token.faults.stuck_random {
            sm2::random(&mut bytes)?;
        }
        if data.is_null() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        // SAFETY: by the contract of this module's functions.
        unsafe { copy(&bytes, data) };
        Ok(())
    })
}
