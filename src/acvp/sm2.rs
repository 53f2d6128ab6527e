//! SM2: keys, signatures, encryption and key agreement, in requests like those of ECDSA and of the
//! key-agreement schemes (docs/acvp.md).

use super::case::{Answer, Case, Outcome, answer, verdict};
use super::error::{Cause, Fault};
use crate::random::SystemRandom;
use crate::sm2::agreement::{Agree, Peer, Role};
use crate::sm2::encryption::{Decrypt, Format, encrypt};
use crate::sm2::hazmat::{encrypt_with_nonce, sign_digest_with_nonce};
use crate::sm2::{
    DEFAULT_ID, PublicKey, SecretKey, SignDigest, Signature, message_digest, verify_digest,
};

/// The public key of `d`, or a new key.
pub(super) fn key_generation(case: &Case<'_>) -> Outcome {
    case.budget.public_key(1)?;
    if case.has("d") {
        let secret = secret_key(case, "d")?;
        return Ok(coordinates(secret.public_key(), ["qx", "qy"]));
    }
    let secret = SecretKey::generate(&mut SystemRandom).map_err(Fault::refused)?;
    let mut generated = coordinates(secret.public_key(), ["qx", "qy"]);
    generated.extend(answer([("d", secret.to_bytes().as_bytes())]));
    Ok(generated)
}

/// Whether (qx, qy) is a public key.
pub(super) fn key_verification(case: &Case<'_>) -> Outcome {
    case.budget.public_key(1)?;
    Ok(verdict(public_key(case, ["qx", "qy"])?.is_some()))
}

/// A signature under `d`, with the nonce `k` if there is one.
pub(super) fn signature_generation(case: &Case<'_>) -> Outcome {
    case.budget.public_key(2)?;
    let secret = secret_key(case, "d")?;
    let e = digest(case, secret.public_key())?;
    let signature = match case.has("k") {
        true => sign_digest_with_nonce(&secret, &e, &case.array("k")?),
        false => secret.sign_digest(&e),
    };
    let signature = signature.map_err(Fault::refused)?.to_bytes();
    let (r, s) = signature.split_at(32);
    let mut signed = coordinates(secret.public_key(), ["qx", "qy"]);
    signed.extend(answer([("r", r), ("s", s)]));
    Ok(signed)
}

/// Whether r and s are the signature of the message under (qx, qy).
pub(super) fn signature_verification(case: &Case<'_>) -> Outcome {
    case.budget.public_key(1)?;
    let signature = case.integer::<32>("r")?.zip(case.integer::<32>("s")?);
    let Some(key) = public_key(case, ["qx", "qy"])? else {
        return Ok(verdict(false));
    };
    let e = digest(case, &key)?;
    let verified = signature.is_some_and(|(r, s)| {
        let mut joined = [0; 64];
        joined[..32].copy_from_slice(&r);
        joined[32..].copy_from_slice(&s);
        Signature::from_bytes(&joined)
            .and_then(|signature| verify_digest(&key, &e, &signature))
            .is_ok()
    });
    Ok(verdict(verified))
}

/// A ciphertext for (qx, qy), with the nonce `k` if there is one.
pub(super) fn encryption(case: &Case<'_>) -> Outcome {
    let format = format(case)?;
    let key = public_key(case, ["qx", "qy"])?;
    let key = key.ok_or(Fault::refused(crate::sm2::Error::InvalidPublicKey))?;
    let plaintext = case.sized("pt", "payloadLen")?;
    case.budget.public_key(2)?;
    case.budget.work(plaintext.len() as u64)?;
    let ciphertext = match case.has("k") {
        true => encrypt_with_nonce(&key, &plaintext, &case.array("k")?, format),
        false => encrypt(&key, &plaintext, format, &mut SystemRandom),
    };
    Ok(answer([("ct", &ciphertext.map_err(Fault::refused)?)]))
}

/// The plaintext under `d`, or that there is none.
pub(super) fn decryption(case: &Case<'_>) -> Outcome {
    let format = format(case)?;
    let secret = secret_key(case, "d")?;
    let ciphertext = case.bytes("ct")?;
    case.budget.public_key(2)?;
    case.budget.work(ciphertext.len() as u64)?;
    Ok(match secret.decrypt(&ciphertext, format) {
        Ok(plaintext) => answer([("pt", plaintext.as_bytes())]),
        Err(_) => verdict(false),
    })
}

