//! Runs the vector sets in `vectors/acvp/` (its README says where they come from), and the command
//! `shangmi acvp` on them. What a set's answers must be is in a file beside it.
#![cfg(feature = "acvp")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use shangmi::acvp;

/// Every set, and how many cases it has.
const SETS: &[(&str, usize)] = &[
    ("aes_gcm", 20),
    ("aes_gcm_cavp", 1500),
    ("ecdsa_sigver", 4),
    ("ecdsa_sigver_cavp", 60),
    ("hmac_sha2_256", 20),
    ("hmac_sha2_384", 20),
    ("sha2_256", 2),
    ("sha2_256_cavp", 130),
    ("sha2_384", 2),
    ("sha2_384_cavp", 130),
];

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
    for (set, _) in SETS {
        expected.extend(["request", "expected"].map(|kind| format!("{set}.{kind}.json").into()));
    }
    assert_eq!(found, expected);
}
