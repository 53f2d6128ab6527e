//! The modes over the portable kernels, which know blocks only.

use cipher::inout::InOutBuf;

use super::ccm::Ccm;
use super::gcm::{Gcm, Hashed};
use crate::arch::portable::ghash;
use crate::arch::portable::sm4::{RoundKeys, crypt};

/// The blocks that the kernel is given at once.
const AT_ONCE: usize = 32;

/// CBC encryption. `iv` becomes the last block of ciphertext.
pub(super) fn cbc_encrypt(
    round_keys: &RoundKeys,
    iv: &mut [u8; 16],
    blocks: InOutBuf<'_, '_, [u8; 16]>,
) {
    for mut block in blocks {
        add(iv, block.get_in());
        crypt(round_keys, InOutBuf::from_mut(iv));
        *block.get_out() = *iv;
    }
}

/// CBC decryption under reversed round keys. `iv` becomes the last block of ciphertext.
pub(super) fn cbc_decrypt(
    reversed_keys: &RoundKeys,
    iv: &mut [u8; 16],
    mut blocks: InOutBuf<'_, '_, [u8; 16]>,
) {
    while !blocks.is_empty() {
        let len = blocks.len().min(AT_ONCE);
        let (mut now, later) = blocks.split_at(len);
        let mut buffer = [[0; 16]; AT_ONCE];
        let plain = &mut buffer[..len];
        plain.copy_from_slice(now.get_in());
        crypt(reversed_keys, (&mut *plain).into());
        for (plain, cipher) in plain.iter_mut().zip(now.get_in()) {
            add(plain, iv);
            *iv = *cipher;
        }
        now.get_out().copy_from_slice(plain);
        blocks = later;
    }
}

/// Adds the key stream of counter blocks.
pub(super) fn ctr(
    round_keys: &RoundKeys,
    nonce: &[u8; 12],
    mut counter: u32,
    mut buf: InOutBuf<'_, '_, u8>,
) {
    while !buf.is_empty() {
        let len = buf.len().min(16 * AT_ONCE);
        let (mut now, later) = buf.split_at(len);
        let mut buffer = [[0; 16]; AT_ONCE];
        let key_stream = &mut buffer[..len.div_ceil(16)];
        for block in &mut *key_stream {
            *block = counter_block(nonce, counter);
            counter = counter.wrapping_add(1);
        }
        crypt(round_keys, (&mut *key_stream).into());
        now.xor_in2out(&key_stream.as_flattened()[..len]);
        buf = later;
    }
}

fn counter_block(nonce: &[u8; 12], counter: u32) -> [u8; 16] {
    let mut block = [0; 16];
    block[..12].copy_from_slice(nonce);
    block[12..].copy_from_slice(&counter.to_be_bytes());
    block
}

fn add(block: &mut [u8; 16], other: &[u8; 16]) {
    for (byte, other) in block.iter_mut().zip(other) {
        *byte ^= other;
    }
}

/// GCM under a key and a nonce.
pub(super) struct PortableGcm<'k> {
    pub(super) round_keys: &'k RoundKeys,
    pub(super) hash_key: &'k ghash::Key,
    pub(super) nonce: &'k [u8; 12],
}

impl Gcm for PortableGcm<'_> {
    type State = [u8; 16];
    const CHUNK: usize = 16 * AT_ONCE;

    fn start(&self) -> [u8; 16] {
        [0; 16]
    }

    fn hash(&self, mut state: [u8; 16], data: &[u8], last: Option<&[u8; 16]>) -> [u8; 16] {
        let (blocks, rest) = data.as_chunks::<16>();
        self.hash_key.absorb(&mut state, blocks);
        if !rest.is_empty() {
            let mut block = [0; 16];
            block[..rest.len()].copy_from_slice(rest);
            self.hash_key.absorb(&mut state, &[block]);
        }
        if let Some(last) = last {
            self.hash_key.absorb(&mut state, &[*last]);
        }
        state
    }

    fn chunk(
        &self,
        counter: u32,
        chunk: &mut InOutBuf<'_, '_, u8>,
        state: [u8; 16],
        hashed: Hashed<'_>,
    ) -> [u8; 16] {
        let state = match hashed {
            Hashed::Previous(previous) => self.hash(state, previous, None),
            Hashed::This => self.hash(state, chunk.get_in(), None),
        };
        ctr(self.round_keys, self.nonce, counter, chunk.reborrow());
        state
    }

    fn tail(
        &self,
        counter: u32,
        tail: InOutBuf<'_, '_, u8>,
        state: [u8; 16],
        previous: &[u8],
    ) -> ([u8; 16], [u8; 16]) {
        let mut mask = [counter_block(self.nonce, 1)];
        crypt(self.round_keys, mask.as_mut_slice().into());
        ctr(self.round_keys, self.nonce, counter, tail);
        (self.hash(state, previous, None), mask[0])
    }

    fn tag(&self, state: [u8; 16], mask: &[u8; 16]) -> [u8; 16] {
        let mut tag = state;
        add(&mut tag, mask);
        tag
    }
}

/// A CBC-MAC beside which another block is encrypted.
pub(super) struct PortableCcm<'k> {
    round_keys: &'k RoundKeys,
    mac: [u8; 16],
    key_stream: [u8; 16],
}

impl<'k> PortableCcm<'k> {
    pub(super) fn new(round_keys: &'k RoundKeys) -> Self {
        Self {
            round_keys,
            mac: [0; 16],
            key_stream: [0; 16],
        }
    }
}

impl Ccm for PortableCcm<'_> {
    fn step(&mut self, block: &[u8; 16], counter: &[u8; 16]) -> [u8; 16] {
        let mut both = [self.mac, *counter];
        add(&mut both[0], block);
        crypt(self.round_keys, both.as_mut_slice().into());
        [self.mac, self.key_stream] = both;
        self.key_stream
    }

    fn step_decrypting(&mut self, block: &[u8; 16], counter: &[u8; 16]) -> [u8; 16] {
        let mut plain = *block;
        add(&mut plain, &self.key_stream);
        self.step(&plain, counter)
    }

    fn mac(&self) -> [u8; 16] {
        self.mac
    }
}
