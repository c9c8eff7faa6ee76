//! `wrappers_tcp.h`: the port behind the weak `HAL_TCP_*` symbols.
//!
//! `src/shim/hal.c` calls these; contracts in spec hal.md §4.

use std::ffi::{c_char, c_int};
use std::io;
use std::os::fd::IntoRawFd;
use std::time::Duration;

use crate::ffi::barrier::guard;
use crate::hal::diagnostics::{self, Failure, Stage};
use crate::hal::tcp::{self, Limits, StreamError};

/// The handle that means "no connection".
const NO_HANDLE: usize = usize::MAX;

/// Lengths beyond what the result can express are cut; the caller sees a short count.
const MAX_LEN: u32 = i32::MAX as u32;

/// Behind `HAL_TCP_Establish`: a handle (0 is legal), or (uintptr_t)-1 and the reason recorded.
/// Blocks at most 10 s.
///
/// # Safety
/// `host` is NULL or readable up to its terminator or to 254 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_tcp_establish(host: *const c_char, port: u16) -> usize {
    guard(NO_HANDLE, || {
        // SAFETY: the caller's promise is the same.
        let connected = match unsafe { host_name(host) } {
            Ok(host) => tcp::connect(host, port, &Limits::default()),
            Err(text) => Err(Failure::new(Stage::Resolve, text)),
        };
        match connected {
            // A descriptor of ours is not negative, so it always converts.
            Ok(socket) => usize::try_from(socket.into_raw_fd()).unwrap_or(NO_HANDLE),
            Err(failure) => {
                diagnostics::record(failure);
                NO_HANDLE
            }
        }
    })
}

/// The host as text, or what is wrong with it.
///
/// # Safety
/// As for [`iotx_port_tcp_establish`]; the text lives as long as the caller's string.
unsafe fn host_name<'a>(host: *const c_char) -> Result<&'a str, String> {
    if host.is_null() {
        return Err("no host name given".into());
    }
    // SAFETY: strnlen stops at the terminator or after the given number of bytes.
    let len = unsafe { libc::strnlen(host, tcp::MAX_HOST_LEN + 1) };
    if len == 0 {
        return Err("empty host name".into());
    }
    if len > tcp::MAX_HOST_LEN {
        return Err(format!("host name longer than {} bytes", tcp::MAX_HOST_LEN));
    }
    // SAFETY: these bytes were just read by strnlen.
    let bytes = unsafe { std::slice::from_raw_parts(host.cast::<u8>(), len) };
    std::str::from_utf8(bytes).map_err(|_| "host name is not text".into())
}

/// Behind `HAL_TCP_Destroy`: 0, or -1 (not a socket).
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_tcp_destroy(handle: usize) -> c_int {
    guard(-1, || {
        let closed = match tcp::fd_from_handle(handle) {
            Some(fd) => tcp::destroy(fd),
            None => Err(io::Error::from_raw_os_error(libc::EBADF)),
        };
        match closed {
            Ok(()) => 0,
            Err(error) => {
                log::warn!("tcp destroy of handle {}: {error}", handle.cast_signed());
                -1
            }
        }
    })
}

/// Behind `HAL_TCP_Write`: bytes sent (fewer than `len`: time-out), or -1.
///
/// # Safety
/// `buf` is NULL or readable for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_tcp_write(
    handle: usize,
    buf: *const c_char,
    len: u32,
    timeout_ms: u32,
) -> i32 {
    guard(-1, || {
        let Some(fd) = tcp::fd_from_handle(handle) else {
            return -1;
        };
        if len == 0 {
            return 0;
        }
        if buf.is_null() {
            return -1;
        }
        // SAFETY: not NULL, and readable for `len` bytes, of which we take no more.
        let data = unsafe { std::slice::from_raw_parts(buf.cast(), len.min(MAX_LEN) as usize) };
        match tcp::write_all_until(fd, data, Duration::from_millis(timeout_ms.into())) {
            Ok(sent) => sent as i32,
            Err(error) => {
                record_traffic("send", error);
                -1
            }
        }
    })
}

/// Behind `HAL_TCP_Read`: bytes read, 0 time-out, -1 peer closed, -2 error.
///
/// # Safety
/// `buf` is NULL or writable for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_tcp_read(
    handle: usize,
    buf: *mut c_char,
    len: u32,
    timeout_ms: u32,
) -> i32 {
    guard(-2, || {
        let Some(fd) = tcp::fd_from_handle(handle) else {
            return -2;
        };
        if len == 0 {
            return 0;
        }
        if buf.is_null() {
            return -2;
        }
        let len = len.min(MAX_LEN) as usize;
        // SAFETY: not NULL, writable for `len` bytes; received bytes are only written to it.
        let space = unsafe { std::slice::from_raw_parts_mut(buf.cast::<u8>(), len) };
        match tcp::read_exact_until(fd, space, Duration::from_millis(timeout_ms.into())) {
            Ok(got) => got as i32,
            Err(StreamError::PeerClosed) => {
                record_traffic("receive", StreamError::PeerClosed);
                -1
            }
            Err(error) => {
                record_traffic("receive", error);
                -2
            }
        }
    })
}

fn record_traffic(what: &str, error: StreamError) {
    let text = match error {
        StreamError::PeerClosed => "connection closed by the peer".to_owned(),
        StreamError::Io(error) => format!("{what} failed: {error}"),
    };
    diagnostics::record(Failure::new(Stage::Traffic, text));
}
