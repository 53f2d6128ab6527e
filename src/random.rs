//! Random bytes: generators of SP 800-90A on SM3 and SM4, and the entropy that seeds them.
//!
//! | to | use |
//! |---|---|
//! | draw random bytes | [`SystemRandom`], wherever a [`rand_core::TryCryptoRng`] is asked for |
//! | draw them from fresh entropy | [`fill_with_prediction_resistance`] |
//! | seed from an HSM too | [`add_source`] |
//! | have a generator of one's own | [`DrbgRng`] |
//! | compute with a generator, without entropy | [`Drbg`] |
//!
//! ```text
//! operating system ──▶ health tests ─┐
//!                                    ├──▶ DRBG of a thread ──▶ buffer ──▶ SystemRandom
//! HSM, if added    ──▶ health tests ─┘
//! ```

mod ctr_drbg;
mod drbg;
mod entropy;
mod error;
mod hash_drbg;
mod health;
mod hmac_drbg;
mod rng;
pub(crate) mod self_test;
mod system;

pub use ctr_drbg::{CtrDrbg, CtrDrbgSm4};
pub use drbg::{Drbg, DrbgError, MAX_REQUEST, RESEED_INTERVAL, ReseedLimits};
#[cfg(feature = "pkcs11")]
pub(crate) use entropy::without_added_sources;
pub use entropy::{EntropySource, OsEntropy, SourceError, add_source, remove_source};
pub use error::Error;
pub use hash_drbg::{HashDrbg, HashDrbgGm, HashDrbgSm3};
pub use health::{HealthTest, MinEntropy};
pub use hmac_drbg::{HmacDrbg, HmacDrbgSm3};
pub use rng::DrbgRng;
pub use system::{
    SystemRandom, fill_with_additional_input, fill_with_prediction_resistance, reseed,
};

#[cfg(test)]
mod tests;
