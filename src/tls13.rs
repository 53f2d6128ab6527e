//! RFC 8998 on stock rustls 0.23: TLS 1.3 with SM2, SM3 and SM4.
//!
//! - [`strict`] holds SM algorithms only, [`mixed`] adds RustCrypto's international ones, and
//!   [`layered`] puts the strict set before another provider's.
//! - [`certified_key`] puts a certificate and its key together and checks both; the key is an
//!   [`Sm2SigningKey`] over any [`SignDigest`](crate::sm2::SignDigest), in software or in a token.
//! - [`server_verifier`] and [`client_verifier`] verify peers, with the KeyUsage rule that webpki
//!   leaves out; [`client_config`] takes the former, rustls itself the latter.
//! - [`ticketer`] makes session tickets under SM4-GCM.
//! - [`Choice`] and [`CertificateByHello`] serve SM and international clients on one port.
//! - [`approval`] tells by whose standards what was negotiated is approved.
//! - `tokio`, with that feature, shakes hands on tokio while an HSM takes its time.
//!
//! The floor below rustls is replaced and nothing else: `ClientConfig`, `ServerConfig`, tokio-rustls,
//! hyper-rustls and all else built on rustls 0.23 work as they are. A server with mutual
//! authentication:
//!
//! ```no_run
//! use std::sync::Arc;
//! use rustls::{RootCertStore, ServerConfig, sign::SingleCertAndKey};
//! use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
//! use shangmi::tls13;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let provider = Arc::new(tls13::strict());
//! let mut roots = RootCertStore::empty();
//! roots.add(CertificateDer::from_pem_file("ca.pem")?)?;
//! let chain = CertificateDer::pem_file_iter("server.pem")?.collect::<Result<_, _>>()?;
//! let key = provider.key_provider.load_private_key(PrivateKeyDer::from_pem_file("server.key")?)?;
//!
//! let mut config = ServerConfig::builder_with_provider(provider.clone())
//!     .with_safe_default_protocol_versions()?
//!     .with_client_cert_verifier(tls13::client_verifier(roots, &provider)?)
//!     .with_cert_resolver(Arc::new(SingleCertAndKey::from(tls13::certified_key(chain, key)?)));
//! config.ticketer = tls13::ticketer()?;
//! # Ok(())
//! # }
//! ```

mod aead;
mod approval;
mod certified;
mod choice;
mod error;
mod hash;
mod hkdf;
#[cfg(feature = "international")]
mod international;
mod issuers;
mod kx;
mod layered;
mod provider;
mod sign;
mod suites;
mod ticketer;
#[cfg(feature = "tokio")]
pub mod tokio;
mod verifier;
mod verify;

pub use approval::approval;
pub use certified::certified_key;
pub use choice::{CertificateByHello, Choice, Negotiated, negotiated, offers_sm};
pub use error::Error;
#[cfg(feature = "international")]
pub use international::{mixed, try_mixed};
pub use kx::{CURVE_SM2, CURVE_SM2_GROUP};
pub use layered::{layered, try_layered};
pub use provider::{strict, try_strict};
pub use sign::Sm2SigningKey;
pub use suites::{SM4_CCM_SM3_SUITE, SM4_GCM_SM3_SUITE, TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3};
pub use ticketer::{ticketer, ticketer_with_rotation};
pub use verifier::{
    checked_client_verifier, checked_server_verifier, client_config, client_verifier,
    server_verifier,
};
pub use verify::{SM2_ALGORITHMS, SM2SIG_SM3};

#[cfg(all(test, feature = "international"))]
pub(crate) use international::all as sm_and_international;
#[cfg(test)]
pub(crate) use provider::sm;
