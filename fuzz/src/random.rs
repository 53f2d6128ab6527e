//! A counter hashed with SM3 in place of the operating system's generator, so that every finding can
//! be reproduced from its input: SystemRandom, and so ephemeral keys, hellos, nonces and serial numbers.
//!
//! `fuzz/run` selects it with `--cfg getrandom_backend="custom"`.

use std::cell::Cell;

thread_local! {
    static COUNTER: Cell<u64> = const { Cell::new(0) };
}

/// On this thread, the random bytes begin anew.
pub fn restart() {
    COUNTER.set(0);
}

fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(32) {
        let counter = COUNTER.get();
        COUNTER.set(counter + 1);
        let block = shangmi::sm3::digest(&counter.to_be_bytes());
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

/// The name and the signature that getrandom 0.3 and later asks for.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    bytes: *mut u8,
    length: usize,
) -> Result<(), getrandom::Error> {
    // SAFETY: getrandom gives a buffer of this length for us to write to. Zeroing it first makes it
    // a slice of initialised bytes.
    let bytes = unsafe {
        std::ptr::write_bytes(bytes, 0, length);
        std::slice::from_raw_parts_mut(bytes, length)
    };
    fill(bytes);
    Ok(())
}
