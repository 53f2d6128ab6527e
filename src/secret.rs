//! Buffers for secrets: on the heap, so that moving one leaves no copy behind, and wiped when dropped.

use std::fmt;
use std::ops::Deref;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

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

/// A secret whose length is known at run time only, on the heap, wiped when dropped.
///
/// The length itself is not secret. It cannot grow, since growing would leave a copy behind.
pub struct SecretBytes(Zeroizing<Box<[u8]>>);

impl SecretBytes {
    /// Takes over `bytes`. A vector with spare capacity is copied to its exact size first and wiped.
    pub fn new(mut bytes: Vec<u8>) -> Self {
        if bytes.len() == bytes.capacity() {
            return Self(Zeroizing::new(bytes.into_boxed_slice()));
        }
        let copy = Self::copy_of(&bytes);
        bytes.zeroize();
        copy
    }

    /// Copies `bytes`; wiping the original stays the caller's task.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// `len` zero bytes, to be filled in place through [`SecretBytes::as_mut_bytes`].
    pub fn zeroed(len: usize) -> Self {
        Self(Zeroizing::new(vec![0; len].into_boxed_slice()))
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
        self.0.ct_eq(&other.0).into()
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
