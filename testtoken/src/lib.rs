//! A PKCS#11 module in software, for tests only: an SM2 token with the numbers of real
//! vendors, a Thales Luna unless told otherwise.
//!
//! The crate is two things at once:
//! - a `cdylib`, the module itself: it exports `C_GetFunctionList` (PKCS#11 2.40) and is loaded
//!   like any vendor's;
//! - an `rlib` for test programs: [`module_path`] finds the module that cargo built beside the
//!   program, and [`TestToken`] makes a token in it and puts keys there, through PKCS#11 alone.
//!
//! Its SM2 is RustCrypto's, which shares nothing with that of `shangmi` and so judges it.
//! Everything lives in the memory of the process and ends with it. **It protects no key.**
//!
//! How it misbehaves on order is told in [`Behaviour`].

mod behaviour;
mod calls;
mod ckr;
mod control;
mod faults;
mod gate;
mod module;
mod objects;
mod orders;
mod pin;
mod presence;
mod profile;
mod provision;
mod report;
mod rule;
mod sm2;
mod table;
mod token;

pub use behaviour::{Behaviour, Encoding, Expiry, Fault, OrderError};
pub use control::shangmi_testtoken_control;
pub use orders::set_profile;
pub use profile::Profile;
pub use provision::{TestToken, module_path};
pub use report::Report;
pub use rule::When;
pub use table::C_GetFunctionList;

use cryptoki_sys::{CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_RV};

/// Luna's key type of SM2 keys (firmware 7.9).
pub const CKK_SM2: CK_KEY_TYPE = 0x8000_0016;
/// Luna's mechanism that makes an SM2 key pair.
pub const CKM_SM2_KEY_PAIR_GEN: CK_MECHANISM_TYPE = 0x8000_0B20;
/// Luna's SM2 signature over a 32-byte e, without any hash.
pub const CKM_SM2DSA: CK_MECHANISM_TYPE = 0x8000_0B21;

/// What every call inside the module answers: nothing, or the CKR code that goes to the caller.
type Result<T> = std::result::Result<T, CK_RV>;
