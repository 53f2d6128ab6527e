//! Session tickets under SM4-GCM with keys that change (RFC 5077 4, RFC 8446 4.6.1).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pki_types::UnixTime;
use rand_core::TryRng;
use rustls::crypto::GetRandomFailed;
use rustls::server::ProducesTickets;

use super::Error;
use crate::module;
use crate::random::SystemRandom;
use crate::secret::Secret;
use crate::sm4::{KEY_LEN, NONCE_LEN, Sm4GcmSealer, TAG_LEN};

const NAME_LEN: usize = 16;

/// How long one key makes tickets, unless [`ticketer_with_rotation`] is told otherwise.
const ROTATION: Duration = Duration::from_secs(6 * 60 * 60);

/// RFC 8446 4.6.1: "Servers MUST NOT use any value greater than 604800 seconds (7 days)". A ticket
/// lives for two rotations.
const MAX_ROTATION: Duration = Duration::from_secs(7 * 24 * 60 * 60 / 2);

/// The length of a ticket on the wire has two bytes.
const MAX_TICKET_LEN: usize = u16::MAX as usize;

/// How far a clock may step back, in seconds, or lag behind in another thread, before keys count as
/// outdated.
const TOLERANCE: u64 = 60;

/// Session tickets for [`ServerConfig::ticketer`](rustls::ServerConfig), under a new key every six
/// hours; a ticket can be used for twelve.
///
/// A ticket is the key's random name (16 bytes), a random nonce (12), the session under SM4-GCM
/// with the name as additional data, and the tag (16). A ticket that is malformed, altered, or
/// from an unknown or outdated key leads to a full handshake.
///
/// # Errors
/// [`Error::Tls`] if the system gives no random bytes, [`Error::Module`] in the module's error state.
pub fn ticketer() -> Result<Arc<dyn ProducesTickets>, Error> {
    ticketer_with_rotation(ROTATION)
}

/// As [`ticketer`], with a new key every `rotation`, at least one second and at most three and a
/// half days; values outside are brought to the nearer bound. A ticket can be used for twice as
/// long.
///
/// # Errors
/// [`Error::Tls`] if the system gives no random bytes, [`Error::Module`] in the module's error state.
pub fn ticketer_with_rotation(rotation: Duration) -> Result<Arc<dyn ProducesTickets>, Error> {
    Ok(Arc::new(Ticketer::new(rotation, UnixTime::now)?))
}

struct Ticketer {
    rotation: u64,
    keys: RwLock<Keys>,
    now: fn() -> UnixTime,
}

struct Keys {
    current: TicketKey,
    previous: Option<TicketKey>,
}

impl Ticketer {
    fn new(rotation: Duration, now: fn() -> UnixTime) -> Result<Self, Error> {
        module::operational().map_err(Error::Module)?;
        let current =
            TicketKey::generate(now().as_secs()).map_err(|error| Error::Tls(error.into()))?;
        Ok(Self {
            rotation: rotation
                .clamp(Duration::from_secs(1), MAX_ROTATION)
                .as_secs(),
            keys: RwLock::new(Keys {
                current,
                previous: None,
            }),
            now,
        })
    }

    /// Puts a new key in place of a current one that has served its time, and drops keys whose
    /// tickets have all expired.
    fn rotate(&self) -> Result<(), GetRandomFailed> {
        let now = self.now();
        let due = |keys: &Keys| {
            keys.current.age(now) >= self.rotation
                || keys
                    .previous
                    .as_ref()
                    .is_some_and(|key| key.age(now) >= 2 * self.rotation)
        };
        if !due(&self.keys.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let mut next = TicketKey::generate(now)?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have rotated meanwhile, at a later time.
        let now = self.now();
        if keys.current.age(now) >= self.rotation {
            next.made = now;
            keys.previous = Some(std::mem::replace(&mut keys.current, next));
        }
        keys.previous
            .take_if(|key| key.age(now) >= 2 * self.rotation);
        Ok(())
    }

    fn now(&self) -> u64 {
        (self.now)().as_secs()
    }
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        // At most 604800, by `MAX_ROTATION`.
        u32::try_from(2 * self.rotation).unwrap_or_default()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.rotate().ok()?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.current.seal(plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        // Without random bytes for a new key, the expired ones must still not be used.
        self.rotate().ok()?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let (name, _) = ticket.split_first_chunk::<NAME_LEN>()?;
        [Some(&keys.current), keys.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| key.name == *name)?
            .open(ticket)
    }
}

impl fmt::Debug for Ticketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticketer")
            .field("rotation", &self.rotation)
            .finish_non_exhaustive()
    }
}

