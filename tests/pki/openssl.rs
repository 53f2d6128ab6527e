//! OpenSSL's command line (3.0 or later) reads what we write, and we read what it writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use shangmi::pki::{
    Ca, Certificate, Error, Item, Leaf, Purpose, Request, SignatureFault, Validity,
    allows_digital_signature, certificate_public_key, key,
};

use super::{new_ca, new_key};

const DISTID: &str = "distid:1234567812345678";

/// A folder for one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pki-{name}"));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.0.join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    /// Runs openssl with these words in the folder; its output, once it has succeeded.
    fn openssl(&self, arguments: &str) -> String {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .env("OPENSSL_CONF", "/dev/null")
            .output()
            .expect("this test needs the openssl command: apt-get install openssl");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "openssl {arguments}: {text}");
        text
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn we_read_its_keys() {
    let folder = Folder::new("its-keys");
    folder.openssl("ecparam -name SM2 -genkey -out with-parameters.pem");
    folder.openssl("pkcs8 -topk8 -nocrypt -in with-parameters.pem -out pkcs8.pem");
    folder.openssl("pkcs8 -topk8 -nocrypt -in with-parameters.pem -outform DER -out pkcs8.der");
    folder.openssl("ec -in with-parameters.pem -out sec1.pem");
    folder.openssl("ec -in with-parameters.pem -outform DER -out sec1.der");
    folder.openssl("ec -in with-parameters.pem -conv_form compressed -out compressed.pem");
    folder.openssl("ec -in with-parameters.pem -no_public -out no-public.pem");
    folder.openssl("ec -in with-parameters.pem -pubout -outform DER -out public.der");

    // Versions before 3.0 label the same content so.
    let sec1 = String::from_utf8(folder.read("sec1.pem")).unwrap();
    let labelled = sec1.replace("SM2 PRIVATE KEY", "EC PRIVATE KEY");
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqgRzPVQGCLQ==\n-----END EC PARAMETERS-----\n";
    folder.write("older.pem", [parameters, &labelled].concat());

    let public = key::public_key_from_spki(&folder.read("public.der")).unwrap();
    for name in [
        "with-parameters.pem",
        "older.pem",
        "pkcs8.pem",
        "sec1.pem",
        "compressed.pem",
        "no-public.pem",
    ] {
        let secret = key::from_pem(&folder.read(name)).unwrap();
        assert_eq!(secret.public_key(), &public, "{name}");
    }
    for name in ["pkcs8.der", "sec1.der"] {
        let secret = key::from_der(&folder.read(name)).unwrap();
        assert_eq!(secret.public_key(), &public, "{name}");
    }
}

#[test]
fn it_reads_our_keys() {
    let folder = Folder::new("our-keys");
    let secret = new_key();
    folder.write("pkcs8.pem", key::to_pkcs8_pem(&secret).unwrap().as_bytes());
    folder.write("pkcs8.der", key::to_pkcs8_der(&secret).unwrap());
    folder.write("sec1.der", key::to_sec1_der(&secret).unwrap());
    let public = key::public_key_to_spki(secret.public_key()).unwrap();
    folder.write("public.der", &public);
    for input in ["pkcs8.pem", "pkcs8.der -inform DER", "sec1.der -inform DER"] {
        folder.openssl(&format!("pkey -in {input} -check -noout"));
        folder.openssl(&format!(
            "pkey -in {input} -pubout -outform DER -out read.der"
        ));
        assert_eq!(folder.read("read.der"), public, "{input}");
    }
    folder.openssl("pkey -pubin -in public.der -inform DER -pubcheck -noout");

    // Byte for byte what it would write itself
    folder.openssl("pkcs8 -topk8 -nocrypt -in pkcs8.pem -outform DER -out its-pkcs8.der");
    assert_eq!(
        folder.read("its-pkcs8.der"),
        &*key::to_pkcs8_der(&secret).unwrap()
    );
    folder.openssl("ec -in pkcs8.pem -outform DER -out its-sec1.der");
    assert_eq!(
        folder.read("its-sec1.der"),
        &*key::to_sec1_der(&secret).unwrap()
    );
}

