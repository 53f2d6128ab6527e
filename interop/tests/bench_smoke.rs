//! The benchmark must not rot: every row is done once with everyone, and everyone gives the same
//! result. So libgcrypt, Botan, OpenSSL, Tongsuo and RustCrypto are witnesses to our modes, digests and
//! signatures too. No time is looked at.

use std::process::Command;

#[test]
fn every_contender_does_its_rows_and_gives_what_we_give() {
    // In a process of its own, since the benchmark starts itself again with other settings.
    let run = Command::new(env!("CARGO_BIN_EXE_figures"))
        .arg("agree")
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}{complaint}");
    print!("{said}");

    let sm = [
        "Ours",
        "Libgcrypt",
        "Botan",
        "OpenSsl",
        "Tongsuo",
        "RustCrypto",
    ];
    let all = [&sm[..], &["AwsLc"]].concat();
    let tls = ["Ours", "OpenSsl", "Tongsuo", "AwsLc"];
    let without = |name: &str| -> Vec<_> { all.iter().copied().filter(|n| *n != name).collect() };
    let portable = [&["OursPortable"], &sm[1..]].concat();
    let expected = [
        ("SM4-GCM seal, 16 KiB", &all[..]),
        ("SM4-GCM open, 16 KiB", &all),
        ("SM4-GCM seal, 1,350 B", &all),
        ("SM4-GCM seal, 64 B", &all),
        ("SM4-CBC encryption, 16 KiB", &sm),
        ("SM4-CCM seal, 16 KiB", &sm),
        ("SM3, 16 KiB", &all),
        ("SM3, 64 B", &all),
        ("SM2 sign", &all),
        ("SM2 key generation", &without("Libgcrypt")),
        ("SM2 verify", &all),
        ("SM2 ECDH derive", &without("Libgcrypt")),
        ("RFC 8998 mutual handshake, both ends on one thread", &tls),
        ("application data, records of 16 KiB", &tls),
        ("portable SM4-CTR, 16 KiB", &portable),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(row, who)| format!("agreed {row}: [{}]", who.join(", ")))
        .collect();
    let agreed: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("agreed "))
        .collect();
    assert_eq!(agreed, expected);
}
