//! Runs the edge cases of `vectors/wycheproof/` (its README describes them) through the public
//! interface, and through RustCrypto's crates, so that the README's table of what others get wrong
//! stays true.

// Helpers of a test are test code, which clippy sees in `#[test]` functions only.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "edge_cases/file.rs"]
mod file;
#[path = "edge_cases/rustcrypto.rs"]
mod rustcrypto;
#[path = "edge_cases/schema.rs"]
mod schema;
#[path = "edge_cases/sm2.rs"]
mod sm2;
#[path = "edge_cases/symmetric.rs"]
mod symmetric;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use file::{Tally, judge};

/// What else lies in the folder.
const OTHERS: [&str; 6] = [
    ".gitignore",
    "README.md",
    "generate.py",
    "generator",
    "judge.py",
    "schemas",
];

#[test]
fn every_edge_case() {
    let mut ran = BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if OTHERS.contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(folder().join(&name)).unwrap();
        let tally = run_file(&name, &text);
        // On a line of its own, whatever libtest is printing.
        println!("\nvectors wycheproof/{name} {}", tally.cases);
        let accepted = tally.acceptable_accepted;
        assert_eq!(
            (tally.cases, accepted, tally.inexpressible),
            expected_counts(&name),
            "{name}: cases, accepted ones of the acceptable, and those for other sizes"
        );
        assert!(
            tally.disagreements.is_empty(),
            "{name}: {:#?}",
            tally.disagreements
        );
        ran.insert(name);
    }
    // A file that disappears must not make the test pass faster.
    assert_eq!(ran.len(), 9, "files in vectors/wycheproof/: {ran:?}");
}

#[test]
fn every_file_has_the_form_of_its_schema() {
    let mut checked = 0;
    for name in ["sm2_verify", "sm2_encrypt", "sm2_key_agreement"] {
        let file = serde_json::from_str(&text_of(&format!("{name}_test.json"))).unwrap();
        schema::check(&folder().join("schemas"), &file);
        checked += 1;
    }
    assert_eq!(checked, 3);
}

/// How many cases a file has, how many acceptable ones the library accepts, and how many it cannot
/// express: the nonce of an AEAD of TLS has 12 bytes.
fn expected_counts(name: &str) -> (usize, usize, usize) {
    match name {
        // Compressed keys are read, hybrid ones are not.
        "sm2_verify_test.json" => (1202, 2, 0),
        "sm2_ecdh_test.json" => (575, 5, 0),
        "sm2_key_agreement_test.json" => (450, 2, 0),
        "sm2_encrypt_test.json" => (672, 0, 0),
        "sm4_gcm_test.json" => (617, 0, 33),
        "sm4_ccm_test.json" => (553, 0, 0),
        "sm4_cbc_pkcs5_test.json" => (466, 0, 0),
        "hmac_sm3_test.json" => (636, 0, 0),
        "hkdf_sm3_test.json" => (127, 1, 0),
        _ => panic!("no test knows vectors/wycheproof/{name}"),
    }
}

fn run_file(name: &str, text: &str) -> Tally {
    match name {
        "sm2_verify_test.json" => judge(text, sm2::VERIFY, sm2::verify),
        "sm2_encrypt_test.json" => judge(text, sm2::DECRYPT, sm2::decrypt),
        "sm2_ecdh_test.json" => judge(text, sm2::ECDH, sm2::ecdh),
        "sm2_key_agreement_test.json" => judge(text, sm2::AGREEMENT, sm2::agreement),
        "sm4_gcm_test.json" => judge(
            text,
            symmetric::GCM,
            symmetric::aead::<shangmi::sm4::Sm4Gcm>,
        ),
        "sm4_ccm_test.json" => judge(
            text,
            symmetric::CCM,
            symmetric::aead::<shangmi::sm4::Sm4Ccm>,
        ),
        "sm4_cbc_pkcs5_test.json" => judge(text, symmetric::CBC, symmetric::cbc),
        "hmac_sm3_test.json" => judge(text, symmetric::HMAC, symmetric::hmac),
        "hkdf_sm3_test.json" => judge(text, symmetric::HKDF, symmetric::hkdf),
        _ => panic!("no test knows vectors/wycheproof/{name}"),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/wycheproof")
}

fn text_of(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

#[test]
#[should_panic(expected = "no test knows")]
fn an_unknown_file_fails() {
    run_file("md5_test.json", "{}");
}

#[test]
#[should_panic(expected = "missing field")]
fn a_missing_field_fails() {
    run_file(
        "hmac_sm3_test.json",
        &text_of("hmac_sm3_test.json").replacen("\"tag\"", "\"comment\"", 1),
    );
}

#[test]
#[should_panic(expected = "unknown field")]
fn an_unknown_field_fails() {
    let text = text_of("hkdf_sm3_test.json").replacen("\"ikm\"", "\"password\": \"\", \"ikm\"", 1);
    run_file("hkdf_sm3_test.json", &text);
}

#[test]
#[should_panic(expected = "has no cases")]
fn an_empty_file_fails() {
    run_file(
        "hmac_sm3_test.json",
        r#"{"algorithm": "HMACSM3", "schema": "mac_test_schema_v1.json", "numberOfTests": 0,
            "header": [""], "notes": {}, "testGroups": []}"#,
    );
}

#[test]
fn a_wrong_result_is_seen() {
    let name = "sm2_ecdh_test.json";
    let text = text_of(name);
    for changed in [
        text.replacen("\"result\": \"invalid\"", "\"result\": \"valid\"", 1),
        text.replacen("\"result\": \"valid\"", "\"result\": \"invalid\"", 1),
        // A wrong answer in the first case.
        text.replacen("\"shared\": \"", "\"shared\": \"00", 1),
    ] {
        assert_eq!(run_file(name, &changed).disagreements.len(), 1);
    }
}
