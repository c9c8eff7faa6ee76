//! SDK 2.2.1: `iotx_conn_info_t` with embedded arrays, a parameter block with buffers of the
//! application's, TCP or TLS by `pub_key`, log functions, four options.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::{offset_of, size_of};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::super::barrier::guard;
use super::super::dev_sign_api::{fill, sign};
use super::super::mqtt_api;
use super::super::mqtt_params::{Rules, split_scheme};
use super::super::mqtt_types::{
    iotx_mqtt_event_handle_func_fpt, iotx_mqtt_event_handle_t, iotx_mqtt_param_t, iotx_mqtt_qos_t,
};
use super::super::registry::StateSlot;
use super::super::{ioctl, log as console};
use super::v3_0::iotx_v30_MQTT_Subscribe_Sync;
use super::{Triple, refuse_construct, subscribe_waiting};
use crate::hal::seam;
use crate::sign::link_sdk::{Device, SecureMode};
use crate::state;

/// Port of 2.2.1 for TCP and TLS.
const PORT: u16 = 1883;

/// `iotx_conn_info_t` of 2.2.1.
#[repr(C)]
#[allow(non_camel_case_types)] // C name.
pub struct iotx_v22_conn_info_t {
    /// Port.
    pub port: u16,
    /// Host name, terminated.
    pub host_name: [c_char; 129],
    /// Client identifier, terminated.
    pub client_id: [c_char; 257],
    /// User name, terminated.
    pub username: [c_char; 513],
    /// Password, terminated.
    pub password: [c_char; 257],
    /// Trusted certificates, PEM.
    pub pub_key: *const c_char,
}

/// `iotx_mqtt_param_t` of 2.2.1.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)] // C name.
pub struct iotx_v22_mqtt_param_t {
    /// Port.
    pub port: u16,
    /// Host name.
    pub host: *const c_char,
    /// Client identifier.
    pub client_id: *const c_char,
    /// User name.
    pub username: *const c_char,
    /// Password.
    pub password: *const c_char,
    /// Trusted certificates, PEM; NULL connects over TCP.
    pub pub_key: *const c_char,
    /// 1 for a clean session.
    pub clean_session: u8,
    /// Longest wait for an answer in milliseconds.
    pub request_timeout_ms: u32,
    /// Keep-alive interval in milliseconds.
    pub keepalive_interval_ms: u32,
    /// Not used: the library brings its buffers.
    pub pwrite_buf: *mut c_char,
    /// Largest packet to send in bytes.
    pub write_buf_size: u32,
    /// Not used: the library brings its buffers.
    pub pread_buf: *mut c_char,
    /// Largest packet to receive in bytes.
    pub read_buf_size: u32,
    /// Handler of connection events and of messages no other handler wants.
    pub handle_event: iotx_mqtt_event_handle_t,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<iotx_v22_conn_info_t>() == 1168);
    assert!(size_of::<iotx_v22_mqtt_param_t>() == 112);
    assert!(offset_of!(iotx_v22_mqtt_param_t, pwrite_buf) == 64);
    assert!(offset_of!(iotx_v22_mqtt_param_t, read_buf_size) == 88);
    assert!(offset_of!(iotx_v22_mqtt_param_t, handle_event) == 96);
};

#[cfg(target_pointer_width = "32")]
const _: () = {
    assert!(size_of::<iotx_v22_conn_info_t>() == 1164);
    assert!(size_of::<iotx_v22_mqtt_param_t>() == 60);
};

/// Only one thread fills the block at a time.
static FILLING: Mutex<()> = Mutex::new(());

/// The one connection block, never freed, so that its strings stay valid for whoever kept them.
fn block() -> *mut iotx_v22_conn_info_t {
    static BLOCK: OnceLock<AtomicPtr<iotx_v22_conn_info_t>> = OnceLock::new();
    let block = BLOCK.get_or_init(|| {
        AtomicPtr::new(Box::into_raw(Box::new(iotx_v22_conn_info_t {
            port: 0,
            host_name: [0; 129],
            client_id: [0; 257],
            username: [0; 513],
            password: [0; 257],
            pub_key: ptr::null(),
        })))
    });
    block.load(Ordering::Acquire)
}

