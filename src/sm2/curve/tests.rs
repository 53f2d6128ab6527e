//! Scalars and points, on every kernel, against RustCrypto's `sm2` and against the laws of the group.

use ::sm2::elliptic_curve::ops::Reduce;
use ::sm2::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use ::sm2::elliptic_curve::{Group, PrimeField};
use ::sm2::{AffinePoint, FieldBytes, ProjectivePoint, Scalar as TheirScalar, Sec1Point};
use rand_core::TryRng;

use super::limbs::{bits, from_be_bytes, subtract, to_be_bytes};
use super::multiply::PublicPoint;
use super::tables::{WINDOW, WINDOWS};
use super::*;
use crate::arch::sm2::{N, P};
use crate::random::SystemRandom;

/// [u]G + [v]P as a point.
struct SumVartime<'a, T>(&'a Scalar, &'a Scalar, &'a T);

impl<T: PublicPoint> Operation for SumVartime<'_, T> {
    type Output = Option<Point>;

    fn run<A: Arithmetic>(self, arithmetic: A) -> Option<Point> {
        let sum = self.2.sum_vartime(arithmetic, self.0, self.1);
        Some(sum.affine()?.point())
    }
}

fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    SystemRandom.try_fill_bytes(&mut bytes).unwrap();
    bytes
}

fn random_scalar() -> Scalar {
    Scalar::reduce(&random_bytes())
}

fn small(number: u64) -> Scalar {
    Scalar::reduce_number(&[number, 0, 0, 0])
}

fn negative(k: Scalar) -> Scalar {
    small(0) - k
}

fn power_of_two(exponent: usize) -> Limbs {
    let mut limbs = [0; 4];
    limbs[exponent / 64] = 1 << (exponent % 64);
    limbs
}

/// Small ones, powers of two and one less, repeated patterns, runs of ones, and all their negatives,
/// which are those near n.
fn edge_scalars() -> Vec<Scalar> {
    let mut numbers: Vec<Limbs> = (0..=130).map(|small| [small, 0, 0, 0]).collect();
    for exponent in 1..256 {
        numbers.push(power_of_two(exponent));
        numbers.push(subtract(&power_of_two(exponent), &[1, 0, 0, 0]).0);
    }
    for pattern in [
        0x5555_5555_5555_5555,
        0x8421_0842_1084_2108,
        0x8208_2082_0820_8208,
    ] {
        numbers.push([pattern; 4]);
        numbers.push([!pattern, u64::MAX, !pattern, pattern]);
        numbers.push([pattern, 0, u64::MAX, 0]);
    }
    numbers.push([0, 0, 0, u64::MAX]);
    numbers.push([u64::MAX; 4]);
    let scalars = numbers.iter().map(Scalar::reduce_number);
    scalars.flat_map(|k| [k, negative(k)]).collect()
}

fn to_theirs(k: &Scalar) -> TheirScalar {
    TheirScalar::from_repr(k.to_bytes().into()).unwrap()
}

fn from_theirs(point: ProjectivePoint) -> Option<Point> {
    let point = (!bool::from(point.is_identity())).then(|| point.to_affine())?;
    Some(Point::from_sec1(point.to_sec1_point(false).as_bytes()).unwrap())
}

fn point_to_theirs(point: &Point) -> ProjectivePoint {
    let encoded = Sec1Point::from_bytes(point.to_sec1()).unwrap();
    AffinePoint::from_sec1_point(&encoded).unwrap().into()
}

/// By the point and by the prepared point, which must agree.
fn sum_has_x(
    kernel: Kernel,
    u: &Scalar,
    v: &Scalar,
    (p, prepared): (&Point, &PreparedPoint),
    r: &Scalar,
) -> bool {
    let has_x = kernel.run(SumHasX { u, v, p, r });
    let p = prepared;
    assert_eq!(kernel.run(SumHasX { u, v, p, r }), has_x, "{kernel:?}");
    has_x
}

fn generator() -> Point {
    from_theirs(ProjectivePoint::GENERATOR).unwrap()
}

fn random_point() -> Point {
    Point::mul_base(&random_scalar()).unwrap()
}

