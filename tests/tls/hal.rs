//! The C functions under test, and a safe cover for them.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use iotx::hal::diagnostics::{self, Failure};

#[repr(C)]
pub struct SslHooks {
    pub malloc: Option<unsafe extern "C" fn(u32) -> *mut c_void>,
    pub free: Option<unsafe extern "C" fn(*mut c_void)>,
}

unsafe extern "C" {
    pub fn HAL_SSL_Establish(host: *const c_char, port: u16, ca: *const c_char, len: u32) -> usize;
    pub fn HAL_SSL_Read(handle: usize, buf: *mut c_char, len: c_int, timeout_ms: c_int) -> c_int;
    pub fn HAL_SSL_Write(handle: usize, buf: *const c_char, len: c_int, timeout_ms: c_int)
    -> c_int;
    pub fn HAL_SSL_Destroy(handle: usize) -> i32;
    pub fn ssl_hooks_set(hooks: *mut SslHooks) -> c_int;
    pub fn iotx_port_tls_is_default() -> c_int;
    static mut g_cli_crt: *const c_char;
    static mut g_cli_key: *const c_char;
    pub static iotx_ca_crt: *const c_char;
}

/// `g_cli_crt` and `g_cli_key` belong to the process: connects share, changes exclude.
static GLOBALS: RwLock<()> = RwLock::new(());

/// An established session; destroyed when dropped.
#[derive(Debug)]
pub struct Session(pub usize);

fn establish_unlocked(host: &str, port: u16, ca: &str) -> Result<Session, Failure> {
    let (host, ca) = (CString::new(host).unwrap(), CString::new(ca).unwrap());
    let len = ca.as_bytes_with_nul().len() as u32;
    diagnostics::take();
    // SAFETY: two C strings with their lengths.
    match unsafe { HAL_SSL_Establish(host.as_ptr(), port, ca.as_ptr(), len) } {
        0 => Err(diagnostics::take().expect("a failure leaves its reason")),
        handle => Ok(Session(handle)),
    }
}

/// `HAL_SSL_Establish` with the CA text `ca`.
pub fn establish(host: &str, port: u16, ca: &str) -> Result<Session, Failure> {
    let _shared = GLOBALS.read().unwrap_or_else(PoisonError::into_inner);
    establish_unlocked(host, port, ca)
}

/// The same with `g_cli_crt` and `g_cli_key` set for its time; `None` is a null pointer.
pub fn establish_as(
    certificate: Option<&str>,
    key: Option<&str>,
    port: u16,
    ca: &str,
) -> Result<Session, Failure> {
    let _exclusive = GLOBALS.write().unwrap_or_else(PoisonError::into_inner);
    let certificate = certificate.map(|text| CString::new(text).unwrap());
    let key = key.map(|text| CString::new(text).unwrap());
    let pointer = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |t| t.as_ptr());
    // SAFETY: the lock keeps every other connect of this process away.
    unsafe { (g_cli_crt, g_cli_key) = (pointer(&certificate), pointer(&key)) };
    let result = establish_unlocked("localhost", port, ca);
    // SAFETY: as above; the texts still live.
    unsafe { (g_cli_crt, g_cli_key) = (std::ptr::null(), std::ptr::null()) };
    result
}

impl Session {
    /// `HAL_SSL_Read` into `buf`.
    pub fn read(&self, buf: &mut [u8], timeout_ms: i32) -> i32 {
        let len = buf.len() as c_int;
        // SAFETY: a live slice.
        unsafe { HAL_SSL_Read(self.0, buf.as_mut_ptr().cast(), len, timeout_ms) }
    }

    /// `HAL_SSL_Write` of `buf`.
    pub fn write(&self, buf: &[u8], timeout_ms: i32) -> i32 {
        // SAFETY: a live slice.
        unsafe { HAL_SSL_Write(self.0, buf.as_ptr().cast(), buf.len() as c_int, timeout_ms) }
    }

    /// `HAL_SSL_Destroy`.
    pub fn destroy(&self) -> i32 {
        // SAFETY: takes any value.
        unsafe { HAL_SSL_Destroy(self.0) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.destroy();
    }
}

/// Runs `body` and returns its result with the time it took.
pub fn timed<T>(body: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = body();
    (result, start.elapsed())
}
