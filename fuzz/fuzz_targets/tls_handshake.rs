//! TLS 1.3 handshakes with the strict provider and mutual authentication, in memory, with bytes of an
//! attacker: a whole flight to one side, or alterations of what the two sides say to each other.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::sync::{Arc, LazyLock};

use common::{Pair, deliver, written};
use libfuzzer_sys::fuzz_target;
use rustls::{ClientConfig, ServerConfig};

/// The header of a TLS record.
const HEADER: usize = 5;

static CONFIGS: LazyLock<(Arc<ClientConfig>, Arc<ServerConfig>)> = LazyLock::new(|| {
    let (provider, ca) = (common::strict(), common::ca("fuzz"));
    let roots = common::roots(&ca);
    let client = common::issue(&ca, &common::client_leaf());
    let server = common::issue(&ca, &common::server_leaf());
    (
        common::client_config(&provider, &roots, Some(client)).into(),
        common::server_config(&provider, Some(&roots), server).into(),
    )
});

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else {
        return;
    };
    let (client, server) = CONFIGS.clone();
    let mut pair = Pair::new(client, server);
    match mode {
        0 => {
            let _ = deliver(&mut pair.server, data);
            assert!(pair.server.is_handshaking());
        }
        1 => {
            written(&mut pair.client);
            let _ = deliver(&mut pair.client, data);
            assert!(pair.client.is_handshaking());
        }
        _ => altered_handshake(pair, data),
    }
});

/// Lets the two sides talk until one gives up. Each 4 bytes of `edits` alter one byte on the way:
/// number of the flight, offset (two bytes) and what is added modulo 2.
fn altered_handshake(mut pair: Pair, edits: &[u8]) {
    let mut hello_altered = false;
    for flight in 0..6 {
        let to_server = flight % 2 == 0;
        let sent = match to_server {
            true => written(&mut pair.client),
            false => written(&mut pair.server),
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
            true => deliver(&mut pair.server, &received),
            false => deliver(&mut pair.client, &received),
        };
        if answer.is_err() {
            return;
        }
    }
    let complete = !pair.client.is_handshaking() && !pair.server.is_handshaking();
    assert!(
        !(complete && hello_altered),
        "an altered ClientHello was accepted"
    );
}
