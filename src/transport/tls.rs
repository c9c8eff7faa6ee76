//! TLS over `HAL_SSL_*`, or directly over our own session when the HAL is ours.

use std::ffi::CStr;
use std::sync::Arc;

use super::{Link, LinkError, Target, reason};
use crate::hal::diagnostics::{Failure, Stage, TlsInfo};
use crate::hal::seam::{self, StreamError};
use crate::hal::tls::{self, TlsError, TlsSession};

pub(super) struct TlsLink {
    handle: usize,
    /// Our own session behind the handle; `None` when a port supplies TLS.
    session: Option<Arc<dyn TlsSession>>,
}

impl TlsLink {
    pub(super) fn open(target: &Target, ca_pem: &CStr) -> Result<Self, Failure> {
        let handle = seam::ssl_establish(&target.host, target.port, Some(ca_pem))
            .ok_or_else(|| reason(Stage::TlsHandshake, "HAL_SSL_Establish failed"))?;
        let session = if seam::tls_is_default() {
            tls::lookup(handle)
        } else {
            None
        };
        Ok(TlsLink { handle, session })
    }
}

impl Link for TlsLink {
    fn read(&self, buffer: &mut [u8], wanted: usize, timeout_ms: u32) -> Result<usize, LinkError> {
        match &self.session {
            Some(session) => session.read(buffer, timeout_ms).map_err(map_session),
            None => {
                let wanted = wanted.min(buffer.len());
                seam::ssl_read(self.handle, &mut buffer[..wanted], timeout_ms).map_err(map_seam)
            }
        }
    }

    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError> {
        match &self.session {
            Some(session) => session.write(bytes, timeout_ms).map_err(map_session),
            None => seam::ssl_write(self.handle, bytes, timeout_ms).map_err(map_seam),
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
