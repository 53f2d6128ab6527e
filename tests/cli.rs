//! The command `shangmi`, run as a user would: on the test token, which lives in the command's own
//! process and is made by order, and on SoftHSM2, which keeps its keys on disk.
#![cfg(all(feature = "cli", feature = "rustls"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::Value;
use shangmi::pki;
use shangmi_testtoken::{Behaviour, module_path};

use common::softhsm::SOFTHSM;

const PIN: &str = "a-secret-PIN-of-the-test";

/// Orders that make a token with a key.
const TOKEN: &str = "token=bank:a-secret-PIN-of-the-test;key=server:01";

#[test]
fn probe_tells_each_vendor_apart_and_tries_its_key() {
    for (vendor, key_type, mechanism, name, encoding) in [
        (
            "luna",
            0x8000_0016_u64,
            0x8000_0B21_u64,
            "CKM_SM2DSA",
            "r || s",
        ),
        ("sansec", 0x8000_0004, 0x8000_8104, "CKM_SM2_SIGN", "DER"),
        ("tass", 0x8000_0004, 0x8000_8000, "CKM_SM2", "DER"),
        (
            "ibm-ep11",
            0x8005_0002,
            0x8005_000B,
            "CKM_IBM_SM2",
            "r || s",
        ),
    ] {
        let report = probe(&format!("profile={vendor};{TOKEN}"), &[]);
        assert_eq!(report["findings"], Value::Array(Vec::new()), "{vendor}");
        assert_eq!(report["profile"]["name"], vendor);
        assert_eq!(report["profile"]["detected"], true);
        assert_eq!(report["profile"]["key_type"], key_type);
        assert_eq!(report["profile"]["mechanism"], mechanism);
        let limits = report["profile"]["limits"].as_array().unwrap().len();
        assert_eq!(limits > 0, vendor == "luna");

        let token = &report["slots"][0]["token"];
        assert_eq!(token["label"], "bank");
        assert_eq!(token["max_sessions"], 64);
        assert_eq!(token["login"]["user"], "user");
        assert_eq!(token["login"]["error"], Value::Null);
        let listed = token["mechanisms"].as_array().unwrap();
        let signs = listed.iter().find(|m| m["number"] == mechanism).unwrap();
        assert_eq!(signs["name"], name);
        let able = token["abilities"].as_array().unwrap();
        let obstacle = |what: &str| &able.iter().find(|a| a["what"] == what).unwrap()["obstacle"];
        assert_eq!(*obstacle("SM2 signatures"), Value::Null);
        assert_eq!(*obstacle("SM2 key pairs"), Value::Null);
        assert_eq!(
            *obstacle("ECDSA P-256 signatures"),
            "not listed: check firmware and policies"
        );
        let key = &token["keys"][0];
        assert_eq!(key["key"]["label"], "server");
        assert_eq!(key["key"]["kind"], "Sm2");
        assert_eq!(key["key"]["extractable"], false);
        assert_eq!(key["signature"]["mechanism"], name);
        assert_eq!(key["signature"]["encoding"], encoding, "{vendor}");
    }
}

#[test]
fn probe_as_text_tells_the_same() {
    let output = on_token(TOKEN, "probe", &["--token", "bank"]);
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output);
    for line in [
        "            SafeNet, Chrystoki 0.1; PKCS#11 2.40",
        "profile     luna (detected): CKK_SM2 0x80000016, signatures 0x80000b21",
        "            sessions open: 0, limit: 64",
        "can         SM2 signatures: CKM_SM2DSA (0x80000b21)",
        "login       as user: ok",
        "key         object=server id=01, SM2, signs, sensitive, not extractable, made in the \
         token, public key, no certificate",
        "findings    none",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let signs = "            signs with CKM_SM2DSA, writes r || s, verified in software; ";
    assert!(text.contains(signs), "{text}");
}

