//! Plain TCP over `HAL_TCP_*`.

use std::ffi::{CStr, CString};
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::time::Duration;

use super::{DialBounds, Dialing, Link, LinkError, Target, reason};
use crate::hal::diagnostics::{self, Failure, Stage, TlsInfo};
use crate::hal::exchange::Exchange;
use crate::hal::seam::{self, StreamError};
use crate::hal::tcp;

pub(super) struct TcpLink {
    handle: usize,
    fast: bool,
    exchange: Exchange,
}

/// A TCP connection being set up.
pub(super) enum TcpDialing {
    /// By our own port.
    Own(tcp::Connecting),
    /// By one blocking call of the application's.
    Port { host: CString, port: u16 },
}

impl TcpDialing {
    pub(super) fn start(target: &Target, bounds: &DialBounds) -> Result<Self, Failure> {
        Self::to(&target.host, target.port, bounds)
    }

    /// A connection to another host than the target's.
    pub(super) fn to(host: &CStr, port: u16, bounds: &DialBounds) -> Result<Self, Failure> {
        if !seam::tcp_is_default() {
            return Ok(TcpDialing::Port {
                host: host.to_owned(),
                port,
            });
        }
        let host = host.to_string_lossy();
        tcp::Connecting::start(&host, port, &bounds.tcp()).map(TcpDialing::Own)
    }

    /// [`Dialing::step`], for a caller that builds upon the link.
    pub(super) fn advance(&mut self, wait_ms: u32) -> Result<Option<TcpLink>, Failure> {
        Ok(Some(match self {
            TcpDialing::Own(connecting) => {
                let wait = Duration::from_millis(wait_ms.into());
                let Some(socket) = connecting.step(wait)? else {
                    return Ok(None);
                };
                TcpLink {
                    // A descriptor is never negative, so it always converts.
                    handle: usize::try_from(socket.into_raw_fd()).unwrap_or(usize::MAX),
                    fast: true,
                    exchange: Exchange::default(),
                }
            }
            TcpDialing::Port { host, port } => {
                // A reason left by an earlier call of this thread is not the reason of this one.
                let _ = diagnostics::take();
                TcpLink {
                    handle: seam::tcp_establish(host, *port)
                        .ok_or_else(|| reason(Stage::Connect, "HAL_TCP_Establish failed"))?,
                    fast: false,
                    exchange: Exchange::default(),
                }
            }
        }))
    }
}

impl Dialing for TcpDialing {
    fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn Link>>, Failure> {
        let link = self.advance(wait_ms)?;
        Ok(link.map(|link| Arc::new(link) as Arc<dyn Link>))
    }

    fn stage(&self) -> Stage {
        match self {
            TcpDialing::Own(connecting) => connecting.stage(),
            TcpDialing::Port { .. } => Stage::Connect,
        }
    }
}

impl TcpLink {
    /// Gives the handle of `HAL_TCP_*` away instead of destroying it.
    pub(super) fn into_handle(self) -> usize {
        // It has nothing else to give up.
        std::mem::ManuallyDrop::new(self).handle
    }
}

impl Link for TcpLink {
    fn read(&self, buffer: &mut [u8], wanted: usize, timeout_ms: u32) -> Result<usize, LinkError> {
        let read = if self.fast {
            seam::tcp_read_available(self.handle, buffer, timeout_ms, &self.exchange)
        } else {
            let wanted = wanted.min(buffer.len());
            // The contract takes no time-out below 1 (spec hal.md §4).
            seam::tcp_read(self.handle, &mut buffer[..wanted], timeout_ms.max(1))
        };
        read.map_err(|error| map("read", error))
    }

    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError> {
        let written = seam::tcp_write(self.handle, bytes, timeout_ms);
        self.exchange.wrote();
        written.map_err(|error| map("write", error))
    }

    fn descriptor(&self) -> Option<i32> {
        if self.fast {
            tcp::fd_from_handle(self.handle)
        } else {
            None
        }
    }

    fn tls(&self) -> Option<TlsInfo> {
        None
    }

    fn interruptible(&self) -> bool {
        self.fast
    }

    fn interrupt(&self) {
        if self.fast {
            seam::tcp_interrupt(self.handle);
        }
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
