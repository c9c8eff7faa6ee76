//! The functions of `infra_report.h`: messages about the device itself, sent by a function that a C part
//! supplies. The shim defines the public names weakly on top of these.
#![allow(non_camel_case_types)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use super::barrier::guard;
use super::{ioctl, log, mqtt_host};
use crate::device::{Names, report};
use crate::hal::seam;
use crate::state::{FAIL_RETURN, SUCCESS_RETURN};

/// `info_report_func_pt`: client, topic, whether an answer is asked for, payload and its length.
pub type info_report_func_pt =
    Option<unsafe extern "C" fn(*mut c_void, *const c_char, c_int, *mut c_void, c_int) -> c_int>;

static REPORT: Mutex<info_report_func_pt> = Mutex::new(None);

/// The next number of a message, 1...`INT_MAX`; one row with the reports the library sends itself.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_report_id() -> c_int {
    guard(1, || {
        let mut id = 0;
        while id == 0 {
            // Without the top bit it fits.
            id = (mqtt_host::next_report_id() & c_int::MAX as u32) as c_int;
        }
        id
    })
}

/// Sets the function that the reports are sent with; NULL removes it. Any thread.
///
/// # Safety
/// `func` is NULL or stays callable, from any thread that sends a report, until it is replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_set_report_func(func: info_report_func_pt) {
    guard((), || {
        *REPORT.lock().unwrap_or_else(PoisonError::into_inner) = func;
    });
}

/// Sends what `message` makes of the stored names and a message number. Returns what the function
/// returned, or `FAIL_RETURN` without one, without names or for an impossible message.
///
/// # Safety
/// The function may be called with `client`.
unsafe fn send(
    client: *mut c_void,
    message: impl FnOnce(&Names, u32) -> Option<(String, String)>,
) -> c_int {
    log::init();
    // A copy: the lock is not held during the call.
    let function = *REPORT.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(function) = function else {
        ::log::error!("no report function is set");
        return FAIL_RETURN;
    };
    let store = ioctl::store();
    let names = Names {
        product_key: store.product_key,
        device_name: store.device_name,
        module: store.module,
    };
    // Positive.
    let id = iotx_port_report_id() as u32;
    let Some((topic, payload)) = message(&names, id) else {
        ::log::error!("no report without product key, device name and version");
        return FAIL_RETURN;
    };
    let (Ok(topic), Ok(payload)) = (CString::new(topic), CString::new(payload)) else {
        return FAIL_RETURN;
    };
    let len = c_int::try_from(payload.as_bytes().len()).unwrap_or(0);
    // SAFETY: set with the promise that it may be called; the texts outlive the call.
    unsafe {
        function(
            client,
            topic.as_ptr(),
            1,
            payload.as_ptr().cast_mut().cast(),
            len,
        )
    }
}

/// Reports the release of the interface and the language. Returns 0 or -1.
///
/// # Safety
/// The function set by `iotx_set_report_func` may be called with `pclient`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_report_devinfo(pclient: *mut c_void) -> c_int {
    guard(FAIL_RETURN, || {
        // SAFETY: the caller's promise.
        let result = unsafe { send(pclient, report::device_info) };
        if result < 0 {
            FAIL_RETURN
        } else {
            SUCCESS_RETURN
        }
    })
}

/// Reports the firmware version of `HAL_GetFirmwareVersion` with the module name. Returns 0, -1, or the
/// negative number that the function returned.
///
/// # Safety
/// The function set by `iotx_set_report_func` may be called with `pclient`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_report_firmware_version(pclient: *mut c_void) -> c_int {
    guard(FAIL_RETURN, || {
        // SAFETY: the caller's promise.
        let result = unsafe {
            send(pclient, |names, id| {
                report::version_report(names, id, &seam::firmware_version()?)
            })
        };
        result.min(SUCCESS_RETURN)
    })
}

/// Reports nothing: the message it once sent is no longer used. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_report_mid(_pclient: *mut c_void) -> c_int {
    SUCCESS_RETURN
}
