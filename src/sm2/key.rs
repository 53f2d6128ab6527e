//! Private and public keys.

use std::fmt;
use std::sync::OnceLock;

use rand_core::TryCryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::curve::{Point, Scalar};
use super::sign::SigningSecrets;
use super::{Error, STACK, self_test};
use crate::arch::ct::declassify;
use crate::arch::wipe::leaving;
use crate::gate::{self, Algorithm, Service};
use crate::secret::{Locked, Secret};

/// An SM2 private key, an integer d in 1..=n-2, with its public key. It is wiped when dropped.
pub struct SecretKey {
    // Apart, so that moving the key leaves no copy behind.
    scalar: Locked<Zeroizing<Scalar>>,
    signing: OnceLock<Locked<SigningSecrets>>,
    public: PublicKey,
}

/// An SM2 public key: a point of the curve other than infinity.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: Point,
    encoded: [u8; 65],
}

impl SecretKey {
    /// A new random key.
    ///
    /// The pair is tested before it counts: \[d\]G is computed once more, and must be the public key as
    /// a peer will read it (pairwise consistency: ISO/IEC 19790, 7.10.3.3; SP 800-56A Rev. 3,
    /// 5.6.2.1.4).
    ///
    /// # Errors
    /// [`Error::Random`] if `rng` fails; [`Error::Module`], also if the pair fails its test, which
    /// takes the module to the error state.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        self_test::KEY_GENERATION.enter(Service::Sm2KeyGeneration)?;
        leaving::<STACK, _>(|| {
            let mut candidate = Secret::<32>::zeroed();
            loop {
                rng.try_fill_bytes(candidate.as_mut_bytes())
                    .map_err(Error::of_random)?;
                // Out of range with a chance of 2^-32; what is thrown away tells nothing of what stays.
                if let Ok(key) = Self::derive(candidate.as_bytes()) {
                    return key.proven();
                }
            }
        })
    }

    /// Reads d as 32 big-endian bytes, and computes \[d\]G, the second half of key generation; the
    /// module counts it as such.
    ///
    /// # Errors
    /// [`Error::InvalidSecretKey`] if d is not in 1..=n-2 (GB/T 32918.1, 6.1); [`Error::Module`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        self_test::KEY_GENERATION.enter(Service::Sm2KeyGeneration)?;
        leaving::<STACK, _>(|| Self::derive(bytes))
    }

    /// [`SecretKey::from_bytes`] without its gate.
    pub(super) fn derive(bytes: &[u8; 32]) -> Result<Self, Error> {
        let scalar = Scalar::nonzero(bytes).map(|d| Locked::new(Zeroizing::new(d)));
        let scalar = scalar.ok_or(Error::InvalidSecretKey)?;
        // d = n - 1 has no (1 + d)^-1: it can never sign.
        if Zeroizing::new(Scalar::ONE + **scalar).is_zero() {
            return Err(Error::InvalidSecretKey);
        }
        let point = declassify(Point::mul_base(&scalar).ok_or(Error::InvalidSecretKey)?);
        Ok(Self {
            scalar,
            signing: OnceLock::new(),
            public: point.into(),
        })
    }

    /// This new key, if it passes the test of pairwise consistency.
    fn proven(self) -> Result<Self, Error> {
        const TEST: &str = Algorithm::Sm2KeyGeneration.name();
        const CHECK: &str = "pairwise consistency";
        let consistent = self.is_pair_with(&self.public);
        #[cfg(test)]
        let consistent = consistent && !gate::injection::fails(TEST, CHECK);
        if !consistent {
            return Err(gate::fail(TEST, CHECK).into());
        }
        Ok(self)
    }

    /// Whether `public` is valid as a peer will read it, and \[d\]G.
    pub(super) fn is_pair_with(&self, public: &PublicKey) -> bool {
        PublicKey::from_sec1(&public.encoded).is_ok_and(|read| read == *public)
            && public.point.is_multiple_of_g(&self.scalar)
    }

    /// d as 32 big-endian bytes.
    pub fn to_bytes(&self) -> Secret<32> {
        leaving::<STACK, _>(|| {
            let bytes = Zeroizing::new(self.scalar.to_bytes());
            Secret::copy_of(&bytes)
        })
    }

    /// The public key \[d\]G.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn scalar(&self) -> &Scalar {
        &self.scalar
    }

    /// What signatures need of d, computed once.
    pub(super) fn signing(&self) -> &SigningSecrets {
        self.signing
            .get_or_init(|| Locked::new(SigningSecrets::new(self)))
    }
}

impl PublicKey {
    /// Reads a point in uncompressed (04 || x || y, 65 bytes) or compressed (02 or 03 || x,
    /// 33 bytes) form.
    ///
    /// # Errors
    /// [`Error::InvalidPublicKey`] for any other form, coordinates not below p, infinity, and
    /// points that are not on the curve (GB/T 32918.1, 6.2.1; the cofactor is 1). That is the full
    /// validation of a public key; it is no service, and works in every state of the module.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, Error> {
        Point::from_sec1(bytes)
            .map(Self::from)
            .ok_or(Error::InvalidPublicKey)
    }

    /// The uncompressed form, 04 || x || y.
    pub fn to_sec1(&self) -> [u8; 65] {
        self.encoded
    }

    /// The uncompressed form, 04 || x || y, by reference.
    pub fn as_sec1(&self) -> &[u8; 65] {
        &self.encoded
    }

    pub(super) fn point(&self) -> &Point {
        &self.point
    }
}

impl From<Point> for PublicKey {
    fn from(point: Point) -> Self {
        Self {
            point,
            encoded: point.to_sec1(),
        }
    }
}

impl ZeroizeOnDrop for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        for byte in self.encoded {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}
