//! How long to wait before the next connect attempt.
//!
//! Full jitter: the wait is drawn from the whole window, so that a fleet that lost its server
//! together does not return together. The window doubles with every attempt and starts over only
//! behind a session that lasted: two devices with one identity, which throw each other out, slow
//! down instead of playing ping-pong.

/// The rules of reconnecting, milliseconds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// First window.
    pub first_ms: u32,
    /// Largest window.
    pub ceiling_ms: u32,
    /// Least wait, so that no failure makes the client spin.
    pub floor_ms: u32,
    /// How long a session must have been connected for the window to start over.
    pub stable_ms: u32,
}

impl Default for Reconnect {
    fn default() -> Self {
        Reconnect {
            first_ms: 1_000,
            ceiling_ms: 30_000,
            floor_ms: 100,
            stable_ms: 30_000,
        }
    }
}

/// The schedule of one client.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Doublings so far.
    doublings: u32,
}

impl Backoff {
    /// The next wait in milliseconds. `random` gives a number below its argument, which is not 0.
    pub(super) fn next(&mut self, rules: &Reconnect, random: impl FnOnce(u32) -> u32) -> u64 {
        let factor = 1_u32.checked_shl(self.doublings).unwrap_or(u32::MAX);
        let window = rules.first_ms.saturating_mul(factor).min(rules.ceiling_ms);
        if window < rules.ceiling_ms {
            self.doublings = self.doublings.saturating_add(1);
        }
        let span = window.saturating_sub(rules.floor_ms).saturating_add(1);
        u64::from(rules.floor_ms) + u64::from(random(span))
    }

    /// Begins again with the first window.
    pub(super) fn reset(&mut self) {
        self.doublings = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ends of the windows, in order.
    fn windows(rules: &Reconnect, count: usize) -> Vec<u64> {
        let mut backoff = Backoff::default();
        let widest = |span| span - 1;
        (0..count).map(|_| backoff.next(rules, widest)).collect()
    }

    #[test]
    fn the_window_doubles_to_the_ceiling() {
        let windows = windows(&Reconnect::default(), 8);
        assert_eq!(
            windows,
            [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
        );
    }

    #[test]
    fn the_wait_is_drawn_from_the_whole_window_above_the_floor() {
        let rules = Reconnect::default();
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(&rules, |_| 0), 100);
        let mut asked = 0;
        backoff.next(&rules, |span| {
            asked = span;
            0
        });
        assert_eq!(asked, 1901);
    }

    #[test]
    fn a_reset_begins_again() {
        let rules = Reconnect::default();
        let mut backoff = Backoff::default();
        for _ in 0..40 {
            backoff.next(&rules, |span| span - 1);
        }
        backoff.reset();
        assert_eq!(backoff.next(&rules, |span| span - 1), 1000);
    }

    #[test]
    fn odd_rules_stay_within_bounds() {
        let odd = |first_ms, ceiling_ms, floor_ms| Reconnect {
            first_ms,
            ceiling_ms,
            floor_ms,
            stable_ms: 0,
        };
        assert_eq!(windows(&odd(0, 0, 0), 3), [0, 0, 0]);
        // A floor above the window is the wait.
        assert_eq!(windows(&odd(10, 20, 50), 3), [50, 50, 50]);
        let greatest = u64::from(u32::MAX);
        assert_eq!(windows(&odd(u32::MAX, u32::MAX, 0), 2), [greatest - 1; 2]);
        assert_eq!(windows(&odd(1, u32::MAX, 0), 40)[39], greatest - 1);
    }
}
