//! Record protection (RFC 8446 5.2) over any AEAD with a 12-byte nonce and a 16-byte tag.

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

const TAG_LEN: usize = 16;

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

impl<A> Tls13AeadAlgorithm for RecordAead<A>
where
    A: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static,
{
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        RecordCipher::<A>::new(&key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        RecordCipher::<A>::new(&key, iv)
    }

    fn key_len(&self) -> usize {
        A::key_size()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        (self.extract)(key, iv)
    }
}

struct RecordCipher<A> {
    /// `None` only for a key that is not `key_len()` bytes, which rustls never makes; such a cipher
    /// refuses every record.
    cipher: Option<A>,
    iv: Iv,
}

impl<A: KeyInit> RecordCipher<A> {
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

impl<A> MessageEncrypter for RecordCipher<A>
where
    A: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + Send + Sync,
{
    fn encrypt(
        &mut self,
        msg: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let cipher = self.cipher.as_ref().ok_or(Error::EncryptError)?;
        let total_len = self.encrypted_payload_len(msg.payload.len());
        let mut payload = PrefixedPayload::with_capacity(total_len);
        payload.extend_from_chunks(&msg.payload);
        payload.extend_from_slice(&msg.typ.to_array());

        let tag = cipher
            .encrypt_inout_detached(
                &Nonce::new(&self.iv, seq).0.into(),
                &make_tls13_aad(total_len),
                payload.as_mut().into(),
            )
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

impl<A> MessageDecrypter for RecordCipher<A>
where
    A: AeadInOut + AeadCore<NonceSize = U12, TagSize = U16> + Send + Sync,
{
    fn decrypt<'a>(
        &mut self,
        mut msg: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let cipher = self.cipher.as_ref().ok_or(Error::DecryptError)?;
        let total_len = msg.payload.len();
        let (text, tag) = msg
            .payload
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(Error::DecryptError)?;
        let text_len = text.len();

        cipher
            .decrypt_inout_detached(
                &Nonce::new(&self.iv, seq).0.into(),
                &make_tls13_aad(total_len),
                text.into(),
                &(*tag).into(),
            )
            .map_err(|_| Error::DecryptError)?;
        msg.payload.truncate(text_len);
        msg.into_tls13_unpadded_message()
    }
}
