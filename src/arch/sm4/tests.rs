//! Every kernel that this machine can run against RustCrypto, and the generic code of the wide ones
//! over an emulation of their instructions.

use aead::{AeadInOut, KeyInit};
use cipher::consts::{U12, U16};
use cipher::inout::InOutBuf;
use cipher::{BlockCipherEncrypt, BlockModeEncrypt};
use cipher::{InnerIvInit, KeyIvInit, StreamCipherCore};

#[cfg(target_arch = "x86_64")]
use super::x86_64;
use super::{Blocks, Direction, GcmKey, Kernel, Key, leaving};

type TheirGcm = aes_gcm::AesGcm<::sm4::Sm4, U12>;
type TheirCcm = ccm::Ccm<::sm4::Sm4, U16, U12>;

const KEY: [u8; 16] = *b"\x9e\x37\x79\xb9\x7f\x4a\x7c\x15\xf3\x9c\xc0\x60\x5c\xed\xc8\x34";

/// Bytes without pattern, a function of the seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn block(seed: u64) -> [u8; 16] {
    noise(seed, 16).try_into().unwrap()
}

/// Runs `work` in place, and from one buffer to another at every pair of the alignments; both must
/// give the same, which is returned.
fn in_place_and_not<T: PartialEq + std::fmt::Debug>(
    input: &[u8],
    alignments: &[usize],
    mut work: impl FnMut(InOutBuf<'_, '_, u8>) -> T,
) -> (Vec<u8>, T) {
    let mut in_place = input.to_vec();
    let result = work(in_place.as_mut_slice().into());
    for &from in alignments {
        let source = [&vec![0; from], input].concat();
        let to = (5 * from + 3) % 32;
        let mut out = vec![0xaa; to + input.len() + 1];
        let (source, target) = (&source[from..], &mut out[to..to + input.len()]);
        assert_eq!(work(InOutBuf::new(source, target).unwrap()), result);
        assert_eq!(*target, in_place[..], "{from} to {to}");
        assert_eq!(out[to + input.len()], 0xaa, "wrote past the end");
    }
    (in_place, result)
}

/// Bytes as blocks; what is left over must be nothing.
fn blocks_of<'i, 'o>(bytes: InOutBuf<'i, 'o, u8>) -> Blocks<'i, 'o> {
    let (blocks, rest) = bytes.into_chunks();
    assert!(rest.is_empty());
    blocks
}

fn alignments(len: usize) -> Vec<usize> {
    match len {
        0 | 1 | 16 | 31 | 64 | 256 | 511 | 512 | 528 | 1024 | 1100 => (0..32).collect(),
        _ => vec![len % 32],
    }
}

#[test]
fn round_keys_and_blocks() {
    for kernel in Kernel::all() {
        for i in 0..50 {
            let key = block(i);
            let theirs = ::sm4::Sm4::new(&key.into());
            let ours = Key::with_kernel(kernel, &key);
            for count in [
                1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 70,
            ] {
                let plain = noise(i + 7, 16 * count);
                let (cipher, ()) = in_place_and_not(&plain, &[count % 32], |blocks| {
                    ours.crypt(blocks_of(blocks))
                });
                let mut expected = plain.clone();
                for block in expected.as_chunks_mut::<16>().0 {
                    theirs.encrypt_block(block.into());
                }
                assert_eq!(cipher, expected, "{kernel:?}, {count} blocks");
                let (decrypted, ()) = in_place_and_not(&cipher, &[count % 32], |blocks| {
                    ours.reversed().crypt(blocks_of(blocks))
                });
                assert_eq!(decrypted, plain, "{kernel:?}, {count} blocks");
            }
        }
    }
}

/// GB/T 32907-2016, A.2: a million times over, which takes the emulations too long.
#[test]
fn a_chain_of_a_million_blocks() {
    let key = 0x0123456789abcdeffedcba9876543210_u128.to_be_bytes();
    let expected = 0x595298c7c6fd271f0402f804c33d3f66_u128.to_be_bytes();
    for kernel in Kernel::all() {
        if kernel.is_emulated() {
            continue;
        }
        let ours = Key::with_kernel(kernel, &key);
        let mut block = key;
        for _ in 0..1_000_000 {
            ours.crypt(InOutBuf::from_mut((&mut block).into()));
        }
        assert_eq!(block, expected, "{kernel:?}");
    }
}

