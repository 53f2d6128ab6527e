//! NIST's answers for the generators of SP 800-90A (`vectors/nist/`, whose README says where they come from), with
//! the primitives that NIST has: SHA-256 and AES. They prove the constructions that SM3 and SM4 run in.
//!
//! Every case of every section runs; a file that is missing, another number of cases, and a case that
//! is not as its section says all fail.

// Helpers of a test are test code, which clippy sees in `#[test]` functions only.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use aes::{Aes128, Aes192, Aes256};
use hmac::Hmac;
use sha2::Sha256;
use shangmi::random::{CtrDrbg, Drbg, DrbgError, HashDrbg, HmacDrbg, MAX_REQUEST};

/// Combinations of personalization string and additional input in a section, and cases of each.
const CASES: usize = 16 * 15;

const CIPHERS: [&str; 6] = [
    "AES-128 use df",
    "AES-192 use df",
    "AES-256 use df",
    "AES-128 no df",
    "AES-192 no df",
    "AES-256 no df",
];

#[test]
fn nist_answers() {
    let mut files = BTreeSet::new();
    let all = &["Hash_DRBG.rsp", "HMAC_DRBG.rsp", "CTR_DRBG.rsp"][..];
    for (folder, names) in [
        ("drbgvectors_no_reseed", all),
        ("drbgvectors_pr_false", &["CTR_DRBG.rsp"]),
        ("drbgvectors_pr_true", all),
    ] {
        for file in names {
            let sections = match *file {
                "CTR_DRBG.rsp" => &CIPHERS[..],
                _ => &["SHA-256"],
            };
            let path = folder_of_vectors().join(folder).join(file);
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let counts = run(file, &text);
            let expected: BTreeMap<_, _> = sections.iter().map(|name| (*name, CASES)).collect();
            assert_eq!(counts, expected, "{folder}/{file}");
            // On a line of its own, whatever libtest is printing.
            let count: usize = counts.values().sum();
            println!("\nvectors nist/{folder}/{file} {count}");
            files.insert(path);
        }
    }
    assert_eq!(files_below(&folder_of_vectors()), files);
}

#[test]
#[should_panic(expected = "wrong ReturnedBits")]
fn a_wrong_answer_fails() {
    let path = folder_of_vectors().join("drbgvectors_pr_true/HMAC_DRBG.rsp");
    let text = fs::read_to_string(path).unwrap();
    let (_, answer) = text.split_once("ReturnedBits = ").unwrap();
    let wrong = if answer.starts_with('0') { "1" } else { "0" };
    run(
        "HMAC_DRBG.rsp",
        &text.replacen(&answer[..64], &(wrong.to_owned() + &answer[1..64]), 1),
    );
}

#[test]
fn limits_are_kept() {
    limits::<HashDrbg<Sha256>>([32, 16]);
    limits::<HmacDrbg<Hmac<Sha256>>>([32, 16]);
    limits::<CtrDrbg<Aes128>>([16, 8]);
    limits::<CtrDrbg<Aes192>>([24, 12]);
    limits::<CtrDrbg<Aes256>>([32, 16]);
    limits::<CtrDrbg<Aes128, false>>([32, 0]);
    limits::<CtrDrbg<Aes192, false>>([40, 0]);
    limits::<CtrDrbg<Aes256, false>>([48, 0]);
}

