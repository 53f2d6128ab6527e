//! The providers: SM algorithms alone, with RustCrypto's international ones, or before another
//! provider's.

use std::sync::Arc;

use pki_types::PrivateKeyDer;
use rand_core::TryRng;
use rustls::crypto::{CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom};
use rustls::sign::SigningKey;
use zeroize::Zeroizing;

use super::Error;
use super::kx::CURVE_SM2_GROUP;
use super::sign::Sm2SigningKey;
use super::suites::{SM4_CCM_SM3_SUITE, SM4_GCM_SM3_SUITE};
use super::verify::SM2_ALGORITHMS;
use crate::random::SystemRandom;
use crate::{module, pki, sm2};

/// SM algorithms and nothing else: TLS_SM4_GCM_SM3, TLS_SM4_CCM_SM3, curveSM2, sm2sig_sm3.
///
/// Whatever is negotiated with it conforms to RFC 8998. A peer that offers no SM suite, another
/// group only, or a certificate of another algorithm is refused.
///
/// The module's self tests run first, once a process. In its error state the provider that comes back
/// holds no suite and no group, so that rustls makes no configuration of it, and gives no random
/// bytes and loads no key; [`try_strict`] says why.
pub fn strict() -> CryptoProvider {
    try_strict().unwrap_or_else(|_| refusing())
}

/// As [`strict`], after all self tests have passed.
///
/// # Errors
/// [`module::Error::SelfTestFailed`].
pub fn try_strict() -> Result<CryptoProvider, module::Error> {
    module::power_on()?;
    Ok(sm())
}

/// The set itself.
pub(crate) fn sm() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![SM4_GCM_SM3_SUITE, SM4_CCM_SM3_SUITE],
        kx_groups: vec![CURVE_SM2_GROUP],
        signature_verification_algorithms: SM2_ALGORITHMS,
        secure_random: &Random,
        key_provider: &Sm2Keys,
    }
}

/// What stands for any provider in the error state. Its random bytes and keys come from the module,
/// which refuses.
pub(super) fn refusing() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: Vec::new(),
        kx_groups: Vec::new(),
        signature_verification_algorithms: SM2_ALGORITHMS,
        secure_random: &Random,
        key_provider: &Sm2Keys,
    }
}

/// [`SystemRandom`] as rustls asks for random bytes.
#[derive(Debug)]
pub(super) struct Random;

impl SecureRandom for Random {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        module::operational().map_err(|_| GetRandomFailed)?;
        SystemRandom
            .try_fill_bytes(buf)
            .map_err(|_| GetRandomFailed)
    }
}

/// SM2 private keys in PKCS#8 or SEC1.
#[derive(Debug)]
struct Sm2Keys;

impl KeyProvider for Sm2Keys {
    fn load_private_key(
        &self,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Ok(sm2_signing_key(&Zeroizing::new(key))?)
    }
}

/// Loads an SM2 key from PKCS#8 or SEC1.
pub(super) fn sm2_signing_key(key: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, Error> {
    module::operational().map_err(Error::Module)?;
    let key = pki::key::from_der(key.secret_der()).map_err(Error::Key)?;
    let key = sm2::SigningKey::new(key, sm2::TLS13_ID).map_err(Error::Sign)?;
    Ok(Arc::new(Sm2SigningKey::new(Arc::new(key))))
}
