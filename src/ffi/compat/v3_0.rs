//! SDK 3.0.1: a longer `iotx_sign_mqtt_t`, other option and event numbers, the identity from the
//! port, `iotx_err_t` as results, subscriptions that wait for the connection, other defaults (spec
//! mqtt-session.md §17).
//!
//! 2.x behaves alike in the functions that have its prototypes too, and calls them here.

use std::ffi::{c_char, c_int, c_void};
use std::mem::{offset_of, size_of};
use std::ptr;

use super::super::barrier::guard;
use super::super::dev_sign_api::{device, fill, sign};
use super::super::infra_types::{iotx_dev_meta_info_t, iotx_mqtt_region_types_t};
use super::super::mqtt_api::{
    self, IOT_MQTT_CheckStateNormal, IOT_MQTT_Destroy, IOT_MQTT_Publish, IOT_MQTT_Publish_Simple,
    IOT_MQTT_Subscribe, IOT_MQTT_Subscribe_Sync, IOT_MQTT_Unsubscribe, IOT_MQTT_Yield,
};
use super::super::mqtt_params::Rules;
use super::super::mqtt_types::{
    iotx_mqtt_event_handle_func_fpt, iotx_mqtt_param_t, iotx_mqtt_qos_t, iotx_mqtt_topic_info_pt,
};
use super::super::registry::{Event, StateSlot};
use super::super::{infra_defs, ioctl, log as console};
use super::{
    Triple, callback_of, no_client, older_code, refuse_construct, store_product_secret_of_port,
    subscribe_later, subscribe_waiting,
};
use crate::sign::link_sdk::SecureMode;
use crate::state;

/// `iotx_ioctl_event_t` of 3.0.1, in order.
pub(super) const EVENTS: [Event; 17] = [
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
];

/// Defaults of 3.0.1.
const RULES: Rules = Rules {
    request_timeout_ms: (500, 5_000, 2_000),
    buffer_default: 1_024,
    transport: SecureMode::Tls,
    keeps_secret: true,
};

/// `iotx_sign_mqtt_t` of 3.0.1.
#[repr(C)]
#[allow(non_camel_case_types)] // C name.
pub struct iotx_v30_sign_mqtt_t {
    /// Host name, terminated.
    pub hostname: [c_char; 256],
    /// Port.
    pub port: u16,
    /// Client identifier, terminated.
    pub clientid: [c_char; 200],
    /// User name, terminated.
    pub username: [c_char; 64],
    /// Password, terminated.
    pub password: [c_char; 65],
}

const _: () = {
    assert!(size_of::<iotx_v30_sign_mqtt_t>() == 588);
    assert!(offset_of!(iotx_v30_sign_mqtt_t, port) == 256);
    assert!(offset_of!(iotx_v30_sign_mqtt_t, clientid) == 258);
    assert!(offset_of!(iotx_v30_sign_mqtt_t, password) == 522);
};

