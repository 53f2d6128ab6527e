//! An HSM signer on a test token: what a server bears under load ([`load`]), with faults in the
//! midst of it ([`faults`]), what the pool of sessions costs ([`overhead`]) and what it leaves
//! behind ([`endurance`]).
//!
//! `./figures hsm` prints the figures, and the program `hsm-faults` checks the table of faults.

mod bank;
mod clients;
pub mod endurance;
pub mod faults;
pub mod load;
pub mod overhead;
mod processor;
pub mod rows;
mod server;

pub use bank::{Bank, Result};
