//! What goes wrong with an HSM, by call and CKR name, and what to do about it.

use std::ffi::c_ulong;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cryptoki::context::Function;
use cryptoki::error::RvError;

use super::ckr::{Ckr, Vendor};
use super::function;
use super::pkcs11::{KeyKind, UriError};
use super::printable::Printable;
use crate::{module, pki, sm2};

/// Why a key in an HSM cannot be used. No PIN is ever part of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The PKCS#11 URI is not valid.
    Uri(UriError),
    /// The URI is valid, but lacks what is needed here, or asks for what cannot be.
    Incomplete {
        /// What is missing and what to write.
        advice: &'static str,
    },
    /// The file with the PIN cannot be used.
    PinFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The environment variable with the PIN cannot be used.
    PinEnvironment {
        /// The variable's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The command that tells the PIN failed.
    PinCommand {
        /// The program, without its arguments.
        program: PathBuf,
        /// Why.
        reason: String,
    },
    /// The callback that tells the PIN failed.
    PinCallback {
        /// Why, in its own words.
        reason: String,
    },
    /// The module cannot be loaded.
    Module {
        /// The module's file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The module is not the one that the URI describes.
    Library {
        /// The module's file.
        path: PathBuf,
        /// What the module says about itself, in the words of the URI.
        found: String,
    },
    /// A PKCS#11 call failed.
    Call {
        /// The call, such as `C_Login`.
        function: &'static str,
        /// Its return code.
        code: Ckr,
    },
    /// The module or its Rust binding gave an answer that makes no sense.
    Answer {
        /// What was wrong with it.
        reason: String,
    },
    /// No token, or more than one, is what the URI describes.
    Token {
        /// The description in the URI.
        wanted: String,
        /// How many tokens match it.
        matches: usize,
        /// The tokens that are there.
        found: Vec<String>,
    },
    /// No private key, or more than one, is what the URI describes.
    Key {
        /// The token.
        token: String,
        /// The description in the URI.
        wanted: String,
        /// How many private keys match it.
        matches: usize,
        /// The private keys that are there.
        found: Vec<String>,
    },
    /// The key is of a type or size that is not supported.
    KeyType {
        /// The key.
        key: String,
        /// What it is.
        kind: String,
    },
    /// A `CKK_EC` key on the SM2 curve. Its token would sign ECDSA on that curve (`CKM_ECDSA`),
    /// which is not SM2.
    EcdsaOnSm2Curve {
        /// The key.
        key: String,
    },
    /// The token lacks the mechanism that the key needs.
    Mechanism {
        /// The token.
        token: String,
        /// The mechanism's name and number.
        mechanism: String,
    },
    /// The token's mechanism does not sign: it lacks CKF_SIGN.
    MechanismCannotSign {
        /// The token.
        token: String,
        /// The mechanism's name and number.
        mechanism: String,
    },
    /// The key's size is outside of what the token's mechanism takes.
    KeySize {
        /// The key.
        key: String,
        /// Its size in bits.
        bits: c_ulong,
        /// The mechanism's name and number.
        mechanism: String,
        /// ulMinKeySize, in the token's unit.
        minimum: c_ulong,
        /// ulMaxKeySize, in the token's unit.
        maximum: c_ulong,
    },
    /// The token shows no public key for the private one, and no certificate was given or is there
    /// with the key's CKA_ID.
    NoPublicKey {
        /// The key.
        key: String,
    },
    /// The token has several certificates for the key, and it must be told which one serves.
    Certificates {
        /// The key.
        key: String,
        /// The certificates, by label and subject.
        found: Vec<String>,
    },
    /// A certificate or public key cannot be read.
    Certificate {
        /// Why.
        reason: String,
    },
    /// The certificate belongs to another key.
    CertificateMismatch {
        /// The key.
        key: String,
        /// What the key is.
        key_kind: KeyKind,
        /// What the certificate's key is.
        certificate_kind: KeyKind,
    },
    /// The cryptographic module, which verifies what the token signs, refused.
    Refused(module::Error),
    /// A signature of the token does not verify under the certificate's or the token's public key.
    /// It was not given out.
    WrongSignature {
        /// The key.
        key: String,
        /// The mechanism that made it.
        mechanism: String,
    },
    /// A signature of the token is not in a format that its mechanism allows.
    SignatureFormat {
        /// The mechanism that made it.
        mechanism: String,
        /// Its length in bytes.
        length: usize,
    },
    /// The key is not of the kind that was asked for.
    WrongKind {
        /// What was asked for.
        wanted: KeyKind,
        /// What the key is.
        found: KeyKind,
    },
    /// The number of the mechanism that makes SM2 key pairs is not known: the module's vendor is
    /// not, or its profile has none.
    NoSm2Numbers {
        /// The token.
        token: String,
    },
    /// A new key would have a label or an identifier that another key has.
    KeyExists {
        /// The token.
        token: String,
        /// The label or identifier.
        key: String,
    },
    /// The token made a key that is not protected as was asked for.
    Unprotected {
        /// The key.
        key: String,
        /// What should hold and does not, or is not told.
        rule: &'static str,
    },
    /// A new pair failed its test.
    PairRefused {
        /// The key.
        key: String,
        /// What was wrong with it.
        reason: Box<Error>,
        /// Why it could not be destroyed, if it could not.
        remains: Option<Box<Error>>,
    },
    /// A key was not deleted, since its label or identifier was not repeated.
    Unconfirmed {
        /// The key.
        key: String,
    },
    /// A certificate is for no private key of the token.
    NoKeyForCertificate {
        /// The token.
        token: String,
        /// The certificate's subject.
        subject: String,
    },
    /// The token has this very certificate already.
    CertificateExists {
        /// The token.
        token: String,
        /// The certificate's subject.
        subject: String,
    },
    /// A certification request cannot be made.
    Pki(Arc<pki::Error>),
    /// The token did not answer in time. The call goes on in a thread of the pool, and its late
    /// answer is thrown away.
    Deadline {
        /// The token.
        token: String,
        /// What was to be done, with which key.
        task: String,
        /// How long the caller waited.
        waited: Duration,
        /// Whether a session had taken the task up; otherwise all of them were busy.
        started: bool,
    },
    /// The token is down, so that nothing was tried. Probes look for it until it is back.
    Down {
        /// The token.
        token: String,
        /// Since when.
        since: Instant,
        /// The failure that showed it.
        cause: String,
    },
    /// The pool of sessions was closed.
    Closed {
        /// The token.
        token: String,
    },
    /// The process was forked after the key was opened, and a token knows only who opened it
    /// (PKCS#11 2.40, 6.7.1: a child is another application).
    Forked,
    /// The module should be initialized again, but another part of the program initialized it, and
    /// only that may.
    ForeignModule,
    /// This process gave this PIN to this token before, and the token refused it. It was not asked
    /// again.
    PinRefusedBefore {
        /// The token.
        token: String,
    },
    /// The operating system gave no thread for a session.
    Thread {
        /// Why.
        reason: String,
    },
    /// The system's random generator failed.
    Random,
}

impl Error {
    pub(super) fn call(function: Function, code: RvError) -> Self {
        Self::Call {
            function: function::name(function),
            code: code.into(),
        }
    }

    /// `error`, unless the cryptographic module failed in the meantime: then that is the cause.
    pub(super) fn unless_refused(error: Self) -> Self {
        module::operational().map_or_else(Self::Refused, |()| error)
    }

    /// The same error, with a code known to come from this vendor's module.
    pub(super) fn of(self, vendor: Vendor) -> Self {
        match self {
            Self::Call { function, code } => Self::Call {
                function,
                code: code.of(vendor),
            },
            other => other,
        }
    }

    /// Whether the token says that it does not do this with this key.
    pub(super) fn is_refused_mechanism(&self) -> bool {
        let Self::Call { code, .. } = self else {
            return false;
        };
        matches!(*code, Ckr::MECHANISM_INVALID | Ckr::MECHANISM_PARAM_INVALID)
    }

    pub(super) fn answer(reason: impl Into<String>) -> Self {
        Self::Answer {
            reason: reason.into(),
        }
    }
}

impl From<cryptoki::error::Error> for Error {
    fn from(error: cryptoki::error::Error) -> Self {
        match error {
            cryptoki::error::Error::Pkcs11(code, function) => Self::call(function, code),
            other => Self::answer(other.to_string()),
        }
    }
}

impl From<UriError> for Error {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

/// Control characters in names that a token gave are escaped.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(Words(self)).fmt(f)
    }
}

