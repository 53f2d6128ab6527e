//! Vendors' profiles: each in a process of its own, because the module is one vendor's at a time.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{
    PIN, alone, code, functions, module, private_key, slot_of, user_session, vendor_mechanism,
};
use cryptoki::error::RvError;
use cryptoki::mechanism::MechanismType;
use cryptoki::object::Attribute;
use cryptoki::session::Session;
use cryptoki_sys::*;
use shangmi_testtoken::{Profile, TestToken, set_profile};
use sm2::dsa::signature::hazmat::PrehashVerifier;
use sm2::dsa::{Signature, VerifyingKey};

#[test]
fn sansec_has_one_mechanism_for_each_encoding() {
    alone(
        "sansec_has_one_mechanism_for_each_encoding",
        "profile=sansec",
        || {
            poses_as(
                Profile::Sansec,
                &[(0x8000_8105, false), (0x8000_8104, true)],
            )
        },
    );
}

#[test]
fn tass_answers_der() {
    alone("tass_answers_der", "profile=tass", || {
        poses_as(Profile::Tass, &[(0x8000_8000, true)]);
    });
}

#[test]
fn ibm_ep11_answers_raw() {
    alone("ibm_ep11_answers_raw", "profile=ibm-ep11", || {
        poses_as(Profile::IbmEp11, &[(0x8005_000B, false)]);
    });
}

#[test]
fn profile_changes_by_order() {
    alone("profile_changes_by_order", "", || {
        TestToken::create("before", PIN).unwrap();
        poses_as(Profile::Luna, &[(0x8000_0B21, false)]);
        for profile in [Profile::Tass, Profile::Luna] {
            set_profile(profile).unwrap();
            let der = profile == Profile::Tass;
            poses_as(profile, &[(profile.sign_mechanism(), der)]);
        }
    });
}

#[test]
fn unnamed_vendor_has_numbers_of_the_standards_range() {
    let test = "unnamed_vendor_has_numbers_of_the_standards_range";
    alone(test, "profile=unnamed", || {
        let token = TestToken::create("token", PIN).unwrap();
        let point = token.generate_sm2("key", &[1]).unwrap();
        assert_eq!(
            module().get_library_info().unwrap().manufacturer_id(),
            "Unnamed"
        );
        let session = user_session(&token);
        assert_eq!(key_type(&session), Profile::Unnamed.key_type());
        // `cryptoki` has no mechanism for such a number; the C function has.
        let slot = slot_of(&token).id();
        let info = |mechanism| {
            let mut info = CK_MECHANISM_INFO {
                ulMinKeySize: 0,
                ulMaxKeySize: 0,
                flags: 0,
            };
            // SAFETY: `info` is a place for one.
            let code =
                unsafe { functions().C_GetMechanismInfo.unwrap()(slot, mechanism, &mut info) };
            (code, info.ulMinKeySize, info.ulMaxKeySize, info.flags)
        };
        assert_eq!(info(0x0001_0002), (CKR_OK, 256, 256, CKF_SIGN));
        assert_eq!(info(0x0001_0009), (CKR_OK, 256, 256, CKF_GENERATE_KEY_PAIR));
        assert_eq!(info(0x8000_0B21).0, CKR_MECHANISM_INVALID);

        let mut mechanism = CK_MECHANISM {
            mechanism: Profile::Unnamed.sign_mechanism(),
            pParameter: std::ptr::null_mut(),
            ulParameterLen: 0,
        };
        let key = private_key(&session, "key").handle();
        let (mut e, mut signature, mut length) = ([1u8; 32], [0u8; 72], 72);
        // SAFETY: all pointers are to places of the lengths that go with them.
        let codes = unsafe {
            let functions = functions();
            [
                functions.C_SignInit.unwrap()(session.handle(), &mut mechanism, key),
                functions.C_Sign.unwrap()(
                    session.handle(),
                    e.as_mut_ptr(),
                    32,
                    signature.as_mut_ptr(),
                    &mut length,
                ),
            ]
        };
        assert_eq!((codes, length), ([CKR_OK; 2], 64));
        assert!(common::verifies(&point, &signature[..64]));
    });
}

#[test]
fn every_profile_has_its_name() {
    let names = Profile::ALL.map(Profile::name);
    assert_eq!(names, ["luna", "sansec", "tass", "ibm-ep11", "unnamed"]);
    assert_eq!(Profile::default(), Profile::Luna);
}

/// The module shows a profile's words and numbers, and its mechanisms sign as they should.
fn poses_as(profile: Profile, mechanisms: &[(u64, bool)]) {
    let token = TestToken::create(profile.name(), PIN).unwrap();
    let point = token.generate_sm2("key", &[1]).unwrap();
    let module = module();
    let info = module.get_library_info().unwrap();
    assert_eq!(info.manufacturer_id(), profile.manufacturer());
    assert_eq!(info.library_description(), profile.description());

    let kind = |number| MechanismType::new_vendor_defined(number).unwrap();
    let generate = module
        .get_mechanism_info(slot_of(&token), kind(profile.key_pair_mechanism()))
        .unwrap();
    assert!(generate.generate_key_pair());
    let session = user_session(&token);
    assert_eq!(key_type(&session), profile.key_type());
    let key = private_key(&session, "key");
    let verifier = VerifyingKey::from_sec1_bytes("", &point).unwrap();
    for (mechanism, der) in mechanisms {
        let answer = session
            .sign(&vendor_mechanism(*mechanism), key, &[1; 32])
            .unwrap();
        let signature = match der {
            true => Signature::from_der(&answer).unwrap(),
            false => Signature::from_slice(&answer).unwrap(),
        };
        verifier.verify_prehash(&[1; 32], &signature).unwrap();
    }
    if profile != Profile::Luna {
        let luna = session.sign(&vendor_mechanism(0x8000_0B21), key, &[1; 32]);
        assert_eq!(code(luna), RvError::MechanismInvalid);
    }

    // A pair made through PKCS#11, with an attribute that only some vendors know.
    let curve = [Attribute::EcParams(vec![
        0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d,
    ])];
    let mechanism = vendor_mechanism(profile.key_pair_mechanism());
    session.generate_key_pair(&mechanism, &curve, &[]).unwrap();
    let newer = session.generate_key_pair(&mechanism, &curve, &[Attribute::Trusted(false)]);
    match profile {
        Profile::IbmEp11 => _ = newer.unwrap(),
        _ => assert_eq!(code(newer), RvError::AttributeTypeInvalid),
    }
}

/// `cryptoki` knows no key type of a number below the vendors' range; the C function does.
fn key_type(session: &Session) -> CK_KEY_TYPE {
    let key = private_key(session, "key");
    let mut value: CK_KEY_TYPE = 0;
    let mut template = CK_ATTRIBUTE {
        type_: CKA_KEY_TYPE,
        pValue: (&raw mut value).cast(),
        ulValueLen: size_of_val(&value) as CK_ULONG,
    };
    // SAFETY: the template is one attribute, with the length of its buffer.
    let code = unsafe {
        functions().C_GetAttributeValue.unwrap()(session.handle(), key.handle(), &mut template, 1)
    };
    assert_eq!(code, CKR_OK);
    value
}
