//! C entry points that do nothing but call the core's seam: what an application's override must
//! reach. Compiled by the test, with the library inside.

use std::ffi::{CStr, c_char, c_int};

use iotx::hal::seam;

#[unsafe(no_mangle)]
pub extern "C" fn probe_uptime() -> u64 {
    seam::uptime_ms()
}

#[unsafe(no_mangle)]
pub extern "C" fn probe_random(region: u32) -> u32 {
    seam::random(region)
}

/// Allocates and frees; 1 if there was memory.
#[unsafe(no_mangle)]
pub extern "C" fn probe_memory(size: u32) -> c_int {
    match seam::malloc(size) {
        Some(block) => {
            // SAFETY: just allocated, not used afterwards.
            unsafe { seam::free(block) };
            1
        }
        None => 0,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn probe_tcp_is_default() -> c_int {
    seam::tcp_is_default().into()
}

/// Connects, sends "ping", reads 4 bytes and closes; the handle, or -1.
///
/// # Safety
/// `host` is a terminated string, `answer` has room for 4 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn probe_exchange(host: *const c_char, port: u16, answer: *mut u8) -> c_int {
    // SAFETY: the caller's promise.
    let (host, answer) =
        unsafe { (CStr::from_ptr(host), std::slice::from_raw_parts_mut(answer, 4)) };
    let Some(handle) = seam::tcp_establish(host, port) else { return -1 };
    let sent = seam::tcp_write(handle, b"ping", 5000);
    let got = seam::tcp_read(handle, answer, 5000);
    let closed = seam::tcp_destroy(handle);
    if sent == Ok(4) && got == Ok(4) && closed { handle as c_int } else { -1 }
}

/// Stores and reads back one value; its length, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn probe_kv() -> c_int {
    let mut buf = [0u8; 16];
    if !seam::kv_set(c"probe", b"value", true) {
        return -1;
    }
    seam::kv_get(c"probe", &mut buf).map_or(-1, |len| len as c_int)
}

/// Length of the firmware version, 0 for none.
#[unsafe(no_mangle)]
pub extern "C" fn probe_firmware_version() -> c_int {
    seam::firmware_version().map_or(0, |version| version.len() as c_int)
}
