//! Counter mode.

use std::fmt;

use cipher::consts::U16;
use cipher::inout::InOutBuf;
use cipher::{
    AlgorithmName, Block, BlockSizeUser, InnerIvInit, Iv, IvSizeUser, IvState, Key, KeyIvInit,
    KeySizeUser, OverflowError, ParBlocks, ParBlocksSizeUser, SeekNum, SetIvState, StreamCipher,
    StreamCipherBackend, StreamCipherClosure, StreamCipherCore, StreamCipherCoreWrapper,
    StreamCipherError, StreamCipherSeek, StreamCipherSeekCore, common::InnerUser,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::self_test::SM4_CTR;
use super::{AtOnce, STACK, Sm4};
use crate::arch::wipe::leaving;
use crate::gate::{Service, within};

/// SM4 in counter mode with a 128-bit big-endian counter, used through [`cipher::StreamCipher`];
/// key 16, initial counter block 16 bytes.
///
/// In the module's error state ([`module`](crate::module)) the functions that begin with `try` give
/// an error.
///
/// # Panics
/// Where others are to give key stream in that state, or at its end.
#[derive(Clone)]
pub struct Sm4Ctr(StreamCipherCoreWrapper<Sm4CtrCore>);

impl Sm4Ctr {
    /// From a counter that may already have been used.
    pub fn from_core(core: Sm4CtrCore) -> Self {
        Self(StreamCipherCoreWrapper::from_core(core))
    }
}

// The wrapper keeps the rest of a block of key stream, which it would give without asking the core.
impl StreamCipher for Sm4Ctr {
    fn check_remaining(&self, len: usize) -> Result<(), StreamCipherError> {
        self.0.check_remaining(len)
    }

    fn unchecked_apply_keystream_inout(&mut self, buf: InOutBuf<'_, '_, u8>) {
        SM4_CTR.enter_or_panic(Service::Sm4Ctr);
        within(|| self.0.unchecked_apply_keystream_inout(buf));
    }

    fn unchecked_write_keystream(&mut self, buf: &mut [u8]) {
        SM4_CTR.enter_or_panic(Service::Sm4Ctr);
        within(|| self.0.unchecked_write_keystream(buf));
    }

    fn try_apply_keystream_inout(
        &mut self,
        buf: InOutBuf<'_, '_, u8>,
    ) -> Result<(), StreamCipherError> {
        enter()?;
        within(|| self.0.try_apply_keystream_inout(buf))
    }

    fn try_write_keystream(&mut self, buf: &mut [u8]) -> Result<(), StreamCipherError> {
        enter()?;
        within(|| self.0.try_write_keystream(buf))
    }

    // So that the panic says whether it is the module's state or the end of the key stream.
    fn apply_keystream_inout(&mut self, buf: InOutBuf<'_, '_, u8>) {
        SM4_CTR.enter_or_panic(Service::Sm4Ctr);
        within(|| self.0.apply_keystream_inout(buf));
    }

    fn apply_keystream(&mut self, buf: &mut [u8]) {
        self.apply_keystream_inout(buf.into());
    }

    fn write_keystream(&mut self, buf: &mut [u8]) {
        SM4_CTR.enter_or_panic(Service::Sm4Ctr);
        within(|| self.0.write_keystream(buf));
    }
}

impl StreamCipherSeek for Sm4Ctr {
    fn try_current_pos<T: SeekNum>(&self) -> Result<T, OverflowError> {
        self.0.try_current_pos()
    }

    fn try_seek<T: SeekNum>(&mut self, position: T) -> Result<(), StreamCipherError> {
        enter()?;
        within(|| self.0.try_seek(position))
    }
}

fn enter() -> Result<(), StreamCipherError> {
    SM4_CTR
        .enter(Service::Sm4Ctr)
        .map_err(|_| StreamCipherError)
}

impl KeySizeUser for Sm4Ctr {
    type KeySize = U16;
}

impl IvSizeUser for Sm4Ctr {
    type IvSize = U16;
}

impl KeyIvInit for Sm4Ctr {
    fn new(key: &Key<Self>, iv: &Iv<Self>) -> Self {
        Self(KeyIvInit::new(key, iv))
    }
}

impl fmt::Debug for Sm4Ctr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm4Ctr { .. }")
    }
}

// The core wipes itself, and the wrapper its rest of a block.
impl ZeroizeOnDrop for Sm4Ctr {}

/// [`Sm4Ctr`] in whole blocks.
///
/// # Panics
/// When key stream is to be given in the module's error state ([`module`](crate::module)).
#[derive(Clone)]
pub struct Sm4CtrCore {
    cipher: Sm4,
    first: u128,
    /// Blocks from the first one.
    position: u128,
}

impl Sm4CtrCore {
    /// Adds the key stream to blocks, and goes on.
    fn apply(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        SM4_CTR.enter_or_panic(Service::Sm4Ctr);
        let len = blocks.len() as u128;
        let counter = self.first.wrapping_add(self.position);
        leaving::<STACK, _>(|| self.cipher.encrypting.ctr(counter, blocks));
        self.position = self.position.wrapping_add(len);
    }
}

impl InnerUser for Sm4CtrCore {
    type Inner = Sm4;
}

impl IvSizeUser for Sm4CtrCore {
    type IvSize = U16;
}

impl InnerIvInit for Sm4CtrCore {
    fn inner_iv_init(cipher: Sm4, iv: &Iv<Self>) -> Self {
        Self {
            cipher,
            first: u128::from_be_bytes((*iv).into()),
            position: 0,
        }
    }
}

