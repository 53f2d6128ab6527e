//! Runs every known answer in `vectors/` (its README describes the format) in both directions.
//!
//! A file that is empty or unknown, a case with a field that nothing reads, a valid case that is
//! refused and an invalid one that is accepted all fail.

// Helpers of a test are test code, which clippy sees in `#[test]` functions only.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "vectors/case.rs"]
mod case;
#[path = "vectors/drbg.rs"]
mod drbg;
#[path = "vectors/sm2.rs"]
mod sm2;
#[path = "vectors/symmetric.rs"]
mod symmetric;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use case::run;

#[test]
fn every_known_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut ran = BTreeSet::new();
    for file in json_files(&folder) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        // On a line of its own, whatever libtest is printing.
        println!("\nvectors {name} {}", run_file(name, &text));
        ran.insert(name.to_owned());
    }
    // A file that disappears must not make the test pass faster.
    assert_eq!(ran.len(), 14, "files in vectors/: {ran:?}");
}

/// Runs the cases of one file and counts them.
fn run_file(name: &str, text: &str) -> usize {
    match name {
        "sm3.json" => run(text, "SM3", symmetric::sm3),
        "hmac_sm3.json" => run(text, "HMAC-SM3", symmetric::hmac),
        "hkdf_sm3.json" => run(text, "HKDF-SM3", symmetric::hkdf),
        "sm4.json" => run(text, "SM4", symmetric::block),
        "sm4_gcm.json" => run(text, "SM4-GCM", symmetric::aead::<shangmi::sm4::Sm4Gcm>),
        "sm4_ccm.json" => run(text, "SM4-CCM", symmetric::aead::<shangmi::sm4::Sm4Ccm>),
        "sm4_cbc.json" => run(text, "SM4-CBC", symmetric::cbc),
        "sm4_ctr.json" => run(text, "SM4-CTR", symmetric::ctr),
        "drbg_sm.json" => run(text, "DRBG on SM3 and SM4", drbg::answers),
        "sm2_sign.json" => run(text, "SM2 signature", sm2::signature),
        "sm2_encrypt.json" => run(text, "SM2 public-key encryption", sm2::encryption),
        "sm2_agreement.json" => run(text, "SM2 key agreement", sm2::agreement),
        "sm2_ecdh.json" => run(text, "SM2 ECDH", sm2::ecdh),
        "sm2_edge.json" => run(text, "SM2 edge cases", sm2::edge),
        _ => panic!("no test knows vectors/{name}"),
    }
}

/// Subfolders that a test of their own runs, each with its README.
const RUN_ELSEWHERE: [&str; 3] = ["acvp", "nist", "wycheproof"];

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name != "README.md" && !RUN_ELSEWHERE.contains(&name)
        })
        .collect();
    files.sort();
    files
}

#[test]
#[should_panic(expected = "no test knows")]
fn an_unknown_file_fails() {
    run_file("md5.json", r#"{"algorithm": "MD5", "cases": []}"#);
}

#[test]
#[should_panic(expected = "has no cases")]
fn an_empty_file_fails() {
    run_file("sm3.json", r#"{"algorithm": "SM3", "cases": []}"#);
}

#[test]
#[should_panic(expected = "unknown field")]
fn an_unknown_field_fails() {
    run_file(
        "sm3.json",
        r#"{"algorithm": "SM3", "cases": [
            {"source": "-", "comment": "-", "result": "valid", "m": "", "digest": "", "key": ""}]}"#,
    );
}

#[test]
#[should_panic(expected = "wrong digest")]
fn a_wrong_answer_fails() {
    run_file(
        "sm3.json",
        r#"{"algorithm": "SM3", "cases": [
            {"source": "-", "comment": "-", "result": "valid", "m": "00", "digest": "00"}]}"#,
    );
}

#[test]
#[should_panic(expected = "accepted")]
fn an_invalid_case_that_is_accepted_fails() {
    run_file(
        "hmac_sm3.json",
        r#"{"algorithm": "HMAC-SM3", "cases": [
            {"source": "GM/T 0042-2015 D.3", "comment": "a right MAC", "result": "invalid",
             "key": "4a656665", "m": "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
             "mac": "2e87f1d16862e6d964b50a5200bf2b10b764faa9680a296a2405f24bec39f882"}]}"#,
    );
}
