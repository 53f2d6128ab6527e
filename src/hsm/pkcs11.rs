//! Private keys behind a PKCS#11 module (OASIS PKCS#11 2.40).
//!
//! [`TokenKey::open`] takes a [`Uri`] (RFC 7512) that names the module, the token by its label or
//! serial number, and one private key by its label or identifier:
//!
//! ```no_run
//! use shangmi::hsm::pkcs11::{TokenKey, Uri};
//!
//! let uri: Uri = "pkcs11:token=bank;object=server?module-path=/usr/safenet/lunaclient/lib/libCryptoki2_64.so\
//!                 &pin-source=file:/run/secrets/pin".parse()?;
//! let key = TokenKey::open(&uri, None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Pool`] holds the sessions that sign: the key's own, as here, or one that several keys share,
//! with [`Options`] for its size, its deadline and its audit trail:
//!
//! ```no_run
//! use std::time::Duration;
//! use shangmi::hsm::pkcs11::{Options, Pool, Uri};
//!
//! # let uri: Uri = "pkcs11:token=bank?module-path=/m.so&pin-source=file:/pin".parse()?;
//! let pool = Pool::open(&uri, Options::default().max_sessions(30).deadline(Duration::from_secs(5)))?;
//! let key = pool.key(&"pkcs11:object=server".parse()?, None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A key is refused at once where it could not serve later: its type must be supported, its token
//! must have the mechanism, and a first signature must verify in software.
//!
//! [`TokenEntropy`] seeds the module's random generators from a token's as well.
//!
//! [`Profile`] has the numbers that vendors give SM2, [`User`] and [`PinSource`] say who logs in and
//! how. [`probe`] tells what a module is and can do, [`Administration`] makes and deletes keys, and
//! [`bench()`] measures them; the command `shangmi hsm` (feature `cli`) has these three.

mod admin;
mod bench;
mod certificate;
mod inspect;
mod keeper;
mod key;
mod link;
mod login;
mod module;
mod object;
mod options;
mod pin;
mod pool;
mod probe;
mod profile;
mod public;
mod random;
mod raw;
mod recovery;
mod report;
mod scheme;
#[cfg(feature = "rustls")]
mod signer;
mod state;
mod ticket;
mod token;
mod uri;
mod uri_error;
mod visit;
mod worker;

pub use admin::{Administration, Confirmation, KeyInfo, KeySpec, OlderCertificates, SignedRequest};
pub use bench::{Throughput, bench};
pub use inspect::{
    Ability, KeyReport, LoginReport, MechanismReport, ModuleReport, ProfileReport, Report,
    SignatureReport, SlotReport, TokenReport, probe,
};
pub use key::{Sm2TokenKey, TokenKey};
pub use options::Options;
pub use pin::{PinCallback, PinSource};
pub use pool::Pool;
pub use profile::{Profile, SignatureEncoding, User};
pub use public::KeyKind;
pub use random::TokenEntropy;
pub use uri::{LibraryVersion, MAX_URI_LEN, ObjectType, Uri};
pub use uri_error::UriError;
