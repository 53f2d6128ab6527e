//! Runs the vector sets in `vectors/acvp/` (its README says where they come from), and the command
//! `shangmi acvp` on them. What a set's answers must be is in a file beside it.
#![cfg(feature = "acvp")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use shangmi::acvp;

/// Every set, and how many cases it has.
const SETS: &[(&str, usize)] = &[
    ("aes_gcm", 20),
    ("aes_gcm_cavp", 1500),
    ("ctr_drbg", 4),
    ("ctr_drbg_cavp", 360),
    ("ecdsa_sigver", 4),
    ("ecdsa_sigver_cavp", 60),
    ("hash_drbg_cavp", 120),
    ("hmac_drbg", 2),
    ("hmac_drbg_cavp", 120),
    ("hmac_hkdf_sm3", 19),
    ("hmac_sha2_256", 20),
    ("hmac_sha2_384", 20),
    ("sha2_256", 2),
    ("sha2_256_cavp", 130),
    ("sha2_384", 2),
    ("sha2_384_cavp", 130),
    ("sm2", 207),
    ("sm3", 17),
    ("sm4", 26),
    ("sm4_aead", 52),
    ("tls13_kdf", 24),
    ("tls13_kdf_sm3", 12),
];

/// Sets of AES modes that are no service of this module: unit tests of `src/acvp/tests.rs` show with
/// them that the Monte Carlo tests of SM4 are those of AES.
const OF_UNIT_TESTS: &[&str] = &["aes_cbc", "aes_ecb"];

#[test]
fn every_set_gives_the_expected_answers() {
    for (set, cases) in SETS {
        let (request, expected) = (read(set, "request"), read(set, "expected"));
        let response = acvp::run(&request).unwrap_or_else(|error| panic!("{set}: {error}"));
        let comparison = acvp::compare(&response, &expected).unwrap();
        assert!(
            comparison.differences.is_empty(),
            "{set}: {:#?}",
            comparison.differences
        );
        assert_eq!(comparison.cases, *cases, "{set}");
        println!("\nacvp {set} {cases}");
    }
}

fn read(set: &str, kind: &str) -> String {
    fs::read_to_string(folder().join(format!("{set}.{kind}.json"))).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/acvp")
}

#[test]
fn every_file_belongs_to_a_set() {
    let files = fs::read_dir(folder()).unwrap();
    let found: BTreeSet<_> = files.map(|file| file.unwrap().file_name()).collect();
    let mut expected = BTreeSet::from(["README.md".into()]);
    let sets = SETS.iter().map(|(set, _)| set);
    for set in sets.chain(OF_UNIT_TESTS) {
        expected.extend(["request", "expected"].map(|kind| format!("{set}.{kind}.json").into()));
    }
    assert_eq!(found, expected);
}

/// The example in the document, which a laboratory would try first.
#[test]
fn the_documents_example_is_answered_as_it_says() {
    let document = include_str!("../docs/acvp.md");
    let mut blocks = document
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let (request, response) = (blocks.next().unwrap(), blocks.next().unwrap());
    assert_eq!(acvp::run(request).unwrap(), response);
    assert_eq!(blocks.next(), None);
}

/// A request with random answers: they are right if this module's verification says so, and not the
/// same twice.
#[test]
fn random_answers_are_verified() {
    let asked = r#"[{"algorithm": "SM2", "mode": "sigGen", "testGroups": [{"tgId": 1, "testType": "AFT",
        "tests": [{"tcId": 1, "d": "0123", "message": "616263"}]}]},
        {"algorithm": "SM2", "mode": "keyGen", "testGroups": [{"tgId": 1, "testType": "AFT",
        "tests": [{"tcId": 1}, {"tcId": 2}]}]}]"#;
    let answer =
        |request: &str| -> Value { serde_json::from_str(&acvp::run(request).unwrap()).unwrap() };
    let found = answer(asked);
    let mut signature = found[0]["testGroups"][0]["tests"][0].clone();
    let generated = &found[1]["testGroups"][0]["tests"];
    assert_ne!(generated[0]["d"], generated[1]["d"]);
    let again = answer(asked);
    assert_ne!(again[0]["testGroups"][0]["tests"][0]["r"], signature["r"]);

    signature["message"] = "616263".into();
    let set = |mode: &str, case: Value| {
        let groups = json!([{ "tgId": 1, "testType": "AFT", "tests": [case] }]);
        json!({ "algorithm": "SM2", "mode": mode, "testGroups": groups }).to_string()
    };
    let verified = answer(&set("sigVer", signature));
    let verdict = &verified["testGroups"][0]["tests"][0]["testPassed"];
    assert_eq!(*verdict, true);
    let of_d = answer(&set("keyGen", json!({ "tcId": 1, "d": generated[0]["d"] })));
    let of_d = &of_d["testGroups"][0]["tests"][0];
    assert_eq!(of_d["qx"], generated[0]["qx"]);
    assert_eq!(of_d["qy"], generated[0]["qy"]);
}

