//! Galois/counter mode.

use std::fmt;

use aead::{AeadCore, AeadInOut, Error, Nonce, Tag, TagPosition};
use cipher::consts::{U12, U16};
use cipher::inout::InOutBuf;
use cipher::{Key, KeyInit, KeySizeUser};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::STACK;
use super::self_test::SM4_GCM;
use crate::arch::ct::declassify;
use crate::arch::sm4::{Direction, GcmKey};
use crate::arch::wipe::leaving;
use crate::gate::Service;

/// SM4-GCM (NIST SP 800-38D over SM4; RFC 8998, 2.1), used through [`aead::AeadInOut`]:
/// key 16, nonce 12, tag 16 bytes, plaintext at most 2^36 - 32 bytes.
///
/// One nonce must never be used twice under one key. Here the caller sees to it, and so sealing is no
/// approved service, and refused in strict GM mode; [`Sm4GcmSealer`](super::Sm4GcmSealer) makes its
/// nonces itself. In the module's error state, too, the only answer is an error ([`module`](crate::module)).
///
/// Where a tag is wrong, the output buffer is filled with zeros, also in place: then the
/// ciphertext is lost.
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
pub struct Sm4Gcm(GcmKey);

/// The most bytes of plaintext (SP 800-38D, 5.2.1.1): 2^39 - 256 bits.
const MAX_TEXT: u64 = (1 << 36) - 32;
/// The most bytes of associated data: 2^64 - 1 bits.
const MAX_ASSOCIATED: u64 = (1 << 61) - 1;

impl Sm4Gcm {
    fn crypt(
        &self,
        direction: Direction,
        nonce: &Nonce<Self>,
        associated_data: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
    ) -> aead::Result<[u8; 16]> {
        if buffer.len() as u64 > MAX_TEXT || associated_data.len() as u64 > MAX_ASSOCIATED {
            return Err(Error);
        }
        let nonce = nonce.as_ref();
        Ok(self.0.crypt(direction, nonce, associated_data, buffer))
    }
}

impl KeySizeUser for Sm4Gcm {
    type KeySize = U16;
}

impl KeyInit for Sm4Gcm {
    fn new(key: &Key<Self>) -> Self {
        leaving::<STACK, _>(|| Self(GcmKey::new(key.as_ref())))
    }
}

impl AeadCore for Sm4Gcm {
    type NonceSize = U12;
    type TagSize = U16;
    const TAG_POSITION: TagPosition = TagPosition::Postfix;
}

impl AeadInOut for Sm4Gcm {
    fn encrypt_inout_detached(
        &self,
        nonce: &Nonce<Self>,
        associated_data: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
    ) -> aead::Result<Tag<Self>> {
        SM4_GCM.enter(Service::Sm4GcmSeal).map_err(|_| Error)?;
        leaving::<STACK, _>(|| {
            let tag = self.crypt(Direction::Encrypt, nonce, associated_data, buffer)?;
            Ok(tag.into())
        })
    }

    fn decrypt_inout_detached(
        &self,
        nonce: &Nonce<Self>,
        associated_data: &[u8],
        mut buffer: InOutBuf<'_, '_, u8>,
        tag: &Tag<Self>,
    ) -> aead::Result<()> {
        SM4_GCM.enter(Service::Sm4GcmOpen).map_err(|_| Error)?;
        leaving::<STACK, _>(|| {
            let buffer_now = buffer.reborrow();
            let expected = self.crypt(Direction::Decrypt, nonce, associated_data, buffer_now)?;
            // Whether the tag is right is what the caller is told.
            if declassify(bool::from(expected.ct_eq(tag.as_slice()))) {
                return Ok(());
            }
            buffer.get_out().zeroize();
            Err(Error)
        })
    }
}

impl fmt::Debug for Sm4Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm4Gcm { .. }")
    }
}

// The key wipes itself.
impl ZeroizeOnDrop for Sm4Gcm {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_tag_leaves_zeros() {
        let gcm = Sm4Gcm::new(&[7; 16].into());
        let nonce = [1; 12].into();
        for len in [1, 15, 16, 100, 511, 512, 2000] {
            let mut sealed = vec![0x5a; len];
            let tag = gcm
                .encrypt_inout_detached(&nonce, b"data", sealed.as_mut_slice().into())
                .unwrap();
            for bit in 0..128 {
                let mut wrong = tag;
                wrong[bit / 8] ^= 1 << (bit % 8);
                let mut buffer = sealed.clone();
                let opened = gcm.decrypt_inout_detached(
                    &nonce,
                    b"data",
                    buffer.as_mut_slice().into(),
                    &wrong,
                );
                assert_eq!(opened, Err(Error), "bit {bit}");
                assert_eq!(buffer, vec![0; len]);
            }
            let mut out = vec![0xaa; len];
            let buffer = InOutBuf::new(&sealed, &mut out).unwrap();
            assert!(
                gcm.decrypt_inout_detached(&nonce, b"Data", buffer, &tag)
                    .is_err()
            );
            assert_eq!(out, vec![0; len]);
            let buffer = InOutBuf::new(&sealed, &mut out).unwrap();
            assert!(
                gcm.decrypt_inout_detached(&nonce, b"data", buffer, &tag)
                    .is_ok()
            );
            assert_eq!(out, vec![0x5a; len]);
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let gcm = Sm4Gcm::new(&[0xa5; 16].into());
        assert_eq!(format!("{gcm:?}"), "Sm4Gcm { .. }");
    }
}
