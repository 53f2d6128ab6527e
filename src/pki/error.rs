//! What can be wrong with a key file, a certificate or a request.

use std::fmt;

use der::asn1::ObjectIdentifier;

use crate::{module, sm2};

/// An error about keys, certificates and requests: which one, which rule, and what to do.
///
/// No variant holds bytes of a private key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The input is longer than anything that this crate accepts as such an item.
    TooLarge {
        /// What was being read.
        item: Item,
        /// The limit in bytes.
        limit: usize,
    },
    /// The PEM text is damaged.
    Pem {
        /// What was being read.
        item: Item,
        /// What is wrong with it.
        source: der::pem::Error,
    },
    /// The PEM text has no block of this kind.
    NotFound {
        /// What was looked for.
        item: Item,
    },
    /// The PEM text has several blocks where exactly one is expected.
    Ambiguous {
        /// What was looked for.
        item: Item,
    },
    /// The bytes are not the DER encoding of this item.
    Malformed {
        /// What was being read.
        item: Item,
        /// The rule that is broken and the position of the fault.
        source: der::Error,
    },
    /// The input is well formed, but it is something else.
    Unexpected {
        /// What was expected.
        expected: Item,
        /// What the input is.
        found: &'static str,
    },
    /// The private key is encrypted under a password.
    Encrypted,
    /// The key is not an elliptic curve key.
    UnsupportedAlgorithm {
        /// The item that holds the key.
        item: Item,
        /// The algorithm of its key.
        algorithm: ObjectIdentifier,
    },
    /// The key is on another curve, or (`None`) the item does not say on which one.
    UnsupportedCurve {
        /// The item that holds the key.
        item: Item,
        /// The curve of its key.
        curve: Option<ObjectIdentifier>,
    },
    /// The curve is spelled out (`specifiedCurve`) where RFC 5480 section 2.1.1 wants its name.
    ExplicitCurve {
        /// The item that holds the key.
        item: Item,
    },
    /// A private key on curveSM2 is exactly 32 bytes (RFC 5915 section 3).
    KeyLength {
        /// The length that was found, in bytes.
        length: usize,
    },
    /// The key value is outside its range, or the point is not on the curve.
    InvalidKey {
        /// The item that holds the key.
        item: Item,
        /// The reason.
        source: sm2::Error,
    },
    /// A private and a public key that stand together do not belong together.
    KeyMismatch {
        /// The item whose public key is not that of the private key.
        item: Item,
    },
    /// The signature is not made with SM2 and SM3 (1.2.156.10197.1.501, parameters absent or NULL),
    /// or a certificate names two different algorithms (RFC 5280 section 4.1.1.2).
    SignatureAlgorithm {
        /// The signed item.
        item: Item,
        /// The algorithm that it names.
        algorithm: ObjectIdentifier,
    },
    /// The signature of a certificate or a request does not verify.
    BadSignature {
        /// The signed item.
        item: Item,
        /// What the bytes tell about the cause.
        fault: SignatureFault,
    },
    /// The signing key could not sign.
    Signer(sm2::Error),
    /// The signing key made a signature that its own public key does not verify.
    SignerMismatch,
    /// A certificate, or what was asked of its issuer, breaks a rule of the profile.
    Profile {
        /// The item that breaks it.
        item: Item,
        /// Its subject, in the form of RFC 4514.
        subject: String,
        /// The rule, and what to do.
        rule: &'static str,
    },
    /// A name cannot be written into a certificate.
    InvalidName {
        /// The name.
        name: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A validity that ends before it begins, or that X.509 cannot express (years 1970 to 9999).
    InvalidValidity,
    /// The random number generator of the system failed, so there is no serial number.
    Random,
    /// The cryptographic module refused.
    Module(module::Error),
}

/// The thing that an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A private key: PKCS#8 or SEC1.
    PrivateKey,
    /// A public key: SubjectPublicKeyInfo.
    PublicKey,
    /// An X.509 certificate.
    Certificate,
    /// A PKCS#10 certification request.
    Request,
}

