//! A token that one thread holds at a time, with a deadline for getting it.
//!
//! It is not a lock around user code: a handler runs while its thread holds the reading token,
//! but no call except another *read* asks for that token, and those give up at their deadline.

use std::time::Duration;

use super::sync::{Condvar, Mutex, MutexGuard, PoisonError, this_thread};
use crate::hal::seam;

#[derive(Default)]
struct State {
    holder: Option<usize>,
    last: Option<usize>,
    waiting: usize,
}

/// Fair between two threads that both take it in a loop: they take turns.
#[derive(Default)]
pub(super) struct Turn {
    state: Mutex<State>,
    freed: Condvar,
}

pub(super) struct Token<'a>(&'a Turn);

impl Turn {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is three plain values, consistent at every unlock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the token, waiting until `deadline` (milliseconds of the HAL's clock). `None` when
    /// time ran out, `stop` became true, or this thread holds it already.
    pub(super) fn take(&self, deadline: u64, stop: impl Fn() -> bool) -> Option<Token<'_>> {
        let me = this_thread();
        let mut state = self.lock();
        let mut counted = false;
        let token = loop {
            if state.holder == Some(me) {
                break None;
            }
            let others = state.waiting - usize::from(counted);
            if state.holder.is_none() && (others == 0 || state.last != Some(me)) {
                state.holder = Some(me);
                break Some(Token(self));
            }
            if stop() {
                break None;
            }
            let now = seam::uptime_ms();
            if now >= deadline {
                break None;
            }
            if !counted {
                state.waiting += 1;
                counted = true;
            }
            // Short slices, since the condition variable runs on the system's clock and the
            // deadline on the HAL's.
            let slice = Duration::from_millis((deadline - now).min(100));
            state = self
                .freed
                .wait_timeout(state, slice)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        };
        if counted {
            state.waiting -= 1;
        }
        token
    }

    /// Wakes threads that wait in [`Turn::take`] so that they look at their `stop` condition.
    pub(super) fn notify(&self) {
        let _state = self.lock();
        self.freed.notify_all();
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.last = state.holder.take();
        // Waking costs a system call even when nobody waits.
        if state.waiting > 0 {
            self.0.freed.notify_all();
        }
    }
}
