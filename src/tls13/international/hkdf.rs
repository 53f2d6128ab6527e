//! The key schedule on RustCrypto's HMAC.

use digest::{KeyInit, Mac};
use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::OutputLengthError;

use super::super::hkdf::Kdf;
use crate::gate::{self, Service};
use crate::module::international::{HKDF_SHA2, HMAC_SHA2, HkdfOver};

impl<M: Mac + KeyInit + Clone + Send + Sync + 'static> Kdf for HkdfOver<M> {
    const HASH_LEN: usize = HkdfOver::<M>::HASH_LEN;

    fn enter() -> Result<(), gate::Error> {
        HKDF_SHA2.enter(Service::HkdfSha2)
    }

    fn enter_mac() -> Result<(), gate::Error> {
        HMAC_SHA2.enter(Service::HmacSha2)
    }

    fn extract(salt: Option<&[u8]>, secret: &[u8]) -> Self {
        HkdfOver::extract(salt, secret)
    }

    fn from_prk(prk: &[u8]) -> Self {
        HkdfOver::from_prk(prk)
    }

    fn expand(&self, info: &[&[u8]], okm: &mut [u8]) -> Result<(), OutputLengthError> {
        HkdfOver::expand(self, info, okm).map_err(|_| OutputLengthError)
    }

    fn mac(key: &[u8], message: &[u8]) -> Tag {
        Tag::new(&HkdfOver::<M>::mac(key, message))
    }
}
