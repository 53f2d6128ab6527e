//! What can be wrong with a certificate, key or connection beyond what rustls reports.

use std::fmt;
use std::sync::Arc;

use rustls::server::VerifierBuilderError;
use rustls::{CertificateError, CipherSuite, NamedGroup, OtherError};

use crate::{module, pki, sm2};

/// Errors of the TLS 1.3 floor.
///
/// Inside a handshake they travel in rustls's own error; [`Error::find`] takes them out again.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The KeyUsage of a certificate lacks digitalSignature, so its key must not sign handshakes
    /// (RFC 8446 4.4.2.2).
    NoDigitalSignature,
    /// A certificate was signed under an empty signer ID.
    EmptySignerId,
    /// A certificate is not DER, or a KeyUsage in it is not or stands there twice.
    UnreadableCertificate(pki::Error),
    /// There is no certificate in the chain.
    NoCertificate,
    /// The certificate holds another public key than the private key's.
    KeyMismatch,
    /// A private key is not an SM2 key in PKCS#8 or SEC1.
    Key(pki::Error),
    /// A P-256 or P-384 private key is malformed or out of range.
    EcdsaKey,
    /// RSA private keys are not used in software.
    RsaKeyInSoftware,
    /// A signature was not made.
    Sign(sm2::Error),
    /// The peer put an SM suite together with what RFC 8998 does not allow with it.
    NotConforming {
        /// The suite that the peer chose.
        suite: CipherSuite,
        /// The group that it chose.
        group: NamedGroup,
    },
    /// A verifier could not be made of these roots and revocation lists.
    Verifier(VerifierBuilderError),
    /// The cryptographic module refused.
    Module(module::Error),
    /// rustls refused.
    Tls(rustls::Error),
}

impl Error {
    /// The error of this floor inside a rustls error, if it holds one.
    ///
    /// ```
    /// use shangmi::tls13::Error;
    ///
    /// let refused = rustls::Error::from(Error::NoDigitalSignature);
    /// assert!(matches!(Error::find(&refused), Some(Error::NoDigitalSignature)));
    /// ```
    pub fn find(error: &rustls::Error) -> Option<&Self> {
        match error {
            rustls::Error::Other(OtherError(inner))
            | rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                inner.downcast_ref()
            }
            _ => None,
        }
    }

    /// As the reason why the peer's certificate is refused; the alert is `certificate_unknown`.
    pub(super) fn refuses_certificate(self) -> rustls::Error {
        CertificateError::Other(OtherError(Arc::new(self))).into()
    }
}

impl From<Error> for rustls::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Tls(error) => error,
            error => Self::Other(OtherError(Arc::new(error))),
        }
    }
}

impl From<module::Error> for Error {
    fn from(error: module::Error) -> Self {
        Self::Module(error)
    }
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error)
    }
}

impl From<VerifierBuilderError> for Error {
    fn from(error: VerifierBuilderError) -> Self {
        Self::Verifier(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDigitalSignature => f.write_str(
                "the certificate's KeyUsage lacks digitalSignature, which TLS 1.3 needs: \
                 use the signing certificate (of a TLCP pair, not the encryption one)",
            ),
            Self::EmptySignerId => f.write_str(
                "the certificate is signed under an empty SM2 signer ID instead of \
                 1234567812345678: issue it again, with OpenSSL before 4.0 by giving \
                 -sigopt distid:1234567812345678",
            ),
            Self::UnreadableCertificate(error) => error.fmt(f),
            Self::NoCertificate => f.write_str("the certificate chain is empty"),
            Self::KeyMismatch => f.write_str(
                "the private key does not belong to the first certificate of the chain: \
                 the chain begins with the own certificate",
            ),
            Self::Key(error) => error.fmt(f),
            Self::EcdsaKey => f.write_str(
                "the ECDSA private key is not a valid key of the curve that its file names",
            ),
            Self::RsaKeyInSoftware => f.write_str(
                "RSA private keys are not used in software, where their timing can betray them \
                 (RUSTSEC-2023-0071): use an ECDSA key, a token, or layered() over a provider \
                 that signs with RSA",
            ),
            Self::Sign(error) => write!(f, "no SM2 signature was made: {error}"),
            Self::NotConforming { suite, group } => write!(
                f,
                "the peer combined {suite:?} with {group:?}: RFC 8998 wants an SM suite with \
                 curveSM2 and an SM2 certificate"
            ),
            Self::Verifier(error) => write!(f, "no certificate verifier could be made: {error}"),
            Self::Module(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::UnreadableCertificate(error) | Self::Key(error) => Some(error),
            Self::Sign(error) => Some(error),
            Self::Verifier(error) => Some(error),
            Self::Module(error) => Some(error),
            Self::Tls(error) => Some(error),
            _ => None,
        }
    }
}
