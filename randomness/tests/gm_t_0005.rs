//! The answers of others: the examples of GM/T 0005-2021, annex C, NIST's for the expansion of e, and an
//! independent implementation's for every row of the battery.

use std::sync::LazyLock;

use num_bigint::BigUint;
use shangmi_randomness::statistics::{
    Direction, LONGEST_8, Values, approximate_entropy, autocorrelation, binary_derivative,
    block_frequency, cumulative_sums, discrete_fourier, frequency, linear_complexity, longest_run,
    matrix_rank, poker, run_distribution, runs, serial, universal,
};
use shangmi_randomness::{Bits, TESTS};

/// The sequence of 128 bits in annex C, also the one of NIST SP 800-22 rev. 1a, 2.4.8.
static BITS_128: LazyLock<Bits> = LazyLock::new(|| {
    bits(
        "11001100000101010110110001001100111000000000001001001101010100010001001111010110100000001101\
         011111001100111001101101100010110010",
    )
});

/// The sequence of 100 bits in annex C, also the one of NIST SP 800-22 rev. 1a, 2.1.8.
static BITS_100: LazyLock<Bits> = LazyLock::new(|| {
    bits(
        "11001001000011111101101010100010001000010110100011000010001101001100010011000110011000101000\
         10111000",
    )
});

/// The first 10^6 bits of the binary expansion of e, from its integer part on.
static E: LazyLock<Bits> = LazyLock::new(|| {
    const LEN: usize = 1_000_000;
    // 70000! has 1025000 bits: what is left out changes none of these.
    let (numerator, denominator) = inverse_factorials(0, 70_000);
    let bytes = (((numerator + &denominator) << (LEN - 2)) / denominator).to_bytes_be();
    Bits::from_bytes(&bytes, LEN)
});

/// The sum of a!/k! over a < k <= b, and its denominator b!/a!.
fn inverse_factorials(a: u32, b: u32) -> (BigUint, BigUint) {
    if b - a == 1 {
        return (BigUint::from(1_u32), BigUint::from(b));
    }
    let middle = a.midpoint(b);
    let (low, low_denominator) = inverse_factorials(a, middle);
    let (high, high_denominator) = inverse_factorials(middle, b);
    (
        low * &high_denominator + high,
        low_denominator * high_denominator,
    )
}

/// P as annex C gives it: the Tongsuo project quotes these values, "Test vectors from GM/T 0005-2021,
/// Appendix C", in its test/smtc_rand_self_test.c. Q, and the values for poker with m = 8 and for zeros, as
/// in the tests of github.com/Trisia/randomness.
#[test]
fn examples_of_annex_c() {
    let [serial_1, serial_2] = serial(&BITS_128, 2);
    for (name, values, p, q) in [
        ("5.1", frequency(&BITS_128), 0.215925, 0.892038),
        ("5.2", block_frequency(&BITS_100, 10), 0.706438, 0.706438),
        ("5.3", poker(&BITS_128, 4), 0.213734, 0.213734),
        ("5.3", poker(&BITS_128, 8), 0.221829, 0.221829),
        ("5.4 P1", serial_1, 0.436868, 0.436868),
        ("5.4 P2", serial_2, 0.723674, 0.723674),
        ("5.5", runs(&BITS_128), 0.620729, 0.310364),
        ("5.6", run_distribution(&BITS_128), 0.970152, 0.970152),
        (
            "5.7 ones",
            longest_run(&BITS_128, true, &LONGEST_8),
            0.180598,
            0.180598,
        ),
        (
            "5.7 zeros",
            longest_run(&BITS_128, false, &LONGEST_8),
            0.839299,
            0.839299,
        ),
        ("5.8", binary_derivative(&BITS_128, 3), 0.039669, 0.980166),
        ("5.9", autocorrelation(&BITS_128, 1), 0.790080, 0.395040),
        ("5.10", matrix_rank(&E), 0.307543, 0.307543),
        (
            "5.11 forward",
            cumulative_sums(&BITS_100, Direction::Forward),
            0.219194,
            0.219194,
        ),
        (
            "5.11 backward",
            cumulative_sums(&BITS_100, Direction::Backward),
            0.114866,
            0.114866,
        ),
        (
            "5.12",
            approximate_entropy(&BITS_100, 2),
            0.235301,
            0.235301,
        ),
        ("5.13", linear_complexity(&E, 1000), 0.844721, 0.844721),
        ("5.14", universal(&E), 0.282568, 0.141284),
        ("5.15", discrete_fourier(&BITS_100), 0.654721, 0.327360),
    ] {
        assert_values(name, values, p, q);
    }
}

