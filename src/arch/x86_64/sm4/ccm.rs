//! CCM: the CBC-MAC and the key stream, a block of each at once in the two lanes of a vector.

use super::round::{Alike, Field};
use super::{Kernel, RoundKeys};
use crate::arch::sm4::ccm::Ccm;
use crate::arch::x86_64::vector::Vector;

/// A CBC-MAC with a lane for something else.
pub(super) struct Chain<'k, K: Kernel> {
    proof: K,
    round_keys: &'k RoundKeys,
    /// The MAC in lane 0, in the field; zero in lane 1.
    mac: Alike<K::Two>,
}

impl<'k, K: Kernel> Chain<'k, K> {
    #[inline(always)]
    pub(super) fn new(proof: K, round_keys: &'k RoundKeys) -> Self {
        let zero = K::Two::splat(proof, [0; 16]);
        Self {
            proof,
            round_keys,
            mac: Alike::from_blocks(zero),
        }
    }
}

impl<K: Kernel> Ccm for Chain<'_, K> {
    #[inline(always)]
    fn step(&mut self, block: &[u8; 16], counter: &[u8; 16]) -> [u8; 16] {
        let mut both = [*block, *counter];
        let input = K::Two::load(self.proof, both.as_flattened());
        let input = Alike::from_blocks(K::Field::enter(input));
        let output = input.add(self.mac).crypt::<K::Field>(self.round_keys);
        K::Field::leave(output.into_blocks()).store(both.as_flattened_mut());
        let lane_0 = K::Two::extend(K::Lane::splat(self.proof, [0xff; 16]));
        self.mac = output.map(|word| word & lane_0);
        both[1]
    }

    #[inline(always)]
    fn mac(&self) -> [u8; 16] {
        let mut mac = [0; 16];
        K::Field::leave(self.mac.into_blocks().fold()).store(&mut mac);
        mac
    }
}
