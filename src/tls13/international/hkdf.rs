//! The key schedule on RustCrypto's HMAC.

use digest::{KeyInit, Mac};
use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::OutputLengthError;

use super::super::hkdf::Kdf;
use crate::module::Service;
use crate::module::international::{HKDF_SHA2, HMAC_SHA2, HkdfOver};

/// `None` where the module refuses: then every key is zeros, under which nothing is sealed or opened.
pub(super) struct Schedule<M>(Option<HkdfOver<M>>);

impl<M: Mac + KeyInit + Clone + Send + Sync + 'static> Kdf for Schedule<M> {
    const HASH_LEN: usize = HkdfOver::<M>::HASH_LEN;

    fn extract(salt: Option<&[u8]>, secret: &[u8]) -> Self {
        let entered = HKDF_SHA2.enter(Service::HkdfSha2).is_ok();
        Self(entered.then(|| HkdfOver::extract(salt, secret)))
    }

    fn from_prk(prk: &[u8]) -> Self {
        let entered = HKDF_SHA2.enter(Service::HkdfSha2).is_ok();
        Self(entered.then(|| HkdfOver::from_prk(prk)))
    }

    fn expand(&self, info: &[&[u8]], okm: &mut [u8]) -> Result<(), OutputLengthError> {
        match &self.0 {
            Some(hkdf) if HKDF_SHA2.enter(Service::HkdfSha2).is_ok() => {
                hkdf.expand(info, okm).map_err(|_| OutputLengthError)
            }
            _ => {
                okm.fill(0);
                Ok(())
            }
        }
    }

    fn mac(key: &[u8], message: &[u8]) -> Tag {
        match HMAC_SHA2.enter(Service::HmacSha2) {
            Ok(()) => Tag::new(&HkdfOver::<M>::mac(key, message)),
            Err(_) => Tag::new(&vec![0; Self::HASH_LEN]),
        }
    }
}
