//! Every kernel against RustCrypto's arithmetic: fiat-crypto's, derived from proofs.

use std::sync::LazyLock;

use ::sm2::elliptic_curve::ff::PrimeField;
use ::sm2::elliptic_curve::hazmat::FieldArithmetic;
use ::sm2::{FieldBytes, Scalar, Sm2};

use super::*;

type FieldElement = <Sm2 as FieldArithmetic>::FieldElement;

/// A function of [`Arithmetic`] with its arguments.
#[derive(Clone, Copy, Debug)]
struct Call(Function, Limbs, Limbs);

#[derive(Clone, Copy, Debug)]
enum Function {
    MulP,
    SqrP,
    AddP,
    SubP,
    HalfP,
    NegP,
    DoubleP,
    InvP,
    InvPVartime,
    MulN,
    AddN,
    SubN,
    InvN,
}

use Function::*;

/// All but the inversions.
const FAST: [Function; 10] = [
    MulP, SqrP, AddP, SubP, HalfP, NegP, DoubleP, MulN, AddN, SubN,
];

impl Operation for Call {
    type Output = Limbs;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Limbs {
        let Self(function, a, b) = &self;
        match function {
            MulP => arithmetic.mul_p(a, b),
            SqrP => arithmetic.sqr_p(a),
            AddP => arithmetic.add_p(a, b),
            SubP => arithmetic.sub_p(a, b),
            HalfP => arithmetic.half_p(a),
            NegP => arithmetic.neg_p(a),
            DoubleP => arithmetic.double_p(a),
            InvP => arithmetic.inv_p(a),
            InvPVartime => arithmetic.inv_p_vartime(a),
            MulN => arithmetic.mul_n(a, b),
            AddN => arithmetic.add_n(a, b),
            SubN => arithmetic.sub_n(a, b),
            InvN => arithmetic.inv_n(a),
        }
    }
}

impl Call {
    fn modulus(self) -> Limbs {
        match self.0 {
            MulP | SqrP | AddP | SubP | HalfP | NegP | DoubleP | InvP | InvPVartime => P,
            MulN | AddN | SubN | InvN => N,
        }
    }

    fn judged(self) -> Limbs {
        if self.modulus() == P {
            static R_INVERSE: LazyLock<FieldElement> = LazyLock::new(r_inverse);
            self.judged_by(*R_INVERSE, R2_P)
        } else {
            static R_INVERSE: LazyLock<Scalar> = LazyLock::new(r_inverse);
            self.judged_by(*R_INVERSE, R2_N)
        }
    }

    /// `r_inverse` and `r2` are 2^-256 and 2^512 modulo the judge's modulus.
    fn judged_by<F: PrimeField<Repr = FieldBytes>>(self, r_inverse: F, r2: Limbs) -> Limbs {
        let (a, b) = (from_limbs::<F>(&self.1), from_limbs::<F>(&self.2));
        to_limbs(match self.0 {
            MulP | MulN => a * b * r_inverse,
            SqrP => a * a * r_inverse,
            AddP | AddN => a + b,
            SubP | SubN => a - b,
            HalfP => a * F::TWO_INV,
            NegP => -a,
            DoubleP => a + a,
            InvP | InvPVartime | InvN => a.invert().unwrap_or(F::ZERO) * from_limbs::<F>(&r2),
        })
    }

    fn check(self, kernel: Kernel) {
        assert_eq!(kernel.run(self), self.judged(), "{kernel:x?} {self:x?}");
    }
}

#[test]
fn constants() {
    fn check<F: PrimeField<Repr = FieldBytes>>(m: Limbs, one: Limbs, r2: Limbs) {
        let r = (0..256).fold(F::ONE, |x, _| x.double());
        assert_eq!(to_limbs(r), one);
        assert_eq!(to_limbs(r * r), r2);
        assert_eq!(to_limbs(-F::ONE), sub_limbs(&m, &[1, 0, 0, 0]).0);
    }
    check::<FieldElement>(P, ONE_P, R2_P);
    check::<Scalar>(N, ONE_N, R2_N);
}

