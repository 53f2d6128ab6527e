//! Vectors of 128-bit lanes, so that a routine is written once for every width.
//!
//! A vector carries the proof that the processor has its instructions: there is no way to make one
//! without, so its operations are safe. They compile to single instructions where they are inlined
//! into a function that enables them with `#[target_feature]`; that is what the entry points of
//! [`super::sm4`] do.

#[cfg(any(test, shangmi_ctgrind))]
pub(crate) mod emulated;

use std::arch::asm;
use std::arch::x86_64::*;
use std::ops::{BitAnd, BitXor};

use crate::arch::cpu::{AesAvx, GfniAvx2, GfniAvx512, VaesAvx2};

/// The most lanes that a vector has.
pub(crate) const MAX_LANES: usize = 4;

/// One or more 128-bit lanes. Every operation works on each lane by itself.
pub(crate) trait Vector: Copy + BitXor<Output = Self> + BitAnd<Output = Self> {
    /// Shows that the processor has the instructions.
    type Proof: Copy;
    /// A single lane.
    type Lane: Vector<Proof = Self::Proof, Lane = Self::Lane>;
    /// The number of lanes.
    const LANES: usize;
    /// The size in bytes.
    const BYTES: usize = 16 * Self::LANES;

    fn proof(self) -> Self::Proof;
    /// The first `BYTES` bytes of `bytes`, which must have as many.
    fn load(proof: Self::Proof, bytes: &[u8]) -> Self;
    /// Writes to the first `BYTES` bytes of `out`, which must have as many.
    fn store(self, out: &mut [u8]);
    /// These bytes in every lane.
    fn splat(proof: Self::Proof, lane: [u8; 16]) -> Self;
    /// This word, little-endian, in every column.
    fn splat_word(proof: Self::Proof, word: u32) -> Self;
    /// `lane` in lane 0, zero elsewhere.
    fn extend(lane: Self::Lane) -> Self;
    /// The exclusive or of all lanes.
    fn fold(self) -> Self::Lane;
    /// Byte i of the result is byte `control[i]` of `self` (PSHUFB).
    fn shuffle(self, control: Self) -> Self;
    /// Each 64-bit half shifted right by 4 bits.
    fn shift_right_4(self) -> Self;
    /// Word by word, modulo 2^32.
    fn add_words(self, other: Self) -> Self;
    /// All ones in the words that are equal, else zero.
    fn equal_words(self, other: Self) -> Self;
    /// The 4x4 matrix of words that four vectors make, transposed.
    fn transpose(rows: [Self; 4]) -> [Self; 4];
    /// A carry-less product of a half of each lane: bit 0 of HALVES picks the half of `self`,
    /// bit 4 that of `other`.
    fn multiply<const HALVES: i32>(self, other: Self) -> Self;

    /// The same, but the compiler knows nothing of it: neither what a constant is, nor the order
    /// in which a sum was made.
    fn opaque(self) -> Self;

