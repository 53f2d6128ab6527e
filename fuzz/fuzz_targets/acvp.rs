//! ACVP vector sets: whatever a request says, it is answered or refused within its limits, and an answer
//! is well-formed: it can be compared, and is the same as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shangmi::acvp::{Limits, compare, run_within};
use shangmi_fuzz as _;

/// Enough for a Monte Carlo test of a hash.
const LIMITS: Limits = Limits {
    work: 1 << 24,
    answer: 1 << 20,
};

fuzz_target!(|data: &[u8]| {
    let Ok(request) = std::str::from_utf8(data) else {
        return;
    };
    _ = compare(request, request);
    let Ok(response) = run_within(request, LIMITS) else {
        return;
    };
    // Numbers of cases need not be unique in a request; a comparison wants them so.
    if let Ok(comparison) = compare(&response, &response) {
        assert!(comparison.differences.is_empty());
    }
});
