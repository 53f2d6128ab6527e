//! Faults in the encrypted flights of a peer that has the keys.

use rustls::{CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use crate::common::*;
use crate::{Bench, alert_for, with_body};

const CLIENT_HELLO: u8 = 1;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const CERTIFICATE_VERIFY: u8 = 15;
const FINISHED: u8 = 20;
/// A HandshakeType that is not assigned.
const UNKNOWN: u8 = 99;

#[test]
fn the_bench_itself_completes_handshakes() {
    let bench = Bench::new();
    bench.honest().handshake();
    bench.with_faulty_server().handshake();
    bench.with_faulty_client().handshake();
    let kinds = |flight: Vec<u8>| messages(&flight).iter().map(|m| m[0]).collect::<Vec<_>>();
    assert_eq!(kinds(bench.server_flight()), SERVER_FLIGHT);
    assert_eq!(kinds(bench.client_flight()), CLIENT_FLIGHT);
}

#[test]
fn every_byte_of_the_servers_flight_altered() {
    let bench = Bench::new();
    let len = bench.server_flight().len();
    alter_every_byte(len, Receiver::Client, || bench.with_faulty_server());
}

#[test]
fn every_byte_of_the_clients_flight_altered() {
    let bench = Bench::new();
    let len = bench.client_flight().len();
    alter_every_byte(len, Receiver::Server, || bench.with_faulty_client());
}

fn alter_every_byte(len: usize, receiver: Receiver, pair: impl Fn() -> Pair) {
    for i in 0..len {
        // The lengths of signatures vary by a byte or two.
        let place = move |flight: &[u8]| i.min(flight.len() - 1);
        faulty::alter_next_flight(move |mut flight| {
            let i = place(&flight);
            flight[i] ^= 1 << (i % 8);
            flight
        });
        let verdict = verdict(pair(), receiver, &format!("byte {i}"));

        let flight = faulty::last_flight();
        let (message, at) = message_at(&flight, place(&flight));
        assert!(
            verdicts_on_byte(&message, at).contains(&verdict),
            "byte {at} of message {}: {verdict:?}",
            message[0]
        );
    }
}

/// What may come of a fault in this byte of a message. Only a length may leave the receiver waiting.
fn verdicts_on_byte(message: &[u8], at: usize) -> &'static [Verdict] {
    use Verdict::*;
    match (message[0], at) {
        (_, 0) => &[Unexpected, Malformed],
        (FINISHED, 1..4) => &[Waits, TooLarge, WrongFinished, Joined],
        (_, 1..4) => &[Waits, TooLarge, Malformed],

        (ENCRYPTED_EXTENSIONS, _) => &[Malformed, UnknownExtension],
        // What is still a request is not the one that the server signs.
        (CERTIFICATE_REQUEST, _) => &[Malformed, NoCommonScheme, WrongSignature],
        // Context, lengths of the list and of the certificate, which extensions follow.
        (CERTIFICATE, 4..11) => &[Malformed],
        (CERTIFICATE, at) if at >= message.len() - 2 => &[Malformed],
        (CERTIFICATE, _) => &[BadCertificate, WrongSignature],
        (CERTIFICATE_VERIFY, 4..6) => &[OtherScheme],
        (CERTIFICATE_VERIFY, 6..8) => &[Malformed],
        (CERTIFICATE_VERIFY, _) => &[WrongSignature],
        (FINISHED, _) => &[WrongFinished],
        (other, _) => panic!("no message {other} is in a flight"),
    }
}

/// Each message left out, sent twice, in the wrong order, cut, made longer and renamed.
#[test]
fn messages_of_encrypted_flights_rearranged() {
    let bench = Bench::new();
    for Fault {
        name,
        rearrange,
        verdict: expected,
    } in FAULTS
    {
        let alter = |i: usize| {
            faulty::alter_next_flight(move |flight| {
                let mut messages = messages(&flight);
                rearrange(&mut messages, i);
                messages.concat()
            });
        };
        for (i, kind) in SERVER_FLIGHT.into_iter().enumerate() {
            let what = format!("the server's message {kind} {name}");
            alter(i);
            let verdict = verdict(bench.with_faulty_server(), Receiver::Client, &what);
            assert_eq!(verdict, expected(kind), "{what}");
        }
        for (i, kind) in CLIENT_FLIGHT.into_iter().enumerate() {
            let what = format!("the client's message {kind} {name}");
            alter(i);
            let verdict = verdict(bench.with_faulty_client(), Receiver::Server, &what);
            assert_eq!(verdict, expected(kind), "{what}");
        }
    }
}

const SERVER_FLIGHT: [u8; 5] = [
    ENCRYPTED_EXTENSIONS,
    CERTIFICATE_REQUEST,
    CERTIFICATE,
    CERTIFICATE_VERIFY,
    FINISHED,
];
const CLIENT_FLIGHT: [u8; 3] = [CERTIFICATE, CERTIFICATE_VERIFY, FINISHED];

/// A fault in the order, number or size of messages, and what comes of it by the type of message.
struct Fault {
    name: &'static str,
    rearrange: fn(&mut Vec<Vec<u8>>, usize),
    verdict: fn(u8) -> Verdict,
}

