//! SM4, the block cipher of GB/T 32907-2016 (16-byte block, 16-byte key), with the modes that TLS
//! and key files use: GCM and CCM as `aead`, CTR and CBC as `cipher`.
//!
//! The block function and the modes come from RustCrypto; these wrappers are the boundary under
//! which kernels can be put without changing a caller. Today's block function looks its S-box up
//! in a table: its timing can depend on the key on a machine whose cache an attacker observes.

use std::fmt;

use aead::{AeadCore, Nonce, Tag, TagPosition, inout::InOutBuf};
use cipher::consts::{U12, U16};
use cipher::{
    AlgorithmName, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncClosure,
    BlockCipherEncrypt, BlockSizeUser, Key, KeySizeUser,
};
use zeroize::ZeroizeOnDrop;

use crate::arch::wipe::leaving;

/// Stack that no operation here exceeds, to be wiped after it.
const STACK: usize = 4 << 10;

/// Size of an SM4 key in bytes.
pub const KEY_LEN: usize = 16;
/// Size of an SM4 block in bytes.
pub const BLOCK_LEN: usize = 16;
/// Size of a GCM and CCM nonce in bytes (RFC 8998, 2.1).
pub const NONCE_LEN: usize = 12;
/// Size of a GCM and CCM tag in bytes (RFC 8998, 2.1).
pub const TAG_LEN: usize = 16;

/// The SM4 block cipher (GB/T 32907-2016), used through [`cipher::BlockCipherEncrypt`] and
/// [`cipher::BlockCipherDecrypt`]. The round keys are wiped on drop.
#[derive(Clone)]
pub struct Sm4(Box<::sm4::Sm4>);

/// SM4-GCM (NIST SP 800-38D over SM4; RFC 8998, 2.1), used through [`aead::AeadInOut`]:
/// key 16, nonce 12, tag 16 bytes, plaintext at most 2^36 - 32 bytes.
///
/// One nonce must never be used twice under one key.
///
/// ```
/// use shangmi::sm4::{Aead, KeyInit, Sm4Gcm};
///
/// let gcm = Sm4Gcm::new(&[0; 16].into());
/// let sealed = gcm.encrypt(&[1; 12].into(), b"plaintext".as_slice())?;
/// assert_eq!(gcm.decrypt(&[1; 12].into(), sealed.as_slice())?, b"plaintext");
/// # Ok::<(), aead::Error>(())
/// ```
#[derive(Clone)]
pub struct Sm4Gcm(Box<aes_gcm::AesGcm<Sm4, U12>>);

/// SM4-CCM (NIST SP 800-38C over SM4; RFC 8998, 2.1), used through [`aead::AeadInOut`]:
/// key 16, nonce 12, tag 16 bytes, plaintext at most 2^24 - 1 bytes.
///
/// One nonce must never be used twice under one key.
#[derive(Clone)]
pub struct Sm4Ccm(Box<ccm::Ccm<Sm4, U16, U12>>);

/// SM4 in counter mode with a 128-bit big-endian counter, used through [`cipher::StreamCipher`];
/// key 16, initial counter block 16 bytes.
pub type Sm4Ctr = ctr::Ctr128BE<Sm4>;

/// SM4-CBC encryption, used through [`cipher::BlockModeEncrypt`]; key 16, IV 16 bytes.
pub type Sm4CbcEncryptor = cbc::Encryptor<Sm4>;

/// SM4-CBC decryption, used through [`cipher::BlockModeDecrypt`]; key 16, IV 16 bytes.
pub type Sm4CbcDecryptor = cbc::Decryptor<Sm4>;

#[doc(no_inline)]
pub use aead::{Aead, AeadInOut, KeyInit};

impl KeySizeUser for Sm4 {
    type KeySize = U16;
}

impl KeyInit for Sm4 {
    fn new(key: &Key<Self>) -> Self {
        leaving::<STACK, _>(|| Self(Box::new(KeyInit::new(key))))
    }
}

impl BlockSizeUser for Sm4 {
    type BlockSize = U16;
}

impl BlockCipherEncrypt for Sm4 {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        leaving::<STACK, _>(|| self.0.encrypt_with_backend(f));
    }
}

impl BlockCipherDecrypt for Sm4 {
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        leaving::<STACK, _>(|| self.0.decrypt_with_backend(f));
    }
}

impl AlgorithmName for Sm4 {
    fn write_alg_name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm4")
    }
}

impl fmt::Debug for Sm4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm4 { .. }")
    }
}

impl ZeroizeOnDrop for Sm4 {}

/// The same delegation for both AEAD modes.
macro_rules! aead_mode {
    ($mode:ident) => {
        impl KeySizeUser for $mode {
            type KeySize = U16;
        }

        impl KeyInit for $mode {
            fn new(key: &Key<Self>) -> Self {
                leaving::<STACK, _>(|| Self(Box::new(KeyInit::new(key))))
            }
        }

        impl AeadCore for $mode {
            type NonceSize = U12;
            type TagSize = U16;
            const TAG_POSITION: TagPosition = TagPosition::Postfix;
        }

        impl AeadInOut for $mode {
            fn encrypt_inout_detached(
                &self,
                nonce: &Nonce<Self>,
                associated_data: &[u8],
                buffer: InOutBuf<'_, '_, u8>,
            ) -> aead::Result<Tag<Self>> {
                leaving::<STACK, _>(|| {
                    self.0
                        .encrypt_inout_detached(nonce, associated_data, buffer)
                })
            }

            fn decrypt_inout_detached(
                &self,
                nonce: &Nonce<Self>,
                associated_data: &[u8],
                buffer: InOutBuf<'_, '_, u8>,
                tag: &Tag<Self>,
            ) -> aead::Result<()> {
                leaving::<STACK, _>(|| {
                    self.0
                        .decrypt_inout_detached(nonce, associated_data, buffer, tag)
                })
            }
        }

        impl fmt::Debug for $mode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($mode), " { .. }"))
            }
        }

        impl ZeroizeOnDrop for $mode {}
    };
}

aead_mode!(Sm4Gcm);
aead_mode!(Sm4Ccm);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ccm_refuses_a_plaintext_of_2_to_the_24() {
        let ccm = Sm4Ccm::new(&[0; 16].into());
        let mut buffer = vec![0; 1 << 24];
        let nonce = [0; 12].into();
        assert!(
            ccm.encrypt_inout_detached(&nonce, b"", buffer.as_mut_slice().into())
                .is_err()
        );
        assert!(
            ccm.encrypt_inout_detached(&nonce, b"", buffer[1..].as_mut().into())
                .is_ok()
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let key = [0xa5; 16].into();
        assert_eq!(format!("{:?}", Sm4::new(&key)), "Sm4 { .. }");
        assert_eq!(format!("{:?}", Sm4Gcm::new(&key)), "Sm4Gcm { .. }");
    }
}
