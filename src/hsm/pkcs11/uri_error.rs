//! Why a PKCS#11 URI is refused.

use std::fmt;

use super::profile::Profile;
use super::uri::MAX_URI_LEN;

/// Why a PKCS#11 URI was refused. It names the attribute and never shows a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// Longer than [`MAX_URI_LEN`] bytes.
    TooLong,
    /// The scheme is not `pkcs11:`.
    NotPkcs11,
    /// An attribute that is not `name=value`.
    Malformed {
        /// Which one of its part of the URI, counted from 1. What it says may be a piece of a PIN.
        number: usize,
    },
    /// An attribute that is given twice.
    Duplicate {
        /// The attribute.
        attribute: String,
    },
    /// An attribute of the path part that is unknown, so that nothing can match it (RFC 7512 2.3).
    UnknownAttribute {
        /// The attribute.
        attribute: String,
    },
    /// A character that must be percent-encoded, or a `%` without two hexadecimal digits.
    InvalidCharacter {
        /// The attribute.
        attribute: String,
        /// Where in its value, in bytes from 0.
        position: usize,
    },
    /// A value that is no UTF-8 text, has a NUL, is too long, or is none of the words that the
    /// attribute allows.
    InvalidValue {
        /// The attribute.
        attribute: String,
    },
    /// A path that is not absolute.
    RelativePath {
        /// The attribute.
        attribute: String,
    },
    /// A slot, which is no name for a token: slots renumber when members of an HSM group come and
    /// go.
    Slot {
        /// The attribute.
        attribute: String,
    },
    /// Both `pin-source` and `pin-value` (RFC 7512 2.4).
    TwoPins,
    /// An `x-profile` that is none of [`Profile::ALL`].
    UnknownProfile,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PKCS#11 URI: ")?;
        match self {
            Self::TooLong => write!(f, "longer than {MAX_URI_LEN} bytes"),
            Self::NotPkcs11 => write!(f, "it does not begin with `pkcs11:`"),
            Self::Malformed { number } => {
                write!(
                    f,
                    "attribute {number} is not `name=value`; in a value, percent-encode `;` and `&`"
                )
            }
            Self::Duplicate { attribute } => write!(f, "`{attribute}` is given twice"),
            Self::UnknownAttribute { attribute } => {
                write!(
                    f,
                    "`{attribute}` is unknown: use token, serial, manufacturer, model, object, id, type or \
                     library-*"
                )
            }
            Self::InvalidCharacter {
                attribute,
                position,
            } => {
                write!(
                    f,
                    "the character at {position} in the value of `{attribute}` must be percent-encoded"
                )
            }
            Self::InvalidValue { attribute } => {
                write!(f, "the value of `{attribute}` is not valid")
            }
            Self::RelativePath { attribute } => {
                write!(f, "the path in `{attribute}` must be absolute")
            }
            Self::Slot { attribute } => {
                write!(
                    f,
                    "`{attribute}` is not accepted, since slots renumber: name the token by token= or serial="
                )
            }
            Self::TwoPins => write!(f, "it has both pin-source and pin-value: keep one"),
            Self::UnknownProfile => {
                let names: Vec<_> = Profile::ALL.iter().map(Profile::name).collect();
                write!(f, "`x-profile` is none of {}", names.join(", "))
            }
        }
    }
}

impl std::error::Error for UriError {}
