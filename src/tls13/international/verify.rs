//! Verification of ECDSA and RSA signatures for webpki, after the SM2 algorithms.

use std::ops::RangeInclusive;

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use rsa::pkcs1::RsaPublicKeyRef;
use rsa::pkcs1::der::Decode;
use rsa::{BoxedUint, RsaPublicKey};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use sha2::digest::FixedOutputReset;
use sha2::digest::const_oid::AssociatedOid;
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Verifier;
use signature::hazmat::PrehashVerifier;

use super::super::verify::{CERTIFICATE, CERTIFICATE_NULL, HANDSHAKE, OnCertificates, SM2SIG_SM3};
use crate::gate::{SelfTest, Service};
use crate::module::international::{ECDSA_P256, ECDSA_P384, RSA};

/// In `mapping`, the algorithm for TLS 1.3 stands first: rustls tries no other.
pub(super) static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        CERTIFICATE,
        CERTIFICATE_NULL,
        &OnCertificates(P256_SHA256),
        &OnCertificates(P256_SHA384),
        &OnCertificates(P384_SHA256),
        &OnCertificates(P384_SHA384),
        &OnCertificates(PSS_SHA256),
        &OnCertificates(PSS_SHA384),
        &OnCertificates(PSS_SHA512),
        &OnCertificates(PKCS1_SHA256),
        &OnCertificates(PKCS1_SHA384),
        &OnCertificates(PKCS1_SHA512),
    ],
    mapping: &[
        (SM2SIG_SM3, HANDSHAKE),
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[&P256_SHA256]),
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[&P384_SHA384]),
        (SignatureScheme::RSA_PSS_SHA256, &[&PSS_SHA256]),
        (SignatureScheme::RSA_PSS_SHA384, &[&PSS_SHA384]),
        (SignatureScheme::RSA_PSS_SHA512, &[&PSS_SHA512]),
        // For certificates only: rustls refuses these in a TLS 1.3 CertificateVerify.
        (SignatureScheme::RSA_PKCS1_SHA256, &[&PKCS1_SHA256]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[&PKCS1_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[&PKCS1_SHA512]),
    ],
};

type Verify = fn(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature>;

#[derive(Debug)]
struct Algorithm {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    verify: Verify,
}

const P256_SHA256: Algorithm = Algorithm {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA256,
    verify: p256::<Sha256>,
};
const P256_SHA384: Algorithm = Algorithm {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA384,
    verify: p256::<Sha384>,
};
const P384_SHA256: Algorithm = Algorithm {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA256,
    verify: p384::<Sha256>,
};
const P384_SHA384: Algorithm = Algorithm {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA384,
    verify: p384::<Sha384>,
};
const PSS_SHA256: Algorithm = Algorithm {
    key: alg_id::RSA_ENCRYPTION,
    signature: alg_id::RSA_PSS_SHA256,
    verify: pss::<Sha256>,
};
const PSS_SHA384: Algorithm = Algorithm {
    key: alg_id::RSA_ENCRYPTION,
    signature: alg_id::RSA_PSS_SHA384,
    verify: pss::<Sha384>,
};
const PSS_SHA512: Algorithm = Algorithm {
    key: alg_id::RSA_ENCRYPTION,
    signature: alg_id::RSA_PSS_SHA512,
    verify: pss::<Sha512>,
};
const PKCS1_SHA256: Algorithm = Algorithm {
    key: alg_id::RSA_ENCRYPTION,
    signature: alg_id::RSA_PKCS1_SHA256,
    verify: pkcs1::<Sha256>,
};
const PKCS1_SHA384: Algorithm = Algorithm {
    key: alg_id::RSA_ENCRYPTION,
    signature: alg_id::RSA_PKCS1_SHA384,
    verify: pkcs1::<Sha384>,
};
const PKCS1_SHA512: Algorithm = Algorithm {
    key: alg_id::RSA_ENCRYPTION,
    signature: alg_id::RSA_PKCS1_SHA512,
    verify: pkcs1::<Sha512>,
};

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        (self.verify)(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// webpki can be told of nothing but a bad signature.
fn enter(test: &'static SelfTest, service: Service) -> Result<(), InvalidSignature> {
    test.enter(service).map_err(|error| {
        tracing::warn!("a signature was not verified: {error}");
        InvalidSignature
    })
}

fn p256<D: Digest>(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    enter(&ECDSA_P256, Service::EcdsaVerify)?;
    let key = ::p256::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| InvalidSignature)?;
    let signature = ::p256::ecdsa::Signature::from_der(signature).map_err(|_| InvalidSignature)?;
    key.verify_prehash(&D::digest(message), &signature)
        .map_err(|_| InvalidSignature)
}

fn p384<D: Digest>(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    enter(&ECDSA_P384, Service::EcdsaVerify)?;
    let key = ::p384::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| InvalidSignature)?;
    let signature = ::p384::ecdsa::Signature::from_der(signature).map_err(|_| InvalidSignature)?;
    key.verify_prehash(&D::digest(message), &signature)
        .map_err(|_| InvalidSignature)
}

