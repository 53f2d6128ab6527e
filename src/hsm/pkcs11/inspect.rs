//! What a module, its tokens and their keys are and can do: what a person sends in to say why
//! something does not work. Nothing in a token is changed, and no PIN is part of it.

mod look;
mod mechanisms;
mod text;

pub use look::probe;

use std::ffi::c_ulong;

use super::admin::KeyInfo;

/// What [`probe()`] found. `Display` writes it for people.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// The version of this library.
    pub shangmi: &'static str,
    /// The module.
    pub module: ModuleReport,
    /// The vendor profile that is used.
    pub profile: Option<ProfileReport>,
    /// All slots of the module.
    pub slots: Vec<SlotReport>,
    /// What would not work, and what to do about it. Empty if all is well.
    pub findings: Vec<String>,
}

/// A module, as C_GetInfo tells it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModuleReport {
    /// Its file.
    pub path: String,
    /// Its manufacturer.
    pub manufacturer: String,
    /// Its description.
    pub description: String,
    /// Its version.
    pub version: String,
    /// The version of PKCS#11 that it speaks.
    pub cryptoki: String,
}

/// The numbers of a vendor.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ProfileReport {
    /// Its name.
    pub name: String,
    /// It was detected from C_GetInfo; otherwise it was given.
    pub detected: bool,
    /// CKK_SM2
    pub key_type: c_ulong,
    /// The number of the mechanism that signs.
    pub mechanism: c_ulong,
    /// What the vendor's tokens cannot do for this library.
    pub limits: Vec<&'static str>,
}

/// A slot, with its token if it has one.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SlotReport {
    /// Its number, which may change at any time.
    pub number: u64,
    /// Its description.
    pub description: String,
    /// Its manufacturer.
    pub manufacturer: String,
    /// The token in it.
    pub token: Option<TokenReport>,
}

/// A token.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TokenReport {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Its manufacturer.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// The version of its firmware.
    pub firmware: String,
    /// Those of its CKF flags that are worth knowing.
    pub flags: Vec<&'static str>,
    /// Open sessions, of all applications.
    pub sessions: Option<u64>,
    /// Most sessions at a time; `None` if there is no limit or none is told.
    pub max_sessions: Option<u64>,
    /// It is what the URI describes. Of other tokens nothing more is told.
    pub chosen: bool,
    /// Its mechanisms.
    pub mechanisms: Vec<MechanismReport>,
    /// What this library could do with it.
    pub abilities: Vec<Ability>,
    /// The login, if there was one.
    pub login: Option<LoginReport>,
    /// Its private keys, as far as they can be seen, at most 64.
    pub keys: Vec<KeyReport>,
}

/// A mechanism, as C_GetMechanismInfo tells it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MechanismReport {
    /// CKM_...
    pub number: c_ulong,
    /// Its name, if it is the standard's or one of the vendor's that are known.
    pub name: Option<String>,
    /// Smallest key, in the mechanism's unit.
    pub min_key_size: c_ulong,
    /// Largest key, in the mechanism's unit.
    pub max_key_size: c_ulong,
    /// The CKF bits.
    pub flags: c_ulong,
    /// Why the token tells nothing of it, if it does not.
    pub error: Option<String>,
}

/// Something that this library does with a token.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Ability {
    /// What.
    pub what: &'static str,
    /// By which mechanism.
    pub mechanism: String,
    /// Why it cannot, if it cannot.
    pub obstacle: Option<String>,
}

/// A login.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LoginReport {
    /// As whom.
    pub user: String,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// A private key, and what came of trying it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeyReport {
    /// The key.
    pub key: KeyInfo,
    /// A signature that verified in software.
    pub signature: Option<SignatureReport>,
    /// Why there is none, if there is none.
    pub error: Option<String>,
}

/// Signatures of random digests that verified in software.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SignatureReport {
    /// The mechanism's name.
    pub mechanism: &'static str,
    /// How the token writes a signature of two numbers: `r || s` or `DER`.
    pub encoding: Option<&'static str>,
    /// The median time of a signature in the token, in microseconds.
    pub microseconds: u64,
}
