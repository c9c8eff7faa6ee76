//! The clock and the dice of the test in place of the library's.

use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use iotx::hal::seam;

static NOW: AtomicU64 = AtomicU64::new(1_000);
static NARROW: AtomicBool = AtomicBool::new(false);
/// What the dice show; the widest value unless a test says otherwise.
static DICE: AtomicU32 = AtomicU32::new(u32::MAX);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The clock is one for the process, so tests take turns.
pub fn clock() -> MutexGuard<'static, ()> {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    set_dice(u32::MAX);
    turn
}

/// Lets time pass.
pub fn advance(ms: u64) {
    NOW.fetch_add(ms, Ordering::SeqCst);
}

/// From now on the clock has 32 bits; it comes to its wrap in `ms`. On the way there it is looked
/// at often enough.
pub fn wrap_in(ms: u64) {
    const STEP: u64 = 1 << 30;
    NARROW.store(true, Ordering::SeqCst);
    loop {
        let left = (1 << 32) - (NOW.load(Ordering::SeqCst) & 0xffff_ffff);
        if left <= STEP {
            advance(left - ms);
            return;
        }
        advance(STEP);
        seam::uptime_ms();
    }
}

/// What random numbers will be, as far as their range allows.
pub fn set_dice(value: u32) {
    DICE.store(value, Ordering::SeqCst);
}

#[unsafe(no_mangle)]
extern "C" fn HAL_UptimeMs() -> u64 {
    let now = NOW.load(Ordering::SeqCst);
    if NARROW.load(Ordering::SeqCst) {
        now & 0xffff_ffff
    } else {
        now
    }
}

#[unsafe(no_mangle)]
extern "C" fn HAL_SleepMs(ms: u32) {
    super::world::slept();
    advance(ms.into());
}

#[unsafe(no_mangle)]
extern "C" fn HAL_Random(region: u32) -> u32 {
    DICE.load(Ordering::SeqCst).min(region.wrapping_sub(1))
}

/// No firmware version, so that the library sends no report of its own.
#[unsafe(no_mangle)]
extern "C" fn HAL_GetFirmwareVersion(_version: *mut c_char) -> c_int {
    0
}
