//! PKCS#11 URIs (RFC 7512): which module, which token, which key, and where its PIN is.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::uri_error::UriError;
use crate::secret::SecretBytes;

/// Longest URI that is parsed, in bytes.
pub const MAX_URI_LEN: usize = 4096;

/// A parsed PKCS#11 URI.
///
/// It is strict where RFC 7512 leaves a choice: an attribute given twice, one that is unknown in
/// the path part, or a character that the grammar does not allow is an error. The PIN that a URI
/// may carry is kept in memory that is wiped, and `Debug` never shows it.
///
/// ```
/// use shangmi::hsm::pkcs11::Uri;
///
/// let uri: Uri = "pkcs11:token=bank;object=server?module-path=/usr/lib/libCryptoki2_64.so\
///                 &pin-source=file:/run/secrets/pin".parse()?;
/// assert_eq!(uri.token(), Some("bank"));
/// # Ok::<(), shangmi::hsm::pkcs11::UriError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Uri {
    token: Option<String>,
    serial: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    object: Option<String>,
    id: Option<Vec<u8>>,
    library_manufacturer: Option<String>,
    library_description: Option<String>,
    library_version: Option<LibraryVersion>,
    object_type: Option<ObjectType>,
    module_path: Option<PathBuf>,
    module_name: Option<String>,
    /// Shared, because a PIN that the URI itself carries is in memory once.
    pin: Option<Arc<PinSource>>,
}

/// The `type` attribute: the class of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectType {
    /// `type=cert`
    Certificate,
    /// `type=data`
    Data,
    /// `type=private`
    PrivateKey,
    /// `type=public`
    PublicKey,
    /// `type=secret-key`
    SecretKey,
}

/// The version of a PKCS#11 module, as C_GetInfo tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibraryVersion {
    /// The number before the dot.
    pub major: u8,
    /// The number after the dot; 0 in a URI without one.
    pub minor: u8,
}

/// Where the user's PIN comes from.
#[derive(Debug)]
#[non_exhaustive]
pub enum PinSource {
    /// `pin-source=file:/path`: the only line of a file, of at most 1024 bytes.
    File(PathBuf),
    /// `pin-value=...`: the URI itself. Others may see it where URIs are kept; prefer a file.
    Value(SecretBytes),
}

impl Uri {
    /// The token's label (`token`).
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The token's serial number (`serial`).
    pub fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }

    /// The token's manufacturer (`manufacturer`).
    pub fn manufacturer(&self) -> Option<&str> {
        self.manufacturer.as_deref()
    }

    /// The token's model (`model`).
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The object's label, CKA_LABEL (`object`).
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// The object's identifier, CKA_ID (`id`).
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// The manufacturer of the module (`library-manufacturer`).
    pub fn library_manufacturer(&self) -> Option<&str> {
        self.library_manufacturer.as_deref()
    }

    /// The module's description (`library-description`).
    pub fn library_description(&self) -> Option<&str> {
        self.library_description.as_deref()
    }

    /// The module's version (`library-version`).
    pub fn library_version(&self) -> Option<LibraryVersion> {
        self.library_version
    }

    /// The object's class (`type`).
    pub fn object_type(&self) -> Option<ObjectType> {
        self.object_type
    }

    /// The module's file, an absolute path (`module-path`).
    pub fn module_path(&self) -> Option<&Path> {
        self.module_path.as_deref()
    }

    /// The module's name (`module-name`), which only a system with a registry of modules can
    /// resolve.
    pub fn module_name(&self) -> Option<&str> {
        self.module_name.as_deref()
    }

    /// Where the PIN is (`pin-source` or `pin-value`).
    pub fn pin(&self) -> Option<&PinSource> {
        self.pin.as_deref()
    }
}

