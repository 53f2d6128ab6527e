//! Public-key encryption (GB/T 32918.4-2016).

use der::asn1::{OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use digest::Digest;
use rand_core::TryCryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::curve::{Point, Scalar};
use super::kdf::kdf;
use super::{Error, PublicKey, STACK, SecretKey, self_test};
use crate::arch::ct::declassify;
use crate::arch::wipe::leaving;
use crate::gate::Service;
use crate::secret::{Secret, SecretBytes};
use crate::sm3::Sm3;

/// The longest plaintext in bytes, 128 MiB: with room to spare, what DER lengths can express here.
pub const MAX_PLAINTEXT_LEN: usize = 1 << 27;

/// The encoding of a ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// SEQUENCE { x INTEGER, y INTEGER, C3 OCTET STRING, C2 OCTET STRING } (GB/T 35276-2017, 7.2).
    Asn1,
    /// C1 (uncompressed, 65 bytes) || C3 (32 bytes) || C2 (GB/T 32918.4, 6.1 A8).
    C1C3C2,
}

/// A private key that decrypts, in software or in a token.
pub trait Decrypt: Send + Sync {
    /// Decrypts what was encrypted for this key's public key.
    ///
    /// # Errors
    /// [`Error::InvalidCiphertext`] if it is malformed, was altered or is for another key;
    /// [`Error::Module`].
    fn decrypt(&self, ciphertext: &[u8], format: Format) -> Result<SecretBytes, Error>;
}

/// SM2Cipher of GB/T 35276-2017, 7.2.
#[derive(Sequence)]
struct DerCiphertext<'a> {
    x: UintRef<'a>,
    y: UintRef<'a>,
    c3: &'a OctetStringRef,
    c2: &'a OctetStringRef,
}

/// Encrypts `plaintext`, 1 to [`MAX_PLAINTEXT_LEN`] bytes, for `key` (GB/T 32918.4, 6.1).
///
/// # Errors
/// [`Error::PlaintextLength`] for any other length, [`Error::Random`] if `rng` fails;
/// [`Error::Module`].
pub fn encrypt<R: TryCryptoRng + ?Sized>(
    key: &PublicKey,
    plaintext: &[u8],
    format: Format,
    rng: &mut R,
) -> Result<Vec<u8>, Error> {
    self_test::ENCRYPT.enter(Service::Sm2Encrypt)?;
    check_length(plaintext)?;
    leaving::<STACK, _>(|| {
        let mut candidate = Secret::<32>::zeroed();
        loop {
            rng.try_fill_bytes(candidate.as_mut_bytes())
                .map_err(Error::of_random)?;
            let Some(k) = Scalar::nonzero(candidate.as_bytes()).map(Zeroizing::new) else {
                continue;
            };
            if let Some(ciphertext) = encrypt_with(key, plaintext, &k, format) {
                return Ok(ciphertext);
            }
        }
    })
}

/// Encrypts with the nonce `k`, 32 big-endian bytes: for known-answer tests.
///
/// # Errors
/// [`Error::UnusableNonce`] if `k` is not in 1..n or must be replaced (GB/T 32918.4, 6.1 A5);
/// [`Error::PlaintextLength`]; [`Error::Module`].
pub fn encrypt_with_nonce(
    key: &PublicKey,
    plaintext: &[u8],
    k: &[u8; 32],
    format: Format,
) -> Result<Vec<u8>, Error> {
    self_test::ENCRYPT.enter(Service::Sm2Encrypt)?;
    check_length(plaintext)?;
    leaving::<STACK, _>(|| {
        let k = Zeroizing::new(Scalar::nonzero(k).ok_or(Error::UnusableNonce)?);
        encrypt_with(key, plaintext, &k, format).ok_or(Error::UnusableNonce)
    })
}

impl Decrypt for SecretKey {
    fn decrypt(&self, ciphertext: &[u8], format: Format) -> Result<SecretBytes, Error> {
        self_test::DECRYPT.enter(Service::Sm2Decrypt)?;
        leaving::<STACK, _>(|| open(self, ciphertext, format).ok_or(Error::InvalidCiphertext))
    }
}

