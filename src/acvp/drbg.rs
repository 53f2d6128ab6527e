//! Deterministic random bit generators (draft-vassilev-acvp-drbg).

use aes_gcm::aes::{Aes128, Aes256};
use hmac::Hmac;
use sha2::Sha256;

use super::case::{Case, Outcome, Service, answer};
use super::error::Fault;
use crate::random::{
    CtrDrbg, CtrDrbgSm4, Drbg, HashDrbg, HashDrbgGm, HashDrbgSm3, HmacDrbg, HmacDrbgSm3,
};
use crate::sm4::Sm4;

/// What a step costs beside its inputs and outputs, in bytes of work.
const STEP: u64 = 1 << 10;

pub(super) fn hash(case: &Case<'_>) -> Outcome {
    let modes: [(_, Service); 3] = [
        ("SHA2-256", generate::<HashDrbg<Sha256>>),
        ("SM3", generate::<HashDrbgSm3>),
        ("SM3-GM", generate::<HashDrbgGm>),
    ];
    case.choice("mode", &modes)?(case)
}

pub(super) fn hmac(case: &Case<'_>) -> Outcome {
    let modes: [(_, Service); 2] = [
        ("SHA2-256", generate::<HmacDrbg<Hmac<Sha256>>>),
        ("SM3", generate::<HmacDrbgSm3>),
    ];
    case.choice("mode", &modes)?(case)
}

pub(super) fn ctr(case: &Case<'_>) -> Outcome {
    let modes: [(_, [Service; 2]); 3] = [
        (
            "AES-128",
            [
                generate::<CtrDrbg<Aes128, false>>,
                generate::<CtrDrbg<Aes128>>,
            ],
        ),
        (
            "AES-256",
            [
                generate::<CtrDrbg<Aes256, false>>,
                generate::<CtrDrbg<Aes256>>,
            ],
        ),
        (
            "SM4",
            [generate::<CtrDrbg<Sm4, false>>, generate::<CtrDrbgSm4>],
        ),
    ];
    let [without, with] = case.choice("mode", &modes)?;
    match case.flag("derFunc")? {
        true => with(case),
        false => without(case),
    }
}

#[derive(Clone, Copy)]
enum Use {
    Reseed,
    Generate,
}

/// What the last of the requests in `otherInput` gives.
fn generate<D: Drbg>(case: &Case<'_>) -> Outcome {
    let seed = ["entropyInput", "nonce", "persoString"].map(|field| case.bytes_or_none(field));
    let [entropy, nonce, personalization] = seed;
    let (entropy, nonce, personalization) = (entropy?, nonce?, personalization?);
    let mut out = vec![0; case.output_length("returnedBitsLen")?];
    let prediction_resistance = case.flag("predResistance")?;

    let seeded = entropy.len() + nonce.len() + personalization.len();
    case.budget.work(STEP + seeded as u64)?;
    let mut drbg = D::instantiate(&entropy, &nonce, &personalization).map_err(Fault::refused)?;
    for step in case.each("otherInput")? {
        let additional = step.bytes_or_none("additionalInput")?;
        let entropy = step.bytes_or_none("entropyInput")?;
        let bytes = additional.len() + entropy.len() + out.len();
        case.budget.work(STEP + bytes as u64)?;
        let uses = [("reSeed", Use::Reseed), ("generate", Use::Generate)];
        match step.choice("intendedUse", &uses)? {
            Use::Reseed => drbg.reseed(&entropy, &additional),
            Use::Generate if prediction_resistance => {
                drbg.generate_reseeded(&entropy, &mut out, &additional)
            }
            Use::Generate => drbg.generate(&mut out, &additional),
        }
        .map_err(Fault::refused)?;
    }
    Ok(answer([("returnedBits", &out)]))
}
