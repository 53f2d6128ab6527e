//! An object of a token, seen from one session.

use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_ULONG};

use super::raw::Raw;
use crate::hsm::Error;

/// Longest label, identifier, curve or point that is read, in bytes.
pub(super) const MAX_NAME: usize = 1024;

/// Longest modulus and exponent that are read, in bytes; more than is supported, so that a refusal
/// can tell the size.
pub(super) const MAX_MODULUS: usize = 4096;

/// A key or a certificate.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    raw: &'a Raw,
    session: &'a Session,
    handle: ObjectHandle,
}

impl<'a> Object<'a> {
    pub(super) fn new(raw: &'a Raw, session: &'a Session, handle: ObjectHandle) -> Self {
        Self {
            raw,
            session,
            handle,
        }
    }

    /// An attribute of at most `max` bytes; `None` if the object lacks it, the token does not know
    /// it, or it is sensitive.
    pub(super) fn attribute(
        &self,
        kind: CK_ATTRIBUTE_TYPE,
        max: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.raw.attribute(self.session, self.handle, kind, max)?)
    }

    /// An attribute that is a CK_ULONG.
    pub(super) fn number(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<CK_ULONG>, Error> {
        let value = self.attribute(kind, size_of::<CK_ULONG>())?;
        let number = value.map(|value| value.try_into().map(CK_ULONG::from_ne_bytes));
        number
            .transpose()
            .map_err(|_| Error::answer(format!("attribute {kind:#x} is no CK_ULONG")))
    }

    /// The objects of the same token with these attributes.
    pub(super) fn find(&self, template: &[Attribute]) -> Result<Vec<Self>, Error> {
        let found = self.session.find_objects(template)?;
        let object = |handle| Self { handle, ..*self };
        Ok(found.into_iter().map(object).collect())
    }
}
