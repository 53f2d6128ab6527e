//! TLS 1.3 handshakes with the strict provider and mutual authentication, in memory, with bytes of an
//! attacker: a whole flight to one side, or alterations of what the two sides say to each other, on
//! the way or, by a peer who holds the keys, before it is encrypted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls::{ClientConnection, ServerConnection};
use shangmi_fuzz::{alter_flights, deliver, handshake_was_altered, pair, sent};

/// The header of a TLS record.
const HEADER: usize = 5;

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let (mut client, mut server) = pair();
    match mode {
        0 => {
            let _ = deliver(&mut server, data);
            assert!(server.is_handshaking());
        }
        1 => {
            sent(&mut client);
            let _ = deliver(&mut client, data);
            assert!(client.is_handshaking());
        }
        2 => altered_handshake(client, server, data),
        _ => {
            alter_flights(data);
            altered_handshake(client, server, &[]);
        }
    }
});

/// Lets the two sides talk until one gives up. Each 4 bytes of `edits` alter one byte on the way:
/// number of the flight, offset (two bytes) and what is added modulo 2.
fn altered_handshake(mut client: ClientConnection, mut server: ServerConnection, edits: &[u8]) {
    let mut hello_altered = false;
    for flight in 0..6 {
        let to_server = flight % 2 == 0;
        let sent = match to_server {
            true => sent(&mut client),
            false => sent(&mut server),
        };
        let mut received = sent.clone();
        for edit in edits.chunks_exact(4).filter(|edit| edit[0] == flight) {
            let offset = usize::from(u16::from_be_bytes([edit[1], edit[2]]));
            if let Some(byte) = received.get_mut(offset) {
                *byte ^= edit[3];
            }
        }
        hello_altered |= flight == 0 && sent[HEADER..] != received[HEADER..];
        let answer = match to_server {
            true => deliver(&mut server, &received),
            false => deliver(&mut client, &received),
        };
        if answer.is_err() {
            return;
        }
    }
    let complete = !client.is_handshaking() && !server.is_handshaking();
    assert!(
        !(complete && (hello_altered || handshake_was_altered())),
        "an altered handshake was accepted"
    );
}