#[test]
fn probe_of_an_unknown_vendor_needs_its_numbers() {
    let report = probe(&format!("profile=unnamed;{TOKEN}"), &[]);
    assert_eq!(report["profile"], Value::Null);
    assert_finds(&report, "no SM2 signatures: the vendor is not known");
    assert_finds(&report, "the key object=server id=01 is of the type");
    let report = probe(&format!("profile=unnamed;{TOKEN}"), &["--profile", "luna"]);
    assert_eq!(report["profile"]["detected"], false);
    assert_finds(&report, "no SM2 signatures: not listed");
}

#[test]
fn probe_without_a_pin_logs_nobody_in() {
    // A login would hang, and the probe would not end in time.
    let orders = format!("hang=C_Login;{TOKEN}");
    let module = module();
    let output = run(
        &orders,
        &["hsm", "probe", "--module", &module, "--timeout", "60"],
    );
    assert_eq!(output.status.code(), Some(0));
    let text = text(&output);
    assert!(text.contains("login       none"), "{text}");
    assert!(!text.contains("object=server"), "{text}");
}

#[test]
fn probe_finds_what_would_not_work() {
    for (orders, finding) in [
        ("mechanism=absent", "no SM2 signatures: not listed"),
        ("signature=corrupt", "does not verify"),
        ("signature=foreign", "does not verify"),
        ("signature=short", "63 bytes, is no signature"),
        (
            "fail=C_Sign:*:CKR_DEVICE_ERROR",
            "C_Sign failed with CKR_DEVICE_ERROR",
        ),
        (
            "fail=C_Login:*:CKR_PIN_EXPIRED",
            "the login failed: C_Login failed with CKR_PIN_EXPIRED",
        ),
    ] {
        assert_finds(&probe(&format!("{orders};{TOKEN}"), &[]), finding);
    }
    let report = probe(TOKEN, &["--object", "nobody"]);
    assert_finds(&report, "no private key is what was asked for");
    let report = probe(TOKEN, &["--token", "nobody"]);
    assert_finds(&report, "no initialized token is what was asked for");
}

#[test]
fn pin_is_tried_once_at_most_and_never_shown() {
    let orders = "token=bank:another-PIN;key=server:01";
    assert_finds(&probe(orders, &[]), "C_Login failed with CKR_PIN_INCORRECT");
    // Two tokens: the PIN must not go to either.
    let report = probe("token=one:another-PIN;token=two:another-PIN", &[]);
    assert_finds(
        &report,
        "the PIN was not used, since there are several tokens",
    );
}

#[test]
fn path_of_the_pin_is_not_in_the_report() {
    let module = module();
    let output = run(
        TOKEN,
        &[
            "hsm",
            "probe",
            "--module",
            &module,
            "--token",
            "bank",
            "--pin-source",
            "file:/nonexistent/place-of-the-pin",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("the login failed: PIN file: "));
    assert!(!text(&output).contains("place-of-the-pin"));
}

/// Whoever names a key decides what stands on an administrator's terminal.
#[test]
fn labels_cannot_steer_the_terminal() {
    let orders = format!("token=bank:{PIN};key=a\x1b[2J\u{9b}\x07:01");
    for (verb, more) in [
        ("keys", &["--token", "bank"][..]),
        ("keys", &["--token", "bank", "--json"]),
        ("probe", &["--token", "bank"]),
        (
            "csr",
            &["--token", "bank", "--object", "b", "--subject", "CN=b"],
        ),
        (
            "delete",
            &["--token", "bank", "--id", "01", "--confirm", "b"],
        ),
    ] {
        let output = on_token(&orders, verb, more);
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("[2J"), "{verb}: {said:?}");
        assert!(
            !said.contains(|c: char| c.is_control() && c != '\n'),
            "{verb}: {said:?}"
        );
    }
    let output = on_token(&orders, "keys", &["--token", "bank", "--json"]);
    let keys: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(keys[0]["label"], "a\x1b[2J\u{9b}\x07");
}

