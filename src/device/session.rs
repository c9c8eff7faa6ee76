//! Connecting, loss and reconnect (spec mqtt-session.md §5, §8; x509-identity.md §3).
//!
//! The states and what leads from one to the next are the table of [`super::states`]; this file
//! holds what the table's actions do.

use std::collections::HashSet;
use std::sync::Arc;

use super::attempt::{Attempt, AttemptError, Progress};
use super::client::{Client, Core, WAIT_SLICE_MS};
use super::config::{CallbackScope, ClientEvent};
use super::dispatch::Scratch;
use super::requests::Request;
use super::states::{CONNECTION, Happening, Phase, Reaction};
use super::stats::CountedLink;
use crate::hal::seam;
use crate::state;
use crate::transport::Link;

/// Tries to open the network connection in the first connect, and the pause between them.
const NETWORK_TRIES: u32 = 3;
const NETWORK_PAUSE_MS: u32 = 1_000;
/// No further try of the first connect starts after this time.
const CONNECT_BUDGET_MS: u64 = 20_000;
/// CONNECT packets of the first connect when the server stays silent, and the pause between.
const CONNECT_ROUNDS: u32 = 2;
const CONNECT_PAUSE_MS: u32 = 2_000;
/// How long the first connect waits for the identity of an X.509 device.
pub(super) const IDENTITY_WAIT_MS: u64 = 4_500;

impl Core {
    /// Changes the phase as the table says, and tells what is to be done.
    pub(super) fn on(&mut self, happening: Happening) -> Reaction {
        match CONNECTION.row(self.phase, happening) {
            Some(row) => {
                if row.next != self.phase {
                    log::debug!(
                        "connection: {:?}, {happening:?}: {:?}",
                        self.phase,
                        row.next
                    );
                }
                self.phase = row.next;
                row.action
            }
            // A test shows that the table has no hole.
            None => Reaction::Impossible,
        }
    }

    /// Tells the server what it does not know any more. What still waits for its answer goes out
    /// again under its packet id; the other filters only if the server has no session, under ids
    /// of their own.
    fn subscribe_again(&mut self, session_present: bool) {
        let failed = |filter: &str, code| {
            log::warn!("cannot subscribe {filter} again: {code}");
        };
        let mut under_way = HashSet::new();
        for (pkid, filter, request) in self.requests.in_order() {
            let asked = match request {
                Request::Subscribe { qos, .. } | Request::Renew { qos } => {
                    self.engine.subscribe(pkid, &filter, qos)
                }
                Request::Unsubscribe => self.engine.unsubscribe(pkid, &filter),
            };
            if let Err(code) = asked {
                failed(&filter, code);
            }
            under_way.insert(filter);
        }
        if session_present {
            return;
        }
        for (filter, qos) in self.subscriptions.filters() {
            if under_way.contains(&filter) {
                continue;
            }
            let pkid = self.engine.take_pkid();
            match self.engine.subscribe(pkid, &filter, qos) {
                Ok(()) => self.requests.add(pkid, &filter, Request::Renew { qos }),
                Err(code) => failed(&filter, code),
            }
        }
    }
}

impl Client {
    /// The first connect: connection, CONNECT, wait for the identity if the names are unknown,
    /// version report. Blocks; see the bounds above. Returns the code of the failure.
    pub fn connect(&self) -> Result<(), i32> {
        let started = seam::uptime_ms();
        let Some(_token) = self.reading.take(started, || false) else {
            return Err(state::STATE_USER_INPUT_INVALID);
        };
        let begins = CONNECTION.row(self.phase(), Happening::Start);
        if begins.is_none_or(|row| row.action != Reaction::Dial) {
            return Err(state::STATE_USER_INPUT_INVALID);
        }
        self.restore_stored();
        self.first_attempts(started)?;
        self.wait_for_identity();
        self.not_destroyed()?;
        let elapsed = seam::uptime_ms().saturating_sub(started);
        self.tell(state::STATE_SUCCESS, &format!("connected in {elapsed} ms"));
        self.send_version_report();
        self.mark_constructed();
        self.not_destroyed()
    }

