//! Why a HAL call failed, for the caller above the C signatures.
//!
//! `HAL_SSL_Establish` can only answer 0 and `HAL_TCP_Establish` only -1. Our default port leaves
//! the reason here, per thread, and the transport takes it right after the call. A port that
//! overrides the HAL leaves nothing, and the transport falls back to a general text.

use std::cell::RefCell;
use std::fmt;

/// The step of connection set-up or use in which a failure happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Name resolution.
    Resolve,
    /// TCP connection set-up.
    Connect,
    /// TLS handshake, without certificate verification.
    TlsHandshake,
    /// Verification of the server certificate (chain, dates, host name).
    TlsVerify,
    /// Loading of local TLS material: CA bundle, client certificate, client key, randomness.
    TlsConfig,
    /// Getting through a proxy.
    Proxy,
    /// A proxy that says no, and would say so again.
    ProxyRefused,
    /// Handshake of WebSocket.
    WebSocket,
    /// A server that does not speak MQTT over WebSocket here, and will not a moment later.
    WebSocketRefused,
    /// Traffic on an established connection.
    Traffic,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "resolve",
            Stage::Connect => "connect",
            Stage::TlsHandshake => "TLS handshake",
            Stage::TlsVerify => "TLS verification",
            Stage::TlsConfig => "TLS configuration",
            Stage::Proxy | Stage::ProxyRefused => "proxy",
            Stage::WebSocket | Stage::WebSocketRefused => "WebSocket handshake",
            Stage::Traffic => "traffic",
        })
    }
}

/// One failure: where, and a clear English text without secrets.
///
/// The text starts with the reason, since a state event carries at most 63 characters of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The step that failed.
    pub stage: Stage,
    /// One sentence, reason first, no secrets.
    pub text: String,
}

impl Failure {
    /// A failure in `stage` with `text`.
    pub fn new(stage: Stage, text: impl Into<String>) -> Self {
        Failure {
            stage,
            text: text.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage, self.text)
    }
}

/// What a successful TLS handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// Protocol version, e.g. `TLSv1.2`.
    pub version: String,
    /// Cipher suite in its IANA spelling, e.g. `TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256`.
    pub suite: String,
    /// The host name the certificate was verified against.
    pub server_name: String,
    /// The device's clock is not set, and [`super::tls::ClockPolicy::UntilClockSet`] let the
    /// certificate's dates pass unchecked.
    pub dates_ignored: bool,
    /// An earlier session was resumed: what it had verified holds for this one.
    pub resumed: bool,
}

thread_local! {
    static LAST: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// Remembers why the HAL call under way on this thread fails, and logs it.
pub fn record(failure: Failure) {
    log::warn!("{failure}");
    LAST.with(|last| *last.borrow_mut() = Some(failure));
}

/// Takes the reason of the last failed HAL call of this thread, if our port left one.
pub fn take() -> Option<Failure> {
    LAST.with(|last| last.borrow_mut().take())
}
