//! International algorithms from RustCrypto, beside the SM ones: a provider without any C.

mod hkdf;
mod kx;
mod sign;
mod suites;
mod verify;

use std::sync::Arc;

use pki_types::PrivateKeyDer;
use rustls::crypto::{CryptoProvider, KeyProvider};
use rustls::sign::SigningKey;
use zeroize::Zeroizing;

use super::provider::{self, sm2_signing_key};
use crate::module::{Error, is_strict_gm};

/// The strict set first, then TLS_AES_256_GCM_SHA384 and TLS_AES_128_GCM_SHA256, x25519 and
/// secp256r1, and certificates and handshakes signed with ECDSA (P-256, P-384) or RSA (2048 to 8192
/// bits; PSS, and PKCS#1 v1.5 in certificates). All of it is Rust.
///
/// Private keys are SM2 or ECDSA, in PKCS#8 or SEC1. An RSA key is refused with
/// [`Error::RsaKeyInSoftware`](super::Error::RsaKeyInSoftware): RustCrypto's RSA signature is
/// exposed to the timing attack of RUSTSEC-2023-0071.
///
/// As rustls prefers what the client prefers, so do servers with this provider. On choosing the
/// certificate see [`CertificateByHello`](super::CertificateByHello) and
/// [`Choice`](super::Choice), on a client's position [`negotiated`](super::negotiated).
///
/// In strict GM mode ([`module::set_strict_gm`](crate::module::set_strict_gm)) this is
/// [`strict`](super::strict). In the module's error state it refuses as that does.
pub fn mixed() -> CryptoProvider {
    try_mixed().unwrap_or_else(|_| provider::refusing())
}

/// As [`mixed`], after all self tests have passed.
///
/// # Errors
/// [`Error::SelfTestFailed`].
pub fn try_mixed() -> Result<CryptoProvider, Error> {
    let strict = provider::try_strict()?;
    Ok(match is_strict_gm() {
        true => strict,
        false => all(),
    })
}

/// The set itself.
pub(crate) fn all() -> CryptoProvider {
    let strict = provider::sm();
    CryptoProvider {
        cipher_suites: [
            strict.cipher_suites,
            vec![
                suites::TLS13_AES_256_GCM_SHA384,
                suites::TLS13_AES_128_GCM_SHA256,
            ],
        ]
        .concat(),
        kx_groups: [strict.kx_groups, vec![kx::X25519, kx::SECP256R1]].concat(),
        signature_verification_algorithms: verify::ALGORITHMS,
        secure_random: strict.secure_random,
        key_provider: &Keys,
    }
}

/// SM2 and ECDSA private keys.
#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(
        &self,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        let key = Zeroizing::new(key);
        if let Some(ecdsa) = sign::ecdsa_signing_key(&key)? {
            return Ok(ecdsa);
        }
        Ok(sm2_signing_key(&key)?)
    }
}
