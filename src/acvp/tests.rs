//! The Monte Carlo tests on AES, whose answers NIST publishes, and on another SM4; refusals and limits.

use aes_gcm::aes::Aes128;
use serde_json::json;

use super::*;

fn with(name: &'static str, service: case::Service, request: &str) -> Result<String, Error> {
    let known = Algorithm::new(name, "", &["1.0"], &["AFT", "MCT"], service);
    answer(request, Limits::default(), &[known])
}

#[test]
fn the_modes_on_aes_give_nists_answers() {
    type Encryptor = ::cbc::Encryptor<Aes128>;
    type Decryptor = ::cbc::Decryptor<Aes128>;
    for (name, service, request, expected, cases) in [
        (
            "ACVP-AES-ECB",
            cipher::ecb::<Aes128> as case::Service,
            include_str!("../../vectors/acvp/aes_ecb.request.json"),
            include_str!("../../vectors/acvp/aes_ecb.expected.json"),
            12,
        ),
        (
            "ACVP-AES-CBC",
            cipher::cbc::<Encryptor, Decryptor>,
            include_str!("../../vectors/acvp/aes_cbc.request.json"),
            include_str!("../../vectors/acvp/aes_cbc.expected.json"),
            14,
        ),
    ] {
        let response = with(name, service, request).unwrap();
        let comparison = compare(&response, expected).unwrap();
        assert_eq!(comparison.differences, [], "{name}");
        assert_eq!(comparison.cases, cases, "{name}");
    }
}

#[test]
fn monte_carlo_tests_agree_with_rustcrypto() {
    type Encryptor = ::cbc::Encryptor<::sm4::Sm4>;
    type Decryptor = ::cbc::Decryptor<::sm4::Sm4>;
    let key = "0123456789ABCDEFFEDCBA9876543210";
    for (name, theirs) in [
        ("ACVP-SM4-ECB", cipher::ecb::<::sm4::Sm4> as case::Service),
        ("ACVP-SM4-CBC", cipher::cbc::<Encryptor, Decryptor>),
    ] {
        for (direction, input) in [("encrypt", "pt"), ("decrypt", "ct")] {
            let case = json!({ "tcId": 1, "key": key, "iv": key, input: key });
            let group =
                json!({ "tgId": 1, "testType": "MCT", "direction": direction, "tests": [case] });
            let request = json!({ "algorithm": name, "testGroups": [group] }).to_string();
            let ours = run(&request).unwrap();
            assert_eq!(ours, with(name, theirs, &request).unwrap(), "{name}");
            assert!(ours.contains("resultsArray"));
        }
    }
    let case = json!({ "tcId": 1, "msg": key, "len": 128 });
    let group = json!({ "tgId": 1, "testType": "MCT", "tests": [case] });
    let request = json!({ "algorithm": "SM3", "testGroups": [group] }).to_string();
    let theirs = with("SM3", hash::digest::<::sm3::Sm3>, &request).unwrap();
    assert_eq!(run(&request).unwrap(), theirs);
}

/// The generators themselves have their answers in `tests/drbg.rs` and in interop; this is the way there.
#[test]
fn sm_generators_make_the_requests_of_a_case() {
    use crate::random::{CtrDrbgSm4, Drbg, HashDrbgGm, HashDrbgSm3, HmacDrbgSm3};

    fn directly<D: Drbg>(resistance: bool) -> Vec<u8> {
        let mut out = vec![0; 32];
        let mut drbg = D::instantiate(&[1; 32], &[2; 16], &[3; 7]).unwrap();
        drbg.reseed(&[4; 32], &[5; 5]).unwrap();
        for additional in [&[][..], &[7; 9]] {
            match resistance {
                true => drbg.generate_reseeded(&[8; 32], &mut out, additional),
                false => drbg.generate(&mut out, additional),
            }
            .unwrap();
        }
        out
    }

    for (algorithm, mode, expected) in [
        (
            "hashDRBG",
            "SM3",
            directly::<HashDrbgSm3> as fn(bool) -> Vec<u8>,
        ),
        ("hashDRBG", "SM3-GM", directly::<HashDrbgGm>),
        ("hmacDRBG", "SM3", directly::<HmacDrbgSm3>),
        ("ctrDRBG", "SM4", directly::<CtrDrbgSm4>),
    ] {
        for resistance in [false, true] {
            let entropy = "08".repeat(32);
            let steps = json!([
                { "intendedUse": "reSeed", "entropyInput": "04".repeat(32), "additionalInput": "05".repeat(5) },
                { "intendedUse": "generate", "entropyInput": entropy, "additionalInput": "" },
                { "intendedUse": "generate", "entropyInput": entropy, "additionalInput": "07".repeat(9) },
            ]);
            let case = json!({ "tcId": 1, "entropyInput": "01".repeat(32), "nonce": "02".repeat(16),
                "persoString": "03".repeat(7), "otherInput": steps });
            let group = json!({ "tgId": 1, "testType": "AFT", "mode": mode, "derFunc": true,
                "predResistance": resistance, "returnedBitsLen": 256, "tests": [case] });
            let request = json!({ "algorithm": algorithm, "testGroups": [group] }).to_string();
            let response: Value = serde_json::from_str(&run(&request).unwrap()).unwrap();
            let found = &response["testGroups"][0]["tests"][0];
            let expected = case::answer([("returnedBits", &expected(resistance))]);
            assert_eq!(
                found["returnedBits"], expected["returnedBits"],
                "{algorithm} {mode}"
            );
        }
    }
}