    /// The first word, little-endian.
    #[inline(always)]
    fn first_word(self) -> u32 {
        let mut bytes = [0; 16 * MAX_LANES];
        self.store(&mut bytes);
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// These bytes in every lane, but the compiler does not know them.
    #[inline(always)]
    fn splat_opaque(proof: Self::Proof, lane: [u8; 16]) -> Self {
        Self::splat(proof, lane).opaque()
    }

    /// `lane` in every lane, beside `self`.
    #[inline(always)]
    fn constant(self, lane: [u8; 16]) -> Self {
        Self::splat(self.proof(), lane)
    }
}

/// Vectors of two lanes.
pub(crate) trait TwoLanes: Vector {
    /// `low` in lane 0, `high` in lane 1.
    fn join(low: Self::Lane, high: Self::Lane) -> Self;
}

/// Vectors with AESENCLAST.
pub(crate) trait Aes: Vector {
    /// SubBytes(ShiftRows(self)) + key.
    fn aes_last_round(self, key: Self) -> Self;
}

/// Vectors with the affine transformations of GFNI.
pub(crate) trait Gfni: Vector {
    /// Each byte multiplied by `matrix` (as GFNI writes it), plus a constant.
    fn affine<const CONSTANT: i32>(self, matrix: Self) -> Self;
    /// The same of the byte's inverse in AES's field.
    fn affine_of_inverse<const CONSTANT: i32>(self, matrix: Self) -> Self;
}

/// # Safety
/// A value of the type must show that the processor has SSSE3, AVX and PCLMULQDQ.
pub(crate) unsafe trait Has128: Copy {}
/// # Safety
/// A value of the type must show, beside [`Has128`], that the processor has AES-NI.
pub(crate) unsafe trait HasAes128: Has128 {}
/// # Safety
/// A value of the type must show, beside [`Has128`], that the processor has AVX2 and VPCLMULQDQ.
pub(crate) unsafe trait Has256: Has128 {}
/// # Safety
/// A value of the type must show, beside [`Has256`], that the processor has VAES.
pub(crate) unsafe trait HasAes256: Has256 + HasAes128 {}
/// # Safety
/// A value of the type must show, beside [`Has256`], that the processor has GFNI.
pub(crate) unsafe trait HasGfni256: Has256 {}
/// # Safety
/// A value of the type must show, beside [`HasGfni256`], that the processor has AVX-512 F, BW, DQ
/// and VL.
pub(crate) unsafe trait HasGfni512: HasGfni256 {}

// SAFETY: these are the instructions that the tokens stand for.
unsafe impl Has128 for AesAvx {}
// SAFETY: as above.
unsafe impl HasAes128 for AesAvx {}
// SAFETY: as above.
unsafe impl Has128 for VaesAvx2 {}
// SAFETY: as above.
unsafe impl HasAes128 for VaesAvx2 {}
// SAFETY: as above.
unsafe impl Has256 for VaesAvx2 {}
// SAFETY: as above.
unsafe impl HasAes256 for VaesAvx2 {}
// SAFETY: as above.
unsafe impl Has128 for GfniAvx2 {}
// SAFETY: as above.
unsafe impl Has256 for GfniAvx2 {}
// SAFETY: as above.
unsafe impl HasGfni256 for GfniAvx2 {}
// SAFETY: as above.
unsafe impl Has128 for GfniAvx512 {}
// SAFETY: as above.
unsafe impl Has256 for GfniAvx512 {}
// SAFETY: as above.
unsafe impl HasGfni256 for GfniAvx512 {}
// SAFETY: as above.
unsafe impl HasGfni512 for GfniAvx512 {}

/// One lane.
#[derive(Clone, Copy)]
pub(crate) struct M128<P>(__m128i, P);

/// Two lanes.
#[derive(Clone, Copy)]
pub(crate) struct M256<P>(__m256i, P);

/// Four lanes.
#[derive(Clone, Copy)]
pub(crate) struct M512<P>(__m512i, P);

/// Twice the lanes of V, without wider instructions: two independent streams of them.
#[derive(Clone, Copy)]
pub(crate) struct Pair<V>(V, V);

/// The operators, and what only the names of the intrinsics tell apart.
macro_rules! operators {
    ($vector:ident, $has:ident, $xor:ident, $and:ident) => {
        impl<P: $has> BitXor for $vector<P> {
            type Output = Self;
            #[inline(always)]
            fn bitxor(self, other: Self) -> Self {
                // SAFETY: `self` holds the proof.
                Self(unsafe { $xor(self.0, other.0) }, self.1)
            }
        }

        impl<P: $has> BitAnd for $vector<P> {
            type Output = Self;
            #[inline(always)]
            fn bitand(self, other: Self) -> Self {
                // SAFETY: `self` holds the proof.
                Self(unsafe { $and(self.0, other.0) }, self.1)
            }
        }
    };
}

operators!(M128, Has128, _mm_xor_si128, _mm_and_si128);
operators!(M256, Has256, _mm256_xor_si256, _mm256_and_si256);
operators!(M512, HasGfni512, _mm512_xor_si512, _mm512_and_si512);

/// The methods of [`Vector`] that differ in names only.
macro_rules! lanewise {
    ($proof:ident, $integer:ident, $load:ident, $store:ident, $splat_word:ident, $shuffle:ident,
     $shift:ident, $add:ident, $lo32:ident, $hi32:ident, $lo64:ident, $hi64:ident,
     $multiply:ident, $opaque:ident) => {
        type Proof = $proof;

        #[inline(always)]
        fn proof(self) -> $proof {
            self.1
        }

        #[inline(always)]
        fn load(proof: $proof, bytes: &[u8]) -> Self {
            let bytes = &bytes[..Self::BYTES];
            // SAFETY: the slice has as many bytes; `proof` shows the instructions.
            Self(unsafe { $load(bytes.as_ptr().cast()) }, proof)
        }

        #[inline(always)]
        fn store(self, out: &mut [u8]) {
            let out = &mut out[..Self::BYTES];
            // SAFETY: the slice has as many bytes; `self` holds the proof.
            unsafe { $store(out.as_mut_ptr().cast(), self.0) }
        }

        #[inline(always)]
        fn splat_word(proof: $proof, word: u32) -> Self {
            // SAFETY: `proof` shows the instructions.
            Self(unsafe { $splat_word(word.cast_signed()) }, proof)
        }

        #[inline(always)]
        fn shuffle(self, control: Self) -> Self {
            // SAFETY: `self` holds the proof.
            Self(unsafe { $shuffle(self.0, control.0) }, self.1)
        }

        #[inline(always)]
        fn shift_right_4(self) -> Self {
            // SAFETY: `self` holds the proof.
            Self(unsafe { $shift::<4>(self.0) }, self.1)
        }

        #[inline(always)]
        fn add_words(self, other: Self) -> Self {
            // SAFETY: `self` holds the proof.
            Self(unsafe { $add(self.0, other.0) }, self.1)
        }

        #[inline(always)]
        fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            // SAFETY: the vectors hold the proof.
            let rows = unsafe {
                let (ab, cd) = ($lo32(a.0, b.0), $lo32(c.0, d.0));
                let (ab_high, cd_high) = ($hi32(a.0, b.0), $hi32(c.0, d.0));
                (
                    $lo64(ab, cd),
                    $hi64(ab, cd),
                    $lo64(ab_high, cd_high),
                    $hi64(ab_high, cd_high),
                )
            };
            [
                Self(rows.0, a.1),
                Self(rows.1, a.1),
                Self(rows.2, a.1),
                Self(rows.3, a.1),
            ]
        }

        #[inline(always)]
        fn multiply<const HALVES: i32>(self, other: Self) -> Self {
            // SAFETY: `self` holds the proof.
            Self(unsafe { $multiply::<HALVES>(self.0, other.0) }, self.1)
        }

        #[inline(always)]
        fn opaque(self) -> Self {
            // SAFETY: `self` holds the proof.
            Self(unsafe { $opaque(self.0) }, self.1)
        }
    };
}

