//! The floors of docs/architecture.md, checked: imports go down only, and `unsafe` stays in
//! `src/arch` and in the one file that calls a PKCS#11 module's C functions. And what the documents
//! name is there.

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. Modules of one floor do not import each other.
const FLOORS: &[&[&str]] = &[
    &["arch"],
    &["secret"],
    &["gate"],
    &["sm3"],
    &["sm4"],
    &["random"],
    &["sm2"],
    &["module"],
    &["pki"],
    &["hsm"],
    &["tls13", "tlcp"],
    &["acvp"],
    &["lib", "bin", "error_state"],
];

/// Beginnings of paths below src/. `hsm.rs` lifts the lint for its one file.
const UNSAFE_ALLOWED: &[&str] = &["arch.rs", "arch/", "hsm/pkcs11/raw.rs"];

#[test]
fn imports_go_down_only() {
    let mut seen = 0;
    // Tests may look at anything, as those at a file's end do.
    for file in sources().iter().filter(|file| !file.ends_with("tests.rs")) {
        let path = module_path(file);
        let own = &path[0];
        let own_floor =
            floor_of(own).unwrap_or_else(|| panic!("{own} has no floor: add it to FLOORS"));
        let code = code_of(file);
        assert!(
            !code.contains("use crate as "),
            "{}: hides its imports",
            file.display()
        );
        for import in imports(&code, path.len()) {
            // What is no module (a re-export, `*`) is the front door's.
            let floor = floor_of(&import).unwrap_or(FLOORS.len());
            seen += 1;
            assert!(
                import == *own || floor < own_floor,
                "{}: `{own}` imports `{import}`, which is not below it",
                file.display()
            );
        }
    }
    assert!(
        seen > 60,
        "the scan found {seen} imports: it does not see them any more"
    );
}

#[test]
fn unsafe_stays_where_it_belongs() {
    for file in sources() {
        let name = file.strip_prefix(source_root()).unwrap().to_str().unwrap();
        if UNSAFE_ALLOWED
            .iter()
            .any(|allowed| name.starts_with(allowed))
        {
            continue;
        }
        for (number, line) in code_of(&file).lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let found = words.any(|word| word == "unsafe")
                || (line.contains("allow(") && line.contains("unsafe_code"));
            assert!(!found, "{name}:{}: unsafe does not belong here", number + 1);
        }
    }
}

/// What a claim rests on is a file that exists.
#[test]
fn documents_name_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).unwrap();
    let pages = pages.map(|page| page.unwrap().path());
    let mut named = 0;
    for page in pages.chain([root.join("README.md"), root.join("CHANGELOG.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        for path in text.split('`').filter(|text| is_path(text)) {
            named += 1;
            let file = root.join(path);
            let there = file.exists() || file.with_extension("rs").exists();
            assert!(there, "{} names {path}", page.display());
        }
    }
    assert!(named > 20, "the scan found {named} names of files");
}

/// Whether this is a path in this repository.
fn is_path(text: &str) -> bool {
    let folder = text.split_once('/').map(|(folder, _)| folder);
    let folders = ["src", "tests", "testtoken", "interop", "examples", "fuzz"];
    folder.is_some_and(|folder| folders.contains(&folder)) && !text.contains(char::is_whitespace)
}

/// Versions of modules that are pinned are the README's.
#[test]
fn readme_names_the_pinned_kryoptic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pinned = fs::read_to_string(root.join("interop/kryoptic/Cargo.toml")).unwrap();
    let pinned = pinned
        .split("kryoptic = { version = \"=")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(
        readme.contains(&format!("| Kryoptic {pinned}, ")),
        "{pinned}"
    );
}

#[test]
fn the_scan_itself_finds_what_it_looks_for() {
    assert_eq!(imports("use crate::hsm::Error;", 1), ["hsm"]);
    assert_eq!(
        imports("use crate::{sm2::{self, Key}, sm3, tls13::sign};", 2),
        ["sm2", "sm3", "tls13"]
    );
    assert_eq!(
        imports("fn f() { crate::pki::key::from_der(x) }", 1),
        ["pki"]
    );
    assert_eq!(imports("use crate::*;", 1), ["*"]);
    assert_eq!(imports("use super::tls13::Error;", 1), ["tls13"]);
    assert_eq!(
        imports("use super::super::{tls13, pki};", 2),
        ["tls13", "pki"]
    );
    assert_eq!(imports("use super::key::Key;", 2), [""; 0]);
    assert_eq!(
        strip("a // crate::tls13\nb \"//\" crate::pki"),
        "a \nb \"//\" crate::pki"
    );
    assert_eq!(strip("a\n#[cfg(test)]\nmod tests {\nuse super::*;"), "a\n");
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![source_root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                found.push(path);
            }
        }
    }
    assert!(
        found.len() > 10,
        "src/ has only {} files: wrong folder?",
        found.len()
    );
    found
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// `["sm2", "key"]` for src/sm2/key.rs.
fn module_path(file: &Path) -> Vec<String> {
    let name = file.strip_prefix(source_root()).unwrap().with_extension("");
    name.iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect()
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn code_of(file: &Path) -> String {
    strip(&fs::read_to_string(file).unwrap())
}

/// The code without comments and without the test module at its end.
fn strip(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let without_comment = |line: &str| {
        let outside_strings = |at: &usize| line[..*at].matches('"').count().is_multiple_of(2);
        let comment = line
            .match_indices("//")
            .map(|(at, _)| at)
            .find(outside_strings);
        line[..comment.unwrap_or(line.len())].to_owned()
    };
    source
        .split('\n')
        .map(without_comment)
        .collect::<Vec<_>>()
        .join("\n")
}

/// What a module at `depth` below the root imports from the root: after `crate::`, or after as many
/// `super::` as lead there; also inside braces.
fn imports(code: &str, depth: usize) -> Vec<String> {
    let supers = "super::".repeat(depth);
    let roots = ["crate::", &supers];
    let mut found = Vec::new();
    for root in roots {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                None => found.push(identifier(rest)),
                Some(list) => found.extend(listed(list)),
            }
        }
    }
    found
}

/// The first name of each item of a list in braces.
fn listed(list: &str) -> Vec<String> {
    let (mut found, mut depth, mut item_starts) = (Vec::new(), 1, true);
    for (i, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => item_starts = true,
            c if item_starts && !c.is_whitespace() => {
                found.push(identifier(&list[i..]));
                item_starts = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

fn identifier(text: &str) -> String {
    match text.strip_prefix('*') {
        Some(_) => "*".to_owned(),
        None => text
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect(),
    }
}
