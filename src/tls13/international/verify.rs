//! Verification of ECDSA and RSA signatures for webpki, after the SM2 algorithms.

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::traits::PublicKeyParts;
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use sha2::digest::FixedOutputReset;
use sha2::digest::const_oid::AssociatedOid;
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Verifier;
use signature::hazmat::PrehashVerifier;

use super::super::verify::{CERTIFICATE, CERTIFICATE_NULL, HANDSHAKE, OnCertificates, SM2SIG_SM3};

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

fn p256<D: Digest>(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    let key = ::p256::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| InvalidSignature)?;
    let signature = ::p256::ecdsa::Signature::from_der(signature).map_err(|_| InvalidSignature)?;
    key.verify_prehash(&D::digest(message), &signature)
        .map_err(|_| InvalidSignature)
}

fn p384<D: Digest>(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
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
    let key = rsa::pkcs1v15::VerifyingKey::<D>::new(rsa_key(key)?);
    let signature = rsa::pkcs1v15::Signature::try_from(signature).map_err(|_| InvalidSignature)?;
    key.verify(message, &signature)
        .map_err(|_| InvalidSignature)
}

/// Keys below 2048 bits are too weak; RustCrypto refuses those above 4096.
fn rsa_key(key: &[u8]) -> Result<RsaPublicKey, InvalidSignature> {
    let key = RsaPublicKey::from_pkcs1_der(key).map_err(|_| InvalidSignature)?;
    if key.n().bits_vartime() < 2048 {
        return Err(InvalidSignature);
    }
    Ok(key)
}
