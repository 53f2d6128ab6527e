//! Builds a foreign stack from its source crate, once, under `target/peers/`.
//!
//! The static libraries are built out of tree, so the crate's sources stay as they are. A stamp,
//! written last, says with which options a tree was built; a tree without the right stamp is redone.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The scripted peer.
const PEER: Program = Program {
    name: "peer",
    files: &["peer/peer.c", "peer/chain.c"],
    optimise: "-O1",
    text: concat!(
        include_str!("../peer/peer.h"),
        include_str!("../peer/peer.c"),
        include_str!("../peer/chain.c"),
    ),
};

/// What the benchmark drives.
const BENCH: Program = Program {
    name: "bench",
    files: &["bench/bench.c", "bench/crypto.c", "bench/tls.c"],
    optimise: "-O2",
    text: concat!(
        include_str!("../bench/bench.h"),
        include_str!("../bench/bench.c"),
        include_str!("../bench/crypto.c"),
        include_str!("../bench/tls.c"),
    ),
};

/// The stack's random bit generators.
const DRBG: Program = Program {
    name: "drbg",
    files: &["drbg/drbg.c"],
    optimise: "-O1",
    text: include_str!("../drbg/drbg.c"),
};

/// A program of ours in C, compiled against each stack.
struct Program {
    name: &'static str,
    /// Its sources, below this package.
    files: &'static [&'static str],
    optimise: &'static str,
    /// All that it is made of, as the stamp of a built one.
    text: &'static str,
}

/// What both stacks are configured without: nothing of it takes part in a TLS connection here.
const COMMON_OPTIONS: [&str; 8] = [
    "no-shared",
    "no-module",
    "no-tests",
    "no-apps",
    "no-legacy",
    "no-engine",
    "no-comp",
    "no-dso",
];

/// A TLS implementation that others wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// OpenSSL 4.0.
    OpenSsl,
    /// Tongsuo 8.5, a fork of OpenSSL 3.5 with its own SM protocols.
    Tongsuo,
}

impl Stack {
    /// Every stack that the matrix runs against.
    pub const ALL: [Self; 2] = [Self::OpenSsl, Self::Tongsuo];

    /// The path of the scripted peer for this stack; builds what is missing (minutes at first).
    ///
    /// # Errors
    /// When a source is unusable or a build step fails; the step's log is named.
    pub fn peer(self) -> Result<PathBuf, Error> {
        self.program(&PEER)
    }

    /// The path of the benchmark's driver for this stack; builds what is missing (minutes at first).
    ///
    /// # Errors
    /// As [`peer`](Self::peer).
    pub fn bench(self) -> Result<PathBuf, Error> {
        self.program(&BENCH)
    }

    /// The path of the program that runs this stack's random bit generators; builds what is missing
    /// (minutes at first).
    ///
    /// # Errors
    /// As [`peer`](Self::peer).
    pub fn drbg(self) -> Result<PathBuf, Error> {
        self.program(&DRBG)
    }

    fn program(self, program: &Program) -> Result<PathBuf, Error> {
        let root = peers_dir();
        create_dir(&root)?;

        // Tests run in parallel, in several processes: one of them builds, one stack at a time.
        let lock = root.join("lock");
        let guard = File::create(&lock).map_err(|e| Error::Io(lock.clone(), e))?;
        guard.lock().map_err(|e| Error::Io(lock, e))?;

        let tree = root.join(self.to_string());
        self.build_libraries(&tree)?;
        self.build_program(&tree, program)
    }

