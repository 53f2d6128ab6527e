//! The known-answer tests of the international algorithms, which are RustCrypto's: of those behind
//! `tls13::mixed` and, for the signatures of tokens, `hsm::pkcs11`.

#[cfg(feature = "international")]
mod hkdf;
#[cfg(feature = "international")]
mod tls;

use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::signature::Verifier;
use rsa::signature::hazmat::PrehashVerifier;
use rsa::{RsaPublicKey, pkcs1v15, pss};
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Signer;

use crate::gate::{Algorithm, Answer, Answers, SelfTest};
use crate::sm3::self_test::PRE_OPERATIONAL;

#[cfg(feature = "international")]
pub(crate) use hkdf::HkdfOver;
#[cfg(feature = "international")]
pub(crate) use tls::{AES_GCM, ECDH_P256, HKDF_SHA2, HMAC_SHA2, X25519};

type Run = fn(&mut Answers) -> Answer;

const fn test(algorithm: Algorithm, kernel: fn() -> &'static str, run: Run) -> SelfTest {
    SelfTest::new(algorithm, &PRE_OPERATIONAL, kernel, run)
}

const SHA2: fn() -> &'static str = || "RustCrypto sha2";

pub(crate) static SHA256: SelfTest = test(Algorithm::Sha256, SHA2, sha256);
pub(crate) static SHA384: SelfTest = test(Algorithm::Sha384, SHA2, sha384);
pub(crate) static ECDSA_P256: SelfTest =
    test(Algorithm::EcdsaP256, || "RustCrypto p256", ecdsa_p256);
pub(crate) static ECDSA_P384: SelfTest =
    test(Algorithm::EcdsaP384, || "RustCrypto p384", ecdsa_p384);
pub(crate) static RSA: SelfTest = test(Algorithm::Rsa, || "RustCrypto rsa", rsa_verification);

/// Bytes from their hexadecimal digits, when this is compiled.
const fn hex<const N: usize>(digits: &str) -> [u8; N] {
    let digits = digits.as_bytes();
    assert!(digits.len() == 2 * N);
    let mut bytes = [0; N];
    let mut i = 0;
    while i < digits.len() {
        let value = match digits[i] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => unreachable!(),
        };
        bytes[i / 2] = bytes[i / 2] << 4 | value;
        i += 1;
    }
    bytes
}

/// NIST, Cryptographic Standards and Guidelines, examples: SHA-256 of "abc".
fn sha256(answers: &mut Answers) -> Answer {
    const ABC: [u8; 32] = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    answers.equal("abc", &Sha256::digest(b"abc"), &ABC)
}

/// From the same examples: SHA-384 and SHA-512, one function with two initial values.
fn sha384(answers: &mut Answers) -> Answer {
    const ABC: [u8; 48] = hex(
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c8\
         25a7",
    );
    const ABC_512: [u8; 64] = hex(
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe\
         ebbd454d4423643ce80e2a9ac94fa54ca49f",
    );
    answers.equal("abc", &Sha384::digest(b"abc"), &ABC)?;
    answers.equal("SHA-512 of abc", &Sha512::digest(b"abc"), &ABC_512)
}

/// RFC 6979, A.2.5, SHA-256, "sample".
fn ecdsa_p256(answers: &mut Answers) -> Answer {
    use p256::ecdsa::{Signature, SigningKey};

    const KEY: [u8; 32] = hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    const SIGNATURE: [u8; 64] = hex(
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e2\
         9f65f3e900dbb9aff4064dc4ab2f843acda8",
    );
    let key = SigningKey::from_slice(&KEY).map_err(|_| "key")?;
    let signature: Signature = key.try_sign(b"sample").map_err(|_| "signature")?;
    answers.equal("signature", &signature.to_bytes(), &SIGNATURE)?;
    let verifies = |message: &[u8]| {
        let digest = Sha256::digest(message);
        let signature = Signature::from_slice(&SIGNATURE);
        signature.is_ok_and(|s| key.verifying_key().verify_prehash(&digest, &s).is_ok())
    };
    answers.that("verification", verifies(b"sample"))?;
    answers.that("another message", !verifies(b"simple"))
}

/// RFC 6979, A.2.6, SHA-384, "sample".
fn ecdsa_p384(answers: &mut Answers) -> Answer {
    use p384::ecdsa::{Signature, SigningKey};

    const KEY: [u8; 48] = hex(
        "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2\
         edf5",
    );
    const SIGNATURE: [u8; 96] = hex(
        "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fa\
         be4699ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a\
         38628ac8",
    );
    let key = SigningKey::from_slice(&KEY).map_err(|_| "key")?;
    let signature: Signature = key.try_sign(b"sample").map_err(|_| "signature")?;
    answers.equal("signature", &signature.to_bytes(), &SIGNATURE)?;
    let verifies = |message: &[u8]| {
        let digest = Sha384::digest(message);
        let signature = Signature::from_slice(&SIGNATURE);
        signature.is_ok_and(|s| key.verifying_key().verify_prehash(&digest, &s).is_ok())
    };
    answers.that("verification", verifies(b"sample"))?;
    answers.that("another message", !verifies(b"simple"))
}