/// `IOT_Sign_MQTT` of 3.0.1. Returns 0, -1 for a bad argument, or an `ERROR_DEV_SIGN_*`; on an
/// error `signout` is zeroed, or untouched for -1.
///
/// # Safety
/// `meta` is NULL or points to 184 readable bytes; `signout` is NULL or points to the structure of
/// 3.0.1. They do not overlap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_Sign_MQTT(
    region: iotx_mqtt_region_types_t,
    meta: *mut iotx_dev_meta_info_t,
    signout: *mut iotx_v30_sign_mqtt_t,
) -> i32 {
    console::init();
    guard(state::FAIL_RETURN, || {
        if region > infra_defs::REGION_CUSTOM || meta.is_null() || signout.is_null() {
            return state::FAIL_RETURN;
        }
        // SAFETY: not NULL; the caller promises the 184 bytes.
        let Some(device) = (unsafe { device(meta) }) else {
            return state::FAIL_RETURN;
        };
        // SAFETY: not NULL, and the caller promises a writable structure; all-zero is valid for it.
        unsafe { signout.write_bytes(0, 1) };
        match sign(region, &device) {
            Ok(signed) => {
                // SAFETY: as above; each size is that of the array.
                unsafe {
                    fill((&raw mut (*signout).hostname).cast(), 256, &signed.host);
                    (*signout).port = signed.port;
                    fill(
                        (&raw mut (*signout).clientid).cast(),
                        200,
                        &signed.client_id,
                    );
                    fill((&raw mut (*signout).username).cast(), 64, &signed.username);
                    let password = signed.password.as_bytes();
                    fill((&raw mut (*signout).password).cast(), 65, password);
                }
                state::SUCCESS_RETURN
            }
            Err(state::STATE_USER_INPUT_MQTT_DOMAIN) => state::ERROR_DEV_SIGN_CUSTOM_DOMAIN_IS_NULL,
            Err(state::STATE_MQTT_SIGN_HOSTNAME_BUF_SHORT) => {
                state::ERROR_DEV_SIGN_HOST_NAME_TOO_SHORT
            }
            Err(state::STATE_MQTT_SIGN_CLIENTID_BUF_SHORT) => {
                state::ERROR_DEV_SIGN_CLIENT_ID_TOO_SHORT
            }
            Err(_) => state::FAIL_RETURN,
        }
    })
}

/// `IOT_Ioctl` with the options of 3.0.1: 12 is QUERY_DEVID, and 13 the last one.
///
/// # Safety
/// `data` is NULL or points to what the option takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_Ioctl(option: c_int, data: *mut c_void) -> c_int {
    guard(state::FAIL_RETURN, || {
        console::init();
        let current = match option {
            12 => 18,
            0..=13 => option,
            _ => return state::FAIL_RETURN,
        };
        // SAFETY: the caller promises that `data` fits the option.
        unsafe { ioctl::control(current, data) }
    })
}

/// `iotx_event_callback` with the numbers of 3.0.1.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_v30_event_callback(evt: c_int) -> *mut c_void {
    guard(ptr::null_mut(), || callback_of(&EVENTS, evt))
}

/// `IOT_MQTT_Construct` of 3.0.1: asks `HAL_GetProductKey`, `HAL_GetDeviceName` and
/// `HAL_GetDeviceSecret` who the device is, NULL when one of them has no answer. With dynamic
/// registration the secret may be missing, `HAL_GetProductSecret` is asked, and the library keeps what it is
/// given. Subscriptions made before are sent when the connection stands.
///
/// # Safety
/// As for `IOT_MQTT_Construct`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_MQTT_Construct(param: *mut iotx_mqtt_param_t) -> *mut c_void {
    console::init();
    guard(ptr::null_mut(), || {
        if let Some(handle) = mqtt_api::live() {
            return handle as *mut c_void;
        }
        let triple = Triple::of_port();
        let missing = if ioctl::store().dynamic_register {
            store_product_secret_of_port();
            triple.missing_but_secret()
        } else {
            triple.missing()
        };
        if let Some(code) = missing {
            let text = "product key, device name or device secret is missing in the port";
            return refuse_construct(StateSlot::UserInput, code, text);
        }
        if !triple.store() {
            let text = "product key, device name or device secret is not UTF-8";
            return refuse_construct(StateSlot::UserInput, state::STATE_USER_INPUT_INVALID, text);
        }
        // SAFETY: NULL or valid by the caller's promise; it is copied here.
        let param = unsafe { param.as_ref() }.copied();
        // SAFETY: the strings and the handler are under the caller's promise.
        let client = unsafe { mqtt_api::construct(param.as_ref(), &RULES) };
        subscribe_waiting(client);
        client
    })
}

/// `IOT_MQTT_Destroy` with older return codes.
///
/// # Safety
/// As for `IOT_MQTT_Destroy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_MQTT_Destroy(phandle: *mut *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    older_code(unsafe { IOT_MQTT_Destroy(phandle) })
}

