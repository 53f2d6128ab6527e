//! The forms that a secret takes in memory.

use std::collections::{BTreeSet, HashMap};

use cipher::{BlockCipherEncrypt, KeyInit};
use digest::block_api::UpdateCore;
use digest::common::hazmat::SerializableState;

/// Runs of eight bytes that must not be left behind, with the name of what they belong to.
#[derive(Clone, Default)]
pub(crate) struct Secrets(HashMap<[u8; 8], &'static str>);

/// SM2's p and n, big-endian (GB/T 32918.5, 2).
const P: [u8; 32] = from_halves(
    0xfffffffeffffffffffffffffffffffff,
    0xffffffff00000000ffffffffffffffff,
);
const N: [u8; 32] = from_halves(
    0xfffffffeffffffffffffffffffffffff,
    0x7203df6b21c6052b53bbf40939d54123,
);

const fn from_halves(high: u128, low: u128) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes
        .first_chunk_mut::<16>()
        .unwrap()
        .copy_from_slice(&high.to_be_bytes());
    bytes
        .last_chunk_mut::<16>()
        .unwrap()
        .copy_from_slice(&low.to_be_bytes());
    bytes
}

impl Secrets {
    /// The names of those that are in `memory`, at any address.
    pub(crate) fn find(&self, memory: &[u8]) -> BTreeSet<&'static str> {
        memory
            .windows(8)
            .filter_map(|window| self.0.get(window).copied())
            .collect()
    }

    /// These and others; what is in both has its first name.
    pub(crate) fn and(self, mut other: Self) -> Self {
        other.0.extend(self.0);
        other
    }

    /// As bytes, and as big-endian words of 32 bits that were read into registers.
    pub(crate) fn bytes(name: &'static str, bytes: &[u8]) -> Self {
        let words: Vec<u8> = bytes
            .chunks(4)
            .flat_map(|word| word.iter().rev().copied())
            .collect();
        let runs = bytes.windows(8).chain(words.windows(8));
        let not_constant = runs.filter(|run| run.iter().any(|byte| *byte != run[0]));
        Self(
            not_constant
                .map(|run| (run.try_into().unwrap(), name))
                .collect(),
        )
    }

    /// An SM4 key, its round keys in either order, each one also as it is broadcast in a vector
    /// register, and the hash key of GCM.
    pub(crate) fn sm4_key(key: &[u8; 16]) -> Self {
        let round_keys = round_keys(key);
        let sequence = |order: Vec<u32>| -> Vec<u8> {
            order.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        let reversed = round_keys.iter().rev().copied().collect();
        let mut secrets = Self::bytes("SM4 key", key)
            .and(Self::bytes(
                "SM4 round keys",
                &sequence(round_keys.to_vec()),
            ))
            .and(Self::bytes("SM4 round keys", &sequence(reversed)));
        for word in round_keys {
            let broadcast = sequence(vec![word, word]);
            secrets = secrets.and(Self::bytes("SM4 round key", &broadcast));
        }
        let mut h = [0; 16].into();
        ::sm4::Sm4::new(key.into()).encrypt_block(&mut h);
        secrets.and(Self::ghash_key(u128::from_be_bytes(h.into())))
    }

    /// H, and H times x^-1 and x (NIST SP 800-38D, 6.3: bit 127 is the coefficient of 1).
    fn ghash_key(h: u128) -> Self {
        const R: u128 = 0xe1 << 120;
        let times_x = (h >> 1) ^ ((h & 1) * R);
        let by_x = (h ^ ((h >> 127) * R)) << 1 | h >> 127;
        [h, times_x, by_x]
            .iter()
            .fold(Self::default(), |secrets, h| {
                secrets
                    .and(Self::bytes("GHASH key", &h.to_be_bytes()))
                    .and(Self::bytes("GHASH key", &h.to_le_bytes()))
            })
    }

    /// A key of HMAC-SM3 up to 64 bytes long: its pads, and the states after them (RFC 2104, 2).
    pub(crate) fn hmac_key(key: &[u8]) -> Self {
        [0x36, 0x5c]
            .iter()
            .fold(Self::bytes("HMAC key", key), |secrets, pad| {
                let mut block = [*pad; 64];
                block
                    .iter_mut()
                    .zip(key)
                    .for_each(|(byte, key)| *byte ^= key);
                let mut state = ::sm3::block_api::Sm3Core::default();
                state.update_blocks(&[block.into()]);
                secrets
                    .and(Self::bytes("HMAC pad", &block[..key.len()]))
                    .and(Self::bytes("HMAC state", &state.serialize()[..32]))
            })
    }

    /// A number below 2^256: big-endian, and in 64-bit limbs, as such and in the Montgomery forms
    /// modulo p and n.
    pub(crate) fn number(name: &'static str, number: &[u8; 32]) -> Self {
        [*number, montgomery(number, &P), montgomery(number, &N)]
            .iter()
            .fold(Self::default(), |secrets, number| {
                let mut limbs = *number;
                limbs.reverse();
                secrets
                    .and(Self::bytes(name, number))
                    .and(Self::bytes(name, &limbs))
            })
    }
}

/// The round keys, from RustCrypto's cipher, which consists of them.
fn round_keys(key: &[u8; 16]) -> [u32; 32] {
    const { assert!(size_of::<::sm4::Sm4>() == 128) };
    // SAFETY: the sizes are the same, and any bytes are integers.
    unsafe { std::mem::transmute_copy(&::sm4::Sm4::new(key.into())) }
}

/// a 2^256 mod m, for a < 2^256.
fn montgomery(a: &[u8; 32], m: &[u8; 32]) -> [u8; 32] {
    let mut a = reduce(0, a, m);
    for _ in 0..256 {
        let top = a[0] >> 7;
        let doubled = std::array::from_fn(|i| a[i] << 1 | a.get(i + 1).map_or(0, |low| low >> 7));
        a = reduce(top, &doubled, m);
    }
    a
}

/// a + 2^256 top, minus m unless that is negative.
fn reduce(top: u8, a: &[u8; 32], m: &[u8; 32]) -> [u8; 32] {
    if top == 0 && a < m {
        return *a;
    }
    let mut borrow = 0;
    let mut difference = [0; 32];
    for i in (0..32).rev() {
        let digit = i16::from(a[i]) - i16::from(m[i]) - borrow;
        borrow = i16::from(digit < 0);
        difference[i] = digit as u8;
    }
    difference
}

#[test]
fn the_forms_are_right() {
    // GB/T 32907, A.1.
    let key = 0x0123456789abcdeffedcba9876543210u128.to_be_bytes();
    assert_eq!(round_keys(&key)[0], 0xf12186f9);
    assert_eq!(round_keys(&key)[31], 0x9124a012);
    // 2^256 - m, since m is above 2^255.
    let one: [u8; 32] = std::array::from_fn(|i| u8::from(i == 31));
    for m in [P, N] {
        assert_eq!(montgomery(&one, &m), reduce(1, &[0; 32], &m));
    }
    assert_eq!(montgomery(&one, &P)[28..], [0, 0, 0, 1]);
    assert_eq!(montgomery(&one, &N)[28..], [0xc6, 0x2a, 0xbe, 0xdd]);
}