/// RSASSA-PSS with a salt as long as the digest (RFC 8446 4.2.3).
fn pss<D: Digest + FixedOutputReset>(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    enter(&RSA, Service::RsaVerify)?;
    let key = rsa::pss::VerifyingKey::<D>::new(rsa_key(key)?);
    let signature = rsa::pss::Signature::try_from(signature).map_err(|_| InvalidSignature)?;
    key.verify(message, &signature)
        .map_err(|_| InvalidSignature)
}

fn pkcs1<D: Digest + AssociatedOid>(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    enter(&RSA, Service::RsaVerify)?;
    let key = rsa::pkcs1v15::VerifyingKey::<D>::new(rsa_key(key)?);
    let signature = rsa::pkcs1v15::Signature::try_from(signature).map_err(|_| InvalidSignature)?;
    key.verify(message, &signature)
        .map_err(|_| InvalidSignature)
}

/// In bits, as ring and aws-lc have it: shorter keys are too weak, longer ones too slow. An exponent
/// of more than 33 bits is refused as well, which bounds the time of a verification.
const RSA_SIZES: RangeInclusive<usize> = 2048..=8192;

fn rsa_key(key: &[u8]) -> Result<RsaPublicKey, InvalidSignature> {
    let key = RsaPublicKeyRef::from_der(key).map_err(|_| InvalidSignature)?;
    let [n, e] = [key.modulus, key.public_exponent]
        .map(|integer| BoxedUint::from_be_slice_vartime(integer.as_bytes()));
    RsaPublicKey::new_with_size_limits(n, e, RSA_SIZES).map_err(|_| InvalidSignature)
}

#[cfg(test)]
mod tests {
    use rsa::pkcs1::EncodeRsaPublicKey;
    use rsa::traits::PublicKeyParts;

    use super::*;

    /// A key whose modulus is odd, has so many bits and no known factors.
    fn key(bits: u32) -> Vec<u8> {
        let n = (BoxedUint::one_with_precision(bits) << (bits - 1)) | BoxedUint::one();
        encode(n, 65537)
    }

    fn encode(n: BoxedUint, e: u64) -> Vec<u8> {
        let key = RsaPublicKey::new_with_size_limits(n, e.into(), 0..=usize::MAX).unwrap();
        key.to_pkcs1_der().unwrap().into_vec()
    }

    #[test]
    fn rsa_keys_have_2048_to_8192_bits() {
        for bits in [2048, 3072, 4096, 8192] {
            let key = rsa_key(&key(bits)).unwrap();
            assert_eq!(key.n().bits_vartime(), bits);
        }
        for bits in [1024, 2047, 8193, 16384] {
            assert!(rsa_key(&key(bits)).is_err(), "{bits} bits");
        }
    }

    #[test]
    fn rsa_exponents_have_33_bits_at_most() {
        let n = || BoxedUint::max(2048);
        assert!(rsa_key(&encode(n(), (1 << 33) - 1)).is_ok());
        let mut key = encode(n(), (1 << 33) - 1);
        // The exponent is the last integer, 5 bytes long.
        let at = key.len() - 5;
        key[at] = 2;
        assert!(rsa_key(&key).is_err());
    }

    /// The longest key verifies: with 3 as the exponent, s^3 - m is a modulus under which s signs m.
    #[test]
    fn a_signature_of_8192_bits() {
        const SHA256: [u8; 19] = [
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x01, 0x05, 0x00, 0x04, 0x20,
        ];
        let message = b"message";
        let digest = Sha256::digest(message);
        let padding = [0xff; 1024 - 3 - 19 - 32];
        let m = [&[0, 1], &padding[..], &[0], &SHA256, &digest].concat();

        // 3 * 2^2729, whose cube is 27 * 2^8187 and has 8192 bits; the modulus must be odd.
        let mut s = [0; 1024];
        s[1023 - 2729 / 8] = 3 << (2729 % 8);
        s[1023] = 1 - m[1023] % 2;
        let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
        let n = &number(&s) * &number(&s) * &number(&s) - number(&m);
        assert_eq!(n.bits_vartime(), 8192);
        let key = encode(n, 3);

        assert!(pkcs1::<Sha256>(&key, message, &s).is_ok());
        s[1023] ^= 1;
        assert!(pkcs1::<Sha256>(&key, message, &s).is_err());
    }
}
