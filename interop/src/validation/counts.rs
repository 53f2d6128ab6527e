//! What the tests that others' answers judge have run, counted in what they print: each is run anew.

use std::process::Command;

use super::{Error, Options, Row};

/// A test, and the beginning of the lines that it prints, in which the first number counts.
struct Count {
    name: &'static str,
    arguments: &'static [&'static str],
    line: &'static str,
}

const COUNTS: &[Count] = &[
    Count {
        name: "injected self-test failures, each ended in the error state",
        arguments: &[
            "-p",
            "shangmi",
            "--all-features",
            "--lib",
            "every_injected_failure",
        ],
        line: "injected failures: ",
    },
    Count {
        name: "NIST CAVP answers of DRBGs (SHA-256, AES)",
        arguments: &["-p", "shangmi", "--all-features", "--test", "drbg"],
        line: "vectors nist/",
    },
    Count {
        name: "SM DRBG cases that agree with OpenSSL and Tongsuo",
        arguments: &["-p", "shangmi-interop", "--test", "drbg"],
        line: "drbg ",
    },
    Count {
        name: "ACVP cases answered as expected, all sets",
        arguments: &["-p", "shangmi", "--all-features", "--test", "acvp"],
        line: "acvp ",
    },
    Count {
        name: "ACVP cases, AES-GCM",
        arguments: &["-p", "shangmi", "--all-features", "--test", "acvp"],
        line: "acvp aes_gcm",
    },
    Count {
        name: "ACVP cases, SHA-2",
        arguments: &["-p", "shangmi", "--all-features", "--test", "acvp"],
        line: "acvp sha2",
    },
    Count {
        name: "ACVP cases, HMAC-SHA-2",
        arguments: &["-p", "shangmi", "--all-features", "--test", "acvp"],
        line: "acvp hmac_sha2",
    },
    Count {
        name: "edge cases in Wycheproof's schema",
        arguments: &["-p", "shangmi", "--all-features", "--test", "edge_cases"],
        line: "vectors wycheproof/",
    },
    Count {
        name: "sensitive security parameters, each with a zeroization test",
        arguments: &["-p", "shangmi", "--all-features", "--test", "claims"],
        line: "SSPs ",
    },
];

pub(super) fn rows(_: &Options, print: &mut dyn FnMut(&Row)) -> Result<(), Error> {
    for count in COUNTS {
        print(&Row::plain(count.name, count.run()? as f64, "1"));
    }
    Ok(())
}

impl Count {
    /// Runs the test, which must pass, and adds up what its lines say.
    fn run(&self) -> Result<u64, Error> {
        let output = Command::new("cargo")
            .args(["test", "--locked", "--quiet"])
            .args(self.arguments)
            .args(["--", "--nocapture", "--test-threads=1"])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            return Err(format!("{}: the test failed:\n{text}", self.name).into());
        }
        let numbers = text.lines().filter(|line| line.starts_with(self.line));
        let numbers = numbers.map(|line| {
            line.split([' ', ',', ':'])
                .find_map(|word| word.parse::<u64>().ok())
                .ok_or_else(|| format!("{}: no number in `{line}`", self.name))
        });
        let sum = numbers.sum::<Result<u64, String>>()?;
        if sum == 0 {
            return Err(format!("{}: nothing was counted in:\n{text}", self.name).into());
        }
        Ok(sum)
    }
}
