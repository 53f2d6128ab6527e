//! Private and public keys.

use std::fmt;
use std::sync::OnceLock;

use rand_core::TryCryptoRng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::curve::{Point, Scalar};
use super::sign::SigningSecrets;
use super::{Error, STACK};
use crate::arch::ct::declassify;
use crate::arch::wipe::leaving;
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
    /// # Errors
    /// [`Error::Random`] if `rng` fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, Error> {
        leaving::<STACK, _>(|| {
            let mut candidate = Secret::<32>::zeroed();
            loop {
                rng.try_fill_bytes(candidate.as_mut_bytes())
                    .map_err(|_| Error::Random)?;
                // Out of range with a chance of 2^-32; what is thrown away tells nothing of what stays.
                if let Ok(key) = Self::from_bytes(candidate.as_bytes()) {
                    return Ok(key);
                }
            }
        })
    }

    /// Reads d as 32 big-endian bytes.
    ///
    /// # Errors
    /// [`Error::InvalidSecretKey`] if d is not in 1..=n-2 (GB/T 32918.1, 6.1).
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        leaving::<STACK, _>(|| {
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
        })
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
    /// points that are not on the curve (GB/T 32918.1, 6.2.1; the cofactor is 1).
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
