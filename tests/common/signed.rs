//! What an SM2 authority signs, put together by hand: with NULL parameters or unusual
//! extensions, and revocation lists.

use der::asn1::{AnyRef, BitString, Null};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use shangmi::sm2::{self, SecretKey, SignDigest};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};
use x509_cert::Certificate;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::ToExtension;
use x509_cert::ext::pkix::CrlNumber;
use x509_cert::time::{Time, Validity};

/// The certificate again, with NULL as the parameters of both its signature algorithms.
pub fn with_null_parameters(certificate: &[u8], issuer: &SecretKey) -> CertificateDer<'static> {
    let absent = algorithm(false).to_der().unwrap();
    let null = algorithm(true).to_der().unwrap();
    assert_eq!(null.len(), absent.len() + 2);

    let outer = AnyRef::from_der(certificate).unwrap();
    let tbs = AnyRef::from_der(first_element(outer.value()))
        .unwrap()
        .value();
    let at = tbs
        .windows(absent.len())
        .position(|window| window == absent)
        .unwrap();
    let tbs = [&tbs[..at], &null, &tbs[at + absent.len()..]].concat();
    sign(&sequence(&tbs), algorithm(true), issuer).into()
}

/// The certificate again, with more extensions: the bytes of each OID, and its value.
pub fn with_extensions(
    certificate: &[u8],
    more: &[(&[u8], &[u8])],
    issuer: &SecretKey,
) -> CertificateDer<'static> {
    const EXPLICIT: Tag = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(3),
    };
    let outer = AnyRef::from_der(certificate).unwrap();
    let tbs = AnyRef::from_der(first_element(outer.value())).unwrap();
    let mut fields = SliceReader::new(tbs.value()).unwrap();
    let mut tbs = Vec::new();
    while !fields.is_finished() {
        let field = AnyRef::decode(&mut fields).unwrap();
        if field.tag() != EXPLICIT {
            tbs.extend(field.to_der().unwrap());
            continue;
        }
        let mut extensions = AnyRef::from_der(field.value()).unwrap().value().to_vec();
        for (oid, value) in more {
            let oid = AnyRef::new(Tag::ObjectIdentifier, oid).unwrap();
            let value = AnyRef::new(Tag::OctetString, value).unwrap();
            let extension = [oid.to_der().unwrap(), value.to_der().unwrap()].concat();
            extensions.extend(sequence(&extension));
        }
        let extensions = sequence(&extensions);
        let field = AnyRef::new(EXPLICIT, &extensions).unwrap();
        tbs.extend(field.to_der().unwrap());
    }
    sign(&sequence(&tbs), algorithm(false), issuer).into()
}

/// A list, valid for an hour, that revokes one certificate.
pub fn revoking(certificate: &[u8], issuer: &SecretKey) -> CertificateRevocationListDer<'static> {
    let certificate = Certificate::from_der(certificate).unwrap();
    let certificate = certificate.tbs_certificate();
    let number = CrlNumber::try_from(1u32).unwrap();
    let number = number.to_extension(certificate.issuer(), &[]).unwrap();
    let validity =
        Validity::<x509_cert::certificate::Rfc5280>::from_now(std::time::Duration::from_secs(3600))
            .unwrap();
    let tbs = TbsCertList::<x509_cert::certificate::Rfc5280> {
        version: x509_cert::Version::V2,
        signature: algorithm(false),
        issuer: certificate.issuer().clone(),
        this_update: validity.not_before,
        next_update: Some(validity.not_after),
        revoked_certificates: Some(vec![RevokedCert {
            serial_number: certificate.serial_number().clone(),
            revocation_date: Time::now().unwrap(),
            crl_entry_extensions: None,
        }]),
        crl_extensions: Some(vec![number]),
    };
    sign(&tbs.to_der().unwrap(), algorithm(false), issuer).into()
}

fn algorithm(null: bool) -> AlgorithmIdentifierOwned {
    let parameters = null.then(|| AnyRef::from(Null));
    AlgorithmIdentifierRef {
        oid: sm2::SIGN_WITH_SM3_OID,
        parameters,
    }
    .into()
}

fn sign(tbs: &[u8], algorithm: AlgorithmIdentifierOwned, issuer: &SecretKey) -> Vec<u8> {
    let e = sm2::message_digest(sm2::DEFAULT_ID, issuer.public_key(), tbs).unwrap();
    let signature = issuer.sign_digest(&e).unwrap().to_der();
    let signature = BitString::from_bytes(&signature).unwrap().to_der().unwrap();
    sequence(&[tbs, &algorithm.to_der().unwrap(), &signature].concat())
}

fn sequence(content: &[u8]) -> Vec<u8> {
    AnyRef::new(Tag::Sequence, content)
        .unwrap()
        .to_der()
        .unwrap()
}

fn first_element(content: &[u8]) -> &[u8] {
    SliceReader::new(content).unwrap().tlv_bytes().unwrap()
}
