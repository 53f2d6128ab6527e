//! PINs and the count of wrong ones.

use crate::Result;
use cryptoki_sys::*;

pub(crate) const LENGTHS: std::ops::RangeInclusive<usize> = 4..=255;

pub(crate) struct Pin {
    value: Vec<u8>,
    /// Wrong ones since the last right one.
    pub(crate) failures: u32,
    /// It must be changed before anyone can log in with it.
    pub(crate) expired: bool,
}

impl Pin {
    pub(crate) fn new(value: &[u8]) -> Result<Self> {
        match LENGTHS.contains(&value.len()) {
            true => Ok(Self {
                value: value.to_vec(),
                failures: 0,
                expired: false,
            }),
            false => Err(CKR_PIN_LEN_RANGE),
        }
    }

    /// Compares a PIN, of which the token allows `tries` wrong ones.
    pub(crate) fn check(&mut self, value: &[u8], tries: u32) -> Result<()> {
        if self.failures >= tries {
            return Err(CKR_PIN_LOCKED);
        }
        if self.value != value {
            self.failures += 1;
            return Err(CKR_PIN_INCORRECT);
        }
        self.failures = 0;
        Ok(())
    }

    /// The CKF bits of a user's PIN in `C_GetTokenInfo`.
    pub(crate) fn flags(&self, tries: u32) -> CK_FLAGS {
        let left = match tries.saturating_sub(self.failures) {
            _ if self.failures == 0 => 0,
            0 => CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED,
            1 => CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY,
            _ => CKF_USER_PIN_COUNT_LOW,
        };
        let expired = if self.expired {
            CKF_USER_PIN_TO_BE_CHANGED
        } else {
            0
        };
        CKF_USER_PIN_INITIALIZED | left | expired
    }
}
