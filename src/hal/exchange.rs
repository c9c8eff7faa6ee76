//! When a reader sleeps: whether a near answer is worth a moment of looking for, and whether a
//! stream of messages is worth a moment of gathering.
//!
//! A thread that sleeps until its answer comes is woken by the kernel, which costs both sides more
//! than a near server takes to answer. So after a thread has written and reads next, it looks for
//! up to [`LOOK`] before it sleeps, letting other threads run between the looks. It does so only
//! while answers keep coming that fast: a server farther away costs one such moment per connection,
//! an idle connection none.
//!
//! The other way round, when messages come one after the other faster than they can be waited for one
//! by one, each of them would wake the reader, at the expense of the sender as well. Then the reader
//! rests for [`GATHER`] and takes what has come meanwhile in one call, as network cards do with
//! their interrupts. It goes on only while that brings more than single reads did; a conversation, where each
//! message waits for the one before, is never that fast.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long to look before sleeping.
pub const LOOK: Duration = Duration::from_micros(50);

/// How long a reader lets messages gather. The system's timer adds about half as much again.
pub const GATHER: Duration = Duration::from_micros(100);
/// Reads that must follow each other within [`CLOSE`] before anything is gathered.
const STREAM: u32 = 32;
/// Distance of two reads of a stream.
const CLOSE: Duration = Duration::from_micros(20);
/// What gathering must bring, as a multiple of a single read.
const WORTH: usize = 3;

/// What is known of one connection. Any thread.
#[derive(Debug)]
pub struct Exchange {
    /// The thread that wrote last, until it reads; 0 for none.
    writer: AtomicUsize,
    /// The last answer came within [`LOOK`]. Assumed of a new connection.
    quick: AtomicBool,
    /// Reads so far that followed each other closely.
    close: AtomicU32,
    /// When the last read brought something, nanoseconds since the process began to count.
    last_at: AtomicU64,
    /// Bytes of the last read before gathering began.
    single: AtomicUsize,
    /// The last wait ended without data.
    idle: AtomicBool,
}

impl Default for Exchange {
    fn default() -> Self {
        Exchange {
            writer: AtomicUsize::new(0),
            quick: AtomicBool::new(true),
            close: AtomicU32::new(0),
            last_at: AtomicU64::new(0),
            single: AtomicUsize::new(0),
            idle: AtomicBool::new(false),
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

impl Exchange {
    /// Whether to let data gather before the next read.
    pub fn gathers(&self) -> bool {
        self.close.load(Ordering::Relaxed) >= STREAM
    }

    /// Whether the last wait ended without data. The next one then begins with the wait instead
    /// of a look: on an idle connection that halves the system calls.
    pub fn idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed)
    }

    /// A wait ended, with data or without.
    pub fn waited(&self, idle: bool) {
        // Only written when it changes: the cache line stays with the reader.
        if self.idle() != idle {
            self.idle.store(idle, Ordering::Relaxed);
        }
    }

    /// A read brought `bytes` at `now` into a buffer of `room`; `gathered` as [`Exchange::gathers`]
    /// said before it.
    pub fn arrived(&self, now: Instant, bytes: usize, room: usize, gathered: bool) {
        let at = nanoseconds(now);
        let distance = at.saturating_sub(self.last_at.swap(at, Ordering::Relaxed));
        let goes_on = if gathered {
            bytes >= WORTH * self.single.load(Ordering::Relaxed)
        } else {
            self.single.store(bytes, Ordering::Relaxed);
            // What fills half of the buffer needs no gathering.
            u128::from(distance) < CLOSE.as_nanos() && bytes < room / 2
        };
        if !goes_on {
            self.close.store(0, Ordering::Relaxed);
        } else if !gathered {
            self.close.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn nanoseconds(at: Instant) -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let begin = BEGIN.get_or_init(Instant::now);
    u64::try_from(at.saturating_duration_since(*begin).as_nanos()).unwrap_or(u64::MAX)
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

    /// Reads of `bytes` each, `distance` apart; which of them gathered.
    fn reads(exchange: &Exchange, count: usize, bytes: usize, distance: Duration) -> usize {
        let mut now = Instant::now();
        let mut gathered = 0;
        for _ in 0..count {
            now += distance;
            let gathers = exchange.gathers();
            gathered += usize::from(gathers);
            // While it rests more comes, if there is more.
            let bytes = if gathers && distance < CLOSE {
                12 * bytes
            } else {
                bytes
            };
            exchange.arrived(now, bytes, 16_384, gathers);
        }
        gathered
    }

    #[test]
    fn a_stream_is_gathered_and_nothing_else_is() {
        let close = Duration::from_micros(8);
        let gathered = reads(&Exchange::default(), 100, 80, close);
        // The first read has none before it to be close to.
        assert!((66..=68).contains(&gathered), "{gathered}");
        // A conversation, at whatever pace one can be held.
        assert_eq!(
            reads(&Exchange::default(), 1000, 80, Duration::from_micros(25)),
            0
        );
        // Large reads have gathered by themselves.
        assert_eq!(reads(&Exchange::default(), 1000, 12_000, close), 0);
        // A stream that ends: one read that was not worth the rest, then none.
        let exchange = Exchange::default();
        assert!(reads(&exchange, 100, 80, close) > 0);
        assert_eq!(reads(&exchange, 100, 80, Duration::from_millis(1)), 1);
    }
}
