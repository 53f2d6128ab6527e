//! RustCrypto's crates as a second judge. Where they decide otherwise, the cases are listed here and
//! in the README of the vectors.

use aead::consts::{U12, U16};
use aes_gcm::AesGcm;
use hkdf::Hkdf;
use hmac::Hmac;
use hmac::KeyInit;
use sm2::dsa::signature::Verifier;
use sm2::dsa::signature::hazmat::PrehashVerifier;
use sm2::dsa::{Signature, VerifyingKey};
use sm2::elliptic_curve::point::AffineCoordinates;
use sm2::pke::{DecryptingKey, Mode};
use sm2::{ProjectivePoint, PublicKey, SecretKey};
use sm3::Sm3;
use sm4::Sm4;

use crate::file::{Judgement, Tally, judge, same};
use crate::sm2::{
    DecryptCase, DecryptGroup, EcdhCase, EcdhGroup, Encoding, VerifyCase, VerifyGroup,
};
use crate::symmetric::{
    AeadCase, AeadGroup, CbcCase, CbcGroup, HkdfCase, HkdfGroup, MacCase, MacGroup,
};
use crate::{symmetric, text_of};

const SM2: &str = "`sm2` 0.14.0";

/// It decrypts where the key stream is all zero, and where there is no plaintext.
const SM2_DECRYPTS: &[(&str, &[usize])] = &[
    ("EmptyMessage", &[66, 298]),
    (
        "KdfIsZero",
        &[
            46, 47, 48, 52, 53, 54, 58, 59, 60, 64, 278, 279, 280, 284, 285, 286, 290, 291, 292,
            296,
        ],
    ),
];

#[test]
fn rustcrypto_decides_as_the_readme_says() {
    use crate::sm2::{DECRYPT, ECDH, VERIFY};
    use symmetric::{CBC, CCM, GCM, HKDF, HMAC};
    let read = |name: &str| text_of(&format!("{name}_test.json"));
    let readme = text_of("README.md");
    let expect = |file: &str, by: &str, tally: Tally, known: &[(&str, &[usize])]| {
        let known = known
            .iter()
            .map(|(flag, cases)| ((*flag).to_owned(), cases.to_vec()));
        assert_eq!(tally.disagreements, known.collect(), "{file}, {by}");
        let row = row(file, by, &tally);
        assert!(
            readme.contains(&row),
            "the README of the vectors lacks {row}"
        );
    };
    let text = read("sm2_verify");
    expect("sm2_verify", SM2, judge(&text, VERIFY, verify), &[]);
    let text = read("sm2_encrypt");
    let tally = judge(&text, DECRYPT, decrypt);
    expect("sm2_encrypt", SM2, tally, SM2_DECRYPTS);
    let text = read("sm2_ecdh");
    expect("sm2_ecdh", SM2, judge(&text, ECDH, ecdh), &[]);
    let text = read("sm4_gcm");
    expect("sm4_gcm", "`aes-gcm` 0.11.1", judge(&text, GCM, gcm), &[]);
    let text = read("sm4_ccm");
    expect("sm4_ccm", "`ccm` 0.6.1", judge(&text, CCM, ccm), &[]);
    let text = read("sm4_cbc_pkcs5");
    expect("sm4_cbc_pkcs5", "`cbc` 0.2.1", judge(&text, CBC, cbc), &[]);
    let text = read("hmac_sm3");
    expect("hmac_sm3", "`hmac` 0.13.0", judge(&text, HMAC, hmac), &[]);
    let text = read("hkdf_sm3");
    expect("hkdf_sm3", "`hkdf` 0.13.0", judge(&text, HKDF, hkdf), &[]);
}

/// The row of the README.
fn row(file: &str, by: &str, tally: &Tally) -> String {
    let otherwise: Vec<_> = tally
        .disagreements
        .iter()
        .map(|(flag, cases)| format!("{flag} {}", cases.len()))
        .collect();
    let otherwise = match otherwise.is_empty() {
        true => "none".to_owned(),
        false => otherwise.join(", "),
    };
    let judged = tally.cases - tally.inexpressible;
    format!("| `{file}_test.json` | {by} | {judged} | {otherwise} |")
}

fn verify(group: &VerifyGroup, case: &VerifyCase) -> Result<(), Judgement> {
    // Its IDs are text.
    let id = group.signer_id.as_deref().unwrap_or_default();
    let id = str::from_utf8(id).map_err(|_| Judgement::Inexpressible)?;
    let key = VerifyingKey::from_sec1_bytes(id, &group.public_key.uncompressed)?;
    let signature = Signature::from_der(&case.sig)?;
    match (&case.msg, &case.digest) {
        (Some(message), _) => key.verify(message, &signature)?,
        (_, Some(digest)) => key.verify_prehash(digest, &signature)?,
        _ => panic!("neither message nor digest"),
    }
    Ok(())
}

fn decrypt(group: &DecryptGroup, case: &DecryptCase) -> Result<(), Judgement> {
    let d = group.private.to_array().ok_or(Judgement::Refused)?;
    let secret = SecretKey::from_slice(&d)?;
    let key = DecryptingKey::new_with_mode(secret.to_nonzero_scalar(), Mode::C1C3C2);
    let plaintext = match group.encoding {
        Encoding::C1C3C2 => key.decrypt(&case.ct)?,
        Encoding::Asn1 => key.decrypt_der(&case.ct)?,
    };
    same(plaintext, &case.msg, "plaintext")
}

fn ecdh(_: &EcdhGroup, case: &EcdhCase) -> Result<(), Judgement> {
    let d = case.private.to_array().ok_or(Judgement::Refused)?;
    let secret = SecretKey::from_slice(&d)?;
    let public = PublicKey::from_sec1_bytes(&case.public)?;
    let shared = ProjectivePoint::from(*public.as_affine()) * *secret.to_nonzero_scalar();
    same(shared.to_affine().x(), &case.shared, "shared secret")
}

fn gcm(group: &AeadGroup, case: &AeadCase) -> Result<(), Judgement> {
    match group.iv_size {
        96 => symmetric::open_and_seal::<AesGcm<Sm4, U12>>(group, case),
        128 => symmetric::open_and_seal::<AesGcm<Sm4, U16>>(group, case),
        _ => Err(Judgement::Inexpressible),
    }
}

fn ccm(group: &AeadGroup, case: &AeadCase) -> Result<(), Judgement> {
    symmetric::open_and_seal::<::ccm::Ccm<Sm4, U16, U12>>(group, case)
}

fn cbc(group: &CbcGroup, case: &CbcCase) -> Result<(), Judgement> {
    symmetric::cbc_with::<::cbc::Encryptor<Sm4>, ::cbc::Decryptor<Sm4>>(group, case)
}

fn hmac(group: &MacGroup, case: &MacCase) -> Result<(), Judgement> {
    symmetric::hmac_with(group, case, Hmac::<Sm3>::new_from_slice(&case.key)?)
}

fn hkdf(_: &HkdfGroup, case: &HkdfCase) -> Result<(), Judgement> {
    let mut okm = vec![0; case.size];
    Hkdf::<Sm3>::new(Some(&case.salt), &case.ikm).expand(&case.info, &mut okm)?;
    same(okm, &case.okm, "output")
}
