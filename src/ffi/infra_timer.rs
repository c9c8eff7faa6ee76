//! The timers of `infra_timer.h`: moments of `HAL_UptimeMs` cut to 32 bits, which wrap every 49 days.
//!
//! A timer counts as expired for half of that range (24.8 days) after its moment, so time-outs longer
//! than that cannot be expressed. NULL is an expired timer and makes the other calls without effect.
//! The shim defines the public names weakly on top of these.
#![allow(non_camel_case_types)]

use super::barrier::guard;
use crate::hal::seam;

/// `iotx_time_t`: a moment in milliseconds.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_time_t {
    /// Low 32 bits of the up-time.
    pub time: u32,
}

/// The low 32 bits of the up-time: wrapping is part of the interface.
fn now() -> u32 {
    seam::uptime_ms() as u32
}

/// # Safety
/// `timer` is NULL or points to an initialised timer.
unsafe fn read(timer: *const iotx_time_t) -> Option<u32> {
    // SAFETY: the caller's promise; NULL becomes None.
    unsafe { timer.as_ref() }.map(|timer| timer.time)
}

/// # Safety
/// `timer` is NULL or points to a writable timer.
unsafe fn write(timer: *mut iotx_time_t, time: u32) {
    if !timer.is_null() {
        // SAFETY: not NULL, and the caller promises it writable.
        unsafe { timer.write(iotx_time_t { time }) };
    }
}

fn expired(time: u32, now: u32) -> bool {
    now.wrapping_sub(time) < u32::MAX / 2
}

/// Sets the timer to now.
///
/// # Safety
/// `timer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_time_start(timer: *mut iotx_time_t) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { write(timer, now()) });
}

/// Milliseconds since the timer's moment; 0 for NULL.
///
/// # Safety
/// `start` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_time_spend(start: *mut iotx_time_t) -> u32 {
    guard(0, || {
        // SAFETY: the caller's promise.
        unsafe { read(start) }.map_or(0, |time| now().wrapping_sub(time))
    })
}

/// Milliseconds until the timer expires; 0 once it has, and for NULL.
///
/// # Safety
/// `end` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_time_left(end: *mut iotx_time_t) -> u32 {
    guard(0, || {
        // SAFETY: the caller's promise.
        let Some(time) = (unsafe { read(end) }) else {
            return 0;
        };
        // One reading of the clock: with two, a timer could expire in between and leave 2^32 ms.
        let now = now();
        if expired(time, now) {
            0
        } else {
            time.wrapping_sub(now)
        }
    })
}

/// 1 if the timer's moment has come, else 0.
///
/// # Safety
/// `timer` is NULL or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_time_is_expired(timer: *mut iotx_time_t) -> u32 {
    guard(1, || {
        // SAFETY: the caller's promise.
        unsafe { read(timer) }.map_or(1, |time| expired(time, now()).into())
    })
}

/// Sets the timer to 0.
///
/// # Safety
/// `timer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_time_init(timer: *mut iotx_time_t) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { write(timer, 0) });
}

/// Lets the timer expire in `millisecond` milliseconds.
///
/// # Safety
/// `timer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_time_countdown_ms(timer: *mut iotx_time_t, millisecond: u32) {
    // SAFETY: the caller's promise.
    guard((), || unsafe {
        write(timer, now().wrapping_add(millisecond))
    });
}

/// The up-time in milliseconds, low 32 bits.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_time_get_ms() -> u32 {
    guard(0, now)
}
