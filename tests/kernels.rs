//! Which kernels this process uses, for the record of a test run, and that `SHANGMI_CPU_DISABLE` is
//! what decides it besides the processor.

// Helpers of a test are test code, which clippy sees in `#[test]` functions only.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use shangmi::kernels;

/// The kernels of SM4, the best one first, with what hides it from a processor that has all.
const SM4: [(&str, &str); 4] = [
    ("GFNI + AVX-512", "avx512"),
    ("GFNI + AVX2", "gfni"),
    ("VAES + AVX2", "vaes"),
    ("AES-NI + AVX", "aes"),
];

#[test]
fn the_kernels_of_this_run() {
    let hidden = std::env::var("SHANGMI_CPU_DISABLE").unwrap_or_default();
    println!("\nkernels with `{hidden}` hidden: {}", kernels());
    if hidden == "all" {
        let kernels = kernels();
        let names = [kernels.sm2, kernels.sm3, kernels.sm4];
        assert_eq!(names, ["portable"; 3]);
    }
    for (name, instructions) in SM4 {
        let is_hidden = hidden.split(',').any(|word| word == instructions);
        assert!(!is_hidden || kernels().sm4 != name);
    }
}

/// Tells of every kernel that no run on this machine can reach.
#[test]
fn hiding_instructions_leads_from_kernel_to_kernel() {
    let mut hidden = String::new();
    let mut reached = vec![sm4_without(&hidden)];
    for (name, instructions) in SM4 {
        hidden = format!("{hidden},{instructions}");
        let kernel = sm4_without(&hidden);
        assert_ne!(kernel, name);
        reached.push(kernel);
    }
    assert_eq!(reached.last().unwrap(), "portable");
    for (name, _) in SM4 {
        if !reached.iter().any(|kernel| kernel == name) {
            println!("\nkernel not executed on this machine: SM4 {name}");
        }
    }
    let all = kernels_without("");
    for name in ["SM2 MULX", "SM3 BMI2 + AVX"] {
        if !all.contains(name) {
            println!("\nkernel not executed on this machine: {name}");
        }
    }
    let without_bmi2 = kernels_without("bmi2");
    assert!(without_bmi2.starts_with("SM2 portable, SM3 portable"));
}

/// What a process with these instructions hidden says.
fn kernels_without(hidden: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["the_kernels_of_this_run", "--exact", "--nocapture"])
        .env("SHANGMI_CPU_DISABLE", hidden)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("kernels with"));
    line.unwrap().split_once("hidden: ").unwrap().1.to_owned()
}

fn sm4_without(hidden: &str) -> String {
    kernels_without(hidden)
        .split_once("SM4 ")
        .unwrap()
        .1
        .to_owned()
}
