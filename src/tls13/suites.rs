//! The cipher suites of RFC 8998.

use rustls::crypto::CipherSuiteCommon;
use rustls::crypto::hash::HashAlgorithm;
use rustls::{CipherSuite, SupportedCipherSuite, Tls13CipherSuite};

use super::aead::{RecordAead, not_extractable};
use super::hash::TranscriptHash;
use super::hkdf::KeySchedule;
use crate::sm3::{HkdfSm3, Sm3};
use crate::sm4::{Sm4Ccm, Sm4Gcm};

/// TLS_SM4_GCM_SM3 (0x00C6), RFC 8998 2.
pub const TLS_SM4_GCM_SM3: CipherSuite = CipherSuite::Unknown(0x00C6);

/// TLS_SM4_CCM_SM3 (0x00C7), RFC 8998 2.
pub const TLS_SM4_CCM_SM3: CipherSuite = CipherSuite::Unknown(0x00C7);

/// The implementation of [`TLS_SM4_GCM_SM3`]. It cannot be used with QUIC, which has no header
/// protection for SM4.
pub static SM4_GCM_SM3_SUITE: SupportedCipherSuite =
    SupportedCipherSuite::Tls13(&Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: TLS_SM4_GCM_SM3,
            hash_provider: &SM3,
            // RFC 8446 5.5 lets AES-GCM protect 2^24.5 full records with one key. The bound comes
            // from the 128-bit block, which SM4 shares. rustls updates the key when it is reached.
            confidentiality_limit: 1 << 24,
        },
        hkdf_provider: &KEY_SCHEDULE,
        aead_alg: &SM4_GCM,
        quic: None,
    });

/// The implementation of [`TLS_SM4_CCM_SM3`], not for QUIC either.
pub static SM4_CCM_SM3_SUITE: SupportedCipherSuite =
    SupportedCipherSuite::Tls13(&Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: TLS_SM4_CCM_SM3,
            hash_provider: &SM3,
            // CCM spends two block calls on each block: (2 * 2^10 * q)^2 / 2^128 <= 2^-60 for
            // records of 2^10 blocks gives q <= 2^23 (RFC 9147 appendix B.1, for AES-CCM).
            confidentiality_limit: 1 << 23,
        },
        hkdf_provider: &KEY_SCHEDULE,
        aead_alg: &SM4_CCM,
        quic: None,
    });

// TLS 1.3 puts no hash number on the wire; IANA's `TLS HashAlgorithm` registry has none for SM3,
// so this is the first byte of sm2sig_sm3 (0x0708). rustls compares it on resumption and retry.
static SM3: TranscriptHash<Sm3> = TranscriptHash::new(HashAlgorithm::Unknown(7));
static KEY_SCHEDULE: KeySchedule<HkdfSm3> = KeySchedule::new();
static SM4_GCM: RecordAead<Sm4Gcm> = RecordAead::new(not_extractable);
static SM4_CCM: RecordAead<Sm4Ccm> = RecordAead::new(not_extractable);
