//! Tokens of PKCS#11 modules that others wrote, for tests that run in a process of their own.
//!
//! What counts is that a test's body came to the end: SoftHSM2 may crash while the process exits
//! (SoftHSM2 issues 635 and 780).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::AuthPin;
use der::asn1::{Ia5String, ObjectIdentifier};
use der::{Decode, Encode};
use p256::ecdsa::DerSignature;
use rustls::{RootCertStore, SignatureScheme};
use shangmi::hsm::Error;
use shangmi::hsm::pkcs11::{KeyKind, TokenKey, Uri};
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

pub const PIN: &str = "1234567890";
pub const TOKEN: &str = "soft";

pub const P256: &str = "1.2.840.10045.3.1.7";
pub const P384: &str = "1.3.132.0.34";
pub const P521: &str = "1.3.132.0.35";
pub const SM2: &str = "1.2.156.10197.1.301";

/// The folder of the test's token, for its own process.
const FOLDER: &str = "SHANGMI_TOKEN_FOLDER";
const PASSED: &str = "the body of the test came to its end";

/// A module, and how it learns where its token is.
pub struct Module {
    /// The module's file.
    pub path: fn() -> PathBuf,
    /// The environment variable that names its configuration.
    pub variable: &'static str,
    /// What to write there for a token in this folder.
    pub configuration: fn(&Path) -> String,
}

impl Module {
    /// Runs `body` in a process of its own with an empty folder for the token.
    pub fn isolated(&self, test: &str, body: fn()) {
        if env::var_os(FOLDER).is_some() {
            body();
            println!("{PASSED}");
            return;
        }
        (self.path)();
        let name = format!("shangmi-token-{}-{test}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(folder.join("tokens")).unwrap();
        let configuration = folder.join("configuration");
        fs::write(&configuration, (self.configuration)(&folder.join("tokens"))).unwrap();
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(FOLDER, &folder)
            .env(self.variable, &configuration)
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
        for line in said.lines().filter(|line| line.starts_with("hsm ")) {
            println!("{line}");
        }
    }

    /// A fresh token with a user session.
    pub fn token(&self) -> Token {
        let module = Pkcs11::new((self.path)()).unwrap();
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
        Token { module, session }
    }

    pub fn uri(&self, label: &str) -> Uri {
        self.uri_with_pin(label, PIN)
    }

    pub fn uri_with_pin(&self, label: &str, pin: &str) -> Uri {
        let path = (self.path)();
        let path = path.to_str().unwrap();
        format!("pkcs11:token={TOKEN};object={label}?module-path={path}&pin-value={pin}")
            .parse()
            .unwrap()
    }

    pub fn open(&self, label: &str, certificate: Option<&[u8]>) -> Result<TokenKey, Error> {
        TokenKey::open(&self.uri(label), certificate)
    }

    /// A handshake for each scheme, with the key named `key` for server and client, and the
    /// certificate that fits it.
    pub fn mutual_handshake(&self, kind: KeyKind, schemes: &[SignatureScheme]) {
        let ca = Ca::new();
        let key = self.open("key", None).unwrap();
        assert_eq!(key.kind(), kind);
        let certificate = ca.issue(key.public_key_info());
        let key = self.open("key", Some(&certificate)).unwrap();
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
            let pair = super::Pair::new(
                super::client_config(&provider, &roots, Some(own.clone())),
                super::server_config(&provider, Some(&roots), own.clone()),
            )
            .handshake();
            assert_eq!(pair.client.peer_certificates(), Some(&own.cert[..]));
            assert_eq!(pair.server.peer_certificates(), Some(&own.cert[..]));
        }
    }
}

/// The folder in which the token of this process's test is.
pub fn token_folder() -> PathBuf {
    PathBuf::from(env::var_os(FOLDER).unwrap()).join("tokens")
}

/// A token with a user session.
pub struct Token {
    pub module: Pkcs11,
    pub session: Session,
}

impl Token {
    /// As the token describes itself now.
    pub fn info(&self) -> TokenInfo {
        let slot = self.session.get_session_info().unwrap().slot_id();
        self.module.get_token_info(slot).unwrap()
    }

    /// CKA_EC_POINT of the only public key, as the module gives it.
    pub fn ec_point(&self) -> Vec<u8> {
        let found = self
            .session
            .get_attributes(self.public_key(), &[AttributeType::EcPoint]);
        let [Attribute::EcPoint(point)] = &found.unwrap()[..] else {
            panic!("no CKA_EC_POINT");
        };
        point.clone()
    }

    pub fn public_key(&self) -> ObjectHandle {
        let class = Attribute::Class(ObjectClass::PUBLIC_KEY);
        self.session.find_objects(&[class]).unwrap()[0]
    }

    /// Leaves the module as it was before anybody initialized it.
    pub fn close(self) {
        drop(self.session);
        self.module.finalize().unwrap();
    }

    pub fn generate_ec(&self, label: &str, id: &[u8], curve: &str) -> ObjectHandle {
        let curve = ObjectIdentifier::new(curve).unwrap().to_der().unwrap();
        self.generate(
            label,
            id,
            &Mechanism::EccKeyPairGen,
            vec![Attribute::EcParams(curve)],
            Vec::new(),
        )
    }

    pub fn generate_rsa(&self, label: &str, id: &[u8], bits: u64) -> ObjectHandle {
        self.generate_rsa_with(label, id, bits, Vec::new())
    }

    pub fn generate_rsa_with(
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

pub struct Ca {
    key: p256::ecdsa::SigningKey,
    certificate: Vec<u8>,
}

impl Ca {
    pub fn new() -> Self {
        let key = p256::ecdsa::SigningKey::from_slice(&[0x42; 32]).unwrap();
        let spki = SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).unwrap();
        let certificate = build(Profile { ca: true }, spki, &key);
        Self { key, certificate }
    }

    pub fn issue(&self, spki: &[u8]) -> Vec<u8> {
        build(
            Profile { ca: false },
            SubjectPublicKeyInfoOwned::from_der(spki).unwrap(),
            &self.key,
        )
    }

    pub fn roots(&self) -> RootCertStore {
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
        let name = GeneralName::DnsName(Ia5String::new(super::NAME)?);
        Ok(vec![
            KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(subject, &[])?,
            SubjectAltName(vec![name]).to_extension(subject, &[])?,
        ])
    }
}
