//! What the fuzz targets share: random bytes that are the same in each run, and TLS peers in memory.

mod altered;
mod random;
mod tls;

pub use altered::{alter_flights, handshake_was_altered};
pub use tls::{ca, deliver, pair, sent};
