//! SM3 and SM4 with the constructions over them.

use ::aead::AeadInOut;
use cipher::block_padding::Pkcs7;
use cipher::consts::{U12, U16};
use cipher::{
    Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit,
    KeyIvInit, KeySizeUser, StreamCipher,
};
use serde::Deserialize;
use shangmi::sm3::{Digest, HkdfSm3, HmacSm3, Mac, Sm3};
use shangmi::sm4::{Sm4, Sm4CbcDecryptor, Sm4CbcEncryptor, Sm4Ctr};

use crate::case::{Hex, Miss, Outcome, answer, refused, same};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hash {
    m: Hex,
    #[serde(default = "once")]
    repeat: usize,
    digest: Hex,
}

pub(crate) fn sm3(case: &Hash, _valid: bool) -> Outcome {
    let message = case.m.repeat(case.repeat);
    same(shangmi::sm3::digest(&message), &case.digest, "digest")?;
    // In pieces around the size of a block.
    for piece in [1, 7, 63, 64, 65, 1000] {
        let mut hash = Sm3::new();
        for chunk in message.chunks(piece) {
            Digest::update(&mut hash, chunk);
        }
        same(hash.finalize(), &case.digest, "digest of the pieces")?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hmac {
    key: Hex,
    m: Hex,
    mac: Hex,
}

pub(crate) fn hmac(case: &Hmac, valid: bool) -> Outcome {
    let mac = HmacSm3::keyed(&case.key).chain_update(&case.m);
    if valid {
        same(mac.clone().finalize().into_bytes(), &case.mac, "MAC")?;
    }
    Ok(mac.verify_slice(&case.mac)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hkdf {
    ikm: Hex,
    salt: Hex,
    info: Hex,
    l: usize,
    prk: Option<Hex>,
    okm: Option<Hex>,
}

pub(crate) fn hkdf(case: &Hkdf, _valid: bool) -> Outcome {
    let mut okm = vec![0; case.l];
    HkdfSm3::extract(Some(&case.salt), &case.ikm).expand(&[&case.info], &mut okm)?;
    same(&okm, answer(&case.okm)?, "OKM")?;
    if case.salt.is_empty() {
        HkdfSm3::extract(None, &case.ikm).expand(&[&case.info], &mut okm)?;
        same(&okm, answer(&case.okm)?, "OKM without a salt")?;
    }
    let (head, tail) = case.info.split_at(case.info.len() / 2);
    HkdfSm3::from_prk(answer(&case.prk)?).expand(&[head, tail], &mut okm)?;
    same(&okm, answer(&case.okm)?, "OKM from the PRK")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockCase {
    key: Hex,
    #[serde(default = "once")]
    repeat: usize,
    plaintext: Hex,
    ciphertext: Hex,
}

pub(crate) fn block(case: &BlockCase, _valid: bool) -> Outcome {
    let sm4 = Sm4::new(&case.key.array()?.into());
    let mut block: Block<Sm4> = case.plaintext.array()?.into();
    for _ in 0..case.repeat {
        sm4.encrypt_block(&mut block);
    }
    same(block, &case.ciphertext, "ciphertext")?;
    for _ in 0..case.repeat {
        sm4.decrypt_block(&mut block);
    }
    same(block, &case.plaintext, "plaintext")?;

    // Several blocks at once: backends treat them apart from single ones.
    if case.repeat == 1 {
        let mut blocks = vec![case.plaintext.array::<16>()?.into(); 37];
        sm4.encrypt_blocks(&mut blocks);
        same(blocks.concat(), case.ciphertext.repeat(37), "ciphertexts")?;
        sm4.decrypt_blocks(&mut blocks);
        same(blocks.concat(), case.plaintext.repeat(37), "plaintexts")?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aead {
    key: Hex,
    iv: Hex,
    aad: Hex,
    plaintext: Option<Hex>,
    ciphertext: Hex,
    tag: Hex,
}

pub(crate) fn aead<A>(case: &Aead, valid: bool) -> Outcome
where
    A: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + KeySizeUser<KeySize = U16>,
{
    let aead = A::new(&case.key.array()?.into());
    let iv = case.iv.array::<12>()?;
    let tag = case.tag.array::<16>()?;
    if valid {
        let mut buffer = answer(&case.plaintext)?.to_vec();
        let sealed =
            aead.encrypt_inout_detached(&iv.into(), &case.aad, buffer.as_mut_slice().into());
        same(sealed?, tag, "tag")?;
        same(&buffer, &case.ciphertext, "ciphertext")?;
        tampered(&aead, case, iv, tag)?;
    }
    same(
        open(&aead, iv, &case.aad, &case.ciphertext, tag)?,
        answer(&case.plaintext)?,
        "plaintext",
    )
}

/// Each bit of the tag, and one bit of each other part, must matter.
fn tampered<A>(aead: &A, case: &Aead, iv: [u8; 12], tag: [u8; 16]) -> Outcome
where
    A: AeadInOut<NonceSize = U12, TagSize = U16>,
{
    for bit in 0..128 {
        let opened = open(aead, iv, &case.aad, &case.ciphertext, flip(tag, bit));
        refused(opened, "acceptance of an altered tag")?;
    }
    let opened = open(aead, flip(iv, 5), &case.aad, &case.ciphertext, tag);
    refused(opened, "acceptance of another nonce")?;
    let longer = [&case.aad, &[0][..]].concat();
    refused(
        open(aead, iv, &longer, &case.ciphertext, tag),
        "acceptance of longer data",
    )?;
    for i in (0..case.aad.len()).step_by(7) {
        let opened = open(aead, iv, &altered(&case.aad, i), &case.ciphertext, tag);
        refused(opened, "acceptance of altered data")?;
    }
    for i in (0..case.ciphertext.len()).step_by(13) {
        let opened = open(aead, iv, &case.aad, &altered(&case.ciphertext, i), tag);
        refused(opened, "acceptance of an altered ciphertext")?;
    }
    Ok(())
}

fn open<A>(
    aead: &A,
    iv: [u8; 12],
    aad: &[u8],
    ciphertext: &[u8],
    tag: [u8; 16],
) -> Result<Vec<u8>, Miss>
where
    A: AeadInOut<NonceSize = U12, TagSize = U16>,
{
    let mut buffer = ciphertext.to_vec();
    aead.decrypt_inout_detached(&iv.into(), aad, buffer.as_mut_slice().into(), &tag.into())?;
    Ok(buffer)
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Padding {
    None,
    Pkcs7,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cbc {
    padding: Padding,
    key: Hex,
    iv: Hex,
    plaintext: Option<Hex>,
    ciphertext: Hex,
}

pub(crate) fn cbc(case: &Cbc, valid: bool) -> Outcome {
    let (key, iv) = (case.key.array::<16>()?, case.iv.array::<16>()?);
    let encryptor = || Sm4CbcEncryptor::new(&key.into(), &iv.into());
    let mut decryptor = Sm4CbcDecryptor::new(&key.into(), &iv.into());
    match case.padding {
        Padding::Pkcs7 => {
            if valid {
                let ciphertext = encryptor().encrypt_padded_vec::<Pkcs7>(answer(&case.plaintext)?);
                same(ciphertext, &case.ciphertext, "ciphertext")?;
            }
            same(
                decryptor.decrypt_padded_vec::<Pkcs7>(&case.ciphertext)?,
                answer(&case.plaintext)?,
                "plaintext",
            )
        }
        Padding::None => {
            let mut blocks = blocks(answer(&case.plaintext)?)?;
            encryptor().encrypt_blocks(&mut blocks);
            same(blocks.concat(), &case.ciphertext, "ciphertext")?;
            decryptor.decrypt_blocks(&mut blocks);
            same(blocks.concat(), answer(&case.plaintext)?, "plaintext")
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ctr {
    key: Hex,
    iv: Hex,
    plaintext: Hex,
    ciphertext: Hex,
}

pub(crate) fn ctr(case: &Ctr, _valid: bool) -> Outcome {
    let (key, iv) = (case.key.array::<16>()?, case.iv.array::<16>()?);
    let ctr = || Sm4Ctr::new(&key.into(), &iv.into());
    let mut buffer = case.plaintext.to_vec();
    ctr().try_apply_keystream(&mut buffer)?;
    same(&buffer, &case.ciphertext, "ciphertext")?;
    ctr().try_apply_keystream(&mut buffer)?;
    same(&buffer, &case.plaintext, "plaintext")?;
    let mut pieces = ctr();
    buffer
        .chunks_mut(7)
        .for_each(|chunk| pieces.apply_keystream(chunk));
    same(&buffer, &case.ciphertext, "ciphertext of the pieces")
}

fn blocks(bytes: &[u8]) -> Result<Vec<Block<Sm4>>, Miss> {
    bytes
        .chunks(16)
        .map(|block| Ok(<[u8; 16]>::try_from(block)?.into()))
        .collect()
}

fn once() -> usize {
    1
}

fn flip<const N: usize>(mut bytes: [u8; N], bit: usize) -> [u8; N] {
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

fn altered(bytes: &[u8], i: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[i] ^= 0x10;
    bytes
}
