//! SoftHSM2, a PKCS#11 module that others wrote.

use std::env;
use std::path::{Path, PathBuf};

use super::token::Module;

pub const SOFTHSM: Module = Module {
    path: module,
    variable: "SOFTHSM2_CONF",
    configuration: |tokens| format!("directories.tokendir = {}\n", tokens.display()),
};

fn module() -> PathBuf {
    const PLACES: &[&str] = &[
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
        "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    ];
    let chosen = env::var_os("SOFTHSM2_MODULE").map(PathBuf::from);
    let mut places = PLACES.iter().map(PathBuf::from);
    let found = chosen.or_else(|| places.find(|path| Path::exists(path)));
    found.expect(
        "SoftHSM2 is not installed: apt-get install softhsm2, or set SOFTHSM2_MODULE to its module",
    )
}
