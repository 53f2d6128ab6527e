//! What docs/ claims: each sensitive security parameter has a zeroization test, and each test that a page
//! names, as `file::test`, is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const COLUMNS: usize = 7;

#[test]
fn every_parameter_has_a_zeroization_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/ssp.md")).unwrap();
    let rows = rows(&page);
    assert!(rows.len() > 20, "only {} parameters", rows.len());

    let mut named = BTreeSet::new();
    for row in &rows {
        let tests: Vec<_> = row[COLUMNS - 1].split(", ").map(unquoted).collect();
        assert!(!tests.is_empty());
        for test in tests {
            let (file, function) = test
                .split_once("::")
                .unwrap_or_else(|| panic!("`{}` has no zeroization test: {test:?}", row[0]));
            assert_test("docs/ssp.md", file, function);
            named.insert(test);
        }
    }
    println!(
        "\nSSPs {}, zeroization tests {}, rows without one 0",
        rows.len(),
        named.len()
    );
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut named = BTreeSet::new();
    for page in fs::read_dir(folder).unwrap() {
        let page = page.unwrap().path();
        let text = fs::read_to_string(&page).unwrap();
        let quoted = text.split('`').skip(1).step_by(2);
        for claim in quoted.filter(|text| text.contains(".rs::")) {
            let (file, function) = claim.split_once("::").unwrap();
            assert_test(&page.display().to_string(), file, function);
            named.insert(claim.to_owned());
        }
    }
    assert!(named.len() > 20, "only {} tests are named", named.len());
    println!("\nclaims: {} tests named in docs/, all there", named.len());
}

/// Fails if `page` names what is no test.
fn assert_test(page: &str, file: &str, function: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(path);
    let source = source.unwrap_or_else(|error| panic!("{page} names {file}: {error}"));
    assert!(
        is_test(&source, function),
        "{page} names {file}::{function}, which is no test"
    );
}

/// The cells of the table's rows.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = lines.filter(|line| !line.starts_with("parameter |"));
    let rows: Vec<Vec<&str>> = rows
        .map(|line| {
            let line = line.strip_suffix(" |").unwrap_or_else(|| panic!("{line}"));
            line.split(" | ").collect()
        })
        .collect();
    for row in &rows {
        assert_eq!(row.len(), COLUMNS, "{row:?}");
    }
    rows
}

fn unquoted(text: &str) -> &str {
    text.trim_matches('`')
}

fn is_test(source: &str, function: &str) -> bool {
    source.contains(&format!("#[test]\nfn {function}()"))
        || source.contains(&format!("    #[test]\n    fn {function}()"))
}

#[test]
fn the_check_sees_a_row_without_a_test() {
    let page =
        "| parameter | b | c | d | e | f | tests |\n|---|\n| key | 1 | 2 | 3 | 4 | 5 | none |\n";
    let rows = rows(page);
    assert_eq!(rows, [["key", "1", "2", "3", "4", "5", "none"]]);
    assert_eq!(unquoted(rows[0][6]).split_once("::"), None);
    assert!(is_test("#[test]\nfn a_b() {", "a_b"));
    assert!(!is_test("fn a_b() {", "a_b"));
    assert!(!is_test("#[test]\nfn a_b_c() {", "a_b"));
}