#[test]
fn all_pairs_of_edge_values() {
    let (edges_p, edges_n) = (edge_values(&P), edge_values(&N));
    println!(
        "{} values modulo p, {} modulo n",
        edges_p.len(),
        edges_n.len()
    );
    for kernel in Kernel::all() {
        println!("{kernel:?}");
        for function in FAST {
            let unary = matches!(function, SqrP | HalfP | NegP | DoubleP);
            let edges = match Call(function, [0; 4], [0; 4]).modulus() {
                P => &edges_p,
                _ => &edges_n,
            };
            for a in edges {
                for b in if unary { &edges[..1] } else { edges } {
                    Call(function, *a, *b).check(kernel);
                }
            }
        }
    }
}

#[test]
fn random_values() {
    let mut random = SplitMix(0x5352_4d32);
    for kernel in Kernel::all() {
        println!("{kernel:?}");
        for function in FAST {
            let m = Call(function, [0; 4], [0; 4]).modulus();
            for _ in 0..10_000 {
                Call(function, random.below(&m), random.below(&m)).check(kernel);
            }
        }
    }
}

#[test]
fn differences_of_products() {
    #[derive(Clone, Copy)]
    struct Difference([Limbs; 4]);
    impl Operation for Difference {
        type Output = Limbs;
        fn run<A: Arithmetic>(self, arithmetic: A) -> Limbs {
            let [a, b, c, d] = &self.0;
            arithmetic.mul_sub_mul_p(a, b, c, d)
        }
    }
    let mut random = SplitMix(0x6469_6666);
    let minus = |x| sub_limbs(&P, &[x, 0, 0, 0]).0;
    let edges = [
        [0; 4],
        [1, 0, 0, 0],
        [u64::MAX, 0, 0, 0],
        [0, u64::MAX, 0, u64::MAX >> 1],
        [u64::MAX, u64::MAX, u64::MAX, 0],
        ONE_P,
        minus(1),
        minus(2),
        random.below(&P),
    ];
    let mut cases = Vec::new();
    for (a, b) in edges.iter().flat_map(|a| edges.map(|b| (*a, b))) {
        cases.extend(edges.iter().flat_map(|c| edges.map(|d| [a, b, *c, d])));
    }
    for _ in 0..10_000 {
        let [a, b, c, d] = std::array::from_fn(|_| random.below(&P));
        cases.extend([[a, b, c, d], [a, b, b, a]]);
    }
    let r_inverse = r_inverse::<FieldElement>();
    for case in cases {
        let [a, b, c, d] = case.map(|limbs| from_limbs::<FieldElement>(&limbs));
        let expected = to_limbs((a * b - c * d) * r_inverse);
        for kernel in Kernel::all() {
            let found = kernel.run(Difference(case));
            assert_eq!(found, expected, "{kernel:x?} {case:x?}");
        }
    }
}

#[test]
fn inversion() {
    let mut random = SplitMix(0x696e_7665);
    for kernel in Kernel::all() {
        println!("{kernel:?}");
        for function in [InvP, InvPVartime, InvN] {
            let m = Call(function, [0; 4], [0; 4]).modulus();
            assert_eq!(kernel.run(Call(function, [0; 4], [0; 4])), [0; 4]);
            let powers = (0..256).map(|i| power_of_two(i, &m));
            let some = (0..2_000).map(|_| random.below(&m));
            for a in edge_values(&m).into_iter().chain(powers).chain(some) {
                Call(function, a, [0; 4]).check(kernel);
            }
        }
    }
}

