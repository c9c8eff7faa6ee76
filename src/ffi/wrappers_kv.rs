//! `wrappers_kv.h`: the port behind the weak `HAL_Kv_*` symbols, and the choice of the file.
//!
//! `src/shim/hal.c` calls these; contracts in spec hal.md §3.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;

use crate::ffi::barrier::guard;
use crate::hal::kv::{self, KvError};

/// Longest path of [`iotx_kv_set_path`], in bytes; leaves room for the suffixes of the files
/// beside it.
const MAX_PATH_LEN: usize = 4000;

/// The bytes of a key, cut one byte beyond the longest allowed, so that too long stays too long.
///
/// # Safety
/// `key` is NULL or readable up to its terminator or to 128 bytes, alive while the result is used.
unsafe fn key_bytes<'a>(key: *const c_char) -> Option<&'a [u8]> {
    if key.is_null() {
        return None;
    }
    // SAFETY: strnlen stops at the terminator or after the given number of bytes.
    let len = unsafe { libc::strnlen(key, kv::MAX_KEY_LEN + 1) };
    // SAFETY: these bytes were just read by strnlen.
    Some(unsafe { std::slice::from_raw_parts(key.cast(), len) })
}

fn failed(function: &str, error: &KvError) -> c_int {
    // A missing key is an everyday answer; all else deserves attention.
    match error {
        KvError::Missing => log::debug!("{function}: {error}"),
        _ => log::error!("{function}: {error}"),
    }
    -1
}

/// Behind `HAL_Kv_Set`: 0, or -1 (limits, no access). Values of 0 to 4096 bytes.
///
/// # Safety
/// `key` is NULL or a terminated string; `val` is NULL or readable for `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_kv_set(
    key: *const c_char,
    val: *const c_void,
    len: c_int,
    sync: c_int,
) -> c_int {
    guard(-1, || {
        // SAFETY: the caller's promise is the same.
        let key = unsafe { key_bytes(key) };
        let (Some(key), Ok(len)) = (key, usize::try_from(len)) else {
            return failed("HAL_Kv_Set", &KvError::Limit("no key or a negative length"));
        };
        if val.is_null() && len > 0 {
            return failed("HAL_Kv_Set", &KvError::Limit("no value"));
        }
        let value = if len == 0 {
            &[][..]
        } else {
            // SAFETY: not NULL, readable for `len` bytes, unchanged during the call.
            unsafe { std::slice::from_raw_parts(val.cast::<u8>(), len) }
        };
        match kv::set(key, value, sync != 0) {
            Ok(()) => 0,
            Err(error) => failed("HAL_Kv_Set", &error),
        }
    })
}

/// Behind `HAL_Kv_Get`: 0 and the length in `*buffer_len`, or -1. With too small a buffer
/// `*buffer_len` becomes the size needed, with a missing key 0.
///
/// # Safety
/// `key` is NULL or a terminated string; `buffer_len` is NULL or valid; `val` is NULL or writable
/// for `*buffer_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_kv_get(
    key: *const c_char,
    val: *mut c_void,
    buffer_len: *mut c_int,
) -> c_int {
    guard(-1, || {
        // SAFETY: the caller's promise is the same.
        let key = unsafe { key_bytes(key) };
        // SAFETY: NULL or a valid int of the caller.
        let buffer_len = unsafe { buffer_len.as_mut() };
        let (Some(key), Some(buffer_len)) = (key, buffer_len) else {
            return failed("HAL_Kv_Get", &KvError::Limit("no key or no length"));
        };
        let Ok(room) = usize::try_from(*buffer_len) else {
            return failed("HAL_Kv_Get", &KvError::Limit("negative length"));
        };
        match kv::get(key) {
            Ok(value) => {
                // At most 4096, so it fits.
                *buffer_len = value.len() as c_int;
                if value.len() > room || (val.is_null() && !value.is_empty()) {
                    return failed("HAL_Kv_Get", &KvError::Limit("buffer too small"));
                }
                if !value.is_empty() {
                    // SAFETY: not NULL, and the value fits the room the caller states.
                    unsafe { ptr::copy_nonoverlapping(value.as_ptr(), val.cast(), value.len()) };
                }
                0
            }
            Err(error) => {
                *buffer_len = 0;
                failed("HAL_Kv_Get", &error)
            }
        }
    })
}

/// Behind `HAL_Kv_Del`: 0, or -1 (missing key, no access).
///
/// # Safety
/// `key` is NULL or a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_kv_del(key: *const c_char) -> c_int {
    guard(-1, || {
        // SAFETY: the caller's promise is the same.
        let Some(key) = (unsafe { key_bytes(key) }) else {
            return failed("HAL_Kv_Del", &KvError::Limit("no key"));
        };
        match kv::del(key) {
            Ok(()) => 0,
            Err(error) => failed("HAL_Kv_Del", &error),
        }
    })
}

/// Chooses the file of the default key-value store; without this call it is `iotx_kv.bin` in the
/// working directory. The directory must exist; files with the suffixes `.lock`, `.tmp` and
/// `.broken` may appear beside the file. No effect if the application defines `HAL_Kv_*` itself.
///
/// Returns 0, or -1 if `path` is NULL, empty, longer than 4000 bytes or a directory. May be called
/// at any time from any thread.
///
/// # Safety
/// `path` is NULL or a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_kv_set_path(path: *const c_char) -> c_int {
    guard(-1, || {
        if path.is_null() {
            return failed("iotx_kv_set_path", &KvError::Limit("no path"));
        }
        // SAFETY: not NULL, and the caller passes a terminated string.
        let path = unsafe { CStr::from_ptr(path) }.to_bytes();
        let file = PathBuf::from(OsStr::from_bytes(path));
        if path.is_empty() || path.len() > MAX_PATH_LEN || path.ends_with(b"/") || file.is_dir() {
            return failed(
                "iotx_kv_set_path",
                &KvError::Limit("not the path of a file"),
            );
        }
        kv::set_path(file);
        0
    })
}
