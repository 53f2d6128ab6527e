//! The key derivation function of GB/T 32918.4, 5.4.3 (and GB/T 32918.3, 5.4.3).

use digest::Digest;
use zeroize::Zeroizing;

use crate::sm3::Sm3;

/// Fills `out` with SM3(input || 1) || SM3(input || 2) || ..
pub(super) fn kdf(input: &[&[u8]], out: &mut [u8]) {
    let mut keyed = Sm3::new();
    for part in input {
        Digest::update(&mut keyed, part);
    }
    for (chunk, counter) in out.chunks_mut(32).zip(1u32..) {
        let block = keyed.clone().chain_update(counter.to_be_bytes());
        let block = Zeroizing::new(block.finished());
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}
