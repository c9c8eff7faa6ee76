//! The functions of `infra_compat.h`: events, settings, log level.

use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use super::barrier::guard;
use super::infra_types::{
    IOT_LogLevel, IOTX_DEVICE_NAME_LEN, IOTX_DEVICE_SECRET_LEN, IOTX_PRODUCT_KEY_LEN,
    iotx_conn_info_t,
};
use super::registry::{self, Event};
use super::{cstr, ioctl, log, memory};
use crate::state;

/// Handler of a state event, `state_handler_t` of the header.
type StateHandler = unsafe extern "C" fn(c_int, *const c_char) -> c_int;

/// Writes one exported register function per event, typed as in the header.
macro_rules! register_functions {
    ($($event:ident: $function:ident($callback:ty);)+) => {
        $(
            /// Target of `IOT_RegisterCallback` for this event: stores `cb`, NULL clears.
            /// Returns 0. Any thread.
            ///
            /// # Safety
            /// `cb` is NULL or a C function of the declared type that stays callable, from any
            /// thread that can cause the event, until it is replaced.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $function(cb: Option<$callback>) -> c_int {
                guard(0, || {
                    log::init();
                    let callback = cb.map_or(ptr::null_mut(), |function| function as *mut c_void);
                    registry::register(Event::$event, callback);
                    0
                })
            }
        )+
    };
}

register_functions! {
    AwssStatus: iotx_register_for_ITE_AWSS_STATUS(unsafe extern "C" fn(c_int) -> c_int);
    ConnectSucc: iotx_register_for_ITE_CONNECT_SUCC(unsafe extern "C" fn() -> c_int);
    ConnectFail: iotx_register_for_ITE_CONNECT_FAIL(unsafe extern "C" fn() -> c_int);
    Disconnected: iotx_register_for_ITE_DISCONNECTED(unsafe extern "C" fn() -> c_int);
    RawdataArrived: iotx_register_for_ITE_RAWDATA_ARRIVED(
        unsafe extern "C" fn(c_int, *const c_uchar, c_int) -> c_int);
    ServiceRequest: iotx_register_for_ITE_SERVICE_REQUEST(
        unsafe extern "C" fn(c_int, *const c_char, c_int, *const c_char, c_int,
            *mut *mut c_char, *mut c_int) -> c_int);
    ServiceRequestExt: iotx_register_for_ITE_SERVICE_REQUEST_EXT(
        unsafe extern "C" fn(c_int, *const c_char, c_int, *const c_char, c_int,
            *const c_char, c_int, *mut c_void) -> c_int);
    PropertySet: iotx_register_for_ITE_PROPERTY_SET(
        unsafe extern "C" fn(c_int, *const c_char, c_int) -> c_int);
    PropertyDesiredGetReply: iotx_register_for_ITE_PROPERTY_DESIRED_GET_REPLY(
        unsafe extern "C" fn(*const c_char, c_int) -> c_int);
    PropertyGet: iotx_register_for_ITE_PROPERTY_GET(
        unsafe extern "C" fn(c_int, *const c_char, c_int, *mut *mut c_char, *mut c_int) -> c_int);
    ReportReply: iotx_register_for_ITE_REPORT_REPLY(
        unsafe extern "C" fn(c_int, c_int, c_int, *const c_char, c_int) -> c_int);
    TriggerEventReply: iotx_register_for_ITE_TRIGGER_EVENT_REPLY(
        unsafe extern "C" fn(c_int, c_int, c_int, *const c_char, c_int,
            *const c_char, c_int) -> c_int);
    TimestampReply: iotx_register_for_ITE_TIMESTAMP_REPLY(
        unsafe extern "C" fn(*const c_char) -> c_int);
    TopolistReply: iotx_register_for_ITE_TOPOLIST_REPLY(
        unsafe extern "C" fn(c_int, c_int, c_int, *const c_char, c_int) -> c_int);
    PermitJoin: iotx_register_for_ITE_PERMIT_JOIN(
        unsafe extern "C" fn(*const c_char, c_int) -> c_int);
    InitializeCompleted: iotx_register_for_ITE_INITIALIZE_COMPLETED(
        unsafe extern "C" fn(c_int) -> c_int);
    Fota: iotx_register_for_ITE_FOTA(unsafe extern "C" fn(c_int, *const c_char) -> c_int);
    FotaModule: iotx_register_for_ITE_FOTA_MODULE(
        unsafe extern "C" fn(c_int, *const c_char, *const c_char) -> c_int);
    Cota: iotx_register_for_ITE_COTA(
        unsafe extern "C" fn(c_int, *const c_char, c_int, *const c_char, *const c_char,
            *const c_char, *const c_char) -> c_int);
    MqttConnectSucc: iotx_register_for_ITE_MQTT_CONNECT_SUCC(unsafe extern "C" fn() -> c_int);
    CloudError: iotx_register_for_ITE_CLOUD_ERROR(
        unsafe extern "C" fn(c_int, *const c_char, *const c_char) -> c_int);
    DynregDeviceSecret: iotx_register_for_ITE_DYNREG_DEVICE_SECRET(
        unsafe extern "C" fn(*const c_char) -> c_int);
    IdentityResponse: iotx_register_for_ITE_IDENTITY_RESPONSE(
        unsafe extern "C" fn(*const c_char) -> c_int);
    BindEvent: iotx_register_for_ITE_BIND_EVENT(unsafe extern "C" fn(*const c_char) -> c_int);
    StateEverything: iotx_register_for_ITE_STATE_EVERYTHING(StateHandler);
    StateUserInput: iotx_register_for_ITE_STATE_USER_INPUT(StateHandler);
    StateSysDepend: iotx_register_for_ITE_STATE_SYS_DEPEND(StateHandler);
    StateMqttComm: iotx_register_for_ITE_STATE_MQTT_COMM(StateHandler);
    StateWifiProv: iotx_register_for_ITE_STATE_WIFI_PROV(StateHandler);
    StateCoapLocal: iotx_register_for_ITE_STATE_COAP_LOCAL(StateHandler);
    StateHttpComm: iotx_register_for_ITE_STATE_HTTP_COMM(StateHandler);
    StateOta: iotx_register_for_ITE_STATE_OTA(StateHandler);
    StateDevBind: iotx_register_for_ITE_STATE_DEV_BIND(StateHandler);
    StateDevModel: iotx_register_for_ITE_STATE_DEV_MODEL(StateHandler);
}

