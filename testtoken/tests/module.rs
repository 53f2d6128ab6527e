//! The module through `cryptoki`, as any application would use it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{PIN, code, module, pin, private_key, slot_of, user_session, vendor_mechanism};
use cryptoki::error::RvError;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{
    Attribute, AttributeInfo, AttributeType, CertificateType, KeyType, ObjectClass,
};
use cryptoki::session::UserType;
use shangmi_testtoken::{Behaviour, CKK_SM2, CKM_SM2_KEY_PAIR_GEN, CKM_SM2DSA, TestToken};
use sm2::dsa::signature::hazmat::PrehashVerifier;
use sm2::dsa::{Signature, VerifyingKey};

fn sm2dsa() -> Mechanism<'static> {
    vendor_mechanism(CKM_SM2DSA)
}

fn verifies(point: &[u8], e: &[u8; 32], signature: &Signature) -> bool {
    VerifyingKey::from_sec1_bytes("", point)
        .unwrap()
        .verify_prehash(e, signature)
        .is_ok()
}

#[test]
fn presents_itself_as_luna_but_honestly() {
    let module = module();
    let info = module.get_library_info().unwrap();
    assert_eq!(info.manufacturer_id(), "SafeNet");
    assert_eq!(info.library_description(), "Chrystoki");
    assert_eq!(
        (
            info.cryptoki_version().major(),
            info.cryptoki_version().minor()
        ),
        (2, 40)
    );

    let (one, two) = (
        TestToken::create("one", PIN).unwrap(),
        TestToken::create("two", PIN).unwrap(),
    );
    let slots = [slot_of(&one), slot_of(&two)];
    assert!(slots[0] != slots[1] && slots.iter().all(|slot| slot.id() != 0));
    let token = module.get_token_info(slots[0]).unwrap();
    assert_eq!(token.model(), "shangmi test");
    assert!(token.login_required() && token.user_pin_initialized());
    assert_ne!(one.serial(), two.serial());

    // cryptoki leaves vendors' mechanisms out of its list, but asks for each of them.
    let info = |number| {
        let kind = MechanismType::new_vendor_defined(number).unwrap();
        module.get_mechanism_info(slots[0], kind)
    };
    assert!(info(CKM_SM2_KEY_PAIR_GEN).unwrap().generate_key_pair());
    assert!(info(CKM_SM2DSA).unwrap().sign());
    assert_eq!(code(info(0x8000_0B22)), RvError::MechanismInvalid);
}

#[test]
fn every_slot_of_the_function_list_answers() {
    let mut list = std::ptr::null_mut();
    // SAFETY: `list` is a place for one pointer.
    let rv = unsafe { shangmi_testtoken::C_GetFunctionList(&mut list) };
    assert_eq!(rv, cryptoki_sys::CKR_OK);
    let pointers = list.cast::<usize>();
    let slots = size_of::<cryptoki_sys::CK_FUNCTION_LIST>() / size_of::<usize>();
    for slot in 1..slots {
        // SAFETY: the list is that many pointers long, after a padded version field.
        let pointer = unsafe { pointers.add(slot).read() };
        assert_ne!(pointer, 0, "slot {slot} is null");
    }
    // SAFETY: an unsupported function looks at none of its arguments.
    let rv = unsafe {
        (*list).C_WaitForSlotEvent.unwrap()(0, std::ptr::null_mut(), std::ptr::null_mut())
    };
    assert_eq!(rv, cryptoki_sys::CKR_FUNCTION_NOT_SUPPORTED);
    // SAFETY: null pointers are allowed everywhere.
    let rv = unsafe { shangmi_testtoken::C_GetFunctionList(std::ptr::null_mut()) };
    assert_eq!(rv, cryptoki_sys::CKR_ARGUMENTS_BAD);
}