/// A set of one SM3 case.
fn sm3(case: Value) -> Value {
    json!({ "vsId": 7, "algorithm": "SM3", "testGroups": [
        { "tgId": 2, "testType": "AFT", "tests": [case] } ] })
}

#[test]
fn the_answer_has_the_form_of_the_request() {
    let set = sm3(json!({ "tcId": 3, "msg": "616263", "len": 24 }));
    let alone: Value = serde_json::from_str(&run(&set.to_string()).unwrap()).unwrap();
    assert_eq!(alone["vsId"], 7);
    assert_eq!(alone["testGroups"][0]["tgId"], 2);
    let answer = &alone["testGroups"][0]["tests"][0];
    assert_eq!(answer["tcId"], 3);
    assert_eq!(
        answer["md"],
        "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0"
    );

    let pair = json!([{ "acvVersion": "1.0" }, set]).to_string();
    let pair: Value = serde_json::from_str(&run(&pair).unwrap()).unwrap();
    assert_eq!(pair, json!([{ "acvVersion": "1.0" }, alone]));
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let gcm = |field: &str, value: Value| {
        let mut group = json!({ "tgId": 2, "testType": "AFT", "direction": "encrypt",
            "keyLen": 128, "ivLen": 96, "tagLen": 128, "tests": [
            { "tcId": 3, "key": "00", "iv": "00".repeat(12), "aad": "", "pt": "" } ] });
        group[field] = value;
        json!({ "vsId": 7, "algorithm": "ACVP-AES-GCM", "testGroups": [group] })
    };
    let at = "vector set 7, group 2, case 3, field";
    for (request, message) in [
        ("{".to_owned(), "request: not JSON: ".to_owned()),
        (
            "7".to_owned(),
            "request: not built like a vector set".to_owned(),
        ),
        (
            json!({ "vsId": 7, "algorithm": "MD5" }).to_string(),
            "vector set 7, field `algorithm`: `MD5` is not supported; supported: SHA2-256, "
                .to_owned(),
        ),
        (
            json!({ "algorithm": "SM2", "mode": "sigFoo" }).to_string(),
            "field `algorithm`: `SM2/sigFoo` is not supported".to_owned(),
        ),
        (
            json!({ "algorithm": "SM3", "revision": "9.9" }).to_string(),
            "field `revision`: `9.9` is not supported; supported: 1.0".to_owned(),
        ),
        (
            json!({ "algorithm": "SM3" }).to_string(),
            "field `testGroups`: missing".to_owned(),
        ),
        (
            gcm("testType", json!("MCT")).to_string(),
            format!("{at} `testType`: `MCT` is not supported; supported: AFT"),
        ),
        (
            gcm("tagLen", json!(64)).to_string(),
            format!("{at} `tagLen`: `64` is not supported; supported: 96, 104, "),
        ),
        (
            gcm("keyLen", json!(192)).to_string(),
            format!("{at} `keyLen`: `192` is not supported; supported: 128, 256"),
        ),
        (
            gcm("ivLen", json!(64)).to_string(),
            format!("{at} `ivLen`: `64` is not supported; supported: 96"),
        ),
        (
            gcm("ivGen", json!("internal")).to_string(),
            format!("{at} `ivGen`: `internal` is not supported; supported: external"),
        ),
        (
            gcm("direction", json!(3)).to_string(),
            format!("{at} `key`: 1 bytes, not 16"),
        ),
        (
            sm3(json!({ "tcId": 3 })).to_string(),
            format!("{at} `msg`: missing"),
        ),
        (
            sm3(json!({ "tcId": 3, "msg": "0g", "len": 8 })).to_string(),
            format!("{at} `msg`: not an even number of hexadecimal digits"),
        ),
        (
            sm3(json!({ "tcId": 3, "msg": "é0", "len": 8 })).to_string(),
            format!("{at} `msg`: not an even number of hexadecimal digits"),
        ),
        (
            sm3(json!({ "tcId": 3, "msg": "00", "len": 7 })).to_string(),
            format!("{at} `len`: a length in bits that is no multiple of 8"),
        ),
        (
            sm3(json!({ "tcId": 3, "msg": "00", "len": 16 })).to_string(),
            format!("{at} `msg`: 1 bytes, not 2"),
        ),
        (
            sm3(json!({ "tcId": -3, "msg": "" })).to_string(),
            "vector set 7, group 2, field `tcId`: not an integer from 0 on".to_owned(),
        ),
    ] {
        let error = run(&request).unwrap_err().to_string();
        assert!(error.starts_with(&message), "{error}, not {message}");
    }
}

