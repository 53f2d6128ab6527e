//! Certificates, as they are issued and read.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Tag};
use shangmi::pki::{
    Certificate, Error, Item, KeyUsages, Leaf, Purpose, SignatureFault, allows_digital_signature,
    certificate_public_key,
};
use shangmi::sm2::{self, SignDigest};

use super::{alterations, assert_exact, issue, new_ca, new_key};

#[test]
fn say_what_they_were_issued_for() {
    let ca = new_ca();
    let secret = new_key();
    let leaf = Leaf::server("localhost").subject("CN=localhost,OU=研发,O=Example,C=CN");
    let certificate = ca.issue(&leaf, secret.public_key()).unwrap();
    let read = Certificate::from_pem(certificate.to_pem().unwrap().as_bytes()).unwrap();
    assert_eq!(read, certificate);
    assert_eq!(read.subject(), "CN=localhost,OU=研发,O=Example,C=CN");
    assert_eq!(read.issuer(), "CN=Test CA,O=Example,C=CN");
    assert_eq!(read.public_key(), secret.public_key());
    assert!(!read.is_ca() && ca.certificate().is_ca());
    assert_eq!(
        &certificate_public_key(read.as_der()).unwrap(),
        secret.public_key()
    );
    read.verify_signature(ca.certificate().public_key())
        .unwrap();
    ca.certificate()
        .verify_signature(ca.certificate().public_key())
        .unwrap();

    let chain = format!(
        "{}{}",
        read.to_pem().unwrap(),
        ca.certificate().to_pem().unwrap()
    );
    let chain = Certificate::chain_from_pem(chain.as_bytes()).unwrap();
    assert_eq!(chain, [read, ca.certificate().clone()]);
}

#[test]
fn serial_numbers_are_long_and_differ() {
    let serial = |certificate: Certificate| {
        let parsed = x509_cert::Certificate::from_der(certificate.as_der()).unwrap();
        parsed.tbs_certificate().serial_number().as_bytes().to_vec()
    };
    let (a, b) = (
        serial(issue(&Leaf::client("alice"))),
        serial(issue(&Leaf::client("alice"))),
    );
    assert!(a.len() == 16 && b.len() == 16 && a != b);
}

/// GmSSL refuses a leaf with an empty BasicConstraints.
#[test]
fn extensions_follow_the_profile() {
    use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage};
    use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectAltName, SubjectKeyIdentifier};

    let ca = new_ca();
    let issued = ca
        .issue(
            &Leaf::server("localhost").purpose(Purpose::Client),
            new_key().public_key(),
        )
        .unwrap();
    let root = x509_cert::Certificate::from_der(ca.certificate().as_der()).unwrap();
    let root = root.tbs_certificate();
    let leaf = x509_cert::Certificate::from_der(issued.as_der()).unwrap();
    let leaf = leaf.tbs_certificate();

    let (critical, constraints) = root.get_extension::<BasicConstraints>().unwrap().unwrap();
    assert!(critical && constraints.ca && constraints.path_len_constraint.is_none());
    let (critical, usage) = root.get_extension::<KeyUsage>().unwrap().unwrap();
    assert!(critical && usage.0 == KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let (_, root_identifier) = root
        .get_extension::<SubjectKeyIdentifier>()
        .unwrap()
        .unwrap();
    let point = ca.certificate().public_key().as_sec1();
    assert_eq!(
        root_identifier.0.as_bytes(),
        &shangmi::sm3::digest(point)[..20]
    );

    assert_eq!(leaf.get_extension::<BasicConstraints>(), Ok(None));
    let (critical, usage) = leaf.get_extension::<KeyUsage>().unwrap().unwrap();
    assert!(critical && usage.0 == KeyUsages::DigitalSignature);
    let (_, purposes) = leaf.get_extension::<ExtendedKeyUsage>().unwrap().unwrap();
    assert_eq!(purposes.0.len(), 2);
    let (_, names) = leaf.get_extension::<SubjectAltName>().unwrap().unwrap();
    assert_eq!(names.0.len(), 1);
    let (_, authority) = leaf
        .get_extension::<AuthorityKeyIdentifier>()
        .unwrap()
        .unwrap();
    assert_eq!(authority.key_identifier.unwrap(), root_identifier.0);
}