/// Whether a module's or token's text is what an attribute wants. Modules pad theirs with blanks,
/// and a blank at the end is never meant.
pub(super) fn same(wanted: Option<&str>, found: &str) -> bool {
    wanted.is_none_or(|wanted| wanted.trim_end_matches(' ') == found.trim_end_matches(' '))
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        if text.len() > MAX_URI_LEN {
            return Err(UriError::TooLong);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UriError::NotPkcs11)?;
        if !scheme.eq_ignore_ascii_case("pkcs11") {
            return Err(UriError::NotPkcs11);
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut uri = Self::default();
        for attribute in attributes(path, ';') {
            uri.set_path_attribute(attribute?)?;
        }
        let mut pin = PinAttributes::default();
        for attribute in query.into_iter().flat_map(|query| attributes(query, '&')) {
            uri.set_query_attribute(attribute?, &mut pin)?;
        }
        uri.pin = pin.source()?.map(Arc::new);
        Ok(uri)
    }
}

impl Uri {
    fn set_path_attribute(&mut self, attribute: Attribute<'_>) -> Result<(), UriError> {
        let name = attribute.name;
        match name {
            "token" => set(&mut self.token, name, attribute.text(PATH, 32)?),
            "serial" => set(&mut self.serial, name, attribute.text(PATH, 16)?),
            "manufacturer" => set(&mut self.manufacturer, name, attribute.text(PATH, 32)?),
            "model" => set(&mut self.model, name, attribute.text(PATH, 16)?),
            "object" => set(&mut self.object, name, attribute.text(PATH, MAX_URI_LEN)?),
            "id" => set(&mut self.id, name, attribute.bytes(PATH)?.to_vec()),
            "library-manufacturer" => set(
                &mut self.library_manufacturer,
                name,
                attribute.text(PATH, 32)?,
            ),
            "library-description" => set(
                &mut self.library_description,
                name,
                attribute.text(PATH, 32)?,
            ),
            "library-version" => {
                let value = library_version(&attribute.text(PATH, MAX_URI_LEN)?);
                let value = value.ok_or_else(|| UriError::InvalidValue {
                    attribute: name.into(),
                })?;
                set(&mut self.library_version, name, value)
            }
            "type" => {
                let value = match attribute.text(PATH, MAX_URI_LEN)?.as_str() {
                    "cert" => ObjectType::Certificate,
                    "data" => ObjectType::Data,
                    "private" => ObjectType::PrivateKey,
                    "public" => ObjectType::PublicKey,
                    "secret-key" => ObjectType::SecretKey,
                    _ => {
                        return Err(UriError::InvalidValue {
                            attribute: name.into(),
                        });
                    }
                };
                set(&mut self.object_type, name, value)
            }
            "slot-id" | "slot-description" | "slot-manufacturer" => Err(UriError::Slot {
                attribute: name.into(),
            }),
            _ => Err(UriError::UnknownAttribute {
                attribute: name.into(),
            }),
        }
    }

    fn set_query_attribute(
        &mut self,
        attribute: Attribute<'_>,
        pin: &mut PinAttributes,
    ) -> Result<(), UriError> {
        let name = attribute.name;
        match name {
            "module-path" => {
                let path = PathBuf::from(attribute.text(QUERY, MAX_URI_LEN)?);
                // A relative one would let the working directory or LD_LIBRARY_PATH choose the
                // module.
                if !path.is_absolute() {
                    return Err(UriError::RelativePath {
                        attribute: name.into(),
                    });
                }
                set(&mut self.module_path, name, path)
            }
            "module-name" => set(
                &mut self.module_name,
                name,
                attribute.text(QUERY, MAX_URI_LEN)?,
            ),
            "pin-source" => set(
                &mut pin.file,
                name,
                pin_file(&attribute.text(QUERY, MAX_URI_LEN)?)?,
            ),
            "pin-value" => {
                let value = attribute.bytes(QUERY)?;
                set(&mut pin.value, name, SecretBytes::copy_of(&value))
            }
            // RFC 7512 2.4 has these ignored. What looks like one may be the rest of a PIN with a
            // bare `&`, so nothing keeps or shows it.
            _ => attribute.bytes(QUERY).map(drop),
        }
    }
}

/// The two places for a PIN, of which a URI may use one (RFC 7512 2.4).
#[derive(Default)]
struct PinAttributes {
    file: Option<PathBuf>,
    value: Option<SecretBytes>,
}

