//! Of the algorithms that only `tls13::mixed` uses.

use aead::{AeadCore, AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use digest::Mac;
use digest::consts::{U12, U16};
use hmac::Hmac;
use sha2::{Sha256, Sha384};

use super::{HkdfOver, hex, test};
use crate::gate::{Algorithm, Answer, Answers, SelfTest};

pub(crate) static AES_GCM: SelfTest = test(Algorithm::AesGcm, || "RustCrypto aes-gcm", aes_gcm);
pub(crate) static HMAC_SHA2: SelfTest = test(Algorithm::HmacSha2, || "RustCrypto hmac", hmac_sha2);
pub(crate) static HKDF_SHA2: SelfTest = test(Algorithm::HkdfSha2, || "RustCrypto hmac", hkdf_sha2);
pub(crate) static ECDH_P256: SelfTest = test(Algorithm::EcdhP256, || "RustCrypto p256", ecdh_p256);
pub(crate) static X25519: SelfTest = test(Algorithm::X25519, || "x25519-dalek", x25519);

/// McGrew and Viega, The Galois/Counter Mode of Operation, test cases 4 (128 bits) and 16 (256 bits),
/// in both directions.
fn aes_gcm(answers: &mut Answers) -> Answer {
    const KEY: [u8; 32] = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    const TEXT_128: [u8; 60] = hex(
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84\
         aa051ba30b396a0aac973d58e091",
    );
    const TAG_128: [u8; 16] = hex("5bc94fbc3221a5db94fae95ae7121a47");
    const TEXT_256: [u8; 60] = hex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682\
         8838c5f61e6393ba7a0abcc9f662",
    );
    const TAG_256: [u8; 16] = hex("76fc6ece0f4e1768cddf8853bb2d551b");

    let cipher = Aes128Gcm::new_from_slice(&KEY[..16]).map_err(|_| "key")?;
    let names = ["128, sealing", "128, tag", "128, opening", "128, wrong tag"];
    both_ways(answers, names, &cipher, &TEXT_128, &TAG_128)?;
    let cipher = Aes256Gcm::new_from_slice(&KEY).map_err(|_| "key")?;
    let names = ["256, sealing", "256, tag", "256, opening", "256, wrong tag"];
    both_ways(answers, names, &cipher, &TEXT_256, &TAG_256)
}

fn both_ways<A>(
    answers: &mut Answers,
    names: [&'static str; 4],
    cipher: &A,
    sealed: &[u8],
    tag: &[u8; 16],
) -> Answer
where
    A: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16>,
{
    const NONCE: [u8; 12] = hex("cafebabefacedbaddecaf888");
    const AAD: [u8; 20] = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    const PLAIN: [u8; 60] = hex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6\
         b525b16aedf5aa0de657ba637b39",
    );
    let [sealing, tagging, opening, wrong_tag] = names;
    let mut text = PLAIN;
    let found = cipher
        .encrypt_inout_detached(&NONCE.into(), &AAD, text.as_mut_slice().into())
        .map_err(|_| sealing)?;
    answers.equal(sealing, &text, sealed)?;
    answers.equal(tagging, &found, tag)?;
    let mut open = |tag: [u8; 16]| {
        let (nonce, text) = (NONCE.into(), text.as_mut_slice().into());
        cipher.decrypt_inout_detached(&nonce, &AAD, text, &tag.into())
    };
    let mut wrong = *tag;
    wrong[15] ^= 1;
    let refused = open(wrong).is_err();
    answers.that(wrong_tag, refused)?;
    open(*tag).map_err(|_| opening)?;
    answers.equal(opening, &text, &PLAIN)
}

/// RFC 4231, 4.3: test case 2.
fn hmac_sha2(answers: &mut Answers) -> Answer {
    const TAG_256: [u8; 32] =
        hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const TAG_384: [u8; 48] = hex(
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab2\
         1649",
    );
    fn tag<M: Mac + KeyInit>() -> Result<Vec<u8>, &'static str> {
        let mac = <M as KeyInit>::new_from_slice(b"Jefe").map_err(|_| "key")?;
        let mac = mac.chain_update(b"what do ya want for nothing?");
        Ok(mac.finalize().into_bytes().to_vec())
    }
    answers.equal("SHA-256", &tag::<Hmac<Sha256>>()?, &TAG_256)?;
    answers.equal("SHA-384", &tag::<Hmac<Sha384>>()?, &TAG_384)
}

/// RFC 5869, A.1.
fn hkdf_sha2(answers: &mut Answers) -> Answer {
    const SALT: [u8; 13] = hex("000102030405060708090a0b0c");
    const INFO: [u8; 10] = hex("f0f1f2f3f4f5f6f7f8f9");
    const OKM: [u8; 42] =
        hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    let mut okm = [0; 42];
    HkdfOver::<Hmac<Sha256>>::extract(Some(&SALT), &[0x0b; 22])
        .expand(&[&INFO[..5], &INFO[5..]], &mut okm)
        .map_err(|_| "length")?;
    answers.equal("SHA-256", &okm, &OKM)
}

/// NIST CAVP, ECC CDH primitive, P-256, count 0.
fn ecdh_p256(answers: &mut Answers) -> Answer {
    const KEY: [u8; 32] = hex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534");
    const PEER: [u8; 65] = hex(
        "04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287db71e509e3fd9b060ddb20ba5c\
         51dcc5948d46fbf640dfe0441782cab85fa4ac",
    );
    const SHARED: [u8; 32] =
        hex("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b");
    let key = p256::SecretKey::from_slice(&KEY).map_err(|_| "key")?;
    let peer = p256::PublicKey::from_sec1_bytes(&PEER).map_err(|_| "peer's key")?;
    let shared = p256::ecdh::diffie_hellman(key.to_nonzero_scalar(), peer.as_affine());
    answers.equal("shared secret", shared.raw_secret_bytes(), &SHARED)
}

/// RFC 7748, 5.2: the first vector.
fn x25519(answers: &mut Answers) -> Answer {
    const SCALAR: [u8; 32] =
        hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    const U: [u8; 32] = hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    const OUTPUT: [u8; 32] =
        hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    answers.equal("shared secret", &x25519_dalek::x25519(SCALAR, U), &OUTPUT)
}
