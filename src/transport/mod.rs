//! One byte stream with deadlines, spoken over the HAL.
//!
//! A [`Link`] is what the session reads from and writes to. Which one it gets depends on the
//! target and on whose HAL is linked: when the HAL is our own, the *fast path* takes whatever has
//! arrived in one call; when the application overrides it, the *contract path* asks `HAL_*_Read`
//! for exactly the bytes that the packet under way needs, since a port may wait for all of them.

mod tcp;
mod tls;

use std::ffi::CString;
use std::fmt;
use std::sync::Arc;

use crate::hal::diagnostics::{Failure, Stage, TlsInfo};

/// How the stream is protected.
#[derive(Clone)]
pub enum Security {
    /// Plain TCP.
    Tcp,
    /// TLS against the CA certificates in this PEM text.
    Tls {
        /// One or several certificates.
        ca_pem: CString,
    },
}

/// Where to connect.
#[derive(Clone)]
pub struct Target {
    /// Host name or IP literal.
    pub host: CString,
    /// TCP port.
    pub port: u16,
    /// TLS or not.
    pub security: Security,
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
    /// Reads what has arrived into `buffer`, waiting up to `timeout_ms` for the first byte.
    /// `wanted` is the number of bytes the packet under way certainly has (at least 1); the
    /// contract path reads exactly that many at most. `Ok(0)` is a time-out.
    fn read(&self, buffer: &mut [u8], wanted: usize, timeout_ms: u32) -> Result<usize, LinkError>;

    /// Writes from `bytes`, up to `timeout_ms`; how many were written may be fewer than all.
    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError>;

    /// What TLS agreed on, if known.
    fn tls(&self) -> Option<TlsInfo>;

    /// The server has accepted the device: a TLS session is worth resuming.
    fn accepted(&self) {}
}

/// Opens a connection. Blocks for name resolution, connect and handshake, each bounded by the
/// HAL (ours: 10 s each).
pub fn connect(target: &Target) -> Result<Arc<dyn Link>, Failure> {
    // A reason left by an earlier call of this thread is not the reason of this one.
    let _ = crate::hal::diagnostics::take();
    match &target.security {
        Security::Tcp => tcp::TcpLink::open(target).map(|link| Arc::new(link) as Arc<dyn Link>),
        Security::Tls { ca_pem } => {
            tls::TlsLink::open(target, ca_pem).map(|link| Arc::new(link) as Arc<dyn Link>)
        }
    }
}

/// The reason our HAL left, or a general one when a port of the application's own failed.
fn reason(stage: Stage, general: &str) -> Failure {
    crate::hal::diagnostics::take().unwrap_or_else(|| Failure::new(stage, general))
}
