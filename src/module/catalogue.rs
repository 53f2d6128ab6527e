//! All self tests.

#[cfg(any(feature = "international", feature = "pkcs11"))]
use super::international;
use crate::gate::SelfTest;
use crate::{random, sm2, sm3, sm4};

/// In this order: first what the others rest on.
pub(super) static CATALOGUE: &[&SelfTest] = &[
    &sm3::self_test::SM3,
    &sm3::self_test::HMAC_SM3,
    &sm3::integrity::INTEGRITY,
    &sm3::self_test::HKDF_SM3,
    &sm4::self_test::SM4,
    &sm4::self_test::SM4_CBC,
    &sm4::self_test::SM4_CTR,
    &sm4::self_test::SM4_GCM,
    &sm4::self_test::SM4_CCM,
    &random::self_test::ENTROPY,
    &random::self_test::HASH_DRBG,
    &random::self_test::HMAC_DRBG,
    &random::self_test::CTR_DRBG,
    &sm2::self_test::KEY_GENERATION,
    &sm2::self_test::SIGN,
    &sm2::self_test::VERIFY,
    &sm2::self_test::ECDH,
    &sm2::self_test::AGREEMENT,
    &sm2::self_test::ENCRYPT,
    &sm2::self_test::DECRYPT,
    #[cfg(any(feature = "international", feature = "pkcs11"))]
    &international::SHA256,
    #[cfg(any(feature = "international", feature = "pkcs11"))]
    &international::SHA384,
    #[cfg(any(feature = "international", feature = "pkcs11"))]
    &international::ECDSA_P256,
    #[cfg(any(feature = "international", feature = "pkcs11"))]
    &international::ECDSA_P384,
    #[cfg(any(feature = "international", feature = "pkcs11"))]
    &international::RSA,
    #[cfg(feature = "international")]
    &international::AES_GCM,
    #[cfg(feature = "international")]
    &international::HMAC_SHA2,
    #[cfg(feature = "international")]
    &international::HKDF_SHA2,
    #[cfg(feature = "international")]
    &international::ECDH_P256,
    #[cfg(feature = "international")]
    &international::X25519,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Algorithm;

    /// Whether these features have it at all.
    fn is_here(algorithm: Algorithm) -> bool {
        use Algorithm::*;
        match algorithm {
            AesGcm | HmacSha2 | HkdfSha2 | EcdhP256 | X25519 => cfg!(feature = "international"),
            Sha256 | Sha384 | EcdsaP256 | EcdsaP384 | Rsa => {
                cfg!(any(feature = "international", feature = "pkcs11"))
            }
            _ => true,
        }
    }

    #[test]
    fn every_algorithm_has_one_test() {
        for algorithm in Algorithm::ALL {
            let tests = CATALOGUE.iter().filter(|t| t.algorithm() == *algorithm);
            assert_eq!(
                tests.count(),
                usize::from(is_here(*algorithm)),
                "{}",
                algorithm.name()
            );
        }
    }
}