fn rsa_verification(answers: &mut Answers) -> Answer {
    let key = RsaPublicKey::from_pkcs1_der(&RSA_KEY).map_err(|_| "key")?;

    let verifier = pss::VerifyingKey::<Sha256>::new(key.clone());
    let signature = pss::Signature::try_from(&RSA_PSS_SIGNATURE[..]).map_err(|_| "PSS")?;
    let verifies = |message: &[u8]| verifier.verify(message, &signature).is_ok();
    answers.that("PSS", verifies(RSA_MESSAGE))?;
    answers.that("PSS, another message", !verifies(b"test"))?;

    let verifier = pkcs1v15::VerifyingKey::<Sha256>::new(key);
    let signature =
        pkcs1v15::Signature::try_from(&RSA_PKCS1_SIGNATURE[..]).map_err(|_| "PKCS #1")?;
    let verifies = |message: &[u8]| verifier.verify(message, &signature).is_ok();
    answers.that("PKCS #1", verifies(RSA_MESSAGE))?;
    answers.that("PKCS #1, another message", !verifies(b"test"))
}

/// Project Wycheproof, rsa_pss_2048_sha256_mgf1_32 and rsa_signature_2048_sha256: their key, an
/// RSAPublicKey in DER, and test 3 of each.
pub(crate) const RSA_KEY: [u8; 270] = hex(
    "3082010a0282010100a2b451a07d0aa5f96e455671513550514a8a5b462ebef717094fa1fee82224e637f9746d3f\
     7cafd31878d80325b6ef5a1700f65903b469429e89d6eac8845097b5ab393189db92512ed8a7711a1253facd20f7\
     9c15e8247f3d3e42e46e48c98e254a2fe9765313a03eff8f17e1a029397a1fa26a8dce26f490ed81299615d9814c\
     22da610428e09c7d9658594266f5c021d0fceca08d945a12be82de4d1ece6b4c03145b5d3495d4ed5411eb878daf\
     05fd7afc3e09ada0f1126422f590975a1969816f48698bcbba1b4d9cae79d460d8f9f85e7975005d9bc22c4e5ac0\
     f7c1a45d12569a62807d3b9a02e5a530e773066f453d1f5b4c2e9cf7820283f742b9d50203010001",
);
pub(crate) const RSA_MESSAGE: &[u8] = b"Test";
pub(crate) const RSA_PSS_SIGNATURE: [u8; 256] = hex(
    "401eb03cdb47ca88033e3030f6bdecbac8f5c8fc1dd6a13d23d379ed9a2b309891d13d74fea9d21d159b9e6d8f37\
     efa2489962e24555f56dd434ff1d31ce4f9f5abd3f22cbea8b691d6a11e44efb83e2bca155e6a164325e0fde2a88\
     65afd5c9f51161a9d615f62af7ec2e31b3e5ab649c164490d31d88cfae35b84aea7925690f929a144b6d2f48e8fb\
     894a52deecd1b9a6496990c4ecf1588699a42cacd10c53af350514e4291ea9a058e77f101e32c1c0cefa61d945f7\
     bc931f8bd19e7ba3169358a60e5a8b0123bc3199b9fdcafe8e519c41ba675491a27b85e44ef2d77277c10fe10729\
     3c8290186913bc9a99b640d8da041b64f31eab1d35920985f4a5",
);
pub(crate) const RSA_PKCS1_SIGNATURE: [u8; 256] = hex(
    "264491e844c119f14e425c03282139a558dcdaeb82a4628173cd407fd319f9076eaebc0dd87a1c22e4d178390968\
     86d58a9d5b7f7aeb63efec56c45ac7bead4203b6886e1faa90e028ec0ae094d46bf3f97efdd19045cfbc25a1abda\
     2432639f9876405c0d68f8edbf047c12a454f7681d5d5a2b54bd3723d193dbad4338baad753264006e2d08931c4b\
     8bb79aa1c9cad10eb6605f87c5831f6e2b08e002f9c6f21141f5841d92727dd3e1d99c36bc560da3c9067df99fca\
     f818941f72588be33032bad22caf6704223bb114d575b6d02d9d222b580005d930e8f40cce9f672eebb634a20177\
     d84351627964b83f2053d736a84ab1a005f63bd5ba943de6205c",
);