/// Why an SM2 signature over a certificate or a request does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureFault {
    /// It is not the DER encoding of two integers in range.
    Encoding,
    /// It verifies with an empty signer ID: the signer left the ID out.
    EmptyId,
    /// It verifies with the ID of TLS 1.3, which belongs in CertificateVerify only.
    Tls13Id,
    /// It was made by another key, with an unknown ID, or the content was altered.
    Mismatch,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { item, limit } => {
                write!(
                    f,
                    "{item}: longer than the {limit} bytes allowed; is this the right file?"
                )
            }
            Self::Pem { item, source } => write!(f, "{item}: damaged PEM text: {source}"),
            Self::NotFound { item } => write!(
                f,
                "{item}: the PEM text has no {} block",
                item.usual_label()
            ),
            Self::Ambiguous { item } => write!(
                f,
                "{item}: the PEM text holds more than one; leave the one to be used"
            ),
            Self::Malformed { item, source } => write!(f, "{item}: not valid DER: {source}"),
            Self::Unexpected { expected, found } => {
                write!(f, "{expected}: expected, but the input is {found}")
            }
            Self::Encrypted => f.write_str(
                "private key: it is encrypted; decrypt it first \
                 (openssl pkey -in key.pem -out plain.pem) or keep it in a PKCS#11 token",
            ),
            Self::UnsupportedAlgorithm { item, algorithm } => write!(
                f,
                "{item}: an SM2 key is needed, this one is of algorithm {}",
                Named(algorithm)
            ),
            Self::UnsupportedCurve {
                item,
                curve: Some(curve),
            } => write!(
                f,
                "{item}: a key on curveSM2 is needed, this one is on curve {}",
                Named(curve)
            ),
            Self::UnsupportedCurve { item, curve: None } => write!(
                f,
                "{item}: it does not say on which curve it is, and that cannot be known from the \
                 rest; export it again with its curve"
            ),
            Self::ExplicitCurve { item } => write!(
                f,
                "{item}: it spells its curve out instead of naming it; {}",
                item.cure_of_explicit_curve()
            ),
            Self::KeyLength { length } => {
                write!(
                    f,
                    "private key: its value has {length} bytes where curveSM2 has 32"
                )
            }
            Self::InvalidKey { item, source } => write!(f, "{item}: {source}"),
            Self::KeyMismatch { item } => {
                write!(
                    f,
                    "{item}: its public key does not belong to the private key"
                )
            }
            Self::SignatureAlgorithm { item, algorithm } => write!(
                f,
                "{item}: signed with {} where SM2 with SM3 is needed throughout",
                Named(algorithm)
            ),
            Self::BadSignature { item, fault } => write!(f, "{item}: {fault}"),
            Self::Signer(source) => write!(f, "the signing key failed: {source}"),
            Self::SignerMismatch => f.write_str(
                "the signing key made a signature that its own public key does not verify; \
                 the token may hold another key or sign with another mechanism",
            ),
            Self::Profile {
                item,
                subject,
                rule,
            } => write!(f, "{item} of {subject:?}: {rule}"),
            Self::InvalidName { name, rule } => write!(f, "name {name:?}: {rule}"),
            Self::InvalidValidity => f.write_str(
                "validity: it must end after it begins, and lie within the years 1970 to 9999",
            ),
            Self::Random => f.write_str("the random number generator of the system failed"),
            Self::Module(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Pem { source, .. } => Some(source),
            Self::Malformed { source, .. } => Some(source),
            Self::InvalidKey { source, .. } | Self::Signer(source) => Some(source),
            Self::Module(error) => Some(error),
            _ => None,
        }
    }
}

