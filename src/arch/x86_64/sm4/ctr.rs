//! Counter mode: blocks of a 96-bit nonce and a 32-bit big-endian counter, encrypted side by side.

use cipher::inout::InOutBuf;

use super::round::{Alike, Field, Step, rounds};
use super::{Kernel, RoundKeys};
use crate::arch::x86_64::vector::{MAX_LANES, Vector};

/// The states that a chunk has: with four vectors each, 16 vectors of blocks.
const STATES: usize = 4;

/// The bytes that are encrypted at once.
pub(super) const fn chunk_bytes<V: Vector>() -> usize {
    4 * STATES * V::BYTES
}

/// A key and the first words of its counter blocks.
pub(super) struct Counters<'k, K: Kernel> {
    proof: K,
    round_keys: &'k RoundKeys,
    nonce: &'k [u8; 12],
    /// The nonce's words, in the field.
    words: [K::Wide; 3],
}

impl<'k, K: Kernel> Counters<'k, K> {
    #[inline(always)]
    pub(super) fn new(proof: K, round_keys: &'k RoundKeys, nonce: &'k [u8; 12]) -> Self {
        let words = nonce.as_chunks::<4>().0;
        Self {
            proof,
            round_keys,
            nonce,
            words: [
                Self::splat(proof, words[0]),
                Self::splat(proof, words[1]),
                Self::splat(proof, words[2]),
            ],
        }
    }

    #[inline(always)]
    fn splat(proof: K, word: [u8; 4]) -> K::Wide {
        K::Field::enter(K::Wide::splat_word(proof, u32::from_le_bytes(word)))
    }

    /// The key stream from `counter` on for a chunk of [`chunk_bytes`].
    #[inline(always)]
    pub(super) fn chunk(&self, counter: u32, beside: &mut impl Step) -> KeyStream<K> {
        let mut counters = [K::Wide::splat_word(self.proof, 0); STATES];
        for (i, counters) in counters.iter_mut().enumerate() {
            *counters = self.consecutive(counter, i);
        }
        KeyStream(self.key_stream(counters, beside))
    }

    /// Adds the key stream from `counter` on to less than a chunk. Returns the encryption of the block
    /// that has `extra` for a counter.
    #[inline(always)]
    pub(super) fn tail(
        &self,
        counter: u32,
        tail: InOutBuf<'_, '_, u8>,
        extra: u32,
        beside: &mut impl Step,
    ) -> [u8; 16] {
        match (tail.len().div_ceil(16) + 1).div_ceil(4 * K::Wide::LANES) {
            1 => self.tail_of::<1>(counter, tail, extra, beside),
            2 => self.tail_of::<2>(counter, tail, extra, beside),
            3 => self.tail_of::<3>(counter, tail, extra, beside),
            _ => self.tail_of::<STATES>(counter, tail, extra, beside),
        }
    }

    #[inline(always)]
    fn tail_of<const N: usize>(
        &self,
        counter: u32,
        tail: InOutBuf<'_, '_, u8>,
        extra: u32,
        beside: &mut impl Step,
    ) -> [u8; 16] {
        let blocks = tail.len().div_ceil(16);
        // The block after the last one has the extra counter, if there is one.
        let after = K::Wide::splat_word(self.proof, counter.wrapping_add(blocks as u32));
        let change = K::Wide::splat_word(self.proof, counter.wrapping_add(blocks as u32) ^ extra);
        let mut counters = [after; N];
        for (i, counters) in counters.iter_mut().enumerate() {
            let consecutive = self.consecutive(counter, i);
            *counters = consecutive ^ (consecutive.equal_words(after) & change);
        }
        let mut bytes = [[[0; 16 * MAX_LANES]; 4]; N];
        let bytes = bytes.as_flattened_mut().as_flattened_mut();
        let key_stream = self.key_stream(counters, beside);
        for (i, key_stream) in key_stream.as_flattened().iter().enumerate() {
            key_stream.store(&mut bytes[i * K::Wide::BYTES..]);
        }

        let bytes = &bytes[..4 * N * K::Wide::BYTES];
        let (key_stream, rest) = bytes.as_chunks::<16>().0.split_at(blocks);
        let whole = tail.len() & !15;
        let (mut head, mut last) = tail.split_at(whole);
        for (i, key_stream) in key_stream[..whole / 16].iter().enumerate() {
            let text = K::Lane::load(self.proof, &head.get_in()[16 * i..]);
            let key_stream = K::Lane::load(self.proof, key_stream);
            (text ^ key_stream).store(&mut head.get_out()[16 * i..]);
        }
        if !last.is_empty() {
            let len = last.len();
            last.xor_in2out(&key_stream[whole / 16][..len]);
        }
        match rest.first() {
            Some(extra) => *extra,
            None => self.single(extra),
        }
    }

