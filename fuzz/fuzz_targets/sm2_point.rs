//! SM2 public keys as points: what is accepted survives its encodings and can be computed with.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shangmi::sm2::{PublicKey, SecretKey, ecdh};
use shangmi_fuzz as _;

fuzz_target!(|data: &[u8]| {
    let Ok(key) = PublicKey::from_sec1(data) else {
        return;
    };
    let encoded = key.to_sec1();
    assert_eq!(PublicKey::from_sec1(&encoded).unwrap(), key);
    match data.len() {
        33 => assert_eq!(
            (data[0] & 1, &data[1..]),
            (encoded[64] & 1, &encoded[1..33])
        ),
        _ => assert_eq!(data, encoded),
    }
    let secret = SecretKey::from_bytes(&[7; 32]).unwrap();
    assert!(ecdh::shared_secret(&secret, &key).is_ok());
});