const FAULTS: [Fault; 8] = [
    Fault {
        name: "left out",
        rearrange: |messages, i| drop(messages.remove(i)),
        verdict: |kind| match kind {
            // Optional, but what the server signs contains it.
            CERTIFICATE_REQUEST => Verdict::WrongSignature,
            FINISHED => Verdict::Waits,
            _ => Verdict::Unexpected,
        },
    },
    Fault {
        name: "sent twice",
        rearrange: |messages, i| messages.insert(i, messages[i].clone()),
        verdict: |kind| match kind {
            FINISHED => Verdict::Joined,
            _ => Verdict::Unexpected,
        },
    },
    Fault {
        name: "exchanged with the one before, the first with the last",
        rearrange: |messages, i| {
            let before = i.checked_sub(1).unwrap_or(messages.len() - 1);
            messages.swap(i, before);
        },
        verdict: |_| Verdict::Unexpected,
    },
    Fault {
        name: "emptied",
        rearrange: |messages, i| messages[i] = with_body(&messages[i], &[]),
        verdict: wrong_size,
    },
    Fault {
        name: "one byte short",
        rearrange: |messages, i| {
            let len = messages[i].len();
            messages[i] = with_body(&messages[i], &messages[i][4..len - 1]);
        },
        verdict: wrong_size,
    },
    Fault {
        name: "one byte too long",
        rearrange: |messages, i| {
            let body = [&messages[i][4..], &[0]].concat();
            messages[i] = with_body(&messages[i], &body);
        },
        verdict: wrong_size,
    },
    Fault {
        name: "called a ClientHello",
        rearrange: |messages, i| messages[i][0] = CLIENT_HELLO,
        verdict: |_| Verdict::Malformed,
    },
    Fault {
        name: "of an unknown type",
        rearrange: |messages, i| messages[i][0] = UNKNOWN,
        verdict: |_| Verdict::Unexpected,
    },
];

/// A Finished has no structure of its own.
fn wrong_size(kind: u8) -> Verdict {
    match kind {
        FINISHED => Verdict::WrongFinished,
        _ => Verdict::Malformed,
    }
}

#[derive(Clone, Copy)]
enum Receiver {
    Client,
    Server,
}

/// What a receiver makes of a flight: an error, whose alert is in `alert_for`, or none yet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// It waits for the rest of a message, or for the next.
    Waits,
    /// A message of its type or at its place is not due.
    Unexpected,
    /// A message cannot be parsed.
    Malformed,
    /// A message is announced as longer than any may be.
    TooLarge,
    /// An extension that the client did not offer.
    UnknownExtension,
    /// The server asks for signatures that the client cannot make.
    NoCommonScheme,
    /// CertificateVerify is under a scheme that was not offered.
    OtherScheme,
    /// The certificate is unreadable or unfit.
    BadCertificate,
    /// The signature on the certificate or in CertificateVerify is wrong.
    WrongSignature,
    /// The Finished is wrong.
    WrongFinished,
    /// Something follows the Finished in its record, where the keys change.
    Joined,
}

impl Verdict {
    #[track_caller]
    fn of(error: &Error) -> Self {
        match error {
            Error::InappropriateHandshakeMessage { .. } => Self::Unexpected,
            Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => Self::TooLarge,
            Error::InvalidMessage(_) => Self::Malformed,
            Error::PeerMisbehaved(PeerMisbehaved::UnsolicitedEncryptedExtension) => {
                Self::UnknownExtension
            }
            Error::PeerIncompatible(
                PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
            ) => Self::NoCommonScheme,
            Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme) => {
                Self::OtherScheme
            }
            Error::InvalidCertificate(CertificateError::BadSignature) => Self::WrongSignature,
            Error::InvalidCertificate(_) => Self::BadCertificate,
            Error::DecryptError => Self::WrongFinished,
            Error::PeerMisbehaved(PeerMisbehaved::KeyEpochWithPendingFragment) => Self::Joined,
            other => panic!("no verdict on a flight: {other:?}"),
        }
    }
}

/// The receiver's verdict; it does not complete the handshake, and the sender reads the alert.
#[track_caller]
fn verdict(mut pair: Pair, receiver: Receiver, fault: &str) -> Verdict {
    let result = pair.run();
    let handshaking = match receiver {
        Receiver::Client => pair.client.is_handshaking(),
        Receiver::Server => pair.server.is_handshaking(),
    };
    assert!(handshaking, "{fault}: the handshake was completed");
    let Err(refused) = result else {
        return Verdict::Waits;
    };

    let (refuses, sender) = match receiver {
        Receiver::Client => (refused.client, refused.server),
        Receiver::Server => (refused.server, refused.client),
    };
    let error = refuses.unwrap_or_else(|| panic!("{fault}: the sender gave up: {sender:?}"));
    let verdict = Verdict::of(&error);
    let reads = match (receiver, verdict) {
        // The client's own Finished is on its way by then, so the server is done and expects the
        // alert under the next keys.
        (Receiver::Client, Verdict::Joined) => Some(Error::DecryptError),
        _ => alert_for(&error).map(Error::AlertReceived),
    };
    assert_eq!(sender, reads, "{fault}: what the sender reads of {error:?}");
    verdict
}

/// The handshake messages in a flight, with their headers.
fn messages(mut flight: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let [_, a, b, c, ..] = flight {
        let len = 4 + u32::from_be_bytes([0, *a, *b, *c]) as usize;
        messages.push(flight[..len].to_vec());
        flight = &flight[len..];
    }
    assert!(flight.is_empty());
    messages
}

/// The message around a byte of a flight, and the byte's place in it.
fn message_at(flight: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    for message in messages(flight) {
        if at < message.len() {
            return (message, at);
        }
        at -= message.len();
    }
    panic!("the flight ends {at} bytes before");
}
