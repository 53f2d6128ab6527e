//! SM2 against the standard's example and against RustCrypto's `sm2`, which shares nothing with it:
//! whole operations here, points and scalars in `curve/tests.rs`. The full set of known answers runs in `tests/vectors.rs`.

use ::signature::Keypair;
use ::signature::hazmat::{PrehashSigner, PrehashVerifier};

use super::agreement::{Agreement, Peer, Role};
use super::encryption::{Format, encrypt};
use super::*;
use crate::gate::{self, injection};
use crate::random::SystemRandom;

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

fn random_key() -> SecretKey {
    SecretKey::generate(&mut SystemRandom).unwrap()
}

#[test]
fn signature_example_of_gbt_32918_5() {
    let key = SecretKey::from_bytes(&hex(
        "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8",
    ))
    .unwrap();
    let e = message_digest(DEFAULT_ID, key.public_key(), b"message digest").unwrap();
    assert_eq!(
        e,
        hex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
    );
    let signature = hazmat::sign_digest_with_nonce(
        &key,
        &e,
        &hex("59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21"),
    )
    .unwrap();
    assert_eq!(
        signature.to_bytes()[..32],
        hex::<32>("f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"),
    );
    assert_eq!(
        signature.to_bytes()[32..],
        hex::<32>("b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"),
    );
    verify_digest(key.public_key(), &e, &signature).unwrap();
}

#[test]
fn rustcrypto_verifies_our_signatures_and_we_verify_theirs() {
    for id in ["", "1234567812345678", "TLSv1.3+GM+Cipher+Suite"] {
        let secret = random_key();
        let theirs = ::sm2::dsa::SigningKey::from_slice(id, secret.to_bytes().as_bytes()).unwrap();
        let ours = SigningKey::new(secret, id.as_bytes()).unwrap();

        let signature = ours.try_sign(b"message").unwrap();
        let as_theirs = ::sm2::dsa::Signature::from_slice(&signature.to_bytes()).unwrap();
        Verifier::verify(theirs.verifying_key(), b"message", &as_theirs).unwrap();

        let signature: ::sm2::dsa::Signature = Signer::sign(&theirs, b"message");
        let as_ours = Signature::from_bytes(&signature.to_bytes().into()).unwrap();
        Verifier::verify(ours.verifying_key(), b"message", &as_ours).unwrap();
        assert!(Verifier::verify(ours.verifying_key(), b"another", &as_ours).is_err());
        let prepared = ours.verifying_key().clone().prepare();
        assert_eq!(prepared.verifying_key(), ours.verifying_key());
        Verifier::verify(&prepared, b"message", &as_ours).unwrap();
        assert!(Verifier::verify(&prepared, b"another", &as_ours).is_err());
    }
}

#[test]
fn prepared_keys_verify_the_same() {
    let keys: Vec<_> = (0..4).map(|_| random_key()).collect();
    for (i, signer) in keys.iter().enumerate() {
        let signature = signer.sign_digest(&[i as u8; 32]).unwrap();
        for (j, key) in keys.iter().enumerate() {
            let plain = VerifyingKey::new(key.public_key().clone(), DEFAULT_ID).unwrap();
            let prepared = plain.clone().prepare();
            for e in 0..keys.len() {
                let e = [e as u8; 32];
                let verified = prepared.verify_prehash(&e, &signature).is_ok();
                assert_eq!(verified, i == j && e[0] == i as u8);
                assert_eq!(verified, plain.verify_prehash(&e, &signature).is_ok());
            }
        }
    }
}

#[test]
fn a_signature_belongs_to_one_id_and_one_key() {
    let key = SigningKey::new(random_key(), TLS13_ID).unwrap();
    let signature = key.try_sign(b"message").unwrap();
    let public = key.verifying_key().public_key().clone();
    let other_id = VerifyingKey::new(public, DEFAULT_ID).unwrap();
    let other_key = VerifyingKey::new(random_key().public_key().clone(), TLS13_ID).unwrap();
    assert!(other_id.verify(b"message", &signature).is_err());
    assert!(other_key.verify(b"message", &signature).is_err());
    assert_eq!(*key.verifying_key(), Keypair::verifying_key(&key));
}

