//! SM4 and its modes.

use std::cell::RefCell;

use aead::AeadInOut;
use cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit,
    StreamCipher,
};
use shangmi::random::SystemRandom;
use shangmi::sm4::{
    KeyInit, Sm4, Sm4CbcDecryptor, Sm4CbcEncryptor, Sm4Ccm, Sm4Ctr, Sm4Gcm, Sm4GcmSealer,
};

use crate::secrets::Secrets;
use crate::{Found, random};

/// A short record, two that are no whole number of chunks, and a long one.
const LENGTHS: [usize; 4] = [64, 100, 1350, 16384];

#[test]
fn block_cipher() {
    let key = random();
    let secrets = Secrets::sm4_key(&key);
    let key = key.into();
    let mut found = Found::default();
    found.check("Sm4::new", &secrets, || Sm4::new(&key));
    let sm4 = Sm4::new(&key);
    found.check("clone", &secrets, || sm4.clone());
    for count in [1, 2, 3, 40] {
        let blocks = RefCell::new(vec![random().into(); count]);
        found.check("encrypt_blocks", &secrets, || {
            sm4.encrypt_blocks(&mut blocks.borrow_mut());
        });
        found.check("decrypt_blocks", &secrets, || {
            sm4.decrypt_blocks(&mut blocks.borrow_mut());
        });
    }
    found.assert_nothing();
}

#[test]
fn gcm() {
    aead::<Sm4Gcm>();
}

#[test]
fn sealer() {
    let key: [u8; 16] = random();
    let secrets = Secrets::sm4_key(&key);
    let mut found = Found::default();
    found.check("Sm4GcmSealer::new", &secrets, || Sm4GcmSealer::new(&key));
    let sealer = Sm4GcmSealer::new(&key);
    for len in LENGTHS {
        let plaintext = vec![7; len];
        found.check(&format!("seal {len}"), &secrets, || {
            sealer.seal(&mut SystemRandom, b"header", &plaintext)
        });
        let sealed = sealer.seal(&mut SystemRandom, b"header", &plaintext);
        let sealed = sealed.unwrap();
        found.check(&format!("open {len}"), &secrets, || {
            sealer.open(b"header", &sealed)
        });
        found.check(&format!("refuse {len}"), &secrets, || {
            sealer.open(b"other", &sealed)
        });
    }
    found.assert_nothing();
}

#[test]
fn ccm() {
    aead::<Sm4Ccm>();
}

fn aead<A>()
where
    A: AeadInOut
        + Clone
        + KeyInit
        + cipher::KeySizeUser<KeySize = cipher::consts::U16>
        + aead::AeadCore<NonceSize = cipher::consts::U12, TagSize = cipher::consts::U16>,
{
    let key: [u8; 16] = random();
    let nonce = random::<12>().into();
    let secrets = Secrets::sm4_key(&key);
    let key = key.into();
    let mut found = Found::default();
    found.check("new", &secrets, || A::new(&key));
    let aead = A::new(&key);
    found.check("clone", &secrets, || aead.clone());
    for len in LENGTHS {
        let buffer = RefCell::new(vec![7; len]);
        found.check(&format!("seal {len}"), &secrets, || {
            let mut buffer = buffer.borrow_mut();
            aead.encrypt_inout_detached(&nonce, b"header", buffer.as_mut_slice().into())
        });
        found.check(&format!("refuse {len}"), &secrets, || {
            let mut buffer = buffer.borrow_mut();
            let tag = [0; 16].into();
            aead.decrypt_inout_detached(&nonce, b"header", buffer.as_mut_slice().into(), &tag)
        });
        let sealed = {
            let mut sealed = vec![7; len];
            let tag = aead.encrypt_inout_detached(&nonce, b"header", sealed.as_mut_slice().into());
            (sealed, tag.unwrap())
        };
        found.check(&format!("open {len}"), &secrets, || {
            let mut buffer = buffer.borrow_mut();
            buffer.copy_from_slice(&sealed.0);
            aead.decrypt_inout_detached(&nonce, b"header", buffer.as_mut_slice().into(), &sealed.1)
        });
    }
    found.assert_nothing();
}

#[test]
fn stream_and_chain() {
    let (key, iv): ([u8; 16], _) = (random(), random::<16>().into());
    let secrets = Secrets::sm4_key(&key);
    let key = key.into();
    let mut found = Found::default();
    found.check("Sm4Ctr::new", &secrets, || Sm4Ctr::new(&key, &iv));
    found.check("Sm4CbcEncryptor::new", &secrets, || {
        Sm4CbcEncryptor::new(&key, &iv)
    });
    found.check("Sm4CbcDecryptor::new", &secrets, || {
        Sm4CbcDecryptor::new(&key, &iv)
    });
    let ctr = RefCell::new(Sm4Ctr::new(&key, &iv));
    let encryptor = RefCell::new(Sm4CbcEncryptor::new(&key, &iv));
    let decryptor = RefCell::new(Sm4CbcDecryptor::new(&key, &iv));
    for len in LENGTHS {
        let buffer = RefCell::new(vec![7; len]);
        found.check(&format!("CTR {len}"), &secrets, || {
            ctr.borrow_mut().apply_keystream(&mut buffer.borrow_mut());
        });
        let blocks = RefCell::new(vec![random().into(); len / 16]);
        found.check(&format!("CBC encryption {len}"), &secrets, || {
            let mut encryptor = encryptor.borrow_mut();
            encryptor.encrypt_blocks(&mut blocks.borrow_mut());
        });
        found.check(&format!("CBC decryption {len}"), &secrets, || {
            let mut decryptor = decryptor.borrow_mut();
            decryptor.decrypt_blocks(&mut blocks.borrow_mut());
        });
    }
    found.assert_nothing();
}