impl Item {
    /// Whether a PEM block of this label (RFC 7468) is such an item, readable or to be refused.
    pub(super) fn has_label(self, label: &str) -> bool {
        match self {
            Self::PrivateKey => label.ends_with("PRIVATE KEY"),
            Self::PublicKey => label == "PUBLIC KEY",
            Self::Certificate => label == "CERTIFICATE",
            Self::Request => matches!(label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST"),
        }
    }

    fn usual_label(self) -> &'static str {
        match self {
            Self::PrivateKey => "PRIVATE KEY or EC PRIVATE KEY",
            Self::PublicKey => "PUBLIC KEY",
            Self::Certificate => "CERTIFICATE",
            Self::Request => "CERTIFICATE REQUEST",
        }
    }

    fn cure_of_explicit_curve(self) -> &'static str {
        match self {
            Self::PrivateKey => {
                "name it (openssl ec -in key.pem -param_enc named_curve -out named.pem)"
            }
            Self::PublicKey => {
                "name it (openssl ec -pubin -in public.pem -param_enc named_curve -out named.pem)"
            }
            Self::Certificate | Self::Request => {
                "make it again from a key that names it \
                 (openssl ec -in key.pem -param_enc named_curve -out named.pem)"
            }
        }
    }

    /// For `map_err` on what the DER reader returns.
    pub(super) fn malformed(self) -> impl Fn(der::Error) -> Error {
        move |source| Error::Malformed { item: self, source }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrivateKey => "private key",
            Self::PublicKey => "public key",
            Self::Certificate => "certificate",
            Self::Request => "certification request",
        })
    }
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encoding => "its signature is not a DER encoded SM2 signature",
            Self::EmptyId => {
                "it was signed with an empty signer ID (OpenSSL before 4.0 does so by default); \
                 sign it again with the ID 1234567812345678 \
                 (openssl: -sigopt distid:1234567812345678)"
            }
            Self::Tls13Id => {
                "it was signed with the ID of TLS 1.3 CertificateVerify; \
                 sign it again with the ID 1234567812345678"
            }
            Self::Mismatch => {
                "its signature does not verify: made by another key, with an unknown signer ID, \
                 or altered since"
            }
        })
    }
}

/// An object identifier with the name by which people know it.
struct Named<'a>(&'a ObjectIdentifier);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES
            .iter()
            .find(|(oid, _)| *oid == *self.0)
            .map(|(_, name)| *name);
        match name {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

/// What is met in place of SM2.
const NAMES: &[(ObjectIdentifier, &str)] = &[
    (oid("1.2.840.113549.1.1.1"), "RSA"),
    (oid("1.2.840.113549.1.1.10"), "RSA-PSS"),
    (oid("1.2.840.113549.1.1.11"), "RSA with SHA-256"),
    (oid("1.2.840.113549.1.1.12"), "RSA with SHA-384"),
    (oid("1.2.840.113549.1.1.13"), "RSA with SHA-512"),
    (oid("1.2.840.10045.2.1"), "elliptic curve"),
    (oid("1.2.840.10045.3.1.7"), "P-256"),
    (oid("1.3.132.0.34"), "P-384"),
    (oid("1.3.132.0.35"), "P-521"),
    (oid("1.3.132.0.10"), "secp256k1"),
    (oid("1.3.36.3.3.2.8.1.1.7"), "brainpoolP256r1"),
    (oid("1.2.840.10045.4.3.2"), "ECDSA with SHA-256"),
    (oid("1.2.840.10045.4.3.3"), "ECDSA with SHA-384"),
    (oid("1.2.840.10045.4.3.4"), "ECDSA with SHA-512"),
    (oid("1.3.101.110"), "X25519"),
    (oid("1.3.101.112"), "Ed25519"),
    (oid("1.3.101.113"), "Ed448"),
    (oid("1.2.156.10197.1.301"), "curveSM2"),
    (oid("1.2.156.10197.1.501"), "SM2 with SM3"),
    (oid("1.2.156.10197.1.502"), "SM2 with SHA-1"),
    (oid("1.2.156.10197.1.503"), "SM2 with SHA-256"),
];

const fn oid(dotted: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(dotted)
}
