//! Handshake signatures with ECDSA keys in software.

use std::fmt;
use std::sync::Arc;

use der::Decode;
use der::asn1::ObjectIdentifier;
use p256::pkcs8::DecodePrivateKey;
use pkcs8::PrivateKeyInfoRef;
use pki_types::{AlgorithmIdentifier, PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{SignatureAlgorithm, SignatureScheme};
use sec1::{DecodeEcPrivateKey, EcPrivateKey};

use super::super::Error;
use crate::gate::{SelfTest, Service};
use crate::module::international::{ECDSA_P256, ECDSA_P384};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Loads a P-256 or P-384 key from PKCS#8 or SEC1; `None` for a key that is neither.
///
/// # Errors
/// [`Error::RsaKeyInSoftware`] for an RSA key, [`Error::EcdsaKey`] for one that is damaged.
pub(super) fn ecdsa_signing_key(
    key: &PrivateKeyDer<'_>,
) -> Result<Option<Arc<dyn SigningKey>>, Error> {
    let curve = match key {
        PrivateKeyDer::Pkcs1(_) => return Err(Error::RsaKeyInSoftware),
        PrivateKeyDer::Pkcs8(der) => {
            let info = PrivateKeyInfoRef::from_der(der.secret_pkcs8_der()).ok();
            if info
                .as_ref()
                .is_some_and(|info| info.algorithm.oid == RSA_ENCRYPTION)
            {
                return Err(Error::RsaKeyInSoftware);
            }
            info.and_then(|info| info.algorithm.parameters_oid().ok())
        }
        PrivateKeyDer::Sec1(der) => EcPrivateKey::from_der(der.secret_sec1_der())
            .ok()
            .and_then(|key| key.parameters?.named_curve()),
        _ => None,
    };
    Ok(match curve {
        Some(P256) => Some(ecdsa::<P256Key>(load::<p256::SecretKey>(key)?.into())),
        Some(P384) => Some(ecdsa::<P384Key>(load::<p384::SecretKey>(key)?.into())),
        _ => None,
    })
}

fn load<K: DecodePrivateKey + DecodeEcPrivateKey>(key: &PrivateKeyDer<'_>) -> Result<K, Error> {
    let key = match key {
        PrivateKeyDer::Pkcs8(der) => K::from_pkcs8_der(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Sec1(der) => K::from_sec1_der(der.secret_sec1_der()).ok(),
        _ => None,
    };
    key.ok_or(Error::EcdsaKey)
}

type P256Key = p256::ecdsa::SigningKey;
type P384Key = p384::ecdsa::SigningKey;

/// A curve's ECDSA as TLS 1.3 names it, each curve with one hash (RFC 8446 4.2.3).
trait Ecdsa: Send + Sync + 'static {
    const SCHEME: SignatureScheme;
    const KEY: AlgorithmIdentifier;

    /// The test of it.
    const SELF_TEST: &'static SelfTest;

    fn point(&self) -> Vec<u8>;
    fn sign(&self, message: &[u8]) -> signature::Result<Vec<u8>>;
}

impl Ecdsa for P256Key {
    const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
    const KEY: AlgorithmIdentifier = alg_id::ECDSA_P256;
    const SELF_TEST: &'static SelfTest = &ECDSA_P256;

    fn point(&self) -> Vec<u8> {
        self.verifying_key()
            .to_sec1_point(false)
            .as_bytes()
            .to_vec()
    }

    fn sign(&self, message: &[u8]) -> signature::Result<Vec<u8>> {
        let signature: p256::ecdsa::Signature = signature::Signer::try_sign(self, message)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

impl Ecdsa for P384Key {
    const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP384_SHA384;
    const KEY: AlgorithmIdentifier = alg_id::ECDSA_P384;
    const SELF_TEST: &'static SelfTest = &ECDSA_P384;

    fn point(&self) -> Vec<u8> {
        self.verifying_key()
            .to_sec1_point(false)
            .as_bytes()
            .to_vec()
    }

    fn sign(&self, message: &[u8]) -> signature::Result<Vec<u8>> {
        let signature: p384::ecdsa::Signature = signature::Signer::try_sign(self, message)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

fn ecdsa<K: Ecdsa>(key: K) -> Arc<dyn SigningKey> {
    Arc::new(EcdsaKey(Arc::new(key)))
}

/// Both the key and, once the scheme is agreed on, what signs with it.
struct EcdsaKey<K>(Arc<K>);

impl<K: Ecdsa> SigningKey for EcdsaKey<K> {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&K::SCHEME)
            .then(|| Box::new(Self(self.0.clone())) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(public_key_to_spki(&K::KEY, self.0.point()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl<K: Ecdsa> Signer for EcdsaKey<K> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        K::SELF_TEST
            .enter(Service::EcdsaSign)
            .map_err(Error::Module)?;
        self.0
            .sign(message)
            .map_err(|_| rustls::Error::General("the ECDSA signature was not made".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        K::SCHEME
    }
}

impl<K: Ecdsa> fmt::Debug for EcdsaKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EcdsaKey").field(&K::SCHEME).finish()
    }
}
