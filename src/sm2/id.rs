//! The signer's ID and the digest e that a signature covers.

use std::sync::LazyLock;

use digest::Digest;

use super::curve::CURVE_PARAMETERS;
use super::{Error, PublicKey};
use crate::gate::Service;
use crate::sm3::{Sm3, self_test};

/// The default signer ID, used in certificates, requests, revocation lists and TLCP
/// (GB/T 35276-2017, 10; GM/T 0009).
pub const DEFAULT_ID: &[u8] = b"1234567812345678";

/// The signer ID of CertificateVerify in TLS 1.3 (RFC 8998, 3.2.1).
pub const TLS13_ID: &[u8] = b"TLSv1.3+GM+Cipher+Suite";

/// The longest signer ID in bytes: its length in bits must fit in 16 bits (GB/T 32918.2, 5.5).
pub const MAX_ID_LEN: usize = 8191;

/// Z, the digest of the signer's ID, the curve and the public key (GB/T 32918.2, 5.5).
///
/// # Errors
/// [`Error::IdTooLong`] if `id` is longer than [`MAX_ID_LEN`]; [`Error::Module`].
pub fn z_value(id: &[u8], key: &PublicKey) -> Result<[u8; 32], Error> {
    self_test::SM3.enter(Service::Sm3)?;
    z_of(id, key)
}

/// [`z_value`] for what has passed a gate of its own.
pub(super) fn z_of(id: &[u8], key: &PublicKey) -> Result<[u8; 32], Error> {
    if id.len() > MAX_ID_LEN {
        return Err(Error::IdTooLong);
    }
    // Two of the four blocks are the same for all keys.
    static OF_DEFAULT_ID: LazyLock<Sm3> = LazyLock::new(|| before_key(DEFAULT_ID));
    static OF_TLS13_ID: LazyLock<Sm3> = LazyLock::new(|| before_key(TLS13_ID));
    let hash = match id {
        DEFAULT_ID => OF_DEFAULT_ID.clone(),
        TLS13_ID => OF_TLS13_ID.clone(),
        _ => before_key(id),
    };
    Ok(hash.chain_update(&key.as_sec1()[1..]).finished())
}

/// What Z hashes before the public key.
fn before_key(id: &[u8]) -> Sm3 {
    let bits = (id.len() * 8) as u16;
    let mut hash = Sm3::new().chain_update(bits.to_be_bytes()).chain_update(id);
    for parameter in &CURVE_PARAMETERS {
        hash.update(parameter);
    }
    hash
}

/// e = SM3(Z || message), the 32 bytes that a signature covers (GB/T 32918.2, 6.1 A1-A2).
///
/// # Errors
/// [`Error::IdTooLong`] if `id` is longer than [`MAX_ID_LEN`]; [`Error::Module`].
pub fn message_digest(id: &[u8], key: &PublicKey, message: &[u8]) -> Result<[u8; 32], Error> {
    Ok(digest_with_z(&z_value(id, key)?, message))
}

pub(super) fn digest_with_z(z: &[u8; 32], message: &[u8]) -> [u8; 32] {
    Sm3::new().chain_update(z).chain_update(message).finished()
}
