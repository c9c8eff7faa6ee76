//! Blocks handed to the application, and the counters `IOT_DumpMemoryStats` prints.
//!
//! A block that the application frees itself with `HAL_Free` leaves the library's sight, so the
//! counters tell what was handed over and what came back, not what the application still holds.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{cstr, log, registry};
use crate::hal::{memory, os};

unsafe extern "C" {
    fn HAL_Malloc(size: u32) -> *mut c_void;
    fn HAL_Free(block: *mut c_void);
}

static OUT_BLOCKS: AtomicU64 = AtomicU64::new(0);
static OUT_BYTES: AtomicU64 = AtomicU64::new(0);
static BACK_BLOCKS: AtomicU64 = AtomicU64::new(0);

/// Copies `text` with a NUL into a `HAL_Malloc` block for the application, which frees it with
/// `HAL_Free`. NULL when memory is short or the text is 4 GiB and more.
pub fn hand_over(text: &[u8]) -> *mut c_char {
    let Some(size) = text
        .len()
        .checked_add(1)
        .and_then(|size| u32::try_from(size).ok())
    else {
        return std::ptr::null_mut();
    };
    // SAFETY: HAL_Malloc has no preconditions.
    let block: *mut c_char = unsafe { HAL_Malloc(size) }.cast();
    if !block.is_null() {
        // SAFETY: the new block has room for the text and its NUL.
        unsafe { cstr::write_terminated(text, block) };
        OUT_BLOCKS.fetch_add(1, Ordering::Relaxed);
        OUT_BYTES.fetch_add(u64::from(size), Ordering::Relaxed);
    }
    block
}

/// Frees a block the application gave to the library, e.g. the answer of a service callback. NULL is
/// harmless.
///
/// # Safety
/// `block` is NULL or a block of `HAL_Malloc` nobody uses any more.
pub unsafe fn take_back(block: *mut c_char) {
    if !block.is_null() {
        BACK_BLOCKS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller promises a live block of HAL_Malloc.
        unsafe { HAL_Free(block.cast()) };
    }
}

/// Prints the counters, one per line, if `level` is printed now.
pub(super) fn dump(level: u32) {
    let current = log::level();
    if current == 0 || level.min(log::MAX_LEVEL) > current {
        return;
    }
    let line = |name: &str, value: u64| {
        log::print_line(format_args!("[info] memory: {name}: {value}"));
    };
    line(
        "blocks handed to the application",
        OUT_BLOCKS.load(Ordering::Relaxed),
    );
    line(
        "bytes handed to the application",
        OUT_BYTES.load(Ordering::Relaxed),
    );
    line("blocks taken back", BACK_BLOCKS.load(Ordering::Relaxed));
    line("registered callbacks", registry::registered() as u64);
    // What the default HAL_Malloc gave out; all 0 with an allocator of the application's own.
    let heap = os::memory_stats();
    line("blocks of HAL_Malloc in use", heap.live_blocks);
    line("bytes of HAL_Malloc in use", heap.live_bytes);
    line("most bytes of HAL_Malloc in use", heap.peak_bytes);
    line("blocks of HAL_Malloc so far", heap.total_blocks);
    // The library's own, whoever gave it.
    let own = memory::stats();
    line("blocks of the library in use", own.live_blocks);
    line("bytes of the library in use", own.live_bytes);
    line("most bytes of the library in use", own.peak_bytes);
    line("requests HAL_Malloc refused the library", own.refused);
}
