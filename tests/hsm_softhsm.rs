//! Keys in SoftHSM2, a PKCS#11 module that others wrote: ECDSA and RSA, through full TLS
//! handshakes.
#![cfg(all(feature = "pkcs11", feature = "international"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use der::Encode;
use der::asn1::ObjectIdentifier;
use rand_core::TryRng;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::DecodePublicKey;
use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use sha2::{Digest, Sha384};
use shangmi::hsm::pkcs11::{KeyKind, Options, TokenEntropy};
use shangmi::hsm::{Ckr, Error, Health};
use shangmi::random::{self, EntropySource, SystemRandom};

use common::softhsm::SOFTHSM;
use common::token::{Ca, P256, P384, P521, SM2, token_folder};
use common::token_pool::{hsm_error, sign, wait_for};

#[test]
fn ecdsa_p256_signs_handshakes() {
    SOFTHSM.isolated("ecdsa_p256_signs_handshakes", || {
        SOFTHSM.token().generate_ec("key", &[1], P256);
        let scheme = SignatureScheme::ECDSA_NISTP256_SHA256;
        SOFTHSM.mutual_handshake(KeyKind::EcdsaP256, &[scheme]);
    });
}

/// Its random generator seeds the module's, beside the operating system.
#[test]
fn its_random_bytes_are_a_source_of_entropy() {
    SOFTHSM.isolated("its_random_bytes_are_a_source_of_entropy", || {
        SOFTHSM.token().generate_ec("key", &[1], P256);
        let pool = SOFTHSM.pool(Options::default());
        let token = Arc::new(TokenEntropy::new(&pool));
        let mut bytes = vec![0; 1024];
        token.fill(&mut bytes).unwrap();
        let values: BTreeSet<_> = bytes.iter().collect();
        assert!(values.len() > 200, "{bytes:?}");

        random::add_source(token).unwrap();
        random::reseed().unwrap();
        let (mut one, mut other) = ([0; 32], [0; 32]);
        SystemRandom.try_fill_bytes(&mut one).unwrap();
        random::fill_with_prediction_resistance(&mut other).unwrap();
        assert_ne!(one, other);
        pool.close();
        let error = random::reseed().unwrap_err();
        assert!(matches!(error, random::Error::Source { .. }), "{error}");
    });
}

#[test]
fn ecdsa_p384_signs_handshakes() {
    SOFTHSM.isolated("ecdsa_p384_signs_handshakes", || {
        SOFTHSM.token().generate_ec("key", &[1], P384);
        let scheme = SignatureScheme::ECDSA_NISTP384_SHA384;
        SOFTHSM.mutual_handshake(KeyKind::EcdsaP384, &[scheme]);
    });
}

/// CKA_EC_POINT without the OCTET STRING, as some tools write it; SoftHSM2 gives it back as it was
/// stored.
#[test]
fn bare_ec_points_sign_handshakes() {
    SOFTHSM.isolated("bare_ec_points_sign_handshakes", || {
        let token = SOFTHSM.token();
        for (curve, length, kind, scheme) in [
            (
                P256,
                65,
                KeyKind::EcdsaP256,
                SignatureScheme::ECDSA_NISTP256_SHA256,
            ),
            (
                P384,
                97,
                KeyKind::EcdsaP384,
                SignatureScheme::ECDSA_NISTP384_SHA384,
            ),
        ] {
            let private = token.generate_ec("key", &[1], curve);
            let wrapped = token.ec_point();
            assert_eq!(wrapped[..3], [0x04, length, 0x04]);
            token.session.destroy_object(token.public_key()).unwrap();
            let public = [
                Attribute::Class(ObjectClass::PUBLIC_KEY),
                Attribute::KeyType(KeyType::EC),
                Attribute::Token(true),
                Attribute::Label("key".into()),
                Attribute::Id(vec![1]),
                Attribute::EcParams(ObjectIdentifier::new(curve).unwrap().to_der().unwrap()),
                Attribute::EcPoint(wrapped[2..].to_vec()),
            ];
            let public = token.session.create_object(&public).unwrap();
            assert_eq!(token.ec_point().len(), usize::from(length));

            SOFTHSM.mutual_handshake(kind, &[scheme]);
            token.session.destroy_object(public).unwrap();
            token.session.destroy_object(private).unwrap();
        }
    });
}

#[test]
fn rsa_signs_handshakes() {
    SOFTHSM.isolated("rsa_signs_handshakes", || {
        SOFTHSM.token().generate_rsa("key", &[1], 2048);
        SOFTHSM.mutual_handshake(
            KeyKind::Rsa,
            &[
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PSS_SHA512,
            ],
        );
    });
}

