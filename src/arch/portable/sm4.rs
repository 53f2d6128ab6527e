//! SM4 (GB/T 32907-2016), bitsliced: the S-box is a circuit, evaluated for 32 blocks at once.
//!
//! A [`Plane`] is as wide as a vector register of any processor that has them, and the compiler
//! turns what is done for its four lanes into vector instructions.

use std::array;

use cipher::inout::InOutBuf;

mod sbox;

/// One key for each round, in the order of use: the reverse decrypts.
pub(in crate::arch) type RoundKeys = [u32; 32];

type Block = [u8; 16];

/// One bit of every byte of a word: lane q is for byte q, 0 being the least significant, and bit n
/// of a lane is for block n.
type Plane = [u32; 4];

/// A word of each of 32 blocks: plane i has bit i of every byte.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Word([Plane; 8]);

const ZERO: Word = Word([[0; 4]; 8]);

/// Blocks that [`crypt_wide`] takes at once.
const WIDE: usize = 32;

/// The system parameter FK (7.3).
const FK: [u32; 4] = [0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc];

/// The fixed parameters CK: byte j of CK_i is 7 (4 i + j) mod 256 (7.3).
const CK: [u32; 32] = {
    let mut ck = [0; 32];
    let mut byte = 0;
    while byte < 128 {
        ck[byte / 4] = ck[byte / 4] << 8 | (7 * byte as u32) & 0xff;
        byte += 1;
    }
    ck
};

/// The round keys of a key (7.3).
pub(in crate::arch) fn expand(key: &Block) -> RoundKeys {
    let key = words(key);
    let mut k: [u32; 4] = array::from_fn(|i| key[i] ^ FK[i]);
    array::from_fn(|round| {
        let b = tau(k[1] ^ k[2] ^ k[3] ^ CK[round]);
        k = [
            k[1],
            k[2],
            k[3],
            k[0] ^ b ^ b.rotate_left(13) ^ b.rotate_left(23),
        ];
        k[3]
    })
}

/// Encrypts blocks; with the round keys in reverse order, decrypts them.
pub(in crate::arch) fn crypt(round_keys: &RoundKeys, blocks: InOutBuf<'_, '_, Block>) {
    // The wide code takes as long for any number of blocks as the narrow code for two.
    let narrow = match blocks.len() % WIDE {
        rest @ ..=2 => rest,
        _ => 0,
    };
    let wide = blocks.len() - narrow;
    let (wide, narrow) = blocks.split_at(wide);
    if !wide.is_empty() {
        crypt_wide(round_keys, wide);
    }
    for mut block in narrow {
        *block.get_out() = crypt_narrow(round_keys, block.get_in());
    }
}

/// One block, its words as they are.
fn crypt_narrow(round_keys: &RoundKeys, block: &Block) -> Block {
    let mut x = words(block);
    for key in round_keys {
        x = [
            x[1],
            x[2],
            x[3],
            x[0] ^ linear(tau(x[1] ^ x[2] ^ x[3] ^ key)),
        ];
    }
    let mut out = [0; 16];
    for (bytes, word) in out.chunks_exact_mut(4).zip(x.iter().rev()) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    out
}

fn words(block: &Block) -> [u32; 4] {
    let (words, _) = block.as_chunks::<4>();
    array::from_fn(|i| u32::from_be_bytes(words[i]))
}

/// The transformation tau (6.2.1): the S-box on each byte.
#[inline(always)]
fn tau(word: u32) -> u32 {
    const BIT: u32 = 0x01010101;
    let planes = sbox::core(array::from_fn(|i| (word ^ sbox::IN) >> i & BIT));
    (0..8).fold(sbox::OUT, |word, i| word ^ planes[i] << i)
}

/// The transformation L (6.2.2).
const fn linear(b: u32) -> u32 {
    b ^ b.rotate_left(2) ^ b.rotate_left(10) ^ b.rotate_left(18) ^ b.rotate_left(24)
}

