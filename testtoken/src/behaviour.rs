//! How a token misbehaves, on order of the test that uses it.

/// What a token does differently from a well-behaved one.
///
/// It is written as `name=value` pairs separated by `;`, in one of two places:
/// - the environment variable [`Behaviour::ENVIRONMENT`], read by `C_Initialize` for every token;
/// - the `CKA_VALUE` of the token's data object labelled [`Behaviour::OBJECT_LABEL`], for that
///   token alone.
///
/// | order | effect |
/// |---|---|
/// | `answer=raw` | signatures are r \|\| s, 64 bytes (the default) |
/// | `answer=der` | signatures are DER |
/// | `signature=corrupt` | one bit of each signature is flipped |
/// | `signature=foreign` | signatures are good, but of another key |
/// | `signature=short` | signatures lack their last byte |
/// | `mechanism=absent` | the token does not know `CKM_SM2DSA` |
/// | `sign=device-error` | `C_Sign` fails with `CKR_DEVICE_ERROR` and leaves its operation active |
/// | `info=device-error` | `C_GetTokenInfo` fails with `CKR_DEVICE_ERROR` |
/// | `library=device-error` | `C_GetInfo` fails with `CKR_DEVICE_ERROR` |
/// | `point=cut` | `CKA_EC_POINT` lacks its last byte |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    pub(crate) der: bool,
    pub(crate) fault: Option<Fault>,
    pub(crate) without_sm2dsa: bool,
    pub(crate) sign_fails: bool,
    pub(crate) info_fails: bool,
    pub(crate) library_fails: bool,
    pub(crate) cut_point: bool,
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Corrupt,
    Foreign,
    Short,
}

impl Behaviour {
    /// The environment variable that sets every token's behaviour.
    pub const ENVIRONMENT: &'static str = "SHANGMI_TESTTOKEN";
    /// `CKA_LABEL` of the data object that holds a token's behaviour.
    pub const OBJECT_LABEL: &'static str = "behaviour";

    /// Reads orders; `None` if one of them is unknown.
    pub fn parse(orders: &str) -> Option<Self> {
        let mut behaviour = Self::default();
        for order in orders.split(';').map(str::trim).filter(|o| !o.is_empty()) {
            match order {
                "answer=raw" => behaviour.der = false,
                "answer=der" => behaviour.der = true,
                "signature=corrupt" => behaviour.fault = Some(Fault::Corrupt),
                "signature=foreign" => behaviour.fault = Some(Fault::Foreign),
                "signature=short" => behaviour.fault = Some(Fault::Short),
                "mechanism=absent" => behaviour.without_sm2dsa = true,
                "sign=device-error" => behaviour.sign_fails = true,
                "info=device-error" => behaviour.info_fails = true,
                "library=device-error" => behaviour.library_fails = true,
                "point=cut" => behaviour.cut_point = true,
                _ => return None,
            }
        }
        Some(behaviour)
    }
}
