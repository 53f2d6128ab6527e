//! Truncated, oversized, reordered and altered handshakes: a typed error, an alert on the wire,
//! never a panic and never a completed handshake.

#![cfg(feature = "international")] // the default

mod common;

use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, PeerMisbehaved,
    ServerConfig, SignatureAlgorithm, SignatureScheme,
};
use shangmi::sm2::{self, SecretKey, SignDigest};
use shangmi::tls13::{self, SM2SIG_SM3};

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

/// A handshake message whose body has been given another length, header included.
fn with_body(message: &[u8], body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&message[..1], &len[1..], body].concat()
}

/// What one fault in a flight must lead to: the receiver refuses and the sender sees an alert, or,
/// where a length was altered, the receiver waits for more. `who` is the receiver.
#[track_caller]
fn assert_refused(mut pair: Pair, receiver: Receiver, fault: &str) {
    let result = pair.run();
    let waits = match receiver {
        Receiver::Client => pair.client.is_handshaking(),
        Receiver::Server => pair.server.is_handshaking(),
    };
    assert!(waits, "{fault}: the handshake was completed");
    let Err(refused) = result else {
        return;
    };
    let (receiver, sender) = match receiver {
        Receiver::Client => (refused.client, refused.server),
        Receiver::Server => (refused.server, refused.client),
    };
    assert!(
        !matches!(
            receiver,
            None | Some(Error::General(_) | Error::AlertReceived(_))
        ),
        "{fault}: no cause named but {receiver:?}"
    );
    if !receiver.as_ref().is_some_and(is_silent) {
        // Mostly the alert; where the fault lies between two sets of keys, a record under keys that
        // the sender does not have yet.
        assert!(
            matches!(sender, Some(Error::AlertReceived(_) | Error::DecryptError)),
            "{fault}: no alert for {receiver:?} but {sender:?}"
        );
    }
}

/// The errors for which rustls 0.23.46 itself closes without an alert.
fn is_silent(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge)
            | Error::PeerMisbehaved(PeerMisbehaved::MessageInterleavedWithHandshakeMessage)
    )
}

#[derive(Clone, Copy)]
enum Receiver {
    Client,
    Server,
}

#[test]
fn the_bench_itself_completes_handshakes() {
    let bench = Bench::new();
    bench.honest().handshake();
    bench.with_faulty_server().handshake();
    bench.with_faulty_client().handshake();
    // EncryptedExtensions, CertificateRequest, Certificate, CertificateVerify, Finished.
    let kinds = |flight: Vec<u8>| messages(&flight).iter().map(|m| m[0]).collect::<Vec<_>>();
    assert_eq!(kinds(bench.server_flight()), [8, 13, 11, 15, 20]);
    assert_eq!(kinds(bench.client_flight()), [11, 15, 20]);
}

#[test]
fn every_byte_of_the_servers_flight_altered() {
    let bench = Bench::new();
    let len = bench.server_flight().len();
    for i in 0..len {
        faulty::alter_next_flight(move |mut flight| {
            // The lengths of signatures and names vary by a byte or two.
            let i = i.min(flight.len() - 1);
            flight[i] ^= 1 << (i % 8);
            flight
        });
        assert_refused(
            bench.with_faulty_server(),
            Receiver::Client,
            &format!("byte {i}"),
        );
    }
}

#[test]
fn every_byte_of_the_clients_flight_altered() {
    let bench = Bench::new();
    let len = bench.client_flight().len();
    for i in 0..len {
        faulty::alter_next_flight(move |mut flight| {
            let i = i.min(flight.len() - 1);
            flight[i] ^= 1 << (i % 8);
            flight
        });
        assert_refused(
            bench.with_faulty_client(),
            Receiver::Server,
            &format!("byte {i}"),
        );
    }
}

