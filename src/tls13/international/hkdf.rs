//! The key schedule on RustCrypto's HMAC.

use digest::{KeyInit, Mac};
use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::OutputLengthError;

use super::super::hkdf::Kdf;
use crate::module::international::{HKDF_SHA2, HMAC_SHA2, HkdfOver};
use crate::module::{Error, Service};

impl<M: Mac + KeyInit + Clone + Send + Sync + 'static> Kdf for HkdfOver<M> {
    const HASH_LEN: usize = Self::HASH_LEN;

    fn enter() -> Result<(), Error> {
        HKDF_SHA2.enter(Service::HkdfSha2)
    }

    fn enter_mac() -> Result<(), Error> {
        HMAC_SHA2.enter(Service::HmacSha2)
    }

    fn extract(salt: Option<&[u8]>, secret: &[u8]) -> Self {
        Self::extract(salt, secret)
    }

    fn from_prk(prk: &[u8]) -> Self {
        Self::from_prk(prk)
    }

    fn expand(&self, info: &[&[u8]], okm: &mut [u8]) -> Result<(), OutputLengthError> {
        self.expand(info, okm).map_err(|_| OutputLengthError)
    }

    fn mac(key: &[u8], message: &[u8]) -> Tag {
        Tag::new(&Self::mac(key, message))
    }
}
