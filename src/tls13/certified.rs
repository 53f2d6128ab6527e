//! Our own certificate: checked when it is put together with its key, not at the first handshake.

use std::sync::Arc;

use pki_types::CertificateDer;
use rustls::InconsistentKeys;
use rustls::sign::{CertifiedKey, SigningKey};

use super::Error;
use crate::pki;

/// Puts a certificate chain, the own certificate first, together with its private key.
///
/// For one certificate, give it to rustls as
/// `with_cert_resolver(Arc::new(SingleCertAndKey::from(certified_key)))`; for an SM2 certificate
/// beside another one there is [`CertificateByHello`](super::CertificateByHello).
///
/// # Errors
/// [`Error::NoCertificate`] for an empty chain, [`Error::NoDigitalSignature`] for a certificate
/// that must not sign handshakes (the encryption certificate of a TLCP pair),
/// [`Error::KeyMismatch`] if the key belongs to another certificate, and
/// [`Error::UnreadableCertificate`].
pub fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
) -> Result<Arc<CertifiedKey>, Error> {
    let own = chain.first().ok_or(Error::NoCertificate)?;
    if !pki::allows_digital_signature(own).map_err(Error::UnreadableCertificate)? {
        return Err(Error::NoDigitalSignature);
    }

    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(Error::KeyMismatch)
        }
        // A foreign key type that does not show its public key.
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(error) => Err(error.into()),
    }
}
