//! Sealing of a program, as the last step of its build.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::{fmt, process};

use crate::gate::{Error, Service};
use crate::sm3::integrity::{SEAL_LEN, places, tag};
use crate::sm3::{DIGEST_LEN, self_test};

/// Why a program was not sealed; it is then as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum SealError {
    /// The module is in the error state.
    Module(Error),
    /// This file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file has no place for a seal.
    NoPlace {
        /// The file.
        path: PathBuf,
    },
    /// The file has so many places for a seal.
    Places {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
}

/// Seals `program`, an executable file or shared library with this version of the module in it, and
/// returns the tag: HMAC-SM3 over the file with zeros in the tag's place. Whatever changes a byte
/// afterwards breaks the seal, so this comes after stripping and signing; a seal can be renewed.
///
/// The file is replaced by a sealed copy with the same permissions, at once, so that it may be
/// running. What the seal is good for, [`integrity`](fn@super::integrity) says.
///
/// # Errors
/// [`SealError::NoPlace`] for a file without this module, [`SealError::Places`] for one with several
/// copies of it, [`SealError::Io`], [`SealError::Module`].
pub fn seal(program: impl AsRef<Path>) -> Result<[u8; DIGEST_LEN], SealError> {
    let named = program.as_ref();
    self_test::HMAC_SM3.enter(Service::HmacSm3)?;
    // The file itself is to be replaced, not a link to it.
    let program = named.canonicalize().map_err(at(named))?;
    let copy = beside(&program);
    let sealed = sealed_copy(&program, &copy).and_then(|tag| {
        fs::rename(&copy, &program)
            .map_err(at(&program))
            .map(|()| tag)
    });
    if sealed.is_err() {
        // It may not even have been made.
        _ = fs::remove_file(&copy);
    }
    sealed
}

fn sealed_copy(program: &Path, copy: &Path) -> Result<[u8; DIGEST_LEN], SealError> {
    let mut original = File::open(program).map_err(at(program))?;
    let metadata = original.metadata().map_err(at(program))?;
    let mut places = places(&mut original).map_err(at(program))?;
    places.retain(|place| place + SEAL_LEN as u64 <= metadata.len());
    let [place] = places[..] else {
        let path = program.to_owned();
        return Err(match places.len() {
            0 => SealError::NoPlace { path },
            count => SealError::Places { path, count },
        });
    };
    let mut write = || {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(copy)?;
        original.rewind()?;
        io::copy(&mut original, &mut file)?;
        let tag = tag(&mut file, place)?;
        file.seek(SeekFrom::Start(place + (SEAL_LEN - DIGEST_LEN) as u64))?;
        file.write_all(&tag)?;
        file.set_permissions(metadata.permissions())?;
        file.sync_all()?;
        Ok(tag)
    };
    write().map_err(at(copy))
}

/// A name in the same folder, and so on the same file system.
fn beside(program: &Path) -> PathBuf {
    let mut name = program.file_name().unwrap_or_default().to_owned();
    name.push(format!(".sealing-{}", process::id()));
    program.with_file_name(name)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SealError {
    let path = path.to_owned();
    move |error| SealError::Io { path, error }
}

impl From<Error> for SealError {
    fn from(error: Error) -> Self {
        Self::Module(error)
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module(error) => error.fmt(f),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoPlace { path } => write!(
                f,
                "{} has no place for a seal: it does not hold this version of shangmi",
                path.display()
            ),
            Self::Places { path, count } => write!(
                f,
                "{} has {count} places for a seal, so it holds shangmi {count} times: make it \
                 depend on one version",
                path.display()
            ),
        }
    }
}

impl std::error::Error for SealError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Module(error) => Some(error),
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
