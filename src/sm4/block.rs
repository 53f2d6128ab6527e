//! The block cipher itself.

use std::fmt;

use cipher::consts::U16;
use cipher::inout::{InOut, InOutBuf};
use cipher::{
    AlgorithmName, Block, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt,
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, Key, KeyInit,
    KeySizeUser, ParBlocks, ParBlocksSizeUser,
};
use zeroize::ZeroizeOnDrop;

use super::self_test::SM4;
use super::{AtOnce, STACK, single};
use crate::arch::sm4 as arch;
use crate::arch::wipe::leaving;
use crate::gate::Service;

/// The SM4 block cipher (GB/T 32907-2016), used through [`cipher::BlockCipherEncrypt`] and
/// [`cipher::BlockCipherDecrypt`]. The round keys are wiped on drop.
///
/// # Panics
/// When blocks are to be encrypted or decrypted in the module's error state, which
/// [`module`](crate::module) tells of.
#[derive(Clone)]
pub struct Sm4 {
    pub(super) encrypting: arch::Key,
    pub(super) decrypting: arch::Key,
}

impl KeySizeUser for Sm4 {
    type KeySize = U16;
}

impl KeyInit for Sm4 {
    fn new(key: &Key<Self>) -> Self {
        leaving::<STACK, _>(|| {
            let encrypting = arch::Key::new(key.as_ref());
            Self {
                decrypting: encrypting.reversed(),
                encrypting,
            }
        })
    }
}

impl BlockSizeUser for Sm4 {
    type BlockSize = U16;
}

impl BlockCipherEncrypt for Sm4 {
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        SM4.enter_or_panic(Service::Sm4Ecb);
        f.call(&Backend(&self.encrypting));
    }

    fn encrypt_blocks_inout(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        SM4.enter_or_panic(Service::Sm4Ecb);
        Backend(&self.encrypting).crypt(blocks);
    }
}

impl BlockCipherDecrypt for Sm4 {
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        SM4.enter_or_panic(Service::Sm4Ecb);
        f.call(&Backend(&self.decrypting));
    }

    fn decrypt_blocks_inout(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        SM4.enter_or_panic(Service::Sm4Ecb);
        Backend(&self.decrypting).crypt(blocks);
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

// The keys wipe themselves.
impl ZeroizeOnDrop for Sm4 {}

/// One direction, for generic modes.
struct Backend<'k>(&'k arch::Key);

impl Backend<'_> {
    fn crypt(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        leaving::<STACK, _>(|| self.0.crypt(blocks));
    }
}

impl BlockSizeUser for Backend<'_> {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for Backend<'_> {
    type ParBlocksSize = AtOnce;
}

impl BlockCipherEncBackend for Backend<'_> {
    fn encrypt_block(&self, block: InOut<'_, '_, Block<Self>>) {
        self.crypt(single(block));
    }

    fn encrypt_par_blocks(&self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        self.crypt(blocks.into_buf());
    }

    fn encrypt_tail_blocks(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        self.crypt(blocks);
    }
}

impl BlockCipherDecBackend for Backend<'_> {
    fn decrypt_block(&self, block: InOut<'_, '_, Block<Self>>) {
        self.crypt(single(block));
    }

    fn decrypt_par_blocks(&self, blocks: InOut<'_, '_, ParBlocks<Self>>) {
        self.crypt(blocks.into_buf());
    }

    fn decrypt_tail_blocks(&self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        self.crypt(blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let sm4 = Sm4::new(&[0xa5; 16].into());
        assert_eq!(format!("{sm4:?}"), "Sm4 { .. }");
    }

    #[test]
    fn generic_modes_reach_every_number_of_blocks() {
        let ours = Sm4::new(&[0xa5; 16].into());
        let theirs = ::sm4::Sm4::new(&[0xa5; 16].into());
        for count in 0..200 {
            let plain: Vec<Block<Sm4>> = (0..count).map(|i| [i as u8; 16].into()).collect();
            let mut expected = plain.clone();
            theirs.encrypt_blocks(&mut expected);
            let mut found = plain.clone();
            // The closure of `cbc` and others, rather than the method that is overridden.
            ours.encrypt_with_backend(InBlocks((&mut found[..]).into()));
            assert_eq!(found, expected, "{count} blocks");
            ours.decrypt_with_backend(InBlocks((&mut found[..]).into()));
            assert_eq!(found, plain, "{count} blocks");
        }
    }

    /// Calls each of a backend's functions where there are blocks for it.
    struct InBlocks<'a>(InOutBuf<'a, 'a, Block<Sm4>>);

    impl BlockSizeUser for InBlocks<'_> {
        type BlockSize = U16;
    }

    impl BlockCipherEncClosure for InBlocks<'_> {
        fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
            let (at_once, rest) = self.0.into_chunks::<B::ParBlocksSize>();
            for blocks in at_once {
                backend.encrypt_par_blocks(blocks);
            }
            let one = rest.len().min(1);
            let (one, rest) = rest.split_at(one);
            one.into_iter()
                .for_each(|block| backend.encrypt_block(block));
            backend.encrypt_tail_blocks(rest);
        }
    }

    impl BlockCipherDecClosure for InBlocks<'_> {
        fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
            let (at_once, rest) = self.0.into_chunks::<B::ParBlocksSize>();
            for blocks in at_once {
                backend.decrypt_par_blocks(blocks);
            }
            let one = rest.len().min(1);
            let (one, rest) = rest.split_at(one);
            one.into_iter()
                .for_each(|block| backend.decrypt_block(block));
            backend.decrypt_tail_blocks(rest);
        }
    }
}
