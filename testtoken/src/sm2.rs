//! The token's SM2, on RustCrypto's crate.

use crate::Result;
use crate::behaviour::{Behaviour, Fault};
use cryptoki_sys::*;
use getrandom::SysRng;
use sm2::SecretKey;
use sm2::dsa::signature::hazmat::RandomizedPrehashSigner;
use sm2::dsa::{Signature, SigningKey};
use sm2::elliptic_curve::sec1::ToSec1Point;

/// `CKA_EC_PARAMS` of every SM2 key: the OID 1.2.156.10197.1.301 in DER.
pub(crate) const EC_PARAMS: [u8; 10] = [0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];

/// Most bytes in a signature: DER of two 33-byte integers.
pub(crate) const MAX_SIGNATURE: usize = 72;

pub(crate) fn generate() -> Result<SecretKey> {
    let mut bytes = [0; 32];
    loop {
        random(&mut bytes)?;
        if let Ok(key) = SecretKey::from_slice(&bytes) {
            return Ok(key);
        }
    }
}

pub(crate) fn import(value: &[u8]) -> Result<SecretKey> {
    if value.len() != 32 {
        return Err(CKR_ATTRIBUTE_VALUE_INVALID);
    }
    SecretKey::from_slice(value).map_err(|_| CKR_ATTRIBUTE_VALUE_INVALID)
}

/// The public key as Luna writes `CKA_EC_POINT`: a DER OCTET STRING around 04 || X || Y.
pub(crate) fn ec_point(key: &SecretKey) -> Vec<u8> {
    let point = key.public_key().to_sec1_point(false);
    let mut wrapped = vec![0x04, 65];
    wrapped.extend_from_slice(point.as_bytes());
    wrapped
}

/// Signs the 32 bytes of `e`, as well or as badly as `behaviour` says.
pub(crate) fn sign(key: &SecretKey, e: &[u8], behaviour: Behaviour) -> Result<Vec<u8>> {
    let signature = match behaviour.fault {
        Some(Fault::Foreign) => sign_e(&generate()?, e)?,
        _ => sign_e(key, e)?,
    };
    let mut bytes = match behaviour.der {
        true => signature.to_der().to_vec(),
        false => signature.to_bytes().to_vec(),
    };
    match (behaviour.fault, bytes.last_mut()) {
        (Some(Fault::Corrupt), Some(last)) => *last ^= 1,
        (Some(Fault::Short), _) => _ = bytes.pop(),
        _ => {}
    }
    Ok(bytes)
}

pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| CKR_DEVICE_ERROR)
}

fn sign_e(key: &SecretKey, e: &[u8]) -> Result<Signature> {
    // The ID has no part in a signature on e.
    SigningKey::new("", key)
        .and_then(|key| key.sign_prehash_with_rng(&mut SysRng, e))
        .map_err(|_| CKR_FUNCTION_FAILED)
}
