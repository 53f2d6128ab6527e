//! SM4's S-box as a circuit, and as little of it as can be: 106 gates.
//!
//! The S-box is S(x) = A inv(A x + c) + c, with a matrix A, c = 0xd3, and inv the inversion in
//! GF(2)\[X\] / (X^8 + X^7 + X^6 + X^5 + X^4 + X^2 + 1), where inv(0) = 0. Inversion takes few gates
//! in an isomorphic field, a tower of quadratic extensions with normal bases (D. Canright, "A very
//! compact S-box for AES", CHES 2005):
//!
//! - GF(2^2): a1 W^2 + a0 W, where W^2 + W + 1 = 0;
//! - GF(2^4): (a3, a2) Z^4 + (a1, a0) Z, where Z^2 + Z + W^2 = 0;
//! - GF(2^8): a Y^16 + b Y, where Y^2 + Y + W Z^4 = 0.
//!
//! The matrix A and the isomorphism (one of 2040) are merged into the first and the last layer. A
//! search over isomorphisms, with the greedy heuristic of J. Boyar and R. Peralta ("A new
//! combinational logic minimization technique", SEA 2010) for each, found these.

use std::array;

/// S(x) = `core`(x + `IN`) + `OUT`, for each byte of a word: A^-1 c and c.
pub(super) const IN: u32 = 0x75757575;
pub(super) const OUT: u32 = 0xd3d3d3d3;

/// A inv(A x), plane i holding bit i of every byte.
///
/// A product in GF(2^4) is made of nine products of bits (Karatsuba's trick at both levels), one of
/// each pair of sums in `a` and `b`: bits 3, 2, 3+2, 1, 0, 1+0, 3+1, 2+0, 3+2+1+0.
#[inline(always)]
pub(super) fn core([x0, x1, x2, x3, x4, x5, x6, x7]: [u32; 8]) -> [u32; 8] {
    // The sums of a and b.
    let t0 = x2 ^ x6;
    let t1 = x1 ^ t0;
    let t2 = x0 ^ t1;
    let t3 = x2 ^ t2;
    let t4 = x5 ^ t3;
    let t5 = x2 ^ t4;
    let t6 = x1 ^ t5;
    let t7 = x3 ^ t5;
    let t8 = t0 ^ t7;
    let t9 = x4 ^ t6;
    let t10 = t4 ^ t9;
    let t11 = t2 ^ t9;
    let t12 = t7 ^ t11;
    let t13 = x2 ^ t9;
    let t14 = x7 ^ t12;
    let t15 = t1 ^ t14;
    let t16 = t7 ^ t15;
    let t17 = x1 ^ t16;
    let a = [t8, t14, t17, t0, t1, x1, t7, t15, t16];
    let b = [t9, t4, t10, t2, x5, t5, t11, t3, t13];

    // d = a b + W Z^4 (a + b)^2, the norm. Since u | v = u v + u + v, an OR in place of an AND adds
    // one of the sums of a + b; what is then still missing of the square are t6 and t12.
    let p = [
        a[0] & b[0],
        a[1] | b[1],
        a[2] & b[2],
        a[3] & b[3],
        a[4] & b[4],
        a[5] & b[5],
        a[6] | b[6],
        a[7] & b[7],
        a[8] | b[8],
    ];
    let p78 = p[7] ^ p[8];
    let p67 = p[6] ^ p[7];
    let d3 = p[0] ^ p[2] ^ p78 ^ t6;
    let d2 = p[1] ^ p[2] ^ p67 ^ t12;
    let d1 = p[3] ^ p[5] ^ p78 ^ t12;
    let d0 = p[4] ^ p[5] ^ p67;

    // e = d^-1, as Boyar and Peralta do it.
    let u0 = d1 ^ d0;
    let u1 = d1 & d3;
    let u2 = d2 ^ u1;
    let e2 = (u0 & u2) ^ d0;
    let e0 = ((d0 ^ u1) & (d3 ^ d2)) ^ d2;
    let u3 = d2 & (u2 ^ e0);
    let e1 = u3 ^ d3 ^ e0;
    let e3 = u0 ^ (e2 & (u2 ^ u3));
    let e31 = e3 ^ e1;
    let e20 = e2 ^ e0;
    let e = [e3, e2, e3 ^ e2, e1, e0, e1 ^ e0, e31, e20, e31 ^ e20];

    // The inverse is (e b) Y^16 + (e a) Y.
    let h: [u32; 9] = array::from_fn(|i| e[i] & b[i]);
    let l: [u32; 9] = array::from_fn(|i| e[i] & a[i]);
    let v0 = l[8] ^ l[7];
    let v1 = l[6] ^ l[7];
    let v2 = l[1] ^ v1;
    let v3 = l[4] ^ v1;
    let v4 = l[5] ^ v3;
    let v5 = l[3] ^ v3;
    let v6 = v0 ^ v5;
    let v7 = l[0] ^ v5;
    let v8 = v2 ^ v7;
    let v9 = l[2] ^ v7;
    let v10 = h[0] ^ v9;
    let v11 = h[3] ^ h[7];
    let v12 = h[7] ^ h[2];
    let v13 = h[4] ^ h[2];
    let v14 = v10 ^ h[8];
    let v15 = v11 ^ h[8];
    let v16 = h[5] ^ v15;
    let v17 = v13 ^ v15;
    let v18 = h[1] ^ v17;
    let v19 = h[6] ^ v17;
    let v20 = v12 ^ v14;
    let v21 = v19 ^ v14;
    let v22 = v8 ^ v21;
    let v23 = v6 ^ v21;
    let v24 = v16 ^ v22;
    let v25 = v24 ^ v4;
    let v26 = v21 ^ v25;
    [v25, v23, v26, v4, v22, v20, v18, v9]
}
