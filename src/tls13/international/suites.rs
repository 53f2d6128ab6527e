//! AES-GCM suites (RFC 8446 B.4) on the same record layer and key schedule as the SM ones.

use aes_gcm::{Aes128Gcm, Aes256Gcm};
use hmac::Hmac;
use rustls::crypto::CipherSuiteCommon;
use rustls::crypto::hash::HashAlgorithm;
use rustls::{CipherSuite, ConnectionTrafficSecrets, SupportedCipherSuite, Tls13CipherSuite};
use sha2::{Sha256, Sha384};

use super::super::aead::{RecordAead, RecordCipher};
use super::super::hash::{Transcript, TranscriptHash};
use super::super::hkdf::KeySchedule;
use crate::gate::{self, Service};
use crate::module::international::{
    AES_GCM, HkdfOver, SHA256 as SHA256_TEST, SHA384 as SHA384_TEST,
};

pub(super) static TLS13_AES_256_GCM_SHA384: SupportedCipherSuite =
    SupportedCipherSuite::Tls13(&Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
            hash_provider: &SHA384,
            confidentiality_limit: 1 << 24, // RFC 8446 5.5: 2^24.5
        },
        hkdf_provider: &SHA384_SCHEDULE,
        aead_alg: &AES_256_GCM,
        quic: None,
    });

pub(super) static TLS13_AES_128_GCM_SHA256: SupportedCipherSuite =
    SupportedCipherSuite::Tls13(&Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
            hash_provider: &SHA256,
            confidentiality_limit: 1 << 24,
        },
        hkdf_provider: &SHA256_SCHEDULE,
        aead_alg: &AES_128_GCM,
        quic: None,
    });

static SHA256: TranscriptHash<Sha256> = TranscriptHash::new(HashAlgorithm::SHA256);
static SHA384: TranscriptHash<Sha384> = TranscriptHash::new(HashAlgorithm::SHA384);
static SHA256_SCHEDULE: KeySchedule<HkdfOver<Hmac<Sha256>>> = KeySchedule::new();
static SHA384_SCHEDULE: KeySchedule<HkdfOver<Hmac<Sha384>>> = KeySchedule::new();
static AES_128_GCM: RecordAead<Aes128Gcm> =
    RecordAead::new(|key, iv| Ok(ConnectionTrafficSecrets::Aes128Gcm { key, iv }));
static AES_256_GCM: RecordAead<Aes256Gcm> =
    RecordAead::new(|key, iv| Ok(ConnectionTrafficSecrets::Aes256Gcm { key, iv }));

impl RecordCipher for Aes128Gcm {
    fn enter_sealing() -> Result<(), gate::Error> {
        AES_GCM.enter(Service::Aes128Gcm)
    }

    fn enter_opening() -> Result<(), gate::Error> {
        AES_GCM.enter(Service::Aes128Gcm)
    }
}

impl RecordCipher for Aes256Gcm {
    fn enter_sealing() -> Result<(), gate::Error> {
        AES_GCM.enter(Service::Aes256Gcm)
    }

    fn enter_opening() -> Result<(), gate::Error> {
        AES_GCM.enter(Service::Aes256Gcm)
    }
}

impl Transcript for Sha256 {
    fn enter() -> Result<(), gate::Error> {
        SHA256_TEST.enter(Service::Sha256)
    }
}

impl Transcript for Sha384 {
    fn enter() -> Result<(), gate::Error> {
        SHA384_TEST.enter(Service::Sha384)
    }
}