/// The agreed key and both confirmations; in a VAL test, whether they are the expected ones.
pub(super) fn key_agreement(case: &Case<'_>) -> Outcome {
    let roles = [
        ("initiator", Role::Initiator),
        ("responder", Role::Responder),
    ];
    let role = case.choice("role", &roles)?;
    let key_len = case.output_length("l")?;
    let own = secret_key(case, "staticPrivateIut")?;
    let ephemeral = secret_key(case, "ephemeralPrivateIut")?;
    let their = |fields| public_key(case, fields);
    let public = their(["staticPublicServerX", "staticPublicServerY"])?;
    let sent = their(["ephemeralPublicServerX", "ephemeralPublicServerY"])?;
    let (own_id, their_id) = (id(case, "idIut")?, id(case, "idServer")?);
    case.budget.public_key(6)?;
    case.budget.work(key_len as u64)?;

    let agreed = public.zip(sent).map(|(public, ephemeral_of_peer)| {
        let peer = Peer {
            id: &their_id,
            public: &public,
            ephemeral: &ephemeral_of_peer,
        };
        own.agree(role, &own_id, &ephemeral, peer, key_len)
    });
    let agreed = agreed.unwrap_or(Err(crate::sm2::Error::InvalidPublicKey));
    if case.text("testType")? != "VAL" {
        let agreed = agreed.map_err(Fault::refused)?;
        return Ok(answer([
            ("dkm", agreed.key()),
            ("confirmationInitiator", agreed.initiator_confirmation()),
            ("confirmationResponder", agreed.responder_confirmation()),
        ]));
    }
    let expected = [
        case.bytes("dkm")?,
        case.bytes("confirmationInitiator")?,
        case.bytes("confirmationResponder")?,
    ];
    Ok(verdict(agreed.is_ok_and(|agreed| {
        let found = [
            agreed.key(),
            agreed.initiator_confirmation(),
            agreed.responder_confirmation(),
        ];
        found
            .iter()
            .zip(&expected)
            .all(|(found, expected)| *found == expected.as_slice())
    })))
}

/// e of the message under the signer's ID.
fn digest(case: &Case<'_>, key: &PublicKey) -> Result<[u8; 32], Fault> {
    let message = case.bytes("message")?;
    case.budget.work(message.len() as u64)?;
    message_digest(&id(case, "id")?, key, &message).map_err(Fault::refused)
}

/// An ID; where none is given, the default one.
fn id(case: &Case<'_>, field: &'static str) -> Result<Vec<u8>, Fault> {
    match case.has(field) {
        true => case.bytes(field),
        false => Ok(DEFAULT_ID.to_vec()),
    }
}

fn format(case: &Case<'_>) -> Result<Format, Fault> {
    let formats = [("C1C3C2", Format::C1C3C2), ("ASN.1", Format::Asn1)];
    case.choice("ciphertextFormat", &formats)
}

fn secret_key(case: &Case<'_>, field: &'static str) -> Result<SecretKey, Fault> {
    let refused = |error| Fault::in_field(field, Cause::Refused(Box::new(error)));
    let d = case.integer::<32>(field)?;
    let d = d.ok_or(refused(crate::sm2::Error::InvalidSecretKey))?;
    SecretKey::from_bytes(&d).map_err(refused)
}

/// A public key, if the coordinates are those of one.
fn public_key(case: &Case<'_>, fields: [&'static str; 2]) -> Result<Option<PublicKey>, Fault> {
    let [x, y] = fields.map(|field| case.integer::<32>(field));
    let point = x?.zip(y?);
    Ok(point.and_then(|(x, y)| PublicKey::from_sec1(&[&[4], &x[..], &y].concat()).ok()))
}

fn coordinates(key: &PublicKey, fields: [&str; 2]) -> Answer {
    let (x, y) = key.as_sec1()[1..].split_at(32);
    answer([(fields[0], x), (fields[1], y)])
}
