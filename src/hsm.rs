//! Keys outside the process: in a hardware security module (HSM) that signs and never shows them.
//!
//! [`pkcs11`] reaches the HSM through its vendor's PKCS#11 module. A [`pkcs11::TokenKey`] is a
//! [`SignDigest`](crate::sm2::SignDigest) for certificates and requests, and a
//! `rustls::sign::SigningKey` for TLS. What happens with keys and tokens goes to an [`Audit`], and
//! [`Health`] and [`Metrics`] tell how a token does.

mod audit;
mod ckr;
mod error;
mod function;
mod metrics;
pub mod pkcs11;
mod printable;

pub use audit::{Action, Audit, Event, Health};
pub use ckr::Ckr;
pub use error::Error;
pub use metrics::{Histogram, Metrics};
