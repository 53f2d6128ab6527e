//! Why a request is refused, and where in it.

use std::fmt;

/// A request was refused; nothing was answered.
#[derive(Debug)]
pub struct Error {
    place: Place,
    cause: Cause,
}

/// Where in a request. What is not known is `None`, such as the case when a group is malformed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `vsId` of the vector set.
    pub vector_set: Option<u64>,
    /// `tgId` of the test group.
    pub group: Option<u64>,
    /// `tcId` of the test case.
    pub case: Option<u64>,
    /// The name of the field.
    pub field: Option<&'static str>,
}

/// What is wrong there.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The text is not JSON; how it is not.
    Json(String),
    /// The JSON is not built like a vector set; what it should be.
    Shape(&'static str),
    /// The field is absent.
    Missing,
    /// The field is not an even number of hexadecimal digits.
    NotHex,
    /// The field is not an integer from 0 on.
    NotANumber,
    /// The field is not text.
    NotText,
    /// The field is neither `true` nor `false`.
    NotAFlag,
    /// The length in bits is no whole number of bytes: this module works on bytes.
    NotWholeBytes,
    /// The field has another length than the service, or another field, says it has.
    Length {
        /// In bytes.
        expected: usize,
        /// In bytes.
        found: usize,
    },
    /// The value is none of those that this module answers.
    Unsupported {
        /// What the request has.
        found: String,
        /// What would be answered.
        supported: String,
    },
    /// A limit of [`Limits`](super::Limits) or of the protocol is exceeded; which.
    TooMuch(&'static str),
    /// The service refused its input; why.
    Refused(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Where in the request.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What is wrong there.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

/// A [`Cause`] in a field, of a case that the caller knows.
#[derive(Debug)]
pub(super) struct Fault {
    field: Option<&'static str>,
    cause: Cause,
}

impl Fault {
    pub(super) fn in_field(field: &'static str, cause: Cause) -> Self {
        Self {
            field: Some(field),
            cause,
        }
    }

    /// Of the case, group or set as a whole.
    pub(super) fn of_all(cause: Cause) -> Self {
        Self { field: None, cause }
    }

    pub(super) fn unsupported(field: &'static str, found: &str, supported: &str) -> Self {
        let (found, supported) = (found.to_owned(), supported.to_owned());
        Self::in_field(field, Cause::Unsupported { found, supported })
    }

    /// What a service said.
    pub(super) fn refused<E: std::error::Error + Send + Sync + 'static>(error: E) -> Self {
        Self::of_all(Cause::Refused(Box::new(error)))
    }

    pub(super) fn at(self, place: Place) -> Error {
        Error {
            place: Place {
                field: self.field,
                ..place
            },
            cause: self.cause,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.at(Place::default())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = [
            ("vector set", self.vector_set),
            ("group", self.group),
            ("case", self.case),
        ];
        let mut separator = "";
        for (name, number) in numbers {
            if let Some(number) = number {
                write!(f, "{separator}{name} {number}")?;
                separator = ", ";
            }
        }
        match self.field {
            Some(field) => write!(f, "{separator}field `{field}`"),
            None if separator.is_empty() => f.write_str("request"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(how) => write!(f, "not JSON: {how}"),
            Self::Shape(what) => write!(f, "not built like a vector set: {what}"),
            Self::Missing => f.write_str("missing"),
            Self::NotHex => f.write_str("not an even number of hexadecimal digits"),
            Self::NotANumber => f.write_str("not an integer from 0 on"),
            Self::NotText => f.write_str("not text"),
            Self::NotAFlag => f.write_str("neither true nor false"),
            Self::NotWholeBytes => {
                f.write_str("a length in bits that is no multiple of 8; this module works on bytes")
            }
            Self::Length { expected, found } => write!(f, "{found} bytes, not {expected}"),
            Self::Unsupported { found, supported } => {
                write!(f, "`{found}` is not supported; supported: {supported}")
            }
            Self::TooMuch(limit) => write!(f, "too much: {limit}"),
            Self::Refused(error) => write!(f, "the service refused it: {error}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Refused(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}
