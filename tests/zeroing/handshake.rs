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
use crate::heap::freed_during;
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