/// An empty piece of assembly that could change a register, as far as the compiler knows.
macro_rules! opaque {
    ($name:ident, $feature:literal, $integer:ident, $register:ident) => {
        #[inline]
        #[target_feature(enable = $feature)]
        fn $name(mut x: $integer) -> $integer {
            // SAFETY: it has no instructions.
            unsafe {
                asm!("/* {0} */", inout($register) x, options(pure, nomem, nostack, preserves_flags));
            }
            x
        }
    };
}

opaque!(opaque_128, "avx", __m128i, xmm_reg);
opaque!(opaque_256, "avx", __m256i, ymm_reg);
opaque!(opaque_512, "avx512f", __m512i, zmm_reg);

impl<P: Has128> Vector for M128<P> {
    type Lane = Self;
    const LANES: usize = 1;

    lanewise!(
        P,
        __m128i,
        _mm_loadu_si128,
        _mm_storeu_si128,
        _mm_set1_epi32,
        _mm_shuffle_epi8,
        _mm_srli_epi64,
        _mm_add_epi32,
        _mm_unpacklo_epi32,
        _mm_unpackhi_epi32,
        _mm_unpacklo_epi64,
        _mm_unpackhi_epi64,
        _mm_clmulepi64_si128,
        opaque_128
    );

    #[inline(always)]
    fn splat(proof: P, lane: [u8; 16]) -> Self {
        Self::load(proof, &lane)
    }

    #[inline(always)]
    fn extend(lane: Self) -> Self {
        lane
    }

    #[inline(always)]
    fn fold(self) -> Self {
        self
    }

    #[inline(always)]
    fn equal_words(self, other: Self) -> Self {
        // SAFETY: `self` holds the proof.
        Self(unsafe { _mm_cmpeq_epi32(self.0, other.0) }, self.1)
    }
}

impl<P: Has256> Vector for M256<P> {
    type Lane = M128<P>;
    const LANES: usize = 2;