#[test]
fn cbc_of_every_length() {
    for kernel in Kernel::all() {
        let ours = Key::with_kernel(kernel, &KEY);
        let reversed = ours.reversed();
        for count in 0..=70 {
            let (plain, iv) = (noise(count as u64, 16 * count), block(99));
            let run = |key: &Key, encrypt: bool, blocks: InOutBuf<'_, '_, u8>| {
                let mut iv = iv;
                match encrypt {
                    true => key.cbc_encrypt(&mut iv, blocks_of(blocks)),
                    false => key.cbc_decrypt(&mut iv, blocks_of(blocks)),
                }
                iv
            };
            let (cipher, chain) = in_place_and_not(&plain, &alignments(16 * count), |blocks| {
                run(&ours, true, blocks)
            });
            let mut theirs = cbc::Encryptor::<::sm4::Sm4>::new(&KEY.into(), &iv.into());
            let mut expected = plain.clone();
            for block in expected.as_chunks_mut::<16>().0 {
                theirs.encrypt_block(block.into());
            }
            assert_eq!(cipher, expected, "{kernel:?}, {count} blocks");
            assert_eq!(chain, *cipher.last_chunk().unwrap_or(&iv));

            let (decrypted, chain) = in_place_and_not(&cipher, &alignments(16 * count), |blocks| {
                run(&reversed, false, blocks)
            });
            assert_eq!(decrypted, plain, "{kernel:?}, {count} blocks");
            assert_eq!(chain, *cipher.last_chunk().unwrap_or(&iv));
        }
    }
}

#[test]
fn ctr_of_every_length_and_around_every_edge_of_the_counter() {
    let starts = [
        0,
        block_number(7),
        u128::from(u32::MAX) - 40,
        (block_number(8) | u128::from(u32::MAX)) - 3,
        u128::from(u64::MAX) - 17,
        u128::MAX - 33,
        u128::MAX,
    ];
    for kernel in Kernel::all() {
        let ours = Key::with_kernel(kernel, &KEY);
        for count in 0..=140_usize {
            let text = noise(count as u64, 16 * count);
            for start in starts {
                let (cipher, ()) = in_place_and_not(&text, &alignments(16 * count), |buf| {
                    ours.ctr(start, blocks_of(buf))
                });
                let mut theirs = ctr::CtrCore::<::sm4::Sm4, ctr::flavors::Ctr128BE>::inner_iv_init(
                    ::sm4::Sm4::new(&KEY.into()),
                    &start.to_be_bytes().into(),
                );
                let mut expected = text.clone();
                theirs.apply_keystream_blocks_inout(blocks_of(expected.as_mut_slice().into()));
                assert_eq!(
                    cipher, expected,
                    "{kernel:?}, {count} blocks from {start:#x}"
                );
            }
        }
    }
}

fn block_number(seed: u64) -> u128 {
    u128::from_be_bytes(block(seed))
}

#[test]
fn gcm_of_every_length() {
    let theirs = TheirGcm::new(&KEY.into());
    for kernel in Kernel::all() {
        let ours = GcmKey::with_kernel(kernel, &KEY);
        let seal = |len: usize, aad_len: usize| {
            let (text, aad) = (noise(len as u64, len), noise(5, aad_len));
            let nonce: [u8; 12] = noise(len as u64 + 1, 12).try_into().unwrap();
            let (cipher, tag) = in_place_and_not(&text, &alignments(len), |buf| {
                ours.crypt(Direction::Encrypt, &nonce, &aad, buf)
            });
            let mut expected = text.clone();
            let expected_tag = theirs
                .encrypt_inout_detached(&nonce.into(), &aad, expected.as_mut_slice().into())
                .unwrap();
            let what = format!("{kernel:?}, {len} bytes, {aad_len} associated");
            assert_eq!(cipher, expected, "{what}");
            assert_eq!(tag, *expected_tag, "{what}");

            let (plain, tag) = in_place_and_not(&cipher, &alignments(len), |buf| {
                ours.crypt(Direction::Decrypt, &nonce, &aad, buf)
            });
            assert_eq!(plain, text, "{what}");
            assert_eq!(tag, *expected_tag, "{what}");
        };
        for len in 0..=2200 {
            seal(len, len % 37);
        }
        for aad_len in 0..=1100 {
            seal(aad_len % 67, aad_len);
        }
        for len in [4096, 16_384, 16_385, 17_000] {
            seal(len, 5);
        }
    }
}

