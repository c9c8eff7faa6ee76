//! Makes time that never goes back out of whatever `HAL_UptimeMs` answers.
//!
//! The contract is 64 bits that never go back (spec hal.md §2). Ports on a 32-bit millisecond tick
//! exist all the same, and start again at 0 after 49.7 days; a deadline taken before would then lie
//! 49.7 days ahead. Three rules, from the certain to the merely harmless:
//!
//! - From just below 2^32 to a small number is the wrap of such a tick: time goes on.
//! - Any other step back of more than [`TOLERANCE_MS`] is a clock that was set: time goes on from
//!   the last value, so that no wait becomes longer by the step.
//! - A smaller step back is two threads that met in between: the later value stands.

use std::sync::{Mutex, PoisonError};

/// Steps back up to this are no news; in milliseconds.
const TOLERANCE_MS: u64 = 1000;
/// Where a 32-bit tick starts again.
const WRAP: u64 = 1 << 32;
/// Steps larger than this, within 32 bits, are wraps.
const HALF: u64 = 1 << 31;

/// What is known of the clock.
#[derive(Debug, Default)]
pub struct Extender {
    /// The last value of the port that counted.
    last: u64,
    /// What to add to the port's values.
    offset: u64,
    /// The port's tick has 32 bits: it has wrapped before.
    narrow: bool,
}

impl Extender {
    /// A clock that was never read.
    pub const fn new() -> Self {
        Extender {
            last: 0,
            offset: 0,
            narrow: false,
        }
    }

    /// The time, in milliseconds, for an answer of the port; never less than before.
    pub fn extend(&mut self, answer: u64) -> u64 {
        if answer >= self.last {
            // Read before the wrap by a thread that arrives behind it.
            let stale = self.narrow && answer < WRAP && answer - self.last > HALF;
            if !stale {
                self.last = answer;
            }
        } else {
            let back = self.last - answer;
            if self.last < WRAP && back > HALF {
                self.offset = self.offset.wrapping_add(WRAP);
                self.narrow = true;
                self.last = answer;
            } else if back > TOLERANCE_MS {
                self.offset = self.offset.wrapping_add(back);
                self.last = answer;
            }
        }
        self.last.wrapping_add(self.offset)
    }
}

/// The time for an answer of the port. Any thread; the port is not called under the lock.
pub fn extend(answer: u64) -> u64 {
    static CLOCK: Mutex<Extender> = Mutex::new(Extender::new());
    // Three plain values, consistent at every unlock.
    CLOCK
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST_TICK: u64 = WRAP - 1;

    #[test]
    fn a_clock_of_64_bits_is_left_alone() {
        let mut clock = Extender::new();
        for answer in [0, 1, 1, LAST_TICK, WRAP, WRAP + 5, u64::MAX / 2] {
            assert_eq!(clock.extend(answer), answer);
        }
    }

    #[test]
    fn a_tick_of_32_bits_wraps() {
        let mut clock = Extender::new();
        let mut time = clock.extend(LAST_TICK - 10);
        for round in 1..=3 {
            assert_eq!(clock.extend(5), time + 16, "round {round}");
            assert_eq!(clock.extend(HALF), time + 11 + HALF);
            time = clock.extend(LAST_TICK - 10);
            assert_eq!(time, (round + 1) * WRAP - 11);
        }
    }

    #[test]
    fn an_answer_from_before_the_wrap_comes_late() {
        let mut clock = Extender::new();
        clock.extend(LAST_TICK - 2);
        let time = clock.extend(3);
        assert_eq!(clock.extend(LAST_TICK - 1), time);
        assert_eq!(clock.extend(4), time + 1);
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on() {
        let mut clock = Extender::new();
        let time = clock.extend(10_000_000);
        assert_eq!(clock.extend(5_000_000), time);
        assert_eq!(clock.extend(5_000_100), time + 100);
        // Also in the range beyond 32 bits, however far.
        let time = clock.extend(WRAP * 1000);
        assert_eq!(clock.extend(7), time);
        assert_eq!(clock.extend(8), time + 1);
    }

    #[test]
    fn threads_that_met_in_between_change_nothing() {
        let mut clock = Extender::new();
        clock.extend(5000);
        assert_eq!(clock.extend(4999), 5000);
        assert_eq!(clock.extend(5001), 5001);
    }
}
