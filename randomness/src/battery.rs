//! The tests with their parameters.

use crate::bits::Bits;
use crate::statistics::{
    Direction::{Backward, Forward},
    LONGEST_10000, Values, approximate_entropy, autocorrelation, binary_derivative,
    block_frequency, cumulative_sums, discrete_fourier, frequency, linear_complexity, longest_run,
    matrix_rank, poker, run_distribution, runs, serial, universal,
};

/// One test with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// What it is called, with its parameters.
    pub name: &'static str,
    /// The clause that defines it.
    pub clause: &'static str,
    /// Tests a sequence.
    pub values: fn(&Bits) -> Values,
}

/// The tests for sequences of 10^6 bits (annex A).
pub static TESTS: [Test; 27] = [
    test("5.1", "monobit frequency", frequency),
    test("5.2", "block frequency, m = 10000", |bits| {
        block_frequency(bits, 10_000)
    }),
    test("5.3", "poker, m = 4", |bits| poker(bits, 4)),
    test("5.3", "poker, m = 8", |bits| poker(bits, 8)),
    test("5.4", "serial, m = 3, P1", |bits| serial(bits, 3)[0]),
    test("5.4", "serial, m = 3, P2", |bits| serial(bits, 3)[1]),
    test("5.4", "serial, m = 5, P1", |bits| serial(bits, 5)[0]),
    test("5.4", "serial, m = 5, P2", |bits| serial(bits, 5)[1]),
    test("5.5", "runs", runs),
    test("5.6", "run distribution", run_distribution),
    test("5.7", "longest run of ones, m = 10000", |bits| {
        longest_run(bits, true, &LONGEST_10000)
    }),
    test("5.7", "longest run of zeros, m = 10000", |bits| {
        longest_run(bits, false, &LONGEST_10000)
    }),
    test("5.8", "binary derivative, k = 3", |bits| {
        binary_derivative(bits, 3)
    }),
    test("5.8", "binary derivative, k = 7", |bits| {
        binary_derivative(bits, 7)
    }),
    test("5.9", "autocorrelation, d = 1", |bits| {
        autocorrelation(bits, 1)
    }),
    test("5.9", "autocorrelation, d = 2", |bits| {
        autocorrelation(bits, 2)
    }),
    test("5.9", "autocorrelation, d = 8", |bits| {
        autocorrelation(bits, 8)
    }),
    test("5.9", "autocorrelation, d = 16", |bits| {
        autocorrelation(bits, 16)
    }),
    test("5.10", "matrix rank", matrix_rank),
    test("5.11", "cumulative sums, forward", |bits| {
        cumulative_sums(bits, Forward)
    }),
    test("5.11", "cumulative sums, backward", |bits| {
        cumulative_sums(bits, Backward)
    }),
    test("5.12", "approximate entropy, m = 2", |bits| {
        approximate_entropy(bits, 2)
    }),
    test("5.12", "approximate entropy, m = 5", |bits| {
        approximate_entropy(bits, 5)
    }),
    test("5.13", "linear complexity, m = 500", |bits| {
        linear_complexity(bits, 500)
    }),
    test("5.13", "linear complexity, m = 1000", |bits| {
        linear_complexity(bits, 1000)
    }),
    test("5.14", "universal, L = 7, Q = 1280", universal),
    test("5.15", "discrete Fourier", discrete_fourier),
];

const fn test(clause: &'static str, name: &'static str, values: fn(&Bits) -> Values) -> Test {
    Test {
        name,
        clause,
        values,
    }
}
