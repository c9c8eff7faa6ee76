//! The only way out of the core: the `HAL_*` symbols, called by name.
//!
//! The linker decides who answers, our default port or the application's own (spec hal.md §1), so
//! nothing here may call a default directly. What a foreign port returns is not trusted: lengths
//! out of range count as errors.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::NonNull;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use super::exchange::Exchange;
use super::{os, tcp, uptime};

/// The raw symbols, with the prototypes of `wrappers_*.h` 3.2.0.
#[allow(
    missing_docs,
    reason = "contracts in spec hal.md, one group after the other"
)]
pub mod raw {
    use std::ffi::{c_char, c_int, c_uint, c_void};

    unsafe extern "C" {
        // os
        pub fn HAL_Malloc(size: u32) -> *mut c_void;
        pub fn HAL_Free(ptr: *mut c_void);
        pub fn HAL_UptimeMs() -> u64;
        pub fn HAL_SleepMs(ms: u32);
        pub fn HAL_Srandom(seed: u32);
        pub fn HAL_Random(region: u32) -> u32;
        pub fn HAL_Snprintf(buf: *mut c_char, len: c_int, format: *const c_char, ...) -> c_int;
        pub fn HAL_GetFirmwareVersion(version: *mut c_char) -> c_int;
        // tcp
        pub fn HAL_TCP_Establish(host: *const c_char, port: u16) -> usize;
        pub fn HAL_TCP_Destroy(fd: usize) -> c_int;
        pub fn HAL_TCP_Write(fd: usize, buf: *const c_char, len: u32, timeout_ms: u32) -> i32;
        pub fn HAL_TCP_Read(fd: usize, buf: *mut c_char, len: u32, timeout_ms: u32) -> i32;
        // tls
        pub fn HAL_SSL_Establish(
            host: *const c_char,
            port: u16,
            ca_crt: *const c_char,
            ca_crt_len: u32,
        ) -> usize;
        pub fn HAL_SSL_Destroy(handle: usize) -> i32;
        pub fn HAL_SSL_Write(
            handle: usize,
            buf: *const c_char,
            len: c_int,
            timeout_ms: c_int,
        ) -> c_int;
        pub fn HAL_SSL_Read(
            handle: usize,
            buf: *mut c_char,
            len: c_int,
            timeout_ms: c_int,
        ) -> c_int;
        // kv
        pub fn HAL_Kv_Set(key: *const c_char, val: *const c_void, len: c_int, sync: c_int)
        -> c_int;
        pub fn HAL_Kv_Get(key: *const c_char, val: *mut c_void, buffer_len: *mut c_int) -> c_int;
        pub fn HAL_Kv_Del(key: *const c_char) -> c_int;
        // data the application may define or assign
        pub static mut g_cli_crt: *const c_char;
        pub static mut g_cli_key: *const c_char;
        pub static mut iotx_ca_crt: *const c_char;
        // answered by the shim: whose port is in use
        pub fn iotx_port_tcp_is_default() -> c_int;
        pub fn iotx_port_tls_is_default() -> c_int;
        pub fn iotx_port_random_is_default() -> c_int;
        pub fn iotx_port_memory_is_default() -> c_int;
        pub fn iotx_port_clock_is_default() -> c_int;
        pub fn iotx_port_os_replaced(count: *mut c_uint) -> c_uint;
        pub fn iotx_port_tcp_replaced(count: *mut c_uint) -> c_uint;
        pub fn iotx_port_tls_replaced(count: *mut c_uint) -> c_uint;
        pub fn iotx_port_kv_replaced(count: *mut c_uint) -> c_uint;
        pub fn iotx_port_data_replaced(count: *mut c_uint) -> c_uint;
    }
}

/// Whose a group of the HAL is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Ours, all of it.
    Default,
    /// The port's, all of it.
    Port,
    /// Some of it the port's.
    Mixed,
}

/// The groups of the HAL and whose they are: os, tcp, tls, kv, and the data symbols. The os group is
/// that of 3.2.0. The linker has decided on the functions; the data symbols may change.
pub fn in_use() -> [(&'static str, Owner); 5] {
    let owner = |replaced: unsafe extern "C" fn(*mut c_uint) -> c_uint| {
        let mut count = 0;
        // SAFETY: a writable count.
        match unsafe { replaced(&raw mut count) } {
            0 => Owner::Default,
            number if number == count => Owner::Port,
            _ => Owner::Mixed,
        }
    };
    [
        ("os", owner(raw::iotx_port_os_replaced)),
        ("tcp", owner(raw::iotx_port_tcp_replaced)),
        ("tls", owner(raw::iotx_port_tls_replaced)),
        ("kv", owner(raw::iotx_port_kv_replaced)),
        ("data", owner(raw::iotx_port_data_replaced)),
    ]
}

/// Why a read or write over the HAL gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamError {
    /// The peer has closed the connection in an orderly way.
    PeerClosed,
    /// The connection is unusable, or the port answered nonsense.
    Failed,
}

