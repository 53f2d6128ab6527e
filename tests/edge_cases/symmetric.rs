//! SM4 in its modes, HMAC-SM3 and HKDF-SM3.

use aead::AeadInOut;
use cipher::block_padding::Pkcs7;
use cipher::consts::{U12, U16};
use cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit, KeySizeUser};
use serde::Deserialize;
use shangmi::sm3::{HkdfSm3, HmacSm3, Mac};
use shangmi::sm4::{Sm4CbcDecryptor, Sm4CbcEncryptor};

use crate::file::{Hex, Judgement, Kind, same};

pub(crate) const GCM: Kind = Kind {
    algorithm: "SM4-GCM",
    schema: "aead_test_schema_v1.json",
    groups: &["AeadTest"],
};
pub(crate) const CCM: Kind = Kind {
    algorithm: "SM4-CCM",
    ..GCM
};
pub(crate) const CBC: Kind = Kind {
    algorithm: "SM4-CBC-PKCS5",
    schema: "ind_cpa_test_schema_v1.json",
    groups: &["IndCpaTest"],
};
pub(crate) const HMAC: Kind = Kind {
    algorithm: "HMACSM3",
    schema: "mac_test_schema_v1.json",
    groups: &["MacTest"],
};
pub(crate) const HKDF: Kind = Kind {
    algorithm: "HKDF-SM3",
    schema: "hkdf_test_schema_v1.json",
    groups: &["HkdfTest"],
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct AeadGroup {
    pub(crate) iv_size: usize,
    key_size: usize,
    tag_size: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AeadCase {
    pub(crate) key: Hex,
    pub(crate) iv: Hex,
    pub(crate) aad: Hex,
    pub(crate) msg: Hex,
    pub(crate) ct: Hex,
    pub(crate) tag: Hex,
}

pub(crate) fn aead<A>(group: &AeadGroup, case: &AeadCase) -> Result<(), Judgement>
where
    A: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + KeySizeUser<KeySize = U16>,
{
    if group.iv_size != 96 {
        return Err(Judgement::Inexpressible);
    }
    open_and_seal::<A>(group, case)
}

/// Opens, and if that goes well seals again.
pub(crate) fn open_and_seal<A>(group: &AeadGroup, case: &AeadCase) -> Result<(), Judgement>
where
    A: AeadInOut<TagSize = U16> + KeyInit + KeySizeUser<KeySize = U16>,
{
    let sizes = [8 * case.key.len(), 8 * case.iv.len(), group.tag_size];
    assert_eq!(sizes, [group.key_size, group.iv_size, 128]);
    let aead = A::new_from_slice(&case.key)?;
    let nonce = case.iv[..].try_into()?;
    let tag = <[u8; 16]>::try_from(&case.tag[..])?.into();
    let mut buffer = case.ct.to_vec();
    aead.decrypt_inout_detached(nonce, &case.aad, buffer.as_mut_slice().into(), &tag)?;
    same(&buffer, &case.msg, "plaintext")?;
    let sealed = aead.encrypt_inout_detached(nonce, &case.aad, buffer.as_mut_slice().into())?;
    same(buffer, &case.ct, "ciphertext")?;
    same(sealed, tag, "tag")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CbcGroup {
    key_size: usize,
    iv_size: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CbcCase {
    key: Hex,
    iv: Hex,
    msg: Hex,
    ct: Hex,
}

pub(crate) fn cbc(group: &CbcGroup, case: &CbcCase) -> Result<(), Judgement> {
    cbc_with::<Sm4CbcEncryptor, Sm4CbcDecryptor>(group, case)
}

pub(crate) fn cbc_with<E, D>(group: &CbcGroup, case: &CbcCase) -> Result<(), Judgement>
where
    E: BlockModeEncrypt + KeyIvInit,
    D: BlockModeDecrypt + KeyIvInit,
{
    assert_eq!((group.key_size, group.iv_size), (128, 128));
    let decryptor = D::new_from_slices(&case.key, &case.iv)?;
    let plaintext = decryptor.decrypt_padded_vec::<Pkcs7>(&case.ct)?;
    same(plaintext, &case.msg, "plaintext")?;
    let encryptor = E::new_from_slices(&case.key, &case.iv)?;
    same(
        encryptor.encrypt_padded_vec::<Pkcs7>(&case.msg),
        &case.ct,
        "ciphertext",
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct MacGroup {
    key_size: usize,
    pub(crate) tag_size: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MacCase {
    pub(crate) key: Hex,
    pub(crate) msg: Hex,
    pub(crate) tag: Hex,
}

pub(crate) fn hmac(group: &MacGroup, case: &MacCase) -> Result<(), Judgement> {
    hmac_with(group, case, HmacSm3::keyed(&case.key))
}

pub(crate) fn hmac_with<M: Mac + Clone>(
    group: &MacGroup,
    case: &MacCase,
    mac: M,
) -> Result<(), Judgement> {
    assert_eq!(group.key_size, 8 * case.key.len());
    let mac = mac.chain_update(&case.msg);
    let size = group.tag_size / 8;
    match size {
        32 => mac.clone().verify_slice(&case.tag)?,
        // A truncated tag has the length that both sides agreed on.
        _ if case.tag.len() == size => mac.clone().verify_truncated_left(&case.tag)?,
        _ => return Err(Judgement::Refused),
    }
    same(&mac.finalize().into_bytes()[..size], &case.tag, "tag")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct HkdfGroup {
    key_size: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HkdfCase {
    pub(crate) ikm: Hex,
    pub(crate) salt: Hex,
    pub(crate) info: Hex,
    pub(crate) size: usize,
    pub(crate) okm: Hex,
}

pub(crate) fn hkdf(group: &HkdfGroup, case: &HkdfCase) -> Result<(), Judgement> {
    assert_eq!(group.key_size, 8 * case.ikm.len());
    let mut okm = vec![0; case.size];
    HkdfSm3::extract(Some(&case.salt), &case.ikm).expand(&[&case.info], &mut okm)?;
    same(&okm, &case.okm, "output")?;
    if case.salt.is_empty() {
        HkdfSm3::extract(None, &case.ikm).expand(&[&case.info], &mut okm)?;
    }
    same(okm, &case.okm, "output without a salt")
}
