//! ClientHello and ServerHello, which travel in clear: an attacker may alter any byte.

use rustls::{Error, InvalidMessage, PeerIncompatible};

use crate::common::*;
use crate::{Bench, RECORD_HEADER, alert_for, assert_told, plain_record, with_body};

#[test]
fn every_byte_of_a_client_hello_altered() {
    let bench = Bench::new();
    let len = written(&mut bench.honest().client).len();
    for at in 0..len - RECORD_HEADER {
        let mut pair = bench.honest();
        let mut hello = written(&mut pair.client);
        hello[RECORD_HEADER + at] ^= 1 << (at % 8);
        let server = deliver(&mut pair.server, &hello).err();
        assert_torn(pair, (None, server), at);
    }
}

#[test]
fn every_byte_of_a_server_hello_altered() {
    let bench = Bench::new();
    let mut pair = bench.honest();
    deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
    let flight = written(&mut pair.server);
    let len = usize::from(u16::from_be_bytes([flight[3], flight[4]]));
    for at in 0..len {
        let mut pair = bench.honest();
        deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
        let mut hello = written(&mut pair.server);
        hello[RECORD_HEADER + at] ^= 1 << (at % 8);
        let client = deliver(&mut pair.client, &hello).err();
        assert_torn(pair, (client, None), at);
    }
}

/// Neither end completes the handshake after byte `at` of a hello was altered, and both know: `so_far`
/// and later, the client's error and the server's.
#[track_caller]
fn assert_torn(mut pair: Pair, so_far: (Option<Error>, Option<Error>), at: usize) {
    let later = pair.run().err().unwrap_or_default();
    assert!(
        pair.client.is_handshaking() && pair.server.is_handshaking(),
        "byte {at}: the handshake was completed"
    );
    let seen = (so_far.0.or(later.client), so_far.1.or(later.server));
    match &seen {
        (Some(error), Some(Error::AlertReceived(alert)))
        | (Some(Error::AlertReceived(alert)), Some(error)) => {
            assert_eq!(alert_for(error), Some(*alert), "byte {at}: {seen:?}");
        }
        (Some(error), None) | (None, Some(error)) => {
            assert_eq!(alert_for(error), None, "byte {at}: {seen:?}");
        }
        // The keys come from both hellos: the client cannot read what follows the ServerHello, nor
        // the server the alert.
        (
            Some(Error::DecryptError),
            Some(
                Error::DecryptError
                | Error::PeerIncompatible(PeerIncompatible::NoSignatureSchemesInCommon),
            ),
        ) => assert!(at >= 4, "byte {at}: {seen:?}"),
        // The rest of a longer message is waited for.
        (None, None) => assert!((1..4).contains(&at), "byte {at}: no error"),
        _ => panic!("byte {at}: {seen:?}"),
    }
}

/// A ClientHello cut at every length, with its lengths made to fit.
#[test]
fn shortened_hellos() {
    let bench = Bench::new();
    let hello = written(&mut bench.honest().client)[RECORD_HEADER..].to_vec();
    // Version, random, session ID, cipher suites and compression methods; extensions are optional.
    let without_extensions = {
        let suites = 4 + 2 + 32 + 1 + usize::from(hello[38]);
        let len = u16::from_be_bytes([hello[suites], hello[suites + 1]]);
        suites + 2 + usize::from(len) + 2 - 4
    };
    for len in 0..hello.len() - 4 {
        let mut pair = bench.honest();
        let record = plain_record(0x16, &with_body(&hello, &hello[4..4 + len]));
        let error = deliver(&mut pair.server, &record).unwrap_err();
        if len == without_extensions {
            let required = PeerIncompatible::SignatureAlgorithmsExtensionRequired;
            assert_eq!(error, Error::PeerIncompatible(required));
        } else {
            assert!(
                matches!(
                    error,
                    Error::InvalidMessage(
                        InvalidMessage::MessageTooShort | InvalidMessage::MissingData(_)
                    )
                ),
                "{len} bytes: {error:?}"
            );
        }
        assert_told(&error, &written(&mut pair.server));
    }
}
