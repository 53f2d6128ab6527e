//! All the heap blocks that whole connections free: no private key, traffic key or ticket key may be
//! among them.
//!
//! rustls 0.23 itself leaves traffic secrets, from which the keys are derived, in blocks that it
//! frees, whatever the provider: its state machine moves them out of boxes. Without optimisation
//! its moves also carry a key from its dead stack frames into a box, so it is compiled here as for
//! a release. A program that wipes all that it frees closes both gaps for certain;
//! `tests/zeroing_allocator.rs` shows so.

use aead::{AeadInOut, KeyInit};
use shangmi::sm4::{Sm4, Sm4Gcm};
use shangmi::tls13;

use crate::connections::{CLIENT_D, SERVER_D, Secrets, assert_keys_gone, connections};
use crate::heap::{bytes_of, freed_during, heap_of};
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

/// Whether five words in a row are consecutive SM4 round keys (GB/T 32907, 7.3), in either order, as
/// such or in the form that the kernel keeps:
/// rk(i+4) = rk(i) xor T'(rk(i+1) xor rk(i+2) xor rk(i+3) xor CK(i+4)).
fn holds_round_keys(freed: &[u8]) -> bool {
    let form = Form::learn();
    let consecutive =
        |rk: &[u32]| (0..28).any(|i| rk[4] == rk[0] ^ t_prime(rk[1] ^ rk[2] ^ rk[3] ^ ck(i + 4)));
    freed.windows(20).step_by(4).any(|window| {
        let words = window.as_chunks::<4>().0;
        let plain = words.iter().map(|word| u32::from_ne_bytes(*word));
        let decoded = words.iter().map(|word| form.decode(*word));
        let (plain, decoded): (Vec<u32>, Vec<u32>) = (plain.collect(), decoded.collect());
        let reversed = |rk: &[u32]| rk.iter().rev().copied().collect::<Vec<u32>>();
        [&plain, &reversed(&plain), &decoded, &reversed(&decoded)]
            .into_iter()
            .any(|rk| consecutive(rk))
    })
}

/// The form in which the kernel keeps round keys: each byte goes through one map, and the bytes of
/// a word have one order.
struct Form {
    /// From the kernel's bytes to the standard's.
    bytes: [u8; 256],
    big_endian: bool,
}

impl Form {
    /// From our round keys and RustCrypto's of many keys.
    fn learn() -> Self {
        static KNOWN: std::sync::OnceLock<Vec<([u8; 4], u32)>> = std::sync::OnceLock::new();
        let known = KNOWN.get_or_init(|| {
            let schedules = (0..100_u8).map(|i| {
                let key = std::array::from_fn(|j| i.wrapping_mul(j as u8 + 3) ^ 0x5a);
                (our_schedule(&key), standard_schedule(&key))
            });
            schedules
                .flat_map(|(ours, theirs)| {
                    let ours = ours.as_chunks::<4>().0.to_vec();
                    ours.into_iter().zip(theirs)
                })
                .collect()
        });
        let learn = |big_endian| {
            let mut bytes = [None; 256];
            for (ours, theirs) in known {
                let theirs = match big_endian {
                    true => theirs.to_be_bytes(),
                    false => theirs.to_le_bytes(),
                };
                for (ours, theirs) in ours.iter().zip(theirs) {
                    let known = bytes[usize::from(*ours)].get_or_insert(theirs);
                    if *known != theirs {
                        return None;
                    }
                }
            }
            let bytes = bytes.map(|byte| byte.expect("more keys are needed"));
            Some(Self { bytes, big_endian })
        };
        learn(true)
            .or_else(|| learn(false))
            .expect("round keys have another form than this test knows")
    }

    fn decode(&self, word: [u8; 4]) -> u32 {
        let bytes = word.map(|byte| self.bytes[usize::from(byte)]);
        match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    }
}

/// The round keys of a key as our kernel keeps them.
fn our_schedule(key: &[u8; 16]) -> Vec<u8> {
    let (_sm4, mut heap) = heap_of(|| Sm4::new(key.into()));
    heap.swap_remove(0)
}

/// The round keys of a key, by RustCrypto.
fn standard_schedule(key: &[u8; 16]) -> Vec<u32> {
    let bytes = bytes_of(&::sm4::Sm4::new(key.into()));
    let words = bytes.as_chunks::<4>().0;
    words.iter().map(|word| u32::from_ne_bytes(*word)).collect()
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
    standard_schedule(&key)[0] ^ FK[0]
}

#[test]
fn the_check_recognises_round_keys() {
    let schedule = our_schedule(&[0x5a; 16]);
    let standard: Vec<[u8; 4]> = standard_schedule(&[0x5a; 16])
        .into_iter()
        .map(u32::to_ne_bytes)
        .collect();
    let reversed: Vec<[u8; 4]> = schedule.as_chunks::<4>().0.iter().rev().copied().collect();
    for start in [0, 4, 60, 108] {
        assert!(holds_round_keys(&schedule[start..start + 20]));
        assert!(holds_round_keys(
            &standard.as_flattened()[start..start + 20]
        ));
        assert!(holds_round_keys(
            &reversed.as_flattened()[start..start + 20]
        ));
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
