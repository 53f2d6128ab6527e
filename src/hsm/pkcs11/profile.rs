//! What vendors number in their own way.

use cryptoki::context::Info;
use cryptoki_sys::{CK_KEY_TYPE, CK_MECHANISM_TYPE};

/// The SM2 numbers of one vendor. No PKCS#11 version knows SM2, so that each vendor has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    /// CKK_SM2.
    pub(super) key_type: CK_KEY_TYPE,
    /// The mechanism that signs a 32-byte e, without any hash.
    pub(super) sign: CK_MECHANISM_TYPE,
    /// That mechanism's name.
    pub(super) sign_name: &'static str,
    /// The mechanism that makes key pairs.
    pub(super) generate: CK_MECHANISM_TYPE,
    /// That mechanism's name.
    pub(super) generate_name: &'static str,
}

/// Thales Luna, firmware 7.9.
const LUNA: Profile = Profile {
    key_type: 0x8000_0016,
    sign: 0x8000_0B21,
    sign_name: "CKM_SM2DSA",
    generate: 0x8000_0B20,
    generate_name: "CKM_SM2_KEY_PAIR_GEN",
};

impl Profile {
    /// The numbers of the module that presents itself so; `None` for a vendor that is not known,
    /// whose numbers may mean anything.
    pub(super) fn of(info: &Info) -> Option<Self> {
        let luna = info.manufacturer_id().starts_with("SafeNet")
            || info.library_description().starts_with("Chrystoki");
        luna.then_some(LUNA)
    }
}
