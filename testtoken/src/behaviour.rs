//! How a token misbehaves, on order of the test that uses it: the language of the orders.

use crate::rule::When;
use crate::{Profile, ckr, table};
use cryptoki_sys::{CK_RV, CK_SLOT_ID};
use std::fmt::{self, Display};
use std::time::Duration;

/// What a token does differently from a well-behaved one.
///
/// Orders are `name=value` pairs separated by `;`. They come from one of three places:
/// - [`TestToken`](crate::TestToken)'s methods, through a door of the module's own that is open
///   even while the token hangs, is removed or the module is finalized;
/// - the environment variable [`Behaviour::ENVIRONMENT`], read by `C_Initialize`;
/// - the `CKA_VALUE` of the token's data object labelled [`Behaviour::OBJECT_LABEL`].
///
/// Below, `F` is a function's name or `*` for all that are about a slot or a session; `WHEN` counts calls from the order, as
/// [`When`] does, and may be left out for every call; `T` is a time as `500us`, `10ms` or `2s`;
/// `CKR` is a code's name (PKCS#11's or Luna's) or number.
///
/// Standing orders hold until the token is told to behave otherwise. In the environment, they hold
/// for every token:
///
/// | order | effect |
/// |---|---|
/// | `fail=F:WHEN:CKR` | the call fails; a failed `C_Sign` ends its operation |
/// | `latency=F:T[:WHEN]` | the call takes that much longer; other sessions work meanwhile |
/// | `hang=F[:T[:WHEN]]` | the call hangs until released, or until the time is over |
/// | `panic=F[:WHEN]` | the module's code panics; the caller sees `CKR_GENERAL_ERROR` |
/// | `answer=raw[:WHEN]`, `answer=der[:WHEN]` | signatures are r \|\| s, 64 bytes, or DER; as the profile has it without an order |
/// | `signature=corrupt[:WHEN]` | one bit of the signature is flipped |
/// | `signature=foreign[:WHEN]` | the signature is good, but of another key |
/// | `signature=short[:WHEN]` | the signature lacks its last byte |
/// | `signature=overlong[:WHEN]` | `C_Sign` tells a length far above that of the caller's buffer |
/// | `mechanism=absent` | the token knows no mechanism that signs |
/// | `sign=device-error` | `C_Sign` fails with `CKR_DEVICE_ERROR` and leaves its operation active |
/// | `info=device-error` | `C_GetTokenInfo` fails with `CKR_DEVICE_ERROR` |
/// | `library=device-error` | `C_GetInfo` fails with `CKR_DEVICE_ERROR` |
/// | `point=cut` | `CKA_EC_POINT` lacks its last byte |
/// | `random=stuck` | `C_GenerateRandom` gives the same byte again and again |
/// | `protection=ignored` | keys say that they can be extracted, whatever their template said |
/// | `session-limit=N`, `session-limit=none` | sessions at a time (64 without an order) |
/// | `login-expires=N`, `login-expires=T` | a login is good for N signatures, or for a time |
/// | `pin=path` | the PIN is entered at the device: `C_Login` takes none |
/// | `pin-tries=N` | wrong PINs in a row until the token locks (10 without an order) |
///
/// The others take effect once, at once. In the environment, they are for the tokens that it makes:
///
/// | order | effect |
/// |---|---|
/// | `release` | calls that hang or wait go on |
/// | `sessions=lost` | the sessions are gone: `CKR_SESSION_HANDLE_INVALID` |
/// | `sessions=closed` | the same, but `CKR_SESSION_CLOSED` |
/// | `login=expired` | nobody is logged in; `C_SignInit` fails with `CKR_USER_NOT_LOGGED_IN` |
/// | `pin=expired` | `C_Login` fails with `CKR_PIN_EXPIRED` until `C_SetPIN` |
/// | `crypto-user=PIN` | there is a crypto user (`0x80000001`), who may sign, but make no key |
/// | `slot=new` | the token moves to a slot number that never was |
/// | `slot=N` | the token moves to this slot; a token there takes its old one |
/// | `device=removed[:T]` | the token is away: `CKR_DEVICE_REMOVED`, `CKR_TOKEN_NOT_PRESENT`; then back by itself |
/// | `device=back` | it is back; sessions and login are gone |
/// | `members=N` | the token is an HA group; new sessions go to its members in turn |
/// | `member=lost:I[:T]` | member I (from 0) dies with its sessions; the next calls pause for T |
/// | `member=back:I` | it is back; if all were lost, only `C_Initialize` opens the group again |
/// | `key=LABEL:ID[:SECRET]` | there is this SM2 key pair, ID and secret in hexadecimal |
/// | `destroy=LABEL` | the keys with this label are gone |
/// | `library=finalized` | someone else called `C_Finalize` |
/// | `profile=NAME` | the module is another vendor's (see [`Profile`]) |
/// | `token=LABEL:PIN` | in the environment alone: there is this token when `C_Initialize` returns |
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Behaviour;

