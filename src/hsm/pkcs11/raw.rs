//! The calls that `cryptoki` does not make as they are needed here.
//!
//! - It signs with C_SignInit and two calls of C_Sign, the first to learn the length. Each of them
//!   crosses the network to the HSM.
//! - It leaves vendors' mechanisms out of C_GetMechanismList, and refuses vendors' mechanisms and
//!   key types below 0x80000000.
//! - It reserves as much memory for an attribute as the module says.
#![allow(unsafe_code)]

use std::fmt;
use std::path::Path;
use std::ptr;

use cryptoki::context::Function;
use cryptoki::error::{Error, Result, Rv, RvError};
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_FUNCTION_LIST, CK_MECHANISM, CK_MECHANISM_INFO,
    CK_MECHANISM_TYPE, CK_RSA_PKCS_PSS_PARAMS, CK_SLOT_ID, CK_ULONG,
};

use crate::secret::SecretBytes;

/// Room for a signature in bytes: RSA of 8192 bits.
pub(super) const MAX_SIGNATURE: usize = 1024;

/// The function list of a module that `cryptoki` has loaded too.
pub(super) struct Raw {
    functions: CK_FUNCTION_LIST,
    /// The functions live as long as the library is loaded.
    _library: cryptoki_sys::Pkcs11,
}

impl Raw {
    pub(super) fn load(path: &Path) -> Result<Self> {
        // SAFETY: loading runs the library's initializers. `cryptoki` has loaded this very file
        // before.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path)? };
        if library.C_GetFunctionList.is_err() {
            return Err(Error::MissingSymbol("C_GetFunctionList"));
        }
        let mut list = ptr::null_mut();
        // SAFETY: `list` is a place for one pointer (PKCS#11 2.40, 5.4).
        let rv = unsafe { library.C_GetFunctionList(&mut list) };
        Rv::from(rv).into_result(Function::GetFunctionList)?;
        if list.is_null() {
            return Err(Error::NullFunctionPointer);
        }
        // SAFETY: the call succeeded, and the list is static memory of the library.
        let functions = unsafe { list.read() };
        Ok(Self {
            functions,
            _library: library,
        })
    }

    /// The mechanisms of the token in a slot.
    pub(super) fn mechanisms(&self, slot: Slot) -> Result<Vec<CK_MECHANISM_TYPE>> {
        let get = self
            .functions
            .C_GetMechanismList
            .ok_or(Error::NullFunctionPointer)?;
        let slot = CK_SLOT_ID::from(slot);
        let mut count: CK_ULONG = 0;
        // SAFETY: a null list asks for the count alone (PKCS#11 2.40, 5.2).
        let rv = unsafe { get(slot, ptr::null_mut(), &mut count) };
        Rv::from(rv).into_result(Function::GetMechanismList)?;
        // A number that no token has, so that a nonsensical answer takes no memory.
        let mut list: Vec<CK_MECHANISM_TYPE> = vec![0; usize::try_from(count)?.min(4096)];
        count = list.len().try_into()?;
        // SAFETY: the list has room for `count` entries.
        let rv = unsafe { get(slot, list.as_mut_ptr(), &mut count) };
        Rv::from(rv).into_result(Function::GetMechanismList)?;
        list.truncate(count.try_into()?);
        Ok(list)
    }

    /// What the token says of one of its mechanisms.
    pub(super) fn mechanism_info(
        &self,
        slot: Slot,
        mechanism: CK_MECHANISM_TYPE,
    ) -> Result<CK_MECHANISM_INFO> {
        let get = self.functions.C_GetMechanismInfo;
        let get = get.ok_or(Error::NullFunctionPointer)?;
        let mut info = CK_MECHANISM_INFO::default();
        // SAFETY: `info` is a place for one answer (PKCS#11 2.40, 5.5).
        let rv = unsafe { get(slot.into(), mechanism, &mut info) };
        Rv::from(rv).into_result(Function::GetMechanismInfo)?;
        Ok(info)
    }

    /// An attribute of at most `max` bytes, by one call; `None` if the object lacks it, the token
    /// does not know it, or it is sensitive.
    pub(super) fn attribute(
        &self,
        session: &Session,
        object: ObjectHandle,
        kind: CK_ATTRIBUTE_TYPE,
        max: usize,
    ) -> Result<Option<Vec<u8>>> {
        let get = self.functions.C_GetAttributeValue;
        let get = get.ok_or(Error::NullFunctionPointer)?;
        let mut value = vec![0u8; max];
        let mut attribute = CK_ATTRIBUTE {
            type_: kind,
            pValue: value.as_mut_ptr().cast(),
            ulValueLen: value.len().try_into()?,
        };
        // SAFETY: one attribute, whose value has as much room as told. `Session` cannot be shared
        // between threads.
        let rv = unsafe { get(session.handle(), object.handle(), &mut attribute, 1) };
        match Rv::from(rv) {
            Rv::Error(RvError::AttributeTypeInvalid | RvError::AttributeSensitive) => {
                return Ok(None);
            }
            rv => rv.into_result(Function::GetAttributeValue)?,
        }
        let length = usize::try_from(attribute.ulValueLen)?;
        if length > max {
            // CK_UNAVAILABLE_INFORMATION, which should have come with an error.
            return Ok(None);
        }
        value.truncate(length);
        Ok(Some(value))
    }

