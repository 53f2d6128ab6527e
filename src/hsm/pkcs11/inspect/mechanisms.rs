//! Names of mechanisms.

use cryptoki::mechanism::MechanismType;
use cryptoki_sys::{
    CK_FLAGS, CK_MECHANISM_TYPE, CKF_DECRYPT, CKF_DERIVE, CKF_DIGEST, CKF_ENCRYPT, CKF_GENERATE,
    CKF_GENERATE_KEY_PAIR, CKF_HW, CKF_SIGN, CKF_SIGN_RECOVER, CKF_UNWRAP, CKF_VERIFY,
    CKF_VERIFY_RECOVER, CKF_WRAP, CKM_VENDOR_DEFINED,
};

use super::super::profile::Profile;

/// The standard's name, or the vendor's.
pub(super) fn name(number: CK_MECHANISM_TYPE, profile: Option<Profile>) -> Option<String> {
    if number < CKM_VENDOR_DEFINED
        && let Ok(known) = MechanismType::try_from(number)
    {
        return Some(known.to_string());
    }
    let profile = profile?;
    if number == profile.mechanism() {
        return Some(profile.mechanism_name().into());
    }
    if Some(number) == profile.key_pair_generation() {
        return Some("CKM_SM2_KEY_PAIR_GEN".into());
    }
    let luna = LUNA.iter().filter(|_| profile == Profile::LUNA);
    luna.clone()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| (*name).into())
}

/// The SM mechanisms of Thales's own table for firmware 7.9.
const LUNA: &[(CK_MECHANISM_TYPE, &str)] = &[
    (0x8000_0B01, "CKM_SM3"),
    (0x8000_0B02, "CKM_SM3_HMAC"),
    (0x8000_0B03, "CKM_SM3_HMAC_GENERAL"),
    (0x8000_0B04, "CKM_SM3_KEY_DERIVATION"),
    (0x8000_0B10, "CKM_SM4_KEY_GEN"),
    (0x8000_0B11, "CKM_SM4_ECB"),
    (0x8000_0B12, "CKM_SM4_CBC"),
    (0x8000_0B13, "CKM_SM4_CBC_PAD"),
    (0x8000_0B22, "CKM_SM3_SM2DSA"),
    (0x8000_0B23, "CKM_SHA1_SM2DSA"),
    (0x8000_0B24, "CKM_SHA224_SM2DSA"),
    (0x8000_0B25, "CKM_SHA256_SM2DSA"),
    (0x8000_0B26, "CKM_SHA384_SM2DSA"),
    (0x8000_0B27, "CKM_SHA512_SM2DSA"),
];

/// What a mechanism is for, in one word each.
pub(super) fn uses(flags: CK_FLAGS) -> String {
    const USES: [(CK_FLAGS, &str); 13] = [
        (CKF_HW, "hardware"),
        (CKF_ENCRYPT, "encrypt"),
        (CKF_DECRYPT, "decrypt"),
        (CKF_DIGEST, "digest"),
        (CKF_SIGN, "sign"),
        (CKF_SIGN_RECOVER, "sign-recover"),
        (CKF_VERIFY, "verify"),
        (CKF_VERIFY_RECOVER, "verify-recover"),
        (CKF_GENERATE, "generate"),
        (CKF_GENERATE_KEY_PAIR, "generate-pair"),
        (CKF_WRAP, "wrap"),
        (CKF_UNWRAP, "unwrap"),
        (CKF_DERIVE, "derive"),
    ];
    let used = USES.iter().filter(|(bit, _)| flags & bit != 0);
    used.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_standards_or_the_detected_vendors() {
        let luna = Some(Profile::LUNA);
        for (number, profile, expected) in [
            (0x1041, None, Some("CKM_ECDSA")),
            (0x1041, luna, Some("CKM_ECDSA")),
            (0x8000_0B21, luna, Some("CKM_SM2DSA")),
            (0x8000_0B20, luna, Some("CKM_SM2_KEY_PAIR_GEN")),
            (0x8000_0B01, luna, Some("CKM_SM3")),
            (0x8000_0B01, None, None),
            (0x8000_0B01, Some(Profile::TASS), None),
            (0x7FFF_FFFF, luna, None),
        ] {
            assert_eq!(name(number, profile).as_deref(), expected, "{number:#x}");
        }
    }

    #[test]
    fn uses_are_named() {
        assert_eq!(uses(CKF_SIGN | CKF_VERIFY | CKF_HW), "hardware sign verify");
        assert_eq!(uses(0), "");
    }
}