/// Makes `triple` the identity of the process, signs it and fills the connection block, which is
/// valid until the next call. The port is that of `IOT_Ioctl`, else `port`. -1 as error.
pub(super) fn connection(triple: &Triple, port: u16) -> Result<*mut iotx_v22_conn_info_t, c_int> {
    if triple.missing().is_some() || !triple.store() {
        return Err(state::FAIL_RETURN);
    }
    let store = ioctl::store();
    let device = Device {
        product_key: &triple.product_key,
        device_name: &triple.device_name,
        device_secret: &triple.device_secret,
    };
    let signed = sign(store.region, &device).map_err(|code| {
        log::error!("cannot sign the connect parameters: {code}");
        state::FAIL_RETURN
    })?;
    let _filling = FILLING.lock().unwrap_or_else(PoisonError::into_inner);
    let block = block();
    // SAFETY: the block lives for ever, and the lock keeps other fillers away; each size is that of
    // the array. iotx_ca_crt is an aligned pointer variable the application may assign.
    unsafe {
        (*block).port = store.mqtt_port.unwrap_or(port);
        fill((&raw mut (*block).host_name).cast(), 129, &signed.host);
        fill((&raw mut (*block).client_id).cast(), 257, &signed.client_id);
        fill((&raw mut (*block).username).cast(), 513, &signed.username);
        let password = signed.password.as_bytes();
        fill((&raw mut (*block).password).cast(), 257, password);
        (*block).pub_key = (&raw const seam::raw::iotx_ca_crt).read_volatile();
    }
    Ok(block)
}

/// `IOT_SetupConnInfo` of 2.2.1: stores the triple as the identity of the process and hands out a
/// signed connection block of the library, valid until the next call. Returns 0, or -1 for a NULL,
/// empty or too long argument, or when signing fails (`*info_ptr` is then NULL).
///
/// # Safety
/// Each string is NULL, terminated, or longer than its limit; `info_ptr` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v22_SetupConnInfo(
    product_key: *const c_char,
    device_name: *const c_char,
    device_secret: *const c_char,
    info_ptr: *mut *mut c_void,
) -> c_int {
    guard(state::FAIL_RETURN, || {
        console::init();
        if info_ptr.is_null() {
            return state::FAIL_RETURN;
        }
        // SAFETY: the caller's promise.
        let triple = unsafe { Triple::of_c(product_key, device_name, device_secret) };
        let filled = triple.map_or(Err(state::FAIL_RETURN), |one| connection(&one, PORT));
        // SAFETY: not NULL, writable by the caller's promise.
        unsafe { info_ptr.write(filled.map_or(ptr::null_mut(), <*mut _>::cast)) };
        filled.err().unwrap_or(state::SUCCESS_RETURN)
    })
}

/// `IOT_Ioctl` with the options of 2.2.1: region and dynamic registration.
///
/// # Safety
/// `data` is NULL or points to an `int`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v22_Ioctl(option: c_int, data: *mut c_void) -> c_int {
    guard(state::FAIL_RETURN, || {
        console::init();
        // SAFETY: the caller promises that `data` fits the option.
        unsafe {
            match option {
                0 | 1 => ioctl::control(option, data),
                2 => set_dynamic_register(data),
                3 => get_dynamic_register(data),
                _ => state::FAIL_RETURN,
            }
        }
    })
}

/// SET_DYNAMIC_REGISTER: 0 is what the older programs say at every start. 1 is refused: these versions
/// registered before they signed, where there was no Construct yet.
///
/// # Safety
/// `data` is NULL or points to an `int`.
pub(super) unsafe fn set_dynamic_register(data: *mut c_void) -> c_int {
    // SAFETY: the caller's promise; read only if not NULL.
    if data.is_null() || unsafe { data.cast::<c_int>().read_unaligned() } != 0 {
        return state::FAIL_RETURN;
    }
    // SAFETY: as above, option 4 takes an int.
    unsafe { ioctl::control(4, data) }
}

/// GET_DYNAMIC_REGISTER.
///
/// # Safety
/// `data` is NULL or points to a writable `int`.
pub(super) unsafe fn get_dynamic_register(data: *mut c_void) -> c_int {
    // SAFETY: the caller's promise, option 5 writes an int.
    unsafe { ioctl::control(5, data) }
}

/// Whether a block of 2.x names everything 2.x asks for: host, client id, user name and password.
///
/// # Safety
/// The strings are NULL or terminated.
pub(super) unsafe fn is_complete(param: &iotx_mqtt_param_t) -> bool {
    let strings = [param.host, param.client_id, param.username, param.password];
    // SAFETY: a string that is not NULL has at least its terminator.
    strings
        .iter()
        .all(|text| !text.is_null() && unsafe { text.read() } != 0)
}

