//! Random bytes. Today the operating system's generator; every floor above takes any
//! [`rand_core::TryCryptoRng`] or asks [`SystemRandom`].

mod ctr_drbg;
mod drbg;
mod hash_drbg;
mod hmac_drbg;

use rand_core::{TryCryptoRng, TryRng};

pub use ctr_drbg::{CtrDrbg, CtrDrbgSm4};
pub use drbg::{Drbg, DrbgError, MAX_REQUEST, RESEED_INTERVAL, ReseedLimits};
pub use hash_drbg::{HashDrbg, HashDrbgSm3};
pub use hmac_drbg::{HmacDrbg, HmacDrbgSm3};

/// The operating system's random generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

/// The operating system gave no random bytes; nothing was generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(getrandom::Error);

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the operating system gave no random bytes: {}", self.0)
    }
}

impl std::error::Error for Error {}

impl TryRng for SystemRandom {
    type Error = Error;

    fn try_next_u32(&mut self) -> Result<u32, Error> {
        getrandom::u32().map_err(Error)
    }

    fn try_next_u64(&mut self) -> Result<u64, Error> {
        getrandom::u64().map_err(Error)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(dst).map_err(Error)
    }
}

impl TryCryptoRng for SystemRandom {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        SystemRandom.try_fill_bytes(&mut a).unwrap();
        SystemRandom.try_fill_bytes(&mut b).unwrap();
        assert_ne!(a, b);
    }
}