/// The plaintext, if the ciphertext is whole and for this key.
pub(super) fn open(key: &SecretKey, ciphertext: &[u8], format: Format) -> Option<SecretBytes> {
    let (c1, c3, c2) = split(ciphertext, format)?;
    let shared = c1.mul(key.scalar())?.secret_coordinates();
    let (text, masked) = mask(&shared, c2);
    // One answer for both reasons, and after the same work (GB/T 32918.4, 7.1 B4 and B6).
    let right = masked & check_value(&shared, &text).ct_eq(c3);
    declassify(bool::from(right)).then_some(text)
}

fn check_length(plaintext: &[u8]) -> Result<(), Error> {
    match plaintext.len() {
        1..=MAX_PLAINTEXT_LEN => Ok(()),
        _ => Err(Error::PlaintextLength),
    }
}

/// One attempt with the nonce k; `None` if the standard wants another one.
pub(super) fn encrypt_with(
    key: &PublicKey,
    plaintext: &[u8],
    k: &Scalar,
    format: Format,
) -> Option<Vec<u8>> {
    let c1 = declassify(Point::mul_base(k)?).to_sec1();
    let shared = key.point().mul(k)?.secret_coordinates();
    let (c2, masked) = mask(&shared, plaintext);
    // If not masked, the nonce is drawn again.
    declassify(bool::from(masked)).then(|| join(&c1, &check_value(&shared, plaintext), &c2, format))
}

/// `data` xor KDF(x2 || y2), and whether that KDF gave anything but zeros, which mask nothing.
fn mask(shared: &Secret<64>, data: &[u8]) -> (SecretBytes, Choice) {
    let mut out = SecretBytes::zeroed(data.len());
    kdf(&[shared.as_bytes()], out.as_mut_bytes());
    let any = out.iter().fold(0, |seen, byte| seen | byte);
    for (out, data) in out.as_mut_bytes().iter_mut().zip(data) {
        *out ^= data;
    }
    (out, !any.ct_eq(&0))
}

/// C3 = SM3(x2 || M || y2).
fn check_value(shared: &Secret<64>, plaintext: &[u8]) -> [u8; 32] {
    let (x, y) = shared.as_bytes().split_at(32);
    Sm3::new()
        .chain_update(x)
        .chain_update(plaintext)
        .chain_update(y)
        .finished()
}

fn join(c1: &[u8; 65], c3: &[u8; 32], c2: &[u8], format: Format) -> Vec<u8> {
    match format {
        Format::C1C3C2 => [&c1[..], c3, c2].concat(),
        Format::Asn1 => {
            let (x, y) = c1[1..].split_at(32);
            let encode = || {
                DerCiphertext {
                    x: UintRef::new(x)?,
                    y: UintRef::new(y)?,
                    c3: OctetStringRef::new(c3)?,
                    c2: OctetStringRef::new(c2)?,
                }
                .to_der()
            };
            match encode() {
                Ok(der) => der,
                Err(error) => unreachable!("MAX_PLAINTEXT_LEN keeps it within DER: {error}"),
            }
        }
    }
}

/// C1 as a point of the curve, C3 and a non-empty C2.
fn split(ciphertext: &[u8], format: Format) -> Option<(Point, &[u8], &[u8])> {
    let (point, c3, c2) = match format {
        Format::C1C3C2 => {
            let (c1, rest) = ciphertext.split_at_checked(65)?;
            let (c3, c2) = rest.split_at_checked(32)?;
            (Point::from_sec1(c1)?, c3, c2)
        }
        Format::Asn1 => {
            let parsed = DerCiphertext::from_der(ciphertext).ok()?;
            let mut c1 = [0; 65];
            c1[0] = 4;
            for (half, integer) in c1[1..].chunks_exact_mut(32).zip([parsed.x, parsed.y]) {
                let integer = integer.as_bytes();
                half[32usize.checked_sub(integer.len())?..].copy_from_slice(integer);
            }
            (
                Point::from_sec1(&c1)?,
                parsed.c3.as_bytes(),
                parsed.c2.as_bytes(),
            )
        }
    };
    (c3.len() == 32 && !c2.is_empty()).then_some((point, c3, c2))
}