struct TicketKey {
    name: [u8; NAME_LEN],
    sealer: Sm4GcmSealer,
    made: u64,
}

impl TicketKey {
    fn generate(now: u64) -> Result<Self, GetRandomFailed> {
        let mut name = [0; NAME_LEN];
        let mut key = Secret::<KEY_LEN>::zeroed();
        fill(&mut name)?;
        fill(key.as_mut_bytes())?;
        Ok(Self {
            name,
            sealer: Sm4GcmSealer::new(key.as_bytes()),
            made: now,
        })
    }

    /// In seconds. After a clock was set far back nobody knows the age, so the key counts as outdated.
    fn age(&self, now: u64) -> u64 {
        match now.checked_sub(self.made) {
            Some(age) => age,
            None if self.made - now <= TOLERANCE => 0,
            None => u64::MAX,
        }
    }

    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if NAME_LEN + NONCE_LEN + plain.len() + TAG_LEN > MAX_TICKET_LEN {
            return None;
        }
        // A counter for a nonce would tell how many tickets the server has given out.
        let sealed = self
            .sealer
            .seal(&mut SystemRandom, &self.name, plain)
            .ok()?;
        Some([&self.name[..], &sealed].concat())
    }

    fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() > MAX_TICKET_LEN {
            return None;
        }
        let sealed = ticket.strip_prefix(&self.name)?;
        self.sealer.open(&self.name, sealed).ok()
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
    SystemRandom
        .try_fill_bytes(bytes)
        .map_err(|_| GetRandomFailed)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    thread_local!(static NOW: Cell<u64> = const { Cell::new(1_000_000) });

    fn now() -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(NOW.get()))
    }

    fn hourly() -> Ticketer {
        Ticketer::new(Duration::from_secs(3600), now).unwrap()
    }

    fn wait(seconds: u64) {
        NOW.set(NOW.get() + seconds);
    }

    #[test]
    fn a_ticket_opens_for_two_periods_at_most() {
        let ticketer = hourly();
        wait(3599);
        let ticket = ticketer.encrypt(b"session").unwrap();
        assert_eq!(ticketer.decrypt(&ticket).unwrap(), b"session");
        wait(1);
        assert_ne!(ticketer.encrypt(b"other").unwrap()[..16], ticket[..16]);
        assert_eq!(ticketer.decrypt(&ticket).unwrap(), b"session");
        wait(3599);
        assert_eq!(ticketer.decrypt(&ticket).unwrap(), b"session");
        wait(1);
        assert_eq!(ticketer.decrypt(&ticket), None);
    }

    #[test]
    fn an_idle_server_does_not_keep_old_keys_alive() {
        let ticketer = hourly();
        let ticket = ticketer.encrypt(b"session").unwrap();
        wait(8 * 24 * 3600);
        assert_eq!(ticketer.decrypt(&ticket), None);
    }

    /// By another thread's reading of the clock, or by NTP.
    #[test]
    fn a_clock_a_little_behind_outdates_nothing() {
        let ticketer = hourly();
        let old = ticketer.encrypt(b"session").unwrap();
        wait(3600);
        let ticket = ticketer.encrypt(b"session").unwrap();
        for behind in [1, TOLERANCE] {
            NOW.set(NOW.get() - behind);
            assert_eq!(ticketer.encrypt(b"other").unwrap()[..16], ticket[..16]);
            assert_eq!(ticketer.decrypt(&ticket).unwrap(), b"session");
            assert_eq!(ticketer.decrypt(&old).unwrap(), b"session");
            wait(behind);
        }
    }

    /// Threads that read the clock just before a rotation, and act after it.
    #[test]
    fn threads_that_rotate_at_once_keep_the_previous_key() {
        const THREADS: usize = 4;
        static TIME: AtomicU64 = AtomicU64::new(1_000_000);
        static READINGS: AtomicU64 = AtomicU64::new(0);
        fn wavering() -> UnixTime {
            let late = READINGS.fetch_add(1, Ordering::Relaxed) % 2;
            let now = TIME.load(Ordering::Relaxed) - late;
            std::thread::yield_now();
            UnixTime::since_unix_epoch(Duration::from_secs(now))
        }

        let ticketer = Ticketer::new(Duration::from_secs(3600), wavering).unwrap();
        for _ in 0..50 {
            let ticket = ticketer.encrypt(b"session").unwrap();
            TIME.fetch_add(3600, Ordering::Relaxed);
            let start = Barrier::new(THREADS);
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        start.wait();
                        for _ in 0..5 {
                            let own = ticketer.encrypt(b"own").unwrap();
                            assert_eq!(ticketer.decrypt(&own).unwrap(), b"own");
                            assert_eq!(ticketer.decrypt(&ticket).unwrap(), b"session");
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn a_clock_set_far_back_outdates_keys() {
        let ticketer = hourly();
        let ticket = ticketer.encrypt(b"session").unwrap();
        NOW.set(NOW.get() - TOLERANCE - 1);
        assert_eq!(ticketer.decrypt(&ticket), None);
        let ticket = ticketer.encrypt(b"session").unwrap();
        assert_eq!(ticketer.decrypt(&ticket).unwrap(), b"session");
    }

    #[test]
    fn the_lifetime_is_two_rotations_and_at_most_seven_days() {
        assert_eq!(hourly().lifetime(), 7200);
        assert_eq!(
            Ticketer::new(Duration::MAX, now).unwrap().lifetime(),
            604_800
        );
        assert_eq!(Ticketer::new(Duration::ZERO, now).unwrap().lifetime(), 2);
        assert_eq!(ticketer().unwrap().lifetime(), 43_200);
    }

    #[test]
    fn any_altered_or_shortened_ticket_is_refused() {
        let ticketer = hourly();
        let ticket = ticketer.encrypt(b"session").unwrap();
        assert_eq!(ticket.len(), 16 + 12 + 7 + 16);
        for i in 0..ticket.len() {
            let mut altered = ticket.clone();
            altered[i] ^= 0x80;
            assert_eq!(ticketer.decrypt(&altered), None, "byte {i}");
            assert_eq!(ticketer.decrypt(&ticket[..i]), None, "length {i}");
        }
        assert_eq!(ticketer.decrypt(&[&ticket[..], &[0]].concat()), None);
        assert_eq!(ticketer.decrypt(&vec![0; 1 << 20]), None);
    }

    #[test]
    fn tickets_of_one_session_differ_and_another_server_cannot_open_them() {
        let ticketer = hourly();
        let (a, b) = (ticketer.encrypt(b"session"), ticketer.encrypt(b"session"));
        assert_ne!(a, b);
        assert_eq!(hourly().decrypt(&a.unwrap()), None);
    }

    #[test]
    fn a_session_too_long_for_a_ticket_gets_none() {
        let ticketer = hourly();
        let overhead = 16 + 12 + 16;
        assert!(ticketer.encrypt(&vec![0; 65535 - overhead]).is_some());
        assert!(ticketer.encrypt(&vec![0; 65536 - overhead]).is_none());
    }

    #[test]
    fn a_key_makes_a_limited_number_of_tickets() {
        let mut key = TicketKey::generate(0).unwrap();
        key.sealer = Sm4GcmSealer::with_limit(&[1; KEY_LEN], 1);
        assert!(key.seal(b"last").is_some());
        assert!(key.seal(b"one too many").is_none());
    }
}
