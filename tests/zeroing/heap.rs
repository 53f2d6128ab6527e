//! An allocator that keeps a copy of every heap block as it was when it was freed, so that a test
//! can look for secrets in what the program left behind.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Room for all that one recording frees; a recording that needs more fails.
const ROOM: usize = 64 << 20;

/// To be set as the global allocator.
pub(crate) struct Recorder;

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(false) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
}

static STORE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static USED: AtomicUsize = AtomicUsize::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

// SAFETY: every call goes to the system allocator; a block is only read before it is freed.
unsafe impl GlobalAlloc for Recorder {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that what an earlier owner left is never taken for this owner's content.
        // SAFETY: the caller's contract is the system allocator's.
        let block = unsafe { System.alloc_zeroed(layout) };
        if WATCHING.get() {
            let at = OWNED.len.fetch_add(1, Ordering::SeqCst);
            OWNED.blocks[at].store(block, Ordering::SeqCst);
            OWNED.sizes[at].store(layout.size(), Ordering::SeqCst);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WATCHING.get() {
            OWNED.forget(block);
        }
        if RECORDING.get() {
            // SAFETY: the block is live until the next line and has layout.size() bytes, all of
            // them initialised since alloc() zeroes.
            unsafe { record(block, layout.size()) };
        }
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }

    // realloc: the default calls alloc, copies and calls dealloc, so a moved block is seen too.
}

unsafe fn record(block: *const u8, size: usize) {
    let at = USED.fetch_add(size, Ordering::SeqCst);
    assert!(at + size <= ROOM, "the recording outgrew its room");
    // SAFETY: STORE has ROOM bytes, and [at, at + size) was given to this call alone.
    unsafe { std::ptr::copy_nonoverlapping(block, STORE.load(Ordering::SeqCst).add(at), size) };
}

/// Runs `work` and returns its result with all the bytes that were freed meanwhile by this
/// thread.
pub(crate) fn freed_during<T>(work: impl FnOnce() -> T) -> (T, Freed) {
    let _guard = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if STORE.load(Ordering::SeqCst).is_null() {
        // SAFETY: the layout has a size; the block is kept for the life of the process.
        let store = unsafe { System.alloc(Layout::from_size_align(ROOM, 64).unwrap()) };
        assert!(!store.is_null());
        STORE.store(store, Ordering::SeqCst);
    }
    USED.store(0, Ordering::SeqCst);
    RECORDING.set(true);
    let result = work();
    RECORDING.set(false);
    let used = USED.load(Ordering::SeqCst);
    // SAFETY: record() has written the first `used` bytes, and nobody writes now.
    let freed = unsafe { std::slice::from_raw_parts(STORE.load(Ordering::SeqCst), used) };
    (result, Freed(freed.to_vec()))
}

/// Runs `make` and returns its result with a copy of each heap block that this thread has allocated
/// for it and not freed.
pub(crate) fn heap_of<T>(make: impl FnOnce() -> T) -> (T, Vec<Vec<u8>>) {
    let _guard = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    OWNED.len.store(0, Ordering::SeqCst);
    WATCHING.set(true);
    let result = make();
    WATCHING.set(false);
    let copies = (0..OWNED.len.load(Ordering::SeqCst)).filter_map(|i| {
        let block = OWNED.blocks[i].load(Ordering::SeqCst);
        let size = OWNED.sizes[i].load(Ordering::SeqCst);
        // SAFETY: a block that was not freed is live, since `result` is, and was zeroed by alloc().
        (!block.is_null()).then(|| unsafe { std::slice::from_raw_parts(block, size) }.to_vec())
    });
    let copies = copies.collect();
    (result, copies)
}

/// Runs `make` on a thread of its own, and lets the thread end: a copy of each heap block that was
/// allocated for it and not freed until then, and all that was freed at the end.
pub(crate) fn heap_of_thread(make: impl FnOnce() + Send) -> (Vec<Vec<u8>>, Freed) {
    let (made, is_made) = std::sync::mpsc::channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            made.send(heap_of(make).1).unwrap();
            ends.recv().unwrap();
            // Not turned off: last come the destructors of what is local to the thread.
            RECORDING.set(true);
        });
        let blocks = is_made.recv().unwrap();
        let (_, freed) = freed_during(|| {
            end.send(()).unwrap();
            thread.join().unwrap();
        });
        (blocks, freed)
    })
}

/// Most blocks that one call of [`heap_of`] allocates.
const OWNED_BLOCKS: usize = 4096;

/// The heap blocks of one call of [`heap_of`], null where freed.
struct Owned {
    len: AtomicUsize,
    blocks: [AtomicPtr<u8>; OWNED_BLOCKS],
    sizes: [AtomicUsize; OWNED_BLOCKS],
}

static OWNED: Owned = Owned {
    len: AtomicUsize::new(0),
    blocks: [const { AtomicPtr::new(std::ptr::null_mut()) }; OWNED_BLOCKS],
    sizes: [const { AtomicUsize::new(0) }; OWNED_BLOCKS],
};

impl Owned {
    fn forget(&self, block: *mut u8) {
        for owned in &self.blocks[..self.len.load(Ordering::SeqCst)] {
            let null = std::ptr::null_mut();
            let _ = owned.compare_exchange(block, null, Ordering::SeqCst, Ordering::SeqCst);
        }
    }
}

/// What was freed during a recording, one block after the other.
pub(crate) struct Freed(pub(crate) Vec<u8>);

impl Freed {
    /// Fails if eight bytes in a row of `secret` are among the freed ones.
    pub(crate) fn assert_without(&self, what: &str, secret: &[u8]) {
        assert!(
            !self.holds_part_of(secret),
            "{what}: found in memory that was freed"
        );
    }

    /// Whether eight bytes in a row of `secret` are among the freed ones.
    pub(crate) fn holds_part_of(&self, secret: &[u8]) -> bool {
        assert!(secret.len() >= 8, "too short to be told from chance");
        // Aligned windows first would do for integers, but byte strings lie anywhere.
        let windows: std::collections::HashSet<&[u8]> = secret.windows(8).collect();
        assert!(
            windows.iter().all(|w| w.iter().any(|b| *b != w[0])),
            "no secret is constant"
        );
        self.0.windows(8).any(|window| windows.contains(window))
    }
}

/// The bytes of a value where it lies, all of them: also padding and private fields.
pub(crate) fn bytes_of<T>(value: &T) -> Vec<u8> {
    let start = std::ptr::from_ref(value).cast::<u8>();
    // SAFETY: `value` is live and has size_of::<T>() bytes; they are read as raw memory only.
    (0..size_of::<T>())
        .map(|i| unsafe { start.add(i).read_volatile() })
        .collect()
}
