//! SM3, the hash of GB/T 32905-2016 (32-byte digest, 64-byte block), and HMAC and HKDF over it.

mod hkdf;
mod hmac;
pub(crate) mod integrity;
pub(crate) mod self_test;

use std::{fmt, slice};

use digest::block_api::{AlgorithmName, BlockSizeUser};
use digest::consts::{U32, U64};
use digest::{FixedOutput, FixedOutputReset, HashMarker, Output, OutputSizeUser, Reset, Update};
use zeroize::{ZeroizeOnDrop, optimization_barrier};

use crate::arch::sm3::Kernel;
use crate::gate::Service;

pub use hkdf::{Error, HkdfSm3};
pub use hmac::HmacSm3;

#[doc(no_inline)]
pub use digest::{Digest, KeyInit, Mac};

/// Size of an SM3 digest in bytes.
pub const DIGEST_LEN: usize = 32;

/// Stack that no operation here exceeds, to be wiped after those with secrets.
const STACK: usize = 2 << 10;

/// Size of a block in bytes.
const BLOCK_LEN: usize = 64;

/// The first byte of the padding (GB/T 32905-2016, 5.2).
const PADDING: u8 = 0x80;

/// The state before the first block (GB/T 32905-2016, 4.1).
const IV: [u32; 8] = [
    0x7380_166f,
    0x4914_b2b9,
    0x1724_42d7,
    0xda8a_0600,
    0xa96f_30bc,
    0x1631_38aa,
    0xe38d_ee4d,
    0xb0fb_0e4e,
];

/// The SM3 hash (GB/T 32905-2016), used through [`digest::Digest`].
///
/// The standard hashes messages of less than 2^61 bytes; this counts on modulo 2^61.
///
/// # Panics
/// When a digest is to be given in the module's error state, which [`module`](crate::module) tells of.
///
/// ```
/// use shangmi::sm3::{Digest, Sm3};
///
/// let digest = Sm3::digest(b"abc"); // GB/T 32905-2016, A.1
/// assert_eq!(digest[..4], [0x66, 0xc7, 0xf0, 0xf4]);
/// ```
#[derive(Clone)]
pub struct Sm3 {
    kernel: Kernel,
    state: [u32; 8],
    /// Bytes of the message so far.
    length: u64,
    /// The last `length` mod 64 bytes, which do not fill a block yet, the padding's 0x80, and zeros.
    buffer: [u8; BLOCK_LEN],
}

/// The SM3 digest of `data`.
///
/// # Panics
/// In the module's error state, which [`module`](crate::module) tells of.
pub fn digest(data: &[u8]) -> [u8; DIGEST_LEN] {
    self_test::SM3.enter_or_panic(Service::Sm3);
    let mut digest = [0; DIGEST_LEN];
    let mut hash = Sm3::default();
    hash.absorb(data);
    hash.finish(&mut digest);
    digest
}

impl Sm3 {
    fn with_kernel(kernel: Kernel) -> Self {
        let mut buffer = [0; BLOCK_LEN];
        buffer[0] = PADDING;
        Self {
            kernel,
            state: IV,
            length: 0,
            buffer,
        }
    }

    pub(crate) fn absorb(&mut self, mut data: &[u8]) {
        let buffered = self.buffered();
        self.length = self.length.wrapping_add(data.len() as u64);
        if buffered > 0 {
            let room = &mut self.buffer[buffered..];
            let Some((head, rest)) = data.split_at_checked(room.len()) else {
                room[..data.len()].copy_from_slice(data);
                room[data.len()] = PADDING;
                return;
            };
            room.copy_from_slice(head);
            data = rest;
            self.compress_buffer();
        }
        let (blocks, rest) = data.as_chunks();
        // Before the blocks: by the time that the buffer is loaded in vectors, these narrow stores are
        // done, for which the loads would have to wait.
        self.buffer[..rest.len()].copy_from_slice(rest);
        self.buffer[rest.len()] = PADDING;
        self.kernel.compress(&mut self.state, blocks);
    }