/// Blocks as bit planes, 32 at once. Not inlined, so that one block needs little of the stack.
#[inline(never)]
fn crypt_wide(round_keys: &RoundKeys, mut blocks: InOutBuf<'_, '_, Block>) {
    let mut keys = [ZERO; 32];
    planes(round_keys, &mut keys);
    while !blocks.is_empty() {
        let count = WIDE.min(blocks.len());
        let (mut chunk, rest) = blocks.split_at(count);
        let mut x = [ZERO; 4];
        load(chunk.get_in(), &mut x);
        rounds(&keys, &mut x);
        store(&x, chunk.get_out());
        blocks = rest;
    }
}

/// The 32 rounds (7.1). Not inlined, so that what the compiler makes of them is always the same.
#[inline(never)]
fn rounds(keys: &[Word; 32], x: &mut [Word; 4]) {
    for (round, key) in keys.iter().enumerate() {
        let [x1, x2, x3] = [1, 2, 3].map(|i| x[(round + i) % 4]);
        let mut t = *key;
        for i in 0..8 {
            for q in 0..4 {
                t.0[i][q] ^= x1.0[i][q] ^ x2.0[i][q] ^ x3.0[i][q];
            }
        }
        // The compiler makes vector code of a loop that has the whole circuit inside.
        for q in 0..4 {
            let s = sbox::core(array::from_fn(|i| t.0[i][q]));
            for (i, s) in s.into_iter().enumerate() {
                t.0[i][q] = s;
            }
        }
        add_linear(&mut x[round % 4], &t);
    }
}

/// Adds L(b) = b + b <<< 24 + (b + b <<< 8 + b <<< 16) <<< 2.
#[inline(always)]
fn add_linear(x: &mut Word, Word(b): &Word) {
    // Rotated by 8, the bits of lane q come from lane q - 1.
    let u: [Plane; 8] =
        array::from_fn(|i| array::from_fn(|q| b[i][q] ^ b[i][(q + 3) % 4] ^ b[i][(q + 2) % 4]));
    for i in 0..8 {
        for q in 0..4 {
            let rotated = if i < 2 {
                u[i + 6][(q + 3) % 4]
            } else {
                u[i - 2][q]
            };
            x.0[i][q] ^= b[i][q] ^ b[i][(q + 1) % 4] ^ rotated;
        }
    }
}

/// The round keys as bit planes, the same for each block.
#[inline(never)]
fn planes(round_keys: &RoundKeys, planes: &mut [Word; 32]) {
    for ((planes, key), folded) in planes.iter_mut().zip(round_keys).zip(&FOLDED) {
        let key = (key ^ folded).to_le_bytes();
        for i in 0..8 {
            for (q, byte) in key.into_iter().enumerate() {
                planes.0[i][q] = u32::from(byte >> i & 1).wrapping_neg();
            }
        }
    }
}

/// What [`rounds`] leaves out, to be added to the round keys: `sbox::IN`, and `linear(sbox::OUT)`
/// for each round that a word has gone through. At the end these are eight, and cancel out.
const FOLDED: RoundKeys = {
    let mut folded = [sbox::IN; 32];
    let mut round = 0;
    while round < 32 {
        let mut word = round + 1;
        while word <= round + 3 {
            // X_word has gone through word / 4 rounds.
            if word / 4 % 2 == 1 {
                folded[round] ^= linear(sbox::OUT);
            }
            word += 1;
        }
        round += 1;
    }
    folded
};

/// The words of up to 32 blocks as bit planes.
#[inline(never)]
fn load(blocks: &[Block], x: &mut [Word; 4]) {
    let mut rows = [[0; 4]; WIDE];
    for (row, block) in rows.iter_mut().zip(blocks) {
        let (words, _) = block.as_chunks::<4>();
        *row = array::from_fn(|word| u32::from_le_bytes(words[word]));
    }
    transpose(&mut rows);
    for (word, x) in x.iter_mut().enumerate() {
        for i in 0..8 {
            for q in 0..4 {
                // The bytes of a word that was read as little-endian are in reverse order.
                x.0[i][q] = rows[8 * (3 - q) + i][word];
            }
        }
    }
}

/// The reverse of [`load`], and of the order of the words (6.1).
#[inline(never)]
fn store(x: &[Word; 4], blocks: &mut [Block]) {
    let mut rows = [[0; 4]; WIDE];
    for (row, bits) in rows.iter_mut().enumerate() {
        *bits = array::from_fn(|word| x[3 - word].0[row % 8][3 - row / 8]);
    }
    transpose(&mut rows);
    for (row, block) in rows.iter().zip(blocks) {
        let (words, _) = block.as_chunks_mut::<4>();
        for (bytes, word) in words.iter_mut().zip(row) {
            *bytes = word.to_le_bytes();
        }
    }
}

