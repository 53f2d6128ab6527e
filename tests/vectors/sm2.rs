//! SM2: signatures, encryption, key agreement, ECDH and the edge cases.

use serde::Deserialize;
use shangmi::random::SystemRandom;
use shangmi::sm2::agreement::{Agree, Peer, Role};
use shangmi::sm2::encryption::{Decrypt, Format, encrypt};
use shangmi::sm2::hazmat::{encrypt_with_nonce, sign_digest_with_nonce};
use shangmi::sm2::{
    PublicKey, SecretKey, SignDigest, Signature, Signer, SigningKey, Verifier, VerifyingKey,
    message_digest, verify_digest, z_value,
};

use crate::case::{Hex, Miss, Outcome, answer, refused, same};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sign {
    d: Option<Hex>,
    p: Hex,
    id: Hex,
    m: Hex,
    z: Option<Hex>,
    e: Option<Hex>,
    k: Option<Hex>,
    r: Hex,
    s: Hex,
    der: Option<Hex>,
}

pub(crate) fn signature(case: &Sign, valid: bool) -> Outcome {
    let public = PublicKey::from_sec1(&case.p)?;
    let signature = Signature::from_bytes(&pair(&case.r, &case.s)?)?;
    let verifier = VerifyingKey::new(public.clone(), &case.id)?;
    verifier.verify(&case.m, &signature)?;
    if !valid {
        return Ok(());
    }

    same(z_value(&case.id, &public)?, answer(&case.z)?, "Z")?;
    let e = message_digest(&case.id, &public, &case.m)?;
    same(e, answer(&case.e)?, "e")?;
    verify_digest(&public, &e, &signature)?;
    same(signature.to_der(), answer(&case.der)?, "DER")?;
    same(
        Signature::from_der(answer(&case.der)?)?.to_bytes(),
        signature.to_bytes(),
        "r || s",
    )?;

    let secret = secret(answer(&case.d)?)?;
    same(secret.public_key().to_sec1(), &case.p, "public key")?;
    if let Some(k) = &case.k {
        let again = sign_digest_with_nonce(&secret, &e, &k.array()?)?;
        same(again.to_bytes(), signature.to_bytes(), "signature with k")?;
    }
    verify_digest(&public, &e, &secret.sign_digest(&e)?)?;
    let own = SigningKey::new(secret, &case.id)?.try_sign(&case.m)?;
    Ok(verifier.verify(&case.m, &own)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Encryption {
    d: Hex,
    p: Option<Hex>,
    m: Option<Hex>,
    k: Option<Hex>,
    c1c3c2: Option<Hex>,
    asn1: Option<Hex>,
}

pub(crate) fn encryption(case: &Encryption, valid: bool) -> Outcome {
    let secret = secret(&case.d)?;
    let forms = [(&case.c1c3c2, Format::C1C3C2), (&case.asn1, Format::Asn1)];
    for (ciphertext, format) in forms {
        let Some(ciphertext) = ciphertext else {
            continue;
        };
        let plaintext = secret.decrypt(ciphertext, format)?;
        same(plaintext.as_bytes(), answer(&case.m)?, "plaintext")?;
        if let Some(k) = &case.k {
            let again = encrypt_with_nonce(
                secret.public_key(),
                plaintext.as_bytes(),
                &k.array()?,
                format,
            )?;
            same(again, ciphertext, "ciphertext with k")?;
        }
    }
    if !valid {
        return Ok(());
    }

    same(
        secret.public_key().to_sec1(),
        answer(&case.p)?,
        "public key",
    )?;
    let message = answer(&case.m)?;
    for (ciphertext, format) in forms {
        answer(ciphertext)?;
        let own = encrypt(secret.public_key(), message, format, &mut SystemRandom)?;
        same(
            secret.decrypt(&own, format)?.as_bytes(),
            message,
            "plaintext of a new ciphertext",
        )?;
        for i in (0..own.len()).step_by(11) {
            let mut altered = own.clone();
            altered[i] ^= 0x10;
            refused(
                secret.decrypt(&altered, format),
                "acceptance of an altered ciphertext",
            )?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyAgreement {
    id_a: Hex,
    id_b: Hex,
    d_a: Hex,
    d_b: Option<Hex>,
    p_a: Option<Hex>,
    p_b: Hex,
    z_a: Option<Hex>,
    z_b: Option<Hex>,
    r_a: Hex,
    r_b: Option<Hex>,
    point_r_a: Option<Hex>,
    point_r_b: Hex,
    klen: usize,
    k: Option<Hex>,
    s_a: Option<Hex>,
    s_b: Hex,
}

pub(crate) fn agreement(case: &KeyAgreement, valid: bool) -> Outcome {
    let (a, r_a) = (secret(&case.d_a)?, secret(&case.r_a)?);
    let p_b = PublicKey::from_sec1(&case.p_b)?;
    let point_r_b = PublicKey::from_sec1(&case.point_r_b)?;
    let peer = Peer {
        id: &case.id_b,
        public: &p_b,
        ephemeral: &point_r_b,
    };
    let by_a = a.agree(Role::Initiator, &case.id_a, &r_a, peer, case.klen / 8)?;
    if !valid {
        // A finds out when the confirmation of B is not the one that it expects.
        return same(by_a.responder_confirmation(), &case.s_b, "confirmation")
            .map_err(|_| Miss::Refused);
    }

    let (b, r_b) = (secret(answer(&case.d_b)?)?, secret(answer(&case.r_b)?)?);
    let peer = Peer {
        id: &case.id_a,
        public: a.public_key(),
        ephemeral: r_a.public_key(),
    };
    let by_b = b.agree(Role::Responder, &case.id_b, &r_b, peer, case.klen / 8)?;
    for (side, of) in [(&by_a, "key of A"), (&by_b, "key of B")] {
        same(side.key(), answer(&case.k)?, of)?;
        same(side.responder_confirmation(), &case.s_b, "S_B")?;
        same(side.initiator_confirmation(), answer(&case.s_a)?, "S_A")?;
    }
    same(
        z_value(&case.id_a, a.public_key())?,
        answer(&case.z_a)?,
        "Z_A",
    )?;
    same(z_value(&case.id_b, &p_b)?, answer(&case.z_b)?, "Z_B")?;
    same(a.public_key().to_sec1(), answer(&case.p_a)?, "P_A")?;
    same(b.public_key().to_sec1(), &case.p_b, "P_B")?;
    same(r_a.public_key().to_sec1(), answer(&case.point_r_a)?, "R_A")?;
    same(r_b.public_key().to_sec1(), &case.point_r_b, "R_B")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ecdh {
    d: Hex,
    p: Hex,
    x: Option<Hex>,
}

pub(crate) fn ecdh(case: &Ecdh, _valid: bool) -> Outcome {
    let shared =
        shangmi::sm2::ecdh::shared_secret(&secret(&case.d)?, &PublicKey::from_sec1(&case.p)?)?;
    same(shared.as_bytes(), answer(&case.x)?, "x")
}

#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Edge {
    Verify {
        p: Hex,
        e: Hex,
        r: Hex,
        s: Hex,
    },
    Sign {
        d: Hex,
        e: Hex,
        k: Hex,
        r: Option<Hex>,
        s: Option<Hex>,
    },
    SecretKey {
        d: Hex,
        p: Option<Hex>,
    },
    PublicKey {
        p: Hex,
        x: Option<Hex>,
        y: Option<Hex>,
    },
    MessageDigest {
        p: Hex,
        id: Hex,
        m: Hex,
        e: Option<Hex>,
    },
    SignatureDer {
        der: Hex,
        r: Option<Hex>,
        s: Option<Hex>,
    },
    Encrypt {
        p: Hex,
        m: Hex,
        k: Hex,
        c1c3c2: Option<Hex>,
    },
    Decrypt {
        d: Hex,
        c1c3c2: Option<Hex>,
        asn1: Option<Hex>,
        m: Option<Hex>,
    },
}

pub(crate) fn edge(case: &Edge, _valid: bool) -> Outcome {
    match case {
        Edge::Verify { p, e, r, s } => {
            let signature = Signature::from_bytes(&pair(r, s)?)?;
            Ok(verify_digest(
                &PublicKey::from_sec1(p)?,
                &e.array()?,
                &signature,
            )?)
        }
        Edge::Sign { d, e, k, r, s } => {
            let signature = sign_digest_with_nonce(&secret(d)?, &e.array()?, &k.array()?)?;
            same(
                signature.to_bytes(),
                [answer(r)?, answer(s)?].concat(),
                "signature",
            )
        }
        Edge::SecretKey { d, p } => {
            let key = secret(d)?;
            same(key.public_key().to_sec1(), answer(p)?, "public key")?;
            same(key.to_bytes().as_bytes(), d, "encoding")
        }
        Edge::PublicKey { p, x, y } => {
            let encoded = PublicKey::from_sec1(p)?.to_sec1();
            same(encoded, [&[4], answer(x)?, answer(y)?].concat(), "point")
        }
        Edge::MessageDigest { p, id, m, e } => same(
            message_digest(id, &PublicKey::from_sec1(p)?, m)?,
            answer(e)?,
            "e",
        ),
        Edge::SignatureDer { der, r, s } => {
            let signature = Signature::from_der(der)?;
            same(
                signature.to_bytes(),
                [answer(r)?, answer(s)?].concat(),
                "r || s",
            )?;
            same(signature.to_der(), der, "encoding")
        }
        Edge::Encrypt { p, m, k, c1c3c2 } => {
            let key = PublicKey::from_sec1(p)?;
            let ciphertext = encrypt_with_nonce(&key, m, &k.array()?, Format::C1C3C2)?;
            same(ciphertext, answer(c1c3c2)?, "ciphertext")
        }
        Edge::Decrypt { d, c1c3c2, asn1, m } => {
            let (ciphertext, format) = match (c1c3c2, asn1) {
                (Some(ciphertext), None) => (ciphertext, Format::C1C3C2),
                (None, Some(ciphertext)) => (ciphertext, Format::Asn1),
                _ => return Err(Miss::Wrong("number of ciphertexts")),
            };
            same(
                secret(d)?.decrypt(ciphertext, format)?.as_bytes(),
                answer(m)?,
                "plaintext",
            )
        }
    }
}

fn secret(d: &[u8]) -> Result<SecretKey, Miss> {
    Ok(SecretKey::from_bytes(d.try_into()?)?)
}

fn pair(r: &Hex, s: &Hex) -> Result<[u8; 64], Miss> {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&r.array::<32>()?);
    bytes[32..].copy_from_slice(&s.array::<32>()?);
    Ok(bytes)
}