struct Words<'a>(&'a Error);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::Uri(error) => error.fmt(f),
            Error::Incomplete { advice } => write!(f, "PKCS#11 URI: {advice}"),
            Error::PinFile { path, reason } => write!(f, "PIN file {}: {reason}", path.display()),
            Error::PinEnvironment { name, reason } => {
                write!(f, "PIN in the environment variable {name}: {reason}")
            }
            Error::PinCommand { program, reason } => {
                write!(f, "PIN command {}: {reason}", program.display())
            }
            Error::PinCallback { reason } => write!(f, "PIN callback: {reason}"),
            Error::Module { path, reason } => {
                write!(f, "PKCS#11 module {}: {reason}", path.display())
            }
            Error::Library { path, found } => write!(
                f,
                "PKCS#11 module {}: it is {found}, and the URI asks for another",
                path.display()
            ),
            Error::Call { function, code } => {
                write!(f, "{function} failed with {code}")?;
                code.advice()
                    .map_or(Ok(()), |advice| write!(f, ": {advice}"))
            }
            Error::Answer { reason } => {
                write!(f, "the PKCS#11 module gave an unusable answer: {reason}")
            }
            Error::Token {
                wanted,
                matches,
                found,
            } => {
                write!(
                    f,
                    "{matches} tokens are {wanted}, and it must be one; there are: {}",
                    list(found)
                )
            }
            Error::Key {
                token,
                wanted,
                matches,
                found,
            } => write!(
                f,
                "{matches} private keys of the token {token} are {wanted}, and it must be one; \
                 there are: {}",
                list(found)
            ),
            Error::KeyType { key, kind } => write!(
                f,
                "the key {key} is {kind}; supported are SM2, ECDSA P-256 and P-384, and RSA of \
                 2048 to 8192 bits"
            ),
            Error::EcdsaOnSm2Curve { key } => write!(
                f,
                "the key {key} is CKK_EC on the SM2 curve: CKM_ECDSA would sign ECDSA with it, \
                 which is not SM2; make it with the vendor's own SM2 key type"
            ),
            Error::Mechanism { token, mechanism } => write!(
                f,
                "the token {token} has no {mechanism}: check its firmware and policies, or use \
                 another key type"
            ),
            Error::MechanismCannotSign { token, mechanism } => write!(
                f,
                "the token {token} has {mechanism}, but not for signatures (CKF_SIGN): check its \
                 policies"
            ),
            Error::KeySize {
                key,
                bits,
                mechanism,
                minimum,
                maximum,
            } => write!(
                f,
                "the key {key} has {bits} bits, and its token's {mechanism} takes {minimum} to \
                 {maximum}: use a key of another size"
            ),
            Error::NoPublicKey { key } => {
                write!(
                    f,
                    "the token shows no public key for {key}: give the certificate"
                )
            }
            Error::Certificates { key, found } => write!(
                f,
                "the token has several certificates for the key {key}: give the one that serves, \
                 or delete the others; there are: {}",
                list(found)
            ),
            Error::Certificate { reason } => {
                write!(f, "the certificate or public key cannot be used: {reason}")
            }
            Error::CertificateMismatch {
                key,
                key_kind,
                certificate_kind,
            } => write!(
                f,
                "the certificate (for an {certificate_kind} key) is not for the key {key} \
                 ({key_kind}): give the certificate of this key"
            ),
            Error::Refused(error) => error.fmt(f),
            Error::WrongSignature { key, mechanism } => write!(
                f,
                "a signature of the key {key} with {mechanism} does not verify: either the \
                 certificate is of another key, or the token computes wrongly; it must not serve"
            ),
            Error::SignatureFormat { mechanism, length } => {
                write!(
                    f,
                    "the token's answer to {mechanism}, {length} bytes, is no signature; it was not used"
                )
            }
            Error::WrongKind { wanted, found } => {
                write!(f, "the key is {found}, and {wanted} is needed")
            }
            Error::NoSm2Numbers { token } => write!(
                f,
                "the token {token}: the number of the mechanism that makes SM2 key pairs is not \
                 known: name the vendor with x-profile, or give a profile"
            ),
            Error::KeyExists { token, key } => write!(
                f,
                "the token {token} has a key with {key}: choose another label or identifier, or \
                 delete that key first"
            ),
            Error::Unprotected { key, rule } => write!(
                f,
                "the token does not say of the key {key} that {rule}: check its policies"
            ),
            Error::PairRefused {
                key,
                reason,
                remains: None,
            } => write!(
                f,
                "the new key {key} failed its test and was destroyed: {reason}"
            ),
            Error::PairRefused {
                key,
                reason,
                remains: Some(fault),
            } => write!(
                f,
                "the new key {key} failed its test ({reason}) and could not be destroyed \
                 ({fault}): delete it"
            ),
            Error::Unconfirmed { key } => write!(
                f,
                "the key {key} was not deleted: repeat its exact label or identifier to confirm"
            ),
            Error::NoKeyForCertificate { token, subject } => write!(
                f,
                "the certificate of {subject} is for no private key of the token {token}"
            ),
            Error::CertificateExists { token, subject } => write!(
                f,
                "the token {token} has this certificate of {subject} already"
            ),
            Error::Pki(error) => error.fmt(f),
            Error::Deadline {
                token,
                task,
                waited,
                started,
            } => {
                let (why, advice) = match started {
                    true => ("it did not answer", "check the HSM and its connection"),
                    false => (
                        "no session was free",
                        "check the HSM, or allow more sessions",
                    ),
                };
                let seconds = waited.as_secs_f32();
                write!(
                    f,
                    "the token {token} was to {task}, and {why} within {seconds:.1} s: {advice}"
                )
            }
            Error::Down {
                token,
                since,
                cause,
            } => write!(
                f,
                "the token {token} is down since {:.1} s ({cause}): nothing is sent to it until a \
                 probe succeeds",
                since.elapsed().as_secs_f32()
            ),
            Error::Closed { token } => write!(
                f,
                "the pool of sessions with the token {token} is closed: open the key again"
            ),
            Error::Forked => write!(
                f,
                "the process was forked after the key was opened: open the key again in the child, \
                 or fork before"
            ),
            Error::ForeignModule => write!(
                f,
                "the module should be initialized again, but another part of the program initialized \
                 it, which must call C_Finalize and C_Initialize itself; or restart the program"
            ),
            Error::PinRefusedBefore { token } => write!(
                f,
                "the token {token} refused this PIN before and was not asked again: correct the \
                 PIN before the token locks, or restart if the token's PIN was changed to it"
            ),
            Error::Thread { reason } => write!(
                f,
                "no thread for a session could be started: {reason}; raise the limit of threads, \
                 or allow fewer sessions"
            ),
            Error::Random => write!(f, "the system's random generator failed"),
        }
    }
}

fn list(found: &[String]) -> String {
    if found.is_empty() {
        "none".into()
    } else {
        found.join(", ")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Uri(error) => Some(error),
            Self::Pki(error) => Some(error),
            Self::Refused(error) => Some(error),
            Self::PairRefused { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

impl From<Error> for sm2::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(error) => Self::Module(error),
            error => Self::KeyUnavailable(Box::new(error)),
        }
    }
}