/// With the sizes of entropy input and nonce of SP 800-90A Rev. 1, tables 2 and 3.
fn limits<D: Drbg>([entropy_len, nonce_len]: [usize; 2]) {
    assert_eq!((D::ENTROPY_LEN, D::NONCE_LEN), (entropy_len, nonce_len));
    let (entropy, nonce) = (vec![7; entropy_len], vec![9; nonce_len]);
    let short = &entropy[1..];
    assert_eq!(
        D::instantiate(short, &nonce, b"").err(),
        Some(DrbgError::EntropyTooShort)
    );
    if nonce_len > 0 {
        assert_eq!(
            D::instantiate(&entropy, &nonce[1..], b"").err(),
            Some(DrbgError::NonceTooShort)
        );
    }

    let mut drbg = D::instantiate(&entropy, &nonce, b"").unwrap();
    let mut untouched = D::instantiate(&entropy, &nonce, b"").unwrap();
    assert_eq!(drbg.reseed_counter(), 1);
    let mut out = vec![0xa5; MAX_REQUEST + 1];
    assert_eq!(drbg.generate(&mut out, b""), Err(DrbgError::RequestTooLong));
    assert_eq!(
        drbg.generate_reseeded(&entropy, &mut out, b""),
        Err(DrbgError::RequestTooLong)
    );
    assert_eq!(drbg.reseed(short, b""), Err(DrbgError::EntropyTooShort));
    assert_eq!(
        drbg.generate_reseeded(short, &mut out[..1], b""),
        Err(DrbgError::EntropyTooShort)
    );
    if D::MAX_INPUT < 100 {
        let long = vec![0; D::MAX_INPUT as usize + 1];
        let too_long = Err(DrbgError::InputTooLong);
        assert_eq!(D::instantiate(&long, &nonce, b"").err(), too_long.err());
        assert_eq!(D::instantiate(&entropy, b"x", b"").err(), too_long.err());
        assert_eq!(D::instantiate(&entropy, b"", &long).err(), too_long.err());
        assert_eq!(drbg.reseed(&long, b""), too_long);
        assert_eq!(drbg.reseed(&entropy, &long), too_long);
        assert_eq!(drbg.generate(&mut out[..1], &long), too_long);
    }
    // Nothing was written or changed by what was refused.
    assert!(out.iter().all(|&byte| byte == 0xa5));
    let (mut found, mut expected) = (vec![0; MAX_REQUEST], vec![0; MAX_REQUEST]);
    drbg.generate(&mut found, b"").unwrap();
    untouched.generate(&mut expected, b"").unwrap();
    assert_eq!(found, expected);
    assert_eq!(drbg.reseed_counter(), 2);

    drbg.reseed(&entropy, b"").unwrap();
    assert_eq!(drbg.reseed_counter(), 1);
    // An empty request counts too.
    drbg.generate(&mut [], b"").unwrap();
    assert_eq!(drbg.reseed_counter(), 2);
}

/// Runs the cases of one file and counts them by section.
fn run<'t>(file: &str, text: &'t str) -> BTreeMap<&'t str, usize> {
    let mut counts = BTreeMap::new();
    let (mut section, mut lens) = ("", BTreeMap::new());
    // Paragraphs are comments, heads of groups of cases, and cases.
    for paragraph in text.split("\n\n").map(str::trim) {
        if paragraph.starts_with('#') || paragraph.is_empty() {
            continue;
        }
        if paragraph.starts_with('[') {
            let mut lines = paragraph.lines().map(|line| line.trim_matches(['[', ']']));
            section = lines.next().unwrap();
            lens = lines.map(|line| line.split_once(" = ").unwrap()).collect();
            continue;
        }
        let case = Case::parse(paragraph, &lens);
        let returned = answer_of(file, section)(&case);
        assert_eq!(
            returned, case.returned_bits,
            "wrong ReturnedBits: {file}, {section}, {paragraph}"
        );
        *counts.entry(section).or_default() += 1;
    }
    counts
}

/// A case: a generator is made, perhaps reseeded, and asked twice for as many bytes as the second
/// request returned.
struct Case {
    entropy_input: Vec<u8>,
    nonce: Vec<u8>,
    personalization_string: Vec<u8>,
    reseed: Option<Reseed>,
    requests: [Request; 2],
    returned_bits: Vec<u8>,
}

struct Reseed {
    entropy_input: Vec<u8>,
    additional_input: Vec<u8>,
}

struct Request {
    additional_input: Vec<u8>,
    /// With prediction resistance.
    entropy_input: Option<Vec<u8>>,
}