#[test]
fn generated_key_signs_raw_and_der() {
    let token = TestToken::create("generate", PIN).unwrap();
    let point = token.generate_sm2("key", &[7]).unwrap();
    let session = user_session(&token);
    let key = private_key(&session, "key");
    let e = [0x5a; 32];

    let raw = session.sign(&sm2dsa(), key, &e).unwrap();
    assert_eq!(raw.len(), 64);
    assert!(verifies(&point, &e, &Signature::from_slice(&raw).unwrap()));
    assert_ne!(
        raw,
        session.sign(&sm2dsa(), key, &e).unwrap(),
        "k must be random"
    );

    token.behave("answer=der").unwrap();
    let der = session.sign(&sm2dsa(), key, &e).unwrap();
    assert_eq!(der[0], 0x30);
    assert!(verifies(&point, &e, &Signature::from_der(&der).unwrap()));

    assert_eq!(
        code(session.sign(&sm2dsa(), key, &e[..31])),
        RvError::DataLenRange
    );
    assert_eq!(
        code(session.sign(&Mechanism::Ecdsa, key, &e)),
        RvError::MechanismInvalid
    );
}

#[test]
fn faults_on_order() {
    let token = TestToken::create("faults", PIN).unwrap();
    let point = token.generate_sm2("key", &[]).unwrap();
    let session = user_session(&token);
    let key = private_key(&session, "key");
    let e = [1; 32];
    for order in ["signature=corrupt", "signature=foreign"] {
        token.behave(order).unwrap();
        let signature = session.sign(&sm2dsa(), key, &e).unwrap();
        assert!(
            !verifies(&point, &e, &Signature::from_slice(&signature).unwrap()),
            "{order}"
        );
    }
    token.behave("signature=short").unwrap();
    assert_eq!(session.sign(&sm2dsa(), key, &e).unwrap().len(), 63);
    token.behave("mechanism=absent").unwrap();
    assert_eq!(
        code(session.sign(&sm2dsa(), key, &e)),
        RvError::MechanismInvalid
    );
    let error = token.behave("point=cut; no such order").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the test token cannot follow the order \"no such order\""
    );
    token.behave("").unwrap();
    assert_eq!(session.sign(&sm2dsa(), key, &e).unwrap().len(), 64);
}

#[test]
fn data_object_takes_standing_orders() {
    let token = TestToken::create("object", PIN).unwrap();
    token.generate_sm2("key", &[]).unwrap();
    let session = user_session(&token);
    let key = private_key(&session, "key");
    let object = session
        .find_objects(&[Attribute::Label(Behaviour::OBJECT_LABEL.into())])
        .unwrap()[0];
    let order =
        |orders: &str| session.update_attributes(object, &[Attribute::Value(orders.into())]);
    order("signature=short").unwrap();
    assert_eq!(session.sign(&sm2dsa(), key, &[1; 32]).unwrap().len(), 63);
    for refused in ["no such order", "device=removed"] {
        assert_eq!(code(order(refused)), RvError::AttributeValueInvalid);
    }
    order("").unwrap();
    assert_eq!(session.sign(&sm2dsa(), key, &[1; 32]).unwrap().len(), 64);
}

