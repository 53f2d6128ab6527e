//! SM2 signature verification for webpki, under the signer ID of each place, and the KeyUsage rule on
//! what is verified.

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use signature::Verifier as _;

use super::Error;
use super::issuers::Issuers;
use crate::sm2::{self, PublicKey, Signature, VerifyingKey};
use crate::{module, pki};

/// sm2sig_sm3 (0x0708), RFC 8998 3.2.1.
pub const SM2SIG_SM3: SignatureScheme = SignatureScheme::Unknown(sm2::SM2SIG_SM3);

/// Verification of SM2 alone: certificates under [`sm2::DEFAULT_ID`], CertificateVerify under
/// [`sm2::TLS13_ID`].
pub static SM2_ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[CERTIFICATE, CERTIFICATE_NULL],
    mapping: &[(SM2SIG_SM3, HANDSHAKE)],
};

/// Signatures on certificates and CRLs. The algorithm's parameters are absent, as RFC 5758 has it
/// for ECDSA; some authorities, CFCA among them, send NULL.
pub(super) static CERTIFICATE: &dyn SignatureVerificationAlgorithm =
    &OnCertificates(sm2(SM2_WITH_SM3, CERTIFICATE_IDS));
pub(super) static CERTIFICATE_NULL: &dyn SignatureVerificationAlgorithm =
    &OnCertificates(sm2(SM2_WITH_SM3_NULL, CERTIFICATE_IDS));

/// Signatures in CertificateVerify, of which rustls 0.23 tries the first entry only. It must not
/// stand among the algorithms for certificates: the signer ID is another.
pub(super) static HANDSHAKE: &[&dyn SignatureVerificationAlgorithm] =
    &[&sm2(SM2_WITH_SM3, &[sm2::TLS13_ID])];

/// To find out why a certificate was refused, never to accept one: OpenSSL before 4.0 signs
/// certificates with an empty ID unless told otherwise.
pub(super) static EMPTY_ID: &[&dyn SignatureVerificationAlgorithm] = &[
    &OnCertificates(sm2(SM2_WITH_SM3, &[sm2::DEFAULT_ID, b""])),
    &OnCertificates(sm2(SM2_WITH_SM3_NULL, &[sm2::DEFAULT_ID, b""])),
];

/// Of certificates alone: a CertificateVerify's key is another for each peer.
static ISSUERS: Issuers = Issuers::new();

/// GB/T 35276
const CERTIFICATE_IDS: &[&[u8]] = &[sm2::DEFAULT_ID];

/// id-ecPublicKey with namedCurve 1.2.156.10197.1.301. As in every `AlgorithmIdentifier` of
/// pki-types, this is the inside of the SEQUENCE.
pub(super) const SM2_PUBLIC_KEY: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, //
    0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d,
]);

/// 1.2.156.10197.1.501 with parameters absent.
const SM2_WITH_SM3: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75]);

/// 1.2.156.10197.1.501 with NULL parameters.
const SM2_WITH_SM3_NULL: AlgorithmIdentifier = AlgorithmIdentifier::from_slice(&[
    0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75, 0x05, 0x00,
]);

/// An algorithm for what authorities sign, with the KeyUsage rule of TLS 1.3 (RFC 8446 4.4.2.2),
/// which webpki leaves out. The verifiers of this module name the rule in their error; here it holds
/// under rustls's own as well.
#[derive(Debug)]
pub(super) struct OnCertificates<A>(pub(super) A);

impl<A: SignatureVerificationAlgorithm> SignatureVerificationAlgorithm for OnCertificates<A> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        self.0.verify_signature(public_key, message, signature)?;

        // webpki can be told of nothing but a bad signature.
        match pki::forbids_signing(message) {
            Ok(false) => return Ok(()),
            Ok(true) => {
                tracing::warn!("a certificate was refused: its KeyUsage lacks digitalSignature");
            }
            Err(error) => {
                tracing::warn!("a certificate was refused: its extensions are not DER: {error}");
            }
        }
        Err(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

const fn sm2(
    signature_algorithm: AlgorithmIdentifier,
    ids: &'static [&'static [u8]],
) -> Sm2Verification {
    Sm2Verification {
        ids,
        signature_algorithm,
    }
}