impl Case {
    /// Reads the lines of a case, which come in the order of the operations; `lens` are of its group.
    fn parse(paragraph: &str, lens: &BTreeMap<&str, &str>) -> Self {
        let mut lines = Lines(paragraph.lines().map(line).collect(), lens);
        lines.take("COUNT");
        let case = Self {
            entropy_input: lines.hex("EntropyInput", "EntropyInputLen"),
            nonce: lines.hex("Nonce", "NonceLen"),
            personalization_string: lines.hex("PersonalizationString", "PersonalizationStringLen"),
            reseed: lines.has("EntropyInputReseed").then(|| Reseed {
                entropy_input: lines.hex("EntropyInputReseed", "EntropyInputLen"),
                additional_input: lines.hex("AdditionalInputReseed", "AdditionalInputLen"),
            }),
            requests: [(); 2].map(|()| Request {
                additional_input: lines.hex("AdditionalInput", "AdditionalInputLen"),
                entropy_input: (lens["PredictionResistance"] == "True")
                    .then(|| lines.hex("EntropyInputPR", "EntropyInputLen")),
            }),
            returned_bits: lines.hex("ReturnedBits", "ReturnedBitsLen"),
        };
        assert!(lines.0.is_empty(), "not read: {:?}", lines.0);
        case
    }
}

/// The lines of a case that are not read yet, and the lengths of its group.
struct Lines<'t>(VecDeque<(&'t str, &'t str)>, &'t BTreeMap<&'t str, &'t str>);

fn line(text: &str) -> (&str, &str) {
    let (name, value) = text.split_once('=').unwrap();
    (name.trim(), value.trim())
}

impl<'t> Lines<'t> {
    fn has(&self, name: &str) -> bool {
        self.0.front().is_some_and(|line| line.0 == name)
    }

    fn take(&mut self, name: &str) -> &'t str {
        assert!(self.has(name), "{name} expected: {:?}", self.0);
        self.0.pop_front().unwrap().1
    }

    /// The bytes of the next line, as many as `len` says.
    fn hex(&mut self, name: &str, len: &str) -> Vec<u8> {
        let text = self.take(name);
        assert_eq!((4 * text.len()).to_string(), self.1[len], "{name}");
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }
}

fn answer_of(file: &str, section: &str) -> fn(&Case) -> Vec<u8> {
    match (file, section) {
        ("Hash_DRBG.rsp", "SHA-256") => answer::<HashDrbg<Sha256>>,
        ("HMAC_DRBG.rsp", "SHA-256") => answer::<HmacDrbg<Hmac<Sha256>>>,
        ("CTR_DRBG.rsp", "AES-128 use df") => answer::<CtrDrbg<Aes128>>,
        ("CTR_DRBG.rsp", "AES-192 use df") => answer::<CtrDrbg<Aes192>>,
        ("CTR_DRBG.rsp", "AES-256 use df") => answer::<CtrDrbg<Aes256>>,
        ("CTR_DRBG.rsp", "AES-128 no df") => answer::<CtrDrbg<Aes128, false>>,
        ("CTR_DRBG.rsp", "AES-192 no df") => answer::<CtrDrbg<Aes192, false>>,
        ("CTR_DRBG.rsp", "AES-256 no df") => answer::<CtrDrbg<Aes256, false>>,
        _ => panic!("no generator for {section} of {file}"),
    }
}

/// What the second request returns.
fn answer<D: Drbg>(case: &Case) -> Vec<u8> {
    let mut drbg = D::instantiate(
        &case.entropy_input,
        &case.nonce,
        &case.personalization_string,
    )
    .unwrap();
    if let Some(reseed) = &case.reseed {
        drbg.reseed(&reseed.entropy_input, &reseed.additional_input)
            .unwrap();
    }
    let mut returned = vec![0; case.returned_bits.len()];
    for request in &case.requests {
        let additional = &request.additional_input;
        match &request.entropy_input {
            Some(entropy) => drbg.generate_reseeded(entropy, &mut returned, additional),
            None => drbg.generate(&mut returned, additional),
        }
        .unwrap();
    }
    returned
}

fn folder_of_vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/nist")
}

/// All answer files below `folder`.
fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.file_name().is_some_and(|name| name != "README.md") {
            files.insert(path);
        }
    }
    files
}