#[test]
fn private_key_stays_inside() {
    let token = TestToken::create("inside", PIN).unwrap();
    // Private key of GB/T 32918.5, A.2.
    let secret = [
        0x39, 0x45, 0x20, 0x8f, 0x7b, 0x21, 0x44, 0xb1, 0x3f, 0x36, 0xe3, 0x8a, 0xc6, 0xd3, 0x9f,
        0x95, 0x88, 0x93, 0x93, 0x69, 0x28, 0x60, 0xb5, 0x1a, 0x42, 0xfb, 0x81, 0xef, 0x4d, 0xf7,
        0xc5, 0xb8,
    ];
    let point = token.import_sm2("key", &[9], &secret).unwrap();
    assert_eq!(point[1..5], [0x09, 0xf9, 0xdf, 0x31]);

    let session = user_session(&token);
    let key = private_key(&session, "key");
    let info = session
        .get_attribute_info(key, &[AttributeType::Value])
        .unwrap();
    assert!(matches!(info[..], [AttributeInfo::Sensitive]));
    let wanted = [
        AttributeType::EcParams,
        AttributeType::EcPoint,
        AttributeType::Extractable,
    ];
    let values = session.get_attributes(key, &wanted).unwrap();
    assert_eq!(
        values[0],
        Attribute::EcParams(vec![
            0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d
        ])
    );
    assert_eq!(
        values[1],
        Attribute::EcPoint([&[0x04, 65], &point[..]].concat())
    );
    assert_eq!(values[2], Attribute::Extractable(false));
    // Attributes that a Luna does not know.
    assert!(
        session
            .get_attributes(key, &[AttributeType::AlwaysAuthenticate])
            .unwrap()
            .is_empty()
    );

    let extractable = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::new_vendor_defined(CKK_SM2).unwrap()),
        Attribute::Extractable(true),
        Attribute::Value(secret.into()),
    ];
    assert_eq!(
        code(session.create_object(&extractable)),
        RvError::TemplateInconsistent
    );

    session.logout().unwrap();
    let template = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
    assert!(session.find_objects(&template).unwrap().is_empty());
    assert_eq!(
        code(session.sign(&sm2dsa(), key, &[0; 32])),
        RvError::KeyHandleInvalid
    );
}

#[test]
fn curve_belongs_to_the_public_template_alone() {
    let token = TestToken::create("templates", PIN).unwrap();
    let session = user_session(&token);
    let mechanism = vendor_mechanism(CKM_SM2_KEY_PAIR_GEN);
    let curve = |oid: &[u8]| vec![Attribute::EcParams(oid.into())];
    let sm2 = curve(&[0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d]);
    let p256 = curve(&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    let generate = |public: &[Attribute], private: &[Attribute]| {
        session.generate_key_pair(&mechanism, public, private)
    };
    assert_eq!(code(generate(&[], &[])), RvError::TemplateIncomplete);
    assert_eq!(code(generate(&p256, &[])), RvError::AttributeValueInvalid);
    assert_eq!(code(generate(&sm2, &sm2)), RvError::TemplateInconsistent);
    generate(&sm2, &[]).unwrap();
}

#[test]
fn session_objects_end_with_their_session() {
    let token = TestToken::create("sessions", PIN).unwrap();
    let session = user_session(&token);
    let other = user_session(&token);
    let curve = Attribute::EcParams(vec![
        0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d,
    ]);
    session
        .generate_key_pair(&vendor_mechanism(CKM_SM2_KEY_PAIR_GEN), &[curve], &[])
        .unwrap();
    let keys = [Attribute::Class(ObjectClass::PRIVATE_KEY)];
    assert_eq!(other.find_objects(&keys).unwrap().len(), 1);
    session.close().unwrap();
    assert_eq!(other.find_objects(&keys).unwrap().len(), 0);
}

#[test]
fn wrong_pins_are_counted_until_the_token_locks() {
    let token = TestToken::create("pins", PIN).unwrap();
    let module = module();
    let session = module.open_rw_session(slot_of(&token)).unwrap();
    let login = |value| session.login(UserType::User, Some(&pin(value)));

    assert_eq!(code(login("wrong")), RvError::PinIncorrect);
    assert_eq!(token.wrong_pins().unwrap(), 1);
    login(PIN).unwrap();
    assert_eq!(token.wrong_pins().unwrap(), 0);
    session.set_pin(&pin(PIN), &pin("another PIN")).unwrap();
    session.logout().unwrap();

    for _ in 0..10 {
        assert_eq!(code(login(PIN)), RvError::PinIncorrect);
    }
    assert_eq!(code(login("another PIN")), RvError::PinLocked);
    assert!(
        module
            .get_token_info(slot_of(&token))
            .unwrap()
            .user_pin_locked()
    );
}

#[test]
fn calls_are_counted() {
    let token = TestToken::create("counted", PIN).unwrap();
    token.generate_sm2("key", &[]).unwrap();
    let session = user_session(&token);
    let key = private_key(&session, "key");
    assert_eq!(token.calls("C_Sign").unwrap(), 0);
    session.sign(&sm2dsa(), key, &[3; 32]).unwrap();
    // cryptoki asks for the length first.
    assert_eq!(token.calls("C_Sign").unwrap(), 2);
    assert_eq!(token.calls("C_SignInit").unwrap(), 1);
}

#[test]
fn sessions_sign_side_by_side() {
    let token = TestToken::create("parallel", PIN).unwrap();
    let point = token.generate_sm2("key", &[]).unwrap();
    let first = user_session(&token);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let token = &token;
            scope.spawn(move || {
                let session = user_session(token);
                let key = private_key(&session, "key");
                for round in 0..10 {
                    let e = [thread * 16 + round; 32];
                    let raw = session.sign(&sm2dsa(), key, &e).unwrap();
                    assert!(verifies(&point, &e, &Signature::from_slice(&raw).unwrap()));
                }
            });
        }
    });
    drop(first);
}

