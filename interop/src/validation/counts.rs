//! What the tests that others' answers judge have run, counted in what they print: each is run anew, once.

use std::process::Command;

use super::{Error, Options, Row};

/// A test, and what is counted in its lines.
struct Run {
    package: &'static str,
    /// Which target, and which of its tests.
    arguments: &'static [&'static str],
    counts: &'static [Count],
}

/// What the lines with this beginning count, by their first number.
struct Count(&'static str, &'static str);

const RUNS: &[Run] = &[
    Run {
        package: "shangmi",
        arguments: &["--lib", "every_injected_failure"],
        counts: &[Count(
            "injected self-test failures, each ended in the error state",
            "injected failures: ",
        )],
    },
    Run {
        package: "shangmi",
        arguments: &["--test", "drbg"],
        counts: &[Count(
            "NIST CAVP answers of DRBGs (SHA-256, AES)",
            "vectors nist/",
        )],
    },
    Run {
        package: "shangmi-interop",
        arguments: &["--test", "drbg"],
        counts: &[Count(
            "SM DRBG cases that agree with OpenSSL and Tongsuo",
            "drbg ",
        )],
    },
    Run {
        package: "shangmi",
        arguments: &["--test", "acvp"],
        counts: &[
            Count("ACVP cases answered as expected, all sets", "acvp "),
            Count("ACVP cases, AES-GCM", "acvp aes_gcm"),
            Count("ACVP cases, SHA-2", "acvp sha2"),
            Count("ACVP cases, HMAC-SHA-2", "acvp hmac_sha2"),
        ],
    },
    Run {
        package: "shangmi",
        arguments: &["--test", "edge_cases"],
        counts: &[Count(
            "edge cases in Wycheproof's schema",
            "vectors wycheproof/",
        )],
    },
    Run {
        package: "shangmi",
        arguments: &["--test", "claims"],
        counts: &[Count(
            "sensitive security parameters, each with a zeroization test",
            "SSPs ",
        )],
    },
];

pub(super) fn rows(_: &Options, print: &mut dyn FnMut(&Row)) -> Result<(), Error> {
    for run in RUNS {
        let text = run.output()?;
        for count in run.counts {
            print(&Row::plain(count.0, count.sum(&text)? as f64, "1"));
        }
    }
    Ok(())
}

impl Run {
    /// What the test prints, which must pass.
    fn output(&self) -> Result<String, Error> {
        let output = Command::new("cargo")
            .args(["test", "--locked", "--quiet", "--all-features"])
            .args(["-p", self.package])
            .args(self.arguments)
            .args(["--", "--nocapture", "--test-threads=1"])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(format!("{} {:?} failed:\n{text}", self.package, self.arguments).into()),
        }
    }
}

impl Count {
    fn sum(&self, text: &str) -> Result<u64, Error> {
        let Self(name, beginning) = self;
        let lines = text.lines().filter(|line| line.starts_with(beginning));
        let numbers = lines.map(|line| {
            line.split([' ', ',', ':'])
                .find_map(|word| word.parse::<u64>().ok())
                .ok_or_else(|| format!("{name}: no number in `{line}`"))
        });
        match numbers.sum::<Result<u64, String>>()? {
            0 => Err(format!("{name}: nothing was counted in:\n{text}").into()),
            sum => Ok(sum),
        }
    }
}
