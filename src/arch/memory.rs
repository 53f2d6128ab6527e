//! Memory for secrets that live long: locked, so that it is not written to swap, and left out of core
//! dumps, as far as the system allows.
//!
//! Both are properties of whole pages, of which a process may lock few (`ulimit -l`). So secrets share
//! pages, in slots of 64 bytes, and nothing else lies there. Pages are kept for the next secret.
//!
//! Where pages cannot be had at all, or one secret is larger than a page, it lies on the heap.

use std::alloc::{self, Layout};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroize;

/// What the system does for the pages that hold long-lived secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Protection {
    /// Pages in use or kept for use, of 4,096 bytes.
    pub pages: usize,
    /// How many of them are locked: not written to swap.
    pub locked: usize,
    /// How many of them are left out of core dumps.
    pub undumped: usize,
}

/// Bytes of a slot; also the alignment of what lies there.
const SLOT: usize = 64;
/// Bytes of a page: 64 slots, one for each bit of [`Page::used`].
const PAGE: usize = SLOT * u64::BITS as usize;
/// Pages mapped at once.
#[cfg(unix)]
const MAPPED: usize = 4;

static PAGES: Mutex<Pages> = Mutex::new(Pages(Vec::new()));

struct Pages(Vec<Page>);

struct Page {
    start: NonNull<u8>,
    /// A bit for each slot that is taken.
    used: u64,
    locked: bool,
    undumped: bool,
}

// SAFETY: it is memory of the whole process, and the mutex hands it out.
unsafe impl Send for Page {}

/// A value in such memory, alone in its slots, which are wiped when it has been dropped.
pub(crate) struct Locked<T> {
    value: NonNull<T>,
}

// SAFETY: it owns its value, as a box does.
unsafe impl<T: Send> Send for Locked<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Locked<T> {}

impl<T> Locked<T> {
    /// Moves `value` there. What the move leaves on the stack is the caller's to wipe.
    pub(crate) fn new(value: T) -> Self {
        const { assert!(align_of::<T>() <= SLOT) };
        let room = take(size_of::<T>()).cast();
        // SAFETY: the room is large enough, aligned to a slot, and nobody else's.
        unsafe { room.write(value) };
        Self { value: room }
    }
}

impl<T> Deref for Locked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: it was written by `new` and lives until drop.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for Locked<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `self` is borrowed for as long.
        unsafe { self.value.as_mut() }
    }
}

impl<T> Drop for Locked<T> {
    fn drop(&mut self) {
        // SAFETY: the value is live, and not used any more.
        unsafe { self.value.drop_in_place() };
        // SAFETY: the room was taken for this size, and nothing lives there any more.
        unsafe { give_back(self.value.cast(), size_of::<T>()) };
    }
}

