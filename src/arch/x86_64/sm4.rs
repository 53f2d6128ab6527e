//! SM4 for x86-64: one body of code, made for each kind of vector registers and for two ways to
//! invert in the field.

mod cbc;
mod ccm;
mod ctr;
mod field;
mod gcm;
mod round;

use cipher::inout::InOutBuf;

#[cfg(test)]
use super::ghash;
use super::ghash::Powers;
use super::vector::{M128, M256, M512, Pair, TwoLanes, Vector};
use crate::arch::cpu::{AesAvx, GfniAvx2, GfniAvx512, VaesAvx2};
use crate::arch::sm4::{self, gcm::Hashed};
use gcm::Fused;
use round::{ByAes, ByGfni, Field};

/// phi of the round keys (see [`field`]) with psi c added, as little-endian words.
pub(crate) type RoundKeys = [u32; 32];

/// What a processor has for SM4, named by the proof of it.
pub(crate) trait Kernel: Copy {
    /// The widest vectors, for bulk.
    type Wide: Vector<Proof = Self, Lane = Self::Lane>;
    /// Two lanes, for two blocks of which one waits for another.
    type Two: TwoLanes<Proof = Self, Lane = Self::Lane>;
    /// One lane.
    type Lane: Vector<Proof = Self, Lane = Self::Lane>;
    /// How bytes are inverted.
    type Field: Field<Self::Wide> + Field<Self::Two> + Field<Self::Lane>;

    /// [`Fused::chunk_here`], the biggest piece of code, compiled once for GCM and CTR.
    fn chunk(
        fused: &Fused<'_, Self>,
        counter: u32,
        chunk: &mut InOutBuf<'_, '_, u8>,
        state: Self::Lane,
        hashed: Hashed<'_>,
    ) -> Self::Lane;

    /// [`cbc::blocks_here`], likewise for blocks and CBC decryption.
    fn blocks(
        self,
        round_keys: &RoundKeys,
        before: Option<&[u8; 16]>,
        blocks: InOutBuf<'_, '_, [u8; 16]>,
    );

    /// [`Fused::tail_here`], likewise.
    fn tail(
        fused: &Fused<'_, Self>,
        counter: u32,
        tail: InOutBuf<'_, '_, u8>,
        state: Self::Lane,
        previous: &[u8],
    ) -> (Self::Lane, [u8; 16]);
}

/// The entry points of a kernel: here its instructions are enabled for all that is inlined.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident, $features:literal, $token:ident {
        $(type $type:ident = $is:ty;)+
    }) => {
        impl Kernel for $token {
            $(type $type = $is;)+

            #[inline(always)]
            fn chunk(
                fused: &Fused<'_, Self>,
                counter: u32,
                chunk: &mut InOutBuf<'_, '_, u8>,
                state: Self::Lane,
                hashed: Hashed<'_>,
            ) -> Self::Lane {
                // SAFETY: `fused` holds the token.
                unsafe { $name::chunk(fused, counter, chunk, state, hashed) }
            }

            #[inline(always)]
            fn blocks(
                self,
                round_keys: &RoundKeys,
                before: Option<&[u8; 16]>,
                blocks: InOutBuf<'_, '_, [u8; 16]>,
            ) {
                // SAFETY: `self` is the token.
                unsafe { $name::blocks(self, round_keys, before, blocks) }
            }

            #[inline(always)]
            fn tail(
                fused: &Fused<'_, Self>,
                counter: u32,
                tail: InOutBuf<'_, '_, u8>,
                state: Self::Lane,
                previous: &[u8],
            ) -> (Self::Lane, [u8; 16]) {
                // SAFETY: `fused` holds the token.
                unsafe { $name::tail(fused, counter, tail, state, previous) }
            }
        }

        $(#[$doc])*
        pub(crate) mod $name {
            use super::*;

            #[inline(never)]
            #[target_feature(enable = $features)]
            pub(super) fn chunk(
                fused: &Fused<'_, $token>,
                counter: u32,
                chunk: &mut InOutBuf<'_, '_, u8>,
                state: <$token as Kernel>::Lane,
                hashed: Hashed<'_>,
            ) -> <$token as Kernel>::Lane {
                fused.chunk_here(counter, chunk, state, hashed)
            }

            #[inline(never)]
            #[target_feature(enable = $features)]
            pub(super) fn blocks(
                token: $token,
                round_keys: &RoundKeys,
                before: Option<&[u8; 16]>,
                blocks: InOutBuf<'_, '_, [u8; 16]>,
            ) {
                cbc::blocks_here(token, round_keys, before, blocks);
            }

            #[inline(never)]
            #[target_feature(enable = $features)]
            pub(super) fn tail(
                fused: &Fused<'_, $token>,
                counter: u32,
                tail: InOutBuf<'_, '_, u8>,
                state: <$token as Kernel>::Lane,
                previous: &[u8],
            ) -> (<$token as Kernel>::Lane, [u8; 16]) {
                fused.tail_here(counter, tail, state, previous)
            }

            #[target_feature(enable = $features)]
            pub(crate) fn expand(token: $token, key: &[u8; 16], out: &mut RoundKeys) {
                round::expand::<<$token as Kernel>::Field, <$token as Kernel>::Lane>(
                    token, key, out,
                );
            }

            #[target_feature(enable = $features)]
            pub(crate) fn powers(token: $token, h: &[u8; 16]) -> Powers {
                Powers::new(token, h)
            }

            #[target_feature(enable = $features)]
            pub(crate) fn crypt(
                token: $token,
                round_keys: &RoundKeys,
                iv: Option<&mut [u8; 16]>,
                blocks: InOutBuf<'_, '_, [u8; 16]>,
            ) {
                cbc::crypt(token, round_keys, iv, blocks);
            }

            #[target_feature(enable = $features)]
            pub(crate) fn cbc_encrypt(
                token: $token,
                round_keys: &RoundKeys,
                iv: &mut [u8; 16],
                blocks: InOutBuf<'_, '_, [u8; 16]>,
            ) {
                cbc::encrypt(token, round_keys, iv, blocks);
            }

            #[target_feature(enable = $features)]
            pub(crate) fn ctr(
                token: $token,
                round_keys: &RoundKeys,
                nonce: &[u8; 12],
                counter: u32,
                buf: InOutBuf<'_, '_, u8>,
            ) {
                gcm::ctr(token, round_keys, nonce, counter, buf);
            }

            #[target_feature(enable = $features)]
            pub(crate) fn gcm(
                token: $token,
                (round_keys, powers): (&RoundKeys, &Powers),
                direction: sm4::Direction,
                nonce: &[u8; 12],
                associated_data: &[u8],
                buf: InOutBuf<'_, '_, u8>,
            ) -> [u8; 16] {
                let fused = gcm::Fused::new(token, round_keys, powers, nonce);
                sm4::gcm::crypt(&fused, direction, associated_data, buf)
            }

            /// GHASH alone: a state, whole and partial blocks, and a last one.
            #[cfg(test)]
            #[target_feature(enable = $features)]
            pub(crate) fn ghash(
                token: $token,
                powers: &Powers,
                state: &[u8; 16],
                data: &[u8],
                last: Option<&[u8; 16]>,
            ) -> [u8; 16] {
                let state = ghash::reverse(<$token as Kernel>::Lane::load(token, state));
                let state = ghash::hash::<<$token as Kernel>::Wide>(powers, state, data, last);
                let mut out = [0; 16];
                ghash::reverse(state).store(&mut out);
                out
            }

            #[target_feature(enable = $features)]
            pub(crate) fn ccm(
                token: $token,
                round_keys: &RoundKeys,
                direction: sm4::Direction,
                nonce: &[u8; 12],
                associated_data: &[u8],
                buf: InOutBuf<'_, '_, u8>,
            ) -> [u8; 16] {
                let chain = ccm::Chain::new(token, round_keys);
                sm4::ccm::crypt(chain, direction, nonce, associated_data, buf)
            }
        }
    };
}

