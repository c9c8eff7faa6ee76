//! SDK 2.3.0: the shorter parameter block, the identity as arguments of `IOT_SetupConnInfo`, other
//! option, event and state numbers.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::{offset_of, size_of, transmute};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::super::barrier::guard;
use super::super::infra_types::iotx_conn_info_t;
use super::super::mqtt_api;
use super::super::mqtt_params::Rules;
use super::super::mqtt_types::{iotx_mqtt_event_handle_t, iotx_mqtt_param_t};
use super::super::registry::{self, EVENTS as EVENT_COUNT, Event, StateSlot};
use super::super::{ioctl, log as console};
use super::v2_2::{
    connect, connection, get_dynamic_register, iotx_v22_conn_info_t, set_dynamic_register,
};
use super::{Triple, event_of, refuse_construct};
use crate::sign::link_sdk::SecureMode;
use crate::state;

/// Port of 2.3.0 with TLS.
const PORT: u16 = 443;

/// Defaults of 2.3.0.
const RULES: Rules = Rules {
    request_timeout_ms: (500, 5_000, 2_000),
    buffer_default: 1_280,
    transport: SecureMode::Tls,
    keeps_secret: false,
};

/// `iotx_ioctl_event_t` of 2.3.0, in order.
pub(super) const EVENTS: [Event; 30] = [
    Event::AwssStatus,
    Event::ConnectSucc,
    Event::ConnectFail,
    Event::Disconnected,
    Event::RawdataArrived,
    Event::ServiceRequest,
    Event::PropertySet,
    Event::PropertyGet,
    Event::ReportReply,
    Event::TriggerEventReply,
    Event::TimestampReply,
    Event::TopolistReply,
    Event::PermitJoin,
    Event::InitializeCompleted,
    Event::Fota,
    Event::Cota,
    Event::MqttConnectSucc,
    Event::CloudError,
    Event::StateEverything,
    Event::StateUserInput,
    Event::StateSysDepend,
    Event::StateMqttComm,
    Event::StateWifiProv,
    Event::StateCoapLocal,
    Event::StateHttpComm,
    Event::StateOta,
    Event::StateDevBind,
    Event::StateSubDevice,
    Event::EventNotify,
    Event::StateDevModel,
];

/// `iotx_mqtt_param_t` of 2.3.0.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)] // C name.
pub struct iotx_v23_mqtt_param_t {
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
    /// Trusted certificates, PEM.
    pub pub_key: *const c_char,
    /// 1 for a clean session.
    pub clean_session: u8,
    /// Longest wait for an answer in milliseconds.
    pub request_timeout_ms: u32,
    /// Keep-alive interval in milliseconds.
    pub keepalive_interval_ms: u32,
    /// Largest packet to send in bytes.
    pub write_buf_size: u32,
    /// Largest packet to receive in bytes.
    pub read_buf_size: u32,
    /// Handler of connection events and of messages no other handler wants.
    pub handle_event: iotx_mqtt_event_handle_t,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<iotx_v23_mqtt_param_t>() == 88);
    assert!(offset_of!(iotx_v23_mqtt_param_t, pub_key) == 40);
    assert!(offset_of!(iotx_v23_mqtt_param_t, read_buf_size) == 64);
    assert!(offset_of!(iotx_v23_mqtt_param_t, handle_event) == 72);
};

#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<iotx_v23_mqtt_param_t>() == 52);

/// The block of 2.3.0, whose strings are those of `texts`.
fn block(texts: *mut iotx_v22_conn_info_t) -> *mut iotx_conn_info_t {
    static BLOCK: OnceLock<AtomicPtr<iotx_conn_info_t>> = OnceLock::new();
    // SAFETY: the texts live for ever; only their addresses are taken.
    let fresh = unsafe {
        iotx_conn_info_t {
            port: (*texts).port,
            init: 1,
            host_name: (&raw mut (*texts).host_name).cast(),
            client_id: (&raw mut (*texts).client_id).cast(),
            username: (&raw mut (*texts).username).cast(),
            password: (&raw mut (*texts).password).cast(),
            pub_key: (*texts).pub_key,
        }
    };
    let block = BLOCK
        .get_or_init(|| AtomicPtr::new(Box::into_raw(Box::new(fresh))))
        .load(Ordering::Acquire);
    // SAFETY: never freed; programs do not set up and read connection parameters at the same time.
    unsafe { block.write(fresh) };
    block
}

