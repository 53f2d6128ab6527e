//! What this processor can do, as proofs: a value of one of these types exists only where the
//! instructions that it stands for may be used.
//!
//! `SHANGMI_CPU_DISABLE=vaes,gfni` hides instructions from this library, so that tests reach the
//! kernels of lesser processors. It can only make the library slower: every kernel gives the same
//! results in constant time.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]

use std::sync::OnceLock;

/// The names that `SHANGMI_CPU_DISABLE` takes, as the processor's own flags are called.
#[cfg(target_arch = "x86_64")]
pub(crate) const NAMES: &[&str] = &[
    "ssse3",
    "aes",
    "pclmulqdq",
    "avx",
    "avx2",
    "vaes",
    "vpclmulqdq",
    "gfni",
    "avx512",
    "bmi2",
];

/// The names that `SHANGMI_CPU_DISABLE` takes: there are none but on x86-64.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const NAMES: &[&str] = &[];

/// Declares proof tokens: the instructions (one macro call each) that must all be there.
#[cfg(target_arch = "x86_64")]
macro_rules! tokens {
    ($($(#[$doc:meta])* $token:ident: $($name:literal = [$($feature:tt),+]),+;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct $token(());

            impl $token {
                /// The proof, where this processor has the instructions and nothing hides them.
                #[inline]
                pub(crate) fn check() -> Option<Self> {
                    static FOUND: OnceLock<bool> = OnceLock::new();
                    let found = FOUND.get_or_init(|| {
                        $(
                            $(std::arch::is_x86_feature_detected!($feature))&&+
                                && !disabled($name)
                        )&&+
                    });
                    found.then_some(Self(()))
                }
            }
        )+
    };
}

#[cfg(target_arch = "x86_64")]
tokens! {
    /// AES-NI and PCLMULQDQ in 128-bit AVX encoding: what every server processor of the last ten
    /// years has, Hygon's among them.
    AesAvx: "ssse3" = ["ssse3"], "aes" = ["aes"], "pclmulqdq" = ["pclmulqdq"], "avx" = ["avx"];
    /// 256-bit AES and carry-less multiplication: AMD Zen 3, Intel Ice Lake and later.
    VaesAvx2: "ssse3" = ["ssse3"], "aes" = ["aes"], "pclmulqdq" = ["pclmulqdq"], "avx" = ["avx"],
        "avx2" = ["avx2"], "vaes" = ["vaes"], "vpclmulqdq" = ["vpclmulqdq"];
    /// 256-bit affine transformations over GF(2^8) and carry-less multiplication: Intel Ice Lake,
    /// AMD Zen 4 and later.
    GfniAvx2: "ssse3" = ["ssse3"], "pclmulqdq" = ["pclmulqdq"], "avx" = ["avx"],
        "avx2" = ["avx2"], "vpclmulqdq" = ["vpclmulqdq"], "gfni" = ["gfni"];
    /// As `GfniAvx2`, in 512 bits.
    GfniAvx512: "ssse3" = ["ssse3"], "pclmulqdq" = ["pclmulqdq"], "avx" = ["avx"],
        "avx2" = ["avx2"], "vpclmulqdq" = ["vpclmulqdq"], "gfni" = ["gfni"],
        "avx512" = ["avx512f", "avx512bw", "avx512vl", "avx512dq"];
    /// 128-bit vectors in AVX's encoding of three operands.
    Avx: "avx" = ["avx"];
    /// 256-bit integer vectors.
    Avx2: "avx" = ["avx"], "avx2" = ["avx2"];
    /// Rotations and AND-NOT without flags (RORX, ANDN), and MULX.
    Bmi2: "bmi2" = ["bmi1", "bmi2"];
}

/// Whether `SHANGMI_CPU_DISABLE` names these instructions.
#[cfg(target_arch = "x86_64")]
fn disabled(name: &str) -> bool {
    static DISABLED: OnceLock<Vec<&str>> = OnceLock::new();
    let disabled = DISABLED.get_or_init(|| {
        let list = std::env::var_os("SHANGMI_CPU_DISABLE").unwrap_or_default();
        parse(&list.to_string_lossy())
    });
    disabled.contains(&name)
}

/// The names in a list with commas; `all` stands for all. What is no name is reported and ignored.
fn parse(list: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for word in list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        if word == "all" {
            found.extend(NAMES);
        } else if let Some(name) = NAMES.iter().find(|name| **name == word) {
            found.push(*name);
        } else {
            // Not to `tracing`: a subscriber that itself uses this library would wait for itself.
            eprintln!(
                "SHANGMI_CPU_DISABLE: `{word}` is not one of all, {}",
                NAMES.join(", ")
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read() {
        assert_eq!(parse(""), [""; 0]);
        assert_eq!(parse("all"), NAMES);
        assert_eq!(parse("nonsense"), [""; 0]);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(parse(" vaes,gfni ,"), ["vaes", "gfni"]);
    }
}