    /// The digest, for a floor above that has passed a gate of its own.
    pub(crate) fn finished(mut self) -> [u8; DIGEST_LEN] {
        let mut digest = [0; DIGEST_LEN];
        self.finish(&mut digest);
        digest
    }

    /// Pads the message (5.2) and writes the digest, for a service that has entered a gate of its own.
    /// `self` is then to be reset or dropped.
    pub(crate) fn finish(&mut self, digest: &mut [u8; DIGEST_LEN]) {
        self.pad();
        write_words(&self.state, digest);
    }

    /// Pads the message (5.2), so that the state is the digest.
    fn pad(&mut self) {
        const LENGTH_AT: usize = BLOCK_LEN - size_of::<u64>();
        if self.buffered() >= LENGTH_AT {
            self.compress_buffer();
        }
        self.buffer[LENGTH_AT..].copy_from_slice(&(self.length << 3).to_be_bytes());
        self.compress_buffer();
    }

    fn compress_buffer(&mut self) {
        let blocks = slice::from_ref(&self.buffer);
        self.kernel.compress(&mut self.state, blocks);
        self.buffer = [0; BLOCK_LEN];
    }

    fn buffered(&self) -> usize {
        self.length as usize % BLOCK_LEN
    }

    fn wipe(&mut self) {
        self.state = [0; 8];
        self.length = 0;
        self.buffer = [0; BLOCK_LEN];
        optimization_barrier(self);
    }
}

/// Writes the state as a digest: big-endian.
fn write_words(state: &[u32; 8], digest: &mut [u8; DIGEST_LEN]) {
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
}

impl Default for Sm3 {
    #[inline]
    fn default() -> Self {
        Self::with_kernel(Kernel::select())
    }
}

impl HashMarker for Sm3 {}

impl OutputSizeUser for Sm3 {
    type OutputSize = U32;
}

impl BlockSizeUser for Sm3 {
    type BlockSize = U64;
}

impl Update for Sm3 {
    #[inline]
    fn update(&mut self, data: &[u8]) {
        self.absorb(data);
    }
}

impl FixedOutput for Sm3 {
    #[inline]
    fn finalize_into(mut self, out: &mut Output<Self>) {
        self_test::SM3.enter_or_panic(Service::Sm3);
        self.finish(out.as_mut());
    }
}

impl Reset for Sm3 {
    #[inline]
    fn reset(&mut self) {
        self.wipe();
        self.state = IV;
        self.buffer[0] = PADDING;
    }
}

impl FixedOutputReset for Sm3 {
    #[inline]
    fn finalize_into_reset(&mut self, out: &mut Output<Self>) {
        self_test::SM3.enter_or_panic(Service::Sm3);
        self.finish(out.as_mut());
        Reset::reset(self);
    }
}

impl AlgorithmName for Sm3 {
    fn write_alg_name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm3")
    }
}

impl fmt::Debug for Sm3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm3 { .. }")
    }
}

impl Drop for Sm3 {
    #[inline]
    fn drop(&mut self) {
        // What is hashed may be secret. The kernel is none, but then no byte is left as it was.
        self.kernel = Kernel::Portable;
        self.wipe();
    }
}

impl ZeroizeOnDrop for Sm3 {}

#[cfg(test)]
mod tests {
    use super::*;
    use digest::common::hazmat::SerializableState;
    use sm3::block_api::Sm3Core;
    use sm3::digest::block_api::{Buffer, FixedOutputCore};

    /// Bytes without a pattern, the same in every run.
    fn message(len: usize) -> Vec<u8> {
        let mut x = 0x9e37_79b9_u32;
        let mut next = || {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            (x >> 24) as u8
        };
        std::iter::repeat_with(&mut next).take(len).collect()
    }

