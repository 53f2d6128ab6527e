//! Chooses the SM3 kernel.

#[cfg(target_arch = "x86_64")]
use super::cpu::{Avx, Bmi2};
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::x86_64;

/// One implementation of SM3's compression function.
///
/// It is as wide as a length, so that a hash has no padding, in which it would carry along what was
/// on the stack before.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Kernel {
    Portable,
    /// Scalar rounds with BMI1 and BMI2, and a message expansion in vectors.
    #[cfg(target_arch = "x86_64")]
    Bmi2Avx(Bmi2, Avx),
}

impl Kernel {
    /// The best kernel for this processor.
    #[inline]
    pub(crate) fn select() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let (Some(bmi2), Some(avx)) = (Bmi2::check(), Avx::check()) {
            return Self::Bmi2Avx(bmi2, avx);
        }
        Self::Portable
    }

    /// As docs/kernels.md calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Bmi2Avx(..) => "BMI2 + AVX",
        }
    }

    /// Absorbs `blocks` into `state`.
    #[inline]
    pub(crate) fn compress(self, state: &mut [u32; 8], blocks: &[[u8; 64]]) {
        match self {
            Self::Portable => portable::sm3::compress(state, blocks),
            #[cfg(target_arch = "x86_64")]
            Self::Bmi2Avx(bmi2, avx) => x86_64::sm3::compress(bmi2, avx, state, blocks),
        }
    }

    /// Every kernel that this machine can run. It prints the names of the others.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        match (Bmi2::check(), Avx::check()) {
            (Some(bmi2), Some(avx)) => all.push(Self::Bmi2Avx(bmi2, avx)),
            _ => println!("not run, for want of instructions: SM3 kernel Bmi2Avx"),
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use digest::common::hazmat::SerializableState;
    use sm3::block_api::Sm3Core;
    use sm3::digest::array::Array;
    use sm3::digest::block_api::UpdateCore;

    /// The state after RustCrypto's SM3 has absorbed `blocks` into `state`.
    fn oracle(state: &[u32; 8], blocks: &[[u8; 64]]) -> [u32; 8] {
        let mut serialized = [0; 40];
        for (bytes, word) in serialized.as_chunks_mut().0.iter_mut().zip(state) {
            *bytes = word.to_le_bytes();
        }
        let mut hash = Sm3Core::deserialize(&serialized.into()).unwrap();
        hash.update_blocks(Array::cast_slice_from_core(blocks));
        let serialized: [u8; 40] = hash.serialize().into();
        let words = serialized.as_chunks().0;
        std::array::from_fn(|i| u32::from_le_bytes(words[i]))
    }

    fn check(kernels: &[Kernel], state: &[u32; 8], blocks: &[[u8; 64]]) {
        let expected = oracle(state, blocks);
        for kernel in kernels {
            let mut ours = *state;
            kernel.compress(&mut ours, blocks);
            assert_eq!(ours, expected, "{kernel:?}, {} blocks", blocks.len());
        }
    }

    /// xorshift32: the same numbers in every run.
    fn numbers() -> impl FnMut() -> u32 {
        let mut x = 0x2545_f491_u32;
        move || {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x
        }
    }

    #[test]
    fn random_states_and_blocks_agree_with_rustcrypto() {
        let (kernels, mut next) = (Kernel::all(), numbers());
        for blocks in (0..=20).cycle().take(500) {
            let state = std::array::from_fn(|_| next());
            let blocks: Vec<[u8; 64]> = (0..blocks)
                .map(|_| std::array::from_fn(|_| next() as u8))
                .collect();
            check(&kernels, &state, &blocks);
        }
    }

    #[test]
    fn edge_values_agree_with_rustcrypto() {
        let kernels = Kernel::all();
        let words = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX];
        let bytes = [0, 1, 0x7f, 0x80, 0xff];
        for word in words {
            for byte in bytes {
                check(&kernels, &[word; 8], &[[byte; 64]]);
                // One word or byte that differs from all others, at each place.
                for i in 0..8 {
                    let mut state = [word; 8];
                    state[i] = !word;
                    check(&kernels, &state, &[[byte; 64]]);
                }
                for i in 0..64 {
                    let mut block = [byte; 64];
                    block[i] = !byte;
                    check(&kernels, &[word; 8], &[block, [byte; 64]]);
                }
            }
        }
    }

    #[test]
    fn blocks_may_have_any_alignment() {
        let (kernels, mut next) = (Kernel::all(), numbers());
        let bytes: Vec<u8> = (0..64 * 4).map(|_| next() as u8).collect();
        let state = std::array::from_fn(|_| next());
        for offset in 0..64 {
            check(&kernels, &state, bytes[offset..].as_chunks().0);
        }
    }
}
