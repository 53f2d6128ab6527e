//! Signing and verification (GB/T 32918.2-2016, 6 and 7).

use std::fmt;
use std::sync::Arc;

use ::signature::hazmat::{PrehashSigner, PrehashVerifier};
use ::signature::{Keypair, Signer, Verifier};
use rand_core::TryRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::curve::{Factor, Point, PreparedPoint, Scalar};
use super::id::{digest_with_z, z_of};
use super::{Error, PublicKey, STACK, SecretKey, Signature, self_test};
use crate::arch::ct::declassify;
use crate::arch::wipe::leaving;
use crate::gate::Service;
use crate::random::SystemRandom;
use crate::secret::Secret;
use crate::sm3::HmacSm3;

/// A key that signs the 32-byte digest e of [`message_digest`](super::message_digest). Software
/// keys, token keys and test keys implement it, and everything above uses nothing else to sign.
pub trait SignDigest: Send + Sync + fmt::Debug {
    /// The public key that verifies what this key signs.
    fn public_key(&self) -> &PublicKey;

    /// Signs e.
    ///
    /// # Errors
    /// [`Error::Random`] without random bytes, [`Error::KeyUnavailable`] from a key outside
    /// this process; [`Error::Module`].
    fn sign_digest(&self, e: &[u8; 32]) -> Result<Signature, Error>;
}

/// A software signing key with its signer ID. It is wiped when dropped.
pub struct SigningKey {
    secret: SecretKey,
    verifying: VerifyingKey,
}

/// What a key's signatures need of d, kept with the key.
pub(super) struct SigningSecrets {
    /// (1 + d)^-1
    inverse: Zeroizing<Factor>,
    /// Under d, to derive nonces.
    nonces: HmacSm3,
}

/// A verification key with the signer's ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    key: PublicKey,
    z: [u8; 32],
}

impl SigningKey {
    /// A key that signs messages under the signer ID `id`.
    ///
    /// # Errors
    /// [`Error::IdTooLong`] if `id` is longer than [`MAX_ID_LEN`](super::MAX_ID_LEN).
    pub fn new(secret: SecretKey, id: &[u8]) -> Result<Self, Error> {
        leaving::<STACK, _>(|| {
            secret.signing();
            Ok(Self {
                verifying: VerifyingKey::new(secret.public_key().clone(), id)?,
                secret,
            })
        })
    }

    /// The key that verifies this key's signatures, under the same ID.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }
}

impl VerifyingKey {
    /// A key that verifies messages signed under the signer ID `id`.
    ///
    /// # Errors
    /// [`Error::IdTooLong`] if `id` is longer than [`MAX_ID_LEN`](super::MAX_ID_LEN).
    pub fn new(key: PublicKey, id: &[u8]) -> Result<Self, Error> {
        Ok(Self {
            z: z_of(id, &key)?,
            key,
        })
    }

    /// The public key without its ID.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The same key for many verifications.
    pub fn prepare(self) -> PreparedVerifyingKey {
        PreparedVerifyingKey {
            multiples: self.key.point().prepare_vartime(),
            key: self,
        }
    }
}

/// A verification key with 8 KiB of tables, which make verification more than twice as fast: for a key
/// that verifies again and again, such as an authority's. Making it takes as long as two verifications.
#[derive(Clone)]
pub struct PreparedVerifyingKey {
    key: VerifyingKey,
    multiples: PreparedPoint,
}

impl PreparedVerifyingKey {
    /// The key as it was before.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }
}

/// Verifies a signature on the 32-byte digest e (GB/T 32918.2, 7.1 B1-B2 and B4-B7).
///
/// # Errors
/// [`Error::InvalidSignature`] if it does not verify; [`Error::Module`].
pub fn verify_digest(key: &PublicKey, e: &[u8; 32], signature: &Signature) -> Result<(), Error> {
    verify_with(e, signature, |u, v, x| {
        key.point().sum_has_x_vartime(u, v, x)
    })
}

/// `sum_has_x` says whether \[u\]G + \[v\]P has that x, for the public key P.
fn verify_with(
    e: &[u8; 32],
    signature: &Signature,
    sum_has_x: impl FnOnce(&Scalar, &Scalar, &Scalar) -> bool,
) -> Result<(), Error> {
    self_test::VERIFY.enter(Service::Sm2Verify)?;
    let verifies = verifies(e, signature, sum_has_x);
    verifies.then_some(()).ok_or(Error::InvalidSignature)
}

/// [`verify_with`] without its gate.
pub(super) fn verifies(
    e: &[u8; 32],
    signature: &Signature,
    sum_has_x: impl FnOnce(&Scalar, &Scalar, &Scalar) -> bool,
) -> bool {
    let t = *signature.r() + *signature.s();
    // B7: R = e + x1 mod n is r.
    let x = *signature.r() - Scalar::reduce(e);
    !t.is_zero() && sum_has_x(signature.s(), &t, &x)
}

/// Signs e with the nonce `k`, 32 big-endian bytes: for known-answer tests.
///
/// # Errors
/// [`Error::UnusableNonce`] if `k` is not in 1..n or must be replaced (GB/T 32918.2, 6.1 A5-A6);
/// [`Error::Module`].
pub fn sign_digest_with_nonce(
    key: &SecretKey,
    e: &[u8; 32],
    k: &[u8; 32],
) -> Result<Signature, Error> {
    self_test::SIGN.enter(Service::Sm2Sign)?;
    leaving::<STACK, _>(|| {
        let k = Zeroizing::new(Scalar::nonzero(k).ok_or(Error::UnusableNonce)?);
        key.signing().sign_with(e, &k).ok_or(Error::UnusableNonce)
    })
}