impl PinAttributes {
    fn source(self) -> Result<Option<PinSource>, UriError> {
        match (self.file, self.value) {
            (Some(_), Some(_)) => Err(UriError::TwoPins),
            (Some(file), None) => Ok(Some(PinSource::File(file))),
            (None, Some(value)) => Ok(Some(PinSource::Value(value))),
            (None, None) => Ok(None),
        }
    }
}

/// `major` or `major.minor` (RFC 7512 2.3, `pk11-lib-ver`); each is one byte in CK_VERSION.
fn library_version(text: &str) -> Option<LibraryVersion> {
    let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().ok(),
        false => None,
    };
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    Some(LibraryVersion {
        major: number(major)?,
        minor: number(minor)?,
    })
}

/// `file:/path`, `file:///path` or a plain `/path`.
fn pin_file(source: &str) -> Result<PathBuf, UriError> {
    if source.starts_with('|') {
        return Err(UriError::PinCommand);
    }
    let path = match source.strip_prefix("file:") {
        Some(path) => path.strip_prefix("//").unwrap_or(path),
        None => source,
    };
    match Path::new(path).is_absolute() {
        true => Ok(path.into()),
        false => Err(UriError::RelativePath {
            attribute: "pin-source".into(),
        }),
    }
}

/// Characters beyond the unreserved ones that may stand for themselves (RFC 7512 2.3,
/// `pk11-res-avail`).
const PATH: &[u8] = b":[]@!$'()*+,=&";
const QUERY: &[u8] = b":[]@!$'()*+,=/?|";

/// One `name=value`, the value still percent-encoded.
struct Attribute<'a> {
    name: &'a str,
    value: &'a str,
}

fn attributes(
    text: &str,
    separator: char,
) -> impl Iterator<Item = Result<Attribute<'_>, UriError>> {
    // An empty part has no attribute at all, where `split` would find an empty one.
    let parts = (!text.is_empty()).then(|| text.split(separator));
    parts
        .into_iter()
        .flatten()
        .zip(1..)
        .map(|(part, number)| match part.split_once('=') {
            Some((name, value)) if is_name(name) => Ok(Attribute { name, value }),
            _ => Err(UriError::Malformed { number }),
        })
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.len() <= 64 && name.bytes().all(allowed)
}

/// An attribute's name for an error. An unknown one may be a piece of a PIN, and is not shown.
fn shown(name: &str) -> String {
    const KNOWN: &[&str] = &[
        "token",
        "serial",
        "manufacturer",
        "model",
        "object",
        "id",
        "library-manufacturer",
        "library-description",
        "library-version",
        "type",
        "module-path",
        "module-name",
        "pin-source",
        "pin-value",
    ];
    if KNOWN.contains(&name) {
        name.into()
    } else {
        "an unknown attribute".into()
    }
}

impl Attribute<'_> {
    /// The value decoded, in memory that is wiped, since it may be a PIN.
    fn bytes(&self, reserved: &[u8]) -> Result<Zeroizing<Vec<u8>>, UriError> {
        let invalid = |position| UriError::InvalidCharacter {
            attribute: shown(self.name),
            position,
        };
        let mut decoded = Zeroizing::new(Vec::with_capacity(self.value.len()));
        let mut rest = self.value.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            let position = self.value.len() - rest.len();
            let literal = first.is_ascii_alphanumeric()
                || b"-._~".contains(&first)
                || reserved.contains(&first);
            let (byte, tail) = match (first, tail) {
                (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                    (Some(high), Some(low)) => (high << 4 | low, tail),
                    _ => return Err(invalid(position)),
                },
                _ if literal => (first, tail),
                _ => return Err(invalid(position)),
            };
            decoded.push(byte);
            rest = tail;
        }
        Ok(decoded)
    }

    /// The value decoded, as UTF-8 text of at most `max` bytes without NUL.
    fn text(&self, reserved: &[u8], max: usize) -> Result<String, UriError> {
        let bytes = self.bytes(reserved)?;
        let text = str::from_utf8(&bytes)
            .ok()
            .filter(|text| !text.contains('\0') && text.len() <= max);
        text.map(str::to_owned).ok_or(UriError::InvalidValue {
            attribute: shown(self.name),
        })
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn set<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), UriError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(UriError::Duplicate {
            attribute: name.into(),
        }),
    }
}