#[test]
fn lookup_takes_one_entry_or_none() {
    #[derive(Clone, Copy)]
    struct Lookup<'a, const N: usize>(&'a [[u64; N]], u64);
    impl<const N: usize> Operation for Lookup<'_, N> {
        type Output = [u64; N];
        fn run<A: Arithmetic>(self, arithmetic: A) -> [u64; N] {
            arithmetic.lookup(self.0, self.1)
        }
    }
    fn check<const N: usize>(kernel: Kernel, random: &mut SplitMix) {
        for length in [0, 1, 2, 7, 8, 15, 16, 17, 32, 64] {
            let table: Vec<[u64; N]> = (0..length)
                .map(|_| std::array::from_fn(|_| random.next()))
                .collect();
            for (i, entry) in (0..).zip(&table) {
                assert_eq!(kernel.run(Lookup(&table, i)), *entry);
                // An index is all of its 64 bits.
                assert_eq!(kernel.run(Lookup(&table, i | 1 << 32)), [0; N]);
                assert_eq!(kernel.run(Lookup(&table, i | 1 << 63)), [0; N]);
            }
            for outside in [length, length + 1, u64::MAX] {
                assert_eq!(kernel.run(Lookup(&table, outside)), [0; N]);
            }
        }
    }
    let mut random = SplitMix(0x7461_626c);
    for kernel in Kernel::all() {
        println!("{kernel:?}");
        check::<4>(kernel, &mut random);
        check::<8>(kernel, &mut random);
        check::<12>(kernel, &mut random);
        check::<16>(kernel, &mut random);
    }
}

#[test]
fn masks() {
    for bit in 0..256 {
        let mut a = [0; 4];
        a[bit / 64] = 1 << (bit % 64);
        assert_eq!(is_zero(&a), 0);
        assert_eq!(is_equal(&a, &a), u64::MAX);
        assert_eq!(is_equal(&a, &[0; 4]), 0);
        assert_eq!(choose(&a, &P, 0), a);
        assert_eq!(choose(&a, &P, u64::MAX), P);
    }
    assert_eq!(is_zero(&[0; 4]), u64::MAX);
}

/// Numbers below m: all combinations of the limbs at which carries change, and what is near m, m / 2
/// and 0.
fn edge_values(m: &Limbs) -> Vec<Limbs> {
    const LIMBS: [u64; 5] = [0, 1, 0xffff_ffff, 1 << 63, u64::MAX];
    let mut values = Vec::new();
    for i in 0..LIMBS.len().pow(4) {
        values.push(std::array::from_fn(|j| {
            LIMBS[i / LIMBS.len().pow(j as u32) % LIMBS.len()]
        }));
    }
    for limb in [2, 1 << 32, u64::MAX - 1] {
        for j in 0..4 {
            for rest in [0, u64::MAX] {
                let mut value = [rest; 4];
                value[j] = limb;
                values.push(value);
            }
        }
    }
    let half: Limbs =
        std::array::from_fn(|i| m[i] >> 1 | m.get(i + 1).map_or(0, |next| next << 63));
    for near in [*m, half] {
        for distance in 0..4 {
            values.push(sub_limbs(&near, &[distance, 0, 0, 0]).0);
            values.push(sub_limbs(&near, &[distance.wrapping_neg(), !0, !0, !0]).0);
        }
    }
    // What is above m comes back below it, with the same low limbs as far as can be.
    for value in &mut values {
        let (reduced, borrow) = sub_limbs(value, m);
        if !borrow {
            *value = reduced;
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}

/// 2^-256.
fn r_inverse<F: PrimeField>() -> F {
    (0..256).fold(F::ONE, |x, _| x * F::TWO_INV)
}

fn from_limbs<F: PrimeField<Repr = FieldBytes>>(limbs: &Limbs) -> F {
    let mut bytes = FieldBytes::default();
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(limbs.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    F::from_repr(bytes).unwrap()
}

fn to_limbs<F: PrimeField<Repr = FieldBytes>>(x: F) -> Limbs {
    let bytes = x.to_repr();
    let mut limbs = [0; 4];
    for (chunk, limb) in bytes.chunks_exact(8).zip(limbs.iter_mut().rev()) {
        *limb = u64::from_be_bytes(chunk.try_into().unwrap());
    }
    limbs
}

/// A generator of test values (Steele, Lea, Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, m: &Limbs) -> Limbs {
        loop {
            let value = std::array::from_fn(|_| self.next());
            if sub_limbs(&value, m).1 {
                return value;
            }
        }
    }
}