/// `IOT_SetupConnInfo` of 2.3.0: stores the triple as the identity of the process, tells it to
/// `HAL_SetProductKey` and its siblings, and hands out a signed connection block of the library,
/// valid until the next call. `info_ptr` may be NULL. Returns 0, or -1 for a NULL, empty or too long
/// string, or when signing fails.
///
/// # Safety
/// Each string is NULL, terminated, or longer than its limit; `info_ptr` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v23_SetupConnInfo(
    product_key: *const c_char,
    device_name: *const c_char,
    device_secret: *const c_char,
    info_ptr: *mut *mut c_void,
) -> c_int {
    guard(state::FAIL_RETURN, || {
        console::init();
        // SAFETY: the caller's promise.
        let triple = unsafe { Triple::of_c(product_key, device_name, device_secret) };
        let Some(triple) = triple.filter(|triple| triple.missing().is_none()) else {
            return state::FAIL_RETURN;
        };
        triple.tell_port();
        let filled = connection(&triple, PORT);
        if !info_ptr.is_null() {
            let info = filled.map_or(ptr::null_mut(), |texts| block(texts).cast());
            // SAFETY: not NULL, writable by the caller's promise.
            unsafe { info_ptr.write(info) };
        }
        filled.err().unwrap_or(state::SUCCESS_RETURN)
    })
}

/// `IOT_Ioctl` with the options of 2.3.0. SET_ENDPOINT is SET_MQTT_DOMAIN; SET_ENV,
/// SET_UUID_ENABLED and SET_BOOTSTRAP_ENABLED accept 0, which is what the library does.
///
/// # Safety
/// `data` is NULL or points to what the option takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v23_Ioctl(option: c_int, data: *mut c_void) -> c_int {
    guard(state::FAIL_RETURN, || {
        console::init();
        // SAFETY: the caller promises that `data` fits the option; 4 to 16 below are ints.
        unsafe {
            let current = match option {
                0..=2 => option,
                3 => 14,
                4 | 15 | 16 => {
                    let off = !data.is_null() && data.cast::<c_int>().read_unaligned() == 0;
                    return if off {
                        state::SUCCESS_RETURN
                    } else {
                        state::FAIL_RETURN
                    };
                }
                5 => 3,
                6 => return set_dynamic_register(data),
                7 => return get_dynamic_register(data),
                8..=12 => option - 2,
                13 => 2,
                14 => 18,
                _ => return state::FAIL_RETURN,
            };
            ioctl::control(current, data)
        }
    })
}

