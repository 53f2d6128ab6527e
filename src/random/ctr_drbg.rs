//! CTR_DRBG (SP 800-90A Rev. 1, 10.2.1) on block ciphers with 16-byte blocks.

use std::fmt;

use cipher::array::typenum::Unsigned;
use cipher::consts::U16;
use cipher::{Array, BlockCipherEncrypt, Key, KeyInit, KeySizeUser};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::drbg::{
    Drbg, DrbgError, MAX_INPUT, STACK, check_generate, check_instantiate, check_reseed,
};
use crate::arch::wipe::leaving;
use crate::sm4::Sm4;

/// CTR_DRBG on SM4, with the derivation function.
pub type CtrDrbgSm4 = CtrDrbg<Sm4>;

/// The generator on a block cipher in counter mode (SP 800-90A Rev. 1, 10.2.1), with a counter of a whole block.
///
/// With `DF`, the inputs go through the derivation function Block_Cipher_df, and may have any
/// length. Without, the entropy input has exactly [`Drbg::ENTROPY_LEN`] bytes, as many as key and block together,
/// and is to have full entropy; there is no nonce; and the other inputs are no longer than the entropy input.
///
/// ```
/// use shangmi::random::{CtrDrbgSm4, Drbg};
///
/// let entropy = [0x5a; 16]; // From a source of entropy, that is.
/// let mut drbg = CtrDrbgSm4::instantiate(&entropy, b"a nonce!", b"an example")?;
/// let mut bytes = [0; 100];
/// drbg.generate(&mut bytes, b"")?;
/// # Ok::<(), shangmi::random::DrbgError>(())
/// ```
pub struct CtrDrbg<C, const DF: bool = true> {
    state: Box<State<C>>,
    reseed_counter: u64,
}

struct State<C> {
    /// The cipher under Key.
    cipher: C,
    v: u128,
}

type Block = Array<u8, U16>;

const BLOCK_LEN: usize = 16;

/// Most blocks of a seed: those of a 32-byte key and V.
const MAX_SEED_BLOCKS: usize = 3;

/// A seed of as many bytes as key and block have, and zeros after it.
type Seed = [u8; MAX_SEED_BLOCKS * BLOCK_LEN];

/// The sizes of a block cipher that a generator can be built on.
trait Cipher: BlockCipherEncrypt<BlockSize = U16> + KeyInit + ZeroizeOnDrop {
    const KEY_LEN: usize = <Self as KeySizeUser>::KeySize::USIZE;
    const SEED_LEN: usize = Self::KEY_LEN + BLOCK_LEN;

    /// The cipher under a `key` of the right size.
    fn under(key: &[u8]) -> Self {
        let mut sized = Key::<Self>::default();
        sized.copy_from_slice(key);
        Self::new(&sized)
    }
}

impl<C: BlockCipherEncrypt<BlockSize = U16> + KeyInit + ZeroizeOnDrop> Cipher for C {}

impl<C: Cipher> State<C> {
    /// Key and V as zeros, to be updated.
    fn zeroed() -> Self {
        Self {
            cipher: C::new(&Key::<C>::default()),
            v: 0,
        }
    }

    /// CTR_DRBG_Update (10.2.1.2).
    fn update(&mut self, provided: &Seed) {
        let mut temp: Seed = [0; _];
        let temp = &mut temp[..C::SEED_LEN];
        self.key_stream(temp);
        for (byte, provided) in temp.iter_mut().zip(provided) {
            *byte ^= provided;
        }
        let (key, v) = temp.split_at(C::KEY_LEN);
        self.cipher = C::under(key);
        self.v = v.iter().fold(0, |v, &byte| v << 8 | u128::from(byte));
    }

    /// Writes the encryptions of the counters after V, which moves on behind them.
    fn key_stream(&mut self, out: &mut [u8]) {
        let (blocks, rest) = Block::slice_as_chunks_mut(out);
        blocks.iter_mut().for_each(|block| *block = self.count());
        self.cipher.encrypt_blocks(blocks);
        if !rest.is_empty() {
            let mut block = self.count();
            self.cipher.encrypt_block(&mut block);
            rest.copy_from_slice(&block[..rest.len()]);
        }
    }

    fn count(&mut self) -> Block {
        self.v = self.v.wrapping_add(1);
        self.v.to_be_bytes().into()
    }

    /// 10.2.1.5.
    fn fill<const DF: bool>(&mut self, out: &mut [u8], additional: &[u8]) {
        let mut provided: Seed = [0; _];
        if !additional.is_empty() {
            provided = seed::<C, DF>(&[additional]);
            self.update(&provided);
        }
        self.key_stream(out);
        self.update(&provided);
    }
}

impl<C> Drop for State<C> {
    fn drop(&mut self) {
        self.v.zeroize();
    }
}

/// What the state is updated with: derived from the concatenated `inputs`, or without a derivation
/// function their sum.
fn seed<C: Cipher, const DF: bool>(inputs: &[&[u8]]) -> Seed {
    if DF {
        return derive::<C>(inputs);
    }
    let mut seed: Seed = [0; _];
    for input in inputs {
        for (byte, input) in seed.iter_mut().zip(*input) {
            *byte ^= input;
        }
    }
    seed
}

