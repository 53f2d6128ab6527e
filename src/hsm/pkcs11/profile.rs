//! What vendors number in their own way.

use std::ffi::c_ulong;
use std::fmt;

use crate::hsm::ckr::Vendor;

/// The SM2 numbers of one vendor, and the vendor's own return codes.
///
/// No version of PKCS#11 knows SM2, so that each vendor has numbers of its own. [`Profile::detect`]
/// tells the vendors that are known here by what their module says of itself; another one is named
/// in the URI (`x-profile=sansec`) or given to [`Options::profile`](super::Options::profile).
///
/// A wrong profile does no harm: a key is used only if its CKA_KEY_TYPE is the profile's, the token
/// lists the profile's mechanism, and a first signature verifies in software.
///
/// Nothing here was tried on hardware yet; each constant says where its numbers come from. A vendor
/// that is not among them can be described, with any numbers:
///
/// ```
/// use shangmi::hsm::pkcs11::Profile;
///
/// let profile = Profile::new("our vendor", 0x0001_0001, 0x0001_0002)
///     .with_mechanism_name("CKM_SM2_SIGN")
///     .with_key_pair_generation(0x0001_0009);
/// assert_eq!(profile.mechanism(), 0x0001_0002);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    name: &'static str,
    key_type: c_ulong,
    mechanism: c_ulong,
    mechanism_name: &'static str,
    key_pair_generation: Option<c_ulong>,
    encoding: SignatureEncoding,
    vendor: Vendor,
}

/// How a token writes an SM2 signature (r, s).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureEncoding {
    /// r || s, 64 bytes.
    Raw,
    /// A DER SEQUENCE of two INTEGERs.
    Der,
    /// Either: every signature is verified, and so shows which it is.
    Learned,
}

impl Profile {
    /// Thales Luna, firmware 7.9; detected by the library description "Chrystoki".
    ///
    /// The numbers are those of Thales's own table of mechanisms (luna-samples, from `lunacm` with
    /// firmware 7.9) and of Thales's tool luna-kmu, and XiPKI has the same. Which firmware is the
    /// first with SM2 is unconfirmed; that CKM_SM2DSA takes the 32-byte e and answers r || s is
    /// inferred, and the first signature shows it.
    ///
    /// A Luna does not know CKA_ALLOWED_MECHANISMS, CKA_KEY_GEN_MECHANISM, CKA_ALWAYS_AUTHENTICATE,
    /// CKA_TRUSTED and the templates, takes CKA_EC_PARAMS in the public template alone, and has
    /// CKA_EC_POINT in private keys too.
    pub const LUNA: Self = Self {
        name: "luna",
        mechanism_name: "CKM_SM2DSA",
        key_pair_generation: Some(0x8000_0B20),
        vendor: Vendor::Luna,
        ..Self::new("luna", 0x8000_0016, 0x8000_0B21)
    };

    /// Sansec; detected by a manufacturer with "Sansec" in its name, as XiPKI does.
    ///
    /// The numbers are those of Sansec's header swpkcs11.h and of XiPKI. The header has two
    /// mechanisms without a hash: CKM_SM2_SIGN, 0x80008104, and CKM_SM2_SIGN_NO_DER, 0x80008105.
    /// The first is used here, as XiPKI does: whether it answers DER, as the other's name suggests,
    /// or r || s, as XiPKI expects, is unconfirmed and does not matter, since it is learned.
    pub const SANSEC: Self = Self::new("sansec", 0x8000_0004, 0x8000_8104)
        .with_mechanism_name("CKM_SM2_SIGN")
        .with_key_pair_generation(0x8000_8001);

    /// TASS, Jiangnan Tianan; detected by a manufacturer with "TASS" in its name, as XiPKI does.
    ///
    /// XiPKI is the only source of the numbers, and of the answers in DER.
    pub const TASS: Self = Self::new("tass", 0x8000_0004, 0x8000_8000)
        .with_mechanism_name("CKM_SM2")
        .with_key_pair_generation(0x8000_8001);

    /// IBM EP11; detected by a manufacturer that begins with "IBM", as openCryptoki's and that of
    /// z/OS do.
    ///
    /// The numbers are those of IBM's EP11 host header, and Sansec's header has the same for
    /// compatibility. Whether openCryptoki passes CKM_IBM_SM2 through to an EP11 token is
    /// unconfirmed.
    pub const IBM_EP11: Self = Self::new("ibm-ep11", 0x8005_0002, 0x8005_000B)
        .with_mechanism_name("CKM_IBM_SM2")
        .with_key_pair_generation(0x8005_000A);

    /// The profiles of the vendors that are known.
    pub const ALL: &'static [Self] = &[Self::LUNA, Self::SANSEC, Self::TASS, Self::IBM_EP11];

    /// A profile with a vendor's numbers, any CK_ULONG: the CKA_KEY_TYPE of SM2 keys, and the
    /// mechanism that signs a 32-byte e without any hash and without parameters.
    pub const fn new(name: &'static str, key_type: c_ulong, mechanism: c_ulong) -> Self {
        Self {
            name,
            key_type,
            mechanism,
            mechanism_name: "the SM2 mechanism",
            key_pair_generation: None,
            encoding: SignatureEncoding::Learned,
            vendor: Vendor::Unknown,
        }
    }

    /// The same with the signature mechanism's name, for messages.
    #[must_use]
    pub const fn with_mechanism_name(mut self, name: &'static str) -> Self {
        self.mechanism_name = name;
        self
    }