impl IvState for Sm4CtrCore {
    fn iv_state(&self) -> Iv<Self> {
        self.first.wrapping_add(self.position).to_be_bytes().into()
    }
}

impl SetIvState for Sm4CtrCore {
    fn set_iv(&mut self, iv: &Iv<Self>) {
        self.first = u128::from_be_bytes((*iv).into());
        self.position = 0;
    }
}

impl BlockSizeUser for Sm4CtrCore {
    type BlockSize = U16;
}

impl StreamCipherCore for Sm4CtrCore {
    fn remaining_blocks(&self) -> Option<usize> {
        usize::try_from(u128::MAX - self.position).ok()
    }

    fn process_with_backend(&mut self, f: impl StreamCipherClosure<BlockSize = U16>) {
        f.call(&mut Backend(self));
    }

    fn apply_keystream_blocks_inout(&mut self, blocks: InOutBuf<'_, '_, Block<Self>>) {
        self.apply(blocks);
    }
}

impl StreamCipherSeekCore for Sm4CtrCore {
    type Counter = u128;

    fn get_block_pos(&self) -> u128 {
        self.position
    }

    fn set_block_pos(&mut self, position: u128) {
        self.position = position;
    }
}

impl AlgorithmName for Sm4CtrCore {
    fn write_alg_name(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ctr128BE<Sm4>")
    }
}

impl fmt::Debug for Sm4CtrCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm4CtrCore { .. }")
    }
}

impl Drop for Sm4CtrCore {
    fn drop(&mut self) {
        self.first.zeroize();
        self.position.zeroize();
    }
}

impl ZeroizeOnDrop for Sm4CtrCore {}

/// Writes the key stream, for generic users.
struct Backend<'c>(&'c mut Sm4CtrCore);

impl BlockSizeUser for Backend<'_> {
    type BlockSize = U16;
}

impl ParBlocksSizeUser for Backend<'_> {
    type ParBlocksSize = AtOnce;
}

impl StreamCipherBackend for Backend<'_> {
    fn gen_ks_block(&mut self, block: &mut Block<Self>) {
        block.fill(0);
        self.0.apply(InOutBuf::from_mut(block));
    }

    fn gen_par_ks_blocks(&mut self, blocks: &mut ParBlocks<Self>) {
        self.gen_tail_blocks(blocks);
    }

    fn gen_tail_blocks(&mut self, blocks: &mut [Block<Self>]) {
        blocks.iter_mut().for_each(|block| block.fill(0));
        self.0.apply(blocks.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Theirs = ::ctr::Ctr128BE<::sm4::Sm4>;

    #[test]
    fn agrees_with_rustcrypto_in_pieces_from_anywhere() {
        let key = [0x5a; 16].into();
        for iv in [
            [0; 16],
            [0xff; 16],
            *b"\x9e\x37\x79\xb9\x7f\x4a\x7c\x15\xf3\x9c\xff\xff\xff\xff\xff\xf0",
        ] {
            let mut ours = Sm4Ctr::new(&key, &iv.into());
            let mut theirs = Theirs::new(&key, &iv.into());
            for len in (0..=1100).step_by(7).chain([1, 15, 16, 17, 5000]) {
                let mut found = vec![0xa5; len];
                let mut expected = found.clone();
                ours.apply_keystream(&mut found);
                theirs.apply_keystream(&mut expected);
                assert_eq!(found, expected, "{len} bytes from {iv:x?}");
                assert_eq!(ours.current_pos::<u64>(), theirs.current_pos::<u64>());
            }
            for position in [0, 1, 16, 1 << 20, (1 << 36) - 5, u64::MAX - 40] {
                ours.seek(position);
                theirs.seek(position);
                let (mut found, mut expected) = ([0; 40], [0; 40]);
                ours.write_keystream(&mut found);
                theirs.write_keystream(&mut expected);
                assert_eq!(found, expected, "{position}");
            }
            ours.seek(0);
            theirs.seek(0);
            let (mut found, mut expected) = ([0; 3000], [0; 3000]);
            ours.write_keystream(&mut found);
            theirs.write_keystream(&mut expected);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_key_stream_ends_before_it_repeats() {
        let mut ours =
            Sm4CtrCore::inner_iv_init(cipher::KeyInit::new(&[1; 16].into()), &[7; 16].into());
        assert_eq!(ours.remaining_blocks(), None);
        ours.set_block_pos(u128::MAX - 2);
        assert_eq!(ours.remaining_blocks(), Some(2));
        let mut ours = Sm4Ctr::from_core(ours);
        assert!(ours.try_apply_keystream(&mut [0; 33]).is_err());
        assert!(ours.try_apply_keystream(&mut [0; 32]).is_ok());
        assert!(ours.try_apply_keystream(&mut [0; 1]).is_err());
    }

    #[test]
    fn the_state_is_the_next_counter_block() {
        let mut ours =
            Sm4CtrCore::inner_iv_init(cipher::KeyInit::new(&[1; 16].into()), &[0xff; 16].into());
        ours.write_keystream_block(&mut [0; 16].into());
        assert_eq!(ours.iv_state(), [0; 16]);
        ours.set_iv(&[9; 16].into());
        assert_eq!((ours.iv_state(), ours.get_block_pos()), ([9; 16].into(), 0));
        assert_eq!(format!("{ours:?}"), "Sm4CtrCore { .. }");
    }
}
