//! Records and messages that end early, announce too much, come out of turn or are noise.

use std::io::{self, Cursor, Read, Write};

use rustls::{AlertDescription, Error, InvalidMessage};

use crate::common::*;
use crate::{Bench, RECORD_HEADER, assert_told, plain_record};

/// A ClientHello or a server's first flight that ends early, with the connection.
#[test]
fn truncated_flights_end_in_an_unexpected_end() {
    let bench = Bench::new();
    let hello = written(&mut bench.honest().client);
    for len in 0..hello.len() {
        let mut pair = bench.honest();
        let error = pair
            .server
            .complete_io(&mut Ends(Cursor::new(&hello[..len])))
            .unwrap_err();
        assert_eq!(
            error.kind(),
            io::ErrorKind::UnexpectedEof,
            "after {len} bytes"
        );
    }

    for step in 0..40 {
        let mut pair = bench.honest();
        deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
        let flight = written(&mut pair.server);
        let len = flight.len() * step / 40;
        let error = pair
            .client
            .complete_io(&mut Ends(Cursor::new(&flight[..len])))
            .unwrap_err();
        assert_eq!(
            error.kind(),
            io::ErrorKind::UnexpectedEof,
            "after {len} bytes"
        );
    }
}

/// A transport that ends and swallows what is written.
struct Ends<'a>(Cursor<&'a [u8]>);

impl Read for Ends<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Ends<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn oversized_records_and_messages() {
    let bench = Bench::new();
    let record = [&[0x16, 3, 1, 0x48, 0x01][..], &[0; 0x4801]].concat();
    let message = plain_record(0x16, &[1, 0xff, 0xff, 0xff]);
    for (wire, error) in [
        (record, InvalidMessage::MessageTooLarge),
        (message, InvalidMessage::HandshakePayloadTooLarge),
    ] {
        let expected = Error::InvalidMessage(error);
        let mut pair = bench.honest();
        assert_eq!(deliver(&mut pair.server, &wire), Err(expected.clone()));
        assert_told(&expected, &written(&mut pair.server));

        let mut pair = bench.honest();
        written(&mut pair.client);
        assert_eq!(deliver(&mut pair.client, &wire), Err(expected.clone()));
        assert_told(&expected, &written(&mut pair.client));
    }

    // Encrypted, and within the limits of records: a message of 16 MiB announced.
    faulty::alter_next_flight(|mut flight| {
        flight[1..4].copy_from_slice(&[0xff, 0xff, 0xff]);
        flight
    });
    let refused = bench.with_faulty_server().refusal();
    let error = Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
    assert_eq!((refused.client, refused.server), (Some(error), None));
}

#[test]
fn messages_out_of_turn() {
    let bench = Bench::new();
    let refuses = |wire: &[u8]| {
        let mut pair = bench.honest();
        let error = deliver(&mut pair.server, wire).unwrap_err();
        assert_told(&error, &written(&mut pair.server));
        error
    };

    // A server's message sent to a server, application data and nothing but an alert as a start.
    let mut pair = bench.honest();
    deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
    let flight = written(&mut pair.server);
    let first = RECORD_HEADER + usize::from(u16::from_be_bytes([flight[3], flight[4]]));
    let error = refuses(&flight[..first]);
    assert!(
        matches!(error, Error::InappropriateHandshakeMessage { .. }),
        "{error:?}"
    );
    let error = refuses(&plain_record(0x17, b"data"));
    assert!(
        matches!(error, Error::InappropriateMessage { .. }),
        "{error:?}"
    );
    let mut pair = bench.honest();
    let error = deliver(&mut pair.server, &plain_record(0x15, &[2, 40])).unwrap_err();
    assert_eq!(
        error,
        Error::AlertReceived(AlertDescription::HandshakeFailure)
    );

    // Unknown content type.
    let error = refuses(&plain_record(0x63, b"?"));
    assert_eq!(
        error,
        Error::InvalidMessage(InvalidMessage::InvalidContentType)
    );

    // The server's records in another order: the client has no keys for them yet.
    let mut pair = bench.honest();
    deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
    let wire = written(&mut pair.server);
    let swapped = [&wire[first..], &wire[..first]].concat();
    let error = deliver(&mut pair.client, &swapped).unwrap_err();
    assert!(
        matches!(error, Error::InappropriateMessage { .. }),
        "{error:?}"
    );
    assert_told(&error, &written(&mut pair.client));

    // A second ClientHello, in clear where all is encrypted.
    let mut pair = bench.honest();
    let hello = written(&mut pair.client);
    deliver(&mut pair.server, &hello).unwrap();
    let flight = written(&mut pair.server);
    let error = deliver(&mut pair.server, &hello).unwrap_err();
    assert_eq!(error, Error::DecryptError);
    assert!(pair.server.is_handshaking());
    deliver(&mut pair.client, &flight).unwrap();
    let told = deliver(&mut pair.client, &written(&mut pair.server)).unwrap_err();
    assert_eq!(told, Error::AlertReceived(AlertDescription::BadRecordMac));
}

#[test]
fn noise() {
    let bench = Bench::new();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..3000 {
        let len = random() as usize % 300;
        let mut bytes: Vec<u8> = (0..len).map(|_| random() as u8).collect();
        // Two rounds of three look like records, one of them like a hello.
        if round % 3 > 0 {
            bytes = plain_record(0x16, &bytes);
        }
        if round % 3 > 1 && bytes.len() > 9 {
            let body = ((bytes.len() - 9) as u32).to_be_bytes();
            bytes[6..9].copy_from_slice(&body[1..]);
        }
        let mut pair = bench.honest();
        if round % 3 > 1 && bytes.len() > 9 {
            bytes[5] = 1;
        }
        let result = deliver(&mut pair.server, &bytes);
        assert!(pair.server.is_handshaking());
        assert_answered(&result, &written(&mut pair.server));

        if round % 3 > 1 && bytes.len() > 9 {
            bytes[5] = 2;
        }
        written(&mut pair.client);
        let result = deliver(&mut pair.client, &bytes);
        assert!(pair.client.is_handshaking());
        assert_answered(&result, &written(&mut pair.client));
    }
}

/// An error with its alert, or no error and silence.
#[track_caller]
fn assert_answered(result: &Result<(), Error>, wire: &[u8]) {
    match result {
        Err(error) => assert_told(error, wire),
        Ok(()) => assert!(wire.is_empty(), "{wire:x?}"),
    }
}
