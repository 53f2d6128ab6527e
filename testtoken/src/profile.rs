//! The vendors that the module poses as: what PKCS#11 leaves to each of them.

use crate::behaviour::Encoding;
use cryptoki_sys::*;

/// A vendor's numbers for SM2 and the words by which its module is known.
///
/// The numbers are those of public sources; only Luna's come from more than one. The module is
/// one vendor's at a time: the order `profile=<name>` changes it for the whole process. Keys made
/// before keep the key type of the profile they were made under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Thales Luna, firmware 7.9 (`luna`).
    #[default]
    Luna,
    /// Sansec (`sansec`), which has one mechanism that answers DER and one that answers r || s.
    Sansec,
    /// Jiangnan Tianan (`tass`), whose signatures are DER.
    Tass,
    /// IBM's EP11 host library (`ibm-ep11`).
    IbmEp11,
    /// A vendor without a name (`unnamed`), whose mechanisms lie below `CKM_VENDOR_DEFINED`. Its
    /// key type is not published; the one here is made up.
    Unnamed,
}

struct Numbers {
    name: &'static str,
    manufacturer: &'static str,
    description: &'static str,
    key_type: CK_KEY_TYPE,
    generate: CK_MECHANISM_TYPE,
    /// Mechanisms that sign a 32-byte e, and what they answer.
    sign: &'static [(CK_MECHANISM_TYPE, Encoding)],
    /// Attributes that the vendor does not know, in a template or on an object.
    unknown: &'static [CK_ATTRIBUTE_TYPE],
}

/// Attributes that many vendors do not know; a Luna knows not even the first.
const NEWER_ATTRIBUTES: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_ALWAYS_AUTHENTICATE,
    CKA_ALLOWED_MECHANISMS,
    CKA_KEY_GEN_MECHANISM,
    CKA_TRUSTED,
    CKA_WRAP_WITH_TRUSTED,
    CKA_WRAP_TEMPLATE,
    CKA_UNWRAP_TEMPLATE,
    CKA_DERIVE_TEMPLATE,
];

static LUNA: Numbers = Numbers {
    name: "luna",
    manufacturer: "SafeNet",
    description: "Chrystoki",
    key_type: 0x8000_0016,
    generate: 0x8000_0B20,
    sign: &[(0x8000_0B21, Encoding::Raw)],
    unknown: &NEWER_ATTRIBUTES,
};

static SANSEC: Numbers = Numbers {
    name: "sansec",
    manufacturer: "Sansec",
    description: "Sansec PKCS#11 module",
    key_type: 0x8000_0004,
    generate: 0x8000_8001,
    sign: &[(0x8000_8105, Encoding::Raw), (0x8000_8104, Encoding::Der)],
    unknown: NEWER_ATTRIBUTES.split_at(1).1,
};

static TASS: Numbers = Numbers {
    name: "tass",
    manufacturer: "TASS",
    description: "TASS PKCS#11 module",
    key_type: 0x8000_0004,
    generate: 0x8000_8001,
    sign: &[(0x8000_8000, Encoding::Der)],
    unknown: NEWER_ATTRIBUTES.split_at(1).1,
};

static IBM_EP11: Numbers = Numbers {
    name: "ibm-ep11",
    manufacturer: "IBM",
    description: "openCryptoki",
    key_type: 0x8005_0002,
    generate: 0x8005_000A,
    sign: &[(0x8005_000B, Encoding::Raw)],
    unknown: &[],
};

static UNNAMED: Numbers = Numbers {
    name: "unnamed",
    manufacturer: "Unnamed",
    description: "PKCS#11 module",
    key_type: 0x0001_0001,
    generate: 0x0001_0009,
    sign: &[(0x0001_0002, Encoding::Raw)],
    unknown: &[],
};

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 5] = [
        Self::Luna,
        Self::Sansec,
        Self::Tass,
        Self::IbmEp11,
        Self::Unnamed,
    ];

    /// The profile's name in orders.
    pub fn name(self) -> &'static str {
        self.numbers().name
    }

    /// `manufacturerID` of `CK_INFO`.
    pub fn manufacturer(self) -> &'static str {
        self.numbers().manufacturer
    }

    /// `libraryDescription` of `CK_INFO`.
    pub fn description(self) -> &'static str {
        self.numbers().description
    }

    /// `CKA_KEY_TYPE` of SM2 keys.
    pub fn key_type(self) -> CK_KEY_TYPE {
        self.numbers().key_type
    }

    /// The mechanism that makes an SM2 key pair.
    pub fn key_pair_mechanism(self) -> CK_MECHANISM_TYPE {
        self.numbers().generate
    }

    /// The mechanism that signs a 32-byte e; the one that answers r || s where there are two.
    pub fn sign_mechanism(self) -> CK_MECHANISM_TYPE {
        self.numbers().sign[0].0
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// The mechanisms that sign, and what they answer.
    pub(crate) fn signatures(self) -> &'static [(CK_MECHANISM_TYPE, Encoding)] {
        self.numbers().sign
    }

    pub(crate) fn knows(self, attribute: CK_ATTRIBUTE_TYPE) -> bool {
        !self.numbers().unknown.contains(&attribute)
    }

    fn numbers(self) -> &'static Numbers {
        match self {
            Self::Luna => &LUNA,
            Self::Sansec => &SANSEC,
            Self::Tass => &TASS,
            Self::IbmEp11 => &IBM_EP11,
            Self::Unnamed => &UNNAMED,
        }
    }
}
