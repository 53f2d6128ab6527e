//! Keys in SoftHSM2, a PKCS#11 module that others wrote: ECDSA and RSA, through full TLS
//! handshakes.
//!
//! Each test runs in a process of its own, with a token directory of its own. What counts is that
//! its body came to the end: SoftHSM2 may crash while the process exits (SoftHSM2 issues 635 and
//! 780).
#![cfg(all(feature = "pkcs11", feature = "international"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use der::asn1::{Ia5String, ObjectIdentifier};
use der::{Decode, Encode};
use p256::ecdsa::DerSignature;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::DecodePublicKey;
use rustls::sign::SigningKey;
use rustls::{RootCertStore, SignatureScheme};
use sha2::{Digest, Sha384};
use shangmi::hsm::pkcs11::{KeyKind, TokenKey, Uri};
use shangmi::hsm::{Ckr, Error};
use shangmi::tls13;
use spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Validity;

const CHILD: &str = "SHANGMI_SOFTHSM_CHILD";
const PASSED: &str = "the body of the test came to its end";
const PIN: &str = "1234567890";
const TOKEN: &str = "soft";

const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";
const SM2: &str = "1.2.156.10197.1.301";

#[test]
fn ecdsa_p256_signs_handshakes() {
    isolated("ecdsa_p256_signs_handshakes", || {
        Token::new().generate_ec("key", &[1], P256);
        let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
        mutual_handshake(KeyKind::EcdsaP256, &[scheme]);
    });
}

#[test]
fn ecdsa_p384_signs_handshakes() {
    isolated("ecdsa_p384_signs_handshakes", || {
        Token::new().generate_ec("key", &[1], P384);
        let scheme = SignatureScheme::ECDSA_NISTP384_SHA384;
        mutual_handshake(KeyKind::EcdsaP384, &[scheme]);
    });
}

#[test]
fn rsa_signs_handshakes() {
    isolated("rsa_signs_handshakes", || {
        Token::new().generate_rsa("key", &[1], 2048);
        mutual_handshake(
            KeyKind::Rsa,
            &[
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PSS_SHA512,
            ],
        );
    });
}

#[test]
fn rsa_signs_pkcs1_for_tls_1_2() {
    isolated("rsa_signs_pkcs1_for_tls_1_2", || {
        Token::new().generate_rsa("key", &[1], 3072);
        let key = open("key", None).unwrap();
        // PSS comes first wherever it is offered.
        let both = [
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PSS_SHA256,
        ];
        assert_eq!(
            key.choose_scheme(&both).unwrap().scheme(),
            SignatureScheme::RSA_PSS_SHA256
        );

        let signer = key.choose_scheme(&both[..1]).unwrap();
        let signature = signer.sign(b"message").unwrap();
        let public = RsaPublicKey::from_public_key_der(key.public_key_info()).unwrap();
        let digest = Sha384::digest(b"message");
        public
            .verify(Pkcs1v15Sign::new::<Sha384>(), &digest, &signature)
            .unwrap();
    });
}

#[test]
fn sm2_curve_under_ckm_ecdsa_is_refused_by_name() {
    isolated("sm2_curve_under_ckm_ecdsa_is_refused_by_name", || {
        let token = Token::new();
        let key = token.generate_ec("key", &[1], SM2);
        // SoftHSM2 does sign with it: ECDSA on the SM2 curve, 64 bytes, which nobody should take
        // for SM2.
        assert_eq!(
            token
                .session
                .sign(&Mechanism::Ecdsa, key, &[1; 32])
                .unwrap()
                .len(),
            64
        );

        let error = open("key", None).unwrap_err();
        assert!(matches!(&error, Error::EcdsaOnSm2Curve { key } if key == "object=key id=01"));
        let text = error.to_string();
        assert!(
            text.contains("CKM_ECDSA would sign ECDSA with it, which is not SM2"),
            "{text}"
        );
    });
}

#[test]
fn unsupported_keys_are_refused_by_name() {
    isolated("unsupported_keys_are_refused_by_name", || {
        let token = Token::new();
        token.generate_ec("p521", &[1], P521);
        token.generate_rsa("small", &[2], 1024);
        let error = open("p521", None).unwrap_err();
        assert!(
            matches!(&error, Error::KeyType { kind, .. } if kind.contains(P521)),
            "{error}"
        );
        let error = open("small", None).unwrap_err();
        assert!(
            error.to_string().contains("RSA modulus has 1024 bits"),
            "{error}"
        );
    });
}

