//! SM2 ciphertexts in both encodings: decryption never panics, and what decrypts in one encoding is
//! refused in the other.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shangmi::sm2::SecretKey;
use shangmi::sm2::encryption::{Decrypt, Format};
use shangmi_fuzz as _;

// The key of GB/T 32918.5-2017 C.2, so that the seeds from the vectors decrypt.
static KEY: LazyLock<SecretKey> = LazyLock::new(|| {
    let d = [
        0x39, 0x45, 0x20, 0x8f, 0x7b, 0x21, 0x44, 0xb1, 0x3f, 0x36, 0xe3, 0x8a, 0xc6, 0xd3, 0x9f,
        0x95, 0x88, 0x93, 0x93, 0x69, 0x28, 0x60, 0xb5, 0x1a, 0x42, 0xfb, 0x81, 0xef, 0x4d, 0xf7,
        0xc5, 0xb8,
    ];
    SecretKey::from_bytes(&d).unwrap()
});

fuzz_target!(|data: &[u8]| {
    let asn1 = KEY.decrypt(data, Format::Asn1);
    let raw = KEY.decrypt(data, Format::C1C3C2);
    assert!(asn1.is_err() || raw.is_err());
    for plaintext in [asn1, raw].into_iter().flatten() {
        assert!(!plaintext.is_empty() && plaintext.len() < data.len());
    }
});