#[derive(Debug)]
struct Sm2Verification {
    /// One ID; two only to find out why a certificate was refused.
    ids: &'static [&'static [u8]],
    signature_algorithm: AlgorithmIdentifier,
}

impl SignatureVerificationAlgorithm for Sm2Verification {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        let on_certificate = self.ids == CERTIFICATE_IDS;
        let prepared = if on_certificate {
            ISSUERS.find(public_key)
        } else {
            None
        };
        let key = match &prepared {
            Some(issuer) => issuer.verifying_key().public_key().clone(),
            None => PublicKey::from_sec1(public_key).map_err(|_| InvalidSignature)?,
        };
        let keyed = |id: &[u8]| VerifyingKey::new(key.clone(), id).ok();
        let verifies =
            |id: &&[u8]| keyed(id).is_some_and(|key| key.verify(message, &signature).is_ok());

        let good = match &prepared {
            Some(issuer) => issuer.verify(message, &signature).is_ok(),
            None => self.ids.iter().any(verifies),
        };
        if good {
            if on_certificate && prepared.is_none() {
                let prepare = || keyed(sm2::DEFAULT_ID).map(VerifyingKey::prepare);
                ISSUERS.remember(public_key, prepare);
            }
            return Ok(());
        }
        // webpki can be told of nothing but a bad signature; the verifiers of this module tell more.
        if let Err(error) = module::operational() {
            tracing::error!("no signature can be verified: {error}");
            return Err(InvalidSignature);
        }
        // A verifier that is not of this module cannot name this mistake in its error.
        if on_certificate && verifies(&&b""[..]) {
            tracing::warn!("a certificate was refused: {}", Error::EmptySignerId);
        }
        Err(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        SM2_PUBLIC_KEY
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature_algorithm
    }
}

#[cfg(test)]
mod tests {
    use signature::Signer as _;

    use super::*;
    use crate::random::SystemRandom;
    use crate::sm2::{SecretKey, SigningKey};

    /// The fourth time as the first: plainly, plainly and prepared, by the prepared key twice.
    #[test]
    fn an_authority_that_is_known_is_verified_as_a_new_one() {
        let algorithm = sm2(SM2_WITH_SM3, CERTIFICATE_IDS);
        let secret = SecretKey::generate(&mut SystemRandom).unwrap();
        let public = secret.public_key().to_sec1();
        let scalar = secret.to_bytes();
        let sign = |id: &[u8], message: &[u8]| {
            let secret = SecretKey::from_bytes(scalar.as_bytes()).unwrap();
            SigningKey::new(secret, id).unwrap().sign(message).to_der()
        };
        for time in 0..4 {
            assert_eq!(ISSUERS.find(&public).is_some(), time >= 2);
            let verifies = |message: &[u8], signature: &[u8]| {
                algorithm
                    .verify_signature(&public, message, signature)
                    .is_ok()
            };
            let good = sign(sm2::DEFAULT_ID, b"certificate");
            assert!(!verifies(b"another", &good));
            assert!(!verifies(b"certificate", &good[1..]));
            assert!(!verifies(b"certificate", &sign(b"", b"certificate")));
            let for_tls = sign(sm2::TLS13_ID, b"certificate");
            assert!(!verifies(b"certificate", &for_tls));
            // What failed is not remembered.
            assert_eq!(ISSUERS.find(&public).is_some(), time >= 2);
            assert!(verifies(b"certificate", &good));
        }

        // Who shakes hands is not remembered at all.
        let peer = SecretKey::generate(&mut SystemRandom).unwrap();
        let public = peer.public_key().to_sec1();
        let peer = SigningKey::new(peer, sm2::TLS13_ID).unwrap();
        for _ in 0..3 {
            let signature = peer.sign(b"transcript").to_der();
            HANDSHAKE[0]
                .verify_signature(&public, b"transcript", &signature)
                .unwrap();
            assert!(ISSUERS.find(&public).is_none());
        }
    }
}
