//! RustCrypto's AES-GCM and SHA-2 as services of the module: no output in the error state, or under
//! strict GM mode.

use aead::{AeadCore, AeadInOut, Key, KeyInit, KeySizeUser, Nonce, Tag, TagPosition};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use cipher::inout::InOutBuf;
use digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update};
use sha2::{Sha256, Sha384};

use crate::module::international::{AES_GCM, SHA256, SHA384};
use crate::module::{Error, Service};

/// What of the module it is.
pub(super) trait Served {
    /// Whether it may be used now.
    fn enter() -> Result<(), Error>;
}

impl Served for Aes128Gcm {
    fn enter() -> Result<(), Error> {
        AES_GCM.enter(Service::Aes128Gcm)
    }
}

impl Served for Aes256Gcm {
    fn enter() -> Result<(), Error> {
        AES_GCM.enter(Service::Aes256Gcm)
    }
}

impl Served for Sha256 {
    fn enter() -> Result<(), Error> {
        SHA256.enter(Service::Sha256)
    }
}

impl Served for Sha384 {
    fn enter() -> Result<(), Error> {
        SHA384.enter(Service::Sha384)
    }
}

/// An algorithm behind the gate.
#[derive(Clone, Default)]
pub(super) struct Gated<A>(A);

impl<A: KeySizeUser> KeySizeUser for Gated<A> {
    type KeySize = A::KeySize;
}

impl<A: KeyInit> KeyInit for Gated<A> {
    fn new(key: &Key<Self>) -> Self {
        Self(A::new(key))
    }
}

impl<A: AeadCore> AeadCore for Gated<A> {
    type NonceSize = A::NonceSize;
    type TagSize = A::TagSize;
    const TAG_POSITION: TagPosition = A::TAG_POSITION;
}

impl<A: AeadInOut + Served> AeadInOut for Gated<A> {
    fn encrypt_inout_detached(
        &self,
        nonce: &Nonce<Self>,
        associated_data: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
    ) -> aead::Result<Tag<Self>> {
        A::enter().map_err(|_| aead::Error)?;
        self.0
            .encrypt_inout_detached(nonce, associated_data, buffer)
    }

    fn decrypt_inout_detached(
        &self,
        nonce: &Nonce<Self>,
        associated_data: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
        tag: &Tag<Self>,
    ) -> aead::Result<()> {
        A::enter().map_err(|_| aead::Error)?;
        self.0
            .decrypt_inout_detached(nonce, associated_data, buffer, tag)
    }
}

impl<A: HashMarker> HashMarker for Gated<A> {}

impl<A: OutputSizeUser> OutputSizeUser for Gated<A> {
    type OutputSize = A::OutputSize;
}

impl<A: Update> Update for Gated<A> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl<A: FixedOutput + Served> FixedOutput for Gated<A> {
    /// The digest, or zeros where the module refuses: what is done with it is refused too.
    fn finalize_into(self, out: &mut Output<Self>) {
        match A::enter() {
            Ok(()) => self.0.finalize_into(out),
            Err(_) => out.fill(0),
        }
    }
}
