//! SM3, the hash of GB/T 32905-2016 (32-byte digest, 64-byte block), and HMAC and HKDF over it.
//!
//! The compression function comes from RustCrypto; these wrappers are the boundary under which a
//! faster one can be put without changing a caller.

use std::fmt;

use digest::block_api::{AlgorithmName, BlockSizeUser};
use digest::common::KeySizeUser;
use digest::consts::{U32, U64};
use digest::{
    FixedOutput, FixedOutputReset, HashMarker, InvalidLength, Key, MacMarker, Output,
    OutputSizeUser, Reset, Update,
};
use zeroize::ZeroizeOnDrop;

use crate::arch::wipe::leaving;
use crate::secret::Secret;

/// Stack that no operation here exceeds, to be wiped after it.
const STACK: usize = 4 << 10;

/// Size of an SM3 digest in bytes.
pub const DIGEST_LEN: usize = 32;

/// The SM3 hash (GB/T 32905-2016), used through [`digest::Digest`].
///
/// ```
/// use shangmi::sm3::{Digest, Sm3};
///
/// let digest = Sm3::digest(b"abc"); // GB/T 32905-2016, A.1
/// assert_eq!(digest[..4], [0x66, 0xc7, 0xf0, 0xf4]);
/// ```
#[derive(Clone, Default)]
pub struct Sm3(::sm3::Sm3);

/// HMAC-SM3 (RFC 2104; GB/T 15852.2), used through [`digest::Mac`]; the tag is 32 bytes and a key
/// may have any length.
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
#[derive(Clone)]
pub struct HmacSm3(hmac::Hmac<::sm3::Sm3>);

/// HKDF-SM3 (RFC 5869), keyed with a pseudorandom key.
///
/// ```
/// use shangmi::sm3::HkdfSm3;
///
/// let mut okm = [0; 42];
/// HkdfSm3::extract(Some(b"salt"), b"input key").expand(&[b"info"], &mut okm)?;
/// # Ok::<(), shangmi::sm3::OutputTooLong>(())
/// ```
pub struct HkdfSm3(HmacSm3);

/// HKDF gives at most 255 x 32 bytes (RFC 5869, 2.3); ask for less, or derive more keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputTooLong;

#[doc(no_inline)]
pub use digest::{Digest, KeyInit, Mac};

/// The SM3 digest of `data`.
pub fn digest(data: &[u8]) -> [u8; DIGEST_LEN] {
    Sm3::digest(data).into()
}

impl HashMarker for Sm3 {}

impl OutputSizeUser for Sm3 {
    type OutputSize = U32;
}

impl BlockSizeUser for Sm3 {
    type BlockSize = U64;
}

impl Update for Sm3 {
    fn update(&mut self, data: &[u8]) {
        Update::update(&mut self.0, data);
    }
}

impl FixedOutput for Sm3 {
    fn finalize_into(self, out: &mut Output<Self>) {
        FixedOutput::finalize_into(self.0, out);
    }
}

impl Reset for Sm3 {
    fn reset(&mut self) {
        Reset::reset(&mut self.0);
    }
}

impl FixedOutputReset for Sm3 {
    fn finalize_into_reset(&mut self, out: &mut Output<Self>) {
        FixedOutputReset::finalize_into_reset(&mut self.0, out);
    }
}

impl AlgorithmName for Sm3 {
    fn write_alg_name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm3")
    }
}

impl fmt::Debug for Sm3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm3 { .. }")
    }
}

impl ZeroizeOnDrop for Sm3 {}

impl MacMarker for HmacSm3 {}

impl OutputSizeUser for HmacSm3 {
    type OutputSize = U32;
}

impl KeySizeUser for HmacSm3 {
    type KeySize = U64;
}

impl KeyInit for HmacSm3 {
    fn new(key: &Key<Self>) -> Self {
        Self(KeyInit::new(key))
    }

    fn new_from_slice(key: &[u8]) -> Result<Self, InvalidLength> {
        KeyInit::new_from_slice(key).map(Self)
    }
}

impl Update for HmacSm3 {
    fn update(&mut self, data: &[u8]) {
        Update::update(&mut self.0, data);
    }
}

