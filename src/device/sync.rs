//! What [`super::turn`] stands on. The model checker of `tests/models` compiles `turn.rs` on primitives of its own
//! in place of these.

pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A number that no other living thread has: the address of a variable of its own. (The standard
/// library's thread id would allocate for each thread of the application that calls in.)
pub(super) fn this_thread() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}
