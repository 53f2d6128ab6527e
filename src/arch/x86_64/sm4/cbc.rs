//! CBC: encryption, where each block waits for the one before, and decryption side by side.

use cipher::inout::InOutBuf;

use super::ctr::leave;
use super::round::{Alike, Field, rounds};
use super::{Kernel, RoundKeys};
use crate::arch::x86_64::vector::{MAX_LANES, Vector};

/// Encrypts whole blocks. `iv` becomes the last block of ciphertext.
#[inline(always)]
pub(super) fn encrypt<K: Kernel>(
    proof: K,
    round_keys: &RoundKeys,
    iv: &mut [u8; 16],
    mut blocks: InOutBuf<'_, '_, [u8; 16]>,
) {
    // The chain stays in the field; what enters and leaves it is off its path.
    let mut chain = enter::<K>(proof, iv);
    for i in 0..blocks.len() {
        let mut block = blocks.get(i);
        chain = chain
            .add(enter::<K>(proof, block.get_in()))
            .crypt::<K::Field>(round_keys);
        K::Field::leave(chain.into_blocks()).store(block.get_out());
    }
    K::Field::leave(chain.into_blocks()).store(iv);
}

#[inline(always)]
fn enter<K: Kernel>(proof: K, block: &[u8; 16]) -> Alike<K::Lane> {
    Alike::from_blocks(K::Field::enter(K::Lane::load(proof, block)))
}

/// Encrypts blocks, or decrypts them under reversed round keys. What they become is added to `iv` and
/// to the input before each, where there is an `iv`: that is CBC decryption, after which `iv` is the
/// last block of ciphertext.
#[inline(always)]
pub(super) fn crypt<K: Kernel>(
    proof: K,
    round_keys: &RoundKeys,
    mut iv: Option<&mut [u8; 16]>,
    mut blocks: InOutBuf<'_, '_, [u8; 16]>,
) {
    if iv.is_none() && blocks.len() == 1 {
        let block = enter::<K>(proof, &blocks.get_in()[0]).crypt::<K::Field>(round_keys);
        K::Field::leave(block.into_blocks()).store(&mut blocks.get_out()[0]);
        return;
    }
    while !blocks.is_empty() {
        let len = blocks.len().min(16 * K::Wide::LANES);
        let (now, later) = blocks.split_at(len);
        let last = now.get_in()[len - 1];
        K::blocks(proof, round_keys, iv.as_deref(), now);
        if let Some(iv) = &mut iv {
            **iv = last;
        }
        blocks = later;
    }
}

/// Encrypts at most 16 vectors of blocks; what they become is added to the block before each, if there is
/// one before the first. The kernel has it compiled once.
#[inline(always)]
pub(super) fn blocks_here<K: Kernel>(
    proof: K,
    round_keys: &RoundKeys,
    before: Option<&[u8; 16]>,
    blocks: InOutBuf<'_, '_, [u8; 16]>,
) {
    match blocks.len().div_ceil(4 * K::Wide::LANES) {
        1 => states::<K, 1>(proof, round_keys, before, blocks),
        2 => states::<K, 2>(proof, round_keys, before, blocks),
        3 => states::<K, 3>(proof, round_keys, before, blocks),
        _ => states::<K, 4>(proof, round_keys, before, blocks),
    }
}

/// At most N states of blocks.
#[inline(always)]
fn states<K: Kernel, const N: usize>(
    proof: K,
    round_keys: &RoundKeys,
    before: Option<&[u8; 16]>,
    mut blocks: InOutBuf<'_, '_, [u8; 16]>,
) {
    let (len, full) = (blocks.len(), 4 * N * K::Wide::LANES);
    let mut filled = None;
    let now = if len == full {
        blocks.reborrow()
    } else {
        let filled = filled.insert([[[0; 16]; 4 * MAX_LANES]; N]);
        let filled = filled.as_flattened_mut();
        filled[..len].copy_from_slice(blocks.get_in());
        (&mut filled[..full]).into()
    };
    full_states::<K, N>(proof, round_keys, before, now);
    if let Some(filled) = &filled {
        blocks
            .get_out()
            .copy_from_slice(&filled.as_flattened()[..len]);
    }
}

#[inline(always)]
fn full_states<K: Kernel, const N: usize>(
    proof: K,
    round_keys: &RoundKeys,
    before: Option<&[u8; 16]>,
    mut blocks: InOutBuf<'_, '_, [u8; 16]>,
) {
    let zero = K::Wide::splat_word(proof, 0);
    let mut states = [[zero; 4]; N];
    let input = blocks.get_in().as_flattened().chunks_exact(K::Wide::BYTES);
    for (row, input) in states.as_flattened_mut().iter_mut().zip(input) {
        *row = K::Field::enter(K::Wide::load(proof, input));
    }
    for state in &mut states {
        *state = K::Wide::transpose(*state);
    }
    rounds::<K::Field, K::Wide, N>(round_keys, &mut states, &mut ());
    for state in &mut states {
        *state = leave::<K::Field, K::Wide>(*state);
    }

    // From the last to the first, so that in place no block is overwritten that is still to be added.
    for (i, row) in states.as_flattened().iter().enumerate().rev() {
        let at = i * K::Wide::LANES;
        let row = match before {
            None => *row,
            Some(_) if i > 0 => {
                *row ^ K::Wide::load(proof, blocks.get_in()[at - 1..].as_flattened())
            }
            Some(before) => {
                let mut first = [*before; MAX_LANES];
                first[1..K::Wide::LANES].copy_from_slice(&blocks.get_in()[..K::Wide::LANES - 1]);
                *row ^ K::Wide::load(proof, first.as_flattened())
            }
        };
        row.store(blocks.get_out()[at..].as_flattened_mut());
    }
}
