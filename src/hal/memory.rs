//! The memory of the library itself: every Rust allocation goes through here (spec hal.md §2).
//!
//! * With the default `HAL_Malloc` and `HAL_Free`, straight to the system's allocator, nothing added.
//! * With a port's, every block comes from the port's `HAL_Malloc`, with a header in front that
//!   remembers where it came from.
//!
//! Rust code has no way to say "no memory" in the middle of a computation. A request that the port
//! refuses is therefore served by the system, and the thread gets a mark; whoever can still undo
//! what it began looks at the mark ([`Watch`]) and returns an error. The process ends only when the
//! system has no memory either.
//!
//! A port's `HAL_Malloc` and `HAL_Free` may call other `HAL_*` functions: what those allocate
//! meanwhile comes from the system, so nothing recurs. They may be called while the library holds
//! locks of its own, and must not call `IOT_*` or `iotx_*`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use super::seam::raw;

/// The allocator of every product of the crate. Not under Miri, which cannot ask the linked port.
#[cfg_attr(not(miri), global_allocator)]
#[cfg_attr(miri, allow(dead_code))]
static LIBRARY: LibraryMemory = LibraryMemory;

/// See the module.
struct LibraryMemory;

/// In front of a block when the port's `HAL_Malloc` is in use.
#[repr(C)]
struct Header {
    /// What the allocator gave; the block proper is aligned and lies behind it.
    base: *mut u8,
    /// Which allocator gave it.
    origin: usize,
}

const FROM_PORT: usize = 0x706f_7274;
const FROM_SYSTEM: usize = 0x7379_7374;

/// Alignment of every block with a header, as C gives it. A port's own may be less.
const MIN_ALIGN: usize = 16;

// The header fits in front of an aligned block without moving it further.
const _: () = assert!(size_of::<Header>() <= MIN_ALIGN);

thread_local! {
    /// Depth of requests that must not reach the port on this thread: see [`apart`].
    static APART: Cell<u32> = const { Cell::new(0) };
    /// The port refused memory to this thread.
    static RAN_OUT: Cell<bool> = const { Cell::new(false) };
    /// Bytes this thread has allocated and not freed.
    static OF_THREAD: Cell<i64> = const { Cell::new(0) };
}

static BLOCKS: AtomicI64 = AtomicI64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Memory of the library in use, whichever allocator gave it. Bytes as asked for, without headers;
/// that of Mbed TLS comes from the C library and is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibraryStats {
    /// Blocks not yet freed.
    pub live_blocks: u64,
    /// Bytes in them.
    pub live_bytes: u64,
    /// The highest value of `live_bytes` so far.
    pub peak_bytes: u64,
    /// Requests that a port's `HAL_Malloc` refused and the system served.
    pub refused: u64,
}

/// The counters as they are now. Any thread.
pub fn stats() -> LibraryStats {
    let positive = |value: i64| u64::try_from(value).unwrap_or(0);
    LibraryStats {
        live_blocks: positive(BLOCKS.load(Ordering::Relaxed)),
        live_bytes: positive(BYTES.load(Ordering::Relaxed)),
        peak_bytes: positive(PEAK.load(Ordering::Relaxed)),
        refused: REFUSED.load(Ordering::Relaxed),
    }
}

/// Bytes that this thread has allocated less those that it has freed. For tests, which run beside each
/// other: counted in builds with debug assertions only, 0 in others.
pub fn bytes_of_thread() -> i64 {
    OF_THREAD.get()
}

/// Whether `HAL_Malloc` and `HAL_Free` are both the default port. The linker has decided; asked once.
fn is_default() -> bool {
    const UNKNOWN: u8 = 0;
    const DEFAULT: u8 = 1;
    const PORT: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    match ANSWER.load(Ordering::Relaxed) {
        DEFAULT => true,
        PORT => false,
        _ => {
            // SAFETY: no preconditions.
            let default = unsafe { raw::iotx_port_memory_is_default() } != 0;
            ANSWER.store(if default { DEFAULT } else { PORT }, Ordering::Relaxed);
            default
        }
    }
}

