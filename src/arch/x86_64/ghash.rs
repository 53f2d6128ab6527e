//! GHASH (NIST SP 800-38D, 6.4) by carry-less multiplication.
//!
//! It is computed as POLYVAL of the blocks with their bytes reversed, under the key x H (RFC 8452,
//! appendix A): there a product needs no shift. A product is a 128-bit number in x^-128 form,
//! reduced modulo x^128 + x^127 + x^126 + x^121 + 1. Up to [`max_blocks`] products, each with its own
//! power of the key, are added before one reduction.

use zeroize::Zeroizing;

use super::sm4::Kernel;
use super::vector::Vector;

/// Powers of the key, the highest first, then the sum of each one's halves in both halves.
#[derive(Clone, Default)]
pub(crate) struct Powers(Zeroizing<Vec<[u8; 16]>>);

/// The most blocks between two reductions: 16 vectors, the rest of a block, and the lengths.
pub(super) const fn max_blocks<V: Vector>() -> usize {
    16 * V::LANES + 2
}

impl Powers {
    /// The powers of `h`, the block cipher's image of zero.
    #[inline(always)]
    pub(super) fn new<K: Kernel>(proof: K, h: &[u8; 16]) -> Self {
        let max = max_blocks::<K::Wide>();
        let mut powers = Zeroizing::new(vec![[0; 16]; 2 * max]);
        let key = K::Lane::load(proof, &times_x(u128::from_be_bytes(*h)).to_le_bytes());
        let mut power = key;
        for i in (0..max).rev() {
            power.store(&mut powers[i]);
            fold_halves(power).store(&mut powers[max + i]);
            power = multiply(power, key);
        }
        Self(powers)
    }
}

/// x h modulo x^128 + x^127 + x^126 + x^121 + 1 (`mulX_POLYVAL` of RFC 8452).
#[inline(always)]
fn times_x(h: u128) -> u128 {
    let carry = (h >> 127).wrapping_neg();
    (h << 1) ^ (carry & (1 | 1 << 121 | 1 << 126 | 1 << 127))
}

#[inline(always)]
fn multiply<V: Vector>(a: V, b: V) -> V {
    let mut product = Product::zero(a.proof());
    product.add(a, b, fold_halves(b));
    product.reduce()
}

/// A sum of products that is not yet reduced: Karatsuba's three parts.
#[derive(Clone, Copy)]
struct Product<V> {
    low: V,
    high: V,
    /// (low half + high half) (low half + high half).
    middle: V,
}

impl<V: Vector> Product<V> {
    #[inline(always)]
    fn zero(proof: V::Proof) -> Self {
        let zero = V::splat(proof, [0; 16]);
        Self {
            low: zero,
            high: zero,
            middle: zero,
        }
    }

    /// Adds a b, where `b_folded` has the sum of b's halves.
    #[inline(always)]
    fn add(&mut self, a: V, b: V, b_folded: V) {
        self.low = self.low ^ a.multiply::<0x00>(b);
        self.high = self.high ^ a.multiply::<0x11>(b);
        self.middle = self.middle ^ fold_halves(a).multiply::<0x00>(b_folded);
    }

    #[inline(always)]
    fn fold(self) -> Product<V::Lane> {
        Product {
            low: self.low.fold(),
            high: self.high.fold(),
            middle: self.middle.fold(),
        }
    }

    /// The sum modulo the polynomial: its lower half, low half first, is made zero by adding
    /// multiples of the polynomial, of which x^127 + x^126 + x^121 is the part between.
    #[inline(always)]
    fn reduce(self) -> V {
        let polynomial = self.low.constant((0xc2_u128 << 56).to_le_bytes());
        let middle = self.middle ^ self.low ^ self.high;
        let (low, high) = (
            self.low ^ only_high(swap_halves(middle)),
            self.high ^ only_low(swap_halves(middle)),
        );
        let low = swap_halves(low) ^ low.multiply::<0x00>(polynomial);
        let low = swap_halves(low) ^ low.multiply::<0x00>(polynomial);
        high ^ low
    }
}

/// The sum of the halves of each lane, in both halves.
#[inline(always)]
fn fold_halves<V: Vector>(x: V) -> V {
    x ^ swap_halves(x)
}

#[inline(always)]
fn swap_halves<V: Vector>(x: V) -> V {
    x.shuffle(x.constant([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]))
}

