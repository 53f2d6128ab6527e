//! Writes into the README, between markers, what the last run of `tests/matrix` found; with `--check` it
//! only compares, and fails if they differ. With `--speed FILE` it writes the table that
//! `./figures kernels --markdown` printed into FILE.

use std::error::Error;
use std::fs;
use std::path::Path;

use shangmi_interop::stack::target_dir;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The lines around a part of the README that a program writes.
struct Markers(&'static str, &'static str);

const MATRIX: Markers = Markers(
    "<!-- matrix: written by `cargo run -p shangmi-interop --bin readme` -->\n",
    "<!-- end of matrix -->\n",
);
const SPEED: Markers = Markers(
    "<!-- speed: `./figures kernels --markdown >FILE`, written by `cargo run -p shangmi-interop --bin readme -- --speed FILE` -->\n",
    "<!-- end of speed -->\n",
);

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("README.md");
    let readme = fs::read_to_string(&path)?;
    let updated = match arguments.as_slice() {
        [] | ["--check"] => MATRIX.fill(&readme, &matrix()?)?,
        ["--speed", file] => SPEED.fill(&readme, &fs::read_to_string(file)?)?,
        _ => return Err("usage: readme [--check | --speed FILE]".into()),
    };
    if arguments == ["--check"] && !SPEED.content(&readme)?.contains("\n| ") {
        return Err(
            "README.md has no table of speeds; `./figures kernels --markdown` prints it".into(),
        );
    }
    if updated == readme {
        return Ok(());
    }
    if arguments == ["--check"] {
        return Err("README.md does not say what was tested; run this without --check".into());
    }
    Ok(fs::write(&path, updated)?)
}

fn matrix() -> Result<String> {
    let matrix = target_dir().join("interop-matrix.md");
    Ok(fs::read_to_string(&matrix).map_err(|e| {
        format!(
            "{}: {e}; run `cargo test -p shangmi-interop --test matrix`",
            matrix.display()
        )
    })?)
}

impl Markers {
    /// `readme` with `text` between the markers.
    fn fill(&self, readme: &str, text: &str) -> Result<String> {
        let Self(begin, end) = self;
        let (before, _, after) = self.split(readme)?;
        Ok(format!(
            "{before}{begin}\n{}\n\n{end}{after}",
            text.trim_end()
        ))
    }

    /// What is between the markers.
    fn content<'r>(&self, readme: &'r str) -> Result<&'r str> {
        Ok(self.split(readme)?.1)
    }

    /// What is before, between and after the markers.
    fn split<'r>(&self, readme: &'r str) -> Result<(&'r str, &'r str, &'r str)> {
        let Self(begin, end) = self;
        let missing = |marker: &str| format!("README.md has no line {marker}");
        let (before, rest) = readme.split_once(begin).ok_or_else(|| missing(begin))?;
        let (between, after) = rest.split_once(end).ok_or_else(|| missing(end))?;
        Ok((before, between, after))
    }
}