#[cfg(feature = "cli")]
mod command {
    use std::process::{Command, Output};

    use super::*;

    fn shangmi(arguments: &[&str]) -> Output {
        let command = Command::new(env!("CARGO_BIN_EXE_shangmi"))
            .arg("acvp")
            .args(arguments)
            .output();
        command.unwrap()
    }

    fn path(set: &str, kind: &str) -> String {
        let path = folder().join(format!("{set}.{kind}.json"));
        path.to_str().unwrap().to_owned()
    }

    #[test]
    fn run_writes_the_response_and_check_compares_it() {
        let (request, expected) = (path("sm2", "request"), path("sm2", "expected"));
        let printed = shangmi(&["run", &request]);
        assert!(printed.status.success());
        let printed = String::from_utf8(printed.stdout).unwrap();
        let text = fs::read_to_string(&expected).unwrap();
        assert_eq!(acvp::compare(&printed, &text).unwrap().cases, 207);

        let output = std::env::temp_dir().join(format!("acvp-{}.json", std::process::id()));
        let file = output.to_str().unwrap();
        let run = shangmi(&["run", &request, "--output", file]);
        assert!(run.status.success() && run.stdout.is_empty());
        assert_eq!(fs::read_to_string(&output).unwrap(), printed);

        let check = shangmi(&["check", &request, &expected]);
        assert_eq!(check.status.code(), Some(0));
        assert_eq!(check.stdout, b"207 cases, 0 differences\n");
        fs::remove_file(&output).unwrap();
    }

    #[test]
    fn a_wrong_answer_ends_with_1_and_names_its_case() {
        let check = shangmi(&[
            "check",
            &path("hmac_sha2_256", "request"),
            &path("sm3", "expected"),
        ]);
        assert_eq!(check.status.code(), Some(1));

        let expected = fs::read_to_string(path("sha2_256", "expected")).unwrap();
        let at = expected.find("\"md\": \"").unwrap() + 7;
        let wrong = format!("{}{}{}", &expected[..at], "00", &expected[at + 2..]);
        let file = std::env::temp_dir().join(format!("acvp-wrong-{}.json", std::process::id()));
        fs::write(&file, wrong).unwrap();
        let check = shangmi(&[
            "check",
            &path("sha2_256", "request"),
            file.to_str().unwrap(),
        ]);
        fs::remove_file(&file).unwrap();
        assert_eq!(check.status.code(), Some(1));
        assert_eq!(
            String::from_utf8(check.stdout).unwrap(),
            "vector set 397284, group 1, case 11: `md` is not the expected one\n2 cases, 1 differences\n"
        );
    }

    #[test]
    fn what_is_refused_ends_with_1_and_writes_nothing() {
        let readme = folder().join("README.md");
        let run = shangmi(&["run", readme.to_str().unwrap()]);
        assert_eq!(run.status.code(), Some(1));
        assert!(run.stdout.is_empty());
        assert!(
            String::from_utf8(run.stderr)
                .unwrap()
                .contains("README.md: request: not JSON")
        );
        assert_eq!(shangmi(&["run", "/nowhere"]).status.code(), Some(1));
        assert_eq!(shangmi(&["run"]).status.code(), Some(2));
    }
}
