//! Hash_DRBG (SP 800-90A Rev. 1, 10.1.1), and what GM/T 0105-2021 made of it for SM3.

use std::marker::PhantomData;
use std::{fmt, iter};

use digest::array::typenum::Unsigned;
use digest::{Digest, OutputSizeUser};
use zeroize::ZeroizeOnDrop;

use super::drbg::{
    Drbg, DrbgError, MAX_INPUT, MAX_REQUEST, STACK, check_generate, check_instantiate, check_reseed,
};
use crate::arch::wipe::leaving;
use crate::secret::SecretBytes;
use crate::sm3::Sm3;

/// Hash_DRBG on SM3, as SP 800-90A has it.
pub type HashDrbgSm3 = HashDrbg<Sm3>;

/// The generator on SM3 of GM/T 0105-2021, appendix B.
pub type HashDrbgGm = HashDrbg<Sm3, true>;

/// The generator on a hash function (SP 800-90A Rev. 1, 10.1.1).
///
/// With `GM`, it is that of GM/T 0105-2021: reseeding takes the entropy input before V (B.5), and a
/// request is for one digest at most (B.1). Until it is reseeded, both give the same.
///
/// ```
/// use shangmi::random::{Drbg, HashDrbgSm3};
///
/// let entropy = [0x5a; 32]; // From a source of entropy, that is.
/// let mut drbg = HashDrbgSm3::instantiate(&entropy, b"a nonce, 16 byte", b"an example")?;
/// let mut bytes = [0; 100];
/// drbg.generate(&mut bytes, b"")?;
/// # Ok::<(), shangmi::random::DrbgError>(())
/// ```
pub struct HashDrbg<D, const GM: bool = false> {
    v: SecretBytes,
    c: SecretBytes,
    reseed_counter: u64,
    hash: PhantomData<fn() -> D>,
}

/// The longest seed in bytes: 888 bits (table 2).
const MAX_SEED_LEN: usize = 111;

impl<D: Digest, const GM: bool> HashDrbg<D, GM> {
    const OUT_LEN: usize = <D as OutputSizeUser>::OutputSize::USIZE;

    /// 440 bits for a hash of up to 256 bits, otherwise 888 (table 2).
    const SEED_LEN: usize = if Self::OUT_LEN <= 32 {
        55
    } else {
        MAX_SEED_LEN
    };

    /// What V is derived from is that of 10.1.1.2 or of 10.1.1.3.
    fn seeded(seed_material: &[&[u8]]) -> Self {
        let v = Self::derive(seed_material);
        Self {
            c: Self::derive(&[&[0], &v]),
            v,
            reseed_counter: 1,
            hash: PhantomData,
        }
    }

    /// Hash_df (10.3.1) of the concatenated `input`, for a seed.
    fn derive(input: &[&[u8]]) -> SecretBytes {
        let bits = (8 * Self::SEED_LEN as u32).to_be_bytes();
        let mut seed = SecretBytes::zeroed(Self::SEED_LEN);
        for (counter, part) in (1u8..).zip(seed.as_mut_bytes().chunks_mut(Self::OUT_LEN)) {
            let mut hash = D::new_with_prefix([counter]);
            hash.update(bits);
            input.iter().for_each(|input| hash.update(input));
            part.copy_from_slice(&hash.finalize()[..part.len()]);
        }
        seed
    }

    /// 10.1.1.4.
    fn fill(&mut self, out: &mut [u8], additional: &[u8]) {
        if !additional.is_empty() {
            let w = self.hash_of_v(2, additional);
            add(self.v.as_mut_bytes(), &w);
        }
        self.hashgen(out);
        let h = self.hash_of_v(3, &[]);
        let v = self.v.as_mut_bytes();
        add(v, &h);
        add(v, &self.c);
        add(v, &self.reseed_counter.to_be_bytes());
        self.reseed_counter += 1;
    }

