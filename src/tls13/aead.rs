//! Record protection (RFC 8446 5.2) over any AEAD with a 12-byte nonce and a 16-byte tag. No nonce is
//! used twice under one key, and in the module's error state no record is sealed or opened.

use std::marker::PhantomData;

use aead::consts::{U12, U16};
use aead::{AeadCore, AeadInOut, KeyInit};
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter,
    Nonce, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

use crate::arch::wipe::leaving;
use crate::gate::{self, Service, within};
use crate::sm4::self_test::{SM4_CCM, SM4_GCM};
use crate::sm4::{Sm4Ccm, Sm4Gcm};

const TAG_LEN: usize = 16;

/// An AEAD for records, with its gate.
pub(super) trait RecordCipher:
    AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static
{
    /// Lets a record be sealed, under a nonce that was not used before.
    fn enter_sealing() -> Result<(), gate::Error>;
    /// Lets a record be opened.
    fn enter_opening() -> Result<(), gate::Error>;
}

impl RecordCipher for Sm4Gcm {
    fn enter_sealing() -> Result<(), gate::Error> {
        SM4_GCM.enter(Service::Sm4GcmSealOwnNonce)
    }

    fn enter_opening() -> Result<(), gate::Error> {
        SM4_GCM.enter(Service::Sm4GcmOpen)
    }
}

impl RecordCipher for Sm4Ccm {
    fn enter_sealing() -> Result<(), gate::Error> {
        SM4_CCM.enter(Service::Sm4CcmSealOwnNonce)
    }

    fn enter_opening() -> Result<(), gate::Error> {
        SM4_CCM.enter(Service::Sm4CcmOpen)
    }
}

type Extract = fn(AeadKey, Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError>;

/// What rustls calls an AEAD algorithm: a maker of record ciphers.
pub(super) struct RecordAead<A> {
    extract: Extract,
    cipher: PhantomData<fn() -> A>,
}

impl<A> RecordAead<A> {
    pub(super) const fn new(extract: Extract) -> Self {
        Self {
            extract,
            cipher: PhantomData,
        }
    }
}

/// rustls 0.23 has no variant of `ConnectionTrafficSecrets` for SM4, so kernel TLS cannot take
/// these keys over.
pub(super) fn not_extractable(
    _: AeadKey,
    _: Iv,
) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
    Err(UnsupportedOperationError)
}

impl<A: RecordCipher> Tls13AeadAlgorithm for RecordAead<A> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Encrypter {
            keyed: Keyed::<A>::new(&key, iv),
            last: None,
        })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Decrypter(Keyed::<A>::new(&key, iv)))
    }

    fn key_len(&self) -> usize {
        A::key_size()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        gate::operational().map_err(|_| UnsupportedOperationError)?;
        (self.extract)(key, iv)
    }
}

struct Keyed<A> {
    /// `None` only for a key that is not `key_len()` bytes, which rustls never makes; such a cipher
    /// refuses every record.
    cipher: Option<A>,
    iv: Iv,
}

impl<A: RecordCipher> Keyed<A> {
    fn new(key: &AeadKey, iv: Iv) -> Box<Self> {
        // The round keys are moved on their way to the heap, and what is made next could take a copy
        // along in its padding.
        leaving::<8192, _>(|| {
            Box::new(Self {
                cipher: A::new_from_slice(key.as_ref()).ok(),
                iv,
            })
        })
    }
}

struct Encrypter<A> {
    keyed: Box<Keyed<A>>,
    /// The last record's sequence number.
    last: Option<u64>,
}

impl<A: RecordCipher> MessageEncrypter for Encrypter<A> {
    fn encrypt(
        &mut self,
        msg: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        // The nonce is made of it: whatever rustls does, none is used again under this key.
        if self.last.is_some_and(|last| seq <= last) {
            return Err(Error::EncryptError);
        }
        self.last = Some(seq);
        A::enter_sealing().map_err(|_| Error::EncryptError)?;

        let Keyed { cipher, iv } = &*self.keyed;
        let cipher = cipher.as_ref().ok_or(Error::EncryptError)?;
        let total_len = self.encrypted_payload_len(msg.payload.len());
        let mut payload = PrefixedPayload::with_capacity(total_len);
        payload.extend_from_chunks(&msg.payload);
        payload.extend_from_slice(&msg.typ.to_array());

        let nonce = Nonce::new(iv, seq).0.into();
        let aad = make_tls13_aad(total_len);
        let tag = within(|| cipher.encrypt_inout_detached(&nonce, &aad, payload.as_mut().into()))
            .map_err(|_| Error::EncryptError)?;
        payload.extend_from_slice(&tag);

        Ok(OutboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2, // legacy_record_version, RFC 8446 5.2
            payload,
        ))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1 + TAG_LEN
    }
}