#[test]
fn scalars_agree_with_rustcrypto() {
    let numbers = [
        [0; 4],
        [1, 0, 0, 0],
        subtract(&N, &[1, 0, 0, 0]).0,
        N,
        [N[0] + 1, N[1], N[2], N[3]],
        P,
        [0, 0, 0, u64::MAX],
        [u64::MAX; 4],
    ];
    let mut values = numbers.map(|number| to_be_bytes(&number)).to_vec();
    values.extend((0..40).map(|_| random_bytes()));
    for a in &values {
        let theirs = <TheirScalar as Reduce<FieldBytes>>::reduce(&(*a).into());
        let ours = Scalar::reduce(a);
        assert_eq!(ours.to_bytes()[..], theirs.to_repr()[..]);
        assert_eq!(ours.is_zero(), bool::from(theirs.is_zero()));
        let below = TheirScalar::from_repr((*a).into()).into_option();
        let nonzero = below.filter(|scalar| !bool::from(scalar.is_zero()));
        assert_eq!(
            Scalar::nonzero(a).map(|scalar| scalar.to_bytes()),
            nonzero.map(|scalar| scalar.to_repr().into())
        );
        let inverse = theirs.invert().unwrap_or(TheirScalar::ZERO);
        let inverse_by_us = Factor::inverse_of(&ours).times(&Scalar::ONE);
        assert_eq!(to_theirs(&inverse_by_us), inverse);
        for b in &values {
            let (other, their_other) = (Scalar::reduce(b), to_theirs(&Scalar::reduce(b)));
            assert_eq!(to_theirs(&(ours + other)), theirs + their_other);
            assert_eq!(to_theirs(&(ours - other)), theirs - their_other);
            let product = Factor::new(&ours).times(&other);
            assert_eq!(to_theirs(&product), theirs * their_other);
            assert_eq!(ours == other, theirs == their_other);
        }
    }
}

#[test]
fn bits_are_those_of_the_number() {
    let number = from_be_bytes(&random_bytes());
    let bit = |i: usize| number.get(i / 64).map_or(0, |limb| limb >> (i % 64) & 1);
    for from in 0..=256 {
        for width in [1, 5, 6, 9, 10] {
            let expected = (0..width).fold(0, |sum, i| sum | bit(from + i) << i);
            assert_eq!(bits(&number, from, width), expected, "{width} from {from}");
        }
    }
}

#[test]
fn multiples_of_g_agree_with_rustcrypto() {
    let mut scalars = edge_scalars();
    scalars.extend((0..100).map(|_| random_scalar()));
    for k in &scalars {
        let expected = from_theirs(ProjectivePoint::GENERATOR * to_theirs(k));
        for kernel in Kernel::all() {
            let shown = (kernel, k.number());
            assert!(kernel.run(MultipleOfG(k)) == expected, "{shown:x?}");
            assert!(
                kernel.run(Multiple(k, &generator())) == expected,
                "{shown:x?}"
            );
        }
    }
}

/// Each window of G's table in turn with each of its values.
#[test]
fn every_digit_of_every_window_agrees_with_rustcrypto() {
    for i in 0..WINDOWS {
        for digit in 0..1 << WINDOW {
            let shifted = u128::from(digit as u64) << (WINDOW * i % 64);
            let mut number = [0; 4];
            number[WINDOW * i / 64] = shifted as u64;
            if let Some(limb) = number.get_mut(WINDOW * i / 64 + 1) {
                *limb = (shifted >> 64) as u64;
            }
            let k = Scalar::reduce_number(&number);
            let expected = from_theirs(ProjectivePoint::GENERATOR * to_theirs(&k));
            for kernel in Kernel::all() {
                let found = kernel.run(MultipleOfG(&k));
                assert!(found == expected, "{kernel:?}, digit {digit} of window {i}");
            }
        }
    }
}

#[test]
fn multiples_of_points_agree_with_rustcrypto() {
    let p = random_point();
    let mut cases: Vec<_> = edge_scalars().into_iter().map(|k| (k, p)).collect();
    cases.extend((0..100).map(|_| (random_scalar(), random_point())));
    for (k, p) in &cases {
        let expected = from_theirs(point_to_theirs(p) * to_theirs(k));
        for kernel in Kernel::all() {
            let shown = (kernel, k.number());
            assert!(kernel.run(Multiple(k, p)) == expected, "{shown:x?}");
        }
    }
}

/// Sums of points are complete: equal ones, opposite ones.
#[test]
fn sums_agree_with_rustcrypto() {
    let points: Vec<_> = (1..=4)
        .map(small)
        .chain([random_scalar(), random_scalar()])
        .flat_map(|k| [k, negative(k)])
        .map(|k| Point::mul_base(&k).unwrap())
        .collect();
    for kernel in Kernel::all() {
        for p in &points {
            for q in &points {
                let expected = from_theirs(point_to_theirs(p) + point_to_theirs(q));
                assert!(kernel.run(Sum(p, q)) == expected, "{kernel:?}");
            }
        }
    }
}

