//! The pages that hold long-lived secrets: locked, left out of core dumps, and wiped when a secret goes.

use shangmi::pki::key;
use shangmi::random::SystemRandom;
use shangmi::secret::{SecretBytes, protection};
use shangmi::sm2::{SecretKey, SignDigest};

use crate::heap::Freed;
use crate::types::assert_secret_key_gone;

/// What lies in the mappings of this process that the kernel leaves out of core dumps (`dd` in
/// proc(5)), which are ours.
pub(crate) fn undumped_pages() -> Freed {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut range, mut found) = (0..0, Vec::new());
    for line in smaps.lines() {
        let address = line.split_whitespace().next().unwrap_or_default();
        if let Some((from, to)) = address.split_once('-') {
            let number = |hex| usize::from_str_radix(hex, 16).unwrap();
            range = number(from)..number(to);
        }
        let flags = line.strip_prefix("VmFlags:").unwrap_or_default();
        let mut flags = flags.split_whitespace();
        // Readable and writable: the kernel's own pages are left out of dumps too.
        if flags.clone().any(|flag| flag == "dd") && flags.any(|flag| flag == "wr") {
            found.extend(range.clone().map(|address| {
                // SAFETY: the mapping is readable, and never unmapped.
                unsafe { std::ptr::with_exposed_provenance::<u8>(address).read_volatile() }
            }));
        }
    }
    Freed(found)
}

/// Not the other tests' pattern: they run at the same time, in the same pages.
const D: [u8; 32] = *b"a key that lies in locked pages.";

#[test]
fn sm2_private_keys_lie_in_locked_pages_and_leave_nothing_there() {
    let key = SecretKey::from_bytes(&D).unwrap();
    key.sign_digest(&[1; 32]).unwrap();
    let caught = std::panic::catch_unwind(|| assert_secret_key_gone(&undumped_pages(), "live", &D));
    assert!(caught.is_err(), "the key is not there, or the check blind");

    let protection = protection();
    assert!(protection.pages > 0);
    assert_eq!(protection.undumped, protection.pages);

    let encoded = key::to_pkcs8_der(&key).unwrap();
    drop(key);
    assert!(undumped_pages().holds_part_of(&D), "the file is not there");
    drop(encoded);
    assert_secret_key_gone(&undumped_pages(), "dropped", &D);
    // Others come and go meanwhile.
    drop(SecretKey::generate(&mut SystemRandom).unwrap());
    assert_secret_key_gone(&undumped_pages(), "dropped", &D);
}

#[test]
fn secret_bytes_lie_in_locked_pages_and_leave_nothing_there() {
    for text in [
        &b"a PIN of some length"[..],
        &b"something as long as four slots ".repeat(8),
    ] {
        let secret = SecretBytes::copy_of(text);
        assert!(undumped_pages().holds_part_of(text));
        drop(secret);
        undumped_pages().assert_without("SecretBytes", text);
    }
}
