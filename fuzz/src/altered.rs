//! A provider whose peers alter their handshake messages before they encrypt them, as an attacker
//! does who holds the keys: the other side then parses hostile plaintext.

use std::cell::{Cell, RefCell};

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundOpaqueMessage,
    OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, SupportedCipherSuite, Tls13CipherSuite,
};
use shangmi::tls13::{self, SM4_GCM_SM3_SUITE};

thread_local! {
    static EDITS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static FLIGHT: Cell<u8> = const { Cell::new(0) };
    static ALTERED: Cell<bool> = const { Cell::new(false) };
}

/// On this thread, the flights of handshake messages that are encrypted from now on are altered.
///
/// Flight 0 is the server's, from EncryptedExtensions to Finished; 1 the client's, from Certificate
/// to Finished; 2 and up the session tickets. Each edit is the number of the flight, an offset of
/// two bytes, how many bytes are cut there, how many are put there, and these.
pub fn alter_flights(edits: &[u8]) {
    EDITS.set(edits.to_vec());
    FLIGHT.set(0);
    ALTERED.set(false);
}

/// Whether a flight that belongs to the handshake (0 or 1) was altered since then.
pub fn handshake_was_altered() -> bool {
    ALTERED.get()
}

/// The strict provider with TLS_SM4_GCM_SM3, whose peers alter what they encrypt.
pub fn provider() -> CryptoProvider {
    let mut provider = tls13::strict();
    let honest = SM4_GCM_SM3_SUITE.tls13().unwrap();
    let suite = Box::leak(Box::new(Tls13CipherSuite {
        common: rustls::crypto::CipherSuiteCommon {
            suite: honest.common.suite,
            hash_provider: honest.common.hash_provider,
            confidentiality_limit: honest.common.confidentiality_limit,
        },
        hkdf_provider: honest.hkdf_provider,
        aead_alg: Box::leak(Box::new(AlteringAead(honest.aead_alg))),
        quic: None,
    }));
    provider.cipher_suites = vec![SupportedCipherSuite::Tls13(suite)];
    provider
}

fn altered(honest: &[u8], number: u8) -> Vec<u8> {
    let mut flight = honest.to_vec();
    EDITS.with_borrow(|edits| {
        let mut rest = &edits[..];
        while let [flight_number, high, low, cut, put, tail @ ..] = rest {
            let (new, next) = tail.split_at(tail.len().min((*put).into()));
            rest = next;
            if *flight_number != number {
                continue;
            }
            let start = flight.len().min(u16::from_be_bytes([*high, *low]).into());
            let end = flight.len().min(start + usize::from(*cut));
            flight.splice(start..end, new.iter().copied());
        }
    });
    flight
}

struct AlteringAead(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for AlteringAead {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(AlteringEncrypter(self.0.encrypter(key, iv)))
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

struct AlteringEncrypter(Box<dyn MessageEncrypter>);

impl MessageEncrypter for AlteringEncrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        if message.typ != ContentType::Handshake {
            return self.0.encrypt(message, sequence);
        }
        let number = FLIGHT.get();
        FLIGHT.set(number.saturating_add(1));
        let honest = message.payload.to_vec();
        let flight = altered(&honest, number);
        if number < 2 && flight != honest {
            ALTERED.set(true);
        }
        let message = OutboundPlainMessage {
            typ: message.typ,
            version: message.version,
            payload: OutboundChunks::Single(&flight),
        };
        self.0.encrypt(message, sequence)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.0.encrypted_payload_len(payload_len)
    }
}
