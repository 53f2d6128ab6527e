//! Key shares, signatures and certificates that are not what they should be.

use std::sync::Arc;

use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    AlertDescription, CertificateError, Error, PeerMisbehaved, SignatureAlgorithm, SignatureScheme,
};
use shangmi::sm2::{self, SecretKey, SignDigest};
use shangmi::tls13::{self, SM2SIG_SM3};

use crate::Bench;
use crate::common::*;

#[test]
fn key_shares_that_are_no_points() {
    let bench = Bench::new();
    let faults: [fn(Vec<u8>) -> Vec<u8>; 7] = [
        |share| share[..64].to_vec(),
        |share| [&share[..], &[0]].concat(),
        |share| [&[2 + (share[64] & 1)], &share[1..33]].concat(),
        |mut share| {
            share[0] = 6 + (share[64] & 1);
            share
        },
        |mut share| {
            share[64] ^= 1;
            share
        },
        |_| vec![0],
        |_| [&[4][..], &[0xff; 64]].concat(),
    ];
    let invalid = Some(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare));
    for fault in faults {
        faulty::alter_next_share(fault);
        let refused = bench.with_faulty_client().refusal();
        assert_eq!(refused.server, invalid);
        assert_eq!(
            alert(&refused.client),
            Some(AlertDescription::IllegalParameter)
        );

        faulty::alter_next_share(fault);
        let refused = bench.with_faulty_server().refusal();
        assert_eq!(refused.client, invalid);
        assert_eq!(
            alert(&refused.server),
            Some(AlertDescription::IllegalParameter)
        );
    }
}

/// Makes signatures that are not what they should be.
#[derive(Debug)]
struct Forger(Arc<SecretKey>, fn(sm2::Signature) -> Vec<u8>);

impl SigningKey for Forger {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self(self.0.clone(), self.1)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Unknown(0xe0)
    }
}

impl Signer for Forger {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let e = sm2::message_digest(sm2::TLS13_ID, self.0.public_key(), message).unwrap();
        Ok(self.1(self.0.sign_digest(&e).unwrap()))
    }

    fn scheme(&self) -> SignatureScheme {
        SM2SIG_SM3
    }
}

#[test]
fn signatures_that_are_not_strict_der() {
    let ca = ca("root");
    let forgeries: [fn(sm2::Signature) -> Vec<u8>; 5] = [
        |signature| signature.to_bytes().to_vec(),
        |signature| [&signature.to_der()[..], &[0]].concat(),
        |_| vec![0x30, 6, 2, 1, 0, 2, 1, 1],
        |_| vec![],
        |signature| {
            // A zero before an integer that needs none, or two where one is enough.
            let mut der = signature.to_der();
            der.insert(4, 0);
            der[3] += 1;
            der[1] += 1;
            der
        },
    ];
    let serve = |forge: fn(sm2::Signature) -> Vec<u8>| {
        let key = secret_key();
        let certificate = ca.issue(&server_leaf(), key.public_key()).unwrap();
        let chain = vec![certificate.as_der().to_vec().into()];
        let own = CertifiedKey::new(chain, Arc::new(Forger(Arc::new(key), forge)));
        Pair::new(
            client_config(&strict(), &roots(&ca), None),
            server_config(&strict(), None, Arc::new(own)),
        )
    };
    serve(|signature| signature.to_der()).handshake();
    for forge in forgeries {
        let refused = serve(forge).refusal();
        assert_eq!(
            refused.client,
            Some(Error::InvalidCertificate(CertificateError::BadSignature))
        );
        assert_eq!(alert(&refused.server), Some(AlertDescription::DecryptError));
    }
}

#[test]
fn every_byte_of_a_certificate_altered() {
    let ca = ca("root");
    let own = issue(&ca, &server_leaf());
    let client = Arc::new(client_config(&strict(), &roots(&ca), None));
    let provider = strict();
    for i in 0..own.cert[0].len() {
        let mut certificate = own.cert[0].to_vec();
        certificate[i] ^= 1 << (i % 8);
        let altered = CertifiedKey::new(vec![certificate.into()], own.key.clone());
        let server = server_config(&provider, None, Arc::new(altered));
        let refused = Pair::new(client.clone(), server).refusal();
        let Some(Error::InvalidCertificate(reason)) = refused.client else {
            panic!("byte {i}: {:?}", refused.client);
        };
        use CertificateError::*;
        // The outermost tag and length, and the signature's integers, at the end.
        if i < 4 {
            assert_eq!(reason, BadEncoding, "byte {i}");
        } else if i > own.cert[0].len() - 64 {
            assert_eq!(reason, BadSignature, "byte {i}");
        }
        let expected = match &reason {
            BadEncoding => AlertDescription::BadCertificate,
            BadSignature => AlertDescription::DecryptError,
            UnknownIssuer => AlertDescription::UnknownCA,
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => {
                AlertDescription::CertificateExpired
            }
            InvalidPurposeContext { .. } => AlertDescription::UnsupportedCertificate,
            // KeyUsage without digitalSignature, or what rustls does not sort: another version or
            // algorithm, a critical extension unknown. What is no DER is none of these.
            Other(_) => {
                let error = Error::from(reason.clone());
                let ours = tls13::Error::find(&error);
                assert!(
                    matches!(ours, None | Some(tls13::Error::NoDigitalSignature)),
                    "byte {i}: {reason:?}"
                );
                AlertDescription::CertificateUnknown
            }
            _ => panic!("byte {i}: {reason:?}"),
        };
        assert_eq!(alert(&refused.server), Some(expected), "byte {i}");
    }
}
