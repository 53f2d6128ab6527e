//! What a random bit generator holds after it was instantiated, computed apart from it
//! (SP 800-90A Rev. 1, 10.1.1.2, 10.1.2.3, 10.2.1.3.1), for tests that look for it in memory.

use cipher::{BlockCipherEncrypt, KeyInit};
use shangmi::sm3::{HmacSm3, digest};

pub(crate) const NONCE: [u8; 16] = *b"a nonce for once";

/// V and C of Hash_DRBG on SM3.
pub(crate) fn hash_drbg(entropy: &[u8; 32]) -> [Vec<u8>; 2] {
    let v = hash_df(&[&entropy[..], &NONCE].concat());
    let c = hash_df(&[&[0][..], &v].concat());
    [v, c]
}

fn hash_df(input: &[u8]) -> Vec<u8> {
    let part = |counter: u8| digest(&[&[counter, 0, 0, 1, 184][..], input].concat());
    [&part(1)[..], &part(2)[..23]].concat()
}

/// Key and V of HMAC_DRBG on SM3.
pub(crate) fn hmac_drbg(entropy: &[u8; 32]) -> [[u8; 32]; 2] {
    let hmac = |key: [u8; 32], parts: &[&[u8]]| *HmacSm3::keyed(&key).tag(parts).as_bytes();
    let (mut key, mut v) = ([0; 32], [1; 32]);
    for round in [0, 1] {
        key = hmac(key, &[&v, &[round], entropy, &NONCE]);
        v = hmac(key, &[&v]);
    }
    [key, v]
}

/// Key and V of CTR_DRBG on SM4 without derivation function.
pub(crate) fn ctr_drbg(entropy: &[u8; 32]) -> [[u8; 16]; 2] {
    let sm4 = ::sm4::Sm4::new(&[0; 16].into());
    [1, 2].map(|counter: u128| {
        let mut block = counter.to_be_bytes().into();
        sm4.encrypt_block(&mut block);
        let at = 16 * (counter as usize - 1);
        std::array::from_fn(|i| block[i] ^ entropy[at + i])
    })
}
