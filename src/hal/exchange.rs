//! Whether the answer to what a thread has just sent is worth a moment of looking for.
//!
//! A thread that sleeps until its answer comes is woken by the kernel, which costs both sides more
//! than a near server takes to answer. So after a thread has written and reads next, it looks for
//! up to [`LOOK`] before it sleeps, letting other threads run between the looks. It does so only
//! while answers keep coming that fast: a server farther away costs one such moment per connection,
//! an idle connection none.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long to look before sleeping.
pub const LOOK: Duration = Duration::from_micros(50);

/// What is known of one connection. Any thread.
#[derive(Debug)]
pub struct Exchange {
    /// The thread that wrote last, until it reads; 0 for none.
    writer: AtomicUsize,
    /// The last answer came within [`LOOK`]. Assumed of a new connection.
    quick: AtomicBool,
}

impl Default for Exchange {
    fn default() -> Self {
        Exchange {
            writer: AtomicUsize::new(0),
            quick: AtomicBool::new(true),
        }
    }
}

impl Exchange {
    /// This thread has written.
    pub fn wrote(&self) {
        self.writer.store(this_thread(), Ordering::Relaxed);
    }

    /// This thread begins to read: what it then waits for is an answer if it wrote before.
    pub fn answer(&self) -> Option<Answer<'_>> {
        // One plain load for a thread that only reads.
        let asked = self.writer.load(Ordering::Relaxed) == this_thread();
        asked.then(|| {
            self.writer.store(0, Ordering::Relaxed);
            Answer {
                exchange: self,
                since: None,
            }
        })
    }
}

/// The wait for one answer.
pub struct Answer<'a> {
    exchange: &'a Exchange,
    /// Begins with the first look that found nothing.
    since: Option<Instant>,
}

impl Answer<'_> {
    /// Nothing is there at `now`. Whether to look once more instead of sleeping.
    pub fn look_again(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        self.exchange.quick.load(Ordering::Relaxed) && now.duration_since(since) < LOOK
    }

    /// The wait is over at `now`, with or without an answer.
    pub fn ended(&self, now: Instant) {
        let quick = self
            .since
            .is_none_or(|since| now.duration_since(since) < LOOK);
        self.exchange.quick.store(quick, Ordering::Relaxed);
    }
}

/// A number that no other living thread has: the address of a variable of its own. (The standard
/// library's thread id would allocate for each thread of the application that calls in.)
pub fn this_thread() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One exchange whose answer comes after `wait`; how often the reader looked before sleeping,
    /// at one look per 10 µs.
    fn looks(exchange: &Exchange, wait: Duration) -> u32 {
        exchange.wrote();
        let mut answer = exchange.answer().expect("this thread wrote");
        let start = Instant::now();
        let mut now = start;
        let mut looks = 0;
        while answer.look_again(now) && now < start + wait {
            looks += 1;
            now += Duration::from_micros(10);
        }
        answer.ended(start + wait);
        looks
    }

    #[test]
    fn near_answers_are_looked_for() {
        let exchange = Exchange::default();
        for _ in 0..3 {
            assert_eq!(looks(&exchange, Duration::from_micros(30)), 3);
        }
    }

    #[test]
    fn far_answers_cost_one_look_in_all_until_they_are_near_again() {
        let exchange = Exchange::default();
        let far = Duration::from_millis(20);
        assert_eq!(looks(&exchange, far), 5, "{LOOK:?} at most");
        assert_eq!(looks(&exchange, far), 0);
        assert_eq!(looks(&exchange, Duration::from_micros(30)), 0);
        assert_eq!(looks(&exchange, Duration::from_micros(30)), 3);
    }

    #[test]
    fn who_has_not_written_does_not_look() {
        let exchange = Exchange::default();
        assert!(exchange.answer().is_none());
        exchange.wrote();
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(exchange.answer().is_none()));
        });
        assert!(exchange.answer().is_some());
        assert!(exchange.answer().is_none(), "one answer per question");
    }
}
