//! Total deadlines on the clock of the HAL.

use crate::hal::seam;

/// A point in time on `HAL_UptimeMs`.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(u64);

impl Deadline {
    /// `timeout_ms` milliseconds from now. The clock counts whole milliseconds: one more, so that
    /// no wait ends early.
    pub fn after(timeout_ms: u32) -> Self {
        let wait = u64::from(timeout_ms) + u64::from(timeout_ms > 0);
        Deadline(seam::uptime_ms().saturating_add(wait))
    }

    /// The one of the two that comes first.
    pub fn earlier(self, other: Deadline) -> Deadline {
        Deadline(self.0.min(other.0))
    }

    /// Milliseconds left, 0 if it has passed.
    pub fn remaining(self) -> u32 {
        let left = self.0.saturating_sub(seam::uptime_ms());
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Milliseconds left for a HAL call, which takes no time-out below 1 (spec hal.md §4).
    pub fn for_call(self) -> u32 {
        self.remaining().max(1)
    }

    /// Whether no time is left.
    pub fn passed(self) -> bool {
        self.remaining() == 0
    }
}