/// Each message left out, sent twice, in the wrong order, cut, and made longer.
#[test]
fn messages_of_encrypted_flights_rearranged() {
    type Rearrange = fn(&mut Vec<Vec<u8>>, usize);
    let faults: [(&str, Rearrange); 7] = [
        ("left out", |messages, i| drop(messages.remove(i))),
        ("sent twice", |messages, i| {
            messages.insert(i, messages[i].clone())
        }),
        ("sent too early", |messages, i| {
            let message = messages.remove(i);
            messages.insert(i.saturating_sub(1), message);
            if i == 0 {
                messages.reverse();
            }
        }),
        ("emptied", |messages, i| {
            messages[i] = with_body(&messages[i], &[])
        }),
        ("one byte short", |messages, i| {
            let len = messages[i].len();
            messages[i] = with_body(&messages[i], &messages[i][4..len - 1]);
        }),
        ("one byte too long", |messages, i| {
            let body = [&messages[i][4..], &[0]].concat();
            messages[i] = with_body(&messages[i], &body);
        }),
        ("of another type", |messages, i| messages[i][0] = 1),
    ];
    let bench = Bench::new();
    for (name, rearrange) in faults {
        for i in 0..5 {
            let fault = move |flight: Vec<u8>| {
                let mut messages = messages(&flight);
                // EncryptedExtensions may be empty or long as it likes; cutting needs a body.
                let i = i.min(messages.len() - 1);
                rearrange(&mut messages, i);
                messages.concat()
            };
            let what = format!("message {i} {name}");
            faulty::alter_next_flight(fault);
            assert_refused(bench.with_faulty_server(), Receiver::Client, &what);
            faulty::alter_next_flight(fault);
            assert_refused(bench.with_faulty_client(), Receiver::Server, &what);
        }
    }
}

/// ClientHello and ServerHello travel in clear: an attacker may alter any byte.
#[test]
fn every_byte_of_both_hellos_altered() {
    let bench = Bench::new();
    let len = written(&mut bench.honest().client).len();
    for i in RECORD_HEADER..len {
        let mut pair = bench.honest();
        let mut hello = written(&mut pair.client);
        hello[i] ^= 1 << (i % 8);
        let server = deliver(&mut pair.server, &hello).err();
        assert_torn(pair, server, None, &format!("ClientHello byte {i}"));
    }

    let server_hello_len = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
    let mut pair = bench.honest();
    deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
    let len = server_hello_len(&written(&mut pair.server));
    for i in RECORD_HEADER..RECORD_HEADER + len {
        let mut pair = bench.honest();
        deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
        let mut hello = written(&mut pair.server);
        hello[i] ^= 1 << (i % 8);
        let client = deliver(&mut pair.client, &hello).err();
        assert_torn(pair, None, client, &format!("ServerHello byte {i}"));
    }
}

/// Neither side completes; whoever refuses, the other side does not go on undisturbed.
#[track_caller]
fn assert_torn(mut pair: Pair, server: Option<Error>, client: Option<Error>, fault: &str) {
    let rest = pair.run().err();
    let (later_client, later_server) = rest.map_or((None, None), |r| (r.client, r.server));
    let (client, server) = (client.or(later_client), server.or(later_server));
    assert!(
        pair.client.is_handshaking() || pair.server.is_handshaking(),
        "{fault}: the handshake was completed"
    );
    let is_silent = [&client, &server].into_iter().flatten().any(is_silent);
    assert!(
        is_silent || client.is_some() == server.is_some(),
        "{fault}: one side was left alone: {client:?}, {server:?}"
    );
}

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

/// A ClientHello cut at every length, with its lengths made to fit.
#[test]
fn shortened_hellos() {
    let bench = Bench::new();
    let hello = written(&mut bench.honest().client)[RECORD_HEADER..].to_vec();
    for len in 0..hello.len() - 4 {
        let mut pair = bench.honest();
        let record = plain_record(0x16, &with_body(&hello, &hello[4..4 + len]));
        let error = deliver(&mut pair.server, &record).unwrap_err();
        assert!(
            matches!(error, Error::InvalidMessage(_) | Error::PeerIncompatible(_)),
            "{len} bytes: {error:?}"
        );
        assert_alert(&written(&mut pair.server), None);
    }
}

fn plain_record(content_type: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    [&[content_type, 3, 1], &len[..], payload].concat()
}