/// `IOT_MQTT_Construct` of 2.3.0, over TLS. NULL parameters ask `HAL_GetProductKey` and its siblings
/// who the device is. NULL on failure, also when host, port, client id, user name or password is
/// missing. Subscriptions made before are sent when the connection stands.
///
/// # Safety
/// `param` is NULL or points to the block of 2.3.0 whose strings are NULL or terminated; its handler
/// may be called until Destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v23_MQTT_Construct(param: *mut iotx_v23_mqtt_param_t) -> *mut c_void {
    guard(ptr::null_mut(), || {
        console::init();
        if let Some(handle) = mqtt_api::live() {
            return handle as *mut c_void;
        }
        // SAFETY: all-zero is a valid block: NULL strings, zero numbers, no handler.
        let mut current: iotx_mqtt_param_t = unsafe { std::mem::zeroed() };
        // SAFETY: NULL or valid by the caller's promise; it is copied here.
        match (unsafe { param.as_ref() }).copied() {
            Some(older) => {
                current.port = older.port;
                current.host = older.host;
                current.client_id = older.client_id;
                current.username = older.username;
                current.password = older.password;
                current.pub_key = older.pub_key;
                current.clean_session = older.clean_session;
                current.request_timeout_ms = older.request_timeout_ms;
                current.keepalive_interval_ms = older.keepalive_interval_ms;
                current.write_buf_size = older.write_buf_size;
                current.read_buf_size = older.read_buf_size;
                current.handle_event = older.handle_event;
            }
            None => {
                let triple = Triple::of_port();
                if let Some(code) = triple.missing() {
                    let text = "product key, device name or device secret is missing in the port";
                    return refuse_construct(StateSlot::UserInput, code, text);
                }
                let Ok(texts) = connection(&triple, PORT) else {
                    let text = "cannot sign the connect parameters";
                    return refuse_construct(
                        StateSlot::UserInput,
                        state::STATE_USER_INPUT_INVALID,
                        text,
                    );
                };
                // SAFETY: the texts live for ever; only their addresses and two numbers are taken.
                unsafe {
                    current.port = (*texts).port;
                    current.host = (&raw const (*texts).host_name).cast();
                    current.client_id = (&raw const (*texts).client_id).cast();
                    current.username = (&raw const (*texts).username).cast();
                    current.password = (&raw const (*texts).password).cast();
                    current.pub_key = (*texts).pub_key;
                }
            }
        }
        if current.port == 0 {
            let text = "the port is 0";
            return refuse_construct(StateSlot::UserInput, state::STATE_USER_INPUT_INVALID, text);
        }
        // SAFETY: the caller's promise, or strings of our own.
        unsafe { connect(&current, &RULES) }
    })
}

// ---- events --------------------------------------------------------------------------------------

type StateHandler = unsafe extern "C" fn(c_int, *const c_char) -> c_int;

/// State codes that had another number, as (current, 2.3.0). No number of 2.3.0 is lost on the way
/// there and back.
const CODES: [(i32, i32); 11] = [
    (state::STATE_SYS_DEPEND_MUTEX_CREATE, -0x0209),
    (state::STATE_SYS_DEPEND_MUTEX_LOCK, -0x020A),
    (state::STATE_SYS_DEPEND_MUTEX_UNLOCK, -0x020B),
    (state::STATE_SYS_DEPEND_NWK_CLOSE, -0x020C),
    (state::STATE_SYS_DEPEND_NWK_TIMEOUT, -0x020D),
    (state::STATE_SYS_DEPEND_NWK_INVALID_HANDLE, -0x020E),
    // Without a name in 2.3.0, which reported a closed network instead.
    (state::STATE_SYS_DEPEND_NWK_READ_ERROR, -0x020C),
    // Timers of 2.3.0: their numbers are those of mutexes now. These are used for nothing else.
    (-0x0E05, -0x0205),
    (-0x0E06, -0x0206),
    (-0x0E07, -0x0207),
    (-0x0E08, -0x0208),
];

/// The number of 2.3.0 for a state code of the library.
fn code_of_2_3(code: i32) -> i32 {
    let same = CODES.iter().find(|(current, _)| *current == code);
    same.map_or(code, |(_, older)| *older)
}

/// The number of the library for a state code of 2.3.0.
fn code_of_now(code: i32) -> i32 {
    let same = CODES.iter().find(|(_, older)| *older == code);
    same.map_or(code, |(current, _)| *current)
}

/// State handlers of a program of 2.3.0, by event; what the registry holds is a relay that gives
/// them the numbers they know.
static HANDLERS: [AtomicPtr<c_void>; EVENT_COUNT] =
    [const { AtomicPtr::new(ptr::null_mut()) }; EVENT_COUNT];

unsafe extern "C" fn relay<const EVENT: usize>(code: c_int, text: *const c_char) -> c_int {
    let handler = HANDLERS[EVENT].load(Ordering::Acquire);
    if handler.is_null() {
        return 0;
    }
    // SAFETY: only `register_state` writes the slots, from functions of this type; `text` is under
    // the promise of the registry.
    unsafe { transmute::<*mut c_void, StateHandler>(handler)(code_of_2_3(code), text) }
}