#[test]
fn module_that_hangs_is_left() {
    let orders = format!("hang=C_Sign;{TOKEN}");
    let output = on_token(&orders, "probe", &["--timeout", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("gave no answer in 1 s"), "{complaint}");
}

#[test]
fn wrong_calls_end_with_2() {
    let module = module();
    for arguments in [
        &["hsm"][..],
        &["hsm", "probe"],
        &["hsm", "probe", "--module", &module, "--pin", "1234"],
        &["hsm", "probe", "--module", &module, "--id", "0"],
        &["hsm", "probe", "--module", &module, "--pin-source", "env:"],
        &["hsm", "probe", "--module", &module, "--profile", "nobody"],
        &["hsm", "probe", "--uri", "pkcs12:"],
        &[
            "hsm", "keygen", "--module", &module, "--kind", "dsa", "--label", "x",
        ],
        &["hsm", "bench", "--module", &module, "--sessions", "0"],
        &["hsm", "delete", "--module", &module, "--object", "x"],
        &[
            "hsm",
            "csr",
            "--module",
            &module,
            "--subject",
            "CN=x",
            "--purpose",
            "server",
        ],
    ] {
        let output = run(TOKEN, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    let version = run("", &["--version"]);
    let expected = format!("shangmi {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&version), expected);
    let missing = run("", &["hsm", "probe", "--module", "/nonexistent.so"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn pin_in_a_uri_is_warned_of() {
    let uri = format!("pkcs11:token=bank?module-path={}&pin-value={PIN}", module());
    let output = run(TOKEN, &["hsm", "keys", "--uri", &uri]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).starts_with("object=server id=01, SM2, "));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("others can see a PIN"), "{complaint}");
    assert!(!complaint.contains(PIN));
}

#[test]
fn sm2_keys_are_made_requested_for_and_measured() {
    let made = on_token(
        TOKEN,
        "keygen",
        &["--kind", "sm2", "--label", "new", "--id", "0a"],
    );
    assert_eq!(text(&made), "object=new id=0a\n");
    let taken = on_token(TOKEN, "keygen", &["--kind", "sm2", "--label", "server"]);
    assert_eq!(taken.status.code(), Some(1));

    let subject = ["--subject", "CN=bank.example,C=CN", "--dns", "bank.example"];
    let csr = on_token(
        TOKEN,
        "csr",
        &[&["--object", "server"], &subject[..]].concat(),
    );
    let request = pki::Request::from_pem(&csr.stdout).unwrap();
    assert_eq!(request.subject(), "CN=bank.example,C=CN");

    let kept = on_token(
        TOKEN,
        "delete",
        &["--object", "server", "--confirm", "sever"],
    );
    assert_eq!(kept.status.code(), Some(1));
    let gone = on_token(TOKEN, "delete", &["--id", "01", "--confirm", "server"]);
    assert_eq!(text(&gone), "2 objects deleted\n");

    let arguments = [
        "--object",
        "server",
        "--sessions",
        "1,2",
        "--seconds",
        "1",
        "--json",
    ];
    let measured = on_token(TOKEN, "bench", &arguments);
    let measured: Value = serde_json::from_slice(&measured.stdout).unwrap();
    for (at, sessions) in [1, 2].into_iter().enumerate() {
        assert_eq!(measured[at]["sessions"], sessions);
        assert!(measured[at]["signatures"].as_u64().unwrap() > 0);
    }
}

#[test]
fn keygen_works_with_each_vendors_numbers() {
    for vendor in ["luna", "sansec", "tass", "ibm-ep11"] {
        let orders = format!("profile={vendor};{TOKEN}");
        let arguments = ["--kind", "sm2", "--label", "new", "--id", "0a"];
        let made = on_token(&orders, "keygen", &arguments);
        assert_eq!(text(&made), "object=new id=0a\n", "{vendor}");
    }
}

#[test]
fn readme_shows_what_probe_writes() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, shown) = readme.split_once("\nshangmi     ").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    let output = text(&on_token(TOKEN, "probe", &["--token", "bank"]));
    let written = output.replace(&module(), "/usr/lib/libshangmi_testtoken.so");
    // The time of a signature is another each time.
    let timeless = |text: &str| {
        let lines = text.lines().map(|line| match line.split_once("; ") {
            Some((signs, time)) if time.ends_with(" ms a signature") => signs.to_owned(),
            _ => line.to_owned(),
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(
        timeless(&format!("shangmi     {shown}")),
        timeless(&written)
    );
}

#[test]
fn softhsm_keys_outlive_the_command() {
    SOFTHSM.isolated("softhsm_keys_outlive_the_command", || {
        SOFTHSM.token().close();
        let folder = PathBuf::from(env::var_os(SOFTHSM.variable).unwrap());
        let folder = folder.parent().unwrap();
        let pin = folder.join("pin");
        fs::write(&pin, common::token::PIN).unwrap();
        let on_soft = |verb: &str, more: &[&str]| {
            let source = format!("file:{}", pin.display());
            let module = (SOFTHSM.path)();
            let common = [
                "hsm",
                verb,
                "--token",
                common::token::TOKEN,
                "--pin-source",
                &source,
                "--module",
                module.to_str().unwrap(),
            ];
            // What counts is what it said: SoftHSM2 may crash at the end of a process.
            text(&run("", &[&common[..], more].concat()))
        };
        let made = on_soft(
            "keygen",
            &["--kind", "p256", "--label", "web", "--id", "c0ffee"],
        );
        assert_eq!(made, "object=web id=c0ffee\n");
        let keys: Value = serde_json::from_str(&on_soft("keys", &["--json"])).unwrap();
        assert_eq!(keys[0]["kind"], "EcdsaP256");
        assert_eq!(keys[0]["public_keys"], 1);

        let request = folder.join("web.csr");
        let path = request.to_str().unwrap();
        let subject = [
            "--object",
            "web",
            "--subject",
            "CN=web",
            "--dns",
            "web.example",
        ];
        on_soft("csr", &[&subject[..], &["--out", path]].concat());
        let pem = fs::read_to_string(&request).unwrap();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
        fs::write(&request, "mine").unwrap();
        on_soft("csr", &[&subject[..], &["--out", path]].concat());
        assert_eq!(fs::read_to_string(&request).unwrap(), "mine");

        let report: Value = serde_json::from_str(&on_soft("probe", &["--json"])).unwrap();
        assert_eq!(report["profile"], Value::Null);
        let token = &report["slots"][0]["token"];
        assert_eq!(token["keys"][0]["signature"]["mechanism"], "CKM_ECDSA");
        assert_eq!(token["keys"][0]["signature"]["encoding"], "r || s");

        let gone = on_soft("delete", &["--object", "web", "--confirm", "C0FFEE"]);
        assert_eq!(gone, "2 objects deleted\n");
        assert_eq!(on_soft("keys", &[]), "");
    });
}

// ---- helpers ----

/// Runs a verb on the test token `bank`, with a PIN from the environment.
fn on_token(orders: &str, verb: &str, more: &[&str]) -> Output {
    let module = module();
    let common = [
        "hsm",
        verb,
        "--module",
        &module,
        "--pin-source",
        "env:TEST_PIN",
    ];
    run(orders, &[&common[..], more].concat())
}

/// The report of `probe` as JSON; its end tells whether there are findings.
fn probe(orders: &str, more: &[&str]) -> Value {
    let token: &[&str] = match more {
        ["--token", ..] => &[],
        _ if orders.matches("token=").count() > 1 => &[],
        _ => &["--token", "bank"],
    };
    let output = on_token(orders, "probe", &[&["--json"], token, more].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!findings.is_empty())));
    report
}

fn assert_finds(report: &Value, wanted: &str) {
    let findings = report["findings"].as_array().unwrap();
    let found = |finding: &Value| finding.as_str().unwrap().contains(wanted);
    assert!(findings.iter().any(found), "{wanted}: {findings:?}");
}

/// Runs the command. Whatever it says, it tells no PIN.
fn run(orders: &str, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_shangmi"))
        .args(arguments)
        .env(Behaviour::ENVIRONMENT, orders)
        .env("TEST_PIN", PIN)
        .output()
        .unwrap();
    for said in [&output.stdout, &output.stderr] {
        let said = String::from_utf8_lossy(said);
        assert!(
            !said.contains(PIN) && !said.contains(common::token::PIN),
            "{said}"
        );
    }
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The test token's module.
fn module() -> String {
    let path: &Path = &module_path().unwrap();
    path.to_str().unwrap().into()
}
