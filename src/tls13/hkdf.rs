//! The TLS 1.3 key schedule (RFC 8446 7.1) on HKDF-SM3, or on another HKDF with the same shape.
//!
//! rustls has `HkdfUsingHmac`, but that leaves each pseudorandom key in a plain `Vec`.
//!
//! In the module's error state, keys and tags are zeros, as the hashes are ([`super::hash`]): nothing is ever
//! sealed or opened under them. Only what would go to the application is an error.

use std::marker::PhantomData;

use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock, OutputLengthError};
use zeroize::Zeroizing;

use crate::gate::{self, Service, within};
use crate::sm3::self_test::{HKDF_SM3, HMAC_SM3};
use crate::sm3::{self, HkdfSm3, HmacSm3};

/// HKDF (RFC 5869) and the HMAC under it, with their gates.
pub(super) trait Kdf: Sized + Send + Sync + 'static {
    /// Size of the hash in bytes.
    const HASH_LEN: usize;

    /// Lets keys be derived.
    fn enter() -> Result<(), gate::Error>;

    /// Lets a tag be given.
    fn enter_mac() -> Result<(), gate::Error>;

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

    fn enter() -> Result<(), gate::Error> {
        HKDF_SM3.enter(Service::HkdfSm3)
    }

    fn enter_mac() -> Result<(), gate::Error> {
        HMAC_SM3.enter(Service::HmacSm3)
    }

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
        match K::enter_mac() {
            Ok(()) => within(|| K::mac(key.as_ref(), message)),
            Err(_) => Tag::new(&[0; OkmBlock::MAX_LEN][..K::HASH_LEN]),
        }
    }
}

/// The label of what is derived for the application (RFC 8446, 7.5).
const EXPORTER: &[u8] = b"exporter";

struct Expander<K>(K);

impl<K: Kdf> HkdfExpander for Expander<K> {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        if K::enter().is_ok() {
            return within(|| self.0.expand(info, output));
        }
        output.fill(0);
        // Of all callers, rustls lets the exporter alone fail.
        match info.contains(&EXPORTER) {
            true => Err(OutputLengthError),
            false => Ok(()),
        }
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        let mut block = Zeroizing::new([0; OkmBlock::MAX_LEN]);
        let block = &mut block[..K::HASH_LEN];
        if K::enter().is_ok() && within(|| self.0.expand(info, block)).is_err() {
            unreachable!("one block is within HKDF's 255");
        }
        OkmBlock::new(block)
    }

    fn hash_len(&self) -> usize {
        K::HASH_LEN
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::hash::{Hash, HashAlgorithm};

    use super::*;
    use crate::gate::in_a_process_of_its_own;
    use crate::sm3::Sm3;
    use crate::tls13::hash::TranscriptHash;

    #[test]
    fn after_a_failure_there_are_zeros_and_nothing_for_the_application() {
        let name =
            "tls13::hkdf::tests::after_a_failure_there_are_zeros_and_nothing_for_the_application";
        in_a_process_of_its_own(name, || {
            let hash = TranscriptHash::<Sm3>::new(HashAlgorithm::Unknown(7));
            let running = hash.start();
            let schedule = KeySchedule::<HkdfSm3>::new();
            let expander = schedule.extract_from_secret(None, b"secret");
            let label = |label: &'static str| [&b"\0\x0c"[..], b"tls13 ", label.as_bytes()];
            let mut iv = [7; 12];
            expander.expand_slice(&label("iv"), &mut iv).unwrap();
            assert_ne!(iv, [0; 12]);
            let key = expander.expand_block(&label("key"));
            assert_ne!(key.as_ref(), [0; 32]);
            assert_ne!(schedule.hmac_sign(&key, b"message").as_ref(), [0; 32]);
            assert_ne!(hash.hash(b"abc").as_ref(), [0; 32]);

            gate::fail("a test", "on order");
            expander.expand_slice(&label("iv"), &mut iv).unwrap();
            assert_eq!(iv, [0; 12]);
            iv = [7; 12];
            assert!(expander.expand_slice(&label("exporter"), &mut iv).is_err());
            assert_eq!(iv, [0; 12]);
            assert_eq!(expander.expand_block(&label("key")).as_ref(), [0; 32]);
            assert_eq!(schedule.hmac_sign(&key, b"message").as_ref(), [0; 32]);
            assert_eq!(hash.hash(b"abc").as_ref(), [0; 32]);
            assert_eq!(running.fork_finish().as_ref(), [0; 32]);
            assert_eq!(running.finish().as_ref(), [0; 32]);
        });
    }
}
