//! Writes the seeds of the fuzz targets to `fuzz/corpus/TARGET/`, from the vectors and from keys,
//! certificates and messages made for it. Run it once a target or a vector file is added:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seed`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use shangmi::pki::{Leaf, Request, key};
use shangmi::sm2::SecretKey;
use shangmi_fuzz::{deliver, pair, sent};

fn main() {
    let secret = SecretKey::from_bytes(&[7; 32]).unwrap();
    points_signatures_and_ciphertexts();
    key_files(&secret);
    certificates(&secret);
    handshakes();
    tickets();
    uris();
    vector_sets();
}

fn points_signatures_and_ciphertexts() {
    for file in ["sm2_edge.json", "sm2_encrypt.json", "sm2_sign.json"] {
        let text = fs::read_to_string(root().join("../vectors").join(file)).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let fields = [
                ("p", "sm2_point"),
                ("der", "sm2_signature"),
                ("c1c3c2", "sm2_ciphertext"),
                ("asn1", "sm2_ciphertext"),
            ];
            for (field, target) in fields {
                if let Some(hex) = case[field].as_str() {
                    keep(target, &unhex(hex));
                }
            }
        }
    }
}

fn key_files(secret: &SecretKey) {
    let (pkcs8, sec1) = (
        key::to_pkcs8_der(secret).unwrap(),
        key::to_sec1_der(secret).unwrap(),
    );
    keep("key_file", &pkcs8);
    keep("key_file", &sec1);
    keep("key_file", key::to_pkcs8_pem(secret).unwrap().as_bytes());
    keep(
        "key_file",
        &key::public_key_to_spki(secret.public_key()).unwrap(),
    );
}

fn certificates(secret: &SecretKey) {
    let ca = shangmi_fuzz::ca("Example CA");
    let leaf = Leaf::server("server.example").ip([127, 0, 0, 1].into());
    let (root, server) = (
        ca.certificate(),
        ca.issue(&leaf, secret.public_key()).unwrap(),
    );
    let request = Request::new(&leaf, secret).unwrap();
    keep("certificate", root.as_der());
    keep("certificate", server.as_der());
    keep("certificate", request.as_der());
    keep("certificate", request.to_pem().unwrap().as_bytes());
    keep(
        "certificate",
        (server.to_pem().unwrap() + &root.to_pem().unwrap()).as_bytes(),
    );
}

/// A ClientHello, a server's first flight, and alterations of either.
fn handshakes() {
    let (mut client, mut server) = pair();
    let hello = sent(&mut client);
    keep("tls_handshake", &[&[0], &hello[..]].concat());
    deliver(&mut server, &hello).unwrap();
    keep("tls_handshake", &[&[1], &sent(&mut server)[..]].concat());
    keep("tls_handshake", &[2]);
    for flight in 0..3 {
        for offset in (0..hello.len() as u16).step_by(40) {
            let [high, low] = offset.to_be_bytes();
            keep("tls_handshake", &[2, flight, high, low, 0x20]);
        }
    }
    // Plaintext of the server's flight, of the client's and of a ticket: a byte cut, put, replaced
    keep("tls_handshake", &[3]);
    for (flight, length) in [(0, 610_u16), (1, 524), (2, 160)] {
        for offset in (0..length).step_by(15) {
            let [high, low] = offset.to_be_bytes();
            keep("tls_handshake", &[3, flight, high, low, 1, 0]);
            keep("tls_handshake", &[3, flight, high, low, 0, 1, 0]);
            keep("tls_handshake", &[3, flight, high, low, 1, 1, 0x20]);
        }
    }
}

/// Alterations of each part of a ticket: name, nonce, session, tag, length.
fn tickets() {
    for edit in [
        [0, 0],
        [0, 1],
        [16, 1],
        [28, 1],
        [60, 1],
        [255, 16],
        [255, 44],
        [255, 73],
    ] {
        keep("session_ticket", &edit);
    }
}

/// The examples of RFC 7512, 3, and what an operator of an HSM would write.
fn uris() {
    for uri in [
        "pkcs11:",
        "pkcs11:object=my-pubkey;type=public",
        "pkcs11:object=my-key;type=private?pin-source=file:/etc/token",
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin",
        "pkcs11:object=my-sign-key;type=private?module-name=mypkcs11",
        "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1",
        "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.?pin-value=the-pin",
        "pkcs11:slot-description=Sun%20Metaslot",
        "pkcs11:library-description=Soft%20Token%20Library;library-version=1.23",
        "pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06",
        "pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert",
        "pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1;object=my-certificate;type=cert",
        "pkcs11:token=my-token;object=my-certificate;type=cert;vendor-aaa=value-a?pin-source=file:/etc/token_pin&vendor-bbb=value-b",
        "pkcs11:token=bank;object=server?module-path=/usr/lib/libCryptoki2_64.so&pin-source=file:/run/secrets/pin",
        "pkcs11:token=t;object=o?module-path=/m.so&x-profile=luna&x-user=crypto-user&pin-source=|/bin/pin%20-x%20y",
        "pkcs11:?x-profile=ibm-ep11&x-user=0x80000003&pin-source=env:BANK_PIN",
        "pkcs11:?x-profile=sansec&x-user=user&pin-source=%7C/p",
        "pkcs11:?x-profile=tass&pin-value=1",
    ] {
        keep("pkcs11_uri", uri.as_bytes());
    }
}

/// From each set of NIST's server and of our own, one case of each group that is not long.
fn vector_sets() {
    for file in fs::read_dir(root().join("../vectors/acvp")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        if !name.ends_with(".request.json") || name.contains("cavp") {
            continue;
        }
        let file: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let sets = match file {
            Value::Array(sets) => sets,
            set => vec![set],
        };
        for set in sets {
            for group in set["testGroups"].as_array().unwrap_or(&Vec::new()) {
                let (mut set, mut group) = (set.clone(), group.clone());
                group["tests"] = Value::Array(vec![group["tests"][0].take()]);
                set["testGroups"] = Value::Array(vec![group]);
                let seed = set.to_string();
                if seed.len() < 2000 {
                    keep("acvp", seed.as_bytes());
                }
            }
        }
    }
}

/// Writes one seed under a name that its content gives.
fn keep(target: &str, seed: &[u8]) {
    let folder = root().join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    let name: String = shangmi::sm3::digest(seed)[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    fs::write(folder.join(name), seed).unwrap();
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}