impl Behaviour {
    /// The environment variable with the orders of a whole process.
    pub const ENVIRONMENT: &'static str = "SHANGMI_TESTTOKEN";
    /// `CKA_LABEL` of the data object that takes orders for its token.
    pub const OBJECT_LABEL: &'static str = "behaviour";
}

/// An order that cannot be followed; its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderError(pub(crate) String);

impl Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the test token cannot follow the order {:?}", self.0)
    }
}

impl std::error::Error for OrderError {}

/// One order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    Standing(Standing),
    Event(Event),
    Library(Library),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    /// For a function, or for all of them.
    Call(Option<&'static str>, When, Effect),
    Encoding(When, Encoding),
    Signature(When, Fault),
    WithoutSignatures,
    SignFails,
    InfoFails,
    CutPoint,
    StuckRandom,
    Unprotected,
    SessionLimit(Option<usize>),
    LoginExpires(Expiry),
    ProtectedPath,
    PinTries(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Release,
    LoseSessions,
    CloseSessions,
    ExpireLogin,
    ExpirePin,
    CryptoUser(String),
    Move(Option<CK_SLOT_ID>),
    Remove(Option<Duration>),
    Return,
    Members(usize),
    LoseMember(usize, Option<Duration>),
    ReturnMember(usize),
    Key {
        label: String,
        id: Vec<u8>,
        secret: Option<Vec<u8>>,
    },
    Destroy(String),
}

/// Orders to the module as a whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Library {
    Finalize,
    Profile(Profile),
    Token { label: String, pin: String },
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    Fail(CK_RV),
    Latency(Duration),
    Hang(Option<Duration>),
    Panic,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// r || s, 64 bytes.
    Raw,
    /// A DER SEQUENCE of r and s.
    Der,
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One bit is flipped.
    Corrupt,
    /// It is good, but of another key.
    Foreign,
    /// It lacks its last byte.
    Short,
    /// Its length is told to be far above that of the caller's buffer.
    Overlong,
}

/// What a login is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So many signatures.
    Signatures(u64),
    /// So much time.
    After(Duration),
}

/// Reads orders, in their sequence.
pub(crate) fn parse(orders: &str) -> Result<Vec<Order>, OrderError> {
    let each = orders.split(';').map(str::trim).filter(|o| !o.is_empty());
    each.map(|text| order(text).ok_or_else(|| OrderError(text.into())))
        .collect()
}

fn order(text: &str) -> Option<Order> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let (word, rest) = match value.split_once(':') {
        Some((word, rest)) => (word, Some(rest)),
        None => (value, None),
    };
    standing(name, word, rest)
        .map(Order::Standing)
        .or_else(|| event(name, word, rest).map(Order::Event))
        .or_else(|| library(name, word, rest).map(Order::Library))
}

