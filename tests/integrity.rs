//! The seal of a program, on copies of the command `shangmi`: sealed, damaged, not sealed.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use shangmi::module::{SealError, seal};

#[test]
fn selftest_lists_every_test() {
    let program = Copy::new("listed");
    let report = json(&program.self_test(&["--json"]));
    let tests = report["tests"].as_array().unwrap();
    let names: Vec<_> = tests.iter().map(|t| t["name"].as_str().unwrap()).collect();
    for name in [
        "SM3",
        "integrity",
        "SM4-GCM",
        "SM2 signature",
        "CTR_DRBG-SM4",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    // The catalogue is checked where the algorithms are known: `src/module/catalogue.rs`.
    assert_eq!(tests.len(), 30, "{names:?}");
    for test in tests {
        assert_eq!(test["passed"], true, "{test}");
        assert!(test["checks"].as_u64().unwrap() > 0, "{test}");
        assert!(!test["kernel"].as_str().unwrap().is_empty(), "{test}");
        assert!(test["duration_us"].is_u64(), "{test}");
    }
    assert_eq!(report["failure"], Value::Null);
    assert!(report["total_us"].as_u64().unwrap() > 0);

    let text = stdout(&program.self_test(&[]));
    for name in names {
        let line = |line: &str| line.starts_with(name) && line.ends_with("passed");
        assert!(text.lines().any(line), "{name}\n{text}");
    }
}

#[test]
fn a_program_that_is_not_sealed_says_so() {
    let program = Copy::new("unsealed");
    let output = program.self_test(&["--json"]);
    assert!(output.status.success());
    let report = json(&output);
    assert_eq!(report["integrity"], "not sealed");
    assert_eq!(report["state"], "operational");

    let text = stdout(&program.self_test(&[]));
    assert!(text.contains("not sealed: nothing is known of its integrity"));

    let output = program.self_test(&["--require-seal"]);
    assert_eq!(output.status.code(), Some(1));
    assert_fails(&output, "seal");
}

#[test]
fn a_sealed_program_runs() {
    let program = Copy::new("sealed");
    program.seal();
    for flags in [&["--json"][..], &["--json", "--require-seal"]] {
        let output = program.self_test(flags);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(json(&output)["integrity"], "intact");
    }
    // A seal can be renewed, and is the same then.
    let before = fs::read(&program.0).unwrap();
    program.seal();
    assert!(fs::read(&program.0).unwrap() == before);

    // Nothing but the tag was written.
    let original = fs::read(COMMAND).unwrap();
    let differ = original.iter().zip(&before).filter(|(a, b)| a != b).count();
    assert!((1..=32).contains(&differ), "{differ} bytes changed");
    assert_eq!(original.len(), before.len());
}

#[test]
fn a_changed_byte_ends_in_the_error_state() {
    let program = Copy::new("damaged");
    program.seal();
    let file = fs::read(&program.0).unwrap();
    let elf = Elf(&file);
    let tag = difference(&fs::read(COMMAND).unwrap(), &file);
    // In code that a self test does not run, in constants, in the symbols, in the seal, at the end.
    let places = [
        elf.function("shangmi3hsm6pkcs115bench"),
        elf.text("use --pin-source, and change it"),
        elf.section(".comment"),
        tag,
        tag + 31,
        file.len() - 1,
    ];
    for place in places {
        program.flip(place, file[place]);
        for flags in [&[][..], &["--require-seal"]] {
            let output = program.self_test(flags);
            assert_eq!(output.status.code(), Some(1), "byte {place}: {output:?}");
            assert_fails(&output, "tag");
        }
        program.put(place, file[place]);
    }
    let last = program.self_test(&["--json"]);
    assert_eq!(json(&last)["integrity"], "intact");
}

#[test]
fn a_damaged_marker_is_no_way_round_the_seal() {
    let program = Copy::new("marker");
    program.seal();
    let file = fs::read(&program.0).unwrap();
    let tag = difference(&fs::read(COMMAND).unwrap(), &file);
    program.flip(tag - 5, file[tag - 5]);
    let output = program.self_test(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert_fails(&output, "tag");
}

#[test]
fn only_a_program_with_one_module_is_sealed() {
    let other = Copy::new("other");
    fs::write(&other.0, b"no program").unwrap();
    assert!(matches!(
        seal(&other.0),
        Err(SealError::NoPlace { path }) if path == other.0.canonicalize().unwrap()
    ));
    assert_eq!(fs::read(&other.0).unwrap(), b"no program");

    let program = fs::read(COMMAND).unwrap();
    fs::write(&other.0, [&program[..], &program].concat()).unwrap();
    let refused = seal(&other.0);
    assert!(matches!(refused, Err(SealError::Places { count: 2, .. })));

    fs::remove_file(&other.0).unwrap();
    assert!(matches!(seal(&other.0), Err(SealError::Io { .. })));
}

#[cfg(unix)]
#[test]
fn a_seal_keeps_permissions_and_follows_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let program = Copy::new("linked");
    fs::set_permissions(&program.0, fs::Permissions::from_mode(0o550)).unwrap();
    let link = program.0.with_extension("link");
    _ = fs::remove_file(&link);
    symlink(&program.0, &link).unwrap();
    seal(&link).unwrap();
    assert!(link.is_symlink());
    fs::remove_file(&link).unwrap();
    let mode = fs::metadata(&program.0).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o550);
    assert_eq!(json(&program.self_test(&["--json"]))["integrity"], "intact");
}

