//! Names that may stand in a certificate.

use std::str::FromStr;

use der::asn1::{Any, Ia5StringRef, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::oid::db::rfc4519;
use der::{Decode, Encode, Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::Name;

use super::error::Error;

/// The longest text of a distinguished name that is parsed, in bytes.
const MAX_NAME: usize = 1024;
/// ub-common-name (RFC 5280 appendix A.1)
const MAX_COMMON_NAME: usize = 64;

/// A distinguished name of RFC 4514, such as `CN=Example CA,O=Example,C=CN`.
pub(super) fn parse_name(text: &str) -> Result<Name, Error> {
    let invalid = |rule| Error::InvalidName {
        name: text.into(),
        rule,
    };
    if text.len() > MAX_NAME {
        return Err(invalid("longer than 1024 bytes"));
    }
    let name = Name::from_str(text)
        .map_err(|_| invalid("not in the form of RFC 4514: CN=name,O=organisation,C=country"))?;
    for attribute in name.iter() {
        check_attribute(attribute).map_err(invalid)?;
    }
    Ok(name)
}

/// A distinguished name with a common name only; no character of it has a special meaning.
pub(super) fn common_name(text: &str) -> Result<Name, Error> {
    let invalid = |rule| Error::InvalidName {
        name: text.into(),
        rule,
    };
    if !(1..=MAX_COMMON_NAME).contains(&text.chars().count()) {
        return Err(invalid(
            "a common name has 1 to 64 characters; give a subject of its own",
        ));
    }
    let encode = || {
        let attribute = AttributeTypeAndValue {
            oid: rfc4519::COMMON_NAME,
            value: Any::new(Tag::Utf8String, text.as_bytes())?,
        };
        let relative = SetOfVec::try_from(vec![attribute])?;
        Name::from_der(&vec![relative].to_der()?)
    };
    encode().map_err(|_| invalid("cannot be encoded"))
}

/// A host name of RFC 1123, at most with a wildcard as its first label (RFC 6125).
pub(super) fn check_dns_name(name: &str) -> Result<(), Error> {
    let label_is_valid = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let labels = name.strip_prefix("*.").unwrap_or(name);
    if name.len() <= 253 && labels.split('.').all(label_is_valid) {
        return Ok(());
    }
    Err(Error::InvalidName {
        name: name.into(),
        rule: "not a DNS name; write internationalised names in their xn-- form",
    })
}

/// The parser takes any bytes for a value; a certificate takes only the right characters.
fn check_attribute(attribute: &AttributeTypeAndValue) -> Result<(), &'static str> {
    let value = &attribute.value;
    let is_valid = match value.tag() {
        Tag::PrintableString => PrintableStringRef::try_from(value).is_ok(),
        Tag::Utf8String => Utf8StringRef::try_from(value).is_ok(),
        Tag::Ia5String => Ia5StringRef::try_from(value).is_ok(),
        _ => true,
    };
    if value.value().is_empty() {
        return Err("it has an attribute without a value");
    }
    if !is_valid {
        return Err("it has characters that its attribute does not allow");
    }
    if attribute.oid == rfc4519::COUNTRY_NAME && value.value().len() != 2 {
        return Err("C is a country code of two letters");
    }
    Ok(())
}
