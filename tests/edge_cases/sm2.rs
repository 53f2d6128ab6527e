//! SM2: signatures, decryption, ECDH and key agreement.

use serde::Deserialize;
use shangmi::pki::key::{from_der, from_pem, public_key_from_spki, to_pkcs8_der};
use shangmi::sm2::agreement::{Agree, Peer, Role};
use shangmi::sm2::ecdh::shared_secret;
use shangmi::sm2::encryption::{Decrypt, Format};
use shangmi::sm2::hazmat::encrypt_with_nonce;
use shangmi::sm2::{
    Error, PublicKey, SecretKey, Signature, Verifier, VerifyingKey, message_digest, verify_digest,
};

use crate::file::{BigInt, Hex, Judgement, Kind, same};

pub(crate) const VERIFY: Kind = Kind {
    algorithm: "SM2",
    schema: "sm2_verify_schema.json",
    groups: &["Sm2Verify", "Sm2VerifyDigest"],
};
pub(crate) const DECRYPT: Kind = Kind {
    algorithm: "SM2-PKE",
    schema: "sm2_decrypt_schema.json",
    groups: &["Sm2Decrypt"],
};
pub(crate) const ECDH: Kind = Kind {
    algorithm: "ECDH",
    schema: "ecdh_ecpoint_test_schema_v1.json",
    groups: &["EcdhEcpointTest"],
};
pub(crate) const AGREEMENT: Kind = Kind {
    algorithm: "SM2-KEY-AGREEMENT",
    schema: "sm2_key_agreement_schema.json",
    groups: &["Sm2KeyAgreement"],
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct VerifyGroup {
    pub(crate) signer_id: Option<Hex>,
    pub(crate) public_key: EcPublicKey,
    public_key_der: Hex,
    public_key_pem: String,
    sha: Sm3,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct EcPublicKey {
    #[serde(rename = "type")]
    type_: EcPublicKeyType,
    curve: CurveSm2,
    key_size: usize,
    pub(crate) uncompressed: Hex,
    wx: BigInt,
    wy: BigInt,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyCase {
    pub(crate) msg: Option<Hex>,
    pub(crate) digest: Option<Hex>,
    pub(crate) sig: Hex,
}

pub(crate) fn verify(group: &VerifyGroup, case: &VerifyCase) -> Result<(), Judgement> {
    let EcPublicKeyType::EcPublicKey = group.public_key.type_;
    let CurveSm2::CurveSm2 = group.public_key.curve;
    let Sm3::Sm3 = group.sha;
    let by_point = PublicKey::from_sec1(&group.public_key.uncompressed);
    let key = public_key_from_spki(&group.public_key_der)?;
    // What the encodings of the key tell must not differ.
    let by_point = by_point.map_err(|_| Judgement::Wrong("key in its two forms"))?;
    same(key.as_sec1(), by_point.as_sec1(), "key in its two forms")?;
    same(
        pem(&group.public_key_der, "PUBLIC KEY"),
        &group.public_key_pem,
        "PEM",
    )?;
    same(key.as_sec1(), coordinates(&group.public_key), "coordinates")?;
    assert_eq!(group.public_key.key_size, 256);

    let signature = Signature::from_der(&case.sig)?;
    same(signature.to_der(), &case.sig, "encoding of the signature")?;
    let (e, id) = match (&case.msg, &case.digest, &group.signer_id) {
        (Some(message), None, Some(id)) => (message_digest(id, &key, message)?, &id[..]),
        (None, Some(digest), None) => (digest[..].try_into()?, &[][..]),
        _ => panic!("a message belongs to an ID, and a digest to none"),
    };
    let answer = verify_digest(&key, &e, &signature);

    // The other ways to verify decide alike.
    let verifying = VerifyingKey::new(key, id)?;
    if let Some(message) = &case.msg {
        agree(&answer, verifying.verify(message, &signature))?;
    }
    let prepared = verifying.prepare();
    let by_table = signature::hazmat::PrehashVerifier::verify_prehash(&prepared, &e, &signature);
    agree(&answer, by_table)?;
    Ok(answer?)
}

fn agree<E>(answer: &Result<(), Error>, other: Result<(), E>) -> Result<(), Judgement> {
    match answer.is_ok() == other.is_ok() {
        true => Ok(()),
        false => Err(Judgement::Wrong("one of the ways to verify")),
    }
}

fn coordinates(key: &EcPublicKey) -> Vec<u8> {
    let [x, y] = [&key.wx, &key.wy].map(|number| number.to_array().unwrap_or_default());
    [&[4][..], &x, &y].concat()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct DecryptGroup {
    curve: CurveSm2,
    pub(crate) encoding: Encoding,
    sha: Sm3,
    pub(crate) private: BigInt,
    public_point: Hex,
    private_key_pkcs8: Hex,
    private_key_pem: String,
}

#[derive(Clone, Copy, Deserialize)]
pub(crate) enum Encoding {
    C1C3C2,
    #[serde(rename = "ASN.1")]
    Asn1,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecryptCase {
    pub(crate) msg: Hex,
    pub(crate) ct: Hex,
    nonce: Option<BigInt>,
}

pub(crate) fn decrypt(group: &DecryptGroup, case: &DecryptCase) -> Result<(), Judgement> {
    let (CurveSm2::CurveSm2, Sm3::Sm3) = (&group.curve, &group.sha);
    let key = secret(&group.private).map_err(|_| Judgement::Wrong("private key"))?;
    same(
        key.public_key().as_sec1(),
        &group.public_point,
        "public key",
    )?;
    for read in [
        from_der(&group.private_key_pkcs8),
        from_pem(group.private_key_pem.as_bytes()),
    ] {
        let read = read.map_err(|_| Judgement::Wrong("private key in PKCS#8"))?;
        same(
            read.to_bytes().as_bytes(),
            key.to_bytes().as_bytes(),
            "private key in PKCS#8",
        )?;
    }
    let pkcs8 = to_pkcs8_der(&key).map_err(|_| Judgement::Wrong("private key in PKCS#8"))?;
    same(
        pkcs8.as_bytes(),
        &group.private_key_pkcs8,
        "private key in PKCS#8",
    )?;

    let format = match group.encoding {
        Encoding::C1C3C2 => Format::C1C3C2,
        Encoding::Asn1 => Format::Asn1,
    };
    let answer = key.decrypt(&case.ct, format);
    if let Some(k) = &case.nonce {
        let k = k.to_array().ok_or(Judgement::Wrong("nonce"))?;
        match encrypt_with_nonce(key.public_key(), &case.msg, &k, format) {
            Ok(ciphertext) => same(ciphertext, &case.ct, "ciphertext with the nonce")?,
            Err(Error::UnusableNonce) if answer.is_err() => {}
            Err(_) => return Err(Judgement::Wrong("refusal of the nonce")),
        }
    }
    same(answer?.as_bytes(), &case.msg, "plaintext")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EcdhGroup {
    curve: CurveSm2,
    encoding: EcPoint,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EcdhCase {
    pub(crate) public: Hex,
    pub(crate) private: BigInt,
    pub(crate) shared: Hex,
}

pub(crate) fn ecdh(group: &EcdhGroup, case: &EcdhCase) -> Result<(), Judgement> {
    let (CurveSm2::CurveSm2, EcPoint::EcPoint) = (&group.curve, &group.encoding);
    let public = PublicKey::from_sec1(&case.public)?;
    let shared = shared_secret(&secret(&case.private)?, &public)?;
    same(shared.as_bytes(), &case.shared, "shared secret")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgreementGroup {
    curve: CurveSm2,
    hash: Sm3,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct AgreementCase {
    role: Party,
    own_id: Hex,
    private: BigInt,
    ephemeral_private: BigInt,
    peer_id: Hex,
    peer_public: Hex,
    peer_ephemeral: Hex,
    size: usize,
    key: Hex,
    confirmation: Hex,
    peer_confirmation: Hex,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Party {
    Initiator,
    Responder,
}

pub(crate) fn agreement(group: &AgreementGroup, case: &AgreementCase) -> Result<(), Judgement> {
    let (CurveSm2::CurveSm2, Sm3::Sm3) = (&group.curve, &group.hash);
    let peer = Peer {
        id: &case.peer_id,
        public: &PublicKey::from_sec1(&case.peer_public)?,
        ephemeral: &PublicKey::from_sec1(&case.peer_ephemeral)?,
    };
    let own = secret(&case.private)?;
    let ephemeral = secret(&case.ephemeral_private)?;
    let role = match case.role {
        Party::Initiator => Role::Initiator,
        Party::Responder => Role::Responder,
    };
    let agreed = own.agree(role, &case.own_id, &ephemeral, peer, case.size)?;
    let (sent, expected) = match case.role {
        Party::Initiator => (
            agreed.initiator_confirmation(),
            agreed.responder_confirmation(),
        ),
        Party::Responder => (
            agreed.responder_confirmation(),
            agreed.initiator_confirmation(),
        ),
    };
    // Here a caller compares, and refuses.
    if expected[..] != case.peer_confirmation[..] {
        return Err(Judgement::Refused);
    }
    same(agreed.key(), &case.key, "key")?;
    same(sent, &case.confirmation, "own confirmation")
}

fn secret(d: &BigInt) -> Result<SecretKey, Judgement> {
    let bytes = d.to_array().ok_or(Judgement::Refused)?;
    Ok(SecretKey::from_bytes(&bytes)?)
}

/// `der` in PEM.
fn pem(der: &[u8], label: &str) -> String {
    use der::pem::{LineEnding, encode_string};
    encode_string(label, LineEnding::LF, der).unwrap()
}

#[derive(Deserialize)]
enum EcPublicKeyType {
    EcPublicKey,
}

#[derive(Deserialize)]
enum CurveSm2 {
    #[serde(rename = "curveSM2")]
    CurveSm2,
}

#[derive(Deserialize)]
enum EcPoint {
    #[serde(rename = "ecpoint")]
    EcPoint,
}

#[derive(Deserialize)]
enum Sm3 {
    #[serde(rename = "SM3")]
    Sm3,
}