/// NIST SP 800-22 rev. 1a, appendix B: P values for e, where the two standards agree in formula and
/// numbers; the parameters there are other ones than the battery's.
#[test]
fn nists_examples_for_e() {
    let [serial_1, serial_2] = serial(&E, 16);
    for (name, values, p) in [
        ("frequency", frequency(&E), 0.953749),
        (
            "block frequency, m = 128",
            block_frequency(&E, 128),
            0.211072,
        ),
        (
            "cumulative sums, forward",
            cumulative_sums(&E, Direction::Forward),
            0.669887,
        ),
        (
            "cumulative sums, backward",
            cumulative_sums(&E, Direction::Backward),
            0.724266,
        ),
        ("runs", runs(&E), 0.561917),
        ("universal", universal(&E), 0.282568),
        (
            "approximate entropy, m = 10",
            approximate_entropy(&E, 10),
            0.700073,
        ),
        ("serial, m = 16, P1", serial_1, 0.766182),
        ("serial, m = 16, P2", serial_2, 0.462921),
    ] {
        assert!(
            (values.p - p).abs() < 1.5e-6,
            "{name}: {}, not {p}",
            values.p
        );
    }
}

/// NIST's P value for e, 0.847187, is that of 21 peaks more or less than the 475000 expected, with n 0.95
/// 0.05 / 4 as the variance. The same 21 with the variance of GM/T 0005-2021 give this one.
#[test]
fn nists_example_of_the_spectrum_with_the_other_variance() {
    let p = discrete_fourier(&E).p;
    assert!((p - 0.851010).abs() < 1e-6, "{p}");
}

/// P and Q for e, computed with github.com/Trisia/randomness (Go, v1.5.2), in the order of the battery; without
/// the last row, the discrete Fourier test, for which it pads the sequence.
#[test]
fn every_row_as_an_independent_implementation() {
    let expected = [
        (0.953748629, 0.476874314),
        (0.676226724, 0.676226724),
        (0.656093720, 0.656093720),
        (0.023946721, 0.023946721),
        (0.695133833, 0.695133833),
        (0.390330290, 0.390330290),
        (0.225782702, 0.225782702),
        (0.057499206, 0.057499206),
        (0.561916885, 0.719041557),
        (0.772411888, 0.772411888),
        (0.718354782, 0.718354782),
        (0.437860547, 0.437860547),
        (0.417364972, 0.791317514),
        (0.760365339, 0.619817330),
        (0.561240258, 0.719379871),
        (0.702461081, 0.351230541),
        (0.352369158, 0.176184579),
        (0.912408677, 0.543795661),
        (0.307543494, 0.307543494),
        (0.669886464, 0.669886464),
        (0.724265310, 0.724265310),
        (0.695108738, 0.695108738),
        (0.361687632, 0.361687632),
        (0.826194004, 0.826194004),
        (0.844720646, 0.844720646),
        (0.282567948, 0.141283974),
    ];
    for (test, (p, q)) in TESTS.iter().zip(expected) {
        assert_values(test.name, (test.values)(&E), p, q);
    }
}

fn assert_values(name: &str, values: Values, p: f64, q: f64) {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
    assert!(
        near(values.p, p) && near(values.q, q),
        "{name}: {values:?}, not {p}, {q}"
    );
}

fn bits(text: &str) -> Bits {
    text.bytes().map(|c| c == b'1').collect()
}
