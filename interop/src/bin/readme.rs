//! Copies the matrix that the last run of `tests/matrix` wrote into the README, between two markers;
//! with `--check` it only compares, and fails if they differ.

use std::error::Error;
use std::fs;
use std::path::Path;

use shangmi_interop::stack::target_dir;

const BEGIN: &str = "<!-- matrix: written by `cargo run -p shangmi-interop --bin readme` -->\n";
const END: &str = "<!-- end of matrix -->\n";

fn main() -> Result<(), Box<dyn Error>> {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => return Err(format!("unknown argument {other}").into()),
    };
    let matrix = target_dir().join("interop-matrix.md");
    let matrix = fs::read_to_string(&matrix).map_err(|e| {
        format!(
            "{}: {e}; run `cargo test -p shangmi-interop --test matrix`",
            matrix.display()
        )
    })?;

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("README.md");
    let readme = fs::read_to_string(&path)?;
    let (before, rest) = readme
        .split_once(BEGIN)
        .ok_or("README.md has no matrix marker")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("README.md has no end of the matrix")?;
    let updated = format!("{before}{BEGIN}\n{matrix}\n{END}{after}");

    if updated == readme {
        return Ok(());
    }
    if check {
        return Err("README.md does not say what was tested; run this without --check".into());
    }
    Ok(fs::write(&path, updated)?)
}
