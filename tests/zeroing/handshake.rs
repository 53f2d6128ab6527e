//! All the heap blocks that whole connections free: no private key, traffic key or ticket key may be
//! among them.
//!
//! rustls 0.23 itself leaves traffic secrets, from which the keys are derived, in blocks that it
//! frees, whatever the provider: its state machine moves them out of boxes. Without optimisation
//! its moves also carry a key from its dead stack frames into a box, so it is compiled here as for
//! a release. A program that wipes all that it frees closes both gaps for certain;
//! `tests/zeroing_allocator.rs` shows so.

use aead::{AeadInOut, KeyInit};
use shangmi::sm4::Sm4Gcm;
use shangmi::tls13;

use crate::connections::{CLIENT_D, SERVER_D, Secrets, assert_keys_gone, connections};
use crate::heap::{bytes_of, freed_during};
use crate::types::assert_secret_key_gone;

#[test]
fn connections_free_no_key() {
    let log = Secrets::new();
    let freed = connections(&log);
    assert_secret_key_gone(&freed, "server's private key", &SERVER_D);
    assert_secret_key_gone(&freed, "client's private key", &CLIENT_D);
    let secrets = log.0.lock().unwrap();
    assert!(
        secrets.len() >= 20,
        "only {} secrets were logged",
        secrets.len()
    );
    for (label, secret) in secrets.iter() {
        assert_keys_gone(&freed, label, secret);
    }
}

#[test]
fn a_dropped_ticketer_leaves_no_key_that_opens_its_tickets() {
    let (ticket, freed) = freed_during(|| {
        let ticketer = tls13::ticketer().unwrap();
        ticketer.encrypt(b"session").unwrap()
    });
    assert_eq!(ticket.len(), 16 + 12 + 7 + 16);
    assert!(freed.0.len() > 100);
    assert!(
        !freed.0.windows(16).any(|key| opens(key, &ticket)),
        "a ticket key was left behind"
    );
    assert!(!holds_round_keys(&freed.0), "round keys were left behind");
}

/// The layout that `tls13::ticketer` documents: name 16, nonce 12, session, tag 16.
fn opens(key: &[u8], ticket: &[u8]) -> bool {
    let (name, rest) = ticket.split_at(16);
    let (nonce, sealed) = rest.split_at(12);
    let (text, tag) = sealed.split_at(sealed.len() - 16);
    let mut text = text.to_vec();
    Sm4Gcm::new(key.try_into().unwrap())
        .decrypt_inout_detached(
            nonce.try_into().unwrap(),
            name,
            text.as_mut_slice().into(),
            tag.try_into().unwrap(),
        )
        .is_ok()
}

/// Whether five words in a row are consecutive SM4 round keys (GB/T 32907, 7.3):
/// rk(i+4) = rk(i) xor T'(rk(i+1) xor rk(i+2) xor rk(i+3) xor CK(i+4)).
fn holds_round_keys(freed: &[u8]) -> bool {
    let word = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().unwrap());
    freed.windows(20).step_by(4).any(|window| {
        let rk: Vec<u32> = window.chunks_exact(4).map(word).collect();
        (0..28).any(|i| rk[4] == rk[0] ^ t_prime(rk[1] ^ rk[2] ^ rk[3] ^ ck(i + 4)))
    })
}

/// The constant CK(i): bytes 7 (4 i + j) modulo 256.
fn ck(i: u32) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|j| (7 * (4 * i + j as u32)) as u8))
}

/// T' of the key schedule, computed by a schedule whose first round has `x` for its argument.
fn t_prime(x: u32) -> u32 {
    const FK: [u32; 4] = [0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc];
    let mut key = [0; 16];
    let word = x ^ FK[1] ^ FK[2] ^ FK[3] ^ ck(0);
    key[4..8].copy_from_slice(&word.to_be_bytes());
    let schedule = bytes_of(&::sm4::Sm4::new(&key.into()));
    u32::from_ne_bytes(schedule[..4].try_into().unwrap()) ^ FK[0]
}

#[test]
fn the_check_recognises_round_keys() {
    let schedule = bytes_of(&::sm4::Sm4::new(&[0x5a; 16].into()));
    for start in [0, 4, 60, 108] {
        assert!(holds_round_keys(&schedule[start..start + 20]));
    }
    let mut altered = schedule[..20].to_vec();
    altered[7] ^= 1;
    assert!(!holds_round_keys(&altered));
    assert!(!holds_round_keys(&[0; 128]));
}

#[test]
fn the_ticket_check_knows_the_layout() {
    let key = [7; 16];
    let (name, nonce) = ([1; 16], [2; 12]);
    let mut text = *b"session";
    let tag = Sm4Gcm::new(&key.into())
        .encrypt_inout_detached(&nonce.into(), &name, text.as_mut_slice().into())
        .unwrap();
    let ticket = [&name[..], &nonce, &text, &tag].concat();
    assert!(opens(&key, &ticket));
    assert!(!opens(&[8; 16], &ticket));
}