// ---- os ----------------------------------------------------------------------------------------

/// Memory for the application, from `HAL_Malloc`: it is given back with `HAL_Free`.
pub fn malloc(size: u32) -> Option<NonNull<u8>> {
    // SAFETY: no preconditions.
    NonNull::new(unsafe { raw::HAL_Malloc(size) }.cast())
}

/// Gives memory of [`malloc`] back.
///
/// # Safety
/// `block` came from `HAL_Malloc` and is not used afterwards.
pub unsafe fn free(block: NonNull<u8>) {
    // SAFETY: the caller's promise.
    unsafe { raw::HAL_Free(block.as_ptr().cast()) }
}

/// Milliseconds since an arbitrary start, which never go back, whatever the port's clock does: see
/// [`uptime`].
pub fn uptime_ms() -> u64 {
    // SAFETY: no preconditions.
    uptime::extend(unsafe { raw::HAL_UptimeMs() })
}

/// Whether the clock is our own, which never goes back. A port's may, and the time since it was last
/// asked is lost then: it has to be asked often.
pub fn clock_is_default() -> bool {
    // SAFETY: no preconditions.
    unsafe { raw::iotx_port_clock_is_default() != 0 }
}

/// Sleeps for `ms` milliseconds.
pub fn sleep_ms(ms: u32) {
    // SAFETY: no preconditions.
    unsafe { raw::HAL_SleepMs(ms) }
}

/// A random number in 0..`region` (full range for 0) from `HAL_Random`. For jitter and numbers,
/// not for keys. A port that answers out of range is brought back into it.
pub fn random(region: u32) -> u32 {
    // SAFETY: no preconditions.
    let number = unsafe { raw::HAL_Random(region) };
    if region == 0 { number } else { number % region }
}

/// No randomness to be had: a connection that needs keys must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomError;

/// Fills `buf` with randomness fit for keys.
///
/// Always from the operating system. A port's own `HAL_Random` is mixed in, which can only add
/// (spec known-weaknesses.md 1).
pub fn random_fill(buf: &mut [u8]) -> Result<(), RandomError> {
    if let Err(error) = os::random_fill(buf) {
        log::error!("no random source: {error}");
        buf.zeroize();
        return Err(RandomError);
    }
    // SAFETY: no preconditions.
    if unsafe { raw::iotx_port_random_is_default() } == 0 {
        for byte in buf {
            *byte ^= random(0) as u8;
        }
    }
    Ok(())
}

/// The application's firmware version; None if it has none.
///
/// At most 64 bytes (`IOTX_FIRMWARE_VER_LEN`) are used, with or without terminator; bytes that
/// are not UTF-8 are replaced.
pub fn firmware_version() -> Option<String> {
    const LONGEST: usize = 64;
    // Larger than the contract asks for: a port that writes a little too much does no harm.
    let mut buf = [0u8; 256];
    // SAFETY: the contract asks for 65 writable bytes.
    let len = unsafe { raw::HAL_GetFirmwareVersion(buf.as_mut_ptr().cast()) };
    let len = usize::try_from(len).ok()?.min(LONGEST);
    let text = &buf[..len];
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(len);
    (end > 0).then(|| String::from_utf8_lossy(&text[..end]).into_owned())
}

// ---- tcp ---------------------------------------------------------------------------------------

/// Whether the whole tcp group is our own: then the transport may read with
/// [`super::tcp::read_some`] on the handle.
pub fn tcp_is_default() -> bool {
    // SAFETY: no preconditions.
    unsafe { raw::iotx_port_tcp_is_default() != 0 }
}

/// Connects; the handle may be 0. After None our own port has left a reason in
/// [`super::diagnostics`].
pub fn tcp_establish(host: &CStr, port: u16) -> Option<usize> {
    // SAFETY: a terminated string, alive during the call.
    let handle = unsafe { raw::HAL_TCP_Establish(host.as_ptr(), port) };
    (handle != usize::MAX).then_some(handle)
}