impl SigningSecrets {
    pub(super) fn new(key: &SecretKey) -> Self {
        let one_plus_d = Zeroizing::new(Scalar::ONE + *key.scalar());
        Self {
            inverse: Zeroizing::new(Factor::inverse_of(&one_plus_d)),
            nonces: HmacSm3::keyed(key.to_bytes().as_bytes()),
        }
    }

    /// Draws nonces until one gives a signature, which the first one does but for a chance of 2^-32.
    fn sign(&self, e: &[u8; 32]) -> Result<Signature, Error> {
        let mut fresh = Secret::<32>::zeroed();
        for attempt in 0..=u8::MAX {
            SystemRandom
                .try_fill_bytes(fresh.as_mut_bytes())
                .map_err(Error::of_random)?;
            if let Some(signature) = self.attempt(e, &fresh, attempt) {
                return Ok(signature);
            }
        }
        // With a chance of 2^-8192.
        Err(Error::Random)
    }

    /// One attempt. The nonce is hedged: HMAC-SM3 under d of fresh randomness, e and the number of the
    /// attempt. A broken random source that repeats itself still gives different nonces to different
    /// digests.
    pub(super) fn attempt(
        &self,
        e: &[u8; 32],
        fresh: &Secret<32>,
        attempt: u8,
    ) -> Option<Signature> {
        let parts: [&[u8]; 3] = [fresh.as_bytes(), e, &[attempt]];
        let candidate = self.nonces.copy().tag_of(parts.into_iter());
        let k = Zeroizing::new(Scalar::nonzero(candidate.as_bytes())?);
        self.sign_with(e, &k)
    }

    /// With the nonce k; `None` if the standard wants another one.
    pub(super) fn sign_with(&self, e: &[u8; 32], k: &Scalar) -> Option<Signature> {
        let r = declassify(Scalar::reduce(e) + Point::mul_base(k)?.x_scalar());
        let r_plus_k = Zeroizing::new(r + *k);
        if r.is_zero() || r_plus_k.is_zero() {
            return None;
        }
        // A6: s = (1+d)^-1 (k - r d) = (1+d)^-1 (k + r) - r, which needs no multiplication by d.
        let s = declassify(self.inverse.times(&r_plus_k) - r);
        Signature::from_scalars(r, s)
    }
}

/// A key that several owners share, such as a token's.
impl<T: SignDigest + ?Sized> SignDigest for Arc<T> {
    fn public_key(&self) -> &PublicKey {
        (**self).public_key()
    }

    fn sign_digest(&self, e: &[u8; 32]) -> Result<Signature, Error> {
        (**self).sign_digest(e)
    }
}

impl SignDigest for SigningKey {
    fn public_key(&self) -> &PublicKey {
        self.secret.public_key()
    }

    fn sign_digest(&self, e: &[u8; 32]) -> Result<Signature, Error> {
        self.secret.sign_digest(e)
    }
}

impl SignDigest for SecretKey {
    fn public_key(&self) -> &PublicKey {
        self.public_key()
    }

    fn sign_digest(&self, e: &[u8; 32]) -> Result<Signature, Error> {
        self_test::SIGN.enter(Service::Sm2Sign)?;
        leaving::<STACK, _>(|| self.signing().sign(e))
    }
}

impl Signer<Signature> for SigningKey {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, ::signature::Error> {
        Ok(self.sign_digest(&digest_with_z(&self.verifying.z, message))?)
    }
}

/// Signs e; the prehash must be its 32 bytes.
impl PrehashSigner<Signature> for SigningKey {
    fn sign_prehash(&self, e: &[u8]) -> Result<Signature, ::signature::Error> {
        let e = e.try_into().map_err(::signature::Error::from_source)?;
        Ok(self.sign_digest(e)?)
    }
}

impl Keypair for SigningKey {
    type VerifyingKey = VerifyingKey;

    fn verifying_key(&self) -> VerifyingKey {
        self.verifying.clone()
    }
}

impl Verifier<Signature> for VerifyingKey {
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), ::signature::Error> {
        let e = digest_with_z(&self.z, message);
        Ok(verify_digest(&self.key, &e, signature)?)
    }
}

/// Verifies on e; the prehash must be its 32 bytes.
impl PrehashVerifier<Signature> for VerifyingKey {
    fn verify_prehash(&self, e: &[u8], signature: &Signature) -> Result<(), ::signature::Error> {
        let e = e.try_into().map_err(::signature::Error::from_source)?;
        Ok(verify_digest(&self.key, e, signature)?)
    }
}

impl Verifier<Signature> for PreparedVerifyingKey {
    fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), ::signature::Error> {
        let e = digest_with_z(&self.key.z, message);
        self.verify_prehash(&e, signature)
    }
}

/// Verifies on e; the prehash must be its 32 bytes.
impl PrehashVerifier<Signature> for PreparedVerifyingKey {
    fn verify_prehash(&self, e: &[u8], signature: &Signature) -> Result<(), ::signature::Error> {
        let e = e.try_into().map_err(::signature::Error::from_source)?;
        Ok(verify_with(e, signature, |u, v, x| {
            self.multiples.sum_has_x_vartime(u, v, x)
        })?)
    }
}

impl ZeroizeOnDrop for SigningKey {}

impl fmt::Debug for PreparedVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedVerifyingKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("verifying", &self.verifying)
            .finish_non_exhaustive()
    }
}