    fn oracle(data: &[u8]) -> [u8; 32] {
        ::sm3::Sm3::digest(data).into()
    }

    fn finished(mut hash: Sm3) -> [u8; 32] {
        let mut digest = [0; 32];
        hash.finish(&mut digest);
        digest
    }

    #[test]
    fn every_length_agrees_with_rustcrypto() {
        let message = message(1100);
        for kernel in Kernel::all() {
            for len in 0..=message.len() {
                let mut hash = Sm3::with_kernel(kernel);
                hash.absorb(&message[..len]);
                let digest = finished(hash);
                assert_eq!(digest, oracle(&message[..len]), "{kernel:?}, {len} bytes");
            }
        }
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        for kernel in Kernel::all() {
            for len in [63, 64, 65, 119, 120, 128, 129, 200] {
                let message = message(len);
                let expected = oracle(&message);
                for first in 0..=len {
                    for second in first..=len {
                        let mut hash = Sm3::with_kernel(kernel);
                        hash.absorb(&message[..first]);
                        hash.absorb(&message[first..second]);
                        hash.absorb(&message[second..]);
                        let digest = finished(hash);
                        assert_eq!(digest, expected, "{kernel:?}, {first}, {second}, {len}");
                    }
                }
            }
        }
    }

    /// Both hashes continue a message of `before` bytes, as if they had absorbed it.
    fn continued(before: u64, tail: &[u8]) -> ([u8; 32], [u8; 32]) {
        assert_eq!(before % 64, 0);
        let state = [7; 8];
        let mut serialized = [0; 40];
        for (bytes, word) in serialized.chunks_exact_mut(4).zip(state) {
            bytes.copy_from_slice(&u32::to_le_bytes(word));
        }
        serialized[32..].copy_from_slice(&(before / 64).to_le_bytes());
        let mut theirs = Sm3Core::deserialize(&serialized.into()).unwrap();
        let mut expected = Output::<Sm3Core>::default();
        theirs.finalize_fixed_core(&mut Buffer::<Sm3Core>::new(tail), &mut expected);

        let mut ours = Sm3::with_kernel(Kernel::select());
        ours.state = state;
        ours.length = before;
        ours.absorb(tail);
        (finished(ours), expected.into())
    }

    #[test]
    fn the_length_has_64_bits() {
        // Bit counts around 2^32, where a 32-bit count would wrap, and the last below 2^64.
        for before in [1 << 29, (1 << 29) - 64, 1 << 32, 1 << 60, (1 << 61) - 64] {
            for tail in [0, 1, 55, 56, 63] {
                let (ours, expected) = continued(before, &message(tail));
                assert_eq!(ours, expected, "{before} + {tail} bytes");
            }
        }
    }

    #[test]
    fn beyond_the_standards_length_the_count_wraps() {
        let (mut past, mut short) = (Sm3::default(), Sm3::default());
        past.length = 1 << 61;
        past.absorb(b"abc");
        short.absorb(b"abc");
        assert_eq!(finished(past), finished(short));
    }

    #[test]
    fn a_clone_goes_its_own_way() {
        let mut hash = Sm3::new_with_prefix(b"ab");
        let fork = hash.clone();
        Digest::update(&mut hash, b"c");
        assert_eq!(<[u8; 32]>::from(hash.finalize()), digest(b"abc"));
        assert_eq!(<[u8; 32]>::from(fork.finalize()), digest(b"ab"));
    }

    #[test]
    fn a_reset_hash_starts_again() {
        let mut hash = Sm3::new();
        Digest::update(&mut hash, b"something else");
        Digest::reset(&mut hash);
        Digest::update(&mut hash, b"abc");
        assert_eq!(<[u8; 32]>::from(hash.finalize_reset()), digest(b"abc"));
        Digest::update(&mut hash, b"abc");
        assert_eq!(<[u8; 32]>::from(hash.finalize()), digest(b"abc"));
    }
}
