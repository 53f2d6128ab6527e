//! The floors of docs/architecture.md, checked: imports go down only, and `unsafe` stays in
//! `src/arch` and at the HSM's C boundary.

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. Modules of one floor do not import each other.
const FLOORS: &[&[&str]] = &[
    &["arch"],
    &["secret"],
    &["random"],
    &["sm3", "sm4"],
    &["sm2"],
    &["module"],
    &["pki"],
    &["hsm"],
    &["tls13"],
    &["tlcp"],
    &["lib", "bin"],
];

const UNSAFE_ALLOWED: &[&str] = &["arch", "hsm"];

#[test]
fn imports_go_down_only() {
    let mut seen = 0;
    for file in sources() {
        let own = module_of(&file);
        let own_floor = floor_of(&own).unwrap_or_else(|| {
            panic!(
                "{}: module `{own}` has no floor; add it to FLOORS",
                file.display()
            )
        });
        for import in imports(&code_of(&file)) {
            // Names that are no module (re-exports at the crate's root) belong to the front door.
            let Some(floor) = floor_of(&import) else {
                continue;
            };
            seen += 1;
            assert!(
                import == own || floor < own_floor,
                "{}: `{own}` imports `{import}`, which is not below it",
                file.display()
            );
        }
    }
    assert!(
        seen > 20,
        "the scan found {seen} imports: it does not see them any more"
    );
}

#[test]
fn unsafe_stays_where_it_belongs() {
    for file in sources() {
        if UNSAFE_ALLOWED.contains(&module_of(&file).as_str()) {
            continue;
        }
        for (number, line) in code_of(&file).lines().enumerate() {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let found = words.clone().any(|word| word == "unsafe")
                || (line.contains("allow(") && line.contains("unsafe_code"));
            assert!(
                !found,
                "{}:{}: unsafe outside arch and hsm",
                file.display(),
                number + 1
            );
        }
    }
}

#[test]
fn the_scan_itself_finds_what_it_looks_for() {
    assert_eq!(imports("use crate::hsm::Error;"), ["hsm"]);
    assert_eq!(
        imports("use crate::{sm2::{self, Key}, sm3, tls13::sign};"),
        ["sm2", "sm3", "tls13"]
    );
    assert_eq!(imports("fn f() { crate::pki::key::from_der(x) }"), ["pki"]);
    assert_eq!(strip_comments("a // crate::tls13\nb"), "a \nb");
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

/// `sm2` for src/sm2.rs and src/sm2/key.rs.
fn module_of(file: &Path) -> String {
    let first = file
        .strip_prefix(source_root())
        .unwrap()
        .components()
        .next()
        .unwrap();
    first
        .as_os_str()
        .to_str()
        .unwrap()
        .trim_end_matches(".rs")
        .to_owned()
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn code_of(file: &Path) -> String {
    strip_comments(&fs::read_to_string(file).unwrap())
}

fn strip_comments(source: &str) -> String {
    let lines: Vec<_> = source
        .split('\n')
        .map(|l| l.split("//").next().unwrap())
        .collect();
    lines.join("\n")
}

/// The modules named after `crate::`, also inside braces.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(identifier(rest)),
            Some(list) => {
                let (mut depth, mut item_starts) = (1, true);
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
            }
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}