/// Tries to fill `buf` within `timeout_ms`: the number of bytes read, 0 if none came in time.
pub fn tcp_read(handle: usize, buf: &mut [u8], timeout_ms: u32) -> Result<usize, StreamError> {
    let len = buf.len().min(i32::MAX as usize);
    // SAFETY: pointer and length describe `buf`, which is writable.
    let got = unsafe { raw::HAL_TCP_Read(handle, buf.as_mut_ptr().cast(), len as u32, timeout_ms) };
    match got {
        -1 => Err(StreamError::PeerClosed),
        got => checked_count("HAL_TCP_Read", got, len),
    }
}

/// The fast path, for a handle of our own port only ([`tcp_is_default`]): whatever has arrived,
/// waiting up to `timeout_ms` for the first byte; 0 if none came in time.
pub fn tcp_read_available(
    handle: usize,
    buf: &mut [u8],
    timeout_ms: u32,
    exchange: &Exchange,
) -> Result<usize, StreamError> {
    let fd = tcp::fd_from_handle(handle).ok_or(StreamError::Failed)?;
    let timeout = Duration::from_millis(u64::from(timeout_ms));
    tcp::read_some(fd, buf, timeout, exchange).map_err(|error| match error {
        tcp::StreamError::PeerClosed => StreamError::PeerClosed,
        tcp::StreamError::Io(error) => {
            log::debug!("TCP read: {error}");
            StreamError::Failed
        }
    })
}

/// For a handle of our own port only ([`tcp_is_default`]): threads that wait on the connection
/// return at once, since it has ended. The handle stays valid.
pub fn tcp_interrupt(handle: usize) {
    if let Some(fd) = tcp::fd_from_handle(handle) {
        tcp::interrupt(fd);
    }
}

/// Sends `buf` within `timeout_ms`: the number of bytes sent, fewer on time-out.
pub fn tcp_write(handle: usize, buf: &[u8], timeout_ms: u32) -> Result<usize, StreamError> {
    let len = buf.len().min(i32::MAX as usize);
    // SAFETY: pointer and length describe `buf`.
    let sent = unsafe { raw::HAL_TCP_Write(handle, buf.as_ptr().cast(), len as u32, timeout_ms) };
    checked_count("HAL_TCP_Write", sent, len)
}

/// Ends a connection of [`tcp_establish`]; false if the port refuses.
pub fn tcp_destroy(handle: usize) -> bool {
    // SAFETY: no preconditions beyond a handle, which the port checks.
    unsafe { raw::HAL_TCP_Destroy(handle) == 0 }
}

/// The count a port returned, if it can be true.
fn checked_count(function: &str, count: i32, len: usize) -> Result<usize, StreamError> {
    match usize::try_from(count) {
        Ok(count) if count <= len => Ok(count),
        Ok(count) => {
            log::error!("{function} claims {count} of {len} bytes");
            Err(StreamError::Failed)
        }
        Err(_) => Err(StreamError::Failed),
    }
}

// ---- tls ---------------------------------------------------------------------------------------

/// Whether the whole tls group is our own.
pub fn tls_is_default() -> bool {
    // SAFETY: no preconditions.
    unsafe { raw::iotx_port_tls_is_default() != 0 }
}

/// Connects and shakes hands, trusting the PEM certificates of `ca`. After None our own port has
/// left a reason in [`super::diagnostics`].
pub fn ssl_establish(host: &CStr, port: u16, ca: Option<&CStr>) -> Option<usize> {
    let (pem, pem_len) = match ca {
        // The length counts the terminator.
        Some(ca) => (ca.as_ptr(), u32::try_from(ca.count_bytes() + 1).ok()?),
        None => (std::ptr::null(), 0),
    };
    // SAFETY: terminated strings, alive during the call.
    let handle = unsafe { raw::HAL_SSL_Establish(host.as_ptr(), port, pem, pem_len) };
    (handle != 0).then_some(handle)
}

/// Tries to fill `buf` within `timeout_ms`: the number of bytes read, 0 if none came in time.
pub fn ssl_read(handle: usize, buf: &mut [u8], timeout_ms: u32) -> Result<usize, StreamError> {
    let len = buf.len().min(i32::MAX as usize);
    // SAFETY: pointer and length describe `buf`, which is writable.
    let got = unsafe {
        raw::HAL_SSL_Read(
            handle,
            buf.as_mut_ptr().cast(),
            len as c_int,
            clamp(timeout_ms),
        )
    };
    match got {
        -2 => Err(StreamError::PeerClosed),
        got => checked_count("HAL_SSL_Read", got, len),
    }
}