#[test]
fn a_short_request_cannot_ask_for_much() {
    let large = |bits: u64| {
        json!({ "algorithm": "SM3", "testGroups": [ { "tgId": 1, "testType": "LDT", "tests": [
            { "tcId": 1, "largeMsg": { "content": "00", "contentLength": 8, "fullLength": bits,
              "expansionTechnique": "repeating" } } ] } ] })
        .to_string()
    };
    let long_output = json!({ "algorithm": "HKDF-SM3", "testGroups": [ { "tgId": 1,
        "testType": "AFT", "tests": [ { "tcId": 1, "ikm": "", "l": u64::MAX - 7 } ] } ] });
    let small = Limits {
        work: 1 << 20,
        answer: 100,
    };
    let many = (0..9).map(|id| json!({ "tcId": id, "msg": "", "len": 0 }));
    let many: Vec<_> = many.collect();
    let many = json!({ "algorithm": "SM3", "testGroups": [
        { "tgId": 1, "testType": "AFT", "tests": many } ] });
    for error in [
        run(&large(u64::MAX - 7)).unwrap_err(),
        run(&long_output.to_string()).unwrap_err(),
        run_within(&large(8 << 21), small).unwrap_err(),
        run_within(&many.to_string(), small).unwrap_err(),
        run(&" ".repeat(MAX_REQUEST + 1)).unwrap_err(),
    ] {
        assert!(matches!(error.cause(), Cause::TooMuch(_)), "{error}");
    }
    assert!(run_within(&large(8 << 18), small).is_ok());
}

#[test]
fn a_comparison_sees_each_difference() {
    let set = |tests: Value| json!({ "vsId": 7, "testGroups": [ { "tgId": 2, "tests": tests } ] });
    let found = set(json!([
        { "tcId": 1, "md": "AB" },
        { "tcId": 2, "md": "AC" },
        { "tcId": 4, "pt": "00" },
        { "tcId": 5, "pt": "00" },
        { "tcId": 6, "md": "00", "more": "00" },
        { "tcId": 7, "resultsArray": [{ "md": "00" }] },
        { "tcId": 8 },
    ]));
    let expected = set(json!([
        { "tcId": 1, "md": "ab" },
        { "tcId": 2, "md": "ab" },
        { "tcId": 3, "md": "ab" },
        { "tcId": 4, "pt": "00", "testPassed": true },
        { "tcId": 5, "testPassed": false },
        { "tcId": 6, "md": "00" },
        { "tcId": 7, "resultsArray": [{ "md": "00" }, { "md": "01" }] },
        { "tcId": 8, "testPassed": true },
    ]));
    let comparison = compare(&found.to_string(), &expected.to_string()).unwrap();
    let differing: Vec<_> = comparison
        .differences
        .iter()
        .map(|d| d.place.case)
        .collect();
    assert_eq!(differing, [2, 3, 5, 5, 6, 7, 8].map(Some));
    assert_eq!(comparison.cases, 7);
    assert_eq!(
        comparison.differences[1].to_string(),
        "vector set 7, group 2, case 3: expected, but not answered"
    );
    let turned = compare(&expected.to_string(), &found.to_string()).unwrap();
    assert!(
        turned
            .differences
            .iter()
            .any(|d| d.what == "answered, but not expected")
    );

    let twice = set(json!([{ "tcId": 1, "md": "AB" }, { "tcId": 1, "md": "AB" }])).to_string();
    assert!(compare(&twice, &twice).is_err());
}