/// `IOT_MQTT_Yield` with older return codes.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_v30_MQTT_Yield(handle: *mut c_void, timeout_ms: c_int) -> c_int {
    older_code(IOT_MQTT_Yield(handle, timeout_ms))
}

/// `IOT_MQTT_CheckStateNormal` with older return codes.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_v30_MQTT_CheckStateNormal(handle: *mut c_void) -> c_int {
    older_code(IOT_MQTT_CheckStateNormal(handle))
}

/// `IOT_MQTT_Subscribe` with older return codes; without a client the subscription waits for one,
/// at most 64 do, and 0 is returned.
///
/// # Safety
/// As for `IOT_MQTT_Subscribe`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_MQTT_Subscribe(
    handle: *mut c_void,
    topic_filter: *const c_char,
    qos: iotx_mqtt_qos_t,
    topic_handle_func: iotx_mqtt_event_handle_func_fpt,
    pcontext: *mut c_void,
) -> c_int {
    guard(state::FAIL_RETURN, || {
        // SAFETY: the caller's promise, in both calls.
        unsafe {
            if no_client(handle) {
                return subscribe_later(topic_filter, qos, topic_handle_func, pcontext);
            }
            let sent = IOT_MQTT_Subscribe(handle, topic_filter, qos, topic_handle_func, pcontext);
            older_code(sent)
        }
    })
}

/// `IOT_MQTT_Subscribe_Sync` with older return codes; without a client as
/// [`iotx_v30_MQTT_Subscribe`].
///
/// # Safety
/// As for `IOT_MQTT_Subscribe_Sync`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_MQTT_Subscribe_Sync(
    handle: *mut c_void,
    topic_filter: *const c_char,
    qos: iotx_mqtt_qos_t,
    topic_handle_func: iotx_mqtt_event_handle_func_fpt,
    pcontext: *mut c_void,
    timeout_ms: c_int,
) -> c_int {
    guard(state::FAIL_RETURN, || {
        // SAFETY: the caller's promise, in both calls.
        unsafe {
            if no_client(handle) {
                return subscribe_later(topic_filter, qos, topic_handle_func, pcontext);
            }
            older_code(IOT_MQTT_Subscribe_Sync(
                handle,
                topic_filter,
                qos,
                topic_handle_func,
                pcontext,
                timeout_ms,
            ))
        }
    })
}

/// `IOT_MQTT_Unsubscribe` with older return codes.
///
/// # Safety
/// As for `IOT_MQTT_Unsubscribe`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_MQTT_Unsubscribe(
    handle: *mut c_void,
    topic_filter: *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    older_code(unsafe { IOT_MQTT_Unsubscribe(handle, topic_filter) })
}

/// `IOT_MQTT_Publish` with older return codes.
///
/// # Safety
/// As for `IOT_MQTT_Publish`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_MQTT_Publish(
    handle: *mut c_void,
    topic_name: *const c_char,
    topic_msg: iotx_mqtt_topic_info_pt,
) -> c_int {
    // SAFETY: the caller's promise.
    older_code(unsafe { IOT_MQTT_Publish(handle, topic_name, topic_msg) })
}

/// `IOT_MQTT_Publish_Simple` of 2.3.0 and 3.0.1: `NULL_VALUE_ERROR` for a NULL argument or without
/// a client, -1 for every other error.
///
/// # Safety
/// As for `IOT_MQTT_Publish_Simple`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_v30_MQTT_Publish_Simple(
    handle: *mut c_void,
    topic_name: *const c_char,
    qos: c_int,
    data: *mut c_void,
    len: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { IOT_MQTT_Publish_Simple(handle, topic_name, qos, data, len) } {
        result @ 0.. => result,
        state::STATE_USER_INPUT_INVALID => state::NULL_VALUE_ERROR,
        _ => state::FAIL_RETURN,
    }
}
