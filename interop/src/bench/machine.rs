//! What we run on.

use std::fs;

/// The processor, and what of it this library may use.
pub struct Machine {
    /// The model's name as the system gives it.
    pub processor: String,
    /// The special instructions in use, by the names that `SHANGMI_CPU_DISABLE` takes.
    pub instructions: Vec<&'static str>,
    /// `SHANGMI_CPU_DISABLE`.
    pub disabled: String,
}

impl Machine {
    /// The one we run on.
    pub fn here() -> Self {
        let disabled = std::env::var("SHANGMI_CPU_DISABLE").unwrap_or_default();
        let hidden = |name: &str| {
            let mut words = disabled.split(',').map(str::trim);
            words.any(|word| word == name || word == "all")
        };
        let instructions = detected()
            .into_iter()
            .filter(|name| !hidden(name))
            .collect();
        Self {
            processor: processor(),
            instructions,
            disabled,
        }
    }

    /// Whether this is the kind of processor for which the promised ratios are made, with all that
    /// AMD Zen 3 has.
    pub fn promised(&self) -> bool {
        const ZEN_3: [&str; 8] = [
            "ssse3",
            "aes",
            "pclmulqdq",
            "avx",
            "avx2",
            "vaes",
            "vpclmulqdq",
            "bmi2",
        ];
        ZEN_3.iter().all(|name| self.instructions.contains(name))
    }
}

fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Vec<&'static str> {
    macro_rules! detected {
        ($($name:literal = $feature:tt),+ $(,)?) => {
            [$(($name, std::arch::is_x86_feature_detected!($feature))),+]
        };
    }
    let all = detected!(
        "ssse3" = "ssse3",
        "aes" = "aes",
        "pclmulqdq" = "pclmulqdq",
        "avx" = "avx",
        "avx2" = "avx2",
        "vaes" = "vaes",
        "vpclmulqdq" = "vpclmulqdq",
        "gfni" = "gfni",
        "avx512" = "avx512bw",
        "bmi2" = "bmi2",
    );
    all.into_iter()
        .filter(|(_, found)| *found)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Vec<&'static str> {
    Vec::new()
}