    lanewise!(
        P,
        __m256i,
        _mm256_loadu_si256,
        _mm256_storeu_si256,
        _mm256_set1_epi32,
        _mm256_shuffle_epi8,
        _mm256_srli_epi64,
        _mm256_add_epi32,
        _mm256_unpacklo_epi32,
        _mm256_unpackhi_epi32,
        _mm256_unpacklo_epi64,
        _mm256_unpackhi_epi64,
        _mm256_clmulepi64_epi128,
        opaque_256
    );

    #[inline(always)]
    fn splat(proof: P, lane: [u8; 16]) -> Self {
        let lane = M128::load(proof, &lane);
        // SAFETY: `proof` shows the instructions.
        Self(unsafe { _mm256_broadcastsi128_si256(lane.0) }, proof)
    }

    #[inline(always)]
    fn extend(lane: M128<P>) -> Self {
        // SAFETY: `lane` holds the proof.
        Self(unsafe { _mm256_zextsi128_si256(lane.0) }, lane.1)
    }

    #[inline(always)]
    fn fold(self) -> M128<P> {
        // SAFETY: `self` holds the proof.
        let (low, high) = unsafe {
            (
                _mm256_castsi256_si128(self.0),
                _mm256_extracti128_si256::<1>(self.0),
            )
        };
        M128(low, self.1) ^ M128(high, self.1)
    }

    #[inline(always)]
    fn equal_words(self, other: Self) -> Self {
        // SAFETY: `self` holds the proof.
        Self(unsafe { _mm256_cmpeq_epi32(self.0, other.0) }, self.1)
    }
}

impl<P: Has256> TwoLanes for M256<P> {
    #[inline(always)]
    fn join(low: M128<P>, high: M128<P>) -> Self {
        // SAFETY: `low` holds the proof.
        Self(unsafe { _mm256_set_m128i(high.0, low.0) }, low.1)
    }
}

impl<P: HasGfni512> Vector for M512<P> {
    type Lane = M128<P>;
    const LANES: usize = 4;

    lanewise!(
        P,
        __m512i,
        _mm512_loadu_si512,
        _mm512_storeu_si512,
        _mm512_set1_epi32,
        _mm512_shuffle_epi8,
        _mm512_srli_epi64,
        _mm512_add_epi32,
        _mm512_unpacklo_epi32,
        _mm512_unpackhi_epi32,
        _mm512_unpacklo_epi64,
        _mm512_unpackhi_epi64,
        _mm512_clmulepi64_epi128,
        opaque_512
    );

    #[inline(always)]
    fn splat(proof: P, lane: [u8; 16]) -> Self {
        let lane = M128::load(proof, &lane);
        // SAFETY: `proof` shows the instructions.
        Self(unsafe { _mm512_broadcast_i32x4(lane.0) }, proof)
    }

    #[inline(always)]
    fn extend(lane: M128<P>) -> Self {
        // SAFETY: `lane` holds the proof.
        Self(unsafe { _mm512_zextsi128_si512(lane.0) }, lane.1)
    }

    #[inline(always)]
    fn fold(self) -> M128<P> {
        // SAFETY: `self` holds the proof.
        let (low, high) = unsafe {
            (
                _mm512_castsi512_si256(self.0),
                _mm512_extracti64x4_epi64::<1>(self.0),
            )
        };
        (M256(low, self.1) ^ M256(high, self.1)).fold()
    }

    #[inline(always)]
    fn equal_words(self, other: Self) -> Self {
        // SAFETY: `self` holds the proof.
        Self(
            unsafe { _mm512_movm_epi32(_mm512_cmpeq_epi32_mask(self.0, other.0)) },
            self.1,
        )
    }
}

impl<P: HasAes128> Aes for M128<P> {
    #[inline(always)]
    fn aes_last_round(self, key: Self) -> Self {
        // SAFETY: `self` holds the proof.
        Self(unsafe { _mm_aesenclast_si128(self.0, key.0) }, self.1)
    }
}

impl<P: HasAes256> Aes for M256<P> {
    #[inline(always)]
    fn aes_last_round(self, key: Self) -> Self {
        // SAFETY: `self` holds the proof.
        Self(unsafe { _mm256_aesenclast_epi128(self.0, key.0) }, self.1)
    }
}