/// Runs `body` with the system's allocator for what this thread allocates meanwhile, whatever the
/// port defines: for what stays when the client is gone, and for the default port's own handles.
pub fn apart<T>(body: impl FnOnce() -> T) -> T {
    /// Ends with the body, panics included.
    struct Depth;
    impl Drop for Depth {
        fn drop(&mut self) {
            APART.set(APART.get() - 1);
        }
    }
    APART.set(APART.get() + 1);
    let _depth = Depth;
    body()
}

/// Whether the port refused memory to this thread, seen from where a step begins to where it can
/// still be undone. Watches nest: an inner one tells the outer nothing.
#[derive(Debug)]
pub struct Watch {
    outer: bool,
    /// The mark is the thread's.
    _not_send: PhantomData<*const ()>,
}

impl Watch {
    /// Starts looking.
    #[must_use]
    pub fn begin() -> Self {
        Watch {
            outer: RAN_OUT.replace(false),
            _not_send: PhantomData,
        }
    }

    /// Whether memory was refused since.
    pub fn ran_out(&self) -> bool {
        ran_out()
    }
}

/// [`Watch::ran_out`] of the innermost watch of this thread.
pub fn ran_out() -> bool {
    RAN_OUT.get()
}

impl Drop for Watch {
    fn drop(&mut self) {
        RAN_OUT.set(self.outer);
    }
}

fn count_in(block: *mut u8, size: usize) -> *mut u8 {
    if !block.is_null() {
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        grow(size as i64);
    }
    block
}

fn grow(by: i64) {
    of_thread(by);
    let now = BYTES.fetch_add(by, Ordering::Relaxed) + by;
    // A plain look first: the peak changes rarely.
    if now > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(now, Ordering::Relaxed);
    }
}

fn of_thread(by: i64) {
    if cfg!(debug_assertions) {
        OF_THREAD.set(OF_THREAD.get() + by);
    }
}

fn count_out(size: usize) {
    of_thread(-(size as i64));
    BLOCKS.fetch_sub(1, Ordering::Relaxed);
    BYTES.fetch_sub(size as i64, Ordering::Relaxed);
}

/// A block of the port's `HAL_Malloc`; NULL, with the mark, when there is none, and without it while
/// the port must not be asked.
fn ask_port(size: usize) -> *mut u8 {
    if APART.get() > 0 {
        return ptr::null_mut();
    }
    let block: *mut u8 = match u32::try_from(size) {
        // SAFETY: no preconditions.
        Ok(size) => apart(|| unsafe { raw::HAL_Malloc(size) }).cast(),
        Err(_) => ptr::null_mut(),
    };
    if block.is_null() {
        REFUSED.fetch_add(1, Ordering::Relaxed);
        RAN_OUT.set(true);
    }
    block
}

/// A block with a header: from the port, or from the system when the port has none to give.
fn with_header(layout: Layout) -> *mut u8 {
    let align = layout.align().max(MIN_ALIGN);
    let Some(size) = layout.size().checked_add(size_of::<Header>() + (align - 1)) else {
        return ptr::null_mut();
    };
    let (mut base, mut origin) = (ask_port(size), FROM_PORT);
    if base.is_null() {
        // SAFETY: malloc accepts any size.
        (base, origin) = (unsafe { libc::malloc(size) }.cast(), FROM_SYSTEM);
    }
    if base.is_null() {
        return base;
    }
    let offset = (base.addr() + size_of::<Header>()).next_multiple_of(align) - base.addr();
    // SAFETY: at most header and align - 1 bytes in, and the block is as much longer than asked for.
    let block = unsafe { base.add(offset) };
    // SAFETY: the bytes in front of the block belong to it, and it is aligned to a multiple of the
    // header's size.
    unsafe { block.cast::<Header>().sub(1).write(Header { base, origin }) };
    block
}