#[inline(always)]
fn only_low<V: Vector>(x: V) -> V {
    x & x.constant((u64::MAX as u128).to_le_bytes())
}

#[inline(always)]
fn only_high<V: Vector>(x: V) -> V {
    x & x.constant((!(u64::MAX as u128)).to_le_bytes())
}

/// GHASH's bytes are POLYVAL's in reverse.
#[inline(always)]
pub(super) fn reverse<V: Vector>(x: V) -> V {
    x.shuffle(x.constant([15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]))
}

/// Blocks that are hashed with one reduction.
pub(super) struct Group<'k, V: Vector> {
    powers: &'k [[u8; 16]],
    folded: &'k [[u8; 16]],
    /// What the next vector is added to: the state at first, then zero.
    state: V,
    sum: Product<V>,
    single: Product<V::Lane>,
}

impl<'k, V: Vector> Group<'k, V> {
    /// A group of `blocks` blocks, at most [`max_blocks`], after what gave `state`.
    #[inline(always)]
    pub(super) fn new(powers: &'k Powers, state: V::Lane, blocks: usize) -> Self {
        let (powers, folded) = powers.0.split_at(powers.0.len() / 2);
        let proof = state.proof();
        Self {
            powers: &powers[powers.len() - blocks..],
            folded: &folded[folded.len() - blocks..],
            state: V::extend(state),
            sum: Product::zero(proof),
            single: Product::zero(proof),
        }
    }

    /// Hashes a vector of blocks.
    #[inline(always)]
    pub(super) fn vector(&mut self, blocks: V) {
        let x = reverse(blocks) ^ self.state;
        self.state = V::splat(x.proof(), [0; 16]);
        let power = V::load(x.proof(), self.powers.as_flattened());
        let folded = V::load(x.proof(), self.folded.as_flattened());
        self.powers = &self.powers[V::LANES..];
        self.folded = &self.folded[V::LANES..];
        self.sum.add(x, power, folded);
    }

    /// Hashes one block.
    #[inline(always)]
    pub(super) fn block(&mut self, block: V::Lane) {
        let x = reverse(block) ^ self.state.fold();
        self.state = V::splat(x.proof(), [0; 16]);
        let power = V::Lane::load(x.proof(), self.powers.as_flattened());
        let folded = V::Lane::load(x.proof(), self.folded.as_flattened());
        self.powers = &self.powers[1..];
        self.folded = &self.folded[1..];
        self.single.add(x, power, folded);
    }

    /// Hashes whole blocks.
    #[inline(always)]
    pub(super) fn blocks(&mut self, bytes: &[u8]) {
        let proof = self.state.proof();
        let mut vectors = bytes.chunks_exact(V::BYTES);
        for vector in &mut vectors {
            self.vector(V::load(proof, vector));
        }
        for block in vectors.remainder().chunks_exact(16) {
            self.block(V::Lane::load(proof, block));
        }
    }

    /// The state after the group.
    #[inline(always)]
    pub(super) fn finish(self) -> V::Lane {
        let sum = self.sum.fold();
        Product {
            low: sum.low ^ self.single.low,
            high: sum.high ^ self.single.high,
            middle: sum.middle ^ self.single.middle,
        }
        .reduce()
    }
}

/// The state after `data`, filled up with zeros to whole blocks, and then `last`.
#[inline(always)]
pub(super) fn hash<V: Vector>(
    powers: &Powers,
    mut state: V::Lane,
    mut data: &[u8],
    last: Option<&[u8; 16]>,
) -> V::Lane {
    let proof = state.proof();
    while data.len() > 16 * V::BYTES {
        let (now, later) = data.split_at(16 * V::BYTES);
        let mut group = Group::<V>::new(powers, state, 16 * V::LANES);
        group.blocks(now);
        (state, data) = (group.finish(), later);
    }
    let blocks = data.len().div_ceil(16) + usize::from(last.is_some());
    if blocks == 0 {
        return state;
    }
    let mut group = Group::<V>::new(powers, state, blocks);
    let (whole, rest) = data.split_at(data.len() & !15);
    group.blocks(whole);
    if !rest.is_empty() {
        let mut block = [0; 16];
        block[..rest.len()].copy_from_slice(rest);
        group.block(V::Lane::load(proof, &block));
    }
    if let Some(last) = last {
        group.block(V::Lane::load(proof, last));
    }
    group.finish()
}
