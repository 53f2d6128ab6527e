//! The token's SM2, on RustCrypto's crate.

use crate::Result;
use crate::behaviour::{Encoding, Fault};
use cryptoki_sys::*;
use getrandom::SysRng;
use sm2::dsa::signature::hazmat::RandomizedPrehashSigner;
use sm2::dsa::{Signature, SigningKey};

/// `CKA_EC_PARAMS` of every SM2 key: the OID 1.2.156.10197.1.301 in DER.
pub(crate) const EC_PARAMS: [u8; 10] = [0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];

pub(crate) fn generate() -> Result<SigningKey> {
    let mut bytes = [0; 32];
    loop {
        random(&mut bytes)?;
        if let Ok(key) = import(&bytes) {
            return Ok(key);
        }
    }
}

pub(crate) fn import(value: &[u8]) -> Result<SigningKey> {
    if value.len() != 32 {
        return Err(CKR_ATTRIBUTE_VALUE_INVALID);
    }
    // The ID has no part in a signature on e.
    SigningKey::from_slice("", value).map_err(|_| CKR_ATTRIBUTE_VALUE_INVALID)
}

/// The public key as Luna writes `CKA_EC_POINT`: a DER OCTET STRING around 04 || X || Y.
pub(crate) fn ec_point(key: &SigningKey) -> Vec<u8> {
    let mut wrapped = vec![0x04, 65];
    wrapped.extend_from_slice(&key.verifying_key().to_sec1_bytes());
    wrapped
}

/// Most bytes in a signature; DER has two 33-byte integers.
pub(crate) fn longest(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Raw => 64,
        Encoding::Der => 72,
    }
}

/// Signs the 32 bytes of `e`, well or badly.
pub(crate) fn sign(
    key: &SigningKey,
    e: &[u8],
    encoding: Encoding,
    fault: Option<Fault>,
) -> Result<Vec<u8>> {
    let signature = match fault {
        Some(Fault::Foreign) => sign_e(&generate()?, e)?,
        _ => sign_e(key, e)?,
    };
    let mut bytes = match encoding {
        Encoding::Der => signature.to_der().to_vec(),
        Encoding::Raw => signature.to_bytes().to_vec(),
    };
    match (fault, bytes.last_mut()) {
        (Some(Fault::Corrupt), Some(last)) => *last ^= 1,
        (Some(Fault::Short), _) => _ = bytes.pop(),
        _ => {}
    }
    Ok(bytes)
}

pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| CKR_DEVICE_ERROR)
}

fn sign_e(key: &SigningKey, e: &[u8]) -> Result<Signature> {
    key.sign_prehash_with_rng(&mut SysRng, e)
        .map_err(|_| CKR_FUNCTION_FAILED)
}
