//! SM2, with private keys that are secret.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use shangmi::random::SystemRandom;
use shangmi::sm2::agreement::{Peer, Role};
use shangmi::sm2::encryption::{Format, encrypt};
use shangmi::sm2::{
    Agree, DEFAULT_ID, Decrypt, PublicKey, SecretKey, SignDigest, Signer, SigningKey, ecdh,
};

use crate::Subject;
use crate::symmetric::{public, secret};

pub(crate) const SUBJECTS: &[Subject] = &[
    public("SM2 key generation", 32, |bytes| {
        let key = SecretKey::generate(&mut Given(bytes)).expect("in range");
        key.public_key().to_sec1().to_vec()
    }),
    secret("SM2 private key to bytes", 32, |d| {
        private(d).to_bytes().as_ref().to_vec()
    }),
    public("SM2 sign, a key with its ID", 32, |d| {
        let key = SigningKey::new(private(d), DEFAULT_ID).expect("a short ID");
        key.try_sign(b"message")
            .expect("randomness")
            .to_bytes()
            .to_vec()
    }),
    public("SM2 sign, a digest", 32, |d| {
        let signature = private(d).sign_digest(&[5; 32]).expect("randomness");
        signature.to_bytes().to_vec()
    }),
    secret("SM2 ECDH", 32, |d| {
        let shared = ecdh::shared_secret(&private(d), &peer()).expect("never infinity");
        shared.as_ref().to_vec()
    }),
    secret("SM2 encryption, nonce", 32, |nonce| {
        encrypt(&peer(), &[6; 77], Format::Asn1, &mut Given(nonce)).expect("in range")
    }),
    secret("SM2 decryption", 32, |d| {
        let key = private(d);
        let text = [6; 77];
        let sealed =
            encrypt(key.public_key(), &text, Format::Asn1, &mut SystemRandom).expect("randomness");
        key.decrypt(&sealed, Format::Asn1)
            .expect("it was just encrypted")
            .to_vec()
    }),
    public("SM2 decryption of what is for another key", 32, |d| {
        let sealed =
            encrypt(&peer(), &[6; 77], Format::C1C3C2, &mut SystemRandom).expect("randomness");
        let refused = private(d).decrypt(&sealed, Format::C1C3C2);
        vec![u8::from(refused.is_err())]
    }),
    secret("SM2 key agreement", 64, |secrets| {
        let (d, r) = secrets.split_at(32);
        let agreed = private(d).agree(
            Role::Initiator,
            DEFAULT_ID,
            &private(&in_range(r)),
            Peer {
                id: DEFAULT_ID,
                public: &peer(),
                ephemeral: &peer(),
            },
            48,
        );
        agreed.expect("never infinity").key().to_vec()
    }),
];

fn private(d: &[u8]) -> SecretKey {
    let d = d.try_into().expect("32 bytes");
    SecretKey::from_bytes(d).expect("a first byte below 0x80 keeps it below n")
}

fn in_range(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[0] &= 0x7f;
    bytes
}

/// The public key of d = 0x0101..01.
fn peer() -> PublicKey {
    private(&[1; 32]).public_key().clone()
}

/// A random source that gives the secret.
struct Given<'a>(&'a [u8]);

impl TryRng for Given<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("keys are drawn as bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("keys are drawn as bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}
