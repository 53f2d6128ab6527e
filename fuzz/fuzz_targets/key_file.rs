//! Private and public key files, PEM and DER: what is accepted is written and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shangmi::pki::key;
use shangmi_fuzz as _;

fuzz_target!(|data: &[u8]| {
    for key in [key::from_der(data), key::from_pem(data)]
        .into_iter()
        .flatten()
    {
        let d = key.to_bytes();
        let files = [
            key::from_der(&key::to_pkcs8_der(&key).unwrap()),
            key::from_der(&key::to_sec1_der(&key).unwrap()),
            key::from_pem(key::to_pkcs8_pem(&key).unwrap().as_bytes()),
        ];
        for again in files {
            assert_eq!(again.unwrap().to_bytes().as_bytes(), d.as_bytes());
        }
    }
    if let Ok(public) = key::public_key_from_spki(data) {
        let written = key::public_key_to_spki(&public).unwrap();
        assert_eq!(key::public_key_from_spki(&written).unwrap(), public);
    }
});