/// The same two methods for every width.
macro_rules! gfni {
    ($vector:ident, $has:ident, $affine:ident, $affine_of_inverse:ident) => {
        impl<P: $has> Gfni for $vector<P> {
            #[inline(always)]
            fn affine<const CONSTANT: i32>(self, matrix: Self) -> Self {
                // SAFETY: `self` holds the proof.
                Self(unsafe { $affine::<CONSTANT>(self.0, matrix.0) }, self.1)
            }

            #[inline(always)]
            fn affine_of_inverse<const CONSTANT: i32>(self, matrix: Self) -> Self {
                // SAFETY: `self` holds the proof.
                let x = unsafe { $affine_of_inverse::<CONSTANT>(self.0, matrix.0) };
                Self(x, self.1)
            }
        }
    };
}

gfni!(
    M128,
    HasGfni256,
    _mm_gf2p8affine_epi64_epi8,
    _mm_gf2p8affineinv_epi64_epi8
);
gfni!(
    M256,
    HasGfni256,
    _mm256_gf2p8affine_epi64_epi8,
    _mm256_gf2p8affineinv_epi64_epi8
);
gfni!(
    M512,
    HasGfni512,
    _mm512_gf2p8affine_epi64_epi8,
    _mm512_gf2p8affineinv_epi64_epi8
);

impl<V: Vector> BitXor for Pair<V> {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Self(self.0 ^ other.0, self.1 ^ other.1)
    }
}

impl<V: Vector> BitAnd for Pair<V> {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0, self.1 & other.1)
    }
}

impl<V: Vector> Vector for Pair<V> {
    type Proof = V::Proof;
    type Lane = V::Lane;
    const LANES: usize = 2 * V::LANES;

    #[inline(always)]
    fn proof(self) -> V::Proof {
        self.0.proof()
    }

    #[inline(always)]
    fn load(proof: V::Proof, bytes: &[u8]) -> Self {
        Self(V::load(proof, bytes), V::load(proof, &bytes[V::BYTES..]))
    }

    #[inline(always)]
    fn store(self, out: &mut [u8]) {
        self.0.store(out);
        self.1.store(&mut out[V::BYTES..]);
    }

    #[inline(always)]
    fn splat(proof: V::Proof, lane: [u8; 16]) -> Self {
        Self(V::splat(proof, lane), V::splat(proof, lane))
    }

    #[inline(always)]
    fn splat_word(proof: V::Proof, word: u32) -> Self {
        Self(V::splat_word(proof, word), V::splat_word(proof, word))
    }

    #[inline(always)]
    fn extend(lane: V::Lane) -> Self {
        Self(V::extend(lane), V::splat(lane.proof(), [0; 16]))
    }

    #[inline(always)]
    fn fold(self) -> V::Lane {
        (self.0 ^ self.1).fold()
    }

    #[inline(always)]
    fn shuffle(self, control: Self) -> Self {
        Self(self.0.shuffle(control.0), self.1.shuffle(control.1))
    }

    #[inline(always)]
    fn shift_right_4(self) -> Self {
        Self(self.0.shift_right_4(), self.1.shift_right_4())
    }

    #[inline(always)]
    fn add_words(self, other: Self) -> Self {
        Self(self.0.add_words(other.0), self.1.add_words(other.1))
    }

    #[inline(always)]
    fn equal_words(self, other: Self) -> Self {
        Self(self.0.equal_words(other.0), self.1.equal_words(other.1))
    }

    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        let low = V::transpose([a.0, b.0, c.0, d.0]);
        let high = V::transpose([a.1, b.1, c.1, d.1]);
        [
            Self(low[0], high[0]),
            Self(low[1], high[1]),
            Self(low[2], high[2]),
            Self(low[3], high[3]),
        ]
    }

    #[inline(always)]
    fn splat_opaque(proof: V::Proof, lane: [u8; 16]) -> Self {
        let half = V::splat_opaque(proof, lane);
        Self(half, half)
    }

    #[inline(always)]
    fn opaque(self) -> Self {
        Self(self.0.opaque(), self.1.opaque())
    }

    #[inline(always)]
    fn multiply<const HALVES: i32>(self, other: Self) -> Self {
        Self(
            self.0.multiply::<HALVES>(other.0),
            self.1.multiply::<HALVES>(other.1),
        )
    }
}

impl<V: Vector<Lane = V>> TwoLanes for Pair<V> {
    #[inline(always)]
    fn join(low: V, high: V) -> Self {
        Self(low, high)
    }
}

impl<V: Aes> Aes for Pair<V> {
    #[inline(always)]
    fn aes_last_round(self, key: Self) -> Self {
        Self(self.0.aes_last_round(key.0), self.1.aes_last_round(key.1))
    }
}
