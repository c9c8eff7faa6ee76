//! Devices whose clock is not set yet.

use std::sync::atomic::{AtomicU8, Ordering};

/// 2026-11-01 00:00:00 UTC, the date of this release in seconds since 1970. A clock that shows an
/// earlier time cannot be right.
pub const LIBRARY_DATE: i64 = 1_793_491_200;

/// What to do about validity dates while the system clock is obviously wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockPolicy {
    /// Dates are always enforced. A device without a clock cannot connect.
    #[default]
    Strict,
    /// Dates are not enforced while the system clock is before [`LIBRARY_DATE`]. Chain and name
    /// are always checked.
    UntilClockSet,
}

static POLICY: AtomicU8 = AtomicU8::new(0);

/// Sets the policy of all later connections of this process.
pub fn set_clock_policy(policy: ClockPolicy) {
    let value = match policy {
        ClockPolicy::Strict => 0,
        ClockPolicy::UntilClockSet => {
            log::warn!("certificate dates will not be enforced until the clock is set");
            1
        }
    };
    POLICY.store(value, Ordering::Relaxed);
}

/// The policy in force for new connections.
pub fn clock_policy() -> ClockPolicy {
    match POLICY.load(Ordering::Relaxed) {
        1 => ClockPolicy::UntilClockSet,
        _ => ClockPolicy::Strict,
    }
}

/// The system clock, seconds since 1970; `None` while it is obviously wrong.
pub fn wall_clock() -> Option<i64> {
    let now = now();
    (now >= LIBRARY_DATE).then_some(now)
}

fn now() -> i64 {
    // SAFETY: a null argument is allowed and makes time() only return the value.
    let now = unsafe { libc::time(std::ptr::null_mut()) };
    // time_t has 32 bits on some targets.
    #[allow(clippy::useless_conversion)]
    i64::from(now)
}

/// Whether `policy` allows dates to be ignored right now. Asks the same clock as the date check
/// of the TLS library, so that both see the same day.
pub fn dates_may_be_ignored(policy: ClockPolicy) -> bool {
    policy == ClockPolicy::UntilClockSet && now() < LIBRARY_DATE
}
