//! Tasks through the traits that both we and RustCrypto implement.

use aead::inout::InOutBuf;
use aead::{AeadInOut, KeyInit};
use cipher::consts::{U12, U16};
use cipher::{BlockModeEncrypt, BlockSizeUser, KeyIvInit, StreamCipher};
use sm3_rustcrypto::Digest;

use super::Result;
use super::task::{Task, changes, gives};
use super::work::{HEADER, IV, KEY, NONCE, plaintext};

const TAG_LEN: usize = 16;

pub(super) fn seal<A>(len: usize) -> Result<Option<Box<dyn Task>>>
where
    A: KeyInit + AeadInOut<NonceSize = U12, TagSize = U16> + 'static,
{
    let aead = A::new_from_slice(&KEY)?;
    changes(len, TAG_LEN, move |buffer| {
        let (data, tag) = buffer.split_at_mut(len);
        let sealed = aead.encrypt_inout_detached(&NONCE.into(), HEADER, data.into());
        tag.copy_from_slice(&sealed.map_err(|_| "sealing failed")?);
        Ok(())
    })
}

pub(super) fn open<A>(len: usize) -> Result<Option<Box<dyn Task>>>
where
    A: KeyInit + AeadInOut<NonceSize = U12, TagSize = U16> + 'static,
{
    let aead = A::new_from_slice(&KEY)?;
    let mut sealed = plaintext(len);
    let tag = aead
        .encrypt_inout_detached(&NONCE.into(), HEADER, sealed.as_mut_slice().into())
        .map_err(|_| "sealing failed")?;
    changes(len, 0, move |opened| {
        let data = InOutBuf::new(&sealed, opened).map_err(|_| "lengths differ")?;
        aead.decrypt_inout_detached(&NONCE.into(), HEADER, data, &tag)
            .map_err(|_| "opening failed".into())
    })
}

pub(super) fn cbc<C>(len: usize) -> Result<Option<Box<dyn Task>>>
where
    C: KeyIvInit + BlockModeEncrypt + BlockSizeUser<BlockSize = U16>,
{
    changes(len, 0, |buffer| {
        let (blocks, _) = InOutBuf::from(buffer).into_chunks::<U16>();
        C::new_from_slices(&KEY, &IV)?.encrypt_blocks_inout(blocks);
        Ok(())
    })
}

pub(super) fn ctr<C: KeyIvInit + StreamCipher>(len: usize) -> Result<Option<Box<dyn Task>>> {
    changes(len, 0, |buffer| {
        C::new_from_slices(&KEY, &IV)?.apply_keystream(buffer);
        Ok(())
    })
}

pub(super) fn hash<D: Digest>(len: usize) -> Result<Option<Box<dyn Task>>> {
    let data = plaintext(len);
    gives(move || Ok(D::digest(&data)))
}
