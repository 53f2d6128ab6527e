//! The RustCrypto crates, which serve as oracles in our tests too.

use aes_gcm::AesGcm;
use ccm::Ccm;
use cipher::consts::{U12, U16};
use signature::{Signer, Verifier};
use sm2_rustcrypto::dsa::{Signature, SigningKey, VerifyingKey};
use sm2_rustcrypto::elliptic_curve::sec1::ToSec1Point;
use sm2_rustcrypto::elliptic_curve::{Generate, point::AffineCoordinates};
use sm2_rustcrypto::{ProjectivePoint, PublicKey, SecretKey};
use sm3_rustcrypto::Sm3;
use sm4_rustcrypto::Sm4;

use super::task::{Task, gives};
use super::work::{Inputs, Kind, MESSAGE, Work};
use super::{Contender, Result, Who, traits};
use crate::locked;

type Gcm = AesGcm<Sm4, U12>;

const ID: &str = "1234567812345678";

pub(super) struct RustCrypto;

impl Contender for RustCrypto {
    fn who(&self) -> Who {
        Who::RustCrypto
    }

    fn name(&self) -> String {
        let [sm2, sm3, sm4] = ["sm2", "sm3", "sm4"].map(locked);
        format!("RustCrypto sm2 {sm2}, sm3 {sm3}, sm4 {sm4}")
    }

    fn name_for(&self, work: Work) -> String {
        let modes = |mode| {
            format!(
                "RustCrypto {mode} {} over sm4 {}",
                locked(mode),
                locked("sm4")
            )
        };
        let alone = |name| format!("RustCrypto {name} {}", locked(name));
        match work.kind {
            Kind::GcmSeal | Kind::GcmOpen => modes("aes-gcm"),
            Kind::CcmSeal => modes("ccm"),
            Kind::CbcEncrypt => modes("cbc"),
            Kind::CtrEncrypt => modes("ctr"),
            Kind::Hash => alone("sm3"),
            _ => alone("sm2"),
        }
    }

    fn hardware(&self) -> String {
        "carry-less multiplication for GHASH where detected; no other".into()
    }

    fn task(&self, work: Work, inputs: &Inputs) -> Result<Option<Box<dyn Task>>> {
        match work.kind {
            Kind::GcmSeal => traits::seal::<Gcm>(work.len),
            Kind::GcmOpen => traits::open::<Gcm>(work.len),
            Kind::CcmSeal => traits::seal::<Ccm<Sm4, U16, U12>>(work.len),
            Kind::CbcEncrypt => traits::cbc::<cbc::Encryptor<Sm4>>(work.len),
            Kind::CtrEncrypt => traits::ctr::<ctr::Ctr128BE<Sm4>>(work.len),
            Kind::Hash => traits::hash::<Sm3>(work.len),
            Kind::Sign => {
                let key = SigningKey::from_slice(ID, &inputs.secret)?;
                gives(move || Ok(key.try_sign(MESSAGE)?.to_bytes()))
            }
            Kind::Verify => {
                let key = VerifyingKey::from_sec1_bytes(ID, &inputs.public)?;
                let signature = shangmi::sm2::Signature::from_der(&inputs.signature)?.to_bytes();
                gives(move || {
                    key.verify(MESSAGE, &Signature::from_slice(&signature)?)?;
                    Ok(b"valid")
                })
            }
            Kind::GenerateKey => gives(|| {
                let public = SecretKey::generate().public_key();
                Ok(public.to_sec1_point(false))
            }),
            Kind::Ecdh => {
                let secret = SecretKey::from_slice(&inputs.secret)?.to_nonzero_scalar();
                let share = inputs.public;
                gives(move || {
                    let peer = PublicKey::from_sec1_bytes(&share)?;
                    let product = ProjectivePoint::from(*peer.as_affine()) * *secret;
                    Ok(product.to_affine().x())
                })
            }
            Kind::Handshake | Kind::Record => Ok(None),
        }
    }
}
