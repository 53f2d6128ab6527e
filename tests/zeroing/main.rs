//! After drop, no byte of a secret remains where it was: for each type that holds one, and for all
//! the heap blocks that whole connections free.

#[path = "../common/mod.rs"]
mod common;
mod connections;
#[path = "../common/drbg_states.rs"]
mod drbg_states;
mod handshake;
mod heap;
mod international;
mod key_files;
mod locked;
mod random;
mod token;
mod types;

#[global_allocator]
static ALLOCATOR: heap::Recorder = heap::Recorder;