#[test]
fn certificate_is_checked_even_without_a_public_key_in_the_token() {
    isolated(
        "certificate_is_checked_even_without_a_public_key_in_the_token",
        || {
            let token = Token::new();
            token.generate_ec("one", &[1], P256);
            token.generate_ec("two", &[2], P256);
            let ca = Ca::new();
            let one = ca.issue(open("one", None).unwrap().public_key_info());
            let two = ca.issue(open("two", None).unwrap().public_key_info());
            let mismatch = open("one", Some(&two)).unwrap_err();
            assert!(
                matches!(mismatch, Error::CertificateMismatch { .. }),
                "{mismatch}"
            );

            for public in token
                .session
                .find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)])
                .unwrap()
            {
                token.session.destroy_object(public).unwrap();
            }
            assert!(matches!(
                open("one", None).unwrap_err(),
                Error::NoPublicKey { .. }
            ));
            let wrong = open("one", Some(&two)).unwrap_err();
            assert!(matches!(wrong, Error::WrongSignature { .. }), "{wrong}");
            open("one", Some(&one)).unwrap();
        },
    );
}

#[test]
fn rotation_under_one_label_is_no_mismatch() {
    isolated("rotation_under_one_label_is_no_mismatch", || {
        let token = Token::new();
        token.generate_ec("new", &[2], P256);
        let certificate = Ca::new().issue(open("new", None).unwrap().public_key_info());
        // The new key shows no public half, and the old one's has the same label.
        let public = |label: &str| {
            let label = Attribute::Label(label.into());
            let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), label];
            token.session.find_objects(&template).unwrap()[0]
        };
        token.session.destroy_object(public("new")).unwrap();
        let old = token.generate_ec("new", &[1], P256);
        token.session.destroy_object(old).unwrap();
        public("new");
        open("new", Some(&certificate)).unwrap();
    });
}

#[test]
fn refused_rsa_schemes_are_dropped() {
    isolated("refused_rsa_schemes_are_dropped", || {
        let token = Token::new();
        let pkcs1_alone = Attribute::AllowedMechanisms(vec![MechanismType::RSA_PKCS]);
        token.generate_rsa_with("key", &[1], 2048, vec![pkcs1_alone]);
        let key = open("key", None).unwrap();
        assert!(
            key.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256])
                .is_none()
        );
        for scheme in [
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA512,
        ] {
            let signer = key.choose_scheme(&[scheme]).unwrap();
            assert_eq!(signer.sign(b"message").unwrap().len(), 256);
        }

        let nothing = Attribute::AllowedMechanisms(vec![MechanismType::SHA256_RSA_PKCS]);
        token.generate_rsa_with("none", &[2], 2048, vec![nothing]);
        let error = open("none", None).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Call {
                    code: Ckr::MECHANISM_INVALID,
                    ..
                }
            ),
            "{error}"
        );
    });
}

/// A handshake for each scheme, with the key for server and client, and the certificate that fits
/// it.
fn mutual_handshake(kind: KeyKind, schemes: &[SignatureScheme]) {
    let ca = Ca::new();
    let key = open("key", None).unwrap();
    assert_eq!(key.kind(), kind);
    let certificate = ca.issue(key.public_key_info());
    let key = open("key", Some(&certificate)).unwrap();
    let own = tls13::certified_key(vec![certificate.into()], Arc::new(key)).unwrap();

    let roots = Arc::new(ca.roots());
    for scheme in schemes {
        let mut provider = tls13::mixed();
        // Peers that know this scheme alone for handshakes; certificates are another list.
        let known = provider
            .signature_verification_algorithms
            .mapping
            .iter()
            .copied();
        let mapping: Vec<_> = known.filter(|(known, _)| known == scheme).collect();
        assert_eq!(mapping.len(), 1, "{scheme:?}");
        provider.signature_verification_algorithms.mapping = mapping.leak();
        let provider = Arc::new(provider);
        let pair = common::Pair::new(
            common::client_config(&provider, &roots, Some(own.clone())),
            common::server_config(&provider, Some(&roots), own.clone()),
        )
        .handshake();
        assert_eq!(pair.client.peer_certificates(), Some(&own.cert[..]));
        assert_eq!(pair.server.peer_certificates(), Some(&own.cert[..]));
    }
}

fn open(label: &str, certificate: Option<&[u8]>) -> Result<TokenKey, Error> {
    let module = module();
    let path = module.to_str().unwrap();
    let uri = format!("pkcs11:token={TOKEN};object={label}?module-path={path}&pin-value={PIN}");
    TokenKey::open(&uri.parse::<Uri>().unwrap(), certificate)
}

// ---- SoftHSM2 ----

/// Runs `body` in a process of its own with an empty token directory.
fn isolated(test: &str, body: fn()) {
    if env::var_os(CHILD).is_some() {
        body();
        println!("{PASSED}");
        return;
    }
    module();
    let folder = env::temp_dir().join(format!("shangmi-softhsm-{}-{test}", std::process::id()));
    fs::create_dir_all(folder.join("tokens")).unwrap();
    let configuration = folder.join("softhsm2.conf");
    fs::write(
        &configuration,
        format!("directories.tokendir = {}/tokens\n", folder.display()),
    )
    .unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(PASSED),
        "{test} failed in its own process ({}):\n{said}\n{complained}",
        output.status
    );
}

