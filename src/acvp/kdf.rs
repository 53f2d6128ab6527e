//! Key derivation: the key schedule of TLS 1.3 (draft-hammett-acvp-kdf-tls-v1.3), on the HKDF that the
//! cipher suites of [`mixed`] use, and HKDF-SM3.

use rustls::crypto::tls13::{HkdfExpander, OkmBlock};
use rustls::{CipherSuite, SupportedCipherSuite, Tls13CipherSuite};

use super::case::{Case, Outcome, answer};
use super::error::{Cause, Fault};
use crate::sm3::HkdfSm3;
use crate::tls13::{TLS_SM4_GCM_SM3, mixed};

/// The secrets of RFC 8446, 7.1, for messages that the fields `helloClientRandom` to
/// `finishedClientRandom` stand for.
pub(super) fn tls13(case: &Case<'_>) -> Outcome {
    let suite = case.choice(
        "hmacAlg",
        &[
            ("SHA2-256", CipherSuite::TLS13_AES_128_GCM_SHA256),
            ("SHA2-384", CipherSuite::TLS13_AES_256_GCM_SHA384),
            ("SM3", TLS_SM4_GCM_SM3),
        ],
    )?;
    let suite = find(suite)?;
    let modes = [
        ("PSK", (true, false)),
        ("DHE", (false, true)),
        ("PSK-DHE", (true, true)),
    ];
    let (with_psk, with_dhe) = case.choice("runningMode", &modes)?;
    let secret = |used, field| match used {
        true => case.bytes(field).map(Some),
        false => Ok(None),
    };
    let (psk, dhe) = (secret(with_psk, "psk")?, secret(with_dhe, "dhe")?);
    let messages = [
        "helloClientRandom",
        "helloServerRandom",
        "finishedServerRandom",
        "finishedClientRandom",
    ];
    // The transcript after each message.
    let mut transcript = Vec::new();
    let mut hashes = Vec::with_capacity(messages.len());
    for field in messages {
        transcript.extend(case.bytes(field)?);
        case.budget.work(transcript.len() as u64)?;
        let hash = suite.common.hash_provider.hash(&transcript);
        hashes.push(hash.as_ref().to_vec());
    }
    let [client_hello, server_hello, server_finished, client_finished] = hashes.as_slice() else {
        return Err(Fault::of_all(Cause::Missing));
    };

    let schedule = suite.hkdf_provider;
    let extract = |salt: Option<&[u8]>, secret: &Option<Vec<u8>>| match secret {
        Some(secret) => schedule.extract_from_secret(salt, secret),
        None => schedule.extract_from_zero_ikm(salt),
    };
    let nothing = suite.common.hash_provider.hash(&[]);
    let salt = |secret: &dyn HkdfExpander| derive(secret, b"derived", nothing.as_ref());

    let early = extract(None, &psk);
    let handshake = extract(Some(salt(&*early).as_ref()), &dhe);
    let master = schedule.extract_from_zero_ikm(Some(salt(&*handshake).as_ref()));
    let secrets = [
        (
            "clientEarlyTrafficSecret",
            &early,
            "c e traffic",
            client_hello,
        ),
        (
            "earlyExporterMasterSecret",
            &early,
            "e exp master",
            client_hello,
        ),
        (
            "clientHandshakeTrafficSecret",
            &handshake,
            "c hs traffic",
            server_hello,
        ),
        (
            "serverHandshakeTrafficSecret",
            &handshake,
            "s hs traffic",
            server_hello,
        ),
        (
            "clientApplicationTrafficSecret",
            &master,
            "c ap traffic",
            server_finished,
        ),
        (
            "serverApplicationTrafficSecret",
            &master,
            "s ap traffic",
            server_finished,
        ),
        (
            "exporterMasterSecret",
            &master,
            "exp master",
            server_finished,
        ),
        (
            "resumptionMasterSecret",
            &master,
            "res master",
            client_finished,
        ),
    ];
    let derived = secrets
        .map(|(name, secret, label, hash)| (name, derive(&**secret, label.as_bytes(), hash)));
    Ok(answer(
        derived
            .each_ref()
            .map(|(name, secret)| (*name, secret.as_ref())),
    ))
}

/// Derive-Secret (RFC 8446, 7.1), of the hash of the messages.
fn derive(secret: &dyn HkdfExpander, label: &[u8], transcript: &[u8]) -> OkmBlock {
    const PREFIX: &[u8] = b"tls13 ";
    let [label_len, transcript_len] = [PREFIX.len() + label.len(), transcript.len()];
    secret.expand_block(&[
        &(secret.hash_len() as u16).to_be_bytes(),
        &[label_len as u8],
        PREFIX,
        label,
        &[transcript_len as u8],
        transcript,
    ])
}

/// HKDF (RFC 5869) with SM3: `l` bytes, here in bits, from `ikm`, `salt` and `info`.
pub(super) fn hkdf_sm3(case: &Case<'_>) -> Outcome {
    let (ikm, salt) = (case.bytes("ikm")?, case.bytes_or_none("salt")?);
    let info = case.bytes_or_none("info")?;
    let mut okm = vec![0; case.output_length("l")?];
    case.budget
        .work((ikm.len() + salt.len() + (info.len() + 64) * (okm.len() / 32 + 1)) as u64)?;
    HkdfSm3::extract(Some(&salt), &ikm)
        .expand(&[&info], &mut okm)
        .map_err(Fault::refused)?;
    Ok(answer([("okm", &okm)]))
}

fn find(suite: CipherSuite) -> Result<&'static Tls13CipherSuite, Fault> {
    let suites = mixed().cipher_suites;
    let found = suites.iter().find_map(|offered| match offered {
        SupportedCipherSuite::Tls13(offered) if offered.common.suite == suite => Some(*offered),
        _ => None,
    });
    found.ok_or(Fault::in_field("hmacAlg", Cause::Missing))
}