struct Decrypter<A>(Box<Keyed<A>>);

impl<A: RecordCipher> MessageDecrypter for Decrypter<A> {
    fn decrypt<'a>(
        &mut self,
        mut msg: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        A::enter_opening().map_err(|_| Error::DecryptError)?;
        let Keyed { cipher, iv } = &*self.0;
        let cipher = cipher.as_ref().ok_or(Error::DecryptError)?;
        let total_len = msg.payload.len();
        let (text, tag) = msg
            .payload
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(Error::DecryptError)?;
        let text_len = text.len();

        let nonce = Nonce::new(iv, seq).0.into();
        let (aad, tag) = (make_tls13_aad(total_len), (*tag).into());
        within(|| cipher.decrypt_inout_detached(&nonce, &aad, text.into(), &tag))
            .map_err(|_| Error::DecryptError)?;
        msg.payload.truncate(text_len);
        msg.into_tls13_unpadded_message()
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::cipher::OutboundChunks;
    use rustls::crypto::tls13::Hkdf;
    use rustls::internal::derive_traffic_key;

    use super::*;
    use crate::gate::in_a_process_of_its_own;
    use crate::sm3::HkdfSm3;
    use crate::tls13::hkdf::KeySchedule;

    const ALGORITHMS: [&dyn Tls13AeadAlgorithm; 2] = [
        &RecordAead::<Sm4Gcm>::new(not_extractable),
        &RecordAead::<Sm4Ccm>::new(not_extractable),
    ];

    fn encrypter(algorithm: &dyn Tls13AeadAlgorithm) -> Box<dyn MessageEncrypter> {
        algorithm.encrypter(key(algorithm), [7; 12].into())
    }

    fn key(algorithm: &dyn Tls13AeadAlgorithm) -> AeadKey {
        let schedule = KeySchedule::<HkdfSm3>::new();
        derive_traffic_key(&*schedule.extract_from_secret(None, b"secret"), algorithm)
    }

    fn open(decrypter: &mut dyn MessageDecrypter, record: &[u8]) -> Result<Vec<u8>, Error> {
        let mut payload = record[5..].to_vec();
        let message = InboundOpaqueMessage::new(
            ContentType::ApplicationData,
            ProtocolVersion::TLSv1_2,
            &mut payload,
        );
        Ok(decrypter.decrypt(message, 0)?.payload.to_vec())
    }

    fn seal(encrypter: &mut dyn MessageEncrypter, seq: u64) -> Result<Vec<u8>, Error> {
        let message = OutboundPlainMessage {
            typ: ContentType::ApplicationData,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(b"text"),
        };
        Ok(encrypter.encrypt(message, seq)?.encode())
    }

    #[test]
    fn no_sequence_number_is_used_twice() {
        for algorithm in ALGORITHMS {
            let encrypter = &mut *encrypter(algorithm);
            let mut records = Vec::new();
            for seq in [0, 1, 2, 7, u64::MAX] {
                records.push(seal(encrypter, seq).unwrap());
                for used in [0, seq / 2, seq.saturating_sub(1), seq] {
                    let refused = seal(encrypter, used);
                    assert_eq!(refused, Err(Error::EncryptError), "{used} after {seq}");
                }
            }
            records.dedup();
            assert_eq!(records.len(), 5);
        }
    }

    #[test]
    fn records_are_sealed_under_the_modules_nonces() {
        for (algorithm, own) in ALGORITHMS
            .into_iter()
            .zip([Service::Sm4GcmSealOwnNonce, Service::Sm4CcmSealOwnNonce])
        {
            let encrypter = &mut *encrypter(algorithm);
            let (sealed, used) = gate::observe(|| seal(encrypter, 0));
            assert!(sealed.is_ok());
            assert_eq!(used.iter().collect::<Vec<_>>(), [own]);
        }
    }

    #[test]
    fn after_a_failure_no_record_is_sealed_or_opened() {
        let name = "tls13::aead::tests::after_a_failure_no_record_is_sealed_or_opened";
        in_a_process_of_its_own(name, || {
            let mut ends = ALGORITHMS.map(|algorithm| {
                let mut encrypter = encrypter(algorithm);
                let record = seal(&mut *encrypter, 0).unwrap();
                let mut decrypter = algorithm.decrypter(key(algorithm), [7; 12].into());
                assert_eq!(open(&mut *decrypter, &record).unwrap(), b"text");
                (encrypter, decrypter, record)
            });
            gate::fail("a test", "on order");
            for (encrypter, decrypter, record) in &mut ends {
                assert_eq!(seal(&mut **encrypter, 1), Err(Error::EncryptError));
                let opened = open(&mut **decrypter, record);
                assert_eq!(opened, Err(Error::DecryptError));
            }
        });
    }
}
