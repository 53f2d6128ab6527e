//! Buffers for secrets: away from the stack, so that moving one leaves no copy behind, and wiped when
//! dropped.
//!
//! What lives long (SM2 private keys, ticket keys, PINs, and every [`SecretBytes`] up to 4,096 bytes)
//! lies in pages of its own, which are locked, so that they are not written to swap, and left out of
//! core dumps, where the system allows it: see [`protection`]. Locks are not inherited by a child
//! process. Hibernation writes all memory, locked pages as well.

use std::fmt;
use std::ops::Deref;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::arch::memory::{self, LockedBytes};

pub use crate::arch::memory::Protection;

pub(crate) use crate::arch::memory::Locked;

/// A secret of `N` bytes on the heap, wiped when dropped.
///
/// It cannot be cloned, `Debug` prints its size only, and equality takes the same time wherever
/// two secrets differ.
#[derive(ZeroizeOnDrop)]
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// `N` zero bytes, to be filled in place through [`Secret::as_mut_bytes`].
    pub fn zeroed() -> Self {
        Self(Box::new([0; N]))
    }

    /// Copies `bytes`; wiping the original stays the caller's task.
    pub fn copy_of(bytes: &[u8; N]) -> Self {
        let mut secret = Self::zeroed();
        secret.0.copy_from_slice(bytes);
        secret
    }

    /// The secret bytes.
    pub fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The secret bytes, to be written in place.
    pub fn as_mut_bytes(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> From<&[u8; N]> for Secret<N> {
    fn from(bytes: &[u8; N]) -> Self {
        Self::copy_of(bytes)
    }
}

impl<const N: usize> Zeroize for Secret<N> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> AsRef<[u8]> for Secret<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0[..]
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({N} bytes)")
    }
}

/// A secret whose length is known at run time only, wiped when dropped. Up to 4,096 bytes are kept from
/// swap and core dumps, as the [module](self) says; more are on the heap.
///
/// The length itself is not secret. It cannot grow, since growing would leave a copy behind.
pub struct SecretBytes(LockedBytes);

impl SecretBytes {
    /// Copies `bytes`, and wipes them.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let copy = Self::copy_of(&bytes);
        bytes.zeroize();
        copy
    }

    /// Copies `bytes`; wiping the original stays the caller's task.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.0.copy_from_slice(bytes);
        copy
    }

    /// `len` zero bytes, to be filled in place through [`SecretBytes::as_mut_bytes`].
    pub fn zeroed(len: usize) -> Self {
        Self(LockedBytes::zeroed(len))
    }

    /// The secret bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret bytes, to be written in place.
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// What the system does for the pages that hold long-lived secrets in this process: how many there are
/// so far, how many of them are locked, and how many are left out of core dumps. A page that could not
/// be locked tells that the limit (`ulimit -l`, `LimitMEMLOCK=` of systemd) is too low.
pub fn protection() -> Protection {
    memory::protection()
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for SecretBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl ZeroizeOnDrop for SecretBytes {}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_the_size_only() {
        assert_eq!(format!("{:?}", Secret::from(&[0xa5; 4])), "Secret(4 bytes)");
        assert_eq!(
            format!("{:?}", SecretBytes::copy_of(&[0xa5; 3])),
            "SecretBytes(3 bytes)"
        );
    }

    #[test]
    fn equality_compares_content() {
        assert_eq!(Secret::from(&[1, 2]), Secret::from(&[1, 2]));
        assert_ne!(Secret::from(&[1, 2]), Secret::from(&[1, 3]));
        assert_ne!(SecretBytes::copy_of(b"ab"), SecretBytes::copy_of(b"abc"));
    }

    #[test]
    fn a_vector_with_spare_capacity_keeps_its_content() {
        let mut bytes = Vec::with_capacity(100);
        bytes.extend_from_slice(b"secret");
        assert_eq!(SecretBytes::new(bytes).as_bytes(), b"secret");
    }
}