/// Sends `buf` within `timeout_ms`: the number of bytes sent, fewer on time-out.
pub fn ssl_write(handle: usize, buf: &[u8], timeout_ms: u32) -> Result<usize, StreamError> {
    let len = buf.len().min(i32::MAX as usize);
    // SAFETY: pointer and length describe `buf`.
    let sent =
        unsafe { raw::HAL_SSL_Write(handle, buf.as_ptr().cast(), len as c_int, clamp(timeout_ms)) };
    checked_count("HAL_SSL_Write", sent, len)
}

/// Ends a connection of [`ssl_establish`].
pub fn ssl_destroy(handle: usize) {
    // SAFETY: the handle came from HAL_SSL_Establish and is not used afterwards.
    unsafe { raw::HAL_SSL_Destroy(handle) };
}

/// The tls group has signed time-outs; a negative one would mean anything.
fn clamp(timeout_ms: u32) -> c_int {
    c_int::try_from(timeout_ms).unwrap_or(c_int::MAX)
}

/// A PEM text that the application provides as a pointer variable, copied with its terminator.
fn pem(text: *const c_char) -> Option<Zeroizing<Vec<u8>>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not NULL; the application assigns terminated strings to these variables.
    let text = unsafe { CStr::from_ptr(text) };
    (!text.is_empty()).then(|| Zeroizing::new(text.to_bytes_with_nul().to_vec()))
}

/// The trust roots `iotx_ca_crt`, as they are now, terminator included.
pub fn ca_certificates() -> Option<Zeroizing<Vec<u8>>> {
    // SAFETY: an aligned pointer variable; volatile since the application may assign it.
    pem(unsafe { (&raw const raw::iotx_ca_crt).read_volatile() })
}

/// The client certificate `g_cli_crt`, as it is now, terminator included.
pub fn client_certificate() -> Option<Zeroizing<Vec<u8>>> {
    // SAFETY: an aligned pointer variable; volatile since the application may assign it.
    pem(unsafe { (&raw const raw::g_cli_crt).read_volatile() })
}

/// The client key `g_cli_key`, as it is now, terminator included; wiped when dropped.
pub fn client_key() -> Option<Zeroizing<Vec<u8>>> {
    // SAFETY: an aligned pointer variable; volatile since the application may assign it.
    pem(unsafe { (&raw const raw::g_cli_key).read_volatile() })
}

// ---- kv ----------------------------------------------------------------------------------------

/// Stores `value`; `sync`: it must have reached the medium on return. False on failure.
pub fn kv_set(key: &CStr, value: &[u8], sync: bool) -> bool {
    let Ok(len) = c_int::try_from(value.len()) else {
        return false;
    };
    // SAFETY: a terminated key; pointer and length describe `value`.
    unsafe {
        raw::HAL_Kv_Set(
            key.as_ptr(),
            value.as_ptr().cast::<c_void>(),
            len,
            sync.into(),
        ) == 0
    }
}

/// Reads the value into `buf`: its length; None if there is none or it does not fit.
pub fn kv_get(key: &CStr, buf: &mut [u8]) -> Option<usize> {
    match kv_read(key, buf) {
        KvValue::Bytes(len) => Some(len),
        KvValue::Nothing | KvValue::TooLong(_) => None,
    }
}

/// What a key of the KV store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvValue {
    /// Nothing, or nothing that can be read.
    Nothing,
    /// This many bytes, now in the buffer.
    Bytes(usize),
    /// This many bytes, more than the buffer takes. Ports need not tell: then it is `Nothing`.
    TooLong(usize),
}

/// Reads the value into `buf`, and tells too long from missing where the port does.
pub fn kv_read(key: &CStr, buf: &mut [u8]) -> KvValue {
    let room = c_int::try_from(buf.len()).unwrap_or(c_int::MAX);
    let mut len = room;
    // SAFETY: a terminated key; `buf` is writable for `len` bytes.
    let status = unsafe {
        raw::HAL_Kv_Get(
            key.as_ptr(),
            buf.as_mut_ptr().cast::<c_void>(),
            &raw mut len,
        )
    };
    match usize::try_from(len) {
        Ok(len) if status == 0 && len <= buf.len() => KvValue::Bytes(len),
        Ok(len) if len > buf.len() => KvValue::TooLong(len),
        _ => KvValue::Nothing,
    }
}

/// Removes the key; false if it was not there or could not be removed.
pub fn kv_del(key: &CStr) -> bool {
    // SAFETY: a terminated key.
    unsafe { raw::HAL_Kv_Del(key.as_ptr()) == 0 }
}
