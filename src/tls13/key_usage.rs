//! The KeyUsage rule of TLS 1.3 (RFC 8446 4.4.2.2) on what an authority signs, for verification
//! under rustls's own verifiers, which do not check it.

use der::asn1::AnyRef;
use der::oid::AssociatedOid;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

/// Whether `signed` is the TBSCertificate of no authority, with a KeyUsage that lacks
/// digitalSignature.
///
/// A CRL or an OCSP response has no field with the tag of a certificate's extensions.
pub(super) fn forbids_signing(signed: &[u8]) -> der::Result<bool> {
    const EXTENSIONS: Tag = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(3),
    };
    let signed = AnyRef::from_der(signed)?;
    signed.tag().assert_eq(Tag::Sequence)?;
    let mut fields = SliceReader::new(signed.value())?;
    while !fields.is_finished() {
        let field = AnyRef::decode(&mut fields)?;
        if field.tag() == EXTENSIONS {
            return extensions_forbid_signing(field.value());
        }
    }
    Ok(false)
}

fn extensions_forbid_signing(extensions: &[u8]) -> der::Result<bool> {
    let mut authority = false;
    let mut forbidden = false;
    for extension in Extensions::from_der(extensions)? {
        let value = extension.extn_value.as_bytes();
        if extension.extn_id == KeyUsage::OID {
            forbidden |= !KeyUsage::from_der(value)?.digital_signature();
        } else if extension.extn_id == BasicConstraints::OID {
            authority |= BasicConstraints::from_der(value)?.ca;
        }
    }
    Ok(forbidden && !authority)
}
