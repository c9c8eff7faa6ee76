//! Local scaffolding: the part of the seam that TLS needs.
use std::ffi::{CStr, c_char, c_int};

/// Why a TCP call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpError {
    /// Peer closed.
    Closed,
    /// Anything else.
    Failed,
}

unsafe extern "C" {
    fn HAL_TCP_Establish(host: *const c_char, port: u16) -> usize;
    fn HAL_TCP_Read(fd: usize, buf: *mut c_char, len: u32, timeout_ms: u32) -> i32;
    fn HAL_TCP_Write(fd: usize, buf: *const c_char, len: u32, timeout_ms: u32) -> i32;
    fn HAL_TCP_Destroy(fd: usize) -> c_int;
    fn HAL_UptimeMs() -> u64;
    fn iotx_port_tcp_is_default() -> c_int;
}

/// Opens a connection.
pub fn tcp_establish(host: &CStr, port: u16) -> Option<usize> {
    // SAFETY: a C string.
    let handle = unsafe { HAL_TCP_Establish(host.as_ptr(), port) };
    (handle != usize::MAX).then_some(handle)
}
/// Fills the slice until the time-out.
pub fn tcp_read(handle: usize, buf: &mut [u8], timeout_ms: u32) -> Result<usize, TcpError> {
    // SAFETY: a live slice.
    match unsafe {
        HAL_TCP_Read(
            handle,
            buf.as_mut_ptr().cast(),
            buf.len() as u32,
            timeout_ms,
        )
    } {
        -1 => Err(TcpError::Closed),
        n if n < 0 => Err(TcpError::Failed),
        n => Ok(n as usize),
    }
}
/// Writes until the time-out.
pub fn tcp_write(handle: usize, buf: &[u8], timeout_ms: u32) -> Result<usize, TcpError> {
    // SAFETY: a live slice.
    match unsafe { HAL_TCP_Write(handle, buf.as_ptr().cast(), buf.len() as u32, timeout_ms) } {
        n if n < 0 => Err(TcpError::Failed),
        n => Ok(n as usize),
    }
}
/// Closes.
pub fn tcp_destroy(handle: usize) {
    // SAFETY: takes any value.
    unsafe { HAL_TCP_Destroy(handle) };
}
/// Ours in use?
pub fn tcp_is_default() -> bool {
    // SAFETY: no arguments.
    unsafe { iotx_port_tcp_is_default() != 0 }
}
/// Milliseconds.
pub fn uptime_ms() -> u64 {
    // SAFETY: no arguments.
    unsafe { HAL_UptimeMs() }
}