/// With P = G, 2G, -G .. sums meet points equal and opposite to what is added, and infinity, again
/// and again.
#[test]
fn sums_of_multiples_agree_with_rustcrypto() {
    let d = random_scalar();
    let factors = [
        small(0),
        small(1),
        small(2),
        small(3),
        small(15),
        small(17),
        small(511),
        small(1 << 20),
        Scalar::reduce_number(&power_of_two(255)),
        Scalar::reduce_number(&[u64::MAX; 4]),
        random_scalar(),
    ];
    let factors: Vec<_> = factors.iter().flat_map(|k| [*k, negative(*k)]).collect();
    // The rows of tables of P = [2^36]G are those of G; with P = [1/2^36]G they are shifted.
    let shift = Scalar::reduce_number(&power_of_two(36));
    let unshift = Factor::inverse_of(&shift).times(&Scalar::ONE);
    let of_p = [small(1), small(2), small(3), small(31), d, shift, unshift];
    for p in of_p.iter().flat_map(|k| [*k, negative(*k)]) {
        let point = Point::mul_base(&p).unwrap();
        let their_point = point_to_theirs(&point);
        let prepared = point.prepare_vartime();
        for v in &factors {
            // u = -v p makes the sum infinity.
            let opposite = negative(Factor::new(v).times(&p));
            for u in factors.iter().chain([&opposite]) {
                let their_sum =
                    ProjectivePoint::GENERATOR * to_theirs(u) + their_point * to_theirs(v);
                let expected = from_theirs(their_sum);
                assert!(!std::ptr::eq(u, &opposite) || expected.is_none());
                for kernel in Kernel::all() {
                    let shown = (kernel, u.number(), v.number(), p.number());
                    let found = kernel.run(SumVartime(u, v, &point));
                    assert!(found == expected, "{shown:x?}");
                    let found = kernel.run(SumVartime(u, v, &prepared));
                    assert!(found == expected, "prepared: {shown:x?}");
                }
            }
        }
    }
}

#[test]
fn the_x_of_a_sum_is_compared_modulo_n() {
    for _ in 0..50 {
        let (u, v, p) = (random_scalar(), random_scalar(), random_point());
        let prepared = p.prepare_vartime();
        for kernel in Kernel::all() {
            let sum = kernel.run(SumVartime(&u, &v, &p)).unwrap();
            let has_x = |r: &Scalar| sum_has_x(kernel, &u, &v, (&p, &prepared), r);
            let r = sum.x_scalar();
            assert!(has_x(&r));
            assert!(!has_x(&(r + Scalar::ONE)));
            assert!(!has_x(&negative(r)));
        }
    }
}

/// A random point has an x above n with a chance of 2^-97 only; here are some that have.
#[test]
fn an_x_above_n_is_compared_modulo_n() {
    let zero = small(0);
    let mut found = 0;
    for i in 0..40 {
        let (number, carry) = {
            let sum = u128::from(N[0]) + i;
            (sum as u64, (sum >> 64) as u64)
        };
        let x = [number, N[1] + carry, N[2], N[3]];
        let mut encoded = [2; 33];
        encoded[1..].copy_from_slice(&to_be_bytes(&x));
        let Some(p) = Point::from_sec1(&encoded) else {
            continue;
        };
        found += 1;
        assert!(p.x_scalar() == small(i as u64));
        let prepared = p.prepare_vartime();
        for kernel in Kernel::all() {
            let has_x = |r: &Scalar| sum_has_x(kernel, &zero, &Scalar::ONE, (&p, &prepared), r);
            assert!(has_x(&small(i as u64)), "{kernel:?}");
            assert!(!has_x(&small(i as u64 + 1)), "{kernel:?}");
        }
    }
    assert!(found >= 10, "only {found} points");
}

#[test]
fn infinity_has_no_x() {
    let p = random_point();
    let minus_p = Point::mul_base(&negative(Scalar::ONE)).unwrap();
    for kernel in Kernel::all() {
        for (u, v, p) in [
            (small(0), small(0), &p),
            (small(1), small(1), &minus_p),
            (small(7), small(7), &minus_p),
        ] {
            for r in [small(0), small(1), generator().x_scalar()] {
                let both = (p, &p.prepare_vartime());
                assert!(!sum_has_x(kernel, &u, &v, both, &r), "{kernel:?}");
            }
        }
    }
}

