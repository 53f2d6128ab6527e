//! HKDF (RFC 5869) over any HMAC of RustCrypto's.

use digest::typenum::Unsigned;
use digest::{KeyInit, Mac, OutputSizeUser};
use zeroize::{Zeroize, Zeroizing};

/// HKDF keyed with a pseudorandom key, as the HMAC `M` under that key.
pub(crate) struct HkdfOver<M>(M);

/// HKDF gives at most 255 blocks (RFC 5869, 2.3).
#[derive(Debug)]
pub(crate) struct OutputTooLong;

impl<M: Mac + KeyInit + Clone> HkdfOver<M> {
    /// Size of the hash in bytes.
    pub(crate) const HASH_LEN: usize = <M as OutputSizeUser>::OutputSize::USIZE;

    /// HKDF-Extract; without a salt, `HASH_LEN` zero bytes are used.
    pub(crate) fn extract(salt: Option<&[u8]>, secret: &[u8]) -> Self {
        // No salt is a salt of zeros, to which HMAC pads an empty key.
        let prk = tag(keyed::<M>(salt.unwrap_or_default()), &[secret]);
        Self::from_prk(&prk)
    }

    /// Starts from a pseudorandom key.
    pub(crate) fn from_prk(prk: &[u8]) -> Self {
        Self(keyed(prk))
    }

    /// HKDF-Expand.
    pub(crate) fn expand(&self, info: &[&[u8]], okm: &mut [u8]) -> Result<(), OutputTooLong> {
        if okm.len() > 255 * Self::HASH_LEN {
            return Err(OutputTooLong);
        }
        let mut previous = Zeroizing::new(Vec::new());
        for (chunk, counter) in okm.chunks_mut(Self::HASH_LEN).zip(1u8..=255) {
            let counter = [counter];
            let parts = [&[&previous[..]], info, &[&counter]].concat();
            let block = tag(self.0.clone(), &parts);
            chunk.copy_from_slice(&block[..chunk.len()]);
            previous = block;
        }
        Ok(())
    }

    /// The HMAC of `message`.
    pub(crate) fn mac(key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
        tag(keyed::<M>(key), &[message])
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8]) -> M {
    match <M as KeyInit>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("RFC 2104 2: HMAC takes keys of any length"),
    }
}

fn tag<M: Mac>(mut mac: M, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    for part in parts {
        mac.update(part);
    }
    let mut bytes = mac.finalize().into_bytes();
    let tag = Zeroizing::new(bytes.to_vec());
    bytes.zeroize();
    tag
}

#[cfg(test)]
mod tests {
    use hmac::Hmac;
    use sha2::Sha256;

    use super::*;

    /// RFC 5869 A.2 and A.3.
    #[test]
    fn known_answers() {
        let range = |from, to| (from..=to).collect::<Vec<u8>>();
        let mut okm = [0; 82];
        HkdfOver::<Hmac<Sha256>>::extract(Some(&range(0x60, 0xaf)), &range(0x00, 0x4f))
            .expand(&[&range(0xb0, 0xd0), &range(0xd1, 0xff)], &mut okm)
            .unwrap();
        assert_eq!(okm[..4], [0xb1, 0x1e, 0x39, 0x8d]);
        assert_eq!(
            okm[72..],
            [0xc1, 0x4c, 0x01, 0xd5, 0xc1, 0xf3, 0x43, 0x4f, 0x1d, 0x87]
        );

        let mut okm = [0; 42];
        HkdfOver::<Hmac<Sha256>>::extract(None, &[0x0b; 22])
            .expand(&[], &mut okm)
            .unwrap();
        assert_eq!(okm[..4], [0x8d, 0xa4, 0xe7, 0x75]);
        assert_eq!(okm[38..], [0xb6, 0x1a, 0x96, 0xc8]);
    }

    #[test]
    fn at_most_255_blocks() {
        let hkdf = HkdfOver::<Hmac<Sha256>>::from_prk(&[1; 32]);
        assert!(hkdf.expand(&[], &mut [0; 8160]).is_ok());
        assert!(hkdf.expand(&[], &mut [0; 8161]).is_err());
    }
}
