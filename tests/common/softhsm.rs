//! SoftHSM2 for one test: a process and a token directory of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

const CHILD: &str = "SHANGMI_SOFTHSM_CHILD";
const PASSED: &str = "the body of the test came to its end";

/// The user PIN of [`create_token`].
pub const PIN: &str = "1234567890";

/// Runs `body` as the named test in a process of its own. What counts is that it came to its end:
/// SoftHSM2 may crash while the process exits (SoftHSM2 issues 635 and 780).
pub fn isolated(test: &str, body: fn()) {
    if env::var_os(CHILD).is_some() {
        body();
        println!("{PASSED}");
        return;
    }
    module();
    let folder = env::temp_dir().join(format!("shangmi-softhsm-{}-{test}", std::process::id()));
    fs::create_dir_all(folder.join("tokens")).unwrap();
    let configuration = folder.join("softhsm2.conf");
    let tokens = format!("directories.tokendir = {}/tokens\n", folder.display());
    fs::write(&configuration, tokens).unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains(PASSED),
        "{test} failed in its own process ({}):\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Initializes a token with this label in the folder of the test.
pub fn create_token(label: &str) {
    let module = Pkcs11::new(module()).unwrap();
    let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    module.initialize(arguments).unwrap();
    let so_pin = AuthPin::new("security officer".into());
    let slot = module.get_slots_with_token().unwrap()[0];
    module.init_token(slot, &so_pin, label).unwrap();
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&so_pin)).unwrap();
    session.init_pin(&AuthPin::new(PIN.into())).unwrap();
    session.logout().unwrap();
}

/// The module's file.
pub fn module() -> PathBuf {
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
