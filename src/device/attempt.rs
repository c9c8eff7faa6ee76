//! One connect attempt: network, CONNECT, CONNACK, a step at a time.
//!
//! The attempt is held by the client between passes; whoever holds the reading token takes it out,
//! lets it go on and puts it back. No lock is held while it waits for the network.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::client::{Client, WAIT_SLICE_MS};
use crate::hal::diagnostics::{Failure, Stage};
use crate::hal::seam;
use crate::mqtt::{Event, engine};
use crate::state;
use crate::transport::{Dialing, Link, LinkError};

/// Bytes read at once while CONNACK is awaited.
const READ_CHUNK: usize = 4096;

/// An attempt under way.
pub(super) struct Attempt {
    /// When it began.
    started: u64,
    /// When it is over at the latest.
    deadline: u64,
    stage: AttemptStage,
}

enum AttemptStage {
    Dialing(Box<dyn Dialing>),
    Greeting {
        link: Arc<dyn Link>,
        connect: Zeroizing<Vec<u8>>,
        sent: usize,
        /// End of the request time-out.
        until: u64,
    },
}

/// Why an attempt failed: the code and text of its state event.
pub(super) struct AttemptError {
    pub(super) code: i32,
    /// The stage in one word, a colon, the reason.
    pub(super) text: String,
    /// Whether the same attempt could succeed a moment later.
    pub(super) retry: bool,
    /// Whether the server stayed silent after CONNECT.
    pub(super) silent: bool,
}

/// The stage of a failure in one word, as its event begins.
fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Resolve => "resolve",
        Stage::Connect | Stage::Traffic => "connect",
        Stage::TlsHandshake => "tls",
        Stage::TlsVerify => "verify",
        Stage::TlsConfig => "config",
        Stage::Proxy | Stage::ProxyRefused => "proxy",
        Stage::WebSocket | Stage::WebSocketRefused => "websocket",
    }
}

impl AttemptError {
    fn connack(code: i32, text: &str) -> Self {
        AttemptError {
            code,
            text: format!("connack: {text}"),
            retry: false,
            silent: false,
        }
    }

    /// The client is gone.
    pub(super) fn destroyed() -> Self {
        Self::connack(state::STATE_USER_INPUT_INVALID, "destroyed")
    }

    fn network(failure: &Failure) -> Self {
        AttemptError {
            code: match failure.stage {
                Stage::TlsVerify => state::ERROR_CERT_VERIFY_FAIL,
                _ => state::STATE_SYS_DEPEND_NWK_CLOSE,
            },
            text: format!("{}: {}", word(failure.stage), failure.text),
            retry: !matches!(
                failure.stage,
                Stage::TlsVerify | Stage::TlsConfig | Stage::ProxyRefused | Stage::WebSocketRefused
            ),
            silent: false,
        }
    }

    fn refused(code: u8) -> Self {
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
        Self::connack(state_code, &format!("code {code}, {text}"))
    }

    fn silent() -> Self {
        AttemptError {
            retry: true,
            silent: true,
            ..Self::connack(
                state::STATE_SYS_DEPEND_NWK_TIMEOUT,
                "none within the request time-out",
            )
        }
    }

    fn broken(error: &LinkError) -> Self {
        AttemptError {
            retry: true,
            ..Self::connack(state::STATE_SYS_DEPEND_NWK_CLOSE, &error.to_string())
        }
    }

    fn over(stage: &AttemptStage, bound_ms: u64) -> Self {
        let word = match stage {
            AttemptStage::Dialing(dialing) => word(dialing.stage()),
            AttemptStage::Greeting { .. } => "connack",
        };
        AttemptError {
            code: state::STATE_SYS_DEPEND_NWK_TIMEOUT,
            text: format!("{word}: attempt not over after {bound_ms} ms"),
            retry: true,
            silent: false,
        }
    }
}

/// What one step came to.
pub(super) enum Progress {
    /// Call again.
    Pending,
    /// The link is open; CONNECT comes next.
    Opened(Arc<dyn Link>),
    /// CONNACK 0.
    Accepted {
        link: Arc<dyn Link>,
        session_present: bool,
    },
    /// CONNACK with another code.
    Refused(AttemptError),
    /// Anything else.
    Failed(AttemptError),
}