#[test]
fn rsa_signs_pkcs1_for_tls_1_2() {
    SOFTHSM.isolated("rsa_signs_pkcs1_for_tls_1_2", || {
        SOFTHSM.token().generate_rsa("key", &[1], 3072);
        let key = SOFTHSM.open("key", None).unwrap();
        // PSS comes first wherever it is offered.
        let both = [
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PSS_SHA256,
        ];
        assert_eq!(
            key.choose_scheme(&both).unwrap().scheme(),
            SignatureScheme::RSA_PSS_SHA256
        );

        let signer = key.choose_scheme(&both[..1]).unwrap();
        let signature = signer.sign(b"message").unwrap();
        let public = RsaPublicKey::from_public_key_der(key.public_key_info()).unwrap();
        let digest = Sha384::digest(b"message");
        public
            .verify(Pkcs1v15Sign::new::<Sha384>(), &digest, &signature)
            .unwrap();
    });
}

#[test]
fn sm2_curve_under_ckm_ecdsa_is_refused_by_name() {
    SOFTHSM.isolated("sm2_curve_under_ckm_ecdsa_is_refused_by_name", || {
        let token = SOFTHSM.token();
        let key = token.generate_ec("key", &[1], SM2);
        // SoftHSM2 does sign with it: ECDSA on the SM2 curve, 64 bytes, which nobody should take
        // for SM2.
        assert_eq!(
            token
                .session
                .sign(&Mechanism::Ecdsa, key, &[1; 32])
                .unwrap()
                .len(),
            64
        );

        let error = SOFTHSM.open("key", None).unwrap_err();
        assert!(matches!(&error, Error::EcdsaOnSm2Curve { key } if key == "object=key id=01"));
        let text = error.to_string();
        assert!(
            text.contains("CKM_ECDSA would sign ECDSA with it, which is not SM2"),
            "{text}"
        );
    });
}

#[test]
fn unsupported_keys_are_refused_by_name() {
    SOFTHSM.isolated("unsupported_keys_are_refused_by_name", || {
        let token = SOFTHSM.token();
        token.generate_ec("p521", &[1], P521);
        token.generate_rsa("small", &[2], 1024);
        let error = SOFTHSM.open("p521", None).unwrap_err();
        assert!(
            matches!(&error, Error::KeyType { kind, .. } if kind.contains(P521)),
            "{error}"
        );
        let error = SOFTHSM.open("small", None).unwrap_err();
        assert!(error.to_string().contains("is RSA of 1024 bits"), "{error}");
    });
}

#[test]
fn certificate_is_checked_even_without_a_public_key_in_the_token() {
    SOFTHSM.isolated(
        "certificate_is_checked_even_without_a_public_key_in_the_token",
        || {
            let token = SOFTHSM.token();
            token.generate_ec("one", &[1], P256);
            token.generate_ec("two", &[2], P256);
            let ca = Ca::new();
            let one = ca.issue(SOFTHSM.open("one", None).unwrap().public_key_info());
            let two = ca.issue(SOFTHSM.open("two", None).unwrap().public_key_info());
            let mismatch = SOFTHSM.open("one", Some(&two)).unwrap_err();
            assert!(
                matches!(mismatch, Error::CertificateMismatch { .. }),
                "{mismatch}"
            );

            for public in token
                .session
                .find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)])
                .unwrap()
            {
                token.session.destroy_object(public).unwrap();
            }
            assert!(matches!(
                SOFTHSM.open("one", None).unwrap_err(),
                Error::NoPublicKey { .. }
            ));
            let wrong = SOFTHSM.open("one", Some(&two)).unwrap_err();
            assert!(matches!(wrong, Error::WrongSignature { .. }), "{wrong}");
            SOFTHSM.open("one", Some(&one)).unwrap();
        },
    );
}

#[test]
fn rotation_under_one_label_is_no_mismatch() {
    SOFTHSM.isolated("rotation_under_one_label_is_no_mismatch", || {
        let token = SOFTHSM.token();
        token.generate_ec("new", &[2], P256);
        let certificate = Ca::new().issue(SOFTHSM.open("new", None).unwrap().public_key_info());
        // The new key shows no public half, and the old one's has the same label.
        let public = |label: &str| {
            let label = Attribute::Label(label.into());
            let template = [Attribute::Class(ObjectClass::PUBLIC_KEY), label];
            token.session.find_objects(&template).unwrap()[0]
        };
        token.session.destroy_object(public("new")).unwrap();
        let old = token.generate_ec("new", &[1], P256);
        token.session.destroy_object(old).unwrap();
        public("new");
        SOFTHSM.open("new", Some(&certificate)).unwrap();
    });
}