#[test]
fn other_keys_are_refused_by_name() {
    let folder = Folder::new("other-keys");
    for (options, names) in [
        (
            "EC -pkeyopt ec_paramgen_curve:P-256",
            "P-256 (1.2.840.10045.3.1.7)",
        ),
        ("EC -pkeyopt ec_paramgen_curve:secp256k1", "secp256k1"),
        ("ED25519", "Ed25519 (1.3.101.112)"),
        ("RSA -pkeyopt rsa_keygen_bits:1024", "RSA"),
    ] {
        folder.openssl(&format!("genpkey -algorithm {options} -out key.pem"));
        let mut files = vec!["key.pem"];
        if options != "ED25519" {
            folder.openssl("pkey -in key.pem -traditional -out traditional.pem");
            files.push("traditional.pem");
        }
        for file in files {
            let error = key::from_pem(&folder.read(file)).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::UnsupportedAlgorithm {
                        item: Item::PrivateKey,
                        ..
                    } | Error::UnsupportedCurve {
                        item: Item::PrivateKey,
                        ..
                    }
                ),
                "{options}: {error}"
            );
            assert!(error.to_string().contains(names), "{options}: {error}");
        }
    }
}

#[test]
fn encrypted_keys_are_refused_with_advice() {
    let folder = Folder::new("encrypted");
    folder.openssl("ecparam -name SM2 -genkey -noout -out key.pem");
    folder.openssl("pkcs8 -topk8 -in key.pem -passout pass:secret -out pkcs8.pem");
    folder.openssl("pkcs8 -topk8 -in key.pem -passout pass:secret -outform DER -out pkcs8.der");
    folder.openssl("ec -in key.pem -aes128 -passout pass:secret -out traditional.pem");
    for error in [
        key::from_pem(&folder.read("pkcs8.pem")).unwrap_err(),
        key::from_der(&folder.read("pkcs8.der")).unwrap_err(),
        key::from_pem(&folder.read("traditional.pem")).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Encrypted));
        assert!(error.to_string().contains("openssl pkey -in key.pem"));
    }
}

#[test]
fn curves_that_are_spelled_out_are_refused() {
    let folder = Folder::new("explicit");
    folder.openssl("ecparam -name SM2 -genkey -noout -out key.pem");
    let original = key::from_pem(&folder.read("key.pem")).unwrap();
    folder.openssl("ec -in key.pem -param_enc explicit -out sec1.pem");
    folder.openssl("ec -in key.pem -param_enc explicit -no_public -out no-public.pem");
    folder.openssl("pkcs8 -topk8 -nocrypt -in sec1.pem -out pkcs8.pem");
    for file in ["sec1.pem", "no-public.pem", "pkcs8.pem"] {
        let error = key::from_pem(&folder.read(file)).unwrap_err();
        assert!(
            matches!(
                error,
                Error::ExplicitCurve {
                    item: Item::PrivateKey
                }
            ),
            "{file}: {error}"
        );
        // What it advises helps.
        let cure = "ec -in key.pem -param_enc named_curve -out named.pem";
        assert!(error.to_string().contains(cure), "{file}: {error}");
        folder.openssl(&cure.replace("key.pem", file));
        let named = key::from_pem(&folder.read("named.pem")).unwrap();
        assert_eq!(named.public_key(), original.public_key(), "{file}");
    }

    folder.openssl("ec -in sec1.pem -pubout -out public.pem");
    folder.openssl("ec -pubin -in public.pem -outform DER -out public.der");
    let error = key::public_key_from_spki(&folder.read("public.der")).unwrap_err();
    assert!(matches!(
        error,
        Error::ExplicitCurve {
            item: Item::PublicKey
        }
    ));
    let cure = "ec -pubin -in public.pem -param_enc named_curve -out named.pem";
    assert!(error.to_string().contains(cure), "{error}");
    folder.openssl(&format!("{cure} -outform DER"));
    let named = key::public_key_from_spki(&folder.read("named.pem")).unwrap();
    assert_eq!(&named, original.public_key());

    let make = "req -x509 -new -key sec1.pem -sm3 -subj /CN=Theirs";
    folder.openssl(&format!("{make} -sigopt {DISTID} -out certificate.pem"));
    assert!(matches!(
        Certificate::from_pem(&folder.read("certificate.pem")),
        Err(Error::ExplicitCurve {
            item: Item::Certificate
        })
    ));
}