    /// The handles of a new public and private key.
    pub(super) fn generate_key_pair(
        &self,
        session: &Session,
        mechanism: CK_MECHANISM_TYPE,
        public: &[Attribute],
        private: &[Attribute],
    ) -> Result<(ObjectHandle, ObjectHandle)> {
        let generate = self.functions.C_GenerateKeyPair;
        let generate = generate.ok_or(Error::NullFunctionPointer)?;
        let mut mechanism = CK_MECHANISM {
            mechanism,
            pParameter: ptr::null_mut(),
            ulParameterLen: 0,
        };
        let mut public: Vec<CK_ATTRIBUTE> = public.iter().map(Into::into).collect();
        let mut private: Vec<CK_ATTRIBUTE> = private.iter().map(Into::into).collect();
        let (mut public_key, mut private_key) = (0, 0);
        // SAFETY: the templates' values live in the caller's attributes, and there are places for
        // two handles; `Session` cannot be shared between threads.
        let rv = unsafe {
            generate(
                session.handle(),
                &mut mechanism,
                public.as_mut_ptr(),
                public.len().try_into()?,
                private.as_mut_ptr(),
                private.len().try_into()?,
                &mut public_key,
                &mut private_key,
            )
        };
        Rv::from(rv).into_result(Function::GenerateKeyPair)?;
        // SAFETY: the module gave these handles out.
        let handle = |handle| unsafe { ObjectHandle::new_from_raw(handle) };
        Ok((handle(public_key), handle(private_key)))
    }

    /// `len` bytes of the token's random generator.
    pub(super) fn generate_random(&self, session: &Session, len: usize) -> Result<SecretBytes> {
        let generate = self.functions.C_GenerateRandom;
        let generate = generate.ok_or(Error::NullFunctionPointer)?;
        let mut bytes = SecretBytes::zeroed(len);
        let buffer = bytes.as_mut_bytes().as_mut_ptr();
        // SAFETY: the buffer is as long as told; `Session` cannot be shared between threads.
        let rv = unsafe { generate(session.handle(), buffer, len.try_into()?) };
        Rv::from(rv).into_result(Function::GenerateRandom)?;
        Ok(bytes)
    }

    /// One C_SignInit and one C_Sign. After an error the session may be left with an active
    /// operation.
    pub(super) fn sign(
        &self,
        session: &Session,
        mechanism: CK_MECHANISM_TYPE,
        parameters: Option<CK_RSA_PKCS_PSS_PARAMS>,
        key: ObjectHandle,
        data: &[u8],
    ) -> Result<Vec<u8>> {
        let missing = Error::NullFunctionPointer;
        let (Some(init), Some(sign)) = (self.functions.C_SignInit, self.functions.C_Sign) else {
            return Err(missing);
        };
        let mut parameters = parameters;
        let (parameter, length) = match &mut parameters {
            Some(parameters) => (
                ptr::from_mut(parameters).cast(),
                size_of::<CK_RSA_PKCS_PSS_PARAMS>(),
            ),
            None => (ptr::null_mut(), 0),
        };
        let mut mechanism = CK_MECHANISM {
            mechanism,
            pParameter: parameter,
            ulParameterLen: length.try_into()?,
        };
        // SAFETY: the mechanism's parameters live in this function; `Session` cannot be shared
        // between threads, so that nobody else works in this session.
        let rv = unsafe { init(session.handle(), &mut mechanism, key.handle()) };
        Rv::from(rv).into_result(Function::SignInit)?;

        let mut signature = vec![0; MAX_SIGNATURE];
        let mut length: CK_ULONG = signature.len().try_into()?;
        // SAFETY: both buffers are as long as told. C_Sign does not write to its input, whatever
        // its C type.
        let rv = unsafe {
            sign(
                session.handle(),
                data.as_ptr().cast_mut(),
                data.len().try_into()?,
                signature.as_mut_ptr(),
                &mut length,
            )
        };
        Rv::from(rv).into_result(Function::Sign)?;
        signature.truncate(length.try_into()?);
        Ok(signature)
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}
