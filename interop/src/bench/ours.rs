//! This library, through its public interface.

use shangmi::random::SystemRandom;
use shangmi::sm2::{self, DEFAULT_ID, PublicKey, SecretKey, Signature, SigningKey};
use shangmi::sm2::{Signer, Verifier, VerifyingKey};
use shangmi::sm3::Sm3;
use shangmi::sm4::{Sm4CbcEncryptor, Sm4Ccm, Sm4Ctr, Sm4Gcm};

use super::task::{Task, changes, gives};
use super::work::{Inputs, Kind, MESSAGE, Work, plaintext};
use super::{Contender, Machine, Result, Who, traits};
use crate::memory::{self, Transfer};

/// This library in this process.
pub struct Ours;

impl Contender for Ours {
    fn who(&self) -> Who {
        Who::Ours
    }

    fn name(&self) -> String {
        format!("shangmi {}", env!("CARGO_PKG_VERSION"))
    }

    fn hardware(&self) -> String {
        Machine::here().instructions.join(" ")
    }

    fn task(&self, work: Work, inputs: &Inputs) -> Result<Option<Box<dyn Task>>> {
        match work.kind {
            Kind::GcmSeal => traits::seal::<Sm4Gcm>(work.len),
            Kind::GcmOpen => traits::open::<Sm4Gcm>(work.len),
            Kind::CcmSeal => traits::seal::<Sm4Ccm>(work.len),
            Kind::CbcEncrypt => traits::cbc::<Sm4CbcEncryptor>(work.len),
            Kind::CtrEncrypt => traits::ctr::<Sm4Ctr>(work.len),
            Kind::Hash => traits::hash::<Sm3>(work.len),
            Kind::Sign => {
                let key = SigningKey::new(SecretKey::from_bytes(&inputs.secret)?, DEFAULT_ID)?;
                gives(move || Ok(key.try_sign(MESSAGE)?.to_der()))
            }
            Kind::Verify => {
                let key = VerifyingKey::new(PublicKey::from_sec1(&inputs.public)?, DEFAULT_ID)?;
                let signature = inputs.signature.clone();
                gives(move || {
                    key.verify(MESSAGE, &Signature::from_der(&signature)?)?;
                    Ok(b"valid")
                })
            }
            Kind::GenerateKey => gives(|| {
                Ok(SecretKey::generate(&mut SystemRandom)?
                    .public_key()
                    .to_sec1())
            }),
            Kind::Ecdh => {
                let secret = SecretKey::from_bytes(&inputs.secret)?;
                let share = inputs.public;
                gives(move || {
                    let peer = PublicKey::from_sec1(&share)?;
                    Ok(*sm2::ecdh::shared_secret(&secret, &peer)?.as_bytes())
                })
            }
            Kind::Handshake => {
                let ends = memory::sm()?;
                gives(move || {
                    memory::mutual_handshake(&ends)?;
                    Ok(b"TLS_SM4_GCM_SM3")
                })
            }
            Kind::Record => record(work.len, memory::sm()?),
        }
    }
}

/// Records of a connection that stays open.
pub(super) fn record(len: usize, ends: memory::Ends) -> Result<Option<Box<dyn Task>>> {
    let mut transfer = Transfer::new(&ends)?;
    let data = plaintext(len);
    changes(len, 0, move |received| transfer.record(&data, received))
}
