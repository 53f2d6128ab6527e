//! Key exchange on curveSM2 (RFC 8998 3.3): plain ECDH, not the key agreement of GB/T 32918.3.

use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};

use super::Error as OwnError;
use crate::random::SystemRandom;
use crate::sm2::{self, PublicKey, SecretKey};

/// curveSM2 (41) in the `supported_groups` registry.
pub const CURVE_SM2: NamedGroup = NamedGroup::Unknown(sm2::CURVE_SM2);

/// The curveSM2 group for [`CryptoProvider::kx_groups`](rustls::crypto::CryptoProvider).
///
/// A key share is the 65-byte uncompressed point (RFC 8446 4.2.8.2), the secret its 32-byte
/// x coordinate. A peer's share of another length or form, or off the curve, is
/// `PeerMisbehaved::InvalidKeyShare`.
pub static CURVE_SM2_GROUP: &dyn SupportedKxGroup = &CurveSm2;

#[derive(Debug)]
struct CurveSm2;

impl SupportedKxGroup for CurveSm2 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = SecretKey::generate(&mut SystemRandom)
            .map_err(|error| refused_or(error, GetRandomFailed.into()))?;
        let share = secret.public_key().to_sec1();
        Ok(Box::new(Exchange { secret, share }))
    }

    fn name(&self) -> NamedGroup {
        CURVE_SM2
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

struct Exchange {
    secret: SecretKey,
    share: [u8; 65],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        // RFC 8446 4.2.8.2: uncompressed points only.
        if peer.first() != Some(&0x04) {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let peer = PublicKey::from_sec1(peer).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let x = sm2::ecdh::shared_secret(&self.secret, &peer)
            .map_err(|error| refused_or(error, PeerMisbehaved::InvalidKeyShare.into()))?;
        Ok(SharedSecret::from(x.as_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        CURVE_SM2
    }
}

/// The module's own refusal, or what any other failure means here.
fn refused_or(error: sm2::Error, other: Error) -> Error {
    match error {
        sm2::Error::Module(error) => OwnError::Module(error).into(),
        _ => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(share: &[u8]) -> bool {
        let exchange = CURVE_SM2_GROUP.start().unwrap();
        matches!(
            exchange.complete(share),
            Err(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))
        )
    }

    #[test]
    fn both_sides_agree_on_32_bytes() {
        let client = CURVE_SM2_GROUP.start().unwrap();
        let client_share = client.pub_key().to_vec();
        let server = CURVE_SM2_GROUP.start_and_complete(&client_share).unwrap();
        let secret = client.complete(&server.pub_key).unwrap();
        assert_eq!(secret.secret_bytes().len(), 32);
        assert_eq!(secret.secret_bytes(), server.secret.secret_bytes());
    }

    #[test]
    fn only_uncompressed_points_on_the_curve_are_shares() {
        let share = CURVE_SM2_GROUP.start().unwrap().pub_key().to_vec();
        assert_eq!(share.len(), 65);
        assert!(!refused(&share));

        let mut off_curve = share.clone();
        off_curve[64] ^= 1;
        assert!(refused(&off_curve));

        let mut compressed = share[..33].to_vec();
        compressed[0] = 2 + (share[64] & 1);
        assert!(refused(&compressed));

        let mut hybrid = share.clone();
        hybrid[0] = 6 + (share[64] & 1);
        assert!(refused(&hybrid));

        assert!(refused(&[]));
        assert!(refused(&[0]));
        assert!(refused(&share[..64]));
        assert!(refused(&[&share[..], &[0]].concat()));
        assert!(refused(&[&[4u8][..], &[0xff; 64]].concat()));
    }
}
