//! Plain TCP over `HAL_TCP_*`.

use super::{Link, LinkError, Target, reason};
use crate::hal::diagnostics::{Failure, Stage, TlsInfo};
use crate::hal::seam::{self, StreamError};

pub(super) struct TcpLink {
    handle: usize,
    fast: bool,
}

impl TcpLink {
    pub(super) fn open(target: &Target) -> Result<Self, Failure> {
        let handle = seam::tcp_establish(&target.host, target.port)
            .ok_or_else(|| reason(Stage::Connect, "HAL_TCP_Establish failed"))?;
        Ok(TcpLink {
            handle,
            fast: seam::tcp_is_default(),
        })
    }
}

impl Link for TcpLink {
    fn read(&self, buffer: &mut [u8], wanted: usize, timeout_ms: u32) -> Result<usize, LinkError> {
        let read = if self.fast {
            seam::tcp_read_available(self.handle, buffer, timeout_ms)
        } else {
            let wanted = wanted.min(buffer.len());
            seam::tcp_read(self.handle, &mut buffer[..wanted], timeout_ms)
        };
        read.map_err(|error| map("read", error))
    }

    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError> {
        seam::tcp_write(self.handle, bytes, timeout_ms).map_err(|error| map("write", error))
    }

    fn tls(&self) -> Option<TlsInfo> {
        None
    }
}

impl Drop for TcpLink {
    fn drop(&mut self) {
        seam::tcp_destroy(self.handle);
    }
}

fn map(what: &str, error: StreamError) -> LinkError {
    match error {
        StreamError::PeerClosed => LinkError::Closed,
        StreamError::Failed => LinkError::Failed(format!("TCP {what} failed")),
    }
}