#[test]
fn key_usage_is_read() {
    let sign = issue(&Leaf::server("localhost"));
    assert!(allows_digital_signature(sign.as_der()).unwrap());
    let encipher = KeyUsages::KeyEncipherment | KeyUsages::KeyAgreement;
    let encrypt = issue(&Leaf::server("localhost").key_usage(encipher));
    assert!(!allows_digital_signature(encrypt.as_der()).unwrap());
    assert_eq!(encrypt.key_usage().unwrap().0, encipher);
}

#[test]
fn length_is_exact() {
    let certificate = issue(&Leaf::server("localhost"));
    assert_exact(certificate.as_der(), Certificate::from_der);
    assert_exact(certificate.as_der(), certificate_public_key);
    assert_exact(certificate.as_der(), allows_digital_signature);
    assert!(matches!(
        certificate_public_key(&[0x30; 70_000]),
        Err(Error::TooLarge {
            item: Item::Certificate,
            ..
        })
    ));
}

#[test]
fn altered_bits_are_noticed() {
    let ca = new_ca();
    let certificate = ca
        .issue(&Leaf::server("localhost"), new_key().public_key())
        .unwrap();
    for (bit, altered) in alterations(certificate.as_der()) {
        let read = Certificate::from_der(&altered);
        let verified = read.and_then(|c| c.verify_signature(ca.certificate().public_key()));
        assert!(verified.is_err(), "bit {bit}");
    }
}

#[test]
fn the_cause_of_a_bad_signature_is_named() {
    let issued_with = |id: &[u8]| {
        let ca = new_ca().with_signer_id(id);
        ca.issue(&Leaf::server("localhost"), new_key().public_key())
            .unwrap()
            .verify_signature(ca.certificate().public_key())
    };
    issued_with(sm2::DEFAULT_ID).unwrap();
    for (id, expected) in [
        (&b""[..], SignatureFault::EmptyId),
        (sm2::TLS13_ID, SignatureFault::Tls13Id),
        (b"somebody else", SignatureFault::Mismatch),
    ] {
        match issued_with(id).unwrap_err() {
            Error::BadSignature {
                item: Item::Certificate,
                fault,
            } => {
                assert_eq!(fault, expected)
            }
            other => panic!("{other}"),
        }
    }
    let stranger = new_key();
    assert!(matches!(
        issue(&Leaf::server("localhost")).verify_signature(stranger.public_key()),
        Err(Error::BadSignature {
            fault: SignatureFault::Mismatch,
            ..
        })
    ));
}

/// CFCA writes NULL parameters; both places must say the same.
#[test]
fn null_parameters_are_accepted() {
    const ABSENT: &[u8] = &[0x30, 10, 6, 8, 42, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x75];
    const NULL: &[u8] = &[
        0x30, 12, 6, 8, 42, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x75, 5, 0,
    ];

    let issuer = new_key();
    let certificate = issue(&Leaf::server("localhost"));
    let [content, _, _] = parts(certificate.as_der());
    let content = AnyRef::from_der(content).unwrap().value();
    let at = content
        .windows(ABSENT.len())
        .position(|window| window == ABSENT)
        .unwrap();
    let content = sequence(&[&content[..at], NULL, &content[at + ABSENT.len()..]]);
    let e = sm2::message_digest(sm2::DEFAULT_ID, issuer.public_key(), &content).unwrap();
    let signature = issuer.sign_digest(&e).unwrap().to_der();
    let signature = BitStringRef::from_bytes(&signature)
        .unwrap()
        .to_der()
        .unwrap();

    let with_null = sequence(&[&content, NULL, &signature]);
    Certificate::from_der(&with_null)
        .unwrap()
        .verify_signature(issuer.public_key())
        .unwrap();
    let with_both = sequence(&[&content, ABSENT, &signature]);
    assert!(matches!(
        Certificate::from_der(&with_both)
            .unwrap()
            .verify_signature(issuer.public_key()),
        Err(Error::SignatureAlgorithm { .. })
    ));
}

fn parts(der: &[u8]) -> [&[u8]; 3] {
    let mut rest = AnyRef::from_der(der).unwrap().value();
    [(); 3].map(|()| {
        let (_, after) = AnyRef::from_der_partial(rest).unwrap();
        let part = &rest[..rest.len() - after.len()];
        rest = after;
        part
    })
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    AnyRef::new(Tag::Sequence, &body).unwrap().to_der().unwrap()
}
