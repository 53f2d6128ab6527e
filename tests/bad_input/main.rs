//! Truncated, oversized, reordered and altered handshakes: a typed error, its alert on the wire, never
//! a panic and never a completed handshake.

#![cfg(feature = "international")] // the default

#[path = "../common/mod.rs"]
mod common;
mod flights;
mod hellos;
mod keys;
mod records;

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, PeerIncompatible,
    PeerMisbehaved, ServerConfig,
};

use common::*;

const RECORD_HEADER: usize = 5;

/// Mutual authentication, with faulty peers that commit no fault until told to.
struct Bench {
    honest_client: Arc<ClientConfig>,
    honest_server: Arc<ServerConfig>,
    faulty_client: Arc<ClientConfig>,
    faulty_server: Arc<ServerConfig>,
}

impl Bench {
    fn new() -> Self {
        let ca = ca("root");
        let roots = roots(&ca);
        let (client, server) = (issue(&ca, &client_leaf()), issue(&ca, &server_leaf()));
        let (honest, faulty) = (strict(), faulty::provider());
        let client_config = |provider: &_, own| {
            let mut config = client_config(provider, &roots, Some(own));
            config.resumption = Resumption::disabled();
            config
        };
        Self {
            honest_client: Arc::new(client_config(&honest, client.clone())),
            honest_server: Arc::new(server_config(&honest, Some(&roots), server.clone())),
            faulty_client: Arc::new(client_config(&faulty, client)),
            faulty_server: Arc::new(server_config(&faulty, Some(&roots), server)),
        }
    }

    fn honest(&self) -> Pair {
        Pair::new(self.honest_client.clone(), self.honest_server.clone())
    }

    fn with_faulty_server(&self) -> Pair {
        Pair::new(self.honest_client.clone(), self.faulty_server.clone())
    }

    fn with_faulty_client(&self) -> Pair {
        Pair::new(self.faulty_client.clone(), self.honest_server.clone())
    }

    /// The server's encrypted flight, in clear.
    fn server_flight(&self) -> Vec<u8> {
        let mut pair = self.with_faulty_server();
        let hello = written(&mut pair.client);
        deliver(&mut pair.server, &hello).unwrap();
        faulty::last_flight()
    }

    /// The client's encrypted flight, in clear.
    fn client_flight(&self) -> Vec<u8> {
        let mut pair = self.with_faulty_client();
        let hello = written(&mut pair.client);
        deliver(&mut pair.server, &hello).unwrap();
        let flight = written(&mut pair.server);
        deliver(&mut pair.client, &flight).unwrap();
        faulty::last_flight()
    }
}

/// A handshake message whose body has been given another length, header included.
fn with_body(message: &[u8], body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&message[..1], &len[1..], body].concat()
}

/// A record in clear.
fn plain_record(content_type: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    [&[content_type, 3, 1], &len[..], payload].concat()
}

/// The alert that tells the peer of an error (RFC 8446 6.2); none for the two errors on which rustls
/// 0.23.46 closes in silence (docs/deployment.md, "Known limits").
#[track_caller]
fn alert_for(error: &Error) -> Option<AlertDescription> {
    use AlertDescription as Alert;
    Some(match error {
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge)
        | Error::PeerMisbehaved(PeerMisbehaved::MessageInterleavedWithHandshakeMessage) => {
            return None;
        }

        Error::InvalidMessage(
            InvalidMessage::DuplicateExtension(_) | InvalidMessage::PreSharedKeyIsNotFinalExtension,
        ) => Alert::IllegalParameter,
        Error::InvalidMessage(InvalidMessage::UnknownHelloRetryRequestExtension) => {
            Alert::UnsupportedExtension
        }
        Error::InvalidMessage(_) => Alert::DecodeError,

        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            Alert::UnexpectedMessage
        }
        // The Finished is wrong; what was encrypted wrongly gives bad_record_mac.
        Error::DecryptError => Alert::DecryptError,

        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => Alert::ProtocolVersion,
        Error::PeerIncompatible(PeerIncompatible::NullCompressionRequired) => {
            Alert::IllegalParameter
        }
        Error::PeerIncompatible(_) => Alert::HandshakeFailure,

        Error::PeerMisbehaved(PeerMisbehaved::KeyEpochWithPendingFragment) => {
            Alert::UnexpectedMessage
        }
        Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite) => {
            Alert::HandshakeFailure
        }
        Error::PeerMisbehaved(
            PeerMisbehaved::MissingKeyShare | PeerMisbehaved::MissingPskModesExtension,
        ) => Alert::MissingExtension,
        Error::PeerMisbehaved(
            PeerMisbehaved::UnexpectedCleartextExtension
            | PeerMisbehaved::UnsolicitedEncryptedExtension
            | PeerMisbehaved::UnsolicitedServerHelloExtension,
        ) => Alert::UnsupportedExtension,
        Error::PeerMisbehaved(_) => Alert::IllegalParameter,

        Error::InvalidCertificate(error) => match error {
            CertificateError::BadEncoding => Alert::BadCertificate,
            CertificateError::BadSignature => Alert::DecryptError,
            CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYetContext { .. } => Alert::CertificateExpired,
            CertificateError::InvalidPurposeContext { .. } => Alert::UnsupportedCertificate,
            CertificateError::NotValidForNameContext { .. } => Alert::BadCertificate,
            CertificateError::UnknownIssuer => Alert::UnknownCA,
            CertificateError::Other(_) => Alert::CertificateUnknown,
            other => panic!("no alert is known for {other:?}"),
        },
        other => panic!("no alert is known for {other:?}"),
    })
}

/// That the last thing on the wire is the alert for this error, fatal and in clear.
#[track_caller]
fn assert_told(error: &Error, wire: &[u8]) {
    let Some(alert) = alert_for(error) else {
        assert!(wire.is_empty(), "{error:?} and {wire:x?}");
        return;
    };
    assert!(
        wire.ends_with(&[0x15, 3, 3, 0, 2, 2, alert.into()]),
        "no {alert:?} for {error:?} in {wire:x?}"
    );
}
