//! SM2 signature verification for webpki, under the signer ID of each place.

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use signature::Verifier as _;

use super::key_usage;
use crate::sm2::{self, PublicKey, Signature, VerifyingKey};

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
pub(super) static CERTIFICATE: &dyn SignatureVerificationAlgorithm = &Sm2Verification {
    ids: &[sm2::DEFAULT_ID],
    signature_algorithm: SM2_WITH_SM3,
    place: Place::Certificate,
};
pub(super) static CERTIFICATE_NULL: &dyn SignatureVerificationAlgorithm = &Sm2Verification {
    ids: &[sm2::DEFAULT_ID],
    signature_algorithm: SM2_WITH_SM3_NULL,
    place: Place::Certificate,
};

/// Signatures in CertificateVerify, of which rustls 0.23 tries the first entry only. It must not
/// stand among the algorithms for certificates: the signer ID is another.
pub(super) static HANDSHAKE: &[&dyn SignatureVerificationAlgorithm] = &[&Sm2Verification {
    ids: &[sm2::TLS13_ID],
    signature_algorithm: SM2_WITH_SM3,
    place: Place::Handshake,
}];

/// To find out why a certificate was refused, never to accept one: OpenSSL before 4.0 signs
/// certificates with an empty ID unless told otherwise.
pub(super) static EMPTY_ID: &[&dyn SignatureVerificationAlgorithm] = &[
    &Sm2Verification {
        ids: &[sm2::DEFAULT_ID, b""],
        signature_algorithm: SM2_WITH_SM3,
        place: Place::Certificate,
    },
    &Sm2Verification {
        ids: &[sm2::DEFAULT_ID, b""],
        signature_algorithm: SM2_WITH_SM3_NULL,
        place: Place::Certificate,
    },
];

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

#[derive(Debug)]
struct Sm2Verification {
    /// One ID; two only to find out why a certificate was refused.
    ids: &'static [&'static [u8]],
    signature_algorithm: AlgorithmIdentifier,
    place: Place,
}

#[derive(Debug, PartialEq)]
enum Place {
    Certificate,
    Handshake,
}

impl SignatureVerificationAlgorithm for Sm2Verification {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = PublicKey::from_sec1(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        let verifies = |id: &&[u8]| {
            VerifyingKey::new(key.clone(), id)
                .is_ok_and(|key| key.verify(message, &signature).is_ok())
        };
        if !self.ids.iter().any(verifies) {
            return Err(InvalidSignature);
        }

        // webpki does not look at digitalSignature. The verifiers of this module do, with an error
        // that says so; here the rule holds under rustls's own verifiers as well.
        if self.place == Place::Certificate
            && key_usage::forbids_signing(message).map_err(|_| InvalidSignature)?
        {
            tracing::warn!("a certificate was refused: its KeyUsage lacks digitalSignature");
            return Err(InvalidSignature);
        }
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        SM2_PUBLIC_KEY
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature_algorithm
    }
}