#[test]
fn certificates_live_in_the_token() {
    let token = TestToken::create("certificates", PIN).unwrap();
    let session = user_session(&token);
    let template = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
        Attribute::Token(true),
        Attribute::Label("server".into()),
        Attribute::Id(vec![7]),
        Attribute::Subject(vec![0x30, 0]),
        Attribute::Value(b"a certificate".into()),
    ];
    let created = session.create_object(&template).unwrap();
    for missing in [1, 5, 6] {
        let mut incomplete = template.to_vec();
        incomplete.remove(missing);
        assert_eq!(
            code(session.create_object(&incomplete)),
            RvError::TemplateIncomplete
        );
    }
    let trusted = [&template[..], &[Attribute::Trusted(true)]].concat();
    assert_eq!(
        code(session.create_object(&trusted)),
        RvError::AttributeTypeInvalid
    );

    // A certificate is public: nobody need be logged in to find it.
    session.logout().unwrap();
    let wanted = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::Id(vec![7]),
    ];
    assert_eq!(session.find_objects(&wanted).unwrap(), [created]);
    let values = session.get_attributes(created, &[AttributeType::Value]);
    assert_eq!(values.unwrap(), [Attribute::Value(b"a certificate".into())]);
    session.destroy_object(created).unwrap();
    assert!(session.find_objects(&wanted).unwrap().is_empty());
}

#[test]
fn key_pairs_come_from_an_administrators_templates() {
    let token = TestToken::create("administrator", PIN).unwrap();
    let session = user_session(&token);
    let names = [
        Attribute::Token(true),
        Attribute::Label("key".into()),
        Attribute::Id(vec![1]),
        Attribute::KeyType(KeyType::new_vendor_defined(CKK_SM2).unwrap()),
    ];
    let curve = Attribute::EcParams(vec![
        0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d,
    ]);
    let public = [
        &names[..],
        &[
            curve,
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Private(false),
            Attribute::Verify(true),
        ],
    ]
    .concat();
    let private = [
        &names[..],
        &[
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ],
    ]
    .concat();
    let mechanism = vendor_mechanism(CKM_SM2_KEY_PAIR_GEN);
    let (_, key) = session
        .generate_key_pair(&mechanism, &public, &private)
        .unwrap();
    let wanted = [
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::Sign,
        AttributeType::Token,
        AttributeType::NeverExtractable,
    ];
    let values = session.get_attributes(key, &wanted).unwrap();
    let expected = [
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Token(true),
        Attribute::NeverExtractable(true),
    ];
    assert_eq!(values, expected);

    let swapped = session.generate_key_pair(&mechanism, &private, &public);
    assert_eq!(code(swapped), RvError::TemplateInconsistent);
    let wrong = Attribute::KeyType(KeyType::EC);
    let wrong = [&public[4..], &[wrong]].concat();
    let wrong = session.generate_key_pair(&mechanism, &wrong, &[]);
    assert_eq!(code(wrong), RvError::TemplateInconsistent);
}