fn register_state<const EVENT: usize>(event: Event, cb: Option<StateHandler>) -> c_int {
    guard(0, || {
        console::init();
        let handler = cb.map_or(ptr::null_mut(), |function| function as *mut c_void);
        HANDLERS[EVENT].store(handler, Ordering::Release);
        let relay: StateHandler = relay::<EVENT>;
        let relay = if handler.is_null() {
            ptr::null_mut()
        } else {
            relay as *mut c_void
        };
        registry::register(event, relay);
        0
    })
}

macro_rules! state_functions {
    ($($event:ident: $function:ident;)+) => {
        $(
            /// Target of `IOT_RegisterCallback` of 2.3.0 for this state event: the handler gets the
            /// codes of 2.3.0. NULL clears. Returns 0. Any thread.
            ///
            /// # Safety
            /// `cb` is NULL or a C function of the declared type that stays callable until it is
            /// replaced.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $function(cb: Option<StateHandler>) -> c_int {
                register_state::<{ Event::$event as usize }>(Event::$event, cb)
            }
        )+
    };
}

state_functions! {
    StateEverything: iotx_v23_register_for_ITE_STATE_EVERYTHING;
    StateUserInput: iotx_v23_register_for_ITE_STATE_USER_INPUT;
    StateSysDepend: iotx_v23_register_for_ITE_STATE_SYS_DEPEND;
    StateMqttComm: iotx_v23_register_for_ITE_STATE_MQTT_COMM;
    StateWifiProv: iotx_v23_register_for_ITE_STATE_WIFI_PROV;
    StateCoapLocal: iotx_v23_register_for_ITE_STATE_COAP_LOCAL;
    StateHttpComm: iotx_v23_register_for_ITE_STATE_HTTP_COMM;
    StateOta: iotx_v23_register_for_ITE_STATE_OTA;
    StateDevBind: iotx_v23_register_for_ITE_STATE_DEV_BIND;
    StateSubDevice: iotx_v23_register_for_ITE_STATE_SUB_DEVICE;
    StateDevModel: iotx_v23_register_for_ITE_STATE_DEV_MODEL;
}

/// Target of `IOT_RegisterCallback(ITE_EVENT_NOTIFY, ...)` of 2.3.0. The device model fired it, which
/// this library does not hold. Returns 0.
///
/// # Safety
/// `cb` is NULL or a C function of the declared type that stays callable until it is replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v23_register_for_ITE_EVENT_NOTIFY(
    cb: Option<unsafe extern "C" fn(c_int, *const c_char, c_int) -> c_int>,
) -> c_int {
    guard(0, || {
        let callback = cb.map_or(ptr::null_mut(), |function| function as *mut c_void);
        registry::register(Event::EventNotify, callback);
        0
    })
}

/// `iotx_state_event` of 2.3.0: hands a finished text and a code of 2.3.0 to the handlers of a state
/// event. Returns 0, or -1 when `event` is no state event or has no handler.
///
/// # Safety
/// `state_message` is NULL (taken as "") or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v23_state_event(
    event: c_int,
    state_code: c_int,
    state_message: *const c_char,
) -> c_int {
    guard(state::FAIL_RETURN, || {
        let text = if state_message.is_null() {
            c""
        } else {
            // SAFETY: not NULL, terminated by the caller's promise.
            unsafe { CStr::from_ptr(state_message) }
        };
        let code = code_of_now(state_code);
        match event_of(&EVENTS, event) {
            Some(event) if registry::state_event_of(event, code, text) => state::SUCCESS_RETURN,
            _ => state::FAIL_RETURN,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_codes_there_and_back() {
        for code in -0x0A00..=0 {
            assert_eq!(code_of_2_3(code_of_now(code)), code);
        }
        assert_eq!(code_of_2_3(state::STATE_SYS_DEPEND_NWK_CLOSE), -0x020C);
        assert_eq!(code_of_now(-0x020C), state::STATE_SYS_DEPEND_NWK_CLOSE);
        assert_eq!(
            code_of_2_3(state::STATE_MQTT_PUB_INFO),
            state::STATE_MQTT_PUB_INFO
        );
    }
}