/// That a fatal alert in clear is the last thing on the wire.
#[track_caller]
fn assert_alert(wire: &[u8], expected: Option<AlertDescription>) {
    let [.., 0x15, 3, _, 0, 2, 2, description] = wire else {
        panic!("no alert in {wire:x?}");
    };
    if let Some(expected) = expected {
        assert_eq!(AlertDescription::from(*description), expected);
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
        let expected = Err(Error::InvalidMessage(error));
        let mut pair = bench.honest();
        let result = deliver(&mut pair.server, &wire);
        assert_eq!(result, expected);
        assert_answered(&result, &written(&mut pair.server));

        let mut pair = bench.honest();
        written(&mut pair.client);
        let result = deliver(&mut pair.client, &wire);
        assert_eq!(result, expected);
        assert_answered(&result, &written(&mut pair.client));
    }

    // Encrypted, and within the limits of records: a message of 16 MiB announced.
    faulty::alter_next_flight(|mut flight| {
        flight[1..4].copy_from_slice(&[0xff, 0xff, 0xff]);
        flight
    });
    let refused = bench.with_faulty_server().refusal();
    let error = Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
    assert_eq!(refused.client, Some(error));
}

#[test]
fn messages_out_of_turn() {
    let bench = Bench::new();
    let unexpected = Some(AlertDescription::UnexpectedMessage);
    let refuses = |mut pair: Pair, wire: &[u8], expected| {
        let error = deliver(&mut pair.server, wire).unwrap_err();
        assert_alert(&written(&mut pair.server), expected);
        error
    };

    // A server's message sent to a server, application data and nothing but an alert as a start.
    let mut pair = bench.honest();
    deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
    let server_hello = written(&mut pair.server);
    let first = 5 + usize::from(u16::from_be_bytes([server_hello[3], server_hello[4]]));
    let error = refuses(bench.honest(), &server_hello[..first], unexpected);
    assert!(
        matches!(error, Error::InappropriateHandshakeMessage { .. }),
        "{error:?}"
    );
    let error = refuses(bench.honest(), &plain_record(0x17, b"data"), unexpected);
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
    let error = refuses(bench.honest(), &plain_record(0x63, b"?"), None);
    assert_eq!(
        error,
        Error::InvalidMessage(InvalidMessage::InvalidContentType)
    );

    // The server's records in another order: the client cannot read them.
    let mut pair = bench.honest();
    deliver(&mut pair.server, &written(&mut pair.client)).unwrap();
    let wire = written(&mut pair.server);
    let swapped = [&wire[first..], &wire[..first]].concat();
    assert!(deliver(&mut pair.client, &swapped).is_err());
    assert!(pair.client.is_handshaking());
    assert_alert(&written(&mut pair.client), None);

    // A second ClientHello.
    let mut pair = bench.honest();
    let hello = written(&mut pair.client);
    deliver(&mut pair.server, &hello).unwrap();
    assert!(deliver(&mut pair.server, &hello).is_err());
    assert!(pair.server.is_handshaking());
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

/// An error with an alert, or no error and silence.
#[track_caller]
fn assert_answered(result: &Result<(), Error>, wire: &[u8]) {
    match result {
        Err(error) if is_silent(error) => assert!(wire.is_empty()),
        Err(_) => assert_alert(wire, None),
        Ok(()) => assert!(wire.is_empty()),
    }
}

#[test]
fn key_shares_that_are_no_points() {
    let bench = Bench::new();
    let faults: [fn(Vec<u8>) -> Vec<u8>; 7] = [
        |share| share[..64].to_vec(),
        |share| [&share[..], &[0]].concat(),
        |share| [&[2 + (share[64] & 1)], &share[1..33]].concat(),
        |mut share| {
            share[0] = 6 + (share[64] & 1);
            share
        },
        |mut share| {
            share[64] ^= 1;
            share
        },
        |_| vec![0],
        |_| [&[4][..], &[0xff; 64]].concat(),
    ];
    let invalid = Some(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare));
    for fault in faults {
        faulty::alter_next_share(fault);
        let refused = bench.with_faulty_client().refusal();
        assert_eq!(refused.server, invalid);
        assert_eq!(
            alert(&refused.client),
            Some(AlertDescription::IllegalParameter)
        );

        faulty::alter_next_share(fault);
        let refused = bench.with_faulty_server().refusal();
        assert_eq!(refused.client, invalid);
    }
}

