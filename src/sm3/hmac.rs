//! HMAC-SM3 (RFC 2104).

use std::{fmt, mem};

use digest::block_api::AlgorithmName;
use digest::common::KeySizeUser;
use digest::consts::{U32, U64};
use digest::{FixedOutput, InvalidLength, Key, KeyInit, MacMarker, Output, OutputSizeUser, Update};
use zeroize::{Zeroize, ZeroizeOnDrop, optimization_barrier};

use super::self_test::HMAC_SM3;
use super::{BLOCK_LEN, DIGEST_LEN, IV, PADDING, STACK, Sm3, write_words};
use crate::arch::wipe::leaving;
use crate::gate::Service;
use crate::secret::Secret;

/// HMAC-SM3 (RFC 2104; GB/T 15852.2), used through [`digest::Mac`]; the tag is 32 bytes and a key
/// may have any length.
///
/// The key is absorbed when this is made. For many tags under one key, clone it: a clone has
/// absorbed the key too. A key of less than 14 bytes (112 bits) gives tags, but no approved ones.
///
/// # Panics
/// When a tag is to be given in the module's error state, or under a key of less than 14 bytes in
/// strict GM mode ([`module`](crate::module)).
///
/// ```
/// use shangmi::sm3::{HmacSm3, KeyInit, Mac};
///
/// let mut mac = HmacSm3::new_from_slice(b"key")?;
/// mac.update(b"message");
/// let tag = mac.finalize().into_bytes();
/// assert_eq!(tag.len(), 32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HmacSm3 {
    /// Has absorbed K ^ ipad, and the message so far.
    inner: Sm3,
    /// The state that has absorbed K ^ opad.
    outer: [u32; 8],
    key: KeyStrength,
}

/// Whether the key is long enough for [`Service::HmacSm3`]. It is as wide as a length, for the same
/// reason as [`Kernel`](crate::arch::sm3::Kernel).
#[derive(Clone, Copy)]
#[repr(u64)]
enum KeyStrength {
    Full,
    Short,
}

/// Shortest key in bytes that is approved: 112 bits (SP 800-131A Rev. 2).
const MIN_APPROVED_KEY: usize = 14;

impl Clone for HmacSm3 {
    fn clone(&self) -> Self {
        leaving::<STACK, _>(|| self.copy())
    }
}

impl HmacSm3 {
    /// HMAC-SM3 under `key` of any length.
    pub fn keyed(key: &[u8]) -> Self {
        leaving::<STACK, _>(|| Self::under(key))
    }

    /// The tag of the concatenated `parts`, written to the heap only.
    ///
    /// # Panics
    /// In the module's error state, and with a key of less than 14 bytes in strict GM mode
    /// ([`module`](crate::module)).
    pub fn tag(self, parts: &[&[u8]]) -> Secret<DIGEST_LEN> {
        self.enter();
        leaving::<STACK, _>(|| self.tag_of(parts.iter().copied()))
    }

    fn enter(&self) {
        HMAC_SM3.enter_or_panic(match self.key {
            KeyStrength::Full => Service::HmacSm3,
            KeyStrength::Short => Service::HmacSm3ShortKey,
        });
    }

