//! The C boundary: each function turns pointers into values, and panics and errors into CKR codes.
//!
//! All of them are `unsafe extern "C"`; their contract is that of PKCS#11 2.40, section 5: a
//! pointer is null or valid for the length that comes with it, for the duration of the call.

mod administration;
mod keys;
mod objects;

pub(crate) use administration::*;
pub(crate) use keys::*;
pub(crate) use objects::*;

use crate::Result;
use crate::gate::{self, Target};
use crate::module::{Module, Session};
use crate::objects::Attributes;
use crate::token::Token;
use cryptoki_sys::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// No panic crosses into C, and every error becomes its code.
fn boundary(call: impl FnOnce() -> Result<()>) -> CK_RV {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => CKR_OK,
        Ok(Err(code)) => code,
        Err(_) => CKR_GENERAL_ERROR,
    }
}

/// A call, through the gate: `function` may be ordered to fail there.
fn with_module(
    function: &'static str,
    target: Target,
    call: impl FnOnce(&mut Module) -> Result<()>,
) -> CK_RV {
    boundary(|| call(&mut *gate::enter(function, target)?))
}

fn with_library(function: &'static str, call: impl FnOnce(&mut Module) -> Result<()>) -> CK_RV {
    with_module(function, Target::Library, call)
}

fn with_token(
    slot: CK_SLOT_ID,
    function: &'static str,
    call: impl FnOnce(&mut Token) -> Result<()>,
) -> CK_RV {
    with_module(function, Target::Slot(slot), |module| {
        call(module.token(slot)?)
    })
}

fn with_session(
    handle: CK_SESSION_HANDLE,
    function: &'static str,
    call: impl FnOnce(&mut Session, &mut Token) -> Result<()>,
) -> CK_RV {
    with_module(function, Target::Session(handle), |module| {
        let (session, token) = module.session(handle)?;
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
pub(crate) fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
    field
}