    fn hashgen(&self, out: &mut [u8]) {
        let mut data = [0; MAX_SEED_LEN];
        let data = &mut data[..Self::SEED_LEN];
        data.copy_from_slice(&self.v);
        for part in out.chunks_mut(Self::OUT_LEN) {
            part.copy_from_slice(&D::digest(&*data)[..part.len()]);
            add(data, &[1]);
        }
    }

    fn hash_of_v(&self, prefix: u8, additional: &[u8]) -> digest::Output<D> {
        D::new_with_prefix([prefix])
            .chain_update(&self.v)
            .chain_update(additional)
            .finalize()
    }
}

/// Adds `x` to `v`, both big-endian, modulo 2 to the bits of `v`. In constant time.
fn add(v: &mut [u8], x: &[u8]) {
    let mut carry = 0;
    let digits = x.iter().rev().copied().chain(iter::repeat(0));
    for (v, x) in v.iter_mut().rev().zip(digits) {
        let sum = u16::from(*v) + u16::from(x) + carry;
        *v = sum as u8;
        carry = sum >> 8;
    }
}

impl<D: Digest, const GM: bool> Drbg for HashDrbg<D, GM> {
    const STRENGTH: usize = match Self::OUT_LEN {
        0..=20 => 16,
        21..=28 => 24,
        _ => 32,
    };
    const ENTROPY_LEN: usize = Self::STRENGTH;
    const NONCE_LEN: usize = Self::STRENGTH / 2;
    const MAX_INPUT: u64 = MAX_INPUT;
    const MAX_REQUEST: usize = if GM { Self::OUT_LEN } else { MAX_REQUEST };

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
        leaving::<STACK, _>(|| {
            let [first, second] = match GM {
                true => [entropy, &self.v],
                false => [&*self.v, entropy],
            };
            *self = Self::seeded(&[&[1], first, second, additional]);
        });
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

impl<D, const GM: bool> fmt::Debug for HashDrbg<D, GM> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashDrbg { .. }")
    }
}

impl<D, const GM: bool> ZeroizeOnDrop for HashDrbg<D, GM> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::RESEED_INTERVAL;

    #[test]
    fn a_used_up_seed_gives_nothing() {
        let mut drbg = HashDrbgSm3::instantiate(&[5; 32], &[6; 16], b"").unwrap();
        let mut out = [0; 8];
        drbg.reseed_counter = RESEED_INTERVAL;
        assert_eq!(drbg.generate(&mut out, b""), Ok(()));
        assert_ne!(out, [0; 8]);
        out = [0; 8];
        assert_eq!(drbg.generate(&mut out, b""), Err(DrbgError::ReseedRequired));
        assert_eq!(out, [0; 8]);
        assert_eq!(drbg.generate_reseeded(&[7; 32], &mut out, b""), Ok(()));
        assert_eq!(drbg.reseed_counter(), 2);
        assert_eq!(format!("{drbg:?}"), "HashDrbg { .. }");
    }

    #[test]
    fn a_request_of_gm_is_for_one_digest() {
        let mut drbg = HashDrbgGm::instantiate(&[5; 32], &[6; 16], b"").unwrap();
        assert_eq!(
            drbg.generate(&mut [0; 33], b""),
            Err(DrbgError::RequestTooLong)
        );
        assert_eq!(drbg.generate(&mut [0; 32], b""), Ok(()));
    }

    #[test]
    fn addition_carries_and_wraps() {
        for (v, x, sum) in [
            ([0, 0, 0xff], &[1][..], [0, 1, 0]),
            ([0xff, 0xff, 0xff], &[1], [0, 0, 0]),
            ([0x12, 0x34, 0x56], &[0xff, 0xff], [0x13, 0x34, 0x55]),
            ([0, 0, 1], &[1, 2, 3, 4, 5], [3, 4, 6]),
            ([1, 2, 3], &[], [1, 2, 3]),
        ] {
            let mut found = v;
            add(&mut found, x);
            assert_eq!(found, sum, "{v:x?} + {x:x?}");
        }
    }
}
