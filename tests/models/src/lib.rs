//! The turns of a client's threads under loom, which tries the orders in which the threads can meet.
//!
//! `turn.rs` is the library's own file, compiled here on loom's primitives. Time stands still: a thread that
//! waits for a wake-up that does not come is a deadlock, which loom reports, although in the library it would
//! look again after 100 ms.

#![cfg(test)]

/// What `turn.rs` finds as the library's primitives.
mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use loom::sync::{Condvar, Mutex, MutexGuard};

    /// A number of the thread's own: loom's threads share one of the system.
    pub(super) fn this_thread() -> usize {
        loom::thread_local! {
            static MARK: Box<u8> = Box::new(0);
        }
        MARK.with(|mark| std::ptr::from_ref(&**mark).addr())
    }
}

/// What `turn.rs` finds as the library's clock.
mod hal {
    pub mod seam {
        /// Always the same time.
        pub fn uptime_ms() -> u64 {
            super::super::NOW
        }
    }
}

#[path = "../../../src/device/turn.rs"]
mod turn;

mod connection;
mod turns;

/// The time, milliseconds.
const NOW: u64 = 1_000;
/// A deadline that does not come.
const NEVER: u64 = 1_000_000;

/// Every order of events with at most this many forced switches: a bug that needs more is rare, and each one
/// more takes many times as long.
fn check(switches: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(model);
}