/// The function registered for the event number `evt`; NULL when there is none or `evt` is out of
/// range. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_event_callback(evt: c_int) -> *mut c_void {
    guard(ptr::null_mut(), || registry::callback(evt))
}

/// The one callback of `iotx_event_post`.
static MONITOR: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Sets the one callback of [`iotx_event_post`]; NULL removes it. Returns 0. Any thread.
///
/// # Safety
/// `monitor_cb` is NULL or a C function of this type that stays callable until it is replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_event_regist_cb(
    monitor_cb: Option<unsafe extern "C" fn(c_int)>,
) -> c_int {
    let callback = monitor_cb.map_or(ptr::null_mut(), |function| function as *mut c_void);
    MONITOR.store(callback, Ordering::Release);
    0
}

/// Calls the callback set by [`iotx_event_regist_cb`] with `event`, on this thread. Returns 0, or -1
/// without a callback.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_event_post(event: c_int) -> c_int {
    guard(-1, || {
        let callback = MONITOR.load(Ordering::Acquire);
        if callback.is_null() {
            return -1;
        }
        // SAFETY: only iotx_event_regist_cb writes the pointer, from a function of this type.
        unsafe {
            std::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_int)>(callback)(event);
        }
        0
    })
}

/// Reads or writes a process-wide setting; the options are listed in [`ioctl`]. Returns 0, or -1 for
/// an unknown option, NULL or a refused value. Any thread.
///
/// # Safety
/// `data` is NULL or points to what the option takes: a terminated string, an `int`, a `uint16_t`,
/// or a buffer of the documented size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_Ioctl(option: c_int, data: *mut c_void) -> c_int {
    guard(state::FAIL_RETURN, || {
        log::init();
        // SAFETY: the caller promises that `data` fits the option.
        unsafe { ioctl::control(option, data) }
    })
}

/// Checks the three strings and hands out a static block that selects the defaults.
///
/// Returns 0, or `NULL_VALUE_ERROR` when a string is NULL or longer than 20, 32 and 64 bytes; no
/// more bytes than that are read. The strings are not stored. `*info_ptr` then points to an
/// `iotx_conn_info_t` of the library with empty strings and port 0, which the caller may read and
/// change, but not free. Any thread.
///
/// # Safety
/// Each string is NULL, terminated, or at least one byte longer than its limit; `info_ptr` is NULL
/// or points to a writable pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_SetupConnInfo(
    product_key: *const c_char,
    device_name: *const c_char,
    device_secret: *const c_char,
    info_ptr: *mut *mut c_void,
) -> c_int {
    guard(state::NULL_VALUE_ERROR, || {
        log::init();
        let strings = [
            (product_key, IOTX_PRODUCT_KEY_LEN),
            (device_name, IOTX_DEVICE_NAME_LEN),
            (device_secret, IOTX_DEVICE_SECRET_LEN),
        ];
        for (text, max) in strings {
            // SAFETY: the caller promises a terminated string or more than `max` bytes.
            if unsafe { cstr::bounded(text, max) }.is_none() {
                return state::NULL_VALUE_ERROR;
            }
        }
        if !info_ptr.is_null() {
            // SAFETY: not NULL, and the caller promises a writable pointer.
            unsafe { info_ptr.write(conn_info().cast()) };
        }
        state::SUCCESS_RETURN
    })
}

/// The address of the one connection block. It is never freed and never read by the library, so the
/// application may write to it.
fn conn_info() -> *mut iotx_conn_info_t {
    /// One empty string per member; atomic, because the application may write into them.
    static EMPTY: [AtomicU8; 5] = [const { AtomicU8::new(0) }; 5];
    static BLOCK: OnceLock<AtomicPtr<iotx_conn_info_t>> = OnceLock::new();

    let block = BLOCK.get_or_init(|| {
        let empty = |at: usize| EMPTY[at].as_ptr().cast::<c_char>();
        let block = Box::new(iotx_conn_info_t {
            port: 0,
            init: 0,
            host_name: empty(0),
            client_id: empty(1),
            username: empty(2),
            password: empty(3),
            pub_key: empty(4),
        });
        AtomicPtr::new(Box::into_raw(block))
    });
    block.load(Ordering::Acquire)
}

/// Prints messages up to `level` (0...5) from now on, starting with one line that states the number.
/// Another value changes nothing and prints a note. Any thread. The shim defines `IOT_SetLogLevel` weakly on top
/// of it, because the SDK keeps that function in `infra_log.c`, which firmware may still compile.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_set_log_level(level: IOT_LogLevel) {
    guard((), || {
        log::init();
        log::set_level(level);
    });
}

/// Prints the counters of the library if `level` is printed now; a value above 5 counts as 5. Can be
/// repeated. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn IOT_DumpMemoryStats(level: IOT_LogLevel) {
    guard((), || {
        log::init();
        memory::dump(level);
    });
}