#[test]
fn the_prehash_is_e_and_has_32_bytes() {
    let key = SigningKey::new(random_key(), DEFAULT_ID).unwrap();
    let e = message_digest(DEFAULT_ID, key.verifying_key().public_key(), b"message").unwrap();
    let signature: Signature = key.sign_prehash(&e).unwrap();
    key.verifying_key().verify(b"message", &signature).unwrap();
    key.verifying_key().verify_prehash(&e, &signature).unwrap();
    assert!(key.sign_prehash(&e[1..]).is_err());
    assert!(
        key.verifying_key()
            .verify_prehash(&e[1..], &signature)
            .is_err()
    );
    let prepared = key.verifying_key().clone().prepare();
    prepared.verify_prehash(&e, &signature).unwrap();
    assert!(prepared.verify_prehash(&e[1..], &signature).is_err());
}

#[test]
fn der_round_trips_and_both_forms_agree() {
    let key = random_key();
    for i in 0..200u8 {
        let signature = key.sign_digest(&[i; 32]).unwrap();
        let der = signature.to_der();
        assert_eq!(Signature::from_der(&der).unwrap(), signature);
        assert_eq!(
            Signature::from_bytes(&signature.to_bytes()).unwrap(),
            signature
        );
        assert!(Signature::from_der(&[&der[..], &[0]].concat()).is_err());
    }
}

#[test]
fn two_signatures_of_one_message_differ() {
    let key = random_key();
    assert_ne!(
        key.sign_digest(&[1; 32]).unwrap(),
        key.sign_digest(&[1; 32]).unwrap()
    );
}

#[test]
fn an_id_fits_in_16_bits() {
    let public = random_key().public_key().clone();
    assert!(z_value(&[0; MAX_ID_LEN], &public).is_ok());
    assert!(matches!(
        z_value(&[0; MAX_ID_LEN + 1], &public),
        Err(Error::IdTooLong)
    ));
}

#[test]
fn both_ends_of_ecdh_agree_with_rustcrypto() {
    let (a, b) = (random_key(), random_key());
    let shared = ecdh::shared_secret(&a, b.public_key()).unwrap();
    assert_eq!(shared, ecdh::shared_secret(&b, a.public_key()).unwrap());

    let theirs = ::sm2::SecretKey::from_slice(a.to_bytes().as_bytes()).unwrap();
    let public = ::sm2::PublicKey::from_sec1_bytes(b.public_key().as_sec1()).unwrap();
    let expected =
        ::sm2::elliptic_curve::ecdh::diffie_hellman(theirs.to_nonzero_scalar(), public.as_affine());
    assert_eq!(shared.as_bytes()[..], expected.raw_secret_bytes()[..]);
}

#[test]
fn encryption_round_trips_and_any_change_is_noticed() {
    let key = random_key();
    for format in [Format::Asn1, Format::C1C3C2] {
        for len in [1, 2, 31, 32, 33, 100, 1000] {
            let plaintext = vec![0x5a; len];
            let sealed = encrypt(key.public_key(), &plaintext, format, &mut SystemRandom).unwrap();
            assert_eq!(*key.decrypt(&sealed, format).unwrap(), plaintext[..]);
        }
        let sealed = encrypt(key.public_key(), b"text", format, &mut SystemRandom).unwrap();
        for i in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[i] ^= 1;
            assert!(
                key.decrypt(&altered, format).is_err(),
                "{format:?} byte {i}"
            );
            assert!(
                key.decrypt(&sealed[..i], format).is_err(),
                "{format:?} cut at {i}"
            );
        }
        assert!(random_key().decrypt(&sealed, format).is_err());
        let too_long = vec![0; encryption::MAX_PLAINTEXT_LEN + 1];
        assert!(matches!(
            encrypt(key.public_key(), &too_long, format, &mut SystemRandom),
            Err(Error::PlaintextLength)
        ));
        assert!(matches!(
            encrypt(key.public_key(), b"", format, &mut SystemRandom),
            Err(Error::PlaintextLength)
        ));
    }
}