    fn build_libraries(self, tree: &Path) -> Result<(), Error> {
        let stamp = tree.join("stamp");
        let options = self.options().join(" ");
        if fs::read_to_string(&stamp).is_ok_and(|built| built == options) {
            return Ok(());
        }

        match fs::remove_dir_all(tree) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io(tree.into(), e));
            }
            _ => create_dir(tree)?,
        }
        run(
            Command::new("perl")
                .arg(self.source().join("Configure"))
                .args(self.options())
                .current_dir(tree),
            &tree.join("configure.log"),
        )?;
        let jobs = std::thread::available_parallelism().map_or(1, |n| n.get());
        run(
            Command::new("nice")
                .args(["make", "-s", &format!("-j{jobs}"), "build_libs"])
                // A surrounding cargo or make has its own idea of parallel jobs.
                .env_remove("MAKEFLAGS")
                .env_remove("MFLAGS")
                .current_dir(tree),
            &tree.join("make.log"),
        )?;
        write(&stamp, &options)
    }

    fn build_program(self, tree: &Path, program: &Program) -> Result<PathBuf, Error> {
        let executable = tree.join(program.name);
        let stamp = executable.with_extension("stamp");
        if fs::read_to_string(&stamp).is_ok_and(|built| built == program.text) {
            return Ok(executable);
        }

        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        run(
            Command::new(compiler)
                .args(["-std=gnu11", program.optimise])
                .args(["-Wall", "-Wextra", "-Werror"])
                .arg("-I")
                .arg(tree.join("include"))
                .arg("-I")
                .arg(self.source().join("include"))
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .args(program.files)
                .arg("-o")
                .arg(&executable)
                .arg(tree.join("libssl.a"))
                .arg(tree.join("libcrypto.a"))
                .args(["-lpthread", "-ldl"]),
            &executable.with_extension("log"),
        )?;
        write(&stamp, program.text)?;
        Ok(executable)
    }

    fn options(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::OpenSsl => &["no-docs"],
            Self::Tongsuo => &["enable-ntls"],
        };
        [&COMMON_OPTIONS, own].concat()
    }

    fn source(self) -> PathBuf {
        match self {
            Self::OpenSsl => openssl_src::source_dir(),
            Self::Tongsuo => tongsuo_src::source_dir(),
        }
    }

    /// The version in the source crate's own, `400.0.2+4.0.3`: what follows the plus sign.
    fn version(self) -> &'static str {
        let crate_version = match self {
            Self::OpenSsl => openssl_src::version(),
            Self::Tongsuo => tongsuo_src::version(),
        };
        crate_version
            .split_once('+')
            .map_or(crate_version, |(_, version)| version)
    }
}

/// Name and version, `openssl-4.0.3`.
impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::OpenSsl => "openssl",
            Self::Tongsuo => "tongsuo",
        };
        write!(f, "{name}-{}", self.version())
    }
}

/// Why a stack could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be made or read.
    Io(PathBuf, io::Error),
    /// A program of the build could not be started: it is not installed.
    Missing(String, io::Error),
    /// A program of the build failed; the log says why.
    Failed(String, PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, e) => write!(f, "{}: {e}", path.display()),
            Self::Missing(program, e) => write!(f, "{program} cannot be run, install it: {e}"),
            Self::Failed(program, log) => write!(f, "{program} failed, see {}", log.display()),
        }
    }
}

impl std::error::Error for Error {}

/// Where built stacks, certificates and results are kept between runs: cargo's target directory.
pub fn target_dir() -> PathBuf {
    target_dir_named(std::env::var_os("CARGO_TARGET_DIR"))
}

/// A relative name counts from the workspace's root: tests run in the root of their package, programs
/// anywhere.
fn target_dir_named(name: Option<OsString>) -> PathBuf {
    let name = name.unwrap_or_else(|| "target".into());
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).join(name)
}

fn peers_dir() -> PathBuf {
    target_dir().join("peers")
}

fn run(command: &mut Command, log: &Path) -> Result<(), Error> {
    let program = || command_name(command.get_program());
    let output = File::create(log).map_err(|e| Error::Io(log.into(), e))?;
    let errors = output.try_clone().map_err(|e| Error::Io(log.into(), e))?;
    let name = program();
    let status = command
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(|e| Error::Missing(name.clone(), e))?;
    if !status.success() {
        return Err(Error::Failed(name, log.into()));
    }
    Ok(())
}

fn command_name(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}

fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|e| Error::Io(path.into(), e))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|e| Error::Io(path.into(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_directory_does_not_depend_on_where_we_run() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(root.join("Cargo.lock").is_file());
        assert_eq!(target_dir_named(None), root.join("target"));
        assert_eq!(target_dir_named(Some("a/b".into())), root.join("a/b"));
        assert_eq!(target_dir_named(Some("/a/b".into())), Path::new("/a/b"));
    }
}
