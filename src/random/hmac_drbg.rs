//! HMAC_DRBG (SP 800-90A Rev. 1, 10.1.2).

use std::fmt;

use digest::array::typenum::Unsigned;
use digest::{Key, KeyInit, Mac, OutputSizeUser};
use zeroize::ZeroizeOnDrop;

use super::drbg::{
    Drbg, DrbgError, MAX_INPUT, STACK, check_generate, check_instantiate, check_reseed,
};
use crate::arch::wipe::leaving;
use crate::secret::SecretBytes;
use crate::sm3::HmacSm3;

/// HMAC_DRBG on SM3.
pub type HmacDrbgSm3 = HmacDrbg<HmacSm3>;

/// The generator on HMAC (SP 800-90A Rev. 1, 10.1.2); `M` is HMAC with some hash function. Key is wiped on
/// drop if `M` wipes itself, as [`HmacSm3`] does.
///
/// ```
/// use shangmi::random::{Drbg, HmacDrbgSm3};
///
/// let entropy = [0x5a; 32]; // From a source of entropy, that is.
/// let mut drbg = HmacDrbgSm3::instantiate(&entropy, b"a nonce, 16 byte", b"an example")?;
/// let mut bytes = [0; 100];
/// drbg.generate(&mut bytes, b"")?;
/// # Ok::<(), shangmi::random::DrbgError>(())
/// ```
pub struct HmacDrbg<M> {
    /// HMAC that has absorbed Key.
    keyed: Box<M>,
    v: SecretBytes,
    reseed_counter: u64,
}

impl<M: Mac + KeyInit + Clone> HmacDrbg<M> {
    const OUT_LEN: usize = <M as OutputSizeUser>::OutputSize::USIZE;

    /// 10.1.2.3.
    fn seeded(seed_material: &[&[u8]]) -> Self {
        let mut v = SecretBytes::zeroed(Self::OUT_LEN);
        v.as_mut_bytes().fill(1);
        let mut drbg = Self {
            keyed: Box::new(M::new(&Key::<M>::default())),
            v,
            reseed_counter: 1,
        };
        drbg.update(seed_material);
        drbg
    }

    /// HMAC_DRBG_Update (10.1.2.2) with the concatenated `provided`.
    fn update(&mut self, provided: &[&[u8]]) {
        self.rekey(0, provided);
        if provided.iter().any(|provided| !provided.is_empty()) {
            self.rekey(1, provided);
        }
    }

    /// Key = HMAC(Key, V || `round` || `provided`), V = HMAC(Key, V).
    fn rekey(&mut self, round: u8, provided: &[&[u8]]) {
        let mut mac = M::clone(&self.keyed);
        mac.update(&self.v);
        mac.update(&[round]);
        provided.iter().for_each(|provided| mac.update(provided));
        // HMAC itself pads its key with zeros to a block, the size that this type wants.
        let mut key = Key::<M>::default();
        key.iter_mut()
            .zip(mac.finalize().into_bytes())
            .for_each(|(key, byte)| *key = byte);
        *self.keyed = M::new(&key);
        self.step();
    }

    /// V = HMAC(Key, V).
    fn step(&mut self) {
        let mut mac = M::clone(&self.keyed);
        mac.update(&self.v);
        let tag = mac.finalize().into_bytes();
        self.v.as_mut_bytes().copy_from_slice(&tag);
    }

    /// 10.1.2.5.
    fn fill(&mut self, out: &mut [u8], additional: &[u8]) {
        if !additional.is_empty() {
            self.update(&[additional]);
        }
        for part in out.chunks_mut(Self::OUT_LEN) {
            self.step();
            part.copy_from_slice(&self.v[..part.len()]);
        }
        self.update(&[additional]);
        self.reseed_counter += 1;
    }
}

impl<M: Mac + KeyInit + Clone> Drbg for HmacDrbg<M> {
    const STRENGTH: usize = match Self::OUT_LEN {
        0..=20 => 16,
        21..=28 => 24,
        _ => 32,
    };
    const ENTROPY_LEN: usize = Self::STRENGTH;
    const NONCE_LEN: usize = Self::STRENGTH / 2;
    const MAX_INPUT: u64 = MAX_INPUT;

    fn instantiate(
        entropy: &[u8],
        nonce: &[u8],
        personalization: &[u8],
    ) -> Result<Self, DrbgError> {
        check_instantiate::<Self>(entropy, nonce, personalization)?;
        Ok(leaving::<STACK, _>(|| {
            Self::seeded(&[entropy, nonce, personalization])
        }))
    }

    fn reseed(&mut self, entropy: &[u8], additional: &[u8]) -> Result<(), DrbgError> {
        check_reseed::<Self>(entropy, additional)?;
        leaving::<STACK, _>(|| self.update(&[entropy, additional]));
        self.reseed_counter = 1;
        Ok(())
    }

    fn generate(&mut self, out: &mut [u8], additional: &[u8]) -> Result<(), DrbgError> {
        check_generate(self, out, additional)?;
        leaving::<STACK, _>(|| self.fill(out, additional));
        Ok(())
    }

    fn reseed_counter(&self) -> u64 {
        self.reseed_counter
    }
}

impl<M> fmt::Debug for HmacDrbg<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacDrbg { .. }")
    }
}

impl<M: ZeroizeOnDrop> ZeroizeOnDrop for HmacDrbg<M> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RESEED_INTERVAL;

    #[test]
    fn a_used_up_seed_gives_nothing() {
        let mut drbg = HmacDrbgSm3::instantiate(&[5; 32], &[6; 16], b"").unwrap();
        let mut out = [0; 8];
        drbg.reseed_counter = RESEED_INTERVAL;
        assert_eq!(drbg.generate(&mut out, b""), Ok(()));
        assert_ne!(out, [0; 8]);
        out = [0; 8];
        assert_eq!(drbg.generate(&mut out, b""), Err(DrbgError::ReseedRequired));
        assert_eq!(out, [0; 8]);
        assert_eq!(drbg.generate_reseeded(&[7; 32], &mut out, b""), Ok(()));
        assert_eq!(drbg.reseed_counter(), 2);
        assert_eq!(format!("{drbg:?}"), "HmacDrbg { .. }");
    }
}
