//! Certification requests.

use der::Decode;
use shangmi::pki::{Leaf, Purpose, Request};

use super::{alterations, assert_exact, new_ca, new_key};

#[test]
fn become_certificates() {
    let secret = new_key();
    let leaf = Leaf::server("example.cn").ip("2001:db8::1".parse().unwrap());
    let request = Request::new(&leaf, &secret).unwrap();
    let request = Request::from_pem(request.to_pem().unwrap().as_bytes()).unwrap();
    let ca = new_ca();
    let certificate = ca.issue_from_request(&request, Purpose::Server).unwrap();
    certificate
        .verify_signature(ca.certificate().public_key())
        .unwrap();
    assert_eq!(certificate.public_key(), secret.public_key());
    assert_eq!(certificate.subject(), "CN=example.cn");
    let parsed = x509_cert::Certificate::from_der(certificate.as_der()).unwrap();
    let (_, names) = parsed
        .tbs_certificate()
        .get_extension::<x509_cert::ext::pkix::SubjectAltName>()
        .unwrap()
        .unwrap();
    assert_eq!(names.0.len(), 2);
}

#[test]
fn length_is_exact_and_altered_bits_are_noticed() {
    let request = Request::new(&Leaf::server("localhost"), &new_key()).unwrap();
    assert_exact(request.as_der(), Request::from_der);
    for (bit, altered) in alterations(request.as_der()) {
        assert!(Request::from_der(&altered).is_err(), "bit {bit}");
    }
}
