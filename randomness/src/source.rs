//! Where bits come from.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::str::FromStr;

use cipher::{KeyIvInit, StreamCipher};
use rand_core::TryCryptoRng;
use shangmi::random::{CtrDrbgSm4, Drbg, DrbgRng, HashDrbgSm3, HmacDrbgSm3, SystemRandom};
use shangmi::sm4::Sm4Ctr;

use crate::bad::Bad;

/// A source of random bits. Written `system`, `os`, `ctr-drbg`, `hash-drbg`, `hmac-drbg`,
/// `sm4-ctr`, `bad:NAME`, `file:PATH` or `stdin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// [`SystemRandom`], as all of the library uses it.
    System,
    /// The operating system's generator.
    Os,
    /// CTR_DRBG on SM4 ([`CtrDrbgSm4`]), one generator for all sequences.
    CtrDrbg,
    /// Hash_DRBG on SM3 ([`HashDrbgSm3`]), likewise.
    HashDrbg,
    /// HMAC_DRBG on SM3 ([`HmacDrbgSm3`]), likewise.
    HmacDrbg,
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
    /// Sources that only their name describes.
    const NAMED: [(&str, Self); 7] = [
        ("system", Self::System),
        ("os", Self::Os),
        ("ctr-drbg", Self::CtrDrbg),
        ("hash-drbg", Self::HashDrbg),
        ("hmac-drbg", Self::HmacDrbg),
        ("sm4-ctr", Self::Sm4Ctr),
        ("stdin", Self::Stdin),
    ];

    /// The bytes. Each call begins anew. Fails if a file cannot be opened or a generator not seeded.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::System => Box::new(Generator(SystemRandom)),
            Self::Os => Box::new(Os),
            Self::CtrDrbg => drbg::<CtrDrbgSm4>()?,
            Self::HashDrbg => drbg::<HashDrbgSm3>()?,
            Self::HmacDrbg => drbg::<HmacDrbgSm3>()?,
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
            None => {
                let named = Self::NAMED.into_iter().find(|(name, _)| *name == text);
                named.map(|(_, source)| source).ok_or_else(unknown)
            }
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
            "no source `{}`: take {}, file:PATH, or bad: and one of {}",
            self.0,
            Source::NAMED.map(|(name, _)| name).join(", "),
            Bad::ALL.map(|bad| bad.name()).join(", ")
        )
    }
}

impl std::error::Error for UnknownSource {}

fn drbg<D: Drbg + Send + 'static>() -> io::Result<Box<dyn Read + Send>> {
    let rng = DrbgRng::<D>::new(b"").map_err(io::Error::other)?;
    Ok(Box::new(Generator(rng)))
}

/// Reads from a generator.
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
            ("hash-drbg", Source::HashDrbg),
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
        for (name, source) in Source::NAMED {
            if source != Source::Stdin {
                let mut bytes = [0; 64];
                source.open().unwrap().read_exact(&mut bytes).unwrap();
                assert_ne!(bytes, [0; 64], "{name}");
            }
        }
        assert!(Source::File("/nowhere".into()).open().is_err());
    }
}
