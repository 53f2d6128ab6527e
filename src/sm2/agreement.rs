//! The key agreement of GB/T 32918.3-2016, which TLCP uses: both sides hold a static and an
//! ephemeral key, and each can prove to the other that it derived the same key.

use std::fmt;

use digest::Digest;
use zeroize::Zeroizing;

use super::curve::{Factor, Scalar};
use super::id::z_of;
use super::kdf::kdf;
use super::{Error, PublicKey, STACK, SecretKey, self_test};
use crate::arch::wipe::leaving;
use crate::gate::Service;
use crate::secret::SecretBytes;
use crate::sm3::Sm3;

/// Which side of the agreement a party is: A sends its ephemeral key first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Party A.
    Initiator,
    /// Party B.
    Responder,
}

/// What one side knows of the other.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The peer's ID, at most [`MAX_ID_LEN`](super::MAX_ID_LEN) bytes.
    pub id: &'a [u8],
    /// Its static public key.
    pub public: &'a PublicKey,
    /// The ephemeral public key that it sent.
    pub ephemeral: &'a PublicKey,
}

/// A static private key that takes part in an agreement, in software or in a token.
pub trait Agree: Send + Sync {
    /// Derives a key of `key_len` bytes from this static key, the `ephemeral` key made for this
    /// one agreement, and the peer's keys (GB/T 32918.3, 6.1).
    ///
    /// # Errors
    /// [`Error::IdTooLong`], and [`Error::KeyLength`] if `key_len` is 0, and
    /// [`Error::AgreementFailed`] if the common point is infinity; [`Error::Module`].
    fn agree(
        &self,
        role: Role,
        own_id: &[u8],
        ephemeral: &SecretKey,
        peer: Peer<'_>,
        key_len: usize,
    ) -> Result<Agreement, Error>;
}

/// The agreed key and the two confirmation values.
pub struct Agreement {
    key: SecretBytes,
    from_responder: [u8; 32],
    from_initiator: [u8; 32],
}

impl Agreement {
    /// The agreed key.
    pub fn key(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// S_B, which the responder sends and the initiator compares with its own S_1.
    pub fn responder_confirmation(&self) -> &[u8; 32] {
        &self.from_responder
    }

    /// S_A, which the initiator sends and the responder compares with its own S_2.
    pub fn initiator_confirmation(&self) -> &[u8; 32] {
        &self.from_initiator
    }
}

impl Agree for SecretKey {
    fn agree(
        &self,
        role: Role,
        own_id: &[u8],
        ephemeral: &SecretKey,
        peer: Peer<'_>,
        key_len: usize,
    ) -> Result<Agreement, Error> {
        self_test::AGREEMENT.enter(Service::Sm2Agreement)?;
        leaving::<STACK, _>(|| agreed(self, role, own_id, ephemeral, peer, key_len))
    }
}

/// [`Agree::agree`] without its gate.
pub(super) fn agreed(
    secret: &SecretKey,
    role: Role,
    own_id: &[u8],
    ephemeral: &SecretKey,
    peer: Peer<'_>,
    key_len: usize,
) -> Result<Agreement, Error> {
    if key_len == 0 {
        return Err(Error::KeyLength);
    }
    // t = d + x1' r, and the common point is [t](P + [x2']R); the cofactor is 1.
    let x_own = Factor::new(&truncated_x(ephemeral.public_key()));
    let product = Zeroizing::new(x_own.times(ephemeral.scalar()));
    let t = Zeroizing::new(*secret.scalar() + *product);
    let common = peer
        .ephemeral
        .point()
        .mul(&truncated_x(peer.ephemeral))
        .and_then(|point| peer.public.point().add(&point))
        .and_then(|point| point.mul(&t))
        .ok_or(Error::AgreementFailed)?
        .secret_coordinates();

    let own = (z_of(own_id, secret.public_key())?, ephemeral.public_key());
    let other = (z_of(peer.id, peer.public)?, peer.ephemeral);
    let (a, b) = match role {
        Role::Initiator => (own, other),
        Role::Responder => (other, own),
    };
    let mut key = SecretBytes::zeroed(key_len);
    kdf(&[common.as_bytes(), &a.0, &b.0], key.as_mut_bytes());

    let (x, y) = common.as_bytes().split_at(32);
    let inner = Sm3::new()
        .chain_update(x)
        .chain_update(a.0)
        .chain_update(b.0)
        .chain_update(&a.1.as_sec1()[1..])
        .chain_update(&b.1.as_sec1()[1..]);
    let inner = Zeroizing::new(inner.finished());
    let confirmation = |prefix: u8| {
        Sm3::new()
            .chain_update([prefix])
            .chain_update(y)
            .chain_update(*inner)
            .finished()
    };
    Ok(Agreement {
        key,
        from_responder: confirmation(2),
        from_initiator: confirmation(3),
    })
}

/// x' = 2^127 + (x mod 2^127) of an ephemeral public key (GB/T 32918.3, 6.1 A4).
fn truncated_x(key: &PublicKey) -> Scalar {
    let mut x = [0; 32];
    x[16..].copy_from_slice(&key.as_sec1()[17..33]);
    x[16] |= 0x80;
    Scalar::reduce(&x)
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agreement({} bytes)", self.key.len())
    }
}