/// Makes signatures that are not what they should be.
#[derive(Debug)]
struct Forger(Arc<SecretKey>, fn(sm2::Signature) -> Vec<u8>);

impl SigningKey for Forger {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self(self.0.clone(), self.1)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Unknown(0xe0)
    }
}

impl Signer for Forger {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let e = sm2::message_digest(sm2::TLS13_ID, self.0.public_key(), message).unwrap();
        Ok(self.1(self.0.sign_digest(&e).unwrap()))
    }

    fn scheme(&self) -> SignatureScheme {
        SM2SIG_SM3
    }
}

#[test]
fn signatures_that_are_not_strict_der() {
    let ca = ca("root");
    let forgeries: [fn(sm2::Signature) -> Vec<u8>; 5] = [
        |signature| signature.to_bytes().to_vec(),
        |signature| [&signature.to_der()[..], &[0]].concat(),
        |_| vec![0x30, 6, 2, 1, 0, 2, 1, 1],
        |_| vec![],
        |signature| {
            // A zero before an integer that needs none, or two where one is enough.
            let mut der = signature.to_der();
            der.insert(4, 0);
            der[3] += 1;
            der[1] += 1;
            der
        },
    ];
    let serve = |forge: fn(sm2::Signature) -> Vec<u8>| {
        let key = secret_key();
        let certificate = ca.issue(&server_leaf(), key.public_key()).unwrap();
        let chain = vec![certificate.as_der().to_vec().into()];
        let own = CertifiedKey::new(chain, Arc::new(Forger(Arc::new(key), forge)));
        Pair::new(
            client_config(&strict(), &roots(&ca), None),
            server_config(&strict(), None, Arc::new(own)),
        )
    };
    serve(|signature| signature.to_der()).handshake();
    for forge in forgeries {
        let refused = serve(forge).refusal();
        assert_eq!(
            refused.client,
            Some(Error::InvalidCertificate(CertificateError::BadSignature))
        );
        assert_eq!(alert(&refused.server), Some(AlertDescription::DecryptError));
    }
}

#[test]
fn every_byte_of_a_certificate_altered() {
    let ca = ca("root");
    let own = issue(&ca, &server_leaf());
    let client = Arc::new(client_config(&strict(), &roots(&ca), None));
    let provider = strict();
    for i in 0..own.cert[0].len() {
        let mut certificate = own.cert[0].to_vec();
        certificate[i] ^= 1 << (i % 8);
        let altered = CertifiedKey::new(vec![certificate.into()], own.key.clone());
        let server = server_config(&provider, None, Arc::new(altered));
        let refused = Pair::new(client.clone(), server).refusal();
        let Some(Error::InvalidCertificate(reason)) = refused.client else {
            panic!("byte {i}: {:?}", refused.client);
        };
        use CertificateError::*;
        // The outermost tag and length, and the signature's integers, at the end.
        if i < 4 {
            assert_eq!(reason, BadEncoding, "byte {i}");
        } else if i > own.cert[0].len() - 64 {
            assert_eq!(reason, BadSignature, "byte {i}");
        }
        let expected = match &reason {
            BadEncoding => AlertDescription::BadCertificate,
            BadSignature => AlertDescription::DecryptError,
            UnknownIssuer => AlertDescription::UnknownCA,
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => {
                AlertDescription::CertificateExpired
            }
            InvalidPurposeContext { .. } => AlertDescription::UnsupportedCertificate,
            // KeyUsage without digitalSignature, or what rustls does not sort: another version or
            // algorithm, a critical extension unknown. What is no DER is none of these.
            Other(_) => {
                let error = Error::from(reason.clone());
                let ours = tls13::Error::find(&error);
                assert!(
                    matches!(ours, None | Some(tls13::Error::NoDigitalSignature)),
                    "byte {i}: {reason:?}"
                );
                AlertDescription::CertificateUnknown
            }
            _ => panic!("byte {i}: {reason:?}"),
        };
        assert_eq!(alert(&refused.server), Some(expected), "byte {i}");
    }
}
