//! How long ago something was: a clock that is cheap enough to be asked at every call.

use std::time::Duration;

/// Time since some point in the past. It does not go back, is right to 20 ms, and stands still while the
/// machine is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Moment {
    #[inline]
    pub(crate) fn now() -> Self {
        #[cfg(test)]
        let now = system::now() + test::AHEAD.get();
        #[cfg(not(test))]
        let now = system::now();
        Self(now)
    }

    /// How long before `self` the moment `earlier` was.
    #[inline]
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::time::Duration;

    /// Read from memory that the kernel shares with the process.
    #[inline]
    pub(super) fn now() -> Duration {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a place for the answer. Every Linux since 2.6.32 has this clock, and the
        // call cannot fail otherwise.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn now() -> Duration {
        START.elapsed()
    }
}

/// Time that passes on order, on one thread.
#[cfg(test)]
pub(crate) mod test {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local!(pub(super) static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) });

    pub(crate) fn advance(time: Duration) {
        AHEAD.set(AHEAD.get() + time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes() {
        let start = Moment::now();
        test::advance(Duration::from_secs(600));
        let passed = Moment::now().since(start);
        assert!(passed >= Duration::from_secs(600), "{passed:?}");
        assert_eq!(start.since(Moment::now()), Duration::ZERO);
    }
}
