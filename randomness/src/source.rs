//! Where bits come from.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::str::FromStr;

use cipher::{KeyIvInit, StreamCipher};
use rand_core::TryCryptoRng;
use shangmi::random::SystemRandom;
use shangmi::sm4::Sm4Ctr;

use crate::bad::Bad;

/// A source of random bits. Written `system`, `os`, `sm4-ctr`, `bad:NAME`, `file:PATH` or `stdin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// [`SystemRandom`], as all of the library uses it.
    System,
    /// The operating system's generator.
    Os,
    /// The key stream of SM4 under a fixed key: always the same good bits.
    Sm4Ctr,
    /// A generator that must be rejected.
    Bad(Bad),
    /// A file's bytes.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// The bytes. Each call begins anew. Fails if a file cannot be opened.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::System => Box::new(Generator(SystemRandom)),
            Self::Os => Box::new(Os),
            Self::Sm4Ctr => Box::new(KeyStream::new()),
            Self::Bad(bad) => bad.open(),
            Self::File(path) => Box::new(BufReader::new(File::open(path)?)),
            Self::Stdin => Box::new(io::stdin()),
        })
    }
}

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        let unknown = || UnknownSource(text.to_string());
        match text.split_once(':') {
            None => match text {
                "system" => Ok(Self::System),
                "os" => Ok(Self::Os),
                "sm4-ctr" => Ok(Self::Sm4Ctr),
                "stdin" => Ok(Self::Stdin),
                _ => Err(unknown()),
            },
            Some(("bad", name)) => {
                let bad = Bad::ALL.into_iter().find(|bad| bad.name() == name);
                bad.map(Self::Bad).ok_or_else(unknown)
            }
            Some(("file", path)) => Ok(Self::File(path.into())),
            Some(_) => Err(unknown()),
        }
    }
}

/// There is no such source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSource(String);

impl fmt::Display for UnknownSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no source `{}`: take system, os, sm4-ctr, stdin, file:PATH, or bad: and one of {}",
            self.0,
            Bad::ALL.map(|bad| bad.name()).join(", ")
        )
    }
}

impl std::error::Error for UnknownSource {}

/// Reads from a generator; the place for each mechanism of the library's.
struct Generator<R>(R);

impl<R: TryCryptoRng<Error: Send + Sync + 'static>> Read for Generator<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_fill_bytes(buffer).map_err(io::Error::other)?;
        Ok(buffer.len())
    }
}

struct Os;

impl Read for Os {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        getrandom::fill(buffer)?;
        Ok(buffer.len())
    }
}

/// Good bits that are the same on every run.
pub(crate) struct KeyStream(Sm4Ctr);

impl KeyStream {
    pub(crate) fn new() -> Self {
        // No choice of ours: the bytes 0 to 15 as a key, and a counter from 0.
        let key: [u8; 16] = std::array::from_fn(|i| i as u8);
        Self(Sm4Ctr::new(&key.into(), &[0; 16].into()))
    }
}

impl Read for KeyStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(0);
        self.0
            .try_apply_keystream(buffer)
            .map_err(io::Error::other)?;
        Ok(buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_names() {
        for (name, source) in [
            ("system", Source::System),
            ("os", Source::Os),
            ("sm4-ctr", Source::Sm4Ctr),
            ("stdin", Source::Stdin),
            ("bad:lfsr", Source::Bad(Bad::Lfsr)),
            ("file:a:b", Source::File("a:b".into())),
        ] {
            assert_eq!(name.parse(), Ok(source));
        }
        for name in ["", "bad", "bad:", "bad:system", "urandom", "http://x"] {
            assert_eq!(name.parse::<Source>(), Err(UnknownSource(name.to_string())));
        }
    }

    #[test]
    fn sources_give_bytes() {
        for source in [Source::System, Source::Os, Source::Sm4Ctr] {
            let mut bytes = [0; 64];
            source.open().unwrap().read_exact(&mut bytes).unwrap();
            assert_ne!(bytes, [0; 64], "{source:?}");
        }
        assert!(Source::File("/nowhere".into()).open().is_err());
    }
}
