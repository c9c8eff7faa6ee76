//! Connecting, loss and reconnect (spec mqtt-session.md §5, §8; x509-identity.md §3).
//!
//! | phase | input | next | told |
//! |---|---|---|---|
//! | Offline | [`Client::connect`] ok | Online | state 0 |
//! | Offline | failed | Offline | one state event per attempt |
//! | Online | link error, protocol error, three pings, publisher's time-out | Lost | – |
//! | Lost | next Yield | Waiting 1 s | state, DISCONNECT event |
//! | Waiting | time reached, attempt ok | Online | state 0, RECONNECT event |
//! | Waiting | attempt failed | Waiting 2, 4, 8, 16, 30, 30 … s | one state event |
//! | any | close | Offline | – |

use std::sync::Arc;

use super::client::{Client, Phase};
use super::config::ClientEvent;
use super::dispatch::Scratch;
use crate::hal::diagnostics::Stage;
use crate::hal::seam;
use crate::mqtt::Event;
use crate::state;
use crate::transport::{self, Link};

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
/// Longest uninterrupted wait for CONNACK.
const CONNACK_SLICE_MS: u64 = 200;

/// Why a connect attempt failed.
struct AttemptError {
    code: i32,
    text: String,
    /// Whether the same attempt could succeed a moment later.
    retry: bool,
    /// Whether the server stayed silent after CONNECT.
    silent: bool,
}

