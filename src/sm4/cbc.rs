//! Cipher block chaining.

use std::fmt;

use cipher::consts::{U1, U16};
use cipher::inout::{InOut, InOutBuf};
use cipher::{
    AlgorithmName, Block, BlockModeDecBackend, BlockModeDecClosure, BlockModeDecrypt,
    BlockModeEncBackend, BlockModeEncClosure, BlockModeEncrypt, BlockSizeUser, InnerIvInit, Iv,
    IvSizeUser, IvState, ParBlocks, ParBlocksSizeUser, SetIvState, common::InnerUser,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::self_test::SM4_CBC;
use super::{AtOnce, STACK, Sm4, single};
use crate::arch::wipe::leaving;
use crate::gate::Service;

/// SM4-CBC encryption, used through [`cipher::BlockModeEncrypt`]; key 16, IV 16 bytes.
///
/// # Panics
/// When blocks are to be encrypted in the module's error state ([`module`](crate::module)).
#[derive(Clone)]
pub struct Sm4CbcEncryptor {
    cipher: Sm4,
    iv: [u8; 16],
}

/// SM4-CBC decryption, used through [`cipher::BlockModeDecrypt`]; key 16, IV 16 bytes.
///
/// # Panics
/// When blocks are to be decrypted in the module's error state ([`module`](crate::module)).
#[derive(Clone)]
pub struct Sm4CbcDecryptor {
    cipher: Sm4,
    iv: [u8; 16],
}

impl BlockModeEncrypt for Sm4CbcEncryptor {
    fn encrypt_with_backend(&mut self, f: impl BlockModeEncClosure<BlockSize = U16>) {
        f.call(&mut Encrypting(self));
    }

    fn encrypt_blocks_inout(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        SM4_CBC.enter_or_panic(Service::Sm4Cbc);
        leaving::<STACK, _>(|| self.cipher.encrypting.cbc_encrypt(&mut self.iv, blocks));
    }
}

impl BlockModeDecrypt for Sm4CbcDecryptor {
    fn decrypt_with_backend(&mut self, f: impl BlockModeDecClosure<BlockSize = U16>) {
        f.call(&mut Decrypting(self));
    }

    fn decrypt_blocks_inout(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        SM4_CBC.enter_or_panic(Service::Sm4Cbc);
        leaving::<STACK, _>(|| self.cipher.decrypting.cbc_decrypt(&mut self.iv, blocks));
    }
}

/// For generic users of the encryptor.
struct Encrypting<'m>(&'m mut Sm4CbcEncryptor);

impl BlockSizeUser for Encrypting<'_> {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for Encrypting<'_> {
    type ParBlocksSize = U1;
}

impl BlockModeEncBackend for Encrypting<'_> {
    fn encrypt_block(&mut self, block: InOut<'_, '_, Block<Self>>) {
        self.0.encrypt_blocks_inout(single(block));
    }
}

/// For generic users of the decryptor.
struct Decrypting<'m>(&'m mut Sm4CbcDecryptor);

impl BlockSizeUser for Decrypting<'_> {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for Decrypting<'_> {
    type ParBlocksSize = AtOnce;
}

impl BlockModeDecBackend for Decrypting<'_> {
    fn decrypt_block(&mut self, block: InOut<'_, '_, Block<Self>>) {
        self.0.decrypt_blocks_inout(single(block));
    }

    fn decrypt_par_blocks(&mut self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        self.0.decrypt_blocks_inout(blocks.into_buf());
    }

    fn decrypt_tail_blocks(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        self.0.decrypt_blocks_inout(blocks);
    }
}

/// What both directions have in common.
macro_rules! mode {
    ($mode:ident, $name:literal) => {
        impl BlockSizeUser for $mode {
            type BlockSize = U16;
        }

        impl InnerUser for $mode {
            type Inner = Sm4;
        }

        impl IvSizeUser for $mode {
            type IvSize = U16;
        }

        impl InnerIvInit for $mode {
            fn inner_iv_init(cipher: Sm4, iv: &Iv<Self>) -> Self {
                Self {
                    cipher,
                    iv: (*iv).into(),
                }
            }
        }

        impl IvState for $mode {
            fn iv_state(&self) -> Iv<Self> {
                self.iv.into()
            }
        }

        impl SetIvState for $mode {
            fn set_iv(&mut self, iv: &Iv<Self>) {
                self.iv = (*iv).into();
            }
        }

        impl AlgorithmName for $mode {
            fn write_alg_name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($name)
            }
        }

        impl fmt::Debug for $mode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($mode), " { .. }"))
            }
        }

        impl Drop for $mode {
            fn drop(&mut self) {
                self.iv.zeroize();
            }
        }

        impl ZeroizeOnDrop for $mode {}
    };
}

mode!(Sm4CbcEncryptor, "cbc::Encryptor<Sm4>");
mode!(Sm4CbcDecryptor, "cbc::Decryptor<Sm4>");

#[cfg(test)]
mod tests {
    use cipher::KeyIvInit;
    use cipher::block_padding::Pkcs7;

    use super::*;

    #[test]
    fn agrees_with_rustcrypto_in_pieces_and_padded() {
        let (key, iv) = ([0x5a; 16].into(), [0xc3; 16].into());
        let mut ours = Sm4CbcEncryptor::new(&key, &iv);
        let mut theirs = ::cbc::Encryptor::<::sm4::Sm4>::new(&key, &iv);
        let mut back = Sm4CbcDecryptor::new(&key, &iv);
        for count in 0..100 {
            let plain: Vec<Block<Sm4>> = (0..count).map(|i| [i as u8; 16].into()).collect();
            let (mut found, mut expected) = (plain.clone(), plain.clone());
            match count % 2 {
                0 => ours.encrypt_blocks(&mut found),
                _ => found.iter_mut().for_each(|block| ours.encrypt_block(block)),
            }
            theirs.encrypt_blocks(&mut expected);
            assert_eq!(found, expected, "{count} blocks");
            assert_eq!(ours.iv_state(), theirs.iv_state());
            match count % 2 {
                0 => back.decrypt_blocks(&mut found),
                _ => found.iter_mut().for_each(|block| back.decrypt_block(block)),
            }
            assert_eq!(found, plain, "{count} blocks");
            assert_eq!(back.iv_state(), ours.iv_state());
        }
        for len in 0..100 {
            let plain = vec![7; len];
            let found = Sm4CbcEncryptor::new(&key, &iv).encrypt_padded_vec::<Pkcs7>(&plain);
            let expected =
                ::cbc::Encryptor::<::sm4::Sm4>::new(&key, &iv).encrypt_padded_vec::<Pkcs7>(&plain);
            assert_eq!(found, expected, "{len} bytes");
            let back = Sm4CbcDecryptor::new(&key, &iv).decrypt_padded_vec::<Pkcs7>(&found);
            assert_eq!(back.unwrap(), plain, "{len} bytes");
        }
    }
}
