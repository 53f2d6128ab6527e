//! SM3's compression function (GB/T 32905-2016, 5.3) on any processor.

use zeroize::optimization_barrier;

/// T_j <<< j (GB/T 32905-2016, 4.2 and 5.3.3).
const T: [u32; 64] = {
    let mut t = [0; 64];
    let mut j = 0;
    while j < 64 {
        let t_j: u32 = if j < 16 { 0x79cc_4519 } else { 0x7a87_9d8a };
        t[j] = t_j.rotate_left(j as u32 % 32);
        j += 1;
    }
    t
};

/// Absorbs `blocks` into `state`.
pub(crate) fn compress(state: &mut [u32; 8], blocks: &[[u8; 64]]) {
    let mut w = [0; 16];
    for block in blocks {
        for (word, bytes) in w.iter_mut().zip(block.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        let before = *state;
        rounds(state, &mut w);
        for (word, before) in state.iter_mut().zip(before) {
            *word ^= before;
        }
    }
    w = [0; 16];
    optimization_barrier(&w);
}

/// The 64 rounds (5.3.3). `w` holds the first 16 words, and then always the last 16.
fn rounds(state: &mut [u32; 8], w: &mut [u32; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;

    macro_rules! round {
        ($ff:ident $gg:ident $j:expr, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
            if $j >= 12 {
                expand(w, $j + 4);
            }
            let a12 = $a.rotate_left(12);
            let ss1 = a12.wrapping_add($e).wrapping_add(T[$j]).rotate_left(7);
            $d = $d
                .wrapping_add(w[$j % 16] ^ w[($j + 4) % 16])
                .wrapping_add($ff($a, $b, $c))
                .wrapping_add(ss1 ^ a12);
            $h = p0($h
                .wrapping_add(w[$j % 16])
                .wrapping_add($gg($e, $f, $g))
                .wrapping_add(ss1));
            $b = $b.rotate_left(9);
            $f = $f.rotate_left(19);
        };
    }
    // Instead of the words, the names move along; after four rounds they are back in place.
    macro_rules! rounds {
        ($ff:ident $gg:ident: $($j:literal)*) => {
            $(
                round!($ff $gg $j, a b c d e f g h);
                round!($ff $gg $j + 1, d a b c h e f g);
                round!($ff $gg $j + 2, c d a b g h e f);
                round!($ff $gg $j + 3, b c d a f g h e);
            )*
        };
    }
    rounds!(parity parity: 0 4 8 12);
    rounds!(majority choose: 16 20 24 28 32 36 40 44 48 52 56 60);
    *state = [a, b, c, d, e, f, g, h];
}

/// W_j, in the place of W_(j-16) (5.3.2).
#[inline(always)]
fn expand(w: &mut [u32; 16], j: usize) {
    w[j % 16] = p1(w[j % 16] ^ w[(j - 9) % 16] ^ w[(j - 3) % 16].rotate_left(15))
        ^ w[(j - 13) % 16].rotate_left(7)
        ^ w[(j - 6) % 16];
}

/// FF_j and GG_j for j < 16 (4.3).
fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

/// FF_j for j >= 16: (x & y) | (x & z) | (y & z).
fn majority(x: u32, y: u32, z: u32) -> u32 {
    (x & (y | z)) | (y & z)
}

/// GG_j for j >= 16: (x & y) | (!x & z).
fn choose(x: u32, y: u32, z: u32) -> u32 {
    ((y ^ z) & x) ^ z
}

/// P_0 (4.4).
fn p0(x: u32) -> u32 {
    x ^ x.rotate_left(9) ^ x.rotate_left(17)
}

/// P_1 (4.4).
fn p1(x: u32) -> u32 {
    x ^ x.rotate_left(15) ^ x.rotate_left(23)
}