impl FixedOutput for HmacSm3 {
    fn finalize_into(self, out: &mut Output<Self>) {
        FixedOutput::finalize_into(self.0, out);
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

impl ZeroizeOnDrop for HmacSm3 {}

impl HmacSm3 {
    /// HMAC-SM3 under `key` of any length.
    pub fn keyed(key: &[u8]) -> Self {
        leaving::<STACK, _>(|| match KeyInit::new_from_slice(key) {
            Ok(mac) => Self(mac),
            Err(InvalidLength) => unreachable!("RFC 2104, 2: HMAC takes keys of any length"),
        })
    }

    /// The tag of the concatenated `parts`, written to the heap only.
    pub fn tag(mut self, parts: &[&[u8]]) -> Secret<DIGEST_LEN> {
        leaving::<STACK, _>(|| {
            for part in parts {
                Update::update(&mut self.0, part);
            }
            let mut tag = Secret::<DIGEST_LEN>::zeroed();
            FixedOutput::finalize_into(self.0, tag.as_mut_bytes().into());
            tag
        })
    }
}

impl HkdfSm3 {
    /// HKDF-Extract (RFC 5869, 2.2). Without a salt, 32 zero bytes are used.
    pub fn extract(salt: Option<&[u8]>, input_key: &[u8]) -> Self {
        let salt = salt.unwrap_or(&[0; DIGEST_LEN]);
        leaving::<STACK, _>(|| Self::from_prk(HmacSm3::keyed(salt).tag(&[input_key]).as_bytes()))
    }

    /// Uses `prk` as the pseudorandom key, which RFC 5869 wants to be at least 32 bytes long.
    pub fn from_prk(prk: &[u8]) -> Self {
        Self(HmacSm3::keyed(prk))
    }

    /// HKDF-Expand (RFC 5869, 2.3) with the concatenation of `info`, filling `okm`.
    ///
    /// # Errors
    /// [`OutputTooLong`] if `okm` is longer than 8,160 bytes; `okm` is then unchanged.
    pub fn expand(&self, info: &[&[u8]], okm: &mut [u8]) -> Result<(), OutputTooLong> {
        if okm.len() > 255 * DIGEST_LEN {
            return Err(OutputTooLong);
        }
        leaving::<STACK, _>(|| {
            let mut previous: Option<Secret<DIGEST_LEN>> = None;
            for (chunk, counter) in okm.chunks_mut(DIGEST_LEN).zip(1u8..=255) {
                let mut mac = self.0.clone();
                if let Some(block) = &previous {
                    Update::update(&mut mac, block.as_bytes());
                }
                for part in info {
                    Update::update(&mut mac, part);
                }
                let block = mac.tag(&[&[counter]]);
                chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
                previous = Some(block);
            }
            Ok(())
        })
    }
}

impl fmt::Debug for HkdfSm3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HkdfSm3 { .. }")
    }
}

impl fmt::Display for OutputTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HKDF-SM3 gives at most 8160 bytes for one key; ask for less")
    }
}

impl std::error::Error for OutputTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_refuses_more_than_255_blocks() {
        let hkdf = HkdfSm3::from_prk(&[7; 32]);
        assert_eq!(hkdf.expand(&[], &mut [0; 8160]), Ok(()));
        assert_eq!(hkdf.expand(&[], &mut [0; 8161]), Err(OutputTooLong));
    }

    #[test]
    fn hkdf_agrees_with_the_hkdf_crate() {
        for len in [0, 1, 31, 32, 33, 64, 100, 8160] {
            let (mut ours, mut theirs) = (vec![0; len], vec![0; len]);
            HkdfSm3::extract(None, b"ikm")
                .expand(&[b"in", b"fo"], &mut ours)
                .unwrap();
            hkdf::Hkdf::<::sm3::Sm3>::new(None, b"ikm")
                .expand(b"info", &mut theirs)
                .unwrap();
            assert_eq!(ours, theirs, "{len} bytes");
        }
    }

    #[test]
    fn a_reset_hash_starts_again() {
        let mut hash = Sm3::new();
        Digest::update(&mut hash, b"something else");
        Digest::reset(&mut hash);
        Digest::update(&mut hash, b"abc");
        assert_eq!(<[u8; 32]>::from(hash.finalize()), digest(b"abc"));
    }
}