/// Gives a block of [`with_header`] back to where it came from.
///
/// # Safety
/// `block` is a live block of that function, not used afterwards.
unsafe fn give_back(block: *mut u8) {
    // SAFETY: the caller's promise: a header lies in front.
    let Header { base, origin } = unsafe { block.cast::<Header>().sub(1).read() };
    if origin == FROM_PORT {
        // SAFETY: the header says that HAL_Malloc gave it.
        apart(|| unsafe { raw::HAL_Free(base.cast()) });
    } else {
        // SAFETY: the header says that malloc gave it.
        unsafe { libc::free(base.cast()) };
    }
}

// SAFETY: blocks are as large and aligned as their layout says, and no function unwinds: the C
// functions do not, and the rest is arithmetic. Which way a block goes depends only on `is_default`,
// whose answer never changes.
unsafe impl GlobalAlloc for LibraryMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if is_default() {
            // SAFETY: the caller's promises are the same.
            unsafe { System.alloc(layout) }
        } else {
            with_header(layout)
        };
        count_in(block, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_default() {
            // SAFETY: the caller's promises are the same.
            return count_in(unsafe { System.alloc_zeroed(layout) }, layout.size());
        }
        let block = count_in(with_header(layout), layout.size());
        if !block.is_null() {
            // SAFETY: a new block of this size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_out(layout.size());
        if is_default() {
            // SAFETY: the caller's promises are the same.
            unsafe { System.dealloc(block, layout) };
        } else {
            // SAFETY: a live block of `alloc`, which made it with a header.
            unsafe { give_back(block) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let change = new_size as i64 - layout.size() as i64;
        if is_default() {
            // SAFETY: the caller's promises are the same.
            let moved = unsafe { System.realloc(block, layout, new_size) };
            if !moved.is_null() {
                grow(change);
            }
            return moved;
        }
        if new_size <= layout.size() && new_size >= layout.size() / 2 {
            // Not worth a copy.
            grow(change);
            return block;
        }
        // SAFETY: the caller promises that the new size fits with this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let moved = count_in(with_header(wanted), new_size);
        if !moved.is_null() {
            // SAFETY: two different blocks, each at least this long; the old one is live.
            unsafe {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_with_a_header_are_aligned_and_whole() {
        for align in (0..=12).map(|power| 1_usize << power) {
            for size in [1, 7, 8, 100, 5000] {
                let layout = Layout::from_size_align(size, align).expect("a layout");
                for block in [with_header(layout), apart(|| with_header(layout))] {
                    assert!(!block.is_null());
                    assert_eq!(block.addr() % align.max(MIN_ALIGN), 0);
                    // SAFETY: a new block of this size, given back once.
                    unsafe {
                        block.write_bytes(0xff, size);
                        give_back(block);
                    }
                }
            }
        }
    }

    #[test]
    fn a_request_beyond_32_bits_is_refused_and_marked() {
        let outer = Watch::begin();
        {
            let watch = Watch::begin();
            assert!(ask_port(1 << 32).is_null());
            assert!(watch.ran_out());
        }
        // The inner watch has told nobody else.
        assert!(!outer.ran_out());
        // Nor is there a mark where the port was not asked.
        assert!(apart(|| ask_port(8)).is_null());
        assert!(!outer.ran_out());
    }

    #[test]
    fn what_a_thread_holds_is_counted() {
        let before = bytes_of_thread();
        let mut block = vec![0_u8; 1000];
        assert_eq!(bytes_of_thread() - before, 1000);
        block.truncate(300);
        block.shrink_to_fit();
        assert_eq!(bytes_of_thread() - before, block.capacity() as i64);
        drop(block);
        assert_eq!(bytes_of_thread(), before);
        assert!(stats().peak_bytes >= 1000);
    }

    #[test]
    fn no_layout_overflows() {
        let layout = Layout::from_size_align(isize::MAX as usize - 4095, 4096).expect("a layout");
        assert!(with_header(layout).is_null());
    }
}