/// Connects with a block of 2.x after the checks of 2.x. NULL on failure.
///
/// # Safety
/// As for `IOT_MQTT_Construct`.
pub(super) unsafe fn connect(param: &iotx_mqtt_param_t, rules: &Rules) -> *mut c_void {
    // SAFETY: the caller's promise.
    if !unsafe { is_complete(param) } {
        let text = "host, client id, user name or password is missing";
        return refuse_construct(StateSlot::UserInput, state::STATE_USER_INPUT_INVALID, text);
    }
    if ioctl::store().product_key.is_empty() {
        // A block filled without IOT_SetupConnInfo: the reports of the library need the names.
        let triple = Triple::of_port();
        if triple.missing().is_none() {
            triple.store();
        }
    }
    let mut param = *param;
    // SAFETY: `is_complete` found both; they are terminated by the caller's promise.
    let over_tcp = unsafe { client_id_for_tcp(param.host, param.client_id, rules) };
    if let Some(client_id) = &over_tcp {
        param.client_id = client_id.as_ptr();
    }
    // SAFETY: the caller's promise; the client id of our own lives until the end.
    let client = unsafe { mqtt_api::construct(Some(&param), rules) };
    subscribe_waiting(client);
    client
}

/// `IOT_MQTT_Construct` of 2.2.1: `pub_key` NULL connects over TCP, else over TLS. The buffers of
/// the block are not used. NULL on failure.
///
/// # Safety
/// `param` is NULL or points to the block of 2.2.1 whose strings are NULL or terminated; its handler
/// may be called until Destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v22_MQTT_Construct(param: *mut iotx_v22_mqtt_param_t) -> *mut c_void {
    guard(ptr::null_mut(), || {
        console::init();
        if let Some(handle) = mqtt_api::live() {
            return handle as *mut c_void;
        }
        // SAFETY: NULL or valid by the caller's promise; it is copied here.
        let Some(older) = (unsafe { param.as_ref() }).copied() else {
            let text = "the parameter block is NULL";
            return refuse_construct(StateSlot::UserInput, state::STATE_USER_INPUT_INVALID, text);
        };
        let tcp = older.pub_key.is_null();
        let current = iotx_mqtt_param_t {
            port: older.port,
            host: older.host,
            client_id: older.client_id,
            username: older.username,
            password: older.password,
            customize_info: ptr::null(),
            pub_key: older.pub_key,
            clean_session: older.clean_session,
            request_timeout_ms: older.request_timeout_ms,
            keepalive_interval_ms: older.keepalive_interval_ms,
            write_buf_size: older.write_buf_size,
            read_buf_size: older.read_buf_size,
            handle_event: older.handle_event,
        };
        let rules = Rules {
            request_timeout_ms: (500, 5_000, 2_000),
            buffer_default: 1_024,
            transport: if tcp {
                SecureMode::Tcp
            } else {
                SecureMode::Tls
            },
            keeps_secret: false,
        };
        // SAFETY: the caller's promise.
        unsafe { connect(&current, &rules) }
    })
}

/// The client id with the `securemode` of TCP if the connection is TCP and it has that of TLS:
/// `IOT_SetupConnInfo` could not know which one the program would choose, and the signature does not
/// cover it.
///
/// # Safety
/// Both are terminated strings.
unsafe fn client_id_for_tcp(
    host: *const c_char,
    client_id: *const c_char,
    rules: &Rules,
) -> Option<CString> {
    // SAFETY: terminated by the caller's promise.
    let (host, client_id) = unsafe { (CStr::from_ptr(host), CStr::from_ptr(client_id)) };
    let (_, transport) = split_scheme(host.to_str().ok()?, rules.transport);
    let client_id = client_id.to_str().ok()?;
    if transport != SecureMode::Tcp || !client_id.contains("securemode=2,") {
        return None;
    }
    CString::new(client_id.replacen("securemode=2,", "securemode=3,", 1)).ok()
}

/// `IOT_MQTT_Subscribe_Sync` of 2.2.1. `do_yield` is not needed: the call reads what no other thread
/// reads.
///
/// # Safety
/// As for `IOT_MQTT_Subscribe_Sync`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v22_MQTT_Subscribe_Sync(
    handle: *mut c_void,
    topic_filter: *const c_char,
    qos: iotx_mqtt_qos_t,
    topic_handle_func: iotx_mqtt_event_handle_func_fpt,
    pcontext: *mut c_void,
    timeout_ms: c_int,
    _do_yield: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        iotx_v30_MQTT_Subscribe_Sync(
            handle,
            topic_filter,
            qos,
            topic_handle_func,
            pcontext,
            timeout_ms,
        )
    }
}

/// `IOT_OpenLog` of 2.2.1: the log needs no opening, the name of the module is not used.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_v22_OpenLog(_ident: *const c_char) {
    guard((), console::init);
}

/// `IOT_CloseLog` of 2.2.1: silences the log until `IOT_SetLogLevel`.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_v22_CloseLog() {
    guard((), || {
        console::init();
        console::set_level(0);
    });
}
