//! GCM's two computations at once: the key stream of one chunk, and GHASH of another between its
//! rounds, where the carry-less multiplications cost little.

use cipher::inout::InOutBuf;

use super::ctr::{Counters, chunk_bytes};
use super::round::Step;
use super::{Kernel, RoundKeys};
use crate::arch::sm4::gcm::{Gcm, Hashed};
use crate::arch::x86_64::ghash::{self, Group, Powers};
use crate::arch::x86_64::vector::Vector;

/// A key and a nonce.
pub(crate) struct Fused<'k, K: Kernel> {
    proof: K,
    counters: Counters<'k, K>,
    powers: &'k Powers,
}

impl<'k, K: Kernel> Fused<'k, K> {
    #[inline(always)]
    pub(super) fn new(
        proof: K,
        round_keys: &'k RoundKeys,
        powers: &'k Powers,
        nonce: &'k [u8; 12],
    ) -> Self {
        Self {
            proof,
            counters: Counters::new(proof, round_keys, nonce),
            powers,
        }
    }

    /// As [`Gcm::chunk`]; the kernel has it compiled once.
    #[inline(always)]
    pub(super) fn chunk_here(
        &self,
        counter: u32,
        chunk: &mut InOutBuf<'_, '_, u8>,
        state: K::Lane,
        hashed: Hashed<'_>,
    ) -> K::Lane {
        let hashed = match hashed {
            Hashed::Previous(previous) => previous,
            Hashed::This => chunk.get_in(),
        };
        let mut beside = Beside::<K::Wide>::new(self.powers, state, hashed);
        let key_stream = self.counters.chunk(counter, &mut beside);
        let state = beside.finish(hashed.len());
        key_stream.add_to(chunk);
        state
    }

    /// As [`Gcm::tail`]; the kernel has it compiled once.
    #[inline(always)]
    pub(super) fn tail_here(
        &self,
        counter: u32,
        tail: InOutBuf<'_, '_, u8>,
        state: K::Lane,
        previous: &[u8],
    ) -> (K::Lane, [u8; 16]) {
        let mut beside = Beside::<K::Wide>::new(self.powers, state, previous);
        let mask = self.counters.tail(counter, tail, 1, &mut beside);
        (beside.finish(previous.len()), mask)
    }
}

/// GHASH of a chunk or of nothing, two vectors a step.
struct Beside<'a, V: Vector> {
    state: V::Lane,
    group: Group<'a, V>,
    chunk: &'a [u8],
}

impl<'a, V: Vector> Beside<'a, V> {
    #[inline(always)]
    fn new(powers: &'a Powers, state: V::Lane, chunk: &'a [u8]) -> Self {
        let group = Group::new(powers, state, chunk.len() / 16);
        Self {
            state,
            group,
            chunk,
        }
    }

    #[inline(always)]
    fn finish(self, len: usize) -> V::Lane {
        if len == 0 {
            self.state
        } else {
            self.group.finish()
        }
    }
}

impl<V: Vector> Step for Beside<'_, V> {
    #[inline(always)]
    fn step(&mut self) {
        let Some((now, later)) = self.chunk.split_at_checked(2 * V::BYTES) else {
            return;
        };
        self.group.blocks(now);
        self.chunk = later;
    }
}

impl<K: Kernel> Gcm for Fused<'_, K> {
    type State = K::Lane;
    const CHUNK: usize = chunk_bytes::<K::Wide>();

    #[inline(always)]
    fn start(&self) -> K::Lane {
        K::Lane::splat(self.proof, [0; 16])
    }

    #[inline(always)]
    fn hash(&self, state: K::Lane, data: &[u8], last: Option<&[u8; 16]>) -> K::Lane {
        ghash::hash::<K::Wide>(self.powers, state, data, last)
    }

    #[inline(always)]
    fn chunk(
        &self,
        counter: u32,
        chunk: &mut InOutBuf<'_, '_, u8>,
        state: K::Lane,
        hashed: Hashed<'_>,
    ) -> K::Lane {
        K::chunk(self, counter, chunk, state, hashed)
    }

    #[inline(always)]
    fn tail(
        &self,
        counter: u32,
        tail: InOutBuf<'_, '_, u8>,
        state: K::Lane,
        previous: &[u8],
    ) -> (K::Lane, [u8; 16]) {
        K::tail(self, counter, tail, state, previous)
    }

    #[inline(always)]
    fn tag(&self, state: K::Lane, mask: &[u8; 16]) -> [u8; 16] {
        let mut tag = [0; 16];
        (ghash::reverse(state) ^ K::Lane::load(self.proof, mask)).store(&mut tag);
        tag
    }
}

/// Adds the key stream from `counter` on to `buf`: GCM's, with nothing to hash. The counter must not
/// wrap.
#[inline(always)]
pub(super) fn ctr<K: Kernel>(
    proof: K,
    round_keys: &RoundKeys,
    nonce: &[u8; 12],
    mut counter: u32,
    mut buf: InOutBuf<'_, '_, u8>,
) {
    let powers = Powers::default();
    let fused = Fused::new(proof, round_keys, &powers, nonce);
    let mut state = fused.start();
    while buf.len() >= Fused::<K>::CHUNK {
        let (mut chunk, rest) = buf.split_at(Fused::<K>::CHUNK);
        state = K::chunk(&fused, counter, &mut chunk, state, Hashed::Previous(&[]));
        counter = counter.wrapping_add((Fused::<K>::CHUNK / 16) as u32);
        buf = rest;
    }
    if !buf.is_empty() {
        K::tail(&fused, counter, buf, state, &[]);
    }
}
