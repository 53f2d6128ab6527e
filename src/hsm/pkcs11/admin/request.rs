//! Certification requests (PKCS#10, RFC 2986) that the token signs.

use std::fmt;
use std::sync::Arc;

use der::Decode;
use der::asn1::{AnyRef, ObjectIdentifier};
use sha2::{Digest, Sha256, Sha384};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};

use super::super::key::template;
use super::super::public::{self, PublicKey};
use super::super::scheme::{Hash, Scheme};
use super::super::token::find_key;
use super::super::uri::Uri;
use super::super::visit::Access;
use super::{Administration, Key};
use crate::hsm::Error;
use crate::pki::{self, Leaf, request};
use crate::sm2;

/// ecdsa-with-SHA256 (RFC 5758, 3.2)
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// ecdsa-with-SHA384 (RFC 5758, 3.2)
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
/// sha256WithRSAEncryption (RFC 8017, A.2.4)
const RSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
/// id-RSASSA-PSS (RFC 8017, A.2.3)
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// RSASSA-PSS-params: SHA-256, MGF1 with SHA-256, and a salt of 32 bytes (RFC 8017, A.2.3).
const PSS_SHA256: &[u8] = b"\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\
    \x05\x00\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\
    \x48\x01\x65\x03\x04\x02\x01\x05\x00\xa2\x03\x02\x01\x20";

/// A certification request for a key in a token, signed by it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    der: Vec<u8>,
}

impl SignedRequest {
    /// CertificationRequest in DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The request as PEM text, label `CERTIFICATE REQUEST`.
    ///
    /// # Errors
    /// None that depends on the request: [`Error::Pki`] would mean a fault of the encoder.
    pub fn to_pem(&self) -> Result<String, Error> {
        Ok(request::to_pem(&self.der)?)
    }
}

impl Administration {
    /// Makes a certification request for what `leaf` describes, signed by the key that `key`
    /// describes by label or identifier. The signature is verified in software before the request
    /// is returned.
    ///
    /// An RSA key signs with PKCS#1 v1.5 and SHA-256, or with PSS where its token has no other.
    ///
    /// # Errors
    /// [`Error::Key`] unless exactly one private key is described; [`Error::NoPublicKey`];
    /// [`Error::Pki`] where the leaf breaks a rule; [`Error::WrongSignature`].
    pub fn request(&self, key: &Uri, leaf: &Leaf) -> Result<SignedRequest, Error> {
        self.visit(Access::Read, |visit| {
            let session = &visit.session;
            let private = find_key(session, &visit.token.label, &template(key))?;
            let key = Key::read(visit, private)?;
            let name = &key.name;
            let public = key
                .public
                .ok_or_else(|| Error::NoPublicKey { key: name.clone() })?;
            let spki = SubjectPublicKeyInfoOwned::from_der(&public.spki).map_err(malformed)?;
            let content = request::content(leaf, spki)?;

            let pkcs1 = Scheme::RsaPkcs1(Hash::Sha256);
            let scheme = match key.schemes.first() {
                _ if key.schemes.contains(&pkcs1) => pkcs1,
                Some(scheme) => *scheme,
                None => return Err(Error::answer("the key has no scheme")),
            };
            let digest = digest(scheme, &public, &content)?;
            let signed = visit.sign(private, name, scheme, &public, &digest)?;
            let der = request::assemble(&content, algorithm(scheme)?, &signed.signature)?;
            Ok(SignedRequest { der })
        })
    }
}

/// What is signed of a message in X.509.
fn digest(scheme: Scheme, public: &PublicKey, message: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(match (scheme, &public.key) {
        (Scheme::Sm2(_), public::Key::Sm2(key)) => {
            sm2::message_digest(sm2::DEFAULT_ID, key, message)
                .map_err(|error| Error::unless_refused(malformed(error)))?
                .to_vec()
        }
        (Scheme::EcdsaP384, _) => Sha384::digest(message).to_vec(),
        _ => Sha256::digest(message).to_vec(),
    })
}

fn algorithm(scheme: Scheme) -> Result<AlgorithmIdentifierRef<'static>, Error> {
    let (oid, parameters) = match scheme {
        // Parameters absent, as our certificates have them.
        Scheme::Sm2(_) => (sm2::SIGN_WITH_SM3_OID, None),
        Scheme::EcdsaP256 => (ECDSA_WITH_SHA256, None),
        Scheme::EcdsaP384 => (ECDSA_WITH_SHA384, None),
        Scheme::RsaPkcs1(_) => (RSA_WITH_SHA256, Some(AnyRef::NULL)),
        Scheme::RsaPss(_) => {
            let parameters = AnyRef::from_der(PSS_SHA256).map_err(malformed)?;
            (RSASSA_PSS, Some(parameters))
        }
    };
    Ok(AlgorithmIdentifierRef { oid, parameters })
}

fn malformed(reason: impl fmt::Display) -> Error {
    Error::Certificate {
        reason: reason.to_string(),
    }
}

impl From<pki::Error> for Error {
    fn from(error: pki::Error) -> Self {
        Self::Pki(Arc::new(error))
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("len", &self.der.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pss_parameters_are_one_der_value() {
        AnyRef::from_der(PSS_SHA256).unwrap();
        for hash in [Hash::Sha256, Hash::Sha384] {
            let algorithm = algorithm(Scheme::RsaPss(hash)).unwrap();
            assert_eq!(algorithm.oid, RSASSA_PSS);
            assert!(algorithm.parameters.is_some());
        }
    }
}
