//! SM4's rounds on vectors: the state has word j of many blocks in vector j, in the form phi(x) of
//! [`super::field`], its bytes in the order of memory.

use super::RoundKeys;
use super::field::{
    AES_CONSTANT, ARGUMENT, Affine, CK, FK, KEY_ROUND, PHI, PHI_INVERSE, ROUND, after_aes, gfni,
    nibbles,
};
use crate::arch::x86_64::vector::{Aes, Gfni, Vector};

/// The bytes of a vector in the field of AES: the way in, the way out, and the round.
pub(crate) trait Field<V: Vector> {
    /// phi of each byte.
    fn enter(x: V) -> V;
    /// phi^-1 of each byte.
    fn leave(x: V) -> V;
    /// T(argument) in four parts, to be added. The first one is the first to be ready.
    fn round(argument: V) -> [V; 4];
    /// As `round`, if the four columns of each lane are alike, which makes ShiftRows the identity.
    fn round_alike(argument: V) -> [V; 4];
    /// T' of the key schedule, if the four columns of each lane are alike.
    fn key_round_alike(argument: V) -> [V; 4];
}

/// With AESENCLAST, and affine maps as sums of two PSHUFB.
pub(crate) struct ByAes;

/// With GFNI.
pub(crate) struct ByGfni;

impl<V: Aes> Field<V> for ByAes {
    #[inline(always)]
    fn enter(x: V) -> V {
        lookup(halves(x), const { nibbles(PHI) })
    }

    #[inline(always)]
    fn leave(x: V) -> V {
        lookup(halves(x), const { nibbles(PHI_INVERSE) })
    }

    #[inline(always)]
    fn round(argument: V) -> [V; 4] {
        shift_rows_undone(round_by_aes(argument))
    }

    #[inline(always)]
    fn round_alike(argument: V) -> [V; 4] {
        rotated(round_by_aes(argument))
    }

    #[inline(always)]
    fn key_round_alike(argument: V) -> [V; 4] {
        let x = halves(argument.aes_last_round(argument.constant([AES_CONSTANT; 16])));
        let parts = [
            lookup(x, const { nibbles(after_aes(KEY_ROUND[0])) }),
            lookup(x, const { nibbles(after_aes(KEY_ROUND[1])) }),
            lookup(x, const { nibbles(after_aes(KEY_ROUND[2])) }),
            lookup(x, const { nibbles(after_aes(KEY_ROUND[3])) }),
        ];
        rotated(parts)
    }
}

/// The four maps of the round function, before bytes change places. M1 comes twice, and M3 is the
/// sum of M0 and M1: with the constant in both of them it remains once.
#[inline(always)]
fn round_by_aes<V: Aes>(argument: V) -> [V; 4] {
    const M1: Affine = Affine {
        matrix: ROUND[1].matrix,
        constant: ROUND[0].constant,
    };
    let x = halves(argument.aes_last_round(argument.constant([AES_CONSTANT; 16])));
    let m0 = lookup(x, const { nibbles(after_aes(ROUND[0])) });
    let m1 = lookup(x, const { nibbles(after_aes(M1)) });
    [m0, m1, m1, m0 ^ m1]
}

/// The low and the high nibble of each byte.
#[inline(always)]
fn halves<V: Vector>(x: V) -> [V; 2] {
    let mask = x.constant([0x0f; 16]);
    [x & mask, x.shift_right_4() & mask]
}

#[inline(always)]
fn lookup<V: Vector>(halves: [V; 2], tables: [[u8; 16]; 2]) -> V {
    let [low, high] = halves;
    low.constant(tables[0]).shuffle(low) ^ high.constant(tables[1]).shuffle(high)
}

impl<V: Gfni> Field<V> for ByGfni {
    #[inline(always)]
    fn enter(x: V) -> V {
        x.affine::<{ PHI.constant as i32 }>(x.constant(const { gfni(PHI.matrix) }))
    }

    #[inline(always)]
    fn leave(x: V) -> V {
        x.affine::<{ PHI_INVERSE.constant as i32 }>(x.constant(const { gfni(PHI_INVERSE.matrix) }))
    }

    #[inline(always)]
    fn round(argument: V) -> [V; 4] {
        Self::round_alike(argument)
    }

