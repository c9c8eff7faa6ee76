//! Driving a client without `Yield`: started and stopped at will, blocking or from an event loop.

use std::sync::atomic::Ordering;

use super::client::{Client, WAIT_SLICE_MS, give_up};
use super::config::in_callback;
use super::dispatch::Scratch;
use super::states::{Happening, Phase, Reaction};
use crate::hal::seam;
use crate::state;

/// How long [`Client::process`] goes on handling what has arrived, milliseconds.
const PROCESS_MS: u64 = 10;
/// How often a connection without a descriptor is looked at, milliseconds.
const NO_DESCRIPTOR_MS: u64 = 20;
/// How often an attempt under way goes on, milliseconds.
const ATTEMPT_STEP_MS: u64 = 10;
/// How long a stop tries to get its DISCONNECT packet out, milliseconds.
const DISCONNECT_WRITE_MS: u64 = 1_000;

/// A call that drives the client was made inside a handler: what it waits for is read by this very
/// thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InCallback;

impl Client {
    /// Begins to connect, and from then on connects again whenever the connection is lost: the
    /// work is done in [`Client::poll`] and [`Client::process`]. Nothing happens when it was
    /// begun already. Returns at once.
    pub fn start(&self) {
        let mut core = self.core();
        if core.on(Happening::Begin) == Reaction::Arm {
            core.backoff.reset();
            core.wait_until = seam::uptime_ms();
            self.constructed.store(true, Ordering::Release);
        }
    }

    /// Ends the connection with DISCONNECT, or the attempts to get one. Handlers, unacknowledged
    /// messages and counters stay, [`Client::start`] goes on with them.
    ///
    /// Blocks up to 1 s for the packet.
    pub fn stop(&self) {
        self.constructed.store(false, Ordering::Release);
        let online = {
            let mut core = self.core();
            let online = core.phase == Phase::Online;
            if online {
                core.engine.disconnect();
            }
            online
        };
        if online && self.flush(seam::uptime_ms() + DISCONNECT_WRITE_MS).is_err() {
            log::debug!("DISCONNECT could not be sent");
        }
        let link = {
            let mut core = self.core();
            match core.on(Happening::Halt) {
                Reaction::Hang => {
                    core.disconnected();
                    core.link.take()
                }
                _ => None,
            }
        };
        give_up(link);
        self.drop_attempt();
    }

    /// [`Client::start`], and waits up to `timeout_ms` for the connection. After an error the
    /// client is stopped.
    ///
    /// Attempts are repeated within the time, unless another could not fare better: then, and
    /// when time is over, the code of the last one is returned (`STATE_SYS_DEPEND_NWK_TIMEOUT`
    /// if none came to its end).
    pub fn connect_within(&self, timeout_ms: u64) -> Result<Result<(), i32>, InCallback> {
        if in_callback() {
            return Err(InCallback);
        }
        let end = seam::uptime_ms() + timeout_ms;
        self.failure().take();
        self.start();
        let mut scratch = Scratch::default();
        let mut code = state::STATE_SYS_DEPEND_NWK_TIMEOUT;
        loop {
            if let Some(_token) = self
                .reading
                .take(end, || self.is_closed() || self.is_online())
            {
                self.pass(end, &mut scratch);
            }
            if self.is_online() {
                return Ok(Ok(()));
            }
            if self.is_closed() || !self.is_constructed() {
                return Ok(Err(state::STATE_USER_INPUT_INVALID));
            }
            if let Some(failure) = self.failure().take() {
                code = failure.code;
                if !failure.retry {
                    break;
                }
            }
            if seam::uptime_ms() >= end {
                break;
            }
        }
        self.stop();
        Ok(Err(code))
    }

    /// Waits up to `timeout_ms` until something happens that the application is told of, handles
    /// it and returns. Longer only for one connect attempt or a handler. 0 waits for nothing.
    pub fn poll(&self, timeout_ms: u64) -> Result<(), InCallback> {
        if timeout_ms == 0 {
            return self.process();
        }
        if in_callback() {
            return Err(InCallback);
        }
        let end = seam::uptime_ms() + timeout_ms + 1;
        let before = self.told();
        let over = || self.is_closed() || self.told() != before;
        let mut scratch = Scratch::default();
        while !over() && seam::uptime_ms() < end {
            if let Some(_token) = self.reading.take(end, over) {
                self.pass(end, &mut scratch);
            }
        }
        Ok(())
    }

    /// Does what is due and handles what has arrived, without waiting for anything but a connect
    /// attempt that cannot be made in steps. While another thread is inside, that one does it.
    pub fn process(&self) -> Result<(), InCallback> {
        if in_callback() {
            return Err(InCallback);
        }
        let started = seam::uptime_ms();
        let Some(_token) = self.reading.take(started, || true) else {
            return Ok(());
        };
        let mut scratch = Scratch::default();
        let mut more = false;
        loop {
            let before = (self.told(), self.stats.bytes_in());
            if self.core().phase != Phase::Online {
                // One step of what is due; without a connection there is nothing else.
                self.lifecycle(seam::uptime_ms());
            }
            if self.is_closed() || self.core().phase != Phase::Online {
                break;
            }
            let now = seam::uptime_ms();
            self.pass(now, &mut scratch);
            if before == (self.told(), self.stats.bytes_in()) {
                break;
            }
            if now.saturating_sub(started) >= PROCESS_MS {
                more = true;
                break;
            }
        }
        self.unfinished.store(more, Ordering::Release);
        Ok(())
    }

    /// The descriptor to wait on; `None` while there is none, or when a port of the
    /// application's own has it.
    pub fn descriptor(&self) -> Option<i32> {
        self.core().link.as_ref()?.descriptor()
    }

    /// Whether bytes wait for the descriptor to become writable.
    pub fn wants_write(&self) -> bool {
        let core = self.core();
        let unsent = core.link.as_ref().is_some_and(|link| link.has_unsent());
        unsent || (core.link.is_some() && core.engine.has_output())
    }

    /// When [`Client::process`] must be called at the latest, in milliseconds from now; `None` if
    /// nothing is due.
    pub fn next_timeout_ms(&self) -> Option<u64> {
        let core = self.core();
        let now = seam::uptime_ms();
        let due = match core.phase {
            Phase::Offline | Phase::Closed => return None,
            Phase::Lost => now,
            Phase::Waiting => core.wait_until,
            Phase::Dialing | Phase::Greeting => now + ATTEMPT_STEP_MS,
            Phase::Online if self.unfinished.load(Ordering::Acquire) => now,
            Phase::Online => {
                let timer = core.engine.next_timer_at().unwrap_or(now + WAIT_SLICE_MS);
                match core.link.as_ref().and_then(|link| link.descriptor()) {
                    Some(_) => timer,
                    None => timer.min(now + NO_DESCRIPTOR_MS),
                }
            }
        };
        Some(due.saturating_sub(now))
    }
}
