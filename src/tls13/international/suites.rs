//! AES-GCM suites (RFC 8446 B.4) on the same record layer and key schedule as the SM ones.

use aes_gcm::{Aes128Gcm, Aes256Gcm};
use hmac::Hmac;
use rustls::crypto::CipherSuiteCommon;
use rustls::crypto::hash::HashAlgorithm;
use rustls::{CipherSuite, ConnectionTrafficSecrets, SupportedCipherSuite, Tls13CipherSuite};
use sha2::{Sha256, Sha384};

use super::super::aead::RecordAead;
use super::super::hash::TranscriptHash;
use super::super::hkdf::KeySchedule;
use super::gate::Gated;
use super::hkdf::Schedule;

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

static SHA256: TranscriptHash<Gated<Sha256>> = TranscriptHash::new(HashAlgorithm::SHA256);
static SHA384: TranscriptHash<Gated<Sha384>> = TranscriptHash::new(HashAlgorithm::SHA384);
static SHA256_SCHEDULE: KeySchedule<Schedule<Hmac<Sha256>>> = KeySchedule::new();
static SHA384_SCHEDULE: KeySchedule<Schedule<Hmac<Sha384>>> = KeySchedule::new();
static AES_128_GCM: RecordAead<Gated<Aes128Gcm>> =
    RecordAead::new(|key, iv| Ok(ConnectionTrafficSecrets::Aes128Gcm { key, iv }));
static AES_256_GCM: RecordAead<Gated<Aes256Gcm>> =
    RecordAead::new(|key, iv| Ok(ConnectionTrafficSecrets::Aes256Gcm { key, iv }));