    #[inline(always)]
    fn round_alike(argument: V) -> [V; 4] {
        let x = argument;
        let m1 = x.affine_of_inverse::<0>(x.constant(const { gfni(ROUND[1].matrix) }));
        let parts = [
            x.affine_of_inverse::<{ ROUND[0].constant as i32 }>(
                x.constant(const { gfni(ROUND[0].matrix) }),
            ),
            m1,
            m1,
            x.affine_of_inverse::<0>(x.constant(const { gfni(ROUND[3].matrix) })),
        ];
        rotated(parts)
    }

    #[inline(always)]
    fn key_round_alike(argument: V) -> [V; 4] {
        let x = argument;
        let parts = [
            x.affine_of_inverse::<{ KEY_ROUND[0].constant as i32 }>(
                x.constant(const { gfni(KEY_ROUND[0].matrix) }),
            ),
            x.affine_of_inverse::<0>(x.constant(const { gfni(KEY_ROUND[1].matrix) })),
            x.affine_of_inverse::<0>(x.constant(const { gfni(KEY_ROUND[2].matrix) })),
            x.affine_of_inverse::<0>(x.constant(const { gfni(KEY_ROUND[3].matrix) })),
        ];
        rotated(parts)
    }
}

/// Part k's bytes go up k places in their words: byte j - k, counted from the least significant one,
/// is k places further in memory than byte j.
///
/// The controls are opaque because the compiler would take two instructions for one PSHUFB where it
/// sees how bytes move.
#[inline(always)]
fn rotated<V: Vector>(parts: [V; 4]) -> [V; 4] {
    let [m0, m1, m2, m3] = parts;
    let proof = m0.proof();
    [
        m0,
        m1.shuffle(V::splat_opaque(proof, ROTATIONS[1])),
        m2.shuffle(V::splat_opaque(proof, ROTATIONS[2])),
        m3.shuffle(V::splat_opaque(proof, ROTATIONS[3])),
    ]
}

/// The same after ShiftRows, which takes the byte of row r of column c from column c + r.
#[inline(always)]
fn shift_rows_undone<V: Vector>(parts: [V; 4]) -> [V; 4] {
    let [m0, m1, m2, m3] = parts;
    [
        m0.shuffle(m0.constant(SHIFT_ROWS_UNDONE[0])),
        m1.shuffle(m1.constant(SHIFT_ROWS_UNDONE[1])),
        m2.shuffle(m2.constant(SHIFT_ROWS_UNDONE[2])),
        m3.shuffle(m3.constant(SHIFT_ROWS_UNDONE[3])),
    ]
}

/// Rotations of words by 0, 8, 16, 24 bits to the left.
const ROTATIONS: [[u8; 16]; 4] = rotations(0);

/// The same, of words whose bytes ShiftRows has moved: it takes the byte of row r of column c from
/// column c + r.
const SHIFT_ROWS_UNDONE: [[u8; 16]; 4] = rotations(1);

const fn rotations(columns_a_row: usize) -> [[u8; 16]; 4] {
    let mut out = [[0; 16]; 4];
    let mut i = 0;
    while i < 64 {
        let (k, column, row) = (i / 16, i / 4 % 4, (i / 16 + i) % 4);
        out[k][i % 16] = (4 * ((column + (4 - row) * columns_a_row) % 4) + row) as u8;
        i += 1;
    }
    out
}

/// Work that rides with the rounds, in eight equal steps.
pub(super) trait Step {
    fn step(&mut self);
}

/// No such work.
impl Step for () {
    #[inline(always)]
    fn step(&mut self) {}
}

/// The 32 rounds of N states.
#[inline(always)]
pub(super) fn rounds<F: Field<V>, V: Vector, const N: usize>(
    round_keys: &RoundKeys,
    states: &mut [[V; 4]; N],
    beside: &mut impl Step,
) {
    for keys in round_keys.as_chunks::<4>().0 {
        beside.step();
        round::<F, V, N>(keys[0], states, [0, 1, 2, 3]);
        round::<F, V, N>(keys[1], states, [1, 2, 3, 0]);
        round::<F, V, N>(keys[2], states, [2, 3, 0, 1]);
        round::<F, V, N>(keys[3], states, [3, 0, 1, 2]);
    }
}

#[inline(always)]
fn round<F: Field<V>, V: Vector, const N: usize>(
    key: u32,
    states: &mut [[V; 4]; N],
    [a, b, c, d]: [usize; 4],
) {
    let key = V::splat_word(states[0][0].proof(), key);
    for s in states {
        let [t0, t1, t2, t3] = F::round((s[b] ^ s[c] ^ key).opaque() ^ s[d]);
        s[a] = ((s[a] ^ t0) ^ (t1 ^ t2)).opaque() ^ t3;
    }
}

