//! Reading and writing key files leaves neither the key nor its base64 text behind.

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use shangmi::pki::{Ca, Error, Leaf, Request, Validity, key};
use shangmi::sm2::SecretKey;
use shangmi::tls13;

use super::common;
use super::heap::{Freed, freed_during};
use super::types::{assert_secret_key_gone, pattern};

/// Fails if d is among the freed bytes, as a number or as the base64 text of our own PKCS#8.
fn assert_gone(freed: &Freed, name: &str, pem: &str) {
    assert_secret_key_gone(freed, name, &pattern());
    // d stands at byte 36, so at character 48; what is before it is the same in every key.
    let text: String = pem.lines().skip(1).take(2).collect();
    let only_d = &text[48..88];
    freed.assert_without(&format!("{name}: base64"), only_d.as_bytes());
}

#[test]
fn key_files_leave_nothing() {
    let d = pattern();
    let original = SecretKey::from_bytes(&d).unwrap();
    let pem = key::to_pkcs8_pem(&original).unwrap();
    let pkcs8 = key::to_pkcs8_der(&original).unwrap();
    let sec1 = key::to_sec1_der(&original).unwrap();

    let freed = |work: &dyn Fn() -> Result<(), Error>| {
        let (result, freed) = freed_during(work);
        result.unwrap();
        freed
    };
    let written = freed(&|| {
        key::to_pkcs8_pem(&original)?;
        key::to_pkcs8_der(&original)?;
        key::to_sec1_der(&original)?;
        Ok(())
    });
    assert_gone(&written, "written", &pem);
    let read = freed(&|| {
        key::from_pem(pem.as_bytes())?;
        key::from_der(&pkcs8)?;
        key::from_der(&sec1)?;
        Ok(())
    });
    assert_gone(&read, "read", &pem);
    let refused = freed(&|| {
        let two = [pem.as_bytes(), pem.as_bytes()].concat();
        assert!(key::from_pem(&two).is_err());
        std::mem::forget(two);
        assert!(key::from_der(&pkcs8[..pkcs8.len() - 1]).is_err());
        Ok(())
    });
    assert_gone(&refused, "refused", &pem);
    let used = freed(&|| {
        let ca = Ca::self_signed("CN=CA", key::from_der(&pkcs8)?, Validity::days(1))?;
        let client = key::from_der(&sec1)?;
        Request::new(&Leaf::client("alice"), &client)?;
        ca.issue(&Leaf::client("alice"), client.public_key())?;
        Ok(())
    });
    assert_gone(&used, "used", &pem);
}

#[test]
fn the_check_sees_base64_text() {
    let key = SecretKey::from_bytes(&pattern()).unwrap();
    let pem = key::to_pkcs8_pem(&key).unwrap();
    let (_, freed) = freed_during(|| drop(pem.to_string()));
    let found = std::panic::catch_unwind(|| assert_gone(&freed, "a plain String", &pem));
    assert!(found.is_err());
}

/// rustls gives the file's content away to the provider.
#[test]
fn providers_leave_nothing_of_a_key_file() {
    let d = pattern();
    let document = key::to_pkcs8_der(&SecretKey::from_bytes(&d).unwrap()).unwrap();
    let layered = tls13::layered(common::international::international());
    for provider in [tls13::strict(), tls13::mixed(), layered] {
        let ((), freed) = freed_during(|| {
            let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(document.to_vec()));
            drop(provider.key_provider.load_private_key(der).unwrap());
        });
        assert_secret_key_gone(&freed, "PKCS#8 given to rustls", &d);
    }
}