#[test]
fn ccm_of_every_length() {
    let theirs = TheirCcm::new(&KEY.into());
    for kernel in Kernel::all() {
        let ours = Key::with_kernel(kernel, &KEY);
        let seal = |len: usize, aad_len: usize| {
            let (text, aad) = (noise(len as u64, len), noise(5, aad_len));
            let nonce: [u8; 12] = noise(len as u64 + 1, 12).try_into().unwrap();
            let (cipher, tag) = in_place_and_not(&text, &alignments(len), |buf| {
                ours.ccm(Direction::Encrypt, &nonce, &aad, buf)
            });
            let mut expected = text.clone();
            let expected_tag = theirs
                .encrypt_inout_detached(&nonce.into(), &aad, expected.as_mut_slice().into())
                .unwrap();
            let what = format!("{kernel:?}, {len} bytes, {aad_len} associated");
            assert_eq!(cipher, expected, "{what}");
            assert_eq!(tag, *expected_tag, "{what}");

            let (plain, tag) = in_place_and_not(&cipher, &alignments(len), |buf| {
                ours.ccm(Direction::Decrypt, &nonce, &aad, buf)
            });
            assert_eq!(plain, text, "{what}");
            assert_eq!(tag, *expected_tag, "{what}");
        };
        for len in 0..=1100 {
            seal(len, len % 37);
        }
        for aad_len in (0..=100).chain([0xfeff, 0xff00, 0xff01, 0x1_0000]) {
            seal(aad_len % 67, aad_len);
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn ghash_of_every_number_of_blocks_and_of_edge_values() {
    let (one, x) = (1_u128.to_be_bytes(), (1_u128 << 127).to_be_bytes());
    let values = [[0; 16], [0xff; 16], one, x, block(1), block(2)];
    let lengths = (0..=340).chain(
        (31..=35)
            .chain(63..=67)
            .chain([130])
            .map(|blocks| 16 * blocks),
    );
    let inputs: Vec<Vec<u8>> = lengths
        .flat_map(|len| [vec![0; len], vec![0xff; len], noise(len as u64, len)])
        .collect();
    for kernel in Kernel::all() {
        if matches!(kernel, Kernel::Portable) {
            continue; // It has its own test.
        }
        for h in &values {
            let powers = &on!(kernel, powers(h), unreachable!("skipped"));
            for (i, data) in inputs.iter().enumerate() {
                let state = &values[i % values.len()];
                for last in [None, Some(&values[(i + 4) % values.len()])] {
                    let found = on!(
                        kernel,
                        ghash(powers, state, data, last),
                        unreachable!("skipped")
                    );
                    assert_eq!(
                        found,
                        their_ghash(h, state, data, last),
                        "{kernel:?}, H {h:x?}, state {state:x?}, {} bytes, {last:x?}",
                        data.len()
                    );
                }
            }
        }
    }
}

/// RustCrypto's GHASH. It begins with zero: the state is added to the first block.
#[cfg(target_arch = "x86_64")]
fn their_ghash(h: &[u8; 16], state: &[u8; 16], data: &[u8], last: Option<&[u8; 16]>) -> [u8; 16] {
    use ghash::universal_hash::UniversalHash;

    let mut bytes = data.to_vec();
    bytes.resize(data.len().next_multiple_of(16), 0);
    bytes.extend(last.into_iter().flatten());
    if bytes.is_empty() {
        return *state;
    }
    for (byte, state) in bytes.iter_mut().zip(state) {
        *byte ^= state;
    }
    let mut theirs = ghash::GHash::new(h.into());
    theirs.update_padded(&bytes);
    theirs.finalize().into()
}