    /// The encryption of one counter block.
    #[inline(always)]
    fn single(&self, counter: u32) -> [u8; 16] {
        let mut block = [0; 16];
        block[..12].copy_from_slice(self.nonce);
        block[12..].copy_from_slice(&counter.to_be_bytes());
        let block_in = K::Field::enter(K::Lane::load(self.proof, &block));
        let block_out = Alike::from_blocks(block_in).crypt::<K::Field>(self.round_keys);
        K::Field::leave(block_out.into_blocks()).store(&mut block);
        block
    }

    /// The counters of state `i`, little-endian, so that its vectors have consecutive blocks.
    #[inline(always)]
    fn consecutive(&self, counter: u32, i: usize) -> K::Wide {
        let first = counter.wrapping_add((4 * K::Wide::LANES * i) as u32);
        let indices = const { indices(K::Wide::LANES) };
        K::Wide::splat_word(self.proof, first)
            .add_words(K::Wide::load(self.proof, indices.as_flattened()))
    }

    #[inline(always)]
    fn key_stream<const N: usize>(
        &self,
        counters: [K::Wide; N],
        beside: &mut impl Step,
    ) -> [[K::Wide; 4]; N] {
        let [a, b, c] = self.words;
        let mut states = [[a, b, c, a]; N];
        for (state, counters) in states.iter_mut().zip(counters) {
            state[3] = K::Field::enter(counters.shuffle(counters.constant(BIG_ENDIAN)));
        }
        rounds::<K::Field, K::Wide, N>(self.round_keys, &mut states, beside);
        for state in &mut states {
            *state = leave::<K::Field, K::Wide>(*state);
        }
        states
    }
}

/// The key stream for a chunk.
pub(super) struct KeyStream<K: Kernel>([[K::Wide; 4]; STATES]);

impl<K: Kernel> KeyStream<K> {
    /// Adds it to a chunk.
    #[inline(always)]
    pub(super) fn add_to(self, chunk: &mut InOutBuf<'_, '_, u8>) {
        for (i, key_stream) in self.0.as_flattened().iter().enumerate() {
            let at = i * K::Wide::BYTES..(i + 1) * K::Wide::BYTES;
            let text = K::Wide::load(key_stream.proof(), &chunk.get_in()[at.clone()]);
            (text ^ *key_stream).store(&mut chunk.get_out()[at]);
        }
    }
}

/// The blocks of a state after the last round.
#[inline(always)]
pub(super) fn leave<F: Field<V>, V: Vector>([a, b, c, d]: [V; 4]) -> [V; 4] {
    V::transpose([F::leave(d), F::leave(c), F::leave(b), F::leave(a)])
}

/// The bytes of each word in reverse.
const BIG_ENDIAN: [u8; 16] = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

/// Column q of lane l becomes lane l of vector q, block q lanes + l of the state.
const fn indices(lanes: usize) -> [[u8; 4]; 4 * MAX_LANES] {
    let mut out = [[0; 4]; 4 * MAX_LANES];
    let mut i = 0;
    while i < 4 * lanes {
        out[i][0] = (i % 4 * lanes + i / 4) as u8;
        i += 1;
    }
    out
}
