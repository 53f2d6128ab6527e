//! The TLS 1.3 key schedule (RFC 8446 7.1) on HKDF-SM3, or on another HKDF with the same shape.
//!
//! rustls has `HkdfUsingHmac`, but that leaves each pseudorandom key in a plain `Vec`.

use std::marker::PhantomData;

use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock, OutputLengthError};
use zeroize::Zeroizing;

use crate::sm3::{self, HkdfSm3, HmacSm3};

/// HKDF (RFC 5869) and the HMAC under it.
pub(super) trait Kdf: Sized + Send + Sync + 'static {
    /// Size of the hash in bytes.
    const HASH_LEN: usize;

    /// HKDF-Extract; without a salt, `HASH_LEN` zero bytes are used.
    fn extract(salt: Option<&[u8]>, secret: &[u8]) -> Self;

    /// Starts from a pseudorandom key.
    fn from_prk(prk: &[u8]) -> Self;

    /// HKDF-Expand.
    fn expand(&self, info: &[&[u8]], okm: &mut [u8]) -> Result<(), OutputLengthError>;

    /// HMAC of `message`.
    fn mac(key: &[u8], message: &[u8]) -> Tag;
}

impl Kdf for HkdfSm3 {
    const HASH_LEN: usize = sm3::DIGEST_LEN;

    fn extract(salt: Option<&[u8]>, secret: &[u8]) -> Self {
        HkdfSm3::extract(salt, secret)
    }

    fn from_prk(prk: &[u8]) -> Self {
        HkdfSm3::from_prk(prk)
    }

    fn expand(&self, info: &[&[u8]], okm: &mut [u8]) -> Result<(), OutputLengthError> {
        HkdfSm3::expand(self, info, okm).map_err(|_| OutputLengthError)
    }

    fn mac(key: &[u8], message: &[u8]) -> Tag {
        Tag::new(HmacSm3::keyed(key).tag(&[message]).as_bytes())
    }
}

/// The key schedule on the KDF `K`.
pub(super) struct KeySchedule<K>(PhantomData<fn() -> K>);

impl<K> KeySchedule<K> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<K: Kdf> Hkdf for KeySchedule<K> {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        let zeros = [0; OkmBlock::MAX_LEN];
        self.extract_from_secret(salt, &zeros[..K::HASH_LEN])
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        Box::new(Expander(K::extract(salt, secret)))
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        Box::new(Expander(K::from_prk(okm.as_ref())))
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        K::mac(key.as_ref(), message)
    }
}

struct Expander<K>(K);

impl<K: Kdf> HkdfExpander for Expander<K> {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        self.0.expand(info, output)
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        let mut block = Zeroizing::new([0; OkmBlock::MAX_LEN]);
        let block = &mut block[..K::HASH_LEN];
        match self.0.expand(info, block) {
            Ok(()) => OkmBlock::new(block),
            Err(OutputLengthError) => unreachable!("one block is within HKDF's 255"),
        }
    }

    fn hash_len(&self) -> usize {
        K::HASH_LEN
    }
}
