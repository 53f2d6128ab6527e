//! Verification of ECDSA signatures (draft-fussell-acvp-ecdsa).

use digest::Digest;
use sha2::{Sha256, Sha384};
use signature::hazmat::PrehashVerifier;

use super::case::{Case, Outcome, verdict};
use super::error::Fault;

#[derive(Clone, Copy)]
enum Curve {
    P256,
    P384,
}

/// Whether r and s are the signature of the message under the key (qx, qy).
pub(super) fn verify(case: &Case<'_>) -> Outcome {
    if case.has("componentTest") && case.flag("componentTest")? {
        return Err(Fault::unsupported("componentTest", "true", "false"));
    }
    let curves = [("P-256", Curve::P256), ("P-384", Curve::P384)];
    let curve = case.choice("curve", &curves)?;
    let with_sha384 = case.choice("hashAlg", &[("SHA2-256", false), ("SHA2-384", true)])?;
    let message = case.bytes("message")?;
    case.budget.work(message.len() as u64)?;
    case.budget.public_key(1)?;

    let digest = match with_sha384 {
        true => Sha384::digest(&message).to_vec(),
        false => Sha256::digest(&message).to_vec(),
    };
    let verified = match curve {
        Curve::P256 => pairs::<32>(case)?.is_some_and(|[point, signature]| {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&[&[4], &*point].concat());
            let signature = p256::ecdsa::Signature::from_slice(&signature);
            key.and_then(|key| key.verify_prehash(&digest, &signature?))
                .is_ok()
        }),
        Curve::P384 => pairs::<48>(case)?.is_some_and(|[point, signature]| {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&[&[4], &*point].concat());
            let signature = p384::ecdsa::Signature::from_slice(&signature);
            key.and_then(|key| key.verify_prehash(&digest, &signature?))
                .is_ok()
        }),
    };
    Ok(verdict(verified))
}

/// qx || qy and r || s, unless one of them is too large.
fn pairs<const N: usize>(case: &Case<'_>) -> Result<Option<[Vec<u8>; 2]>, Fault> {
    let [qx, qy, r, s] = ["qx", "qy", "r", "s"].map(|field| case.integer::<N>(field));
    let (point, signature) = (qx?.zip(qy?), r?.zip(s?));
    let joined = |(a, b): ([u8; N], [u8; N])| [a, b].concat();
    Ok(point
        .zip(signature)
        .map(|(point, signature)| [joined(point), joined(signature)]))
}