fn module() -> PathBuf {
    const PLACES: &[&str] = &[
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ];
    let chosen = env::var_os("SOFTHSM2_MODULE").map(PathBuf::from);
    let found = chosen.or_else(|| {
        PLACES
            .iter()
            .map(PathBuf::from)
            .find(|path| Path::exists(path))
    });
    found.expect(
        "SoftHSM2 is not installed: apt-get install softhsm2, or set SOFTHSM2_MODULE to its module",
    )
}

/// A fresh token with a user session.
struct Token {
    session: Session,
}

impl Token {
    fn new() -> Self {
        let module = Pkcs11::new(module()).unwrap();
        module
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .unwrap();
        let so_pin = AuthPin::new("security officer".into());
        let slot = module.get_slots_with_token().unwrap()[0];
        module.init_token(slot, &so_pin, TOKEN).unwrap();
        let session = module.open_rw_session(slot).unwrap();
        session.login(UserType::So, Some(&so_pin)).unwrap();
        session.init_pin(&AuthPin::new(PIN.into())).unwrap();
        session.logout().unwrap();
        session
            .login(UserType::User, Some(&AuthPin::new(PIN.into())))
            .unwrap();
        Self { session }
    }

    fn generate_ec(&self, label: &str, id: &[u8], curve: &str) -> ObjectHandle {
        let curve = ObjectIdentifier::new(curve).unwrap().to_der().unwrap();
        self.generate(
            label,
            id,
            &Mechanism::EccKeyPairGen,
            vec![Attribute::EcParams(curve)],
            Vec::new(),
        )
    }

    fn generate_rsa(&self, label: &str, id: &[u8], bits: u64) -> ObjectHandle {
        self.generate_rsa_with(label, id, bits, Vec::new())
    }

    fn generate_rsa_with(
        &self,
        label: &str,
        id: &[u8],
        bits: u64,
        private: Vec<Attribute>,
    ) -> ObjectHandle {
        let public = vec![
            Attribute::ModulusBits(bits.into()),
            Attribute::PublicExponent(vec![1, 0, 1]),
        ];
        self.generate(label, id, &Mechanism::RsaPkcsKeyPairGen, public, private)
    }

    fn generate(
        &self,
        label: &str,
        id: &[u8],
        mechanism: &Mechanism<'_>,
        public: Vec<Attribute>,
        private: Vec<Attribute>,
    ) -> ObjectHandle {
        let names = [
            Attribute::Token(true),
            Attribute::Label(label.into()),
            Attribute::Id(id.into()),
        ];
        let public: Vec<_> = public.into_iter().chain(names.clone()).collect();
        let private = [
            &names[..],
            &[Attribute::Sign(true), Attribute::Sensitive(true)],
            &private,
        ]
        .concat();
        self.session
            .generate_key_pair(mechanism, &public, &private)
            .unwrap()
            .1
    }
}

// ---- certificates, from a CA with a P-256 key in software ----

struct Ca {
    key: p256::ecdsa::SigningKey,
    certificate: Vec<u8>,
}

impl Ca {
    fn new() -> Self {
        let key = p256::ecdsa::SigningKey::from_slice(&[0x42; 32]).unwrap();
        let spki = SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).unwrap();
        let certificate = build(Profile { ca: true }, spki, &key);
        Self { key, certificate }
    }

    fn issue(&self, spki: &[u8]) -> Vec<u8> {
        build(
            Profile { ca: false },
            SubjectPublicKeyInfoOwned::from_der(spki).unwrap(),
            &self.key,
        )
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone().into()).unwrap();
        roots
    }
}

fn build(
    profile: Profile,
    spki: SubjectPublicKeyInfoOwned,
    issuer: &p256::ecdsa::SigningKey,
) -> Vec<u8> {
    let validity = Validity::from_now(Duration::from_secs(24 * 3600)).unwrap();
    let serial = SerialNumber::from(if profile.ca { 1u32 } else { 2 });
    let builder = CertificateBuilder::new(profile, serial, validity, spki).unwrap();
    builder
        .build::<_, DerSignature>(issuer)
        .unwrap()
        .to_der()
        .unwrap()
}

struct Profile {
    ca: bool,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        "CN=CA".parse().unwrap()
    }

    fn get_subject(&self) -> Name {
        if self.ca { "CN=CA" } else { "CN=leaf" }.parse().unwrap()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let subject = tbs.subject();
        if self.ca {
            let constraints = BasicConstraints {
                ca: true,
                path_len_constraint: None,
            };
            return Ok(vec![constraints.to_extension(subject, &[])?]);
        }
        let name = GeneralName::DnsName(Ia5String::new(common::NAME)?);
        Ok(vec![
            KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(subject, &[])?,
            SubjectAltName(vec![name]).to_extension(subject, &[])?,
        ])
    }
}
