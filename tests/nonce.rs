//! That no nonce of GCM or CCM is used twice under one key where the module makes them, and that the
//! indicator tells whose a nonce is.

#![cfg(feature = "international")] // the default

mod common;

use std::collections::HashSet;
use std::io::{Read, Write};

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::internal::{derive_traffic_iv, derive_traffic_key};
use rustls::{ContentType, Error, ProtocolVersion, Tls13CipherSuite};
use shangmi::module::{Approval, Service, observe};
use shangmi::random::SystemRandom;
use shangmi::sm4::{Aead, KeyInit, SealError, Sm4Ccm, Sm4Gcm, Sm4GcmSealer};
use shangmi::tls13::{self, TLS_SM4_CCM_SM3, TLS_SM4_GCM_SM3};

use common::*;

#[test]
fn no_suite_seals_twice_under_one_sequence_number() {
    let provider = tls13::mixed();
    let suites = provider.cipher_suites.iter().filter_map(|s| s.tls13());
    let mut seen = 0;
    for suite in suites {
        seen += 1;
        let encrypter = &mut *encrypter(suite);
        let mut records = HashSet::new();
        // Forwards it may go, as when a number is skipped.
        for sequence in [0, 1, 5, 1 << 32, u64::MAX] {
            let record = seal(encrypter, sequence).unwrap();
            assert!(records.insert(record), "{suite:?}, {sequence}");
            for used in [0, sequence / 2, sequence.saturating_sub(1), sequence] {
                let again = seal(encrypter, used);
                assert_eq!(
                    again,
                    Err(Error::EncryptError),
                    "{suite:?}, {used} after {sequence}"
                );
            }
        }
    }
    assert_eq!(seen, 4);
}

fn encrypter(suite: &Tls13CipherSuite) -> Box<dyn MessageEncrypter> {
    let expander = suite.hkdf_provider.extract_from_secret(None, b"secret");
    let key = derive_traffic_key(&*expander, suite.aead_alg);
    suite.aead_alg.encrypter(key, derive_traffic_iv(&*expander))
}

fn seal(encrypter: &mut dyn MessageEncrypter, sequence: u64) -> Result<Vec<u8>, Error> {
    let message = OutboundPlainMessage {
        typ: ContentType::ApplicationData,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::Single(b"text"),
    };
    Ok(encrypter.encrypt(message, sequence)?.encode())
}

#[test]
fn a_connection_seals_under_the_modules_nonces() {
    let ca = ca("root");
    let server = issue(&ca, &server_leaf());
    for (suite, own, opening, callers) in [
        (
            TLS_SM4_GCM_SM3,
            Service::Sm4GcmSealOwnNonce,
            Service::Sm4GcmOpen,
            Service::Sm4GcmSeal,
        ),
        (
            TLS_SM4_CCM_SM3,
            Service::Sm4CcmSealOwnNonce,
            Service::Sm4CcmOpen,
            Service::Sm4CcmSeal,
        ),
    ] {
        let client = client_config(&strict_with(suite), &roots(&ca), None);
        let server = server_config(&strict(), None, server.clone());
        let ((), used) = observe(|| {
            let mut pair = Pair::new(client, server).handshake();
            pair.client.writer().write_all(b"ping").unwrap();
            pair.run().unwrap();
            let mut text = [0; 4];
            pair.server.reader().read_exact(&mut text).unwrap();
            assert_eq!(&text, b"ping");
        });
        for service in [
            Service::Sm3,
            Service::HmacSm3,
            Service::HkdfSm3,
            own,
            opening,
        ] {
            assert!(used.contains(service), "{service} in {suite:?}");
        }
        assert!(!used.contains(callers), "{suite:?}");
        assert_eq!(used.approval(), Approval::Gm, "{suite:?}");
    }
}

#[test]
fn a_nonce_of_the_callers_is_not_approved() {
    let (gcm, ccm) = (Sm4Gcm::new(&[1; 16].into()), Sm4Ccm::new(&[1; 16].into()));
    let (sealed, used) = observe(|| gcm.encrypt(&[2; 12].into(), b"text".as_slice()));
    assert_eq!(used.iter().collect::<Vec<_>>(), [Service::Sm4GcmSeal]);
    assert_eq!(used.approval(), Approval::None);
    let (opened, used) = observe(|| gcm.decrypt(&[2; 12].into(), &sealed.unwrap()[..]));
    assert_eq!(opened.unwrap(), b"text");
    assert_eq!(used.approval(), Approval::Gm);
    let (_, used) = observe(|| ccm.encrypt(&[2; 12].into(), b"text".as_slice()));
    assert_eq!(used.iter().collect::<Vec<_>>(), [Service::Sm4CcmSeal]);
    assert_eq!(used.approval(), Approval::None);
}

#[test]
fn a_sealers_nonces_do_not_come_again() {
    const MESSAGES: u64 = 10_000;
    let sealer = Sm4GcmSealer::with_limit(&[1; 16], MESSAGES);
    let gcm = Sm4Gcm::new(&[1; 16].into());
    let mut nonces = HashSet::new();
    for _ in 0..MESSAGES {
        let (sealed, used) = observe(|| sealer.seal(&mut SystemRandom, b"", b"text"));
        let sealed = sealed.unwrap();
        let (nonce, text) = sealed.split_first_chunk::<12>().unwrap();
        assert!(nonces.insert(*nonce));
        assert_eq!(gcm.decrypt(nonce.into(), text).unwrap(), b"text");
        // Approved exactly where the module's own generator gave the nonce.
        let own = used.contains(Service::Random);
        assert_eq!(used.contains(Service::Sm4GcmSealOwnNonce), own);
        assert_eq!(used.contains(Service::Sm4GcmSeal), !own);
    }
    let refused = sealer.seal(&mut SystemRandom, b"", b"one too many");
    assert!(matches!(refused, Err(SealError::KeyUsedUp)));
}
