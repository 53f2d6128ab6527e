//! SM4-GCM under nonces that the module makes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aead::AeadInOut;
use cipher::KeyInit;
use rand_core::TryCryptoRng;
use zeroize::Zeroize;

use super::self_test::SM4_GCM;
use super::{KEY_LEN, NONCE_LEN, Sm4Gcm, TAG_LEN};
use crate::gate::{self, Service, observe, within};

/// SM4-GCM with a random nonce for each message (NIST SP 800-38D, 8.2.2), so that nobody can use one
/// twice, in this process or after its end.
///
/// What is sealed is the nonce (12 bytes), the ciphertext, as long as the plaintext, and the tag (16).
/// Any SM4-GCM opens it; associated data is authenticated and not part of it. Where the nonce comes
/// from [`SystemRandom`](crate::random::SystemRandom), sealing is an approved service.
///
/// One key seals at most 2^32 messages (8.3). This object counts its own: a key that is used again
/// later, or elsewhere, needs a share of them for each use, by [`Sm4GcmSealer::with_limit`].
///
/// ```
/// use shangmi::random::SystemRandom;
/// use shangmi::sm4::Sm4GcmSealer;
///
/// let sealer = Sm4GcmSealer::new(&[0x5a; 16]);
/// let sealed = sealer.seal(&mut SystemRandom, b"header", b"plaintext")?;
/// assert_eq!(sealer.open(b"header", &sealed)?, b"plaintext");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sm4GcmSealer {
    cipher: Sm4Gcm,
    /// Messages that may still be sealed.
    left: AtomicU64,
}

/// The most messages under one key, with random nonces (SP 800-38D, 8.3).
const MAX_MESSAGES: u64 = 1 << 32;

/// Why nothing was sealed. `E` is the random generator's error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError<E> {
    /// The key has sealed as many messages as it may; take a new one.
    KeyUsedUp,
    /// The plaintext is longer than 2^36 - 32 bytes, or the associated data than 2^61 - 1.
    TooLong,
    /// There are no random bytes for a nonce.
    Random(E),
    /// The module refuses.
    Module(gate::Error),
}

impl Sm4GcmSealer {
    /// Seals up to 2^32 messages under `key`.
    pub fn new(key: &[u8; KEY_LEN]) -> Self {
        Self::with_limit(key, MAX_MESSAGES)
    }

    /// Seals up to `messages` under `key`, and never more than 2^32.
    pub fn with_limit(key: &[u8; KEY_LEN], messages: u64) -> Self {
        Self {
            cipher: Sm4Gcm::new(key.into()),
            left: AtomicU64::new(messages.min(MAX_MESSAGES)),
        }
    }

    /// Seals `plaintext` under a nonce from `random`: nonce, ciphertext and tag, 28 bytes more than
    /// it has.
    ///
    /// # Errors
    /// See [`SealError`]; whatever it is, the message has been counted.
    pub fn seal<R: TryCryptoRng + ?Sized>(
        &self,
        random: &mut R,
        associated_data: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError<R::Error>> {
        self.count()?;
        let mut nonce = [0; NONCE_LEN];
        let (drawn, used) = observe(|| random.try_fill_bytes(&mut nonce));
        drawn.map_err(SealError::Random)?;
        // Of no other generator does the module know that it does not repeat itself.
        SM4_GCM.enter(match used.contains(Service::Random) {
            true => Service::Sm4GcmSealOwnNonce,
            false => Service::Sm4GcmSeal,
        })?;

        let mut sealed = Vec::with_capacity(NONCE_LEN + plaintext.len() + TAG_LEN);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let text = &mut sealed[NONCE_LEN..];
        let cipher = &self.cipher;
        match within(|| cipher.encrypt_inout_detached(&nonce.into(), associated_data, text.into()))
        {
            Ok(tag) => sealed.extend_from_slice(&tag),
            Err(aead::Error) => {
                sealed.zeroize();
                return Err(SealError::TooLong);
            }
        }
        Ok(sealed)
    }

    /// The plaintext of what [`seal`](Self::seal) gave under the same key and associated data.
    ///
    /// # Errors
    /// It was altered, or is of another key or other associated data; or the module refuses. As with
    /// every AEAD, no more is said.
    pub fn open(&self, associated_data: &[u8], sealed: &[u8]) -> aead::Result<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk().ok_or(aead::Error)?;
        let (text, tag) = rest.split_last_chunk().ok_or(aead::Error)?;
        let (nonce, tag): (&[u8; NONCE_LEN], &[u8; TAG_LEN]) = (nonce, tag);
        let mut plaintext = text.to_vec();
        self.cipher.decrypt_inout_detached(
            nonce.into(),
            associated_data,
            plaintext.as_mut_slice().into(),
            tag.into(),
        )?;
        Ok(plaintext)
    }

    fn count<E>(&self) -> Result<(), SealError<E>> {
        let one_less = |left: u64| left.checked_sub(1);
        match (self.left).fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
            Ok(_) => Ok(()),
            Err(_) => Err(SealError::KeyUsedUp),
        }
    }
}

impl fmt::Debug for Sm4GcmSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sm4GcmSealer")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for SealError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyUsedUp => {
                f.write_str("the SM4-GCM key has sealed as many messages as it may; take a new key")
            }
            Self::TooLong => f.write_str(
                "SM4-GCM seals at most 2^36 - 32 bytes, with at most 2^61 - 1 of associated data",
            ),
            Self::Random(error) => write!(f, "no random bytes for a nonce: {error}"),
            Self::Module(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for SealError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Random(error) => Some(error),
            _ => None,
        }
    }
}

