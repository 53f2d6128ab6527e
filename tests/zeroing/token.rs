//! Opening a key in a token and signing with it: the PIN must not be among what is freed.

use std::fs;

use shangmi::hsm::pkcs11::{TokenKey, Uri};
use shangmi::sm2::SignDigest;
use shangmi_testtoken::TestToken;

use crate::heap::freed_during;

const PIN: &str = "correct-horse-battery-staple";

#[test]
fn the_pin_leaves_nothing_behind() {
    let token = TestToken::create("zeroing", PIN).unwrap();
    token.generate_sm2("key", b"\x01").unwrap();
    let pin_file = std::env::temp_dir().join(format!("shangmi-zeroing-{}", std::process::id()));
    fs::write(&pin_file, format!("{PIN}\n")).unwrap();
    let module = shangmi_testtoken::module_path().unwrap();
    let uri = format!(
        "pkcs11:token=zeroing;object=key?module-path={}&pin-source=file:{}",
        module.display(),
        pin_file.display()
    );

    let (_, freed) = freed_during(|| {
        let uri: Uri = uri.parse().unwrap();
        let key = TokenKey::open(&uri, None).unwrap();
        key.sm2().unwrap().sign_digest(&[7; 32]).unwrap();
    });
    fs::remove_file(&pin_file).unwrap();
    assert!(freed.0.len() > 100);
    freed.assert_without("PIN from a file", PIN.as_bytes());
}

#[test]
fn a_pin_in_the_uri_leaves_nothing_but_the_callers_own_text() {
    // One character is written in another way, so that the PIN must be decoded.
    let text = format!(
        "pkcs11:token=zeroing;object=key?pin-value={}",
        PIN.replacen('-', "%2D", 1)
    );
    let (_, freed) = freed_during(|| drop(text.parse::<Uri>().unwrap()));
    assert!(!freed.0.is_empty());
    freed.assert_without("PIN from the URI", PIN.as_bytes());

    let (_, freed) = freed_during(|| drop(text.clone()));
    assert!(freed.holds_part_of(PIN.as_bytes()), "the check is blind");
}