    /// A handler that runs before Construct returns has the handle already, and may destroy it.
    fn not_destroyed(&self) -> Result<(), i32> {
        match self.is_closed() {
            true => Err(state::STATE_USER_INPUT_INVALID),
            false => Ok(()),
        }
    }

    fn first_attempts(&self, started: u64) -> Result<(), i32> {
        let mut network_tries = 0;
        let mut rounds = 0;
        loop {
            let error = match self.first_attempt() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let (exhausted, pause) = if error.silent {
                rounds += 1;
                (rounds >= CONNECT_ROUNDS, CONNECT_PAUSE_MS)
            } else {
                network_tries += 1;
                let exhausted = !error.retry || network_tries >= NETWORK_TRIES;
                (exhausted, NETWORK_PAUSE_MS)
            };
            let elapsed = seam::uptime_ms().saturating_sub(started);
            let late = elapsed + u64::from(pause) >= CONNECT_BUDGET_MS;
            if exhausted || late || self.is_closed() {
                self.core().on(Happening::GaveUp);
                return Err(match exhausted && error.silent {
                    true => state::STATE_MQTT_CONN_RETRY_EXCEED_MAX,
                    false => error.code,
                });
            }
            seam::sleep_ms(pause);
        }
    }

    /// One attempt from begin to end.
    fn first_attempt(&self) -> Result<(), AttemptError> {
        let mut outcome = self.begin_attempt(Happening::Start);
        while outcome.is_none() && !self.is_closed() {
            outcome = self.continue_attempt(seam::uptime_ms() + WAIT_SLICE_MS);
        }
        match outcome {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => {
                self.tell(error.code, &error.text);
                Err(error)
            }
            None => Err(AttemptError::destroyed()),
        }
    }

    fn wait_for_identity(&self) {
        let unknown = || {
            let names = self.host.names();
            names.product_key.is_empty() || names.device_name.is_empty()
        };
        if !unknown() {
            return;
        }
        let end = seam::uptime_ms() + IDENTITY_WAIT_MS;
        let mut scratch = Scratch::default();
        while unknown() && self.is_online() && !self.is_closed() {
            if seam::uptime_ms() >= end {
                self.tell(
                    state::STATE_SYS_DEPEND_NWK_TIMEOUT,
                    "no identity from the platform yet; names are empty",
                );
                return;
            }
            self.pass(end, &mut scratch);
        }
    }

    /// Tells of a loss, begins an attempt when it is time, and lets one under way go on until
    /// `end`. The caller holds the reading token.
    pub(super) fn lifecycle(&self, end: u64) {
        let (phase, due) = {
            let core = self.core();
            (core.phase, seam::uptime_ms() >= core.wait_until)
        };
        let outcome = match phase {
            Phase::Lost => {
                self.announce_loss();
                return;
            }
            Phase::Waiting if due && self.is_constructed() => {
                // Before the first connection of a client that was started without Construct.
                self.restore_stored();
                self.begin_attempt(Happening::Due)
            }
            Phase::Dialing | Phase::Greeting if self.is_constructed() => None,
            _ => return,
        };
        match outcome.or_else(|| self.continue_attempt(end)) {
            None => {}
            Some(Ok(session_present)) => self.welcome(session_present),
            Some(Err(error)) => {
                let wait = self.draw_wait();
                self.tell(error.code, &error.text);
                self.tell_failed(&error);
                log::info!("next connect attempt in {wait} ms");
                *self.failure() = Some(error);
            }
        }
    }

    fn tell_failed(&self, error: &AttemptError) {
        let _scope = CallbackScope::enter();
        self.host.attempt_failed(error.code, &error.text);
    }

    fn announce_loss(&self) {
        let reason = {
            let mut core = self.core();
            if core.on(Happening::Pass) != Reaction::Announce {
                return;
            }
            std::mem::take(&mut core.loss)
        };
        let wait = self.draw_wait();
        log::info!("disconnected: {reason}; next connect attempt in {wait} ms");
        let text = format!("disconnected: {reason}");
        self.tell(state::STATE_SYS_DEPEND_NWK_CLOSE, &text);
        self.to_default(ClientEvent::Disconnected);
    }

