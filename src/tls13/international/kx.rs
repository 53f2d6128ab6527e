//! x25519 and secp256r1 key exchange (RFC 8446 4.2.8.2, 7.4.2).

use p256::ecdh::EphemeralSecret;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand_core::TryRng;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};
use subtle::ConstantTimeEq;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use crate::module::international::{self, ECDH_P256};
use crate::module::{self, Service};
use crate::random::SystemRandom;
use crate::secret::Secret;

pub(super) static X25519: &dyn SupportedKxGroup = &X25519Group;
pub(super) static SECP256R1: &dyn SupportedKxGroup = &P256Group;

fn refused(error: module::Error) -> Error {
    super::super::Error::Module(error).into()
}

#[derive(Debug)]
struct X25519Group;

impl SupportedKxGroup for X25519Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        international::X25519
            .enter(Service::X25519)
            .map_err(refused)?;
        let mut secret = Secret::zeroed();
        SystemRandom
            .try_fill_bytes(secret.as_mut_bytes())
            .map_err(|_| GetRandomFailed)?;
        let share = x25519(*secret.as_bytes(), X25519_BASEPOINT_BYTES);
        Ok(Box::new(X25519Exchange { secret, share }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }
}

struct X25519Exchange {
    secret: Secret<32>,
    share: [u8; 32],
}

impl ActiveKeyExchange for X25519Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        international::X25519
            .enter(Service::X25519)
            .map_err(refused)?;
        let peer = <[u8; 32]>::try_from(peer).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = Zeroizing::new(x25519(*self.secret.as_bytes(), peer));
        // RFC 8446 7.4.2: an all-zero result means a point of small order.
        if shared.ct_eq(&[0; 32]).into() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(shared.as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[derive(Debug)]
struct P256Group;

impl SupportedKxGroup for P256Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        ECDH_P256.enter(Service::EcdhP256).map_err(refused)?;
        let secret = EphemeralSecret::try_generate_from_rng(&mut SystemRandom)
            .map_err(|_| GetRandomFailed)?;
        let share = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(Box::new(P256Exchange { secret, share }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }
}

struct P256Exchange {
    secret: EphemeralSecret,
    share: Vec<u8>,
}

impl ActiveKeyExchange for P256Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        ECDH_P256.enter(Service::EcdhP256).map_err(refused)?;
        // RFC 8446 4.2.8.2: uncompressed points only.
        if peer.first() != Some(&0x04) {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let peer =
            p256::PublicKey::from_sec1_bytes(peer).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = self.secret.diffie_hellman(&peer);
        Ok(SharedSecret::from(shared.raw_secret_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree() {
        for group in [X25519, SECP256R1] {
            let client = group.start().unwrap();
            let server = group.start_and_complete(client.pub_key()).unwrap();
            let secret = client.complete(&server.pub_key).unwrap();
            assert_eq!(secret.secret_bytes(), server.secret.secret_bytes());
        }
    }

    #[test]
    fn shares_that_are_no_points_or_of_small_order_are_refused() {
        let mut off_curve = SECP256R1.start().unwrap().pub_key().to_vec();
        off_curve[64] ^= 1;
        let one = [&[1][..], &[0; 31]].concat();
        let shares: [(_, &[u8]); 6] = [
            (X25519, &[0; 32]),
            (X25519, &one),
            (X25519, &[9; 31]),
            (SECP256R1, &off_curve),
            (SECP256R1, &off_curve[..33]),
            (SECP256R1, &[]),
        ];
        for (group, share) in shares {
            assert!(matches!(
                group.start().unwrap().complete(share),
                Err(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))
            ));
        }
    }
}
