//! CCM with a nonce of 96 bits and a tag of 16 bytes (NIST SP 800-38C), over a kernel that encrypts
//! a block of the CBC-MAC and a counter block at once.

use cipher::inout::InOutBuf;

use super::Direction;

/// A key of one kernel, and the state of a CBC-MAC.
pub(crate) trait Ccm {
    /// Takes `block` into the MAC and returns the encryption of `counter`.
    fn step(&mut self, block: &[u8; 16], counter: &[u8; 16]) -> [u8; 16];
    /// The same for the sum of `block` and the last step's key stream.
    fn step_decrypting(&mut self, block: &[u8; 16], counter: &[u8; 16]) -> [u8; 16];
    /// The MAC.
    fn mac(&self) -> [u8; 16];
}

/// Encrypts or decrypts `buf`, of less than 2^24 bytes, and returns the tag.
///
/// A plaintext block that goes into the MAC takes a counter with it: its own when it is encrypted,
/// the next block's when it is decrypted, as that one cannot go into the MAC before it is known.
#[inline(always)]
pub(crate) fn crypt(
    mut ccm: impl Ccm,
    direction: Direction,
    nonce: &[u8; 12],
    associated_data: &[u8],
    mut buf: InOutBuf<'_, '_, u8>,
) -> [u8; 16] {
    // A.2.1: the same with flags for (t - 2) / 2 = 7 and associated data, and the length.
    let mut first = counter_block(nonce, buf.len());
    first[0] |= 7 << 3 | u8::from(!associated_data.is_empty()) << 6;

    let count = buf.len().div_ceil(16);
    let ahead = usize::from(direction == Direction::Decrypt && count > 0);
    let mut key_stream = ccm.step(&first, &counter_block(nonce, ahead));
    associate(&mut ccm, associated_data, &counter_block(nonce, ahead));
    // Encrypted counter 0.
    let mut mask = key_stream;
    for i in 1..=count {
        let len = buf.len().min(16);
        let (mut now, later) = buf.split_at(len);
        let mut block = [0; 16];
        block[..len].copy_from_slice(now.get_in());
        match direction {
            Direction::Encrypt => {
                key_stream = ccm.step(&block, &counter_block(nonce, i));
                add(&mut block, &key_stream);
            }
            Direction::Decrypt => {
                let next = counter_block(nonce, (i + 1) % (count + 1));
                let cipher = block;
                add(&mut block, &key_stream);
                block[len..].fill(0);
                key_stream = match len {
                    16 => ccm.step_decrypting(&cipher, &next),
                    _ => ccm.step(&block, &next),
                };
                mask = key_stream;
            }
        }
        now.get_out().copy_from_slice(&block[..len]);
        buf = later;
    }
    let mut tag = ccm.mac();
    add(&mut tag, &mask);
    tag
}

/// Counter block i (A.3): the flags are q - 1 = 2.
#[inline(always)]
fn counter_block(nonce: &[u8; 12], i: usize) -> [u8; 16] {
    let mut block = [0; 16];
    block[0] = 2;
    block[1..13].copy_from_slice(nonce);
    block[13..].copy_from_slice(&(i as u32).to_be_bytes()[1..]);
    block
}

/// Takes the associated data into the MAC, with its length before it (A.2.2).
#[inline(always)]
fn associate(ccm: &mut impl Ccm, data: &[u8], counter: &[u8; 16]) {
    let mut block = [0; 16];
    let start = match data.len() {
        0 => return,
        len @ 1..0xff00 => {
            block[..2].copy_from_slice(&(len as u16).to_be_bytes());
            2
        }
        len @ 0xff00..=0xffff_ffff => {
            block[..2].copy_from_slice(&[0xff, 0xfe]);
            block[2..6].copy_from_slice(&(len as u32).to_be_bytes());
            6
        }
        len => {
            block[..2].copy_from_slice(&[0xff, 0xff]);
            block[2..10].copy_from_slice(&(len as u64).to_be_bytes());
            10
        }
    };
    let (now, later) = data.split_at(data.len().min(16 - start));
    block[start..start + now.len()].copy_from_slice(now);
    ccm.step(&block, counter);
    for data in later.chunks(16) {
        let mut block = [0; 16];
        block[..data.len()].copy_from_slice(data);
        ccm.step(&block, counter);
    }
}

#[inline(always)]
fn add(block: &mut [u8; 16], other: &[u8; 16]) {
    let sum = u128::from_ne_bytes(*block) ^ u128::from_ne_bytes(*other);
    *block = sum.to_ne_bytes();
}
