//! SM2 signatures in DER: what is accepted has one encoding, and verifying it never panics.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shangmi::sm2::{DEFAULT_ID, SecretKey, Signature, Verifier, VerifyingKey};
use shangmi_fuzz as _;

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| {
    let secret = SecretKey::from_bytes(&[7; 32]).unwrap();
    VerifyingKey::new(secret.public_key().clone(), DEFAULT_ID).unwrap()
});

fuzz_target!(|data: &[u8]| {
    if let Ok(signature) = Signature::from_der(data) {
        assert_eq!(signature.to_der(), data);
        assert_eq!(
            Signature::from_bytes(&signature.to_bytes()).unwrap(),
            signature
        );
        // No input can be a signature of this message but by breaking SM2.
        assert!(KEY.verify(b"message", &signature).is_err());
    }
});