impl<E> From<gate::Error> for SealError<E> {
    fn from(error: gate::Error) -> Self {
        Self::Module(error)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use aes_gcm::AesGcm;
    use cipher::consts::U12;
    use rand_core::{TryCryptoRng, TryRng};

    use super::*;

    const KEY: [u8; 16] = [0x5a; 16];

    /// Counts; where it is to be one of the module's, it passes a gate as they do.
    struct Counter {
        next: u8,
        of_the_module: bool,
    }

    impl TryRng for Counter {
        type Error = gate::Error;

        fn try_next_u32(&mut self) -> Result<u32, gate::Error> {
            unreachable!("a nonce is bytes")
        }

        fn try_next_u64(&mut self) -> Result<u64, gate::Error> {
            unreachable!("a nonce is bytes")
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), gate::Error> {
            if self.of_the_module {
                SM4_GCM.enter(Service::Random)?;
            }
            bytes.fill(self.next);
            self.next += 1;
            Ok(())
        }
    }

    impl TryCryptoRng for Counter {}

    fn counter() -> Counter {
        Counter {
            next: 0,
            of_the_module: false,
        }
    }

    #[test]
    fn each_message_has_the_next_nonce_and_rustcrypto_opens_it() {
        let sealer = Sm4GcmSealer::new(&KEY);
        let judge = <AesGcm<::sm4::Sm4, U12> as KeyInit>::new(&KEY.into());
        let mut random = counter();
        for i in 0..100 {
            let plaintext = vec![0x77; usize::from(i)];
            let sealed = sealer.seal(&mut random, b"header", &plaintext).unwrap();
            assert_eq!(sealed.len(), plaintext.len() + 28);
            assert_eq!(sealed[..12], [i; 12]);
            let mut opened = sealed[12..].to_vec();
            judge
                .decrypt_in_place(&[i; 12].into(), b"header", &mut opened)
                .unwrap();
            assert_eq!(opened, plaintext);
            assert_eq!(sealer.open(b"header", &sealed).unwrap(), plaintext);
        }
    }

    #[test]
    fn what_is_altered_or_cut_does_not_open() {
        let sealer = Sm4GcmSealer::new(&KEY);
        let sealed = sealer.seal(&mut counter(), b"header", b"text").unwrap();
        for i in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[i] ^= 0x80;
            assert!(sealer.open(b"header", &altered).is_err(), "byte {i}");
            assert!(sealer.open(b"header", &sealed[..i]).is_err(), "{i} bytes");
        }
        assert!(sealer.open(b"other", &sealed).is_err());
        let other = Sm4GcmSealer::new(&[1; 16]);
        assert!(other.open(b"header", &sealed).is_err());
    }

    #[test]
    fn a_key_seals_as_many_messages_as_it_may() {
        let sealer = Sm4GcmSealer::with_limit(&KEY, 2);
        let mut random = counter();
        assert!(sealer.seal(&mut random, b"", b"first").is_ok());
        assert!(sealer.seal(&mut random, b"", b"last").is_ok());
        for _ in 0..2 {
            let refused = sealer.seal(&mut random, b"", b"one too many");
            assert_eq!(refused, Err(SealError::KeyUsedUp));
        }
        // No nonce was drawn for those.
        assert_eq!(random.next, 2);
        for sealer in [
            Sm4GcmSealer::new(&KEY),
            Sm4GcmSealer::with_limit(&KEY, u64::MAX),
        ] {
            assert_eq!(sealer.left.into_inner(), 1 << 32);
        }
    }

    #[test]
    fn without_random_bytes_nothing_is_sealed() {
        #[derive(Debug, PartialEq, Eq)]
        struct Dry;
        struct NoRandom;
        impl fmt::Display for Dry {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("dry")
            }
        }
        impl std::error::Error for Dry {}
        impl TryRng for NoRandom {
            type Error = Dry;
            fn try_next_u32(&mut self) -> Result<u32, Dry> {
                Err(Dry)
            }
            fn try_next_u64(&mut self) -> Result<u64, Dry> {
                Err(Dry)
            }
            fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Dry> {
                Err(Dry)
            }
        }
        impl TryCryptoRng for NoRandom {}

        let refused = Sm4GcmSealer::new(&KEY).seal(&mut NoRandom, b"", b"text");
        assert_eq!(refused, Err(SealError::Random(Dry)));
        let error = refused.unwrap_err();
        assert_eq!(error.to_string(), "no random bytes for a nonce: dry");
    }

    #[test]
    fn only_a_nonce_of_the_modules_generator_is_the_modules() {
        let sealer = Sm4GcmSealer::new(&KEY);
        for of_the_module in [false, true] {
            let mut random = counter();
            random.of_the_module = of_the_module;
            let (sealed, used) = observe(|| sealer.seal(&mut random, b"", b"text"));
            sealed.unwrap();
            let own = Service::Sm4GcmSealOwnNonce;
            assert_eq!(used.contains(own), of_the_module);
            assert_eq!(used.contains(Service::Sm4GcmSeal), !of_the_module);
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", Sm4GcmSealer::with_limit(&KEY, 7));
        assert_eq!(shown, "Sm4GcmSealer { left: 7, .. }");
    }

    #[test]
    fn errors_say_what_to_do() {
        let used_up = SealError::<Infallible>::KeyUsedUp.to_string();
        assert!(used_up.ends_with("take a new key"), "{used_up}");
    }
}