#[test]
fn it_verifies_our_chain() {
    let folder = Folder::new("our-chain");
    let root = new_ca();
    let below = root
        .subordinate("CN=Below,O=Example,C=CN", new_key(), Validity::days(100), 0)
        .unwrap();
    let leaf = Leaf::server("localhost").ip([127, 0, 0, 1].into());
    let leaf = below.issue(&leaf, new_key().public_key()).unwrap();
    folder.write("root.pem", root.certificate().to_pem().unwrap());
    folder.write("below.pem", below.certificate().to_pem().unwrap());
    folder.write("leaf.pem", leaf.to_pem().unwrap());
    // -vfyopt reaches the first certificate only, so each step by itself
    let server = "-purpose sslserver -verify_hostname localhost -verify_ip 127.0.0.1";
    for (anchor, more, file) in [
        ("root.pem", "", "below.pem"),
        ("below.pem -partial_chain", server, "leaf.pem"),
    ] {
        let verify = format!("verify -x509_strict -CAfile {anchor} {more}");
        let text = folder.openssl(&format!("{verify} -vfyopt {DISTID} {file}"));
        assert_eq!(text, format!("{file}: OK\n"));
    }
    let text = folder.openssl("x509 -in leaf.pem -noout -text -nameopt RFC2253");
    for line in [
        "Signature Algorithm: SM2-with-SM3",
        "Issuer: CN=Below,O=Example,C=CN",
        "DNS:localhost, IP Address:127.0.0.1",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
}

#[test]
fn we_verify_its_certificates() {
    let folder = Folder::new("its-certificates");
    folder.openssl("ecparam -name SM2 -genkey -noout -out key.pem");
    let make = "req -x509 -new -key key.pem -sm3 -subj /C=CN/CN=Theirs -days 30";
    folder.openssl(&format!("{make} -sigopt {DISTID} -out good.pem"));
    folder.openssl(&format!("{make} -sigopt distid: -out empty-id.pem"));
    folder.openssl(&format!("{make} -sigopt distid:other -out other-id.pem"));
    folder.openssl(&format!(
        "{make} -sigopt {DISTID} -outform DER -out good.der"
    ));

    let good = Certificate::from_pem(&folder.read("good.pem")).unwrap();
    assert_eq!(good.subject(), "CN=Theirs,C=CN");
    good.verify_signature(good.public_key()).unwrap();
    let der = folder.read("good.der");
    assert_eq!(&certificate_public_key(&der).unwrap(), good.public_key());
    assert!(allows_digital_signature(&der).unwrap());

    for (file, expected) in [
        ("empty-id.pem", SignatureFault::EmptyId),
        ("other-id.pem", SignatureFault::Mismatch),
    ] {
        let certificate = Certificate::from_pem(&folder.read(file)).unwrap();
        match certificate.verify_signature(certificate.public_key()) {
            Err(Error::BadSignature { fault, .. }) => assert_eq!(fault, expected, "{file}"),
            other => panic!("{file}: {other:?}"),
        }
    }
}

#[test]
fn certificates_with_other_keys_are_refused_by_name() {
    let folder = Folder::new("other-certificates");
    for (options, name) in [("ec:params.pem", "P-256"), ("rsa:1024", "RSA")] {
        folder.openssl("ecparam -name prime256v1 -out params.pem");
        folder.openssl(&format!(
            "req -x509 -newkey {options} -nodes -keyout key.pem -subj /CN=Other -out other.pem"
        ));
        folder.openssl("x509 -in other.pem -outform DER -out other.der");
        let der = folder.read("other.der");
        for error in [
            Certificate::from_pem(&folder.read("other.pem")).unwrap_err(),
            certificate_public_key(&der).unwrap_err(),
        ] {
            assert!(error.to_string().starts_with("certificate: "), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        // Of any algorithm, and here without a KeyUsage
        assert!(allows_digital_signature(&der).unwrap());
    }
}

#[test]
fn it_verifies_our_request_and_we_its() {
    let folder = Folder::new("requests");
    let leaf = Leaf::server("localhost").subject("CN=localhost,O=示例,C=CN");
    let ours = Request::new(&leaf, &new_key()).unwrap();
    folder.write("ours.pem", ours.to_pem().unwrap());
    folder.openssl(&format!("req -in ours.pem -noout -verify -vfyopt {DISTID}"));

    folder.openssl("ecparam -name SM2 -genkey -noout -out key.pem");
    let make = "req -new -key key.pem -sm3 -subj /O=Theirs/CN=example.cn";
    folder.openssl(&format!("{make} -sigopt {DISTID} -out plain.pem"));
    folder.openssl(&format!(
        "{make} -sigopt {DISTID} -addext subjectAltName=DNS:example.cn,IP:::1 -out names.pem"
    ));
    folder.openssl(&format!(
        "{make} -sigopt {DISTID} -addext subjectAltName=email:a@b.cn -out email.pem"
    ));
    folder.openssl(&format!("{make} -sigopt distid: -out empty-id.pem"));

    let root_key = new_key();
    folder.write(
        "root-key.pem",
        key::to_pkcs8_pem(&root_key).unwrap().as_bytes(),
    );
    let ca = Ca::self_signed("CN=Root", root_key, Validity::days(10)).unwrap();
    folder.write("root.pem", ca.certificate().to_pem().unwrap());
    for (file, names) in [
        ("plain.pem", None),
        ("names.pem", Some("DNS:example.cn, IP Address:0:0")),
    ] {
        let request = Request::from_pem(&folder.read(file)).unwrap();
        assert_eq!(request.subject(), "CN=example.cn,O=Theirs");
        let issued = ca.issue_from_request(&request, Purpose::Server).unwrap();
        folder.write("issued.pem", issued.to_pem().unwrap());
        folder.openssl(&format!(
            "verify -CAfile root.pem -vfyopt {DISTID} issued.pem"
        ));
        let text = folder.openssl("x509 -in issued.pem -noout -text");
        assert_eq!(text.contains("Alternative Name"), names.is_some());
        assert!(text.contains(names.unwrap_or_default()));
    }
    let email = Request::from_pem(&folder.read("email.pem")).unwrap();
    assert!(matches!(
        ca.issue_from_request(&email, Purpose::Client),
        Err(Error::Profile {
            item: Item::Request,
            ..
        })
    ));
    assert!(matches!(
        Request::from_pem(&folder.read("empty-id.pem")),
        Err(Error::BadSignature {
            item: Item::Request,
            fault: SignatureFault::EmptyId
        })
    ));

    // It issues on our request, with our CA.
    folder.openssl(&format!(
        "x509 -req -in ours.pem -CA root.pem -CAkey root-key.pem -CAcreateserial -sm3 \
         -vfyopt {DISTID} -sigopt {DISTID} -out theirs.pem"
    ));
    let theirs = Certificate::from_pem(&folder.read("theirs.pem")).unwrap();
    assert_eq!(theirs.subject(), "CN=localhost,O=示例,C=CN");
    theirs
        .verify_signature(ca.certificate().public_key())
        .unwrap();
}
