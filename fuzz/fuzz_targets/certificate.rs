//! Certificates and requests, PEM and DER: reading, every question that is asked of them, and the
//! check of a signature never panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shangmi::pki::{
    Certificate, Leaf, Purpose, Request, allows_digital_signature, certificate_public_key,
};
use shangmi_fuzz as _;

fuzz_target!(|data: &[u8]| {
    let chain = Certificate::chain_from_pem(data).unwrap_or_default();
    for certificate in Certificate::from_der(data).into_iter().chain(chain) {
        questions(&certificate);
    }
    let _ = allows_digital_signature(data);
    let _ = certificate_public_key(data);

    for request in [Request::from_der(data), Request::from_pem(data)]
        .into_iter()
        .flatten()
    {
        assert_eq!(
            Request::from_pem(request.to_pem().unwrap().as_bytes())
                .unwrap()
                .as_der(),
            request.as_der()
        );
        let _ = request.subject();
        let _ = Leaf::from_request(&request, Purpose::Server);
    }
});

fn questions(certificate: &Certificate) {
    let der = certificate.as_der();
    let again = Certificate::from_pem(certificate.to_pem().unwrap().as_bytes()).unwrap();
    assert_eq!(again.as_der(), der);
    assert_eq!(
        certificate_public_key(der).unwrap(),
        *certificate.public_key()
    );
    let allowed = certificate
        .key_usage()
        .is_none_or(|usage| usage.digital_signature());
    assert_eq!(allows_digital_signature(der).unwrap(), allowed);
    let _ = (
        certificate.subject(),
        certificate.issuer(),
        certificate.validity(),
        certificate.is_ca(),
    );
    let _ = certificate.verify_signature(certificate.public_key());
}
