//! How long to wait before the next connect attempt (spec mqtt-session.md §8): 1, 2, 4, 8, 16,
//! then 30 seconds, each with up to half of it added at random so that a fleet spreads out.

/// First wait, milliseconds.
const FIRST_MS: u64 = 1_000;
/// Longest wait before jitter, milliseconds.
const MAX_MS: u64 = 30_000;

/// The schedule of one client.
#[derive(Debug)]
pub(super) struct Backoff {
    next_ms: u64,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Backoff { next_ms: FIRST_MS }
    }

    /// The next wait in milliseconds. `random` gives a number below its argument.
    pub(super) fn next(&mut self, random: impl FnOnce(u32) -> u32) -> u64 {
        let base = self.next_ms;
        self.next_ms = (base * 2).min(MAX_MS);
        let span = u32::try_from(base / 2 + 1).unwrap_or(u32::MAX);
        base + u64::from(random(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_ceiling() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..7).map(|_| backoff.next(|_| 0)).collect();
        assert_eq!(waits, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    }

    #[test]
    fn jitter_adds_up_to_half() {
        let mut backoff = Backoff::new();
        assert_eq!(backoff.next(|span| span - 1), 1500);
        assert_eq!(backoff.next(|span| span - 1), 3000);
    }
}