    /// [`HmacSm3::keyed`] for a caller that wipes what this leaves behind.
    pub(super) fn under(key: &[u8]) -> Self {
        let mut inner = Sm3::default();
        let mut pad = [0; BLOCK_LEN];
        match pad.get_mut(..key.len()) {
            Some(start) => start.copy_from_slice(key),
            None => {
                inner.absorb(key);
                inner.pad();
                write_words(&inner.state, &mut pad.as_chunks_mut().0[0]);
                inner.state = IV;
                inner.length = 0;
            }
        }
        pad.iter_mut().for_each(|byte| *byte ^= 0x36);
        inner.absorb(&pad);
        pad.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5c);
        let mut outer = IV;
        inner.kernel.compress(&mut outer, &[pad]);
        pad = [0; BLOCK_LEN];
        optimization_barrier(&pad);
        let key = match key.len() {
            ..MIN_APPROVED_KEY => KeyStrength::Short,
            MIN_APPROVED_KEY.. => KeyStrength::Full,
        };
        Self { inner, outer, key }
    }

    /// A clone, for a caller that wipes what this leaves behind.
    pub(crate) fn copy(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            outer: self.outer,
            key: self.key,
        }
    }

    /// [`HmacSm3::tag`] for a service that has entered a gate of its own, and wipes what this leaves
    /// behind.
    pub(crate) fn tag_of<'a>(
        mut self,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Secret<DIGEST_LEN> {
        for part in parts {
            self.inner.absorb(part);
        }
        let mut tag = Secret::zeroed();
        self.finish(tag.as_mut_bytes());
        tag
    }

    /// Absorbs a part of the message, for a caller that wipes what this leaves behind.
    pub(super) fn absorb(&mut self, part: &[u8]) {
        self.inner.absorb(part);
    }

    /// Writes the tag. `self` is then to be dropped.
    fn finish(&mut self, tag: &mut [u8; DIGEST_LEN]) {
        let hash = &mut self.inner;
        hash.pad();
        // From here on `hash` is the outer one, and its message the inner digest.
        mem::swap(&mut hash.state, &mut self.outer);
        write_words(&self.outer, &mut hash.buffer.as_chunks_mut().0[0]);
        hash.buffer[DIGEST_LEN] = PADDING;
        hash.length = (BLOCK_LEN + DIGEST_LEN) as u64;
        hash.finish(tag);
    }
}

impl MacMarker for HmacSm3 {}

impl OutputSizeUser for HmacSm3 {
    type OutputSize = U32;
}

impl KeySizeUser for HmacSm3 {
    type KeySize = U64;
}

impl KeyInit for HmacSm3 {
    fn new(key: &Key<Self>) -> Self {
        Self::keyed(key)
    }

    fn new_from_slice(key: &[u8]) -> Result<Self, InvalidLength> {
        Ok(Self::keyed(key))
    }
}

impl Update for HmacSm3 {
    fn update(&mut self, data: &[u8]) {
        leaving::<STACK, _>(|| self.inner.absorb(data));
    }
}

impl FixedOutput for HmacSm3 {
    fn finalize_into(mut self, out: &mut Output<Self>) {
        self.enter();
        leaving::<STACK, _>(|| self.finish(out.as_mut()));
    }
}

impl AlgorithmName for HmacSm3 {
    fn write_alg_name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSm3")
    }
}

impl fmt::Debug for HmacSm3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSm3 { .. }")
    }
}

impl Drop for HmacSm3 {
    fn drop(&mut self) {
        self.outer.zeroize();
    }
}

impl ZeroizeOnDrop for HmacSm3 {}

#[cfg(test)]
mod tests {
    use super::*;
    use digest::Mac;

    fn oracle(key: &[u8], message: &[u8]) -> [u8; 32] {
        <::hmac::Hmac<::sm3::Sm3> as KeyInit>::new_from_slice(key)
            .unwrap()
            .chain_update(message)
            .finalize()
            .into_bytes()
            .into()
    }

    #[test]
    fn keys_of_all_lengths_agree_with_the_hmac_crate() {
        let key: Vec<u8> = (0..=200).collect();
        for len in 0..=200 {
            let key = &key[..len];
            let tag = HmacSm3::keyed(key).tag(&[b"mess", b"", b"age"]);
            assert_eq!(*tag.as_bytes(), oracle(key, b"message"), "{len}-byte key");
        }
    }

    #[test]
    fn messages_of_all_lengths_agree_with_the_hmac_crate() {
        let message: Vec<u8> = (0..=255).cycle().take(300).collect();
        let keyed = HmacSm3::keyed(b"key");
        for len in 0..=300 {
            let tag = keyed.clone().chain_update(&message[..len]).finalize();
            let expected = oracle(b"key", &message[..len]);
            assert_eq!(<[u8; 32]>::from(tag.into_bytes()), expected, "{len} bytes");
        }
    }

    #[test]
    fn the_traits_take_the_same_keys() {
        let key = [9; 64];
        let expected = oracle(&key, b"");
        let fixed = <HmacSm3 as KeyInit>::new(&key.into());
        let slice = <HmacSm3 as KeyInit>::new_from_slice(&key).unwrap();
        assert_eq!(*fixed.tag(&[]).as_bytes(), expected);
        assert_eq!(*slice.tag(&[]).as_bytes(), expected);
    }
}
