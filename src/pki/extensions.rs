//! The extensions of a certificate (RFC 5280 section 4.1), found by the bytes of their OIDs. Only
//! what is asked for is decoded: others may have OIDs and values that no library reads.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, SequenceRef};
use der::oid::AssociatedOid;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
#[cfg(feature = "rustls")]
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::ext::pkix::KeyUsage;

/// The content of a SEQUENCE OF Extension.
#[derive(Clone, Copy)]
pub(super) struct Extensions<'a>(&'a [u8]);

impl<'a> Extensions<'a> {
    /// Those of a TBSCertificate. What else is signed, CRLs and OCSP responses, has no field with
    /// their tag, so none are found there.
    pub(super) fn of_signed(signed: &'a [u8]) -> der::Result<Self> {
        const EXTENSIONS: Tag = Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(3),
        };
        let signed = <&SequenceRef>::from_der(signed)?;
        let mut fields = SliceReader::new(signed.as_bytes())?;
        let mut found = Self(&[]);
        while !fields.is_finished() {
            let field = AnyRef::decode(&mut fields)?;
            if field.tag() == EXTENSIONS {
                found = Self(<&SequenceRef>::from_der(field.value())?.as_bytes());
            }
        }
        Ok(found)
    }

    /// Decodes one extension; every other one must have the form of an extension, and none of this
    /// kind may be repeated.
    pub(super) fn find<T: AssociatedOid + Decode<'a, Error = der::Error>>(
        &self,
    ) -> der::Result<Option<T>> {
        self.value(T::OID)?.map(T::from_der).transpose()
    }

    pub(super) fn allow_digital_signature(&self) -> der::Result<bool> {
        let usage = self.find::<KeyUsage>()?;
        Ok(usage.is_none_or(|usage| usage.digital_signature()))
    }

    /// The cA flag, whatever stands behind it.
    #[cfg(feature = "rustls")]
    fn are_of_authority(&self) -> der::Result<bool> {
        let Some(constraints) = self.value(BasicConstraints::OID)? else {
            return Ok(false);
        };
        let fields = <&SequenceRef>::from_der(constraints)?;
        let authority = Option::<bool>::decode(&mut SliceReader::new(fields.as_bytes())?)?;
        Ok(authority.unwrap_or_default())
    }

    fn value(&self, oid: ObjectIdentifier) -> der::Result<Option<&'a [u8]>> {
        let mut found = None;
        let mut extensions = SliceReader::new(self.0)?;
        while !extensions.is_finished() {
            let (id, value) = extensions.sequence(|extension| {
                let id = AnyRef::decode(extension)?;
                id.tag().assert_eq(Tag::ObjectIdentifier)?;
                Option::<bool>::decode(extension)?;
                let value = <&OctetStringRef>::decode(extension)?;
                Ok::<_, der::Error>((id.value(), value.as_bytes()))
            })?;
            if id == oid.as_bytes() && found.replace(value).is_some() {
                return Err(Tag::ObjectIdentifier.value_error().into());
            }
        }
        Ok(found)
    }
}

/// Whether `signed`, what an authority's signature covers, is the TBSCertificate of no authority,
/// with a KeyUsage that lacks digitalSignature.
#[cfg(feature = "rustls")]
pub(crate) fn forbids_signing(signed: &[u8]) -> der::Result<bool> {
    let extensions = Extensions::of_signed(signed)?;
    Ok(!extensions.allow_digital_signature()? && !extensions.are_of_authority()?)
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use super::*;

    const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
    const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];

    const KEY_ENCIPHERMENT: &[u8] = &[3, 2, 5, 0x20];
    const DIGITAL_SIGNATURE: &[u8] = &[3, 2, 7, 0x80];
    const CA: &[u8] = &[0x30, 3, 1, 1, 0xff];

    /// A TBSCertificate of which only the extensions matter here.
    fn signed(extensions: &[(&[u8], &[u8])]) -> Vec<u8> {
        let extension =
            |(oid, value): &(&[u8], &[u8])| tlv(0x30, &[tlv(0x06, oid), tlv(0x04, value)].concat());
        let extensions: Vec<u8> = extensions.iter().flat_map(extension).collect();
        let extensions = tlv(0xa3, &tlv(0x30, &extensions));
        tlv(0x30, &[tlv(0x02, &[7]), extensions].concat())
    }

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        assert!(content.len() < 128);
        [&[tag, content.len() as u8], content].concat()
    }

    #[test]
    fn only_key_usage_and_the_ca_flag_are_decoded() {
        let unknown: &[&[u8]] = &[
            // 2.25 with a UUID, an arc of 128 bits; an OID of 60 bytes; one that is not valid.
            &[[0x69].as_slice(), &[0xff; 18], &[0x7f]].concat(),
            &[0x2a; 60],
            &[0x80],
        ];
        for oid in unknown {
            for (usage, forbidden) in [(KEY_ENCIPHERMENT, true), (DIGITAL_SIGNATURE, false)] {
                let signed = signed(&[(oid, b"any value"), (&KEY_USAGE, usage)]);
                assert_eq!(forbids_signing(&signed), Ok(forbidden));
            }
        }
    }

    #[test]
    fn authorities_need_no_digital_signature() {
        // pathLenConstraint 300
        let deep: &[u8] = &[0x30, 7, 1, 1, 0xff, 2, 2, 1, 0x2c];
        let no_ca: &[u8] = &[0x30, 0];
        for (constraints, forbidden) in [(CA, false), (deep, false), (no_ca, true)] {
            let signed = signed(&[
                (&KEY_USAGE, KEY_ENCIPHERMENT),
                (&BASIC_CONSTRAINTS, constraints),
            ]);
            assert_eq!(forbids_signing(&signed), Ok(forbidden));
        }
    }

    #[test]
    fn repeated_or_unreadable_extensions_are_errors() {
        let usage = (&KEY_USAGE[..], DIGITAL_SIGNATURE);
        assert!(forbids_signing(&signed(&[usage, usage])).is_err());
        assert!(forbids_signing(&signed(&[(&KEY_USAGE, b"")])).is_err());
        let ca = (&BASIC_CONSTRAINTS[..], CA);
        let forbidding = (&KEY_USAGE[..], KEY_ENCIPHERMENT);
        assert!(forbids_signing(&signed(&[forbidding, ca, ca])).is_err());
        assert!(forbids_signing(&tlv(0x30, &tlv(0xa3, b""))).is_err());
        assert!(forbids_signing(b"").is_err());
    }

    #[test]
    fn what_has_no_extensions_forbids_nothing() {
        assert_eq!(forbids_signing(&signed(&[])), Ok(false));
        let list = tlv(0x30, &[tlv(0x02, &[1]), tlv(0xa0, b"CRL")].concat());
        assert_eq!(forbids_signing(&list), Ok(false));
    }
}
