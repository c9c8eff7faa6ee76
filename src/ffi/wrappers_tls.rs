//! The C boundary of the TLS default: what `src/shim/tls.c` puts behind `HAL_SSL_*` and
//! `ssl_hooks_set` (spec hal.md §5), and the library's own `iotx_tls_*` settings.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Mutex;

use super::barrier::guard;
use crate::hal::diagnostics::{self, Failure, Stage};
use crate::hal::tls::{self, ClockPolicy, Credentials, Options, Purpose, ServerName, TlsError};

/// Longest host argument read, without its NUL; a DNS name has 253 characters at most.
const MAX_HOST: usize = 255;

const ERROR: c_int = -1;
const PEER_CLOSED: c_int = -2;

/// `ssl_hooks_t` of wrappers_tls.h.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)] // The name of the C type.
pub struct ssl_hooks_t {
    /// Allocates the given number of bytes.
    pub malloc: Option<unsafe extern "C" fn(u32) -> *mut c_void>,
    /// Frees what `malloc` gave.
    pub free: Option<unsafe extern "C" fn(*mut c_void)>,
}

static HOOKS: Mutex<Option<ssl_hooks_t>> = Mutex::new(None);

/// The bundle of root certificates behind `iotx_ca_crt`, PEM, NUL-terminated.
#[unsafe(no_mangle)]
pub static iotx_port_roots: [u8; tls::roots::BUNDLE_C.len()] = {
    let mut copy = [0; tls::roots::BUNDLE_C.len()];
    copy.copy_from_slice(tls::roots::BUNDLE_C);
    copy
};

/// The bytes of a C string, without NUL, reading at most `max` bytes; `None` if there is no NUL
/// among the first `max + 1`.
///
/// # Safety
/// `text` points to a NUL-terminated string or to at least `max + 1` readable bytes.
unsafe fn bounded<'a>(text: *const c_char, max: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise; strnlen stops at the first NUL.
    let length = unsafe { libc::strnlen(text, max + 1) };
    // SAFETY: strnlen has just read these bytes.
    (length <= max).then(|| unsafe { std::slice::from_raw_parts(text.cast(), length) })
}

fn establish(host: Option<&[u8]>, port: u16, ca: &[u8]) -> Result<usize, Failure> {
    let host = host.ok_or_else(|| Failure::new(Stage::TlsConfig, "host name is too long"))?;
    let host = String::from_utf8_lossy(host);
    let server = ServerName::parse(&host).map_err(|text| Failure::new(Stage::TlsConfig, text))?;
    let mut options = Options::new(server, port, ca.to_vec());
    if tls::current_purpose() == Purpose::Mqtt {
        options.credentials = Credentials::of_application()?.into();
    }
    tls::connect(&options).map(tls::handles::insert)
}

/// `HAL_SSL_Establish`: connects to `host` and verifies it against the certificates in `ca`.
/// Returns a handle, or 0 with the reason left in [`diagnostics`].
///
/// Blocks for the TCP connection set-up and at most 10 s of handshake. Offers `g_cli_crt` unless
/// the calling thread connects to an HTTPS endpoint ([`tls::with_purpose`]).
///
/// # Safety
/// `host` is null or a NUL-terminated string. `ca` is null or has `ca_len` readable bytes; a NUL
/// among them ends the text, but none is needed. Both may go after the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_ssl_establish(
    host: *const c_char,
    port: u16,
    ca: *const c_char,
    ca_len: u32,
) -> usize {
    guard(0, || {
        let config_failure = |text| Err(Failure::new(Stage::TlsConfig, text));
        let result = if host.is_null() {
            config_failure("no host name given")
        } else if ca.is_null() || ca_len == 0 {
            config_failure("no CA certificate given")
        } else {
            // SAFETY: the caller's promises on `host` and `ca`; a length read from u32 fits.
            let (host, ca) = unsafe {
                let ca = std::slice::from_raw_parts(ca.cast::<u8>(), ca_len as usize);
                (bounded(host, MAX_HOST), ca)
            };
            let text = ca.split(|&byte| byte == 0).next().unwrap_or_default();
            establish(host, port, text)
        };
        result.unwrap_or_else(|failure| {
            diagnostics::record(failure);
            0
        })
    })
}

