//! The signature (r, s) and its two encodings.

use std::fmt;

use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};

use super::Error;
use super::curve::Scalar;

/// An SM2 signature: r and s, each in 1..n.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    r: Scalar,
    s: Scalar,
}

/// SM2Signature ::= SEQUENCE { R INTEGER, S INTEGER } (GB/T 35276-2017, 7.3).
#[derive(Sequence)]
struct DerSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl Signature {
    /// Reads r || s, two 32-byte big-endian integers.
    ///
    /// # Errors
    /// [`Error::MalformedSignature`] if r or s is 0 or not below n.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, Error> {
        let half = |i: usize| {
            let mut half = [0; 32];
            half.copy_from_slice(&bytes[i..i + 32]);
            Scalar::nonzero(&half).ok_or(Error::MalformedSignature)
        };
        Ok(Self {
            r: half(0)?,
            s: half(32)?,
        })
    }

    /// r || s, 64 bytes.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.r.to_bytes());
        bytes[32..].copy_from_slice(&self.s.to_bytes());
        bytes
    }

    /// Reads the DER SEQUENCE of two INTEGERs, at most 72 bytes, in its one canonical encoding.
    ///
    /// # Errors
    /// [`Error::MalformedSignature`] for anything else: longer encodings of the same integers,
    /// negative ones, bytes after the end, r or s that is 0 or not below n.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let parsed = DerSignature::from_der(der).map_err(|_| Error::MalformedSignature)?;
        let mut bytes = [0; 64];
        for (half, integer) in bytes.chunks_exact_mut(32).zip([parsed.r, parsed.s]) {
            let integer = integer.as_bytes();
            let start = 32usize
                .checked_sub(integer.len())
                .ok_or(Error::MalformedSignature)?;
            half[start..].copy_from_slice(integer);
        }
        Self::from_bytes(&bytes)
    }

    /// The DER SEQUENCE of two INTEGERs, 8 to 72 bytes.
    pub fn to_der(&self) -> Vec<u8> {
        let bytes = self.to_bytes();
        let (r, s) = bytes.split_at(32);
        let encode = || {
            DerSignature {
                r: UintRef::new(r)?,
                s: UintRef::new(s)?,
            }
            .to_der()
        };
        match encode() {
            Ok(der) => der,
            Err(error) => unreachable!("two 32-byte integers always have a DER form: {error}"),
        }
    }

    /// `None` if one of them is 0.
    pub(super) fn from_scalars(r: Scalar, s: Scalar) -> Option<Self> {
        (!r.is_zero() && !s.is_zero()).then_some(Self { r, s })
    }

    pub(super) fn r(&self) -> &Scalar {
        &self.r
    }

    pub(super) fn s(&self) -> &Scalar {
        &self.s
    }
}

/// As [`Signature::from_der`].
impl TryFrom<&[u8]> for Signature {
    type Error = Error;

    fn try_from(der: &[u8]) -> Result<Self, Error> {
        Self::from_der(der)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        for byte in self.to_bytes() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}