#[test]
fn refused_rsa_schemes_are_dropped() {
    SOFTHSM.isolated("refused_rsa_schemes_are_dropped", || {
        let token = SOFTHSM.token();
        let pkcs1_alone = Attribute::AllowedMechanisms(vec![MechanismType::RSA_PKCS]);
        token.generate_rsa_with("key", &[1], 2048, vec![pkcs1_alone]);
        let key = SOFTHSM.open("key", None).unwrap();
        assert!(
            key.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256])
                .is_none()
        );
        for scheme in [
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA512,
        ] {
            let signer = key.choose_scheme(&[scheme]).unwrap();
            assert_eq!(signer.sign(b"message").unwrap().len(), 256);
        }

        let nothing = Attribute::AllowedMechanisms(vec![MechanismType::SHA256_RSA_PKCS]);
        token.generate_rsa_with("none", &[2], 2048, vec![nothing]);
        let error = SOFTHSM.open("none", None).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Call {
                    code: Ckr::MECHANISM_INVALID,
                    ..
                }
            ),
            "{error}"
        );
    });
}

#[test]
fn threads_share_sessions() {
    SOFTHSM.isolated("threads_share_sessions", || {
        SOFTHSM.threads_share_sessions()
    });
}

#[test]
fn fork_is_refused() {
    SOFTHSM.isolated("fork_is_refused", || SOFTHSM.fork_is_refused());
}

#[test]
fn finalized_by_someone_else() {
    SOFTHSM.isolated("finalized_by_someone_else", || {
        SOFTHSM.finalized_by_someone_else()
    });
}

#[test]
fn wrong_pin_is_sent_once() {
    SOFTHSM.isolated("wrong_pin_is_sent_once", || {
        // SoftHSM2 counts no further than that there was one, and locks nothing.
        SOFTHSM.wrong_pin_is_sent_once(|token| assert!(token.info().user_pin_count_low()));
    });
}

/// The token's directory is gone, with its folder, and comes back while the pool lives.
#[test]
fn token_directory_moved_away_and_back() {
    SOFTHSM.isolated("token_directory_moved_away_and_back", || {
        let aside = token_folder().with_extension("aside");
        outage(
            "moved away and back",
            || fs::rename(token_folder(), &aside).unwrap(),
            || fs::rename(&aside, token_folder()).unwrap(),
        );
    });
}

/// The token's files are deleted and restored from a copy while the pool lives.
#[test]
fn token_deleted_and_restored() {
    SOFTHSM.isolated("token_deleted_and_restored", || {
        let copy = token_folder().with_extension("copy");
        outage(
            "deleted and restored",
            || {
                copy_folder(&token_folder(), &copy);
                for token in fs::read_dir(token_folder()).unwrap() {
                    fs::remove_dir_all(token.unwrap().path()).unwrap();
                }
            },
            || copy_folder(&copy, &token_folder()),
        );
    });
}

/// What SoftHSM2 answers meanwhile is its own affair, since it keeps much in memory; every failure
/// must be typed and in time, no signature wrong, and the service must be back afterwards: where
/// that takes a new C_Initialize, which comes once in 30 s, up to so long.
fn outage(name: &str, begin: impl FnOnce(), end: impl FnOnce()) {
    let token = SOFTHSM.token();
    token.generate_ec("key", &[1], P256);
    // The pool's own to initialize again.
    token.close();
    let deadline = Duration::from_secs(5);
    let pool = SOFTHSM.pool(Options::default().max_sessions(4).deadline(deadline));
    let key = pool.key(&SOFTHSM.uri("key"), None).unwrap();

    begin();
    let start = Instant::now();
    let (mut signatures, mut refusals) = (0, BTreeMap::<String, usize>::new());
    while start.elapsed() < Duration::from_secs(6) {
        let asked = Instant::now();
        match sign(&key) {
            Ok(_) => signatures += 1,
            Err(error) => {
                let error = hsm_error(&error);
                assert!(
                    matches!(
                        error,
                        Error::Call { .. }
                            | Error::Token { .. }
                            | Error::Key { .. }
                            | Error::Down { .. }
                    ),
                    "{error}"
                );
                let text = match error {
                    Error::Down { .. } => "Error::Down".into(),
                    other => other.to_string(),
                };
                *refusals.entry(text).or_default() += 1;
            }
        }
        assert!(asked.elapsed() < deadline + Duration::from_secs(5));
        thread::sleep(Duration::from_millis(20));
    }
    end();
    let back = wait_for(&key, |_| {});

    let metrics = pool.metrics();
    println!(
        "\nhsm SoftHSM2 {name}: {signatures} signatures and {} failures meanwhile, back after {} ms, \
         {} outages, {} module initializations, {} sessions lost; {refusals:?}",
        refusals.values().sum::<usize>(),
        back.as_millis(),
        metrics.outages,
        metrics.reinitializations,
        metrics.sessions_lost,
    );
    // An outage is told once, and SoftHSM2 reads its directory only when it is initialized.
    assert_eq!(metrics.outages, 1, "{metrics:?}");
    assert!(metrics.reinitializations >= 1, "{metrics:?}");
    assert_eq!(metrics.login_failures, 0, "{metrics:?}");
    assert_ne!(pool.health(), Health::Down);
    // A pool opened now finds the same token.
    let another = SOFTHSM.pool(Options::default());
    sign(&another.key(&SOFTHSM.uri("key"), None).unwrap()).unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
