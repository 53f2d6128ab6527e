//! Session tickets: none is accepted but those that were made, whole and unaltered.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use rustls::server::ProducesTickets;
use shangmi_fuzz as _;

const SESSION: &[u8] = b"what rustls keeps of a session";

static TICKETER: LazyLock<Arc<dyn ProducesTickets>> =
    LazyLock::new(|| shangmi::tls13::ticketer().unwrap());

fuzz_target!(|data: &[u8]| {
    assert_eq!(TICKETER.decrypt(data), None);

    let made = TICKETER.encrypt(SESSION).unwrap();
    let mut ticket = made.clone();
    for edit in data.chunks_exact(2) {
        let offset = usize::from(edit[0]);
        match ticket.get_mut(offset) {
            Some(byte) => *byte ^= edit[1],
            None => ticket.truncate(usize::from(edit[1])),
        }
    }
    let expected = (ticket == made).then_some(SESSION);
    assert_eq!(TICKETER.decrypt(&ticket).as_deref(), expected);
});
