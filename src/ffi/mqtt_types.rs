//! C types of `mqtt_api.h`, with their C names.
//!
//! Layouts are those of Link SDK 3.2.0 (spec mqtt-session.md §1). C enums are integers here, because
//! C may pass any value.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_uint, c_void};
use std::mem::{align_of, offset_of, size_of};

/// `iotx_mqtt_qos_t`.
pub type iotx_mqtt_qos_t = c_uint;
/// QoS 0.
pub const IOTX_MQTT_QOS0: iotx_mqtt_qos_t = 0;
/// QoS 1.
pub const IOTX_MQTT_QOS1: iotx_mqtt_qos_t = 1;
/// QoS 2, only for subscriptions.
pub const IOTX_MQTT_QOS2: iotx_mqtt_qos_t = 2;
/// Registers a handler without a SUBSCRIBE packet.
pub const IOTX_MQTT_QOS3_SUB_LOCAL: iotx_mqtt_qos_t = 3;

/// `iotx_mqtt_nwk_event_t`.
pub type iotx_mqtt_nwk_event_t = c_uint;

/// `iotx_mqtt_event_type_t`.
pub type iotx_mqtt_event_type_t = c_uint;
/// Never fired.
pub const IOTX_MQTT_EVENT_UNDEF: iotx_mqtt_event_type_t = 0;
/// Connection lost; `msg` NULL.
pub const IOTX_MQTT_EVENT_DISCONNECT: iotx_mqtt_event_type_t = 1;
/// Connected again; `msg` NULL.
pub const IOTX_MQTT_EVENT_RECONNECT: iotx_mqtt_event_type_t = 2;
/// Subscription granted; `msg` is the packet id.
pub const IOTX_MQTT_EVENT_SUBCRIBE_SUCCESS: iotx_mqtt_event_type_t = 3;
/// Never fired.
pub const IOTX_MQTT_EVENT_SUBCRIBE_TIMEOUT: iotx_mqtt_event_type_t = 4;
/// Subscription refused; `msg` is the packet id.
pub const IOTX_MQTT_EVENT_SUBCRIBE_NACK: iotx_mqtt_event_type_t = 5;
/// Subscription removed; `msg` is the packet id.
pub const IOTX_MQTT_EVENT_UNSUBCRIBE_SUCCESS: iotx_mqtt_event_type_t = 6;
/// Never fired.
pub const IOTX_MQTT_EVENT_UNSUBCRIBE_TIMEOUT: iotx_mqtt_event_type_t = 7;
/// Never fired.
pub const IOTX_MQTT_EVENT_UNSUBCRIBE_NACK: iotx_mqtt_event_type_t = 8;
/// Publication acknowledged; `msg` is the packet id.
pub const IOTX_MQTT_EVENT_PUBLISH_SUCCESS: iotx_mqtt_event_type_t = 9;
/// Never fired.
pub const IOTX_MQTT_EVENT_PUBLISH_TIMEOUT: iotx_mqtt_event_type_t = 10;
/// Never fired.
pub const IOTX_MQTT_EVENT_PUBLISH_NACK: iotx_mqtt_event_type_t = 11;
/// Message received; `msg` is an [`iotx_mqtt_topic_info_t`].
pub const IOTX_MQTT_EVENT_PUBLISH_RECEIVED: iotx_mqtt_event_type_t = 12;
/// Message larger than the read buffer; `msg` is a constant string.
pub const IOTX_MQTT_EVENT_BUFFER_OVERFLOW: iotx_mqtt_event_type_t = 13;

/// Parameter of the network event handler.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_mqtt_nwk_param_t {
    /// Connection of the asynchronous stack.
    pub fd: usize,
}

/// A message.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_mqtt_topic_info_t {
    /// Packet identifier, written by `IOT_MQTT_Publish` for QoS 1.
    pub packet_id: u16,
    /// Quality of service.
    pub qos: u8,
    /// Duplicate flag.
    pub dup: u8,
    /// Retain flag.
    pub retain: u8,
    /// Length of `ptopic` in bytes.
    pub topic_len: u16,
    /// Length of `payload` in bytes.
    pub payload_len: u32,
    /// Topic name, not terminated.
    pub ptopic: *const c_char,
    /// Payload; a received one is followed by one NUL.
    pub payload: *const c_char,
}
/// Pointer to a message.
pub type iotx_mqtt_topic_info_pt = *mut iotx_mqtt_topic_info_t;

/// An event as handed to a handler.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_mqtt_event_msg_t {
    /// What happened.
    pub event_type: iotx_mqtt_event_type_t,
    /// Depends on `event_type`.
    pub msg: *mut c_void,
}
/// Pointer to an event.
pub type iotx_mqtt_event_msg_pt = *mut iotx_mqtt_event_msg_t;

/// A handler: its own context, the handle of the client, the event. `None` is NULL.
pub type iotx_mqtt_event_handle_func_fpt = Option<
    unsafe extern "C" fn(pcontext: *mut c_void, pclient: *mut c_void, msg: iotx_mqtt_event_msg_pt),
>;

/// A handler with its context.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_mqtt_event_handle_t {
    /// The function, or NULL.
    pub h_fp: iotx_mqtt_event_handle_func_fpt,
    /// Handed back to the function.
    pub pcontext: *mut c_void,
}

/// Parameters of a client; NULL, "" and 0 select the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_mqtt_param_t {
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
    /// Additions to the generated client identifier.
    pub customize_info: *const c_char,
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
    assert!(size_of::<iotx_mqtt_param_t>() == 96 && align_of::<iotx_mqtt_param_t>() == 8);
    assert!(offset_of!(iotx_mqtt_param_t, host) == 8);
    assert!(offset_of!(iotx_mqtt_param_t, pub_key) == 48);
    assert!(offset_of!(iotx_mqtt_param_t, clean_session) == 56);
    assert!(offset_of!(iotx_mqtt_param_t, request_timeout_ms) == 60);
    assert!(offset_of!(iotx_mqtt_param_t, read_buf_size) == 72);
    assert!(offset_of!(iotx_mqtt_param_t, handle_event) == 80);
    assert!(size_of::<iotx_mqtt_topic_info_t>() == 32);
    assert!(offset_of!(iotx_mqtt_topic_info_t, topic_len) == 6);
    assert!(offset_of!(iotx_mqtt_topic_info_t, payload) == 24);
    assert!(size_of::<iotx_mqtt_event_msg_t>() == 16);
    assert!(size_of::<iotx_mqtt_event_handle_t>() == 16);
};

#[cfg(target_pointer_width = "32")]
const _: () = {
    assert!(size_of::<iotx_mqtt_param_t>() == 56 && align_of::<iotx_mqtt_param_t>() == 4);
    assert!(offset_of!(iotx_mqtt_param_t, request_timeout_ms) == 32);
    assert!(offset_of!(iotx_mqtt_param_t, handle_event) == 48);
    assert!(size_of::<iotx_mqtt_topic_info_t>() == 20);
    assert!(size_of::<iotx_mqtt_event_msg_t>() == 8);
};
