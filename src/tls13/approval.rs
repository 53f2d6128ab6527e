//! Whether what a connection negotiated is approved, and by whose standards.

use rustls::CommonState;

use super::choice::{Negotiated, negotiated};
use crate::module::Approval;

/// By whose standards a connection's suite, group and peer's certificate are approved, once its
/// handshake is done:
///
/// - [`Approval::Gm`] for an SM suite with curveSM2, and an SM2 certificate if the peer showed one;
/// - [`Approval::Fips`] for a suite and a group of which the provider below says so itself, through
///   `fips()`; no algorithm of this library says it, nor RustCrypto's;
/// - [`Approval::None`] for all else, and while the handshake is under way.
///
/// rustls does not tell a server which certificate it showed itself, nor what verified the peer's.
/// The former is an SM2 one with [`strict`](super::strict), [`Choice`](super::Choice) or
/// [`CertificateByHello`](super::CertificateByHello); for the latter the provider's own `fips()`
/// answers, which is true only where all of it is.
pub fn approval(connection: &CommonState) -> Approval {
    match negotiated(connection) {
        Ok(Negotiated::Sm) => Approval::Gm,
        Ok(Negotiated::International) if is_fips(connection) => Approval::Fips,
        _ => Approval::None,
    }
}

fn is_fips(connection: &CommonState) -> bool {
    let suite = connection.negotiated_cipher_suite();
    let group = connection.negotiated_key_exchange_group();
    suite.is_some_and(|suite| suite.fips()) && group.is_some_and(|group| group.fips())
}
