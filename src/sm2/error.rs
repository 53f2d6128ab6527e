//! What can go wrong with SM2 keys, signatures and ciphertexts.

use std::fmt;

use crate::gate;

/// Why an SM2 operation failed. No variant carries key material.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The private key is not in 1..=n-2 (GB/T 32918.1, 6.1).
    InvalidSecretKey,
    /// The public key is not a point of the curve in uncompressed or compressed form.
    InvalidPublicKey,
    /// The signature is not strict DER, or r or s is not in 1..n.
    MalformedSignature,
    /// The signature does not belong to this message, signer ID and key.
    InvalidSignature,
    /// The ciphertext is malformed, was altered, or is for another key.
    InvalidCiphertext,
    /// SM2 encrypts 1 to [`MAX_PLAINTEXT_LEN`](super::encryption::MAX_PLAINTEXT_LEN) bytes.
    PlaintextLength,
    /// The signer ID is longer than [`MAX_ID_LEN`](super::MAX_ID_LEN) bytes.
    IdTooLong,
    /// The agreed point is infinity: the peer's keys are unusable.
    AgreementFailed,
    /// A key of 0 bytes was asked for.
    KeyLength,
    /// A chosen nonce is not in 1..n, or the standard wants another one for this message.
    UnusableNonce,
    /// The random generator failed; nothing was computed.
    Random,
    /// The cryptographic module gives no service; the source says why ([`module`](crate::module)).
    Module(gate::Error),
    /// A key outside this process (an HSM's) did not answer; the source names the call.
    KeyUnavailable(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidSecretKey => f.write_str("the SM2 private key is not in 1..=n-2"),
            Self::InvalidPublicKey => f.write_str(
                "the SM2 public key is not a point of the curve in uncompressed or compressed form",
            ),
            Self::MalformedSignature => {
                f.write_str("the SM2 signature is not strict DER with r and s in 1..n")
            }
            Self::InvalidSignature => f.write_str(
                "the SM2 signature does not belong to this message, signer ID and public key",
            ),
            Self::InvalidCiphertext => {
                f.write_str("the SM2 ciphertext is malformed, was altered, or is for another key")
            }
            Self::PlaintextLength => f.write_str("SM2 encrypts 1 byte to 128 MiB"),
            Self::IdTooLong => f.write_str("an SM2 signer ID has at most 8191 bytes"),
            Self::AgreementFailed => {
                f.write_str("the SM2 key agreement gave no key: the peer's keys are unusable")
            }
            Self::KeyLength => f.write_str("an agreed key has at least one byte"),
            Self::UnusableNonce => {
                f.write_str("the chosen SM2 nonce is not in 1..n or must be replaced by another")
            }
            Self::Random => f.write_str("the random generator failed"),
            Self::Module(cause) => cause.fmt(f),
            Self::KeyUnavailable(cause) => write!(f, "the SM2 key did not answer: {cause}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Module(cause) => Some(cause),
            Self::KeyUnavailable(cause) => Some(cause.as_ref()),
            _ => None,
        }
    }
}

impl Error {
    /// For `map_err` on what a random generator gives, whose failure may be the module's.
    pub(super) fn of_random<E>(_: E) -> Self {
        gate::operational().map_or_else(Self::Module, |()| Self::Random)
    }
}

impl From<gate::Error> for Error {
    fn from(error: gate::Error) -> Self {
        Self::Module(error)
    }
}

impl From<Error> for ::signature::Error {
    fn from(error: Error) -> Self {
        Self::from_source(error)
    }
}