const COMMAND: &str = env!("CARGO_BIN_EXE_shangmi");

/// A copy of the command, removed at the end.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("integrity-{name}-{}", std::process::id()));
        fs::copy(COMMAND, &path).unwrap();
        Self(path)
    }

    fn seal(&self) {
        let output = Command::new(COMMAND)
            .args(["module", "seal"])
            .arg(&self.0)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn self_test(&self, flags: &[&str]) -> Output {
        let mut command = Command::new(&self.0);
        command.arg("selftest").args(flags).output().unwrap()
    }

    fn flip(&self, place: usize, byte: u8) {
        self.put(place, byte ^ 0x10);
    }

    fn put(&self, place: usize, byte: u8) {
        let mut file = fs::OpenOptions::new().write(true).open(&self.0).unwrap();
        file.seek(SeekFrom::Start(place as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

/// Where the tag is: before it, both are the same.
fn difference(original: &[u8], sealed: &[u8]) -> usize {
    let first = original.iter().zip(sealed).position(|(a, b)| a != b);
    // The tag's first bytes can be zeros.
    let marker = 0xf45f_e168_f21e_15e1_e874_7766_413f_692e_u128.to_be_bytes();
    let near = first.unwrap();
    let window = &sealed[near - 48..near];
    let at = window
        .windows(16)
        .position(|bytes| bytes == marker)
        .unwrap();
    near - 48 + at + 16
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_fails(output: &Output, check: &str) {
    let text = stdout(output) + &String::from_utf8_lossy(&output.stderr);
    let says = format!("in the error state: self test integrity failed ({check})");
    assert!(text.contains(&says), "{text}");
}

/// As much of a 64-bit little-endian ELF file as these tests need.
struct Elf<'a>(&'a [u8]);

impl Elf<'_> {
    fn number<const N: usize>(&self, at: usize) -> usize {
        let bytes = self.0[at..at + N].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    /// The headers of the sections.
    fn headers(&self) -> impl Iterator<Item = usize> {
        assert_eq!(self.0[..5], *b"\x7fELF\x02");
        let (start, count) = (self.number::<8>(0x28), self.number::<2>(0x3c));
        (0..count).map(move |i| start + 64 * i)
    }

    fn header(&self, name: &str) -> usize {
        let names = self.headers().nth(self.number::<2>(0x3e)).unwrap();
        let names = self.number::<8>(names + 0x18);
        let is_it = |header: &usize| {
            let at = names + self.number::<4>(*header);
            self.0[at..].starts_with(name.as_bytes()) && self.0[at + name.len()] == 0
        };
        self.headers().find(is_it).unwrap()
    }

    /// Where the section begins in the file.
    fn section(&self, name: &str) -> usize {
        self.number::<8>(self.header(name) + 0x18)
    }

    /// The last byte of a function whose name has this in it.
    fn function(&self, name: &str) -> usize {
        let header = self.header(".symtab");
        let (start, size) = (self.section(".symtab"), self.number::<8>(header + 0x20));
        let (names, text) = (self.section(".strtab"), self.header(".text"));
        for symbol in (start..start + size).step_by(24) {
            let (value, size) = (self.number::<8>(symbol + 8), self.number::<8>(symbol + 16));
            let at = names + self.number::<4>(symbol);
            let end = self.0[at..].iter().position(|byte| *byte == 0).unwrap();
            let is_function = self.0[symbol + 4] & 0xf == 2;
            let found = String::from_utf8_lossy(&self.0[at..at + end]);
            if is_function && size > 0 && found.contains(name) {
                let address = self.number::<8>(text + 0x10);
                return value + size - 1 - address + self.section(".text");
            }
        }
        panic!("no function {name}");
    }

    fn text(&self, text: &str) -> usize {
        let is_it = |bytes: &[u8]| bytes == text.as_bytes();
        self.0.windows(text.len()).position(is_it).unwrap()
    }
}
