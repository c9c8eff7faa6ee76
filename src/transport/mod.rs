//! One byte stream with deadlines, spoken over the HAL.
//!
//! A [`Link`] is what the session reads from and writes to. Which one it gets depends on the
//! target and on whose HAL is linked: when the HAL is our own, the *fast path* takes whatever has
//! arrived in one call; when the application overrides it, the *contract path* asks `HAL_*_Read`
//! for exactly the bytes that the packet under way needs, since a port may wait for all of them.
//! In the same way a connection is set up by a [`Dialing`]: on the fast path it advances step by
//! step, on the contract path one step is the one call that a port has for it.

pub mod authority;
pub mod http;
pub mod proxy;
mod tcp;
mod tls;
pub mod websocket;

use std::ffi::CString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::hal::diagnostics::{Failure, Stage, TlsInfo};
use crate::hal::tcp::Limits;
use crate::hal::tls::{Credentials, DEFAULT_HANDSHAKE_TIMEOUT_MS};

/// How the stream is protected.
#[derive(Clone)]
pub enum Security {
    /// Plain TCP.
    Tcp,
    /// TLS against the CA certificates in this PEM text.
    Tls {
        /// One or several certificates.
        ca_pem: CString,
        /// How this client signs in; `None` for `g_cli_crt` and `g_cli_key` of the process. Only
        /// our own TLS port can do it.
        credentials: Option<Arc<Credentials>>,
    },
}

pub use proxy::Proxy;
pub use tls::NO_PROXY;
pub use websocket::handshake::WebSocket;

/// Where to connect, and how to get there.
#[derive(Clone)]
pub struct Target {
    /// Host name or IP literal.
    pub host: CString,
    /// TCP port.
    pub port: u16,
    /// TLS or not.
    pub security: Security,
    /// WebSocket on top of it; `None`: MQTT itself.
    pub websocket: Option<WebSocket>,
    /// A proxy to go through; `None`: straight on.
    pub proxy: Option<Arc<Proxy>>,
}

impl Target {
    /// MQTT itself, straight on.
    pub fn new(host: CString, port: u16, security: Security) -> Self {
        Target {
            host,
            port,
            security,
            websocket: None,
            proxy: None,
        }
    }
}

/// Why a link failed. All variants mean that the connection is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// The peer closed the connection.
    Closed,
    /// It failed, with a clear text.
    Failed(String),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Closed => f.write_str("connection closed by the server"),
            LinkError::Failed(text) => f.write_str(text),
        }
    }
}

/// An established connection: one reader and one writer at a time, in different threads or not.
///
/// Dropping the last reference destroys the HAL handle, so it is never destroyed under a reader.
pub trait Link: Send + Sync {
    /// Reads what has arrived into `buffer`, waiting up to `timeout_ms` for the first byte (0
    /// looks once; the contract path waits 1 ms then).
    /// `wanted` is the number of bytes the packet under way certainly has (at least 1); the
    /// contract path reads exactly that many at most. `Ok(0)` is a time-out.
    fn read(&self, buffer: &mut [u8], wanted: usize, timeout_ms: u32) -> Result<usize, LinkError>;

    /// Writes from `bytes`, up to `timeout_ms`; how many were written may be fewer than all.
    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError>;

    /// The descriptor to wait on for input; `None` where a port of the application's own has it.
    fn descriptor(&self) -> Option<i32> {
        None
    }

    /// Whether bytes that a write accepted have not reached the network yet.
    fn has_unsent(&self) -> bool {
        false
    }

    /// What TLS agreed on, if known.
    fn tls(&self) -> Option<TlsInfo>;

    /// The server has accepted the device: a TLS session is worth resuming.
    fn accepted(&self) {}

    /// Whether [`Link::interrupt`] works. Where it does not, waits have to be short.
    fn interruptible(&self) -> bool {
        false
    }

    /// Ends the connection under a call of another thread that waits on it: the call fails at once.
    fn interrupt(&self) {}
}

/// Bounds of setting a connection up, milliseconds each. They hold where the HAL is our own; a
/// port's `HAL_TCP_Establish` and `HAL_SSL_Establish` block for as long as they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialBounds {
    /// Name resolution.
    pub resolve_ms: u32,
    /// One address, while another is left to try.
    pub address_ms: u32,
    /// Name resolution and TCP connect, all addresses together.
    pub network_ms: u32,
    /// The answer of a proxy, the TLS handshake, the handshake of WebSocket; each of them.
    pub handshake_ms: u32,
}

impl Default for DialBounds {
    fn default() -> Self {
        DialBounds {
            resolve_ms: 10_000,
            address_ms: 5_000,
            network_ms: 10_000,
            handshake_ms: DEFAULT_HANDSHAKE_TIMEOUT_MS,
        }
    }
}

impl DialBounds {
    fn tcp(&self) -> Limits {
        let duration = |ms: u32| Duration::from_millis(ms.into());
        Limits {
            resolve: duration(self.resolve_ms),
            per_address: duration(self.address_ms),
            total: duration(self.network_ms),
        }
    }
}

/// Where links come from.
pub trait Dialer: Send + Sync {
    /// Begins a connection to `target`. Does not block.
    fn dial(&self, target: &Target, bounds: &DialBounds) -> Result<Box<dyn Dialing>, Failure>;
}

/// A connection being set up. Dropping it gives it up.
pub trait Dialing: Send {
    /// Goes on for at most about `wait_ms`. `Ok(None)`: not there yet, call again; after anything
    /// else it is over.
    ///
    /// One step lasts longer by computing a handshake message, and by a blocking
    /// `HAL_TCP_Establish` or `HAL_SSL_Establish` of the application's own port, which cannot be
    /// interrupted.
    fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn Link>>, Failure>;

    /// What it is at, for the report of an attempt whose time is over.
    fn stage(&self) -> Stage {
        Stage::Connect
    }
}

/// Connections over the HAL: our own step by step, a port's in one call.
pub struct HalDialer;

impl Dialer for HalDialer {
    fn dial(&self, target: &Target, bounds: &DialBounds) -> Result<Box<dyn Dialing>, Failure> {
        let dialing: Box<dyn Dialing> = match (&target.security, &target.proxy) {
            (Security::Tcp, None) => Box::new(tcp::TcpDialing::start(target, bounds)?),
            (Security::Tcp, Some(proxy)) => {
                Box::new(proxy::TunnelDialing::start(target, proxy, bounds)?)
            }
            (
                Security::Tls {
                    ca_pem,
                    credentials,
                },
                _,
            ) => Box::new(tls::TlsDialing::start(
                target,
                ca_pem,
                credentials.as_ref(),
                bounds,
            )?),
        };
        Ok(match &target.websocket {
            None => dialing,
            Some(websocket) => Box::new(websocket::WsDialing::over(
                dialing, websocket, target, bounds,
            )),
        })
    }
}

/// The reason our HAL left, or a general one when a port of the application's own failed.
fn reason(stage: Stage, general: &str) -> Failure {
    crate::hal::diagnostics::take().unwrap_or_else(|| Failure::new(stage, general))
}