    /// The same with the mechanism that makes SM2 key pairs.
    #[must_use]
    pub const fn with_key_pair_generation(mut self, mechanism: c_ulong) -> Self {
        self.key_pair_generation = Some(mechanism);
        self
    }

    /// The same, but signatures in another encoding are refused.
    #[must_use]
    pub const fn with_encoding(mut self, encoding: SignatureEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// The profile of the module with these two texts in its CK_INFO; `None` for a vendor that is
    /// not known, whose numbers may mean anything.
    pub fn detect(manufacturer: &str, library_description: &str) -> Option<Self> {
        let manufacturer = manufacturer.to_ascii_lowercase();
        let description = library_description.to_ascii_lowercase();
        // Not by the manufacturer: SafeNet's ProtectServer has other numbers.
        if description.contains("chrystoki") {
            Some(Self::LUNA)
        } else if manufacturer.contains("sansec") {
            Some(Self::SANSEC)
        } else if manufacturer.contains("tass") {
            Some(Self::TASS)
        } else if manufacturer.starts_with("ibm") {
            Some(Self::IBM_EP11)
        } else {
            None
        }
    }

    /// The known profile of this name, as in `x-profile=`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|known| known.name == name).copied()
    }

    /// The profile's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// CKA_KEY_TYPE of SM2 keys.
    pub const fn key_type(&self) -> c_ulong {
        self.key_type
    }

    /// The mechanism that signs a 32-byte e, without any hash.
    pub const fn mechanism(&self) -> c_ulong {
        self.mechanism
    }

    /// That mechanism's name.
    pub const fn mechanism_name(&self) -> &'static str {
        self.mechanism_name
    }

    /// The mechanism that makes SM2 key pairs.
    pub const fn key_pair_generation(&self) -> Option<c_ulong> {
        self.key_pair_generation
    }

    /// How signatures are encoded.
    pub const fn encoding(&self) -> SignatureEncoding {
        self.encoding
    }

    /// Whose return codes a module with this profile has.
    pub(super) fn vendor(profile: Option<Self>) -> Vendor {
        profile.map_or(Vendor::Unknown, |profile| profile.vendor)
    }
}

/// Who logs in. No PKCS#11 URI has a standard attribute for it; here it is `x-user`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum User {
    /// `x-user=user`: CKU_USER, which is Luna's Crypto Officer. The default.
    #[default]
    User,
    /// `x-user=crypto-user`: Luna's Crypto User, 0x80000001, who may use keys but neither make nor
    /// delete them. A server on a Luna should be this one.
    CryptoUser,
    /// `x-user=0x80000003`: the user type of this number.
    Vendor(u32),
}

/// As in `x-user`.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User => f.write_str("user"),
            Self::CryptoUser => f.write_str("crypto-user"),
            Self::Vendor(number) => write!(f, "{number:#010x}"),
        }
    }
}

impl From<User> for cryptoki::session::UserType {
    fn from(user: User) -> Self {
        match user {
            User::User => Self::User,
            User::CryptoUser => Self::VendorExtension(0x8000_0001),
            User::Vendor(number) => Self::VendorExtension(number),
        }
    }
}

/// What a Luna's slots say of themselves: one that stands for an HA group, and one for a partition.
const HA_GROUP: &str = "HA Virtual Card Slot";
const PARTITION: &str = "Net Token Slot";

/// Whether these descriptions of slots are those of a Luna client with an HA group, but without
/// HAonly: then slots renumber when a member fails, and a program may reach a member past its group.
pub(super) fn lacks_ha_only(descriptions: &[String]) -> bool {
    let has = |kind: &str| descriptions.iter().any(|text| text.trim_end() == kind);
    has(HA_GROUP) && has(PARTITION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_known_by_their_ck_info() {
        for (manufacturer, description, profile) in [
            ("SafeNet", "Chrystoki", Some(Profile::LUNA)),
            ("Thales", "CHRYSTOKI 10.7", Some(Profile::LUNA)),
            ("SafeNet, Inc.", "Cryptoki Library", None),
            ("SANSEC", "upkcs11", Some(Profile::SANSEC)),
            ("Beijing Sansec Technology", "", Some(Profile::SANSEC)),
            ("TASS", "PKCS#11", Some(Profile::TASS)),
            ("IBM", "Meta PKCS11 LIBRARY", Some(Profile::IBM_EP11)),
            ("IBM Corp.", "z/OS PKCS11 library", Some(Profile::IBM_EP11)),
            ("SoftHSM", "Implementation of PKCS11", None),
            ("", "", None),
        ] {
            assert_eq!(
                Profile::detect(manufacturer, description),
                profile,
                "{manufacturer}"
            );
        }
    }

    #[test]
    fn names_are_found_and_no_others() {
        for profile in Profile::ALL {
            assert_eq!(Profile::by_name(profile.name()), Some(*profile));
        }
        for name in ["", "Luna", "luna ", "softhsm"] {
            assert_eq!(Profile::by_name(name), None);
        }
    }

    #[test]
    fn visible_members_of_an_ha_group() {
        let slots = |names: &[&str]| names.iter().map(|n| format!("{n:<64}")).collect::<Vec<_>>();
        assert!(lacks_ha_only(&slots(&[PARTITION, PARTITION, HA_GROUP])));
        for fine in [
            &[HA_GROUP][..],
            &[PARTITION, PARTITION],
            &["Luna K7 Slot"],
            &[],
        ] {
            assert!(!lacks_ha_only(&slots(fine)));
        }
    }
}