/// Bytes in such memory, as [`Locked`]; the length is not secret.
pub(crate) struct LockedBytes {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it owns its bytes.
unsafe impl Send for LockedBytes {}
// SAFETY: as above.
unsafe impl Sync for LockedBytes {}

impl LockedBytes {
    /// `len` zero bytes.
    pub(crate) fn zeroed(len: usize) -> Self {
        Self {
            start: take(len),
            len,
        }
    }
}

impl Deref for LockedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `take` gave this many bytes, all of them zeros at first.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for LockedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed for as long.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for LockedBytes {
    fn drop(&mut self) {
        // SAFETY: the room was taken for this length, and is not used any more.
        unsafe { give_back(self.start, self.len) };
    }
}

/// What the system does for the pages in this process so far.
pub(crate) fn protection() -> Protection {
    let pages = lock();
    Protection {
        pages: pages.0.len(),
        locked: pages.0.iter().filter(|page| page.locked).count(),
        undumped: pages.0.iter().filter(|page| page.undumped).count(),
    }
}

fn lock() -> MutexGuard<'static, Pages> {
    PAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `len` zero bytes, aligned to a slot.
fn take(len: usize) -> NonNull<u8> {
    if len <= PAGE
        && let Some(room) = lock().take(slots(len))
    {
        return room;
    }
    let layout = on_heap(len);
    // SAFETY: the layout has a size.
    let room = unsafe { alloc::alloc_zeroed(layout) };
    NonNull::new(room).unwrap_or_else(|| alloc::handle_alloc_error(layout))
}

/// Wipes what [`take`] gave, and takes it back.
///
/// # Safety
/// `room` came from `take(len)`, and nothing uses it any more.
unsafe fn give_back(room: NonNull<u8>, len: usize) {
    // SAFETY: these bytes are the caller's, and `take` initialised them.
    unsafe { std::slice::from_raw_parts_mut(room.as_ptr(), slots(len) * SLOT) }.zeroize();
    if len <= PAGE && lock().give_back(room, slots(len)) {
        return;
    }
    // SAFETY: it is on no page, so it came from the allocator, with this layout.
    unsafe { alloc::dealloc(room.as_ptr(), on_heap(len)) };
}

/// How many slots `len` bytes take, one at least.
const fn slots(len: usize) -> usize {
    if len == 0 { 1 } else { len.div_ceil(SLOT) }
}

fn on_heap(len: usize) -> Layout {
    match Layout::from_size_align(slots(len) * SLOT, SLOT) {
        Ok(layout) => layout,
        // As `Vec` does where no address space could hold it.
        Err(_) => alloc::handle_alloc_error(Layout::new::<[u8; SLOT]>()),
    }
}

impl Pages {
    /// Room for this many slots, at most a page.
    fn take(&mut self, slots: usize) -> Option<NonNull<u8>> {
        let found = self.0.iter_mut().find_map(|page| page.take(slots));
        found.or_else(|| {
            self.0.extend(map());
            self.0.iter_mut().find_map(|page| page.take(slots))
        })
    }