/// One block a lane, each word in all four columns of its lane: there the latency counts.
#[derive(Clone, Copy)]
pub(super) struct Alike<V>([V; 4]);

impl<V: Vector> Alike<V> {
    /// The blocks of these lanes, which are in the field.
    #[inline(always)]
    pub(super) fn from_blocks(blocks: V) -> Self {
        Self([
            blocks.shuffle(blocks.constant(WORDS[0])),
            blocks.shuffle(blocks.constant(WORDS[1])),
            blocks.shuffle(blocks.constant(WORDS[2])),
            blocks.shuffle(blocks.constant(WORDS[3])),
        ])
    }

    /// The blocks, in the field.
    #[inline(always)]
    pub(super) fn into_blocks(self) -> V {
        V::transpose(self.0)[0]
    }

    #[inline(always)]
    pub(super) fn add(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a ^ e, b ^ f, c ^ g, d ^ h])
    }

    /// The sum of the lanes in lane 0, zero elsewhere.
    #[inline(always)]
    pub(super) fn fold(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([
            V::extend(a.fold()),
            V::extend(b.fold()),
            V::extend(c.fold()),
            V::extend(d.fold()),
        ])
    }

    /// Lane 0, zero elsewhere.
    #[inline(always)]
    pub(super) fn first_lane(self) -> Self {
        let [a, b, c, d] = self.0;
        let mask = V::extend(V::Lane::splat(a.proof(), [0xff; 16]));
        Self([a & mask, b & mask, c & mask, d & mask])
    }

    /// The 32 rounds and the reversal of the words.
    #[inline(always)]
    pub(super) fn crypt<F: Field<V>>(mut self, round_keys: &RoundKeys) -> Self {
        let [_, b, c, d] = self.0;
        let mut argument = b ^ c ^ d ^ V::splat_word(b.proof(), round_keys[0]);
        for i in (0..32).step_by(4) {
            argument = self.round::<F>(argument, round_keys[i + 1], [0, 1, 2, 3]);
            argument = self.round::<F>(argument, round_keys[i + 2], [1, 2, 3, 0]);
            argument = self.round::<F>(argument, round_keys[i + 3], [2, 3, 0, 1]);
            argument = self.round::<F>(argument, round_keys[(i + 4) % 32], [3, 0, 1, 2]);
        }
        let [a, b, c, d] = self.0;
        Self([d, c, b, a])
    }

    /// One round; returns the argument of the next one, which is its first use of the new word.
    #[inline(always)]
    fn round<F: Field<V>>(&mut self, argument: V, next_key: u32, order: [usize; 4]) -> V {
        let [a, c, d] = [self.0[order[0]], self.0[order[2]], self.0[order[3]]];
        let others = (c ^ d ^ V::splat_word(a.proof(), next_key)).opaque();
        let [t0, t1, t2, t3] = F::round_alike(argument);
        // What is late, t3, is added last to the new word and to the argument.
        let early = ((a ^ t0) ^ (t1 ^ t2)).opaque();
        self.0[order[0]] = early ^ t3;
        (early ^ others).opaque() ^ t3
    }
}

/// Word j of each lane in all of its columns.
const WORDS: [[u8; 16]; 4] = {
    let mut out = [[0; 16]; 4];
    let mut i = 0;
    while i < 64 {
        out[i / 16][i % 16] = (4 * (i / 16) + i % 4) as u8;
        i += 1;
    }
    out
};

/// The round keys of a key, in the form that [`rounds`] takes.
#[inline(always)]
pub(super) fn expand<F: Field<V>, V: Vector>(proof: V::Proof, key: &[u8; 16], out: &mut RoundKeys) {
    let key = V::load(proof, key) ^ V::splat(proof, FK);
    let Alike([mut a, mut b, mut c, mut d]) = Alike::from_blocks(F::enter(key));
    for (ck, out) in CK.iter().zip(out) {
        let [t0, t1, t2, t3] = F::key_round_alike(b ^ c ^ d ^ V::splat_word(proof, *ck));
        (a, b, c, d) = (b, c, d, a ^ t0 ^ t1 ^ t2 ^ t3);
        *out = (d ^ d.constant([ARGUMENT; 16])).first_word();
    }
}
