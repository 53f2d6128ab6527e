//! HKDF-SM3 (RFC 5869).

use std::fmt;

use super::self_test::HKDF_SM3;
use super::{DIGEST_LEN, HmacSm3, STACK};
use crate::arch::wipe::leaving;
use crate::gate::{self, Service};

/// HKDF-SM3 (RFC 5869), keyed with a pseudorandom key.
///
/// ```
/// use shangmi::sm3::HkdfSm3;
///
/// let mut okm = [0; 42];
/// HkdfSm3::extract(Some(b"salt"), b"input key").expand(&[b"info"], &mut okm)?;
/// # Ok::<(), shangmi::sm3::Error>(())
/// ```
pub struct HkdfSm3(HmacSm3);

/// Why no key was derived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// HKDF gives at most 255 x 32 bytes (RFC 5869, 2.3); ask for less, or derive more keys.
    OutputTooLong,
    /// The module refuses.
    Module(gate::Error),
}

impl HkdfSm3 {
    /// HKDF-Extract (RFC 5869, 2.2). Without a salt, 32 zero bytes are used.
    pub fn extract(salt: Option<&[u8]>, input_key: &[u8]) -> Self {
        let salt = salt.unwrap_or(&[0; DIGEST_LEN]);
        leaving::<STACK, _>(|| {
            let prk = HmacSm3::under(salt).tag_of([input_key].into_iter());
            Self(HmacSm3::under(prk.as_bytes()))
        })
    }

    /// Uses `prk` as the pseudorandom key, which RFC 5869 wants to be at least 32 bytes long.
    pub fn from_prk(prk: &[u8]) -> Self {
        Self(HmacSm3::keyed(prk))
    }

    /// HKDF-Expand (RFC 5869, 2.3) with the concatenation of `info`, filling `okm`.
    ///
    /// # Errors
    /// [`Error::OutputTooLong`] if `okm` is longer than 8,160 bytes, [`Error::Module`] in the module's
    /// error state; `okm` is then unchanged.
    pub fn expand(&self, info: &[&[u8]], okm: &mut [u8]) -> Result<(), Error> {
        HKDF_SM3.enter(Service::HkdfSm3)?;
        if okm.len() > 255 * DIGEST_LEN {
            return Err(Error::OutputTooLong);
        }
        leaving::<STACK, _>(|| {
            let mut previous: &[u8] = &[];
            for (block, counter) in okm.chunks_mut(DIGEST_LEN).zip(1u8..=255) {
                let parts = [previous].into_iter().chain(info.iter().copied());
                let tag = self.0.copy().tag_of(parts.chain([&[counter][..]]));
                block.copy_from_slice(&tag.as_bytes()[..block.len()]);
                previous = block;
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutputTooLong => {
                f.write_str("HKDF-SM3 gives at most 8160 bytes for one key; ask for less")
            }
            Self::Module(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<gate::Error> for Error {
    fn from(error: gate::Error) -> Self {
        Self::Module(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_refuses_more_than_255_blocks() {
        let hkdf = HkdfSm3::from_prk(&[7; 32]);
        assert_eq!(hkdf.expand(&[], &mut [0; 8160]), Ok(()));
        assert_eq!(hkdf.expand(&[], &mut [0; 8161]), Err(Error::OutputTooLong));
    }

    #[test]
    fn hkdf_agrees_with_the_hkdf_crate() {
        for len in (0..=130).chain([8160]) {
            let (mut ours, mut theirs) = (vec![0; len], vec![0; len]);
            HkdfSm3::extract(None, b"ikm")
                .expand(&[b"in", b"fo"], &mut ours)
                .unwrap();
            ::hkdf::Hkdf::<::sm3::Sm3>::new(None, b"ikm")
                .expand(b"info", &mut theirs)
                .unwrap();
            assert_eq!(ours, theirs, "{len} bytes");
        }
    }
}