    /// Whether `room` is on a page, to which it then is given back.
    fn give_back(&mut self, room: NonNull<u8>, slots: usize) -> bool {
        let here = |page: &&mut Page| {
            let offset = room.addr().get().wrapping_sub(page.start.addr().get());
            offset < PAGE
        };
        let Some(page) = self.0.iter_mut().find(here) else {
            return false;
        };
        let first = (room.addr().get() - page.start.addr().get()) / SLOT;
        page.used &= !(run(slots) << first);
        true
    }
}

impl Page {
    fn take(&mut self, slots: usize) -> Option<NonNull<u8>> {
        let run = run(slots);
        let fits = |first: &usize| self.used & (run << first) == 0;
        let first = (0..=u64::BITS as usize - slots).find(fits)?;
        self.used |= run << first;
        // SAFETY: the page has 64 slots, and the first of these is one of them.
        Some(unsafe { self.start.add(first * SLOT) })
    }
}

/// As many bits as there are slots.
const fn run(slots: usize) -> u64 {
    u64::MAX >> (u64::BITS as usize - slots)
}

/// New pages, or none if the system has none.
#[cfg(unix)]
fn map() -> impl Iterator<Item = Page> {
    let len = MAPPED * PAGE;
    // SAFETY: a new mapping, at an address of the system's choice.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    let start = (start != libc::MAP_FAILED).then_some(start);
    let mapped = start.and_then(|start| {
        // SAFETY: the mapping is ours, and it is all of it.
        let locked = unsafe { libc::mlock(start, len) } == 0;
        // SAFETY: as above.
        let undumped = unsafe { leave_out_of_dumps(start, len) };
        Some((NonNull::new(start.cast::<u8>())?, locked, undumped))
    });
    mapped.into_iter().flat_map(|(start, locked, undumped)| {
        (0..MAPPED).map(move |page| Page {
            // SAFETY: the mapping has this many pages.
            start: unsafe { start.add(page * PAGE) },
            used: 0,
            locked,
            undumped,
        })
    })
}

#[cfg(not(unix))]
fn map() -> impl Iterator<Item = Page> {
    std::iter::empty()
}

/// Whether the system leaves these pages out of core dumps from now on.
///
/// # Safety
/// The pages are the caller's.
#[cfg(unix)]
unsafe fn leave_out_of_dumps(start: *mut libc::c_void, len: usize) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const ADVICE: Option<libc::c_int> = Some(libc::MADV_DONTDUMP);
    #[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
    const ADVICE: Option<libc::c_int> = Some(libc::MADV_NOCORE);
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "dragonfly"
    )))]
    const ADVICE: Option<libc::c_int> = None;
    // SAFETY: the caller's pages, of which only the system's dump changes.
    ADVICE.is_some_and(|advice| unsafe { libc::madvise(start, len, advice) } == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slots are mapped after the drop too, and another thread's test may have taken them, but
    /// with other bytes.
    fn bytes_at(address: usize, len: usize) -> Vec<u8> {
        let start = std::ptr::with_exposed_provenance::<u8>(address);
        // SAFETY: pages are never unmapped.
        (0..len)
            .map(|i| unsafe { start.add(i).read_volatile() })
            .collect()
    }

    const SECRET: [u8; 100] = [0xa7; 100];

    #[test]
    fn a_dropped_secret_is_wiped() {
        let locked = Locked::new(SECRET);
        assert_eq!(*locked, SECRET);
        let address = locked.value.as_ptr().expose_provenance();
        assert_eq!(bytes_at(address, 100), SECRET);
        drop(locked);
        let left = bytes_at(address, 128);
        assert!(!left.contains(&0xa7), "{left:x?}");

        let mut bytes = LockedBytes::zeroed(300);
        assert_eq!(*bytes, [0; 300]);
        bytes.fill(0xa7);
        let address = bytes.start.as_ptr().expose_provenance();
        drop(bytes);
        assert!(!bytes_at(address, 320).contains(&0xa7));
    }

    #[test]
    fn rooms_do_not_overlap() {
        let sizes = [0, 1, 63, 64, 65, 128, 1000, 4096, 4097, 10_000];
        for round in 0..3 {
            let mut rooms: Vec<_> = (0..200)
                .map(|i| (i as u8, LockedBytes::zeroed(sizes[i % sizes.len()])))
                .collect();
            for (mark, room) in &mut rooms {
                assert!(room.iter().all(|byte| *byte == 0));
                assert_eq!(room.start.addr().get() % SLOT, 0);
                room.fill(*mark);
            }
            // Some go, and others take their place.
            rooms.retain(|(mark, _)| mark % 3 != round);
            for mark in 200..=255 {
                let mut room = LockedBytes::zeroed(sizes[usize::from(mark) % sizes.len()]);
                assert!(room.iter().all(|byte| *byte == 0), "not wiped");
                room.fill(mark);
                rooms.push((mark, room));
            }
            for (mark, room) in &rooms {
                assert!(room.iter().all(|byte| byte == mark));
            }
        }
    }

    #[test]
    fn threads_share_the_pages() {
        let worker = |mark: u8| {
            for _ in 0..2000 {
                let mut room = LockedBytes::zeroed(usize::from(mark) + 32);
                room.fill(mark);
                std::thread::yield_now();
                assert!(room.iter().all(|byte| *byte == mark));
            }
        };
        std::thread::scope(|scope| {
            (1..=4).for_each(|mark| drop(scope.spawn(move || worker(mark))));
        });
    }

    /// As the kernel tells: `lo` is locked, `dd` not dumped (proc(5)).
    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_has_locked_the_page_and_leaves_it_out_of_dumps() {
        let locked = Locked::new(SECRET);
        let address = locked.value.addr().get();
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut here = false;
        let mut flags = None;
        for line in smaps.lines() {
            let range = line.split_whitespace().next().unwrap_or_default();
            if let Some((from, to)) = range.split_once('-') {
                let number = |hex| usize::from_str_radix(hex, 16).unwrap();
                here = (number(from)..number(to)).contains(&address);
            }
            if here && let Some(found) = line.strip_prefix("VmFlags:") {
                flags = Some(found.split_whitespace().collect::<Vec<_>>());
            }
        }
        let flags = flags.expect("the page is mapped");
        assert!(flags.contains(&"dd"), "dumped: {flags:?}");
        let protection = protection();
        assert_eq!(protection.undumped, protection.pages);
        // The limit of the machine may be below what the tests take at once.
        assert_eq!(flags.contains(&"lo"), protection.locked > 0, "{flags:?}");
    }
}
