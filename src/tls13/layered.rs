//! The SM set before any other provider's: one configuration for both worlds.

use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm};
use rustls::SignatureScheme;
use rustls::crypto::{CryptoProvider, KeyProvider, WebPkiSupportedAlgorithms};
use rustls::sign::SigningKey;
use zeroize::Zeroize;

use super::Error;
use super::provider::{sm2_signing_key, strict};
use super::verify::SM2SIG_SM3;
use crate::pki;

/// Puts the strict set before the algorithms of `base`: ring's, aws-lc-rs's, its FIPS form, or any
/// other provider's.
///
/// SM2 keys are loaded here and all others by `base`, which also gives rustls its random bytes;
/// SM2 ephemeral keys come from the operating system's generator. `fips()` of the result is false:
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
pub fn layered(base: CryptoProvider) -> CryptoProvider {
    let strict = strict();
    let lists = Lists::of(&base);
    let is_new_suite = |suite: &_| !strict.cipher_suites.contains(suite);
    let is_new_group = |name| strict.kx_groups.iter().all(|group| group.name() != name);

    CryptoProvider {
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
        secure_random: base.secure_random,
        key_provider: lists.keys,
    }
}

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

/// What rustls holds by `'static` reference.
#[derive(Clone, Copy)]
struct Lists {
    algorithms: WebPkiSupportedAlgorithms,
    keys: &'static LayeredKeys,
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
        };
        if let Some((_, lists)) = made.iter().find(same) {
            return *lists;
        }
        let lists = Self::leak(algorithms, base.key_provider);
        made.push((algorithms, lists));
        lists
    }

    fn leak(base: WebPkiSupportedAlgorithms, keys: &'static dyn KeyProvider) -> Self {
        let sm = strict().signature_verification_algorithms;
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
            keys: Box::leak(Box::new(LayeredKeys { base: keys })),
        }
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
