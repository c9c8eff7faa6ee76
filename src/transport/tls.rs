//! TLS over `HAL_SSL_*`, or directly over our own session when the HAL is ours.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use super::{DialBounds, Dialing, Link, LinkError, Target, proxy, reason};
use crate::hal::diagnostics::{self, Failure, Stage, TlsInfo};
use crate::hal::seam::{self, StreamError};
use crate::hal::tls::{self, Credentials, Opening, Options, ServerName, TlsError, TlsSession};

pub(super) struct TlsLink {
    handle: usize,
    /// Our own session behind the handle; `None` when a port supplies TLS.
    session: Option<Arc<dyn TlsSession>>,
}

/// A TLS connection being set up.
pub(super) enum TlsDialing {
    /// By our own port.
    Own(Box<Opening>),
    /// By one blocking call of the application's.
    Port {
        host: CString,
        port: u16,
        ca_pem: CString,
    },
}

/// Why a port's TLS and a proxy exclude each other.
pub const NO_PROXY: &str = "no proxy with the application's own HAL_SSL_Establish";

impl TlsDialing {
    pub(super) fn start(
        target: &Target,
        ca_pem: &CStr,
        credentials: Option<&Arc<Credentials>>,
        bounds: &DialBounds,
    ) -> Result<Self, Failure> {
        if !seam::tls_is_default() {
            if credentials.is_some_and(|own| !matches!(**own, Credentials::None)) {
                let text = "the application's own HAL_SSL_Establish takes no credentials";
                return Err(Failure::new(Stage::TlsConfig, text));
            }
            if target.proxy.is_some() {
                // It connects by itself, and to the server.
                return Err(Failure::new(Stage::TlsConfig, NO_PROXY));
            }
            return Ok(TlsDialing::Port {
                host: target.host.clone(),
                port: target.port,
                ca_pem: ca_pem.to_owned(),
            });
        }
        let server = ServerName::parse(&target.host.to_string_lossy())
            .map_err(|text| Failure::new(Stage::TlsConfig, text))?;
        let options = Options {
            credentials: match credentials {
                Some(credentials) => Arc::clone(credentials),
                None => Arc::new(Credentials::of_application()?),
            },
            handshake_timeout_ms: bounds.handshake_ms,
            tcp: bounds.tcp(),
            carriers: target
                .proxy
                .as_ref()
                .map(|through| proxy::carriers(target, through, bounds)),
            ..Options::new(server, target.port, ca_pem.to_bytes().to_vec())
        };
        Ok(TlsDialing::Own(Box::new(Opening::new(options)?)))
    }
}

impl Dialing for TlsDialing {
    fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn Link>>, Failure> {
        let link = match self {
            TlsDialing::Own(opening) => {
                let Some(session) = opening.step(wait_ms)? else {
                    return Ok(None);
                };
                TlsLink {
                    handle: tls::handles::insert(Arc::clone(&session)),
                    session: Some(session),
                }
            }
            TlsDialing::Port { host, port, ca_pem } => {
                // A reason left by an earlier call of this thread is not the reason of this one.
                let _ = diagnostics::take();
                TlsLink {
                    handle: seam::ssl_establish(host, *port, Some(ca_pem))
                        .ok_or_else(|| reason(Stage::TlsHandshake, "HAL_SSL_Establish failed"))?,
                    session: None,
                }
            }
        };
        Ok(Some(Arc::new(link)))
    }

    fn stage(&self) -> Stage {
        match self {
            TlsDialing::Own(opening) => opening.stage(),
            TlsDialing::Port { .. } => Stage::TlsHandshake,
        }
    }
}

impl Link for TlsLink {
    fn read(&self, buffer: &mut [u8], wanted: usize, timeout_ms: u32) -> Result<usize, LinkError> {
        match &self.session {
            Some(session) => session.read(buffer, timeout_ms).map_err(map_session),
            None => {
                let wanted = wanted.min(buffer.len());
                // The contract takes no time-out below 1 (spec hal.md §4).
                seam::ssl_read(self.handle, &mut buffer[..wanted], timeout_ms.max(1))
                    .map_err(map_seam)
            }
        }
    }

    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError> {
        match &self.session {
            Some(session) => session.write(bytes, timeout_ms).map_err(map_session),
            None => seam::ssl_write(self.handle, bytes, timeout_ms).map_err(map_seam),
        }
    }

    fn descriptor(&self) -> Option<i32> {
        self.session.as_ref()?.descriptor()
    }

    fn has_unsent(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.has_unsent())
    }

    fn interruptible(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.interruptible())
    }

    fn interrupt(&self) {
        if let Some(session) = &self.session {
            session.interrupt();
        }
    }

    fn tls(&self) -> Option<TlsInfo> {
        self.session.as_ref().map(|session| session.info())
    }

    fn accepted(&self) {
        if let Some(session) = &self.session {
            session.remember();
        }
    }
}

impl Drop for TlsLink {
    fn drop(&mut self) {
        seam::ssl_destroy(self.handle);
    }
}

fn map_session(error: TlsError) -> LinkError {
    match error {
        TlsError::Closed => LinkError::Closed,
        TlsError::Failed(text) => LinkError::Failed(text),
    }
}

fn map_seam(error: StreamError) -> LinkError {
    match error {
        StreamError::PeerClosed => LinkError::Closed,
        StreamError::Failed => LinkError::Failed("TLS connection failed".to_owned()),
    }
}
