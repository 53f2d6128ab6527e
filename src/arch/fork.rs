//! Whether this process is a copy that a fork made, for what must not be in two processes.
//!
//! Linux fills a page with zeros in every child that gets a copy of its parent's memory
//! (MADV_WIPEONFORK), also when it was made by `clone` itself. `pthread_atfork` tells of `fork` on every
//! Unix. Where the page cannot be had, the process's number is asked too, at each call.

use std::sync::atomic::{AtomicU64, Ordering};

/// What tells forks. It costs one load to ask, since whoever asks often keeps it.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    /// Which copy this process is, from 1; 0 in one that has not asked yet.
    #[cfg_attr(not(unix), allow(dead_code))]
    word: &'static AtomicU64,
    /// Whether the kernel zeroes the word.
    #[cfg_attr(not(unix), allow(dead_code))]
    is_wiped: bool,
}

/// The numbers of processes that this one has given out, itself and those that it is a copy of.
static COPIES: AtomicU64 = AtomicU64::new(0);

impl Watch {
    /// A number that every copy of this process finds changed.
    #[inline]
    pub(crate) fn generation(self) -> u64 {
        #[cfg(unix)]
        if !self.is_wiped {
            unix::ask_for_process();
        }
        match self.word.load(Ordering::Acquire) {
            0 => self.new_process(),
            generation => generation,
        }
    }

    #[cold]
    fn new_process(self) -> u64 {
        let next = COPIES.fetch_add(1, Ordering::AcqRel) + 1;
        let set = self
            .word
            .compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire);
        // Another thread of the new process may have been first.
        set.map_or_else(|first| first, |_| next)
    }
}

#[cfg(not(unix))]
impl Watch {
    /// There are no forks.
    pub(crate) fn start() -> Self {
        static WORD: AtomicU64 = AtomicU64::new(0);
        Self {
            word: &WORD,
            is_wiped: false,
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

    use super::Watch;

    /// The word on the page that the kernel zeroes, if it does, and [`WORD`] if not; null at first.
    static CHOSEN: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
    static WORD: AtomicU64 = AtomicU64::new(0);

    impl Watch {
        /// Sets it up, the first time. Without locks, which a fork could copy in the locked state.
        pub(crate) fn start() -> Self {
            let chosen = CHOSEN.load(Ordering::Acquire);
            let chosen = if chosen.is_null() { choose() } else { chosen };
            // SAFETY: it is never null from here on, and points to a static or to a page that is never
            // unmapped; both are accessed as atomic words only.
            let word = unsafe { &*chosen };
            Self {
                word,
                is_wiped: !ptr::eq(word, &WORD),
            }
        }

        #[cfg(test)]
        pub(super) fn by_process() -> Self {
            Self {
                word: &WORD,
                is_wiped: false,
            }
        }
    }

    #[cold]
    fn choose() -> *mut AtomicU64 {
        watch_forks();
        let word = wiped_page().unwrap_or((&raw const WORD).cast_mut());
        let set =
            CHOSEN.compare_exchange(ptr::null_mut(), word, Ordering::AcqRel, Ordering::Acquire);
        // Where another thread was first, this one's page stays unused.
        set.map_or_else(|first| first, |_| word)
    }

    /// A page of zeros that is one again in every child.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn wiped_page() -> Option<*mut AtomicU64> {
        // What a page has at least; the kernel rounds up.
        const LENGTH: usize = 4096;
        // SAFETY: a new mapping, which nothing else knows.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                LENGTH,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the mapping of above, of this length. The kernel refuses what it does not know
        // (before 4.14).
        if unsafe { libc::madvise(page, LENGTH, libc::MADV_WIPEONFORK) } == 0 {
            return Some(page.cast());
        }
        // SAFETY: the mapping of above, which nobody has seen.
        unsafe { libc::munmap(page, LENGTH) };
        None
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn wiped_page() -> Option<*mut AtomicU64> {
        None
    }

    fn watch_forks() {
        static WATCHED: AtomicBool = AtomicBool::new(false);
        if !WATCHED.swap(true, Ordering::AcqRel) {
            // SAFETY: the handler stores to atomics alone, as a signal handler may. Without memory
            // for it, the page or the process's number tells.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        }
    }

    extern "C" fn in_child() {
        WORD.store(0, Ordering::Release);
        let chosen = CHOSEN.load(Ordering::Acquire);
        if !chosen.is_null() {
            // SAFETY: as in `start`.
            unsafe { &*chosen }.store(0, Ordering::Release);
        }
    }

    /// Zeroes [`WORD`] in a process that has another number than the last one that asked.
    pub(super) fn ask_for_process() {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let process = std::process::id();
        if LAST.swap(process, Ordering::AcqRel) != process {
            WORD.store(0, Ordering::Release);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// The exit status of a child that looks whether it is a new process, and then has a child itself.
    fn status_of_child(watch: Watch, fork: fn() -> libc::c_long) -> i32 {
        let parent = watch.generation();
        assert_eq!(watch.generation(), parent);
        let child = fork();
        assert!(child >= 0);
        if child == 0 {
            // Nothing here allocates or panics: other threads' locks may have been copied.
            let own = watch.generation();
            let mut failures = i32::from(own == parent) | i32::from(watch.generation() != own) << 1;
            match fork() {
                0 => exit(i32::from(watch.generation() == own)),
                grandchild => failures |= wait(grandchild) << 2,
            }
            exit(failures);
        }
        let status = wait(child);
        assert_eq!(watch.generation(), parent);
        status
    }

    fn exit(status: i32) -> ! {
        // SAFETY: ends the child, without what the parent has set up for its own end.
        unsafe { libc::_exit(status) }
    }

    fn wait(child: libc::c_long) -> i32 {
        let mut status = 0;
        // SAFETY: `status` is a place for the answer.
        let waited = unsafe { libc::waitpid(child as libc::pid_t, &mut status, 0) };
        match libc::c_long::from(waited) == child && libc::WIFEXITED(status) {
            true => libc::WEXITSTATUS(status),
            false => 0x80,
        }
    }

    fn fork() -> libc::c_long {
        // SAFETY: the child calls functions that are safe after a fork only.
        libc::c_long::from(unsafe { libc::fork() })
    }

    /// A child of which neither the C library nor `pthread_atfork` knows.
    #[cfg(target_os = "linux")]
    fn clone() -> libc::c_long {
        // SAFETY: as a fork: no memory is shared, and no stack is given.
        unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) }
    }

    #[test]
    fn a_fork_is_seen() {
        assert_eq!(status_of_child(Watch::start(), fork), 0);
        assert_eq!(status_of_child(Watch::by_process(), fork), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_raw_clone_is_seen() {
        assert_eq!(status_of_child(Watch::start(), clone), 0);
        assert_eq!(status_of_child(Watch::by_process(), clone), 0);
    }

    /// So that the tests above are about the page.
    #[cfg(target_os = "linux")]
    #[test]
    fn linux_wipes_the_page() {
        assert!(Watch::start().is_wiped);
    }
}
