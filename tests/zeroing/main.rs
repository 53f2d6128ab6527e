//! After drop, no byte of a secret remains where it was: for each type that holds one, and for all
//! the heap blocks that whole handshakes free.

mod heap;
mod types;
