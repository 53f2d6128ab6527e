//! What is answered: algorithms, modes, revisions and test types, and the services behind them.

use hmac::Hmac;
use serde_json::{Map, Value};
use sha2::{Sha256, Sha384};

use super::case::{Case, Outcome, Service};
use super::error::{Cause, Fault};
use super::{aead, cipher, drbg, ecdsa, hash, kdf, mac, sm2};
use crate::sm3::{HmacSm3, Sm3};
use crate::sm4::{Sm4, Sm4CbcDecryptor, Sm4CbcEncryptor, Sm4Ccm, Sm4Ctr, Sm4Gcm};

/// An algorithm of ACVP, or one of the same shape.
pub(super) struct Algorithm {
    name: &'static str,
    /// Empty, if the algorithm has none.
    mode: &'static str,
    revisions: &'static [&'static str],
    test_types: &'static [&'static str],
    service: Service,
}

const FIRST: &[&str] = &["1.0"];
const AFT: &[&str] = &["AFT"];
const AFT_AND_MCT: &[&str] = &["AFT", "MCT"];
const AFT_AND_VAL: &[&str] = &["AFT", "VAL"];
const MESSAGES: &[&str] = &["AFT", "MCT", "LDT"];

#[rustfmt::skip]
pub(super) const ALGORITHMS: &[Algorithm] = &[
    Algorithm::new("SHA2-256", "", FIRST, MESSAGES, hash::digest::<Sha256>),
    Algorithm::new("SHA2-384", "", FIRST, MESSAGES, hash::digest::<Sha384>),
    Algorithm::new("HMAC-SHA2-256", "", &["1.0", "2.0"], AFT, mac::hmac::<Hmac<Sha256>>),
    Algorithm::new("HMAC-SHA2-384", "", &["1.0", "2.0"], AFT, mac::hmac::<Hmac<Sha384>>),
    Algorithm::new("ACVP-AES-GCM", "", FIRST, AFT, aead::aes_gcm),
    Algorithm::new("ECDSA", "sigVer", &["1.0", "FIPS186-5"], AFT, ecdsa::verify),
    Algorithm::new("TLS-v1.3", "KDF", &["RFC8446", "RFC8998"], AFT, kdf::tls13),
    Algorithm::new("hashDRBG", "", FIRST, AFT, drbg::hash),
    Algorithm::new("hmacDRBG", "", FIRST, AFT, drbg::hmac),
    Algorithm::new("ctrDRBG", "", FIRST, AFT, drbg::ctr),
    Algorithm::new("SM3", "", FIRST, MESSAGES, hash::digest::<Sm3>),
    Algorithm::new("HMAC-SM3", "", FIRST, AFT, mac::hmac::<HmacSm3>),
    Algorithm::new("HKDF-SM3", "", &["RFC5869"], AFT, kdf::hkdf_sm3),
    Algorithm::new("ACVP-SM4-ECB", "", FIRST, AFT_AND_MCT, cipher::ecb::<Sm4>),
    Algorithm::new("ACVP-SM4-CBC", "", FIRST, AFT_AND_MCT, cipher::cbc::<Sm4CbcEncryptor, Sm4CbcDecryptor>),
    Algorithm::new("ACVP-SM4-CTR", "", FIRST, AFT, cipher::ctr::<Sm4Ctr>),
    Algorithm::new("ACVP-SM4-GCM", "", FIRST, AFT, aead::gcm::<Sm4Gcm>),
    Algorithm::new("ACVP-SM4-CCM", "", FIRST, AFT, aead::ccm::<Sm4Ccm>),
    Algorithm::new("SM2", "keyGen", FIRST, AFT, sm2::key_generation),
    Algorithm::new("SM2", "keyVer", FIRST, AFT_AND_VAL, sm2::key_verification),
    Algorithm::new("SM2", "sigGen", FIRST, AFT, sm2::signature_generation),
    Algorithm::new("SM2", "sigVer", FIRST, AFT_AND_VAL, sm2::signature_verification),
    Algorithm::new("SM2", "encryption", FIRST, AFT, sm2::encryption),
    Algorithm::new("SM2", "decryption", FIRST, AFT, sm2::decryption),
    Algorithm::new("SM2", "keyAgreement", FIRST, AFT_AND_VAL, sm2::key_agreement),
];

impl Algorithm {
    pub(super) const fn new(
        name: &'static str,
        mode: &'static str,
        revisions: &'static [&'static str],
        test_types: &'static [&'static str],
        service: Service,
    ) -> Self {
        Self {
            name,
            mode,
            revisions,
            test_types,
            service,
        }
    }

    pub(super) fn answer(&self, case: &Case<'_>) -> Outcome {
        known(case.text("testType")?, "testType", self.test_types)?;
        (self.service)(case)
    }
}

/// The algorithm that a vector set is for.
pub(super) fn find<'a>(
    known_ones: &'a [Algorithm],
    set: &Map<String, Value>,
) -> Result<&'a Algorithm, Fault> {
    let name = text(set, "algorithm")?.ok_or(Fault::in_field("algorithm", Cause::Missing))?;
    let mode = text(set, "mode")?.unwrap_or_default();
    let found = known_ones
        .iter()
        .find(|algorithm| (algorithm.name, algorithm.mode) == (name, mode));
    let Some(found) = found else {
        let names: Vec<_> = known_ones.iter().map(Algorithm::title).collect();
        let found = title(name, mode);
        return Err(Fault::unsupported("algorithm", &found, &names.join(", ")));
    };
    if let Some(revision) = text(set, "revision")? {
        known(revision, "revision", found.revisions)?;
    }
    Ok(found)
}

impl Algorithm {
    fn title(&self) -> String {
        title(self.name, self.mode)
    }
}

fn title(name: &str, mode: &str) -> String {
    match mode {
        "" => name.to_owned(),
        mode => format!("{name}/{mode}"),
    }
}

fn known(found: &str, field: &'static str, supported: &[&str]) -> Result<(), Fault> {
    match supported.contains(&found) {
        true => Ok(()),
        false => Err(Fault::unsupported(field, found, &supported.join(", "))),
    }
}

fn text<'a>(set: &'a Map<String, Value>, field: &'static str) -> Result<Option<&'a str>, Fault> {
    let text = set.get(field).map(|value| value.as_str());
    match text {
        Some(None) => Err(Fault::in_field(field, Cause::NotText)),
        Some(text) => Ok(text),
        None => Ok(None),
    }
}
