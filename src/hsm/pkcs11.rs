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
//! A key is refused at once where it could not serve later: its type must be supported, its token
//! must have the mechanism, and a first signature must verify in software.

mod keeper;
mod key;
mod link;
mod login;
mod module;
mod options;
mod pin;
mod pool;
mod profile;
mod public;
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
mod worker;

pub use key::{Sm2TokenKey, TokenKey};
pub use options::Options;
pub use pool::Pool;
pub use public::KeyKind;
pub use uri::{LibraryVersion, MAX_URI_LEN, ObjectType, PinSource, Uri};
pub use uri_error::UriError;