    /// Sets the time of the next attempt; how far away it is.
    fn draw_wait(&self) -> u64 {
        // The random generator is the port's: it is not called under the lock. The caller holds
        // the reading token, and without a connection nobody else touches the schedule.
        let mut backoff = std::mem::take(&mut self.core().backoff);
        let wait = backoff.next(&self.config.reconnect, seam::random);
        let mut core = self.core();
        core.backoff = backoff;
        core.wait_until = seam::uptime_ms().saturating_add(wait);
        wait
    }

    /// Begins an attempt. `None`: it is under way.
    fn begin_attempt(&self, happening: Happening) -> Option<Result<bool, AttemptError>> {
        if self.core().on(happening) != Reaction::Dial {
            return Some(Err(AttemptError::destroyed()));
        }
        self.stats.attempt();
        match Attempt::begin(self, seam::uptime_ms()) {
            Ok(attempt) => {
                self.keep_attempt(attempt);
                None
            }
            Err(error) => Some(Err(self.attempt_failed(Happening::Failed, error))),
        }
    }

    /// Lets the attempt under way go on until `end`. `None`: it still is.
    fn continue_attempt(&self, end: u64) -> Option<Result<bool, AttemptError>> {
        let mut attempt = self.attempt().take()?;
        let mut progress = attempt.step(self, end);
        if let Progress::Opened(link) = progress {
            let link = Arc::new(CountedLink::new(link, &self.stats));
            progress = match self.core().on(Happening::Opened) {
                Reaction::Greet => Progress::Pending,
                _ => return None,
            };
            if let Err(error) = attempt.greet(self, link) {
                progress = Progress::Failed(error);
            }
        }
        match progress {
            Progress::Pending | Progress::Opened(_) => {
                self.keep_attempt(attempt);
                None
            }
            Progress::Accepted {
                link,
                session_present,
            } => self.go_online(link, session_present),
            Progress::Refused(error) => Some(Err(self.attempt_failed(Happening::Refused, error))),
            Progress::Failed(error) => Some(Err(self.attempt_failed(Happening::Failed, error))),
        }
    }

    /// Puts the attempt back for the next step, unless the client was destroyed or disconnected
    /// meanwhile.
    fn keep_attempt(&self, attempt: Attempt) {
        *self.attempt() = Some(attempt);
        if !matches!(self.core().phase, Phase::Dialing | Phase::Greeting) {
            self.drop_attempt();
        }
    }

    /// Gives up the attempt under way, if there is one.
    pub(super) fn drop_attempt(&self) {
        // Dropping it is a call into the HAL: not under the lock.
        let attempt = self.attempt().take();
        drop(attempt);
    }

    fn attempt_failed(&self, happening: Happening, error: AttemptError) -> AttemptError {
        log::warn!("connect attempt failed: {}", error.text);
        let mut core = self.core();
        core.engine.disconnected();
        core.on(happening);
        error
    }

    fn go_online(
        &self,
        link: Arc<dyn Link>,
        session_present: bool,
    ) -> Option<Result<bool, AttemptError>> {
        link.accepted();
        let mut core = self.core();
        if core.on(Happening::Accepted) != Reaction::Welcome {
            // Destroyed while CONNACK was read.
            core.engine.disconnected();
            return None;
        }
        core.link = Some(link);
        core.epoch += 1;
        core.stuck_since = None;
        core.online_since = seam::uptime_ms();
        self.stats.online();
        // Before another thread can take a packet id that is waited for.
        if self.is_constructed() {
            core.subscribe_again(session_present);
        }
        Some(Ok(session_present))
    }

    fn welcome(&self, session_present: bool) {
        self.tell(state::STATE_SUCCESS, "reconnected");
        self.to_default(ClientEvent::Reconnected { session_present });
    }
}
