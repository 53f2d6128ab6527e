//! Prepared keys of the authorities whose signatures come again and again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sm2::PreparedVerifyingKey;

/// The last few keys under which certificates were good.
///
/// A key is remembered once a signature has verified under it, and prepared when one verifies for the
/// second time. So a stranger who sends certificates of authorities of his own costs nothing: webpki
/// verifies from the trust anchor downwards and never comes to them. An authority that is trusted can
/// make new authorities to fill this with: each costs us two verifications more, when it has signed
/// twice, and those that are forgotten for it the speed that they had.
///
/// How long a verification takes tells whether a key is among them, as it would of any cache;
/// they are public keys.
pub(super) struct Issuers(Mutex<Vec<Issuer>>);

/// 8.5 KiB for each.
const CAPACITY: usize = 16;

struct Issuer {
    /// As certificates have it.
    encoded: Vec<u8>,
    /// From the second signature on.
    key: Option<Arc<PreparedVerifyingKey>>,
}

impl Issuers {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The prepared key, if it is there.
    pub(super) fn find(&self, encoded: &[u8]) -> Option<Arc<PreparedVerifyingKey>> {
        let mut issuers = self.lock();
        let position = issuers.iter().position(|it| it.encoded == encoded)?;
        // The last one is the one used last.
        issuers[position..].rotate_left(1);
        issuers.last()?.key.clone()
    }

    /// To be called when a signature has verified under a key that [`Issuers::find`] does not find.
    pub(super) fn remember(
        &self,
        encoded: &[u8],
        prepare: impl FnOnce() -> Option<PreparedVerifyingKey>,
    ) {
        let known = self.lock().iter().any(|it| it.encoded == encoded);
        // Not under the lock: it takes as long as two verifications.
        let key = known.then(prepare).flatten().map(Arc::new);

        let mut issuers = self.lock();
        issuers.retain(|it| it.encoded != encoded);
        if issuers.len() == CAPACITY {
            issuers.remove(0);
        }
        issuers.push(Issuer {
            encoded: encoded.to_vec(),
            key,
        });
    }

    /// Nothing panics under the lock, but a panic elsewhere is no reason to refuse certificates.
    fn lock(&self) -> MutexGuard<'_, Vec<Issuer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::random::SystemRandom;
    use crate::sm2::{DEFAULT_ID, SecretKey, VerifyingKey};

    fn key() -> VerifyingKey {
        let secret = SecretKey::generate(&mut SystemRandom).unwrap();
        VerifyingKey::new(secret.public_key().clone(), DEFAULT_ID).unwrap()
    }

    fn encoded(key: &VerifyingKey) -> &[u8] {
        key.public_key().as_sec1()
    }

    /// Whether it was prepared.
    fn verified(issuers: &Issuers, key: &VerifyingKey) -> bool {
        let prepared = Cell::new(false);
        issuers.remember(encoded(key), || {
            prepared.set(true);
            Some(key.clone().prepare())
        });
        prepared.get()
    }

    #[test]
    fn a_key_is_prepared_when_it_verifies_for_the_second_time() {
        let (issuers, a, b) = (Issuers::new(), key(), key());
        assert!(issuers.find(encoded(&a)).is_none());
        assert!(!verified(&issuers, &a));
        assert!(issuers.find(encoded(&a)).is_none());
        assert!(!verified(&issuers, &b));
        assert!(verified(&issuers, &a));
        let found = issuers.find(encoded(&a)).unwrap();
        assert!(*found.verifying_key() == a);
        assert!(issuers.find(encoded(&b)).is_none());
        assert!(issuers.find(&encoded(&a)[..64]).is_none());
    }

    #[test]
    fn the_one_that_was_used_longest_ago_is_forgotten() {
        let issuers = Issuers::new();
        let keys: Vec<_> = (0..CAPACITY).map(|_| key()).collect();
        for key in keys.iter().chain(&keys) {
            verified(&issuers, key);
        }
        let is_there = |key: &VerifyingKey| issuers.find(encoded(key)).is_some();
        // From the last to the first, so that the last is the one to go.
        assert!(keys.iter().rev().all(is_there));
        verified(&issuers, &key());
        assert!(issuers.lock().len() == CAPACITY);
        assert!(!is_there(&keys[CAPACITY - 1]));
        assert!(keys[..CAPACITY - 1].iter().all(is_there));
    }
}