#[test]
fn rustcrypto_decrypts_what_we_encrypt_and_back() {
    let key = random_key();
    let theirs = ::sm2::pke::DecryptingKey::new(
        ::sm2::SecretKey::from_slice(key.to_bytes().as_bytes()).unwrap(),
    );
    let sealed = encrypt(
        key.public_key(),
        b"plaintext",
        Format::C1C3C2,
        &mut SystemRandom,
    )
    .unwrap();
    assert_eq!(theirs.decrypt(&sealed).unwrap(), b"plaintext");
}

#[test]
fn both_ends_of_the_agreement_confirm_the_same_key() {
    let (a, b, ra, rb) = (random_key(), random_key(), random_key(), random_key());
    let agree = |len| {
        let of_a = a.agree(
            Role::Initiator,
            b"Alice",
            &ra,
            Peer {
                id: b"Bob",
                public: b.public_key(),
                ephemeral: rb.public_key(),
            },
            len,
        )?;
        let of_b = b.agree(
            Role::Responder,
            b"Bob",
            &rb,
            Peer {
                id: b"Alice",
                public: a.public_key(),
                ephemeral: ra.public_key(),
            },
            len,
        )?;
        Ok::<_, Error>((of_a, of_b))
    };
    let (of_a, of_b) = agree(48).unwrap();
    assert_eq!(of_a.key().len(), 48);
    assert_eq!(of_a.key(), of_b.key());
    assert_eq!(of_a.responder_confirmation(), of_b.responder_confirmation());
    assert_eq!(of_a.initiator_confirmation(), of_b.initiator_confirmation());
    assert_ne!(of_a.initiator_confirmation(), of_a.responder_confirmation());
    assert!(matches!(agree(0), Err(Error::KeyLength)));
}

#[test]
fn a_pair_is_consistent_and_no_other_is() {
    let (a, b) = (random_key(), random_key());
    assert!(a.is_pair_with(a.public_key()));
    assert!(!a.is_pair_with(b.public_key()));
    let mut negative = *a.public_key().as_sec1();
    negative[0] = 2 + (1 ^ negative[64] & 1);
    let negative = PublicKey::from_sec1(&negative[..33]).unwrap();
    assert!(!a.is_pair_with(&negative));
}

#[test]
fn all_known_answers_are_given() {
    use self_test::{AGREEMENT, DECRYPT, ECDH, ENCRYPT, KEY_GENERATION, SIGN, VERIFY};
    let tests = [
        &KEY_GENERATION,
        &SIGN,
        &VERIFY,
        &ECDH,
        &AGREEMENT,
        &ENCRYPT,
        &DECRYPT,
    ];
    let outcomes = gate::run_all(&tests);
    assert_eq!(outcomes.len(), tests.len());
    for outcome in outcomes {
        println!("{outcome:?}");
        outcome.result.unwrap();
    }
}

