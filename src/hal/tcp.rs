//! Local scaffolding: the fast path.
use crate::hal::seam::TcpError;

/// Whatever has arrived in one recv.
pub fn read_some(fd: i32, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TcpError> {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one live pollfd.
    match unsafe { libc::poll(&mut poll, 1, timeout_ms as i32) } {
        0 => return Ok(0),
        n if n < 0 => return Err(TcpError::Failed),
        _ => {}
    }
    // SAFETY: a live slice.
    match unsafe { libc::recv(fd, buf.as_mut_ptr().cast(), buf.len(), 0) } {
        0 => Err(TcpError::Closed),
        n if n < 0 => Err(TcpError::Failed),
        n => Ok(n as usize),
    }
}