impl AttemptError {
    fn refused(code: i32, text: String) -> Self {
        AttemptError {
            code,
            text,
            retry: false,
            silent: false,
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
        self.first_attempts(started)?;
        self.wait_for_identity();
        let elapsed = seam::uptime_ms().saturating_sub(started);
        self.tell(state::STATE_SUCCESS, &format!("connected in {elapsed} ms"));
        self.send_version_report();
        self.mark_constructed();
        Ok(())
    }

    fn first_attempts(&self, started: u64) -> Result<(), i32> {
        let mut network_tries = 0;
        let mut rounds = 0;
        loop {
            let error = match self.attempt() {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            self.tell(error.code, &error.text);
            let pause = if error.silent {
                rounds += 1;
                if rounds >= CONNECT_ROUNDS {
                    return Err(state::STATE_MQTT_CONN_RETRY_EXCEED_MAX);
                }
                CONNECT_PAUSE_MS
            } else {
                network_tries += 1;
                if !error.retry || network_tries >= NETWORK_TRIES {
                    return Err(error.code);
                }
                NETWORK_PAUSE_MS
            };
            let elapsed = seam::uptime_ms().saturating_sub(started);
            if elapsed + u64::from(pause) >= CONNECT_BUDGET_MS {
                return Err(error.code);
            }
            seam::sleep_ms(pause);
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

    /// Tells of a loss and reconnects when it is time. The caller holds the reading token.
    pub(super) fn lifecycle(&self) {
        let phase = self.core().phase.clone();
        match phase {
            Phase::Lost(reason) => {
                {
                    let mut core = self.core();
                    core.backoff = super::backoff::Backoff::new();
                    let wait = core.backoff.next(seam::random);
                    core.phase = Phase::Waiting(seam::uptime_ms() + wait);
                }
                self.tell(
                    state::STATE_SYS_DEPEND_NWK_CLOSE,
                    &format!("disconnected: {reason}"),
                );
                self.to_default(ClientEvent::Disconnected);
            }
            Phase::Waiting(at) if self.is_constructed() && seam::uptime_ms() >= at => {
                self.reconnect()
            }
            _ => {}
        }
    }

    fn reconnect(&self) {
        match self.attempt() {
            Ok(session_present) => {
                if !session_present {
                    self.resubscribe();
                }
                self.core().backoff = super::backoff::Backoff::new();
                self.tell(state::STATE_SUCCESS, "reconnected");
                self.to_default(ClientEvent::Reconnected);
            }
            Err(error) => {
                let wait = {
                    let mut core = self.core();
                    let wait = core.backoff.next(seam::random);
                    core.phase = Phase::Waiting(seam::uptime_ms() + wait);
                    wait
                };
                self.tell(error.code, &error.text);
                log::info!("next connect attempt in {wait} ms");
            }
        }
    }

    /// The server has no session: every filter that had one is subscribed again.
    fn resubscribe(&self) {
        let mut core = self.core();
        for (filter, qos) in core.subscriptions.filters() {
            let pkid = core.engine.take_pkid();
            if let Err(code) = core.engine.subscribe(pkid, &filter, qos) {
                log::warn!("cannot subscribe {filter} again: {code}");
            }
        }
    }

    /// One connection and one CONNECT. Whether the server kept the session.
    fn attempt(&self) -> Result<bool, AttemptError> {
        let link = transport::connect(&self.config.target).map_err(|failure| {
            let verify = failure.stage == Stage::TlsVerify;
            AttemptError {
                code: if verify {
                    state::ERROR_CERT_VERIFY_FAIL
                } else {
                    state::STATE_SYS_DEPEND_NWK_CLOSE
                },
                text: failure.text,
                retry: !matches!(failure.stage, Stage::TlsVerify | Stage::TlsConfig),
                silent: false,
            }
        })?;
        let connect = {
            let mut core = self.core();
            core.engine.connect(&self.config.login).map_err(|code| {
                AttemptError::refused(code, "CONNECT exceeds the write buffer".to_owned())
            })?
        };
        let deadline = seam::uptime_ms() + self.config.limits.request_timeout_ms;
        let result = self
            .write_connect(&*link, &connect, deadline)
            .and_then(|()| self.await_connack(&*link, deadline))
            .inspect(|_| link.accepted());
        let mut core = self.core();
        match result {
            Ok(session_present) if !self.is_closed() => {
                core.link = Some(Arc::clone(&link));
                core.epoch += 1;
                core.stuck_since = None;
                core.phase = Phase::Online;
                Ok(session_present)
            }
            Ok(_) => {
                core.engine.disconnected();
                Err(AttemptError::refused(
                    state::STATE_USER_INPUT_INVALID,
                    "destroyed".to_owned(),
                ))
            }
            Err(error) => {
                core.engine.disconnected();
                Err(error)
            }
        }
    }

    fn write_connect(
        &self,
        link: &dyn Link,
        packet: &[u8],
        deadline: u64,
    ) -> Result<(), AttemptError> {
        let mut rest = packet;
        while !rest.is_empty() {
            let left = deadline.saturating_sub(seam::uptime_ms());
            let wait = u32::try_from(left).unwrap_or(u32::MAX);
            if wait == 0 {
                return Err(silent());
            }
            match link.write(rest, wait) {
                Ok(written) => rest = &rest[written.min(rest.len())..],
                Err(error) => return Err(broken(&error)),
            }
        }
        Ok(())
    }

    fn await_connack(&self, link: &dyn Link, deadline: u64) -> Result<bool, AttemptError> {
        let mut buffer = vec![0u8; 4096];
        loop {
            let (event, wanted) = {
                let mut core = self.core();
                let event = core.engine.next_event(seam::uptime_ms());
                (event, core.engine.wanted())
            };
            match event {
                Ok(Some(Event::Connected { session_present })) => return Ok(session_present),
                Ok(Some(Event::Refused { code })) => return Err(refusal(code)),
                Ok(_) => {}
                Err(error) => {
                    return Err(AttemptError {
                        code: state::STATE_MQTT_DESERIALIZE_CONNACK_ERROR,
                        text: format!("instead of CONNACK: {error}"),
                        retry: false,
                        silent: false,
                    });
                }
            }
            let now = seam::uptime_ms();
            if now >= deadline || self.is_closed() {
                return Err(silent());
            }
            let wait = u32::try_from((deadline - now).min(CONNACK_SLICE_MS)).unwrap_or(1);
            match link.read(&mut buffer, wanted, wait.max(1)) {
                Ok(count) => self
                    .core()
                    .engine
                    .receive(&buffer[..count.min(buffer.len())]),
                Err(error) => return Err(broken(&error)),
            }
        }
    }
}

fn silent() -> AttemptError {
    AttemptError {
        code: state::STATE_SYS_DEPEND_NWK_TIMEOUT,
        text: "no CONNACK within the request time-out".to_owned(),
        retry: true,
        silent: true,
    }
}

fn broken(error: &transport::LinkError) -> AttemptError {
    AttemptError {
        code: state::STATE_SYS_DEPEND_NWK_CLOSE,
        text: format!("before CONNACK: {error}"),
        retry: true,
        silent: false,
    }
}

fn refusal(code: u8) -> AttemptError {
    let (state_code, text) = match code {
        1 => (
            state::STATE_MQTT_CONNACK_VERSION_UNACCEPT,
            "protocol version not accepted",
        ),
        2 => (state::STATE_MQTT_CONNACK_IDENT_REJECT, "client id rejected"),
        3 => (state::STATE_MQTT_CONNACK_SERVICE_NA, "server unavailable"),
        4 => (
            state::STATE_MQTT_CONNACK_BAD_USERDATA,
            "bad user name or password",
        ),
        5 => (state::STATE_MQTT_CONNACK_NOT_AUTHORIZED, "not authorized"),
        _ => (state::STATE_MQTT_CONNACK_UNKNOWN_ERROR, "unknown reason"),
    };
    AttemptError::refused(state_code, format!("CONNACK {code}: {text}"))
}
