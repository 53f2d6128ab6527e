//! Authenticated encryption: GCM and CCM (draft-celi-acvp-symmetric), with nonces of 12 bytes.

use aead::array::Array;
use aead::{AeadInOut, Key, KeyInit, Nonce};
use aes_gcm::AesGcm;
use aes_gcm::aes::{Aes128, Aes256};
use cipher::consts::{U12, U13, U14, U15, U16};
use digest::typenum::Unsigned;

use super::case::{Case, Outcome, Service, answer, verdict, wrong_length};
use super::error::{Cause, Fault};

/// Where the tag stands in requests and answers.
#[derive(Clone, Copy)]
enum Tag {
    /// In a field of its own (GCM).
    Apart,
    /// Behind the ciphertext (CCM).
    Behind,
}

/// AES-GCM. The tags are those that the service's crate has, and its own is the one of 16 bytes.
pub(super) fn aes_gcm(case: &Case<'_>) -> Outcome {
    let sizes = (case.number("keyLen")?, case.number("tagLen")?);
    let crypt: Service = match sizes {
        (128, 96) => gcm::<AesGcm<Aes128, U12, U12>>,
        (128, 104) => gcm::<AesGcm<Aes128, U12, U13>>,
        (128, 112) => gcm::<AesGcm<Aes128, U12, U14>>,
        (128, 120) => gcm::<AesGcm<Aes128, U12, U15>>,
        (128, 128) => gcm::<AesGcm<Aes128, U12, U16>>,
        (256, 96) => gcm::<AesGcm<Aes256, U12, U12>>,
        (256, 104) => gcm::<AesGcm<Aes256, U12, U13>>,
        (256, 112) => gcm::<AesGcm<Aes256, U12, U14>>,
        (256, 120) => gcm::<AesGcm<Aes256, U12, U15>>,
        (256, 128) => gcm::<AesGcm<Aes256, U12, U16>>,
        (128 | 256, tag) => {
            let supported = "96, 104, 112, 120, 128";
            return Err(Fault::unsupported("tagLen", &tag.to_string(), supported));
        }
        (key, _) => return Err(Fault::unsupported("keyLen", &key.to_string(), "128, 256")),
    };
    crypt(case)
}

pub(super) fn gcm<A: AeadInOut + KeyInit>(case: &Case<'_>) -> Outcome {
    crypt::<A>(case, Tag::Apart)
}

pub(super) fn ccm<A: AeadInOut + KeyInit>(case: &Case<'_>) -> Outcome {
    crypt::<A>(case, Tag::Behind)
}

fn crypt<A: AeadInOut + KeyInit>(case: &Case<'_>, tag: Tag) -> Outcome {
    for (field, bytes) in [
        ("keyLen", A::KeySize::USIZE),
        ("ivLen", A::NonceSize::USIZE),
        ("tagLen", A::TagSize::USIZE),
    ] {
        let bits = 8 * bytes as u64;
        if case.has(field) && case.number(field)? != bits {
            let found = case.number(field)?.to_string();
            return Err(Fault::unsupported(field, &found, &bits.to_string()));
        }
    }
    if case.has("ivGen") {
        case.choice("ivGen", &[("external", ())])?;
    }
    let key: Key<A> = sized(case, "key")?;
    let nonce: Nonce<A> = sized(case, "iv")?;
    let associated = case.sized("aad", "aadLen")?;
    let aead = A::new(&key);
    match case.choice("direction", &[("encrypt", true), ("decrypt", false)])? {
        true => encrypt(case, &aead, &nonce, &associated, tag),
        false => decrypt(case, &aead, &nonce, &associated, tag),
    }
}

fn encrypt<A: AeadInOut>(
    case: &Case<'_>,
    aead: &A,
    nonce: &Nonce<A>,
    associated: &[u8],
    place: Tag,
) -> Outcome {
    let mut text = case.sized("pt", "payloadLen")?;
    case.budget.work((text.len() + associated.len()) as u64)?;
    let tag = aead
        .encrypt_inout_detached(nonce, associated, text.as_mut_slice().into())
        .map_err(Fault::refused)?;
    Ok(match place {
        Tag::Apart => answer([("ct", &text), ("tag", &tag)]),
        Tag::Behind => {
            text.extend_from_slice(&tag);
            answer([("ct", &text)])
        }
    })
}

fn decrypt<A: AeadInOut>(
    case: &Case<'_>,
    aead: &A,
    nonce: &Nonce<A>,
    associated: &[u8],
    place: Tag,
) -> Outcome {
    let mut text = case.bytes("ct")?;
    let tag = match place {
        Tag::Apart => sized(case, "tag")?,
        Tag::Behind => {
            let length = text.len().checked_sub(A::TagSize::USIZE);
            let length = length.ok_or(wrong_length("ct", A::TagSize::USIZE, text.len()))?;
            let tag = text.split_off(length);
            Array::try_from(tag.as_slice()).map_err(|_| Fault::in_field("ct", Cause::Missing))?
        }
    };
    if case.has("payloadLen") && case.length("payloadLen")? != text.len() as u64 {
        let expected = case.length("payloadLen")? as usize;
        return Err(wrong_length("ct", expected, text.len()));
    }
    case.budget.work((text.len() + associated.len()) as u64)?;
    let opened = aead.decrypt_inout_detached(nonce, associated, text.as_mut_slice().into(), &tag);
    Ok(match opened {
        Ok(()) => answer([("pt", &text)]),
        Err(_) => verdict(false),
    })
}

/// A field of the size that its type has.
fn sized<N: aead::array::ArraySize>(
    case: &Case<'_>,
    field: &'static str,
) -> Result<Array<u8, N>, Fault> {
    let bytes = case.bytes(field)?;
    Array::try_from(bytes.as_slice()).map_err(|_| wrong_length(field, N::USIZE, bytes.len()))
}
