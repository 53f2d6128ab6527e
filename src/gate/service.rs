//! The services, and which of them a standard of China approves.

use std::fmt;

/// Declares the services: a bit of [`Services`], a name, and what approves it.
macro_rules! services {
    ($($(#[$doc:meta])* $service:ident = $name:literal, $approval:ident, $basis:literal;)+) => {
        /// What a caller can have the module do: an algorithm, with the key size and the usage where
        /// they decide whether it is approved.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Service {
            $($(#[$doc])* $service,)+
        }

        impl Service {
            /// All services.
            pub const ALL: &'static [Self] = &[$(Self::$service,)+];

            /// As reports and errors call it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$service => $name,)+
                }
            }

            /// What this library can say by itself: [`Approval::Gm`] or [`Approval::None`].
            pub const fn approval(self) -> Approval {
                match self {
                    $(Self::$service => Approval::$approval,)+
                }
            }

            /// The standard and clause that approves it, or why none does.
            pub const fn basis(self) -> &'static str {
                match self {
                    $(Self::$service => $basis,)+
                }
            }
        }
    };
}

services! {
    /// SM3.
    Sm3 = "SM3", Gm, "GB/T 32905-2016";
    /// HMAC-SM3.
    HmacSm3 = "HMAC-SM3", Gm, "GB/T 15852.2-2012 with SM3";
    /// HMAC-SM3 under a key of less than 14 bytes.
    HmacSm3ShortKey = "HMAC-SM3, key below 112 bits", None, "the key is shorter than 112 bits (SP 800-131A)";
    /// HKDF-SM3.
    HkdfSm3 = "HKDF-SM3", Gm, "RFC 8998, 3.1, within TLS 1.3";
    /// The block cipher alone, also for modes of other crates.
    Sm4Ecb = "SM4-ECB", Gm, "GB/T 32907-2016; GB/T 17964-2021";
    /// SM4-CBC.
    Sm4Cbc = "SM4-CBC", Gm, "GB/T 17964-2021";
    /// SM4-CTR.
    Sm4Ctr = "SM4-CTR", Gm, "GB/T 17964-2021";
    /// SM4-GCM, sealing under a nonce that the caller gives.
    Sm4GcmSeal = "SM4-GCM, sealing under the caller's nonce", None, "the module does not see that the nonce is new (SP 800-38D, 8)";
    /// SM4-GCM, sealing under a nonce that the module makes.
    Sm4GcmSealOwnNonce = "SM4-GCM, sealing under the module's nonce", Gm, "GB/T 36624-2018; SP 800-38D, 8.2";
    /// SM4-GCM, opening.
    Sm4GcmOpen = "SM4-GCM, opening", Gm, "GB/T 36624-2018";
    /// SM4-CCM, sealing under a nonce that the caller gives.
    Sm4CcmSeal = "SM4-CCM, sealing under the caller's nonce", None, "the module does not see that the nonce is new (SP 800-38C, 5.3)";
    /// SM4-CCM, sealing under a nonce that the module makes.
    Sm4CcmSealOwnNonce = "SM4-CCM, sealing under the module's nonce", Gm, "GB/T 36624-2018";
    /// SM4-CCM, opening.
    Sm4CcmOpen = "SM4-CCM, opening", Gm, "GB/T 36624-2018";
    /// Random bytes of a DRBG on SM3 or SM4.
    Random = "random bytes", Gm, "GM/T 0105-2021; SP 800-90A Rev. 1";
    /// Random bytes of a DRBG on another primitive.
    RandomOther = "random bytes, DRBG on another primitive", None, "neither SM3 nor SM4, and without a self test of its own";
    /// SM2 key generation.
    Sm2KeyGeneration = "SM2 key generation", Gm, "GB/T 32918.1-2016, 6.1";
    /// SM2 signature.
    Sm2Sign = "SM2 signature", Gm, "GB/T 32918.2-2016, 6";
    /// SM2 verification.
    Sm2Verify = "SM2 verification", Gm, "GB/T 32918.2-2016, 7";
    /// SM2 encryption.
    Sm2Encrypt = "SM2 encryption", Gm, "GB/T 32918.4-2016, 6";
    /// SM2 decryption.
    Sm2Decrypt = "SM2 decryption", Gm, "GB/T 32918.4-2016, 7";
    /// SM2 key agreement.
    Sm2Agreement = "SM2 key agreement", Gm, "GB/T 32918.3-2016, 6";
    /// Plain ECDH on SM2's curve.
    Sm2Ecdh = "ECDH on SM2's curve", Gm, "RFC 8998, 3.3.1.2, within TLS 1.3";
    /// AES-GCM, 128 bits, of RustCrypto.
    Aes128Gcm = "AES-128-GCM", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// AES-GCM, 256 bits, of RustCrypto.
    Aes256Gcm = "AES-256-GCM", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// SHA-256 of RustCrypto.
    Sha256 = "SHA-256", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// SHA-384 of RustCrypto.
    Sha384 = "SHA-384", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// HMAC on SHA-256 or SHA-384 of RustCrypto.
    HmacSha2 = "HMAC-SHA-2", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// HKDF on SHA-256 or SHA-384 of RustCrypto.
    HkdfSha2 = "HKDF-SHA-2", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// ECDSA of RustCrypto.
    EcdsaSign = "ECDSA signature", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// ECDSA of RustCrypto.
    EcdsaVerify = "ECDSA verification", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// ECDH on P-256 of RustCrypto.
    EcdhP256 = "ECDH P-256", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// X25519 of dalek.
    X25519 = "X25519", None, "not an SM algorithm, and from a library without a FIPS certificate";
    /// RSA of RustCrypto.
    RsaVerify = "RSA verification", None, "not an SM algorithm, and from a library without a FIPS certificate";
}

/// By whose standards a service is approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Approval {
    /// By nobody's that this library can answer for.
    None,
    /// By FIPS 140-3, which only a provider below can say of itself through its `fips()`.
    Fips,
    /// By China's: an algorithm, mode and parameters of a GB/T or GM/T standard, or of RFC 8998
    /// within TLS 1.3.
    Gm,
}

impl Service {
    pub(super) const fn is_gm(self) -> bool {
        matches!(self.approval(), Approval::Gm)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Services(u64);

const _: () = assert!(Service::ALL.len() <= u64::BITS as usize);

impl Services {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// This set and `service`.
    #[must_use]
    pub const fn with(self, service: Service) -> Self {
        Self(self.0 | 1 << service as u8)
    }

    /// This set and another one.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `service` is in it.
    pub const fn contains(self, service: Service) -> bool {
        self.0 & 1 << service as u8 != 0
    }

    /// The services in it.
    pub fn iter(self) -> impl Iterator<Item = Service> {
        let all = Service::ALL.iter().copied();
        all.filter(move |service| self.contains(*service))
    }

    /// What all of them are approved by; [`Approval::None`] for an empty set, of which nothing can
    /// be said.
    pub fn approval(self) -> Approval {
        let approvals = self.iter().map(Service::approval);
        approvals.min().unwrap_or(Approval::None)
    }
}
