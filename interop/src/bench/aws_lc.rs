//! aws-lc-rs, the yardstick: what mainstream TLS uses for the same work, AES-128-GCM for SM4-GCM,
//! SHA-256 for SM3, P-256 for SM2, and rustls with it for handshakes and records.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING};
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair, ParsedPublicKey};

use super::task::{Task, changes, gives};
use super::work::{HEADER, Inputs, KEY, Kind, MESSAGE, NONCE, Work, plaintext};
use super::{Contender, Result, Who, ours};
use crate::{locked, memory};

pub(super) struct AwsLc;

impl Contender for AwsLc {
    fn who(&self) -> Who {
        Who::AwsLc
    }

    fn name(&self) -> String {
        format!("aws-lc-rs {}", locked("aws-lc-rs"))
    }

    fn name_for(&self, work: Work) -> String {
        let name = self.name();
        let rustls = locked("rustls");
        match work.kind {
            Kind::GcmSeal | Kind::GcmOpen => format!("{name}, AES-128-GCM"),
            Kind::Hash => format!("{name}, SHA-256"),
            Kind::Handshake => format!("rustls {rustls} + {name}, P-256 (secp256r1), AES-128-GCM"),
            Kind::Record => format!("rustls {rustls} + {name}, AES-128-GCM"),
            _ => format!("{name}, P-256"),
        }
    }

    fn hardware(&self) -> String {
        "its own detection".into()
    }

    fn task(&self, work: Work, _: &Inputs) -> Result<Option<Box<dyn Task>>> {
        match work.kind {
            Kind::GcmSeal => {
                let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &KEY)?);
                changes(work.len, 16, move |buffer| {
                    let (data, place) = buffer.split_at_mut(work.len);
                    let nonce = Nonce::assume_unique_for_key(NONCE);
                    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(HEADER), data)?;
                    place.copy_from_slice(tag.as_ref());
                    Ok(())
                })
            }
            Kind::GcmOpen => {
                let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &KEY)?);
                let nonce = || Nonce::assume_unique_for_key(NONCE);
                let mut sealed = plaintext(work.len);
                let tag =
                    key.seal_in_place_separate_tag(nonce(), Aad::from(HEADER), &mut sealed)?;
                changes(work.len, 0, move |opened| {
                    let header = Aad::from(HEADER);
                    key.open_separate_gather(nonce(), header, &sealed, tag.as_ref(), opened)?;
                    Ok(())
                })
            }
            Kind::Hash => {
                let data = plaintext(work.len);
                gives(move || Ok(digest(&SHA256, &data)))
            }
            Kind::Sign => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
                gives(move || Ok(key.sign(&SystemRandom::new(), MESSAGE)?))
            }
            Kind::Verify => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
                let signature = key.sign(&SystemRandom::new(), MESSAGE)?;
                let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key())?;
                gives(move || {
                    key.verify_sig(MESSAGE, signature.as_ref())?;
                    Ok(b"valid")
                })
            }
            Kind::GenerateKey => {
                gives(|| Ok(PrivateKey::generate(&ECDH_P256)?.compute_public_key()?))
            }
            Kind::Ecdh => {
                let key = PrivateKey::generate(&ECDH_P256)?;
                let share = key.compute_public_key()?;
                gives(move || {
                    let peer = UnparsedPublicKey::new(&ECDH_P256, share.as_ref());
                    agreement::agree(&key, peer, "agreement failed".into(), |secret| {
                        Ok(<[u8; 32]>::try_from(secret)?)
                    })
                })
            }
            Kind::Handshake => {
                let ends = memory::p256_aws_lc()?;
                gives(move || {
                    memory::mutual_handshake(&ends)?;
                    Ok(b"")
                })
            }
            Kind::Record => ours::record(work.len, memory::p256_aws_lc()?),
            Kind::CcmSeal | Kind::CbcEncrypt | Kind::CtrEncrypt => Ok(None),
        }
    }
}