kernel!(
    /// AES-NI and PCLMULQDQ, 128 bits.
    aes_avx, "ssse3,aes,pclmulqdq,avx", AesAvx {
        type Wide = M128<Self>;
        type Two = Pair<M128<Self>>;
        type Lane = M128<Self>;
        type Field = ByAes;
    }
);
kernel!(
    /// VAES and VPCLMULQDQ, 256 bits.
    vaes_avx2, "ssse3,aes,pclmulqdq,avx,avx2,vaes,vpclmulqdq", VaesAvx2 {
        type Wide = M256<Self>;
        type Two = M256<Self>;
        type Lane = M128<Self>;
        type Field = ByAes;
    }
);
kernel!(
    /// GFNI and VPCLMULQDQ, 256 bits.
    gfni_avx2, "ssse3,pclmulqdq,avx,avx2,vpclmulqdq,gfni", GfniAvx2 {
        type Wide = M256<Self>;
        type Two = M256<Self>;
        type Lane = M128<Self>;
        type Field = ByGfni;
    }
);
kernel!(
    /// GFNI and VPCLMULQDQ, 512 bits.
    gfni_avx512, "ssse3,pclmulqdq,avx,avx2,vpclmulqdq,gfni,avx512f,avx512bw,avx512vl,avx512dq", GfniAvx512 {
        type Wide = M512<Self>;
        type Two = M256<Self>;
        type Lane = M128<Self>;
        type Field = ByGfni;
    }
);

#[cfg(any(test, shangmi_ctgrind))]
pub(crate) use emulated_kernels::{emulated_gfni, emulated_gfni_512, emulated_vaes};

#[cfg(any(test, shangmi_ctgrind))]
mod emulated_kernels {
    use super::*;
    use crate::arch::x86_64::vector::emulated::{Gfni256, Gfni512, Vaes256};

    kernel!(
        /// The generic code as for `vaes_avx2`, each vector in two of 128 bits.
        emulated_vaes, "ssse3,aes,pclmulqdq,avx", Vaes256 {
            type Wide = Pair<M128<Self>>;
            type Two = Pair<M128<Self>>;
            type Lane = M128<Self>;
            type Field = ByAes;
        }
    );
    kernel!(
        /// As for `gfni_avx2`, each vector in two of 128 bits, over an emulation of GFNI.
        emulated_gfni, "ssse3,aes,pclmulqdq,avx", Gfni256 {
            type Wide = Pair<M128<Self>>;
            type Two = Pair<M128<Self>>;
            type Lane = M128<Self>;
            type Field = ByGfni;
        }
    );
    kernel!(
        /// As for `gfni_avx512`, each vector in four of 128 bits, over an emulation of GFNI.
        emulated_gfni_512, "ssse3,aes,pclmulqdq,avx", Gfni512 {
            type Wide = Pair<Pair<M128<Self>>>;
            type Two = Pair<M128<Self>>;
            type Lane = M128<Self>;
            type Field = ByGfni;
        }
    );
}