/// `HAL_SSL_Read`: fills `buf` until `len` bytes are there or `timeout_ms` is over.
/// Returns how many came, 0 at a time-out without any, -1 on errors, -2 if the peer has closed
/// the connection. Data comes first: an end after some bytes is told by the next call.
///
/// # Safety
/// `buf` is null or has room for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_ssl_read(
    handle: usize,
    buf: *mut c_char,
    len: c_int,
    timeout_ms: c_int,
) -> c_int {
    guard(ERROR, || {
        let Some(session) = tls::lookup(handle) else {
            return ERROR;
        };
        let Ok(wanted) = usize::try_from(len) else {
            return ERROR;
        };
        if wanted == 0 {
            return 0;
        }
        if buf.is_null() {
            return ERROR;
        }
        // SAFETY: not null, and the caller promises room for `len` bytes for the time of the
        // call. The bytes are only written before they are read.
        let buf = unsafe { std::slice::from_raw_parts_mut(buf.cast::<u8>(), wanted) };
        let timeout = u32::try_from(timeout_ms).unwrap_or(0);
        match tls::read_full(&*session, buf, timeout) {
            // At most `len`, so it fits.
            Ok(count) => count as c_int,
            Err(TlsError::Closed) => PEER_CLOSED,
            Err(TlsError::Failed(text)) => {
                diagnostics::record(Failure::new(Stage::Traffic, text));
                ERROR
            }
        }
    })
}

/// `HAL_SSL_Write`: writes `len` bytes of `buf` within `timeout_ms`. Returns how many were
/// accepted (less than `len`, down to 0, at a time-out) or -1 on errors.
///
/// # Safety
/// `buf` is null or has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_ssl_write(
    handle: usize,
    buf: *const c_char,
    len: c_int,
    timeout_ms: c_int,
) -> c_int {
    guard(ERROR, || {
        let Some(session) = tls::lookup(handle) else {
            return ERROR;
        };
        let Ok(given) = usize::try_from(len) else {
            return ERROR;
        };
        if given == 0 {
            return 0;
        }
        if buf.is_null() {
            return ERROR;
        }
        // SAFETY: not null, and the caller promises `len` readable bytes.
        let buf = unsafe { std::slice::from_raw_parts(buf.cast::<u8>(), given) };
        match session.write(buf, u32::try_from(timeout_ms).unwrap_or(0)) {
            // At most `len`, so it fits.
            Ok(count) => count as c_int,
            Err(error) => {
                diagnostics::record(Failure::new(Stage::Traffic, error.to_string()));
                ERROR
            }
        }
    })
}

/// `HAL_SSL_Destroy`: sends close_notify and ends the session. 0, also for handle 0, which never
/// is a session; -1 for a handle that is not open (any more).
///
/// A call of another thread on the same handle ends as if the peer had closed; the socket closes
/// when it has.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_ssl_destroy(handle: usize) -> i32 {
    guard(ERROR, || {
        if handle == 0 {
            return 0;
        }
        match tls::handles::remove(handle) {
            Some(session) => {
                session.close();
                0
            }
            None => ERROR,
        }
    })
}

/// `ssl_hooks_set`: takes the application's allocator; -1 if a pointer is null.
///
/// The hooks are kept but not called: the TLS library is built with the C library's allocator.
/// They exist for memory statistics of the original kit, which do not change what is sent.
///
/// # Safety
/// `hooks` is null or points to an `ssl_hooks_t`, which is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_ssl_hooks_set(hooks: *mut ssl_hooks_t) -> c_int {
    guard(ERROR, || {
        if hooks.is_null() {
            return ERROR;
        }
        // SAFETY: not null, and the caller promises an ssl_hooks_t. Null members are valid.
        let hooks = unsafe { hooks.read() };
        if hooks.malloc.is_none() || hooks.free.is_none() {
            return ERROR;
        }
        match HOOKS.lock() {
            Ok(mut kept) => {
                *kept = Some(hooks);
                0
            }
            Err(_) => ERROR,
        }
    })
}

/// Sets the policy for devices whose clock is not set: 0 strict (the default), 1 until-clock-set.
/// Returns 0, or -1 for another value. Holds for connections made afterwards, process-wide.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_tls_set_clock_policy(policy: c_int) -> c_int {
    guard(ERROR, || {
        let policy = match policy {
            0 => ClockPolicy::Strict,
            1 => ClockPolicy::UntilClockSet,
            _ => return ERROR,
        };
        tls::set_clock_policy(policy);
        0
    })
}

/// Whether TLS sessions are resumed when the device connects again: 1 yes (the default), 0 no.
/// Returns 0, or -1 for another value. Process-wide, any thread.
///
/// A session is kept in memory, bound to server, trust anchors and client certificate, for a day at
/// most and no longer than the server's certificate is valid. 0 also forgets those kept.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_tls_set_session_resumption(on: c_int) -> c_int {
    guard(ERROR, || {
        match on {
            0 => tls::set_resumption(false),
            1 => tls::set_resumption(true),
            _ => return ERROR,
        }
        0
    })
}