#[test]
fn points_are_read_and_written_as_by_rustcrypto() {
    let mut encodings: Vec<Vec<u8>> = Vec::new();
    for i in 0..60 {
        // Every other x has a point.
        let x = match i {
            0..20 => to_be_bytes(&[i, 0, 0, 0]),
            20..40 => to_be_bytes(&subtract(&P, &[i - 20, 0, 0, 0]).0),
            _ => random_bytes(),
        };
        encodings.push([&[2][..], &x].concat());
        encodings.push([&[3][..], &x].concat());
    }
    for _ in 0..20 {
        let point = random_point().to_sec1();
        encodings.push(point.to_vec());
        for at in [1, 32, 33, 64] {
            let mut off_the_curve = point;
            off_the_curve[at] ^= 1;
            encodings.push(off_the_curve.to_vec());
        }
        for form in [0, 1, 5, 6, 7, 0xff] {
            encodings.push([&[form][..], &point[1..]].concat());
        }
        encodings.push(point[..64].to_vec());
        encodings.push([&point[..], &[0]].concat());
        encodings.push([&[4][..], &point[1..33]].concat());
        encodings.push([&[2][..], &point[1..]].concat());
    }
    encodings.extend([vec![], vec![0], vec![2], vec![4], vec![0; 65], vec![4; 65]]);
    // A point whose x, or y, is p more than it should be.
    let smallest = (0..10u8)
        .find_map(|x| {
            let mut encoded = [0; 33];
            (encoded[0], encoded[32]) = (2, x);
            Point::from_sec1(&encoded)
        })
        .unwrap();
    let mut raised = smallest.to_sec1();
    let x = from_be_bytes(raised[1..33].try_into().unwrap());
    let (x, _) = subtract(&x, &subtract(&[0; 4], &P).0);
    raised[1..33].copy_from_slice(&to_be_bytes(&x));
    encodings.push(raised.to_vec());

    let (mut good, mut refused) = (0, 0);
    for encoding in &encodings {
        let plain = matches!(
            (encoding.first(), encoding.len()),
            (Some(4), 65) | (Some(2 | 3), 33)
        );
        let expected = ::sm2::PublicKey::from_sec1_bytes(encoding)
            .ok()
            .filter(|_| plain)
            .map(|key| key.to_sec1_point(false).as_bytes().to_vec());
        for kernel in Kernel::all() {
            let found = kernel.run(Decode(encoding));
            let encoded = found.map(|point| kernel.run(Encode(&point)).to_vec());
            assert_eq!(encoded, expected, "{kernel:?} {encoding:x?}");
        }
        match expected {
            Some(_) => good += 1,
            None => refused += 1,
        }
    }
    assert!(good > 40 && refused > 200, "{good} good, {refused} refused");
}

/// Needs no other implementation.
#[test]
fn the_group_obeys_its_laws() {
    for kernel in Kernel::all() {
        let sum = |p: &Point, q: &Point| kernel.run(Sum(p, q));
        let base = |k: &Scalar| kernel.run(MultipleOfG(k));
        let times = |k: &Scalar, p: &Point| kernel.run(Multiple(k, p));
        for _ in 0..20 {
            let (p, q, r) = (random_point(), random_point(), random_point());
            let (a, b) = (random_scalar(), random_scalar());
            assert!(
                sum(&sum(&p, &q).unwrap(), &r) == sum(&p, &sum(&q, &r).unwrap()),
                "{kernel:?}: (P + Q) + R = P + (Q + R)"
            );
            assert!(sum(&p, &q) == sum(&q, &p), "{kernel:?}: P + Q = Q + P");
            assert!(
                sum(&base(&a).unwrap(), &base(&b).unwrap()) == base(&(a + b)),
                "{kernel:?}: [a]G + [b]G = [a + b]G"
            );
            assert!(
                times(&a, &times(&b, &p).unwrap()) == times(&Factor::new(&a).times(&b), &p),
                "{kernel:?}: [a][b]P = [ab]P"
            );
            assert!(
                kernel.run(SumVartime(&a, &b, &p))
                    == sum(&base(&a).unwrap(), &times(&b, &p).unwrap()),
                "{kernel:?}: [a]G + [b]P"
            );
        }
        // n G = infinity: (n - 1) G = -G.
        let minus_g = base(&negative(Scalar::ONE)).unwrap();
        assert!(sum(&minus_g, &generator()).is_none());
        assert!(base(&small(0)).is_none());
        assert!(times(&small(0), &generator()).is_none());
    }
}