fn standing(name: &str, word: &str, rest: Option<&str>) -> Option<Standing> {
    let call = |when, effect| Some(Standing::Call(function(word)?, when, effect));
    Some(match (name, word, rest) {
        ("fail", _, Some(rest)) => {
            let (when, code) = rest.split_once(':')?;
            return call(when.parse().ok()?, Effect::Fail(ckr::parse(code)?));
        }
        ("latency", _, Some(rest)) => {
            let (time, when) = timed(rest)?;
            return call(when, Effect::Latency(time));
        }
        ("hang", _, None) => return call(When::EVERY, Effect::Hang(None)),
        ("hang", _, Some(rest)) => {
            let (time, when) = timed(rest)?;
            return call(when, Effect::Hang(Some(time)));
        }
        ("panic", _, rest) => return call(when(rest)?, Effect::Panic),
        ("answer", "raw", rest) => Standing::Encoding(when(rest)?, Encoding::Raw),
        ("answer", "der", rest) => Standing::Encoding(when(rest)?, Encoding::Der),
        ("signature", "corrupt", rest) => Standing::Signature(when(rest)?, Fault::Corrupt),
        ("signature", "foreign", rest) => Standing::Signature(when(rest)?, Fault::Foreign),
        ("signature", "short", rest) => Standing::Signature(when(rest)?, Fault::Short),
        ("signature", "overlong", rest) => Standing::Signature(when(rest)?, Fault::Overlong),
        ("mechanism", "absent", None) => Standing::WithoutSignatures,
        ("sign", "device-error", None) => Standing::SignFails,
        ("info", "device-error", None) => Standing::InfoFails,
        ("library", "device-error", None) => {
            let fail = Effect::Fail(cryptoki_sys::CKR_DEVICE_ERROR);
            Standing::Call(function("C_GetInfo")?, When::EVERY, fail)
        }
        ("point", "cut", None) => Standing::CutPoint,
        ("random", "stuck", None) => Standing::StuckRandom,
        ("protection", "ignored", None) => Standing::Unprotected,
        ("session-limit", "none", None) => Standing::SessionLimit(None),
        ("session-limit", count, None) => Standing::SessionLimit(Some(count.parse().ok()?)),
        ("login-expires", limit, None) => Standing::LoginExpires(match limit.parse() {
            Ok(count) => Expiry::Signatures(count),
            Err(_) => Expiry::After(time(limit)?),
        }),
        ("pin", "path", None) => Standing::ProtectedPath,
        ("pin-tries", count, None) => Standing::PinTries(count.parse().ok()?),
        _ => return None,
    })
}

fn event(name: &str, word: &str, rest: Option<&str>) -> Option<Event> {
    let optional_time = |rest: Option<&str>| rest.map_or(Some(None), |rest| time(rest).map(Some));
    Some(match (name, word, rest) {
        ("release", "", None) => Event::Release,
        ("sessions", "lost", None) => Event::LoseSessions,
        ("sessions", "closed", None) => Event::CloseSessions,
        ("login", "expired", None) => Event::ExpireLogin,
        ("pin", "expired", None) => Event::ExpirePin,
        ("crypto-user", pin, None) => Event::CryptoUser(pin.into()),
        ("slot", "new", None) => Event::Move(None),
        ("slot", number, None) => Event::Move(Some(number.parse().ok()?)),
        ("device", "removed", rest) => Event::Remove(optional_time(rest)?),
        ("device", "back", None) => Event::Return,
        ("members", count, None) => Event::Members(count.parse().ok().filter(|count| *count > 0)?),
        ("member", "lost", Some(rest)) => match rest.split_once(':') {
            None => Event::LoseMember(rest.parse().ok()?, None),
            Some((index, pause)) => Event::LoseMember(index.parse().ok()?, Some(time(pause)?)),
        },
        ("member", "back", Some(index)) => Event::ReturnMember(index.parse().ok()?),
        ("key", label, Some(rest)) => {
            let (id, secret) = match rest.split_once(':') {
                None => (rest, None),
                Some((id, secret)) => (id, Some(hex(secret)?)),
            };
            Event::Key {
                label: label.into(),
                id: hex(id)?,
                secret,
            }
        }
        ("destroy", label, None) => Event::Destroy(label.into()),
        _ => return None,
    })
}

fn library(name: &str, word: &str, rest: Option<&str>) -> Option<Library> {
    Some(match (name, word, rest) {
        ("library", "finalized", None) => Library::Finalize,
        ("profile", name, None) => Library::Profile(Profile::named(name)?),
        ("token", label, Some(pin)) => Library::Token {
            label: label.into(),
            pin: pin.into(),
        },
        _ => return None,
    })
}

/// `Some(None)` is every function.
fn function(name: &str) -> Option<Option<&'static str>> {
    match name {
        "*" => Some(None),
        _ => table::NAMES
            .iter()
            .find(|known| **known == name)
            .map(|known| Some(*known)),
    }
}

fn when(text: Option<&str>) -> Option<When> {
    text.map_or(Some(When::EVERY), |text| text.parse().ok())
}

/// `T[:WHEN]`.
fn timed(text: &str) -> Option<(Duration, When)> {
    match text.split_once(':') {
        None => Some((time(text)?, When::EVERY)),
        Some((length, when)) => Some((time(length)?, when.parse().ok()?)),
    }
}

fn time(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let number = number.parse().ok()?;
    match unit {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let bytes = (0..text.len()).step_by(2);
    bytes
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}
