//! What [`super::turn`] stands on. The model checker of `tests/models` compiles `turn.rs` on primitives of its own
//! in place of these.

pub(super) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(super) use crate::hal::exchange::this_thread;
