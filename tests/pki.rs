//! Keys, certificates and requests: round trips.

use shangmi::pki::{Ca, Certificate, Leaf, Purpose, Request, Validity, key};
use shangmi::random::SystemRandom;
use shangmi::sm2::SecretKey;
#[test]
fn smoke() {
    let k = SecretKey::generate(&mut SystemRandom).unwrap();
    let pem = key::to_pkcs8_pem(&k).unwrap();
    assert_eq!(
        key::from_pem(pem.as_bytes()).unwrap().public_key(),
        k.public_key()
    );
    let ca = Ca::self_signed("CN=Test CA,O=Example,C=CN", k, Validity::days(10)).unwrap();
    let lk = SecretKey::generate(&mut SystemRandom).unwrap();
    let leaf = ca
        .issue(&Leaf::server("localhost"), lk.public_key())
        .unwrap();
    leaf.verify_signature(ca.certificate().public_key())
        .unwrap();
    let r = Request::new(&Leaf::server("localhost").ip([127, 0, 0, 1].into()), &lk).unwrap();
    let c2 = ca
        .issue_from_request(
            &Request::from_pem(r.to_pem().unwrap().as_bytes()).unwrap(),
            Purpose::Server,
        )
        .unwrap();
    c2.verify_signature(ca.certificate().public_key()).unwrap();
    Certificate::from_pem(leaf.to_pem().unwrap().as_bytes()).unwrap();
}