impl Attempt {
    /// Begins with the network.
    pub(super) fn begin(client: &Client, now: u64) -> Result<Attempt, AttemptError> {
        let config = &client.config;
        let dialing = client
            .dialer
            .dial(&config.target, &config.connect.dial)
            .map_err(|failure| AttemptError::network(&failure))?;
        Ok(Attempt {
            started: now,
            deadline: now.saturating_add(config.connect.attempt_ms),
            stage: AttemptStage::Dialing(dialing),
        })
    }

    /// Goes on with CONNECT on the open link.
    pub(super) fn greet(
        &mut self,
        client: &Client,
        link: Arc<dyn Link>,
    ) -> Result<(), AttemptError> {
        let connect = client
            .core()
            .engine
            .connect(&client.config.login)
            .map_err(|code| AttemptError::connack(code, "CONNECT exceeds the write buffer"))?;
        let now = seam::uptime_ms();
        self.stage = AttemptStage::Greeting {
            link,
            connect,
            sent: 0,
            until: now.saturating_add(client.config.limits.request_timeout_ms),
        };
        Ok(())
    }

    /// Goes on until `end` at the latest, or a little longer by what cannot be interrupted.
    pub(super) fn step(&mut self, client: &Client, end: u64) -> Progress {
        let now = seam::uptime_ms();
        if now >= self.deadline {
            let bound_ms = self.deadline.saturating_sub(self.started);
            return Progress::Failed(AttemptError::over(&self.stage, bound_ms));
        }
        // Slices, so that a client that is destroyed by another thread does not wait long.
        let wait_ms = |until: u64| {
            let left = until.min(end).min(self.deadline).saturating_sub(now);
            u32::try_from(left.min(WAIT_SLICE_MS)).unwrap_or(1).max(1)
        };
        match &mut self.stage {
            AttemptStage::Dialing(dialing) => match dialing.step(wait_ms(u64::MAX)) {
                Ok(Some(link)) => Progress::Opened(link),
                Ok(None) => Progress::Pending,
                Err(failure) => Progress::Failed(AttemptError::network(&failure)),
            },
            AttemptStage::Greeting {
                link,
                connect,
                sent,
                until,
            } => {
                if *sent < connect.len() && now < *until {
                    return match link.write(&connect[*sent..], wait_ms(*until)) {
                        Ok(written) => {
                            *sent += written.min(connect.len() - *sent);
                            Progress::Pending
                        }
                        Err(error) => Progress::Failed(AttemptError::broken(&error)),
                    };
                }
                let until = *until;
                await_connack(client, link, until, now, wait_ms(until))
            }
        }
    }
}

/// Looks for CONNACK in what has arrived, then reads once.
fn await_connack(
    client: &Client,
    link: &Arc<dyn Link>,
    until: u64,
    now: u64,
    wait_ms: u32,
) -> Progress {
    let (found, wanted) = {
        let mut core = client.core();
        let found = next_connack(&mut core.engine, now);
        (found, core.engine.wanted())
    };
    match found {
        Some(Ok(session_present)) => {
            return Progress::Accepted {
                link: Arc::clone(link),
                session_present,
            };
        }
        Some(Err(refused)) => return refused,
        None if now >= until => return Progress::Failed(AttemptError::silent()),
        None => {}
    }
    let mut buffer = vec![0u8; READ_CHUNK];
    match link.read(&mut buffer, wanted, wait_ms) {
        Ok(count) => {
            let count = count.min(buffer.len());
            client.core().engine.receive(&buffer[..count]);
            Progress::Pending
        }
        Err(error) => Progress::Failed(AttemptError::broken(&error)),
    }
}

fn next_connack(engine: &mut engine::Engine, now: u64) -> Option<Result<bool, Progress>> {
    loop {
        return match engine.next_event(now) {
            Ok(Some(Event::Connected { session_present })) => Some(Ok(session_present)),
            Ok(Some(Event::Refused { code })) => {
                Some(Err(Progress::Refused(AttemptError::refused(code))))
            }
            Ok(Some(_)) => continue,
            Ok(None) => None,
            Err(error) => {
                let text = format!("{error} instead");
                Some(Err(Progress::Failed(AttemptError::connack(
                    state::STATE_MQTT_DESERIALIZE_CONNACK_ERROR,
                    &text,
                ))))
            }
        };
    }
}