/// Block_Cipher_df (10.3.2) of the concatenated `inputs`, for a seed.
fn derive<C: Cipher>(inputs: &[&[u8]]) -> Seed {
    let chains = chains::<C>(inputs);
    let (key, rest) = Block::slice_as_flattened(&chains).split_at(C::KEY_LEN);
    let cipher = C::under(key);
    let mut x = Block::from_fn(|i| rest[i]);
    let mut seed: Seed = [0; _];
    for part in seed[..C::SEED_LEN].chunks_mut(BLOCK_LEN) {
        cipher.encrypt_block(&mut x);
        part.copy_from_slice(&x[..part.len()]);
    }
    seed
}

/// As many results of BCC (10.3.3) as a seed has blocks, computed side by side; they differ in the
/// number that each begins with.
fn chains<C: Cipher>(inputs: &[&[u8]]) -> [Block; MAX_SEED_BLOCKS] {
    let len: usize = inputs.iter().map(|input| input.len()).sum();
    let lens = [len as u32, C::SEED_LEN as u32].map(u32::to_be_bytes);
    let bytes = [lens.as_flattened()]
        .into_iter()
        .chain(inputs.iter().copied())
        .chain([&[0x80][..]])
        .flatten();

    let cipher = C::under(&FIXED_KEY[..C::KEY_LEN]);
    let mut chains = [0, 1, 2].map(|number: u32| {
        let mut block = Block::default();
        block[..4].copy_from_slice(&number.to_be_bytes());
        block
    });
    let needed = &mut chains[..C::SEED_LEN.div_ceil(BLOCK_LEN)];
    cipher.encrypt_blocks(needed);
    let mut at = 0;
    for byte in bytes {
        needed.iter_mut().for_each(|chain| chain[at] ^= byte);
        at = (at + 1) % BLOCK_LEN;
        if at == 0 {
            cipher.encrypt_blocks(needed);
        }
    }
    // Zeros fill the last block.
    if at > 0 {
        cipher.encrypt_blocks(needed);
    }
    chains
}

/// The key of Block_Cipher_df, of which shorter ones are the beginning.
const FIXED_KEY: [u8; 32] = {
    let mut key = [0; 32];
    let mut i = 0;
    while i < key.len() {
        key[i] = i as u8;
        i += 1;
    }
    key
};

impl<C, const DF: bool> Drbg for CtrDrbg<C, DF>
where
    C: BlockCipherEncrypt<BlockSize = U16> + KeyInit + ZeroizeOnDrop,
{
    const STRENGTH: usize = C::KEY_LEN;
    const ENTROPY_LEN: usize = if DF { C::KEY_LEN } else { C::SEED_LEN };
    const NONCE_LEN: usize = if DF { C::KEY_LEN / 2 } else { 0 };
    const MAX_INPUT: u64 = if DF { MAX_INPUT } else { C::SEED_LEN as u64 };

    fn instantiate(
        entropy: &[u8],
        nonce: &[u8],
        personalization: &[u8],
    ) -> Result<Self, DrbgError> {
        check_instantiate::<Self>(entropy, nonce, personalization)?;
        if !DF && !nonce.is_empty() {
            return Err(DrbgError::InputTooLong);
        }
        let state = leaving::<STACK, _>(|| {
            let mut state = Box::new(State::zeroed());
            state.update(&seed::<C, DF>(&[entropy, nonce, personalization]));
            state
        });
        Ok(Self {
            state,
            reseed_counter: 1,
        })
    }

    fn reseed(&mut self, entropy: &[u8], additional: &[u8]) -> Result<(), DrbgError> {
        check_reseed::<Self>(entropy, additional)?;
        leaving::<STACK, _>(|| {
            self.state.update(&seed::<C, DF>(&[entropy, additional]));
        });
        self.reseed_counter = 1;
        Ok(())
    }

    fn generate(&mut self, out: &mut [u8], additional: &[u8]) -> Result<(), DrbgError> {
        check_generate(self, out, additional)?;
        leaving::<STACK, _>(|| self.state.fill::<DF>(out, additional));
        self.reseed_counter += 1;
        Ok(())
    }

    fn reseed_counter(&self) -> u64 {
        self.reseed_counter
    }
}

impl<C, const DF: bool> fmt::Debug for CtrDrbg<C, DF> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CtrDrbg { .. }")
    }
}

impl<C: ZeroizeOnDrop, const DF: bool> ZeroizeOnDrop for CtrDrbg<C, DF> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RESEED_INTERVAL;

    #[test]
    fn a_used_up_seed_gives_nothing() {
        let mut drbg = CtrDrbgSm4::instantiate(&[5; 32], &[6; 16], b"").unwrap();
        let mut out = [0; 8];
        drbg.reseed_counter = RESEED_INTERVAL;
        assert_eq!(drbg.generate(&mut out, b""), Ok(()));
        assert_ne!(out, [0; 8]);
        out = [0; 8];
        assert_eq!(drbg.generate(&mut out, b""), Err(DrbgError::ReseedRequired));
        assert_eq!(out, [0; 8]);
        assert_eq!(drbg.generate_reseeded(&[7; 32], &mut out, b""), Ok(()));
        assert_eq!(drbg.reseed_counter(), 2);
        assert_eq!(format!("{drbg:?}"), "CtrDrbg { .. }");
    }
}
