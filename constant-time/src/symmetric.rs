//! SM3 and SM4 in all modes, on secret keys and secret data.

use aead::array::Array;
use aead::consts::{U12, U16};
use aead::{Aead, AeadCore, KeyInit, KeySizeUser, Payload};
use cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit,
    StreamCipher,
};
use shangmi::random::{CtrDrbgSm4, Drbg, HashDrbgSm3, HmacDrbgSm3};
use shangmi::secret::SecretBytes;
use shangmi::sm3::{HkdfSm3, HmacSm3};
use shangmi::sm4::{Sm4, Sm4CbcDecryptor, Sm4CbcEncryptor, Sm4Ccm, Sm4Ctr, Sm4Gcm};

use crate::{Output, Subject};

pub(crate) const SUBJECTS: &[Subject] = &[
    secret("SM3 of secret data, 200 bytes", 200, |data| {
        shangmi::sm3::digest(data).to_vec()
    }),
    secret("HMAC-SM3, key of 32 bytes", 32, |key| {
        HmacSm3::keyed(key).tag(&[b"message"]).as_ref().to_vec()
    }),
    secret("HMAC-SM3, key of 100 bytes", 100, |key| {
        HmacSm3::keyed(key).tag(&[b"message"]).as_ref().to_vec()
    }),
    secret("HKDF-SM3 extract and expand", 32, hkdf),
    secret("SM4 key schedule and block", 16, block),
    secret("SM4-CTR, 1,100 bytes", 1116, ctr),
    secret("SM4-CBC encryption, 1,024 bytes", 1040, cbc_encrypt),
    secret("SM4-CBC decryption, 1,024 bytes", 1040, cbc_decrypt),
    secret("SM4-GCM seal, 1 byte", 17, seal::<Sm4Gcm>),
    secret("SM4-GCM seal, 64 bytes", 80, seal::<Sm4Gcm>),
    secret("SM4-GCM seal, 1,350 bytes", 1366, seal::<Sm4Gcm>),
    secret("SM4-GCM seal, 4,099 bytes", 4115, seal::<Sm4Gcm>),
    secret("SM4-GCM open, 64 bytes", 16, open::<Sm4Gcm, 64>),
    secret("SM4-GCM open, 4,099 bytes", 16, open::<Sm4Gcm, 4099>),
    public("SM4-GCM open, wrong tag", 16, open_wrong::<Sm4Gcm>),
    secret("SM4-CCM seal, 64 bytes", 80, seal::<Sm4Ccm>),
    secret("SM4-CCM seal, 1,350 bytes", 1366, seal::<Sm4Ccm>),
    secret("SM4-CCM open, 1,350 bytes", 16, open::<Sm4Ccm, 1350>),
    public("SM4-CCM open, wrong tag", 16, open_wrong::<Sm4Ccm>),
    secret("Hash_DRBG on SM3", 96, drbg::<HashDrbgSm3>),
    secret("HMAC_DRBG on SM3", 96, drbg::<HmacDrbgSm3>),
    secret("CTR_DRBG on SM4", 96, drbg::<CtrDrbgSm4>),
    secret("comparison of secrets", 32, |data| {
        let other = SecretBytes::copy_of(&[7; 32]);
        vec![u8::from(SecretBytes::copy_of(data) == other)]
    }),
];

pub(crate) const fn secret(
    name: &'static str,
    secret_len: usize,
    run: fn(&[u8]) -> Vec<u8>,
) -> Subject {
    Subject {
        name,
        secret_len,
        run,
        output: Output::Secret,
    }
}

pub(crate) const fn public(
    name: &'static str,
    secret_len: usize,
    run: fn(&[u8]) -> Vec<u8>,
) -> Subject {
    Subject {
        name,
        secret_len,
        run,
        output: Output::Public,
    }
}

fn hkdf(secret: &[u8]) -> Vec<u8> {
    let mut out = [0; 80];
    HkdfSm3::extract(Some(b"salt"), secret)
        .expand(&[b"info"], &mut out)
        .expect("80 bytes are not too many");
    out.to_vec()
}

fn block(secret: &[u8]) -> Vec<u8> {
    let sm4 = Sm4::new(&key(secret));
    let (mut there, mut back) = ([1; 16].into(), [2; 16].into());
    sm4.encrypt_block(&mut there);
    sm4.decrypt_block(&mut back);
    [there, back].concat()
}

fn ctr(secret: &[u8]) -> Vec<u8> {
    let (first, rest) = secret.split_at(16);
    let mut data = rest.to_vec();
    Sm4Ctr::new(&key(first), &[0xff; 16].into()).apply_keystream(&mut data);
    data
}

fn cbc_encrypt(secret: &[u8]) -> Vec<u8> {
    let (first, rest) = secret.split_at(16);
    let mut data: Vec<_> = rest.chunks_exact(16).map(key).collect();
    Sm4CbcEncryptor::new(&key(first), &[9; 16].into()).encrypt_blocks(&mut data);
    data.concat()
}

fn cbc_decrypt(secret: &[u8]) -> Vec<u8> {
    let (first, rest) = secret.split_at(16);
    let mut data: Vec<_> = rest.chunks_exact(16).map(key).collect();
    Sm4CbcDecryptor::new(&key(first), &[9; 16].into()).decrypt_blocks(&mut data);
    data.concat()
}

/// Every input is secret; two requests, the second one after reseeding.
fn drbg<D: Drbg>(secret: &[u8]) -> Vec<u8> {
    let (entropy, rest) = secret.split_at(32);
    let (nonce, additional) = rest.split_at(16);
    let mut out = vec![0; 1100];
    let mut drbg = D::instantiate(entropy, nonce, additional).expect("long enough");
    drbg.generate(&mut out, additional).expect("not too long");
    drbg.reseed(entropy, additional).expect("long enough");
    drbg.generate(&mut out, additional).expect("not too long");
    out
}

/// The key is secret, and so is the plaintext, which follows it.
fn seal<A: SmAead>(secret: &[u8]) -> Vec<u8> {
    let (first, plaintext) = secret.split_at(16);
    A::new(&key(first))
        .encrypt(&[4; 12].into(), payload(plaintext))
        .expect("not too long")
}

/// Seals and opens, so that every key is the right one.
fn open<A: SmAead, const LEN: usize>(secret: &[u8]) -> Vec<u8> {
    let aead = A::new(&key(secret));
    let nonce = [4; 12].into();
    let sealed = aead
        .encrypt(&nonce, payload(&[3; LEN]))
        .expect("not too long");
    aead.decrypt(&nonce, payload(&sealed))
        .expect("it was just sealed")
}

fn open_wrong<A: SmAead>(secret: &[u8]) -> Vec<u8> {
    let refused = A::new(&key(secret)).decrypt(&[4; 12].into(), payload(&[3; 100]));
    vec![u8::from(refused.is_err())]
}

trait SmAead: Aead + AeadCore<NonceSize = U12> + KeyInit + KeySizeUser<KeySize = U16> {}

impl<A: Aead + AeadCore<NonceSize = U12> + KeyInit + KeySizeUser<KeySize = U16>> SmAead for A {}

fn payload(msg: &[u8]) -> Payload<'_, '_> {
    let aad = b"associated data";
    Payload { msg, aad }
}

fn key(bytes: &[u8]) -> Array<u8, U16> {
    let mut key = Array::default();
    key.copy_from_slice(bytes);
    key
}