type Service = (&'static str, Box<dyn Fn() -> Result<(), Error>>);

/// Every operation that gives anything, with the self test that is behind it.
fn services() -> Vec<Service> {
    fn key() -> SecretKey {
        SecretKey::derive(&[1; 32]).unwrap()
    }
    fn verifying_key() -> VerifyingKey {
        VerifyingKey::new(key().public_key().clone(), DEFAULT_ID).unwrap()
    }
    fn signature() -> Signature {
        Signature::from_bytes(&[1; 64]).unwrap()
    }
    fn own(error: ::signature::Error) -> Error {
        match std::error::Error::source(&error).unwrap().downcast_ref() {
            Some(Error::Module(error)) => Error::Module(error.clone()),
            _ => Error::InvalidSignature,
        }
    }
    fn agree() -> Result<Agreement, Error> {
        let (key, ephemeral) = (key(), key());
        let peer = Peer {
            id: DEFAULT_ID,
            public: key.public_key(),
            ephemeral: key.public_key(),
        };
        key.agree(Role::Initiator, DEFAULT_ID, &ephemeral, peer, 16)
    }
    vec![
        (
            "SM2 key generation",
            Box::new(|| SecretKey::generate(&mut SystemRandom).map(drop)),
        ),
        (
            "SM2 key generation",
            Box::new(|| SecretKey::from_bytes(&[1; 32]).map(drop)),
        ),
        (
            "SM2 signature",
            Box::new(|| key().sign_digest(&[2; 32]).map(drop)),
        ),
        (
            "SM2 signature",
            Box::new(|| {
                let key = SigningKey::new(key(), DEFAULT_ID)?;
                key.try_sign(b"message").map(drop).map_err(own)
            }),
        ),
        (
            "SM2 signature",
            Box::new(|| hazmat::sign_digest_with_nonce(&key(), &[2; 32], &[3; 32]).map(drop)),
        ),
        (
            "SM2 verification",
            Box::new(|| verify_digest(key().public_key(), &[2; 32], &signature())),
        ),
        (
            "SM2 verification",
            Box::new(|| {
                verifying_key()
                    .verify(b"message", &signature())
                    .map_err(own)
            }),
        ),
        (
            "SM2 verification",
            Box::new(|| {
                verifying_key()
                    .prepare()
                    .verify(b"message", &signature())
                    .map_err(own)
            }),
        ),
        (
            "SM2 ECDH",
            Box::new(|| ecdh::shared_secret(&key(), key().public_key()).map(drop)),
        ),
        ("SM2 key agreement", Box::new(|| agree().map(drop))),
        (
            "SM2 encryption",
            Box::new(|| {
                encrypt(key().public_key(), b"text", Format::Asn1, &mut SystemRandom).map(drop)
            }),
        ),
        (
            "SM2 encryption",
            Box::new(|| {
                let format = Format::C1C3C2;
                hazmat::encrypt_with_nonce(key().public_key(), b"text", &[3; 32], format).map(drop)
            }),
        ),
        (
            "SM2 decryption",
            Box::new(|| key().decrypt(b"", Format::Asn1).map(drop)),
        ),
        (
            "SM3",
            Box::new(|| z_value(DEFAULT_ID, key().public_key()).map(drop)),
        ),
        (
            "SM3",
            Box::new(|| message_digest(b"", key().public_key(), b"").map(drop)),
        ),
    ]
}

/// One process for each check, the first of which tells their names.
#[test]
fn after_any_failed_check_there_is_no_service() {
    const THIS: &str = "sm2::tests::after_any_failed_check_there_is_no_service";
    match std::env::var(injection::VARIABLE) {
        Ok(list) if list == "list" => {
            for (_, service) in services() {
                // Some have arguments that are wrong.
                _ = service();
            }
        }
        Ok(check) => {
            let (test, check) = check.split_once('/').unwrap();
            let fails = |(of, service): &Service| {
                let error = service().unwrap_err();
                let Error::Module(gate::Error::SelfTestFailed { test: t, check: c }) = error else {
                    panic!("{of}: {error:?}")
                };
                assert_eq!((t, c), (test, check), "{of}");
            };
            let services = services();
            services
                .iter()
                .filter(|(of, _)| *of == test)
                .take(1)
                .for_each(fails);
            assert_eq!(gate::state(), gate::State::Error);
            services.iter().for_each(fails);
        }
        Err(_) => {
            let run = |order: &str| {
                let child = std::process::Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", THIS, "--nocapture"])
                    .env(injection::VARIABLE, order)
                    .output()
                    .unwrap();
                let said = String::from_utf8(child.stdout).unwrap();
                let complaint = String::from_utf8_lossy(&child.stderr);
                let good = child.status.success() && said.contains("1 passed");
                assert!(good, "{order}: {said}{complaint}");
                said
            };
            let said = run("list");
            let names: std::collections::BTreeSet<_> = said
                .lines()
                .filter_map(|line| line.strip_prefix("check "))
                .filter(|name| name.starts_with("SM2 "))
                .collect();
            assert!(names.contains("SM2 key generation/pairwise consistency"));
            println!("{} checks", names.len());
            for name in names {
                run(name);
            }
        }
    }
}

#[test]
fn debug_shows_no_private_key() {
    let key = random_key();
    let digits: String = key
        .to_bytes()
        .as_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let shown = format!("{key:?}");
    assert!(shown.contains("PublicKey(04"));
    assert!(!shown.contains(&digits[..16]));
}
