//! CCM: the CBC-MAC and the key stream, a block of each at once in the two lanes of a vector.

use super::round::{Alike, Field};
use super::{Kernel, RoundKeys};
use crate::arch::sm4::ccm::Ccm;
use crate::arch::x86_64::vector::{TwoLanes, Vector};

/// A CBC-MAC with a lane for something else.
pub(super) struct Chain<'k, K: Kernel> {
    proof: K,
    round_keys: &'k RoundKeys,
    /// The last step's output, in the field: the MAC in lane 0, the key stream in lane 1.
    output: Alike<K::Two>,
}

impl<'k, K: Kernel> Chain<'k, K> {
    #[inline(always)]
    pub(super) fn new(proof: K, round_keys: &'k RoundKeys) -> Self {
        let zero = K::Two::splat(proof, [0; 16]);
        Self {
            proof,
            round_keys,
            output: Alike::from_blocks(zero),
        }
    }

    /// Encrypts `chained` + `block` in lane 0, `counter` in lane 1; returns the key stream.
    #[inline(always)]
    fn encrypt(
        &mut self,
        chained: Alike<K::Two>,
        block: &[u8; 16],
        counter: &[u8; 16],
    ) -> [u8; 16] {
        let input = K::Two::join(
            K::Lane::load(self.proof, block),
            K::Lane::load(self.proof, counter),
        );
        let input = Alike::from_blocks(K::Field::enter(input)).add(chained);
        self.output = input.crypt::<K::Field>(self.round_keys);
        self.blocks()[1]
    }

    /// The last step's output.
    #[inline(always)]
    fn blocks(&self) -> [[u8; 16]; 2] {
        let mut both = [[0; 16]; 2];
        K::Field::leave(self.output.into_blocks()).store(both.as_flattened_mut());
        both
    }
}

impl<K: Kernel> Ccm for Chain<'_, K> {
    #[inline(always)]
    fn step(&mut self, block: &[u8; 16], counter: &[u8; 16]) -> [u8; 16] {
        self.encrypt(self.output.first_lane(), block, counter)
    }

    #[inline(always)]
    fn step_decrypting(&mut self, block: &[u8; 16], counter: &[u8; 16]) -> [u8; 16] {
        // The key stream is added where the MAC is, without leaving the field.
        self.encrypt(self.output.fold(), block, counter)
    }

    #[inline(always)]
    fn mac(&self) -> [u8; 16] {
        self.blocks()[0]
    }
}
