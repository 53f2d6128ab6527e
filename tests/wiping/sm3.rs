//! HMAC and HKDF over SM3.

use shangmi::sm3::{HkdfSm3, HmacSm3};

use crate::secrets::Secrets;
use crate::{Found, random};

#[test]
fn hmac() {
    let key: [u8; 32] = random();
    let secrets = Secrets::hmac_key(&key);
    let mut found = Found::default();
    found.check_result("keyed", &secrets, || HmacSm3::keyed(&key));
    let hmac = HmacSm3::keyed(&key);
    found.check_result("clone", &secrets, || hmac.clone());
    for len in [0, 55, 56, 64, 1000] {
        let message = vec![7; len];
        found.check_result(&format!("tag {len}"), &secrets, || {
            HmacSm3::keyed(&key).tag(&[&message])
        });
    }
    found.assert_nothing();
}

#[test]
fn hkdf() {
    let (salt, input): ([u8; 32], [u8; 32]) = (random(), random());
    let prk = HmacSm3::keyed(&salt).tag(&[&input]);
    let secrets = Secrets::bytes("input key", &input).and(Secrets::hmac_key(prk.as_bytes()));
    let mut found = Found::default();
    found.check("extract", &secrets, || {
        let mut okm = [0; 100];
        HkdfSm3::extract(Some(&salt), &input).expand(&[b"info"], &mut okm)
    });
    let mut okm = [0; 32];
    let hkdf = HkdfSm3::from_prk(prk.as_bytes());
    hkdf.expand(&[b"label"], &mut okm).unwrap();
    let secrets = Secrets::hmac_key(prk.as_bytes()).and(Secrets::bytes("derived key", &okm));
    let okm = std::cell::RefCell::new(okm);
    found.check("expand", &secrets, || {
        hkdf.expand(&[b"label"], &mut *okm.borrow_mut())
    });
    found.assert_nothing();
}