/// Transposes four 32 x 32 bit matrices: bit n of row m becomes bit m of row n.
fn transpose(rows: &mut [[u32; 4]; WIDE]) {
    swap_bits::<16>(rows, 0x0000ffff);
    swap_bits::<8>(rows, 0x00ff00ff);
    swap_bits::<4>(rows, 0x0f0f0f0f);
    swap_bits::<2>(rows, 0x33333333);
    swap_bits::<1>(rows, 0x55555555);
}

/// Swaps the blocks right above and left below the diagonal of each 2 `SIZE` x 2 `SIZE` matrix.
#[inline(always)]
fn swap_bits<const SIZE: usize>(rows: &mut [[u32; 4]; WIDE], mask: u32) {
    for rows in rows.chunks_exact_mut(2 * SIZE) {
        let (upper, lower) = rows.split_at_mut(SIZE);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let swap = (*upper >> SIZE ^ *lower) & mask;
                *lower ^= swap;
                *upper ^= swap << SIZE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

    use super::*;

    /// The S-box as the standard prints it (6.2.1).
    #[rustfmt::skip]
    const SBOX: [u8; 256] = [
        0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7, 0x16, 0xb6, 0x14, 0xc2, 0x28, 0xfb, 0x2c, 0x05,
        0x2b, 0x67, 0x9a, 0x76, 0x2a, 0xbe, 0x04, 0xc3, 0xaa, 0x44, 0x13, 0x26, 0x49, 0x86, 0x06, 0x99,
        0x9c, 0x42, 0x50, 0xf4, 0x91, 0xef, 0x98, 0x7a, 0x33, 0x54, 0x0b, 0x43, 0xed, 0xcf, 0xac, 0x62,
        0xe4, 0xb3, 0x1c, 0xa9, 0xc9, 0x08, 0xe8, 0x95, 0x80, 0xdf, 0x94, 0xfa, 0x75, 0x8f, 0x3f, 0xa6,
        0x47, 0x07, 0xa7, 0xfc, 0xf3, 0x73, 0x17, 0xba, 0x83, 0x59, 0x3c, 0x19, 0xe6, 0x85, 0x4f, 0xa8,
        0x68, 0x6b, 0x81, 0xb2, 0x71, 0x64, 0xda, 0x8b, 0xf8, 0xeb, 0x0f, 0x4b, 0x70, 0x56, 0x9d, 0x35,
        0x1e, 0x24, 0x0e, 0x5e, 0x63, 0x58, 0xd1, 0xa2, 0x25, 0x22, 0x7c, 0x3b, 0x01, 0x21, 0x78, 0x87,
        0xd4, 0x00, 0x46, 0x57, 0x9f, 0xd3, 0x27, 0x52, 0x4c, 0x36, 0x02, 0xe7, 0xa0, 0xc4, 0xc8, 0x9e,
        0xea, 0xbf, 0x8a, 0xd2, 0x40, 0xc7, 0x38, 0xb5, 0xa3, 0xf7, 0xf2, 0xce, 0xf9, 0x61, 0x15, 0xa1,
        0xe0, 0xae, 0x5d, 0xa4, 0x9b, 0x34, 0x1a, 0x55, 0xad, 0x93, 0x32, 0x30, 0xf5, 0x8c, 0xb1, 0xe3,
        0x1d, 0xf6, 0xe2, 0x2e, 0x82, 0x66, 0xca, 0x60, 0xc0, 0x29, 0x23, 0xab, 0x0d, 0x53, 0x4e, 0x6f,
        0xd5, 0xdb, 0x37, 0x45, 0xde, 0xfd, 0x8e, 0x2f, 0x03, 0xff, 0x6a, 0x72, 0x6d, 0x6c, 0x5b, 0x51,
        0x8d, 0x1b, 0xaf, 0x92, 0xbb, 0xdd, 0xbc, 0x7f, 0x11, 0xd9, 0x5c, 0x41, 0x1f, 0x10, 0x5a, 0xd8,
        0x0a, 0xc1, 0x31, 0x88, 0xa5, 0xcd, 0x7b, 0xbd, 0x2d, 0x74, 0xd0, 0x12, 0xb8, 0xe5, 0xb4, 0xb0,
        0x89, 0x69, 0x97, 0x4a, 0x0c, 0x96, 0x77, 0x7e, 0x65, 0xb9, 0xf1, 0x09, 0xc5, 0x6e, 0xc6, 0x84,
        0x18, 0xf0, 0x7d, 0xec, 0x3a, 0xdc, 0x4d, 0x20, 0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39, 0x48,
    ];

    #[test]
    fn the_circuit_is_the_s_box() {
        for x in 0..=255u8 {
            let y = x.wrapping_mul(7).wrapping_add(1);
            let word = u32::from_be_bytes([x, y, !x, x]);
            let expected = word.to_be_bytes().map(|byte| SBOX[usize::from(byte)]);
            assert_eq!(tau(word).to_be_bytes(), expected, "{word:08x}");
        }
    }

    /// Appendix A.1, with the first and the last of the round keys.
    #[test]
    fn the_standards_example() {
        let key = 0x0123456789abcdeffedcba9876543210u128.to_be_bytes();
        let round_keys = expand(&key);
        assert_eq!(round_keys[0], 0xf12186f9);
        assert_eq!(round_keys[31], 0x9124a012);
        let mut blocks = [key; 3];
        crypt(&round_keys, blocks.as_mut_slice().into());
        let expected = 0x681edf34d206965e86b3e94f536e4246u128.to_be_bytes();
        assert_eq!(blocks, [expected; 3]);
    }

    /// Appendix A.2: a million times over.
    #[test]
    fn a_million_encryptions() {
        let key = 0x0123456789abcdeffedcba9876543210u128.to_be_bytes();
        let round_keys = expand(&key);
        let block = (0..1_000_000).fold(key, |block, _| crypt_narrow(&round_keys, &block));
        let expected = 0x595298c7c6fd271f0402f804c33d3f66u128.to_be_bytes();
        assert_eq!(block, expected);
    }

    #[test]
    fn agrees_with_rustcrypto_for_every_number_of_blocks() {
        for count in 0..=70 {
            let key: Block = random();
            let judge = sm4::Sm4::new(&key.into());
            let plain: Vec<Block> = (0..count).map(|_| random()).collect();
            let expected: Vec<Block> = plain
                .iter()
                .map(|block| {
                    let mut block = (*block).into();
                    judge.encrypt_block(&mut block);
                    block.into()
                })
                .collect();
            let mut round_keys = expand(&key);
            agree(&round_keys, &plain, &expected);
            round_keys.reverse();
            agree(&round_keys, &expected, &plain);
        }
    }

    #[test]
    fn agrees_with_rustcrypto_on_edge_values() {
        let edges: Vec<Block> = [0x00, 0xff, 0x80, 0x01, 0x7f, 0x55, 0xaa]
            .map(|byte| [byte; 16])
            .into_iter()
            .chain((0..128).map(|bit| (1u128 << bit).to_be_bytes()))
            .collect();
        for key in &edges {
            let judge = sm4::Sm4::new(key.into());
            let expected: Vec<Block> = edges
                .iter()
                .map(|block| {
                    let mut block = (*block).into();
                    judge.decrypt_block(&mut block);
                    block.into()
                })
                .collect();
            let mut round_keys = expand(key);
            round_keys.reverse();
            agree(&round_keys, &edges, &expected);
        }
    }

    /// In place and out of place.
    fn agree(round_keys: &RoundKeys, input: &[Block], expected: &[Block]) {
        let mut output = vec![[0xa5; 16]; input.len()];
        crypt(round_keys, InOutBuf::new(input, &mut output).unwrap());
        assert_eq!(output, expected, "{} blocks", input.len());
        output.copy_from_slice(input);
        crypt(round_keys, output.as_mut_slice().into());
        assert_eq!(output, expected, "{} blocks in place", input.len());
    }

    fn random() -> Block {
        let mut block = [0; 16];
        getrandom::fill(&mut block).unwrap();
        block
    }
}
