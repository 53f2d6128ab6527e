//! A peer that speaks TLS 1.3 correctly but for one fault in what it encrypts or agrees on.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rustls::crypto::cipher::{
    AeadKey, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundOpaqueMessage,
    OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::{ActiveKeyExchange, CryptoProvider, SharedSecret, SupportedKxGroup};
use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, NamedGroup, SupportedCipherSuite,
    Tls13CipherSuite,
};
use shangmi::tls13::{self, CURVE_SM2_GROUP, SM4_GCM_SM3_SUITE};

type Fault = Box<dyn FnOnce(Vec<u8>) -> Vec<u8>>;
type ShareFault = fn(Vec<u8>) -> Vec<u8>;

thread_local! {
    static FAULT: RefCell<Option<Fault>> = const { RefCell::new(None) };
    static FLIGHT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static SHARE: Cell<Option<ShareFault>> = const { Cell::new(None) };
}

/// The strict provider with TLS_SM4_GCM_SM3 of a peer that commits faults.
pub fn provider() -> Arc<CryptoProvider> {
    let mut provider = tls13::strict();
    let honest = SM4_GCM_SM3_SUITE.tls13().unwrap();
    let suite = Box::leak(Box::new(Tls13CipherSuite {
        common: rustls::crypto::CipherSuiteCommon {
            suite: honest.common.suite,
            hash_provider: honest.common.hash_provider,
            confidentiality_limit: honest.common.confidentiality_limit,
        },
        hkdf_provider: honest.hkdf_provider,
        aead_alg: Box::leak(Box::new(FaultyAead(honest.aead_alg))),
        quic: None,
    }));
    provider.cipher_suites = vec![SupportedCipherSuite::Tls13(suite)];
    provider.kx_groups = vec![&FaultyGroup];
    Arc::new(provider)
}

/// On this thread, the next flight of handshake messages that a faulty peer encrypts is altered.
pub fn alter_next_flight(fault: impl FnOnce(Vec<u8>) -> Vec<u8> + 'static) {
    FAULT.set(Some(Box::new(fault)));
}

/// The flight that a faulty peer encrypted last, as it was before any fault.
pub fn last_flight() -> Vec<u8> {
    FLIGHT.take()
}

/// On this thread, the next key share of a faulty peer is altered.
pub fn alter_next_share(fault: ShareFault) {
    SHARE.set(Some(fault));
}

struct FaultyAead(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for FaultyAead {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(FaultyEncrypter(self.0.encrypter(key, iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

struct FaultyEncrypter(Box<dyn MessageEncrypter>);

impl MessageEncrypter for FaultyEncrypter {
    fn encrypt(
        &mut self,
        msg: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        if msg.typ != ContentType::Handshake {
            return self.0.encrypt(msg, seq);
        }
        let mut flight = msg.payload.to_vec();
        FLIGHT.set(flight.clone());
        if let Some(fault) = FAULT.take() {
            flight = fault(flight);
        }
        let altered = OutboundPlainMessage {
            typ: msg.typ,
            version: msg.version,
            payload: OutboundChunks::Single(&flight),
        };
        self.0.encrypt(altered, seq)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.0.encrypted_payload_len(payload_len)
    }
}

#[derive(Debug)]
struct FaultyGroup;

impl SupportedKxGroup for FaultyGroup {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let honest = CURVE_SM2_GROUP.start()?;
        let share = honest.pub_key().to_vec();
        let share = match SHARE.take() {
            Some(fault) => fault(share),
            None => share,
        };
        Ok(Box::new(FaultyExchange { honest, share }))
    }

    fn name(&self) -> NamedGroup {
        CURVE_SM2_GROUP.name()
    }
}

struct FaultyExchange {
    honest: Box<dyn ActiveKeyExchange>,
    share: Vec<u8>,
}

impl ActiveKeyExchange for FaultyExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.honest.complete(peer)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn group(&self) -> NamedGroup {
        self.honest.group()
    }
}
