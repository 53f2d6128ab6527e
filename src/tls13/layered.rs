//! The SM set before any other provider's: one configuration for both worlds.

use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm};
use rustls::SignatureScheme;
use rustls::crypto::{
    CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::sign::SigningKey;
use zeroize::Zeroize;

use super::Error;
use super::provider::{refusing, sm2_signing_key, try_strict};
use super::verify::{SM2_ALGORITHMS, SM2SIG_SM3};
use crate::{module, pki};

/// Puts the strict set before the algorithms of `base`: ring's, aws-lc-rs's, its FIPS form, or any
/// other provider's.
///
/// SM2 keys are loaded here and all others by `base`, which also gives rustls its random bytes;
/// SM2 ephemeral keys come from the module's own ([`random`](crate::random)). `fips()` of the result is false:
/// the SM algorithms are not among those that FIPS 140 approves, whatever `base` is.
///
/// The algorithms of `base` do not know the KeyUsage rule of TLS 1.3 (RFC 8446 4.4.2.2), and rustls's
/// own verifiers do not check it. It holds for certificates that SM2 authorities sign, whatever the
/// verifier, and for those that `base` verifies only under the verifiers of this module:
/// [`server_verifier`](super::server_verifier), [`client_verifier`](super::client_verifier), or
/// another one wrapped by [`checked_server_verifier`](super::checked_server_verifier) or
/// [`checked_client_verifier`](super::checked_client_verifier).
///
/// A client with this provider may meet a server that combines an SM suite with another group; see
/// [`negotiated`](super::negotiated). A server chooses its certificate with
/// [`CertificateByHello`](super::CertificateByHello), or its whole configuration with
/// [`Choice`](super::Choice).
///
/// rustls wants `'static` lists, so each distinct `base` costs a few hundred bytes that are never
/// freed; calling this again with the same one costs nothing.
///
/// In strict GM mode ([`module::set_strict_gm`]) this is [`strict`](super::strict). In the module's
/// error state it refuses as that does, and what was made before gives rustls no random bytes any
/// more, so that no handshake begins in either world.
pub fn layered(base: CryptoProvider) -> CryptoProvider {
    try_layered(base).unwrap_or_else(|_| refusing())
}

/// As [`layered`], after all self tests have passed.
///
/// # Errors
/// [`module::Error::SelfTestFailed`].
pub fn try_layered(base: CryptoProvider) -> Result<CryptoProvider, module::Error> {
    let strict = try_strict()?;
    if module::is_strict_gm() {
        return Ok(strict);
    }
    let lists = Lists::of(&base);
    let is_new_suite = |suite: &_| !strict.cipher_suites.contains(suite);
    let is_new_group = |name| strict.kx_groups.iter().all(|group| group.name() != name);

    Ok(CryptoProvider {
        cipher_suites: [
            strict.cipher_suites.clone(),
            base.cipher_suites
                .into_iter()
                .filter(is_new_suite)
                .collect(),
        ]
        .concat(),
        kx_groups: [
            strict.kx_groups.clone(),
            base.kx_groups
                .into_iter()
                .filter(|group| is_new_group(group.name()))
                .collect(),
        ]
        .concat(),
        signature_verification_algorithms: lists.algorithms,
        secure_random: lists.random,
        key_provider: lists.keys,
    })
}

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

/// What rustls holds by `'static` reference.
#[derive(Clone, Copy)]
struct Lists {
    algorithms: WebPkiSupportedAlgorithms,
    keys: &'static LayeredKeys,
    random: &'static LayeredRandom,
}

impl Lists {
    fn of(base: &CryptoProvider) -> Self {
        static MADE: Mutex<Vec<(WebPkiSupportedAlgorithms, Lists)>> = Mutex::new(Vec::new());

        let algorithms = base.signature_verification_algorithms;
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(of, lists): &&(WebPkiSupportedAlgorithms, Self)| {
            ptr::eq(of.all, algorithms.all)
                && ptr::eq(of.mapping, algorithms.mapping)
                && ptr::eq(lists.keys.base, base.key_provider)
                && ptr::eq(lists.random.base, base.secure_random)
        };
        if let Some((_, lists)) = made.iter().find(same) {
            return *lists;
        }
        let lists = Self::leak(base);
        made.push((algorithms, lists));
        lists
    }

    fn leak(provider: &CryptoProvider) -> Self {
        let base = provider.signature_verification_algorithms;
        let sm = SM2_ALGORITHMS;
        let all: Algorithms = [sm.all, base.all].concat().leak();
        let others = base
            .mapping
            .iter()
            .filter(|(scheme, _)| *scheme != SM2SIG_SM3);
        let mapping: Vec<(SignatureScheme, Algorithms)> =
            sm.mapping.iter().chain(others).copied().collect();
        Self {
            algorithms: WebPkiSupportedAlgorithms {
                all,
                mapping: mapping.leak(),
            },
            keys: Box::leak(Box::new(LayeredKeys {
                base: provider.key_provider,
            })),
            random: Box::leak(Box::new(LayeredRandom {
                base: provider.secure_random,
            })),
        }
    }
}

/// The base provider's random bytes, while the module works.
#[derive(Debug)]
struct LayeredRandom {
    base: &'static dyn SecureRandom,
}

impl SecureRandom for LayeredRandom {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        module::operational().map_err(|_| GetRandomFailed)?;
        self.base.fill(buf)
    }

    fn fips(&self) -> bool {
        self.base.fips()
    }
}

/// SM2 keys first, others as the base provider loads them.
#[derive(Debug)]
struct LayeredKeys {
    base: &'static dyn KeyProvider,
}

impl KeyProvider for LayeredKeys {
    fn load_private_key(
        &self,
        mut key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        match sm2_signing_key(&key) {
            Ok(loaded) => {
                key.zeroize();
                Ok(loaded)
            }
            Err(Error::Key(
                pki::Error::UnsupportedAlgorithm { .. } | pki::Error::UnsupportedCurve { .. },
            )) => self.base.load_private_key(key),
            // What neither can read is reported with our cause, which names it.
            Err(cause) => self.base.load_private_key(key).map_err(|_| cause.into()),
        }
    }
}
