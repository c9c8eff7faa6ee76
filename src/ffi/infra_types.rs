//! C types of `infra_defs.h`, `infra_compat.h` and the digest headers, with their C names.
//!
//! Layouts are those of Link SDK 3.2.0; `tests/headers.rs` compares the headers with the recorded
//! sizes and offsets, the assertions below compare these types. A C enum of the interface is an
//! integer here, because C may pass any value.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::mem::{align_of, offset_of, size_of};

/// `iotx_mqtt_region_types_t`, 0...5.
pub type iotx_mqtt_region_types_t = c_uint;
/// `iotx_http_region_types_t`, 0...5.
pub type iotx_http_region_types_t = c_uint;
/// `IOT_LogLevel`, 0...5.
pub type IOT_LogLevel = c_uint;

/// Greatest length of a product key in bytes.
pub const IOTX_PRODUCT_KEY_LEN: usize = 20;
/// Greatest length of a product secret in bytes.
pub const IOTX_PRODUCT_SECRET_LEN: usize = 64;
/// Greatest length of a device name in bytes.
pub const IOTX_DEVICE_NAME_LEN: usize = 32;
/// Greatest length of a device secret in bytes.
pub const IOTX_DEVICE_SECRET_LEN: usize = 64;
/// Greatest length of a module name in bytes.
pub const IOTX_MODULE_LEN: usize = 64;
/// Greatest length of the client-id additions set by `IOT_Ioctl` in bytes.
pub const IOTX_CUSTOMIZE_INFO_LEN: usize = 80;
/// Greatest length of a host name in bytes (RFC 1035).
pub const HOST_NAME_LEN: usize = 253;

/// Who a device is. Programs built for Link SDK 3.1 and older pass a block without `module`
/// (184 bytes), so that member must not be touched unless the caller is known to have it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_dev_meta_info_t {
    /// Product key, terminated.
    pub product_key: [c_char; IOTX_PRODUCT_KEY_LEN + 1],
    /// Product secret, terminated.
    pub product_secret: [c_char; IOTX_PRODUCT_SECRET_LEN + 1],
    /// Device name, terminated.
    pub device_name: [c_char; IOTX_DEVICE_NAME_LEN + 1],
    /// Device secret, terminated.
    pub device_secret: [c_char; IOTX_DEVICE_SECRET_LEN + 1],
    /// Firmware module name, terminated.
    pub module: [c_char; IOTX_MODULE_LEN + 1],
}

/// What a device needs to sign in, filled by `IOT_Sign_MQTT`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_sign_mqtt_t {
    /// Host name, terminated.
    pub hostname: [c_char; 64],
    /// Port.
    pub port: u16,
    /// Client identifier, terminated.
    pub clientid: [c_char; 200],
    /// User name, terminated.
    pub username: [c_char; 64],
    /// Password, terminated.
    pub password: [c_char; 65],
}

/// Connection parameters as handed out by `IOT_SetupConnInfo`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_conn_info_t {
    /// Port, 0 selects the default.
    pub port: u16,
    /// Marker of the older interface, always 0.
    pub init: u8,
    /// Host name, "" selects the default.
    pub host_name: *mut c_char,
    /// Client identifier, "" selects the default.
    pub client_id: *mut c_char,
    /// User name, "" selects the default.
    pub username: *mut c_char,
    /// Password, "" selects the default.
    pub password: *mut c_char,
    /// Trusted certificates, "" selects the default.
    pub pub_key: *const c_char,
}

/// Topic and callback of `IOTX_IOCTL_SUB_USER_TOPIC`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_user_subscribe_context {
    /// Topic filter.
    pub topic: *const c_char,
    /// Callback.
    pub callback: *mut c_void,
}

/// State of a running SHA-256 digest.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iot_sha256_context {
    /// Number of bytes so far: low word, high word.
    pub total: [u32; 2],
    /// Chaining value.
    pub state: [u32; 8],
    /// Bytes of the block under way.
    pub buffer: [u8; 64],
    /// 0; SHA-224 is not offered.
    pub is224: c_int,
}

/// State of a running SHA-1 digest.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iot_sha1_context {
    /// Number of bytes so far: low word, high word.
    pub total: [u32; 2],
    /// Chaining value.
    pub state: [u32; 5],
    /// Bytes of the block under way.
    pub buffer: [u8; 64],
}

/// State of a running MD5 digest.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iot_md5_context {
    /// Number of bytes so far: low word, high word.
    pub total: [u32; 2],
    /// Chaining value.
    pub state: [u32; 4],
    /// Bytes of the block under way.
    pub buffer: [u8; 64],
}

const _: () = {
    assert!(size_of::<iotx_dev_meta_info_t>() == 249 && align_of::<iotx_dev_meta_info_t>() == 1);
    assert!(offset_of!(iotx_dev_meta_info_t, product_secret) == 21);
    assert!(offset_of!(iotx_dev_meta_info_t, device_name) == 86);
    assert!(offset_of!(iotx_dev_meta_info_t, device_secret) == 119);
    assert!(offset_of!(iotx_dev_meta_info_t, module) == 184);
    assert!(size_of::<iotx_sign_mqtt_t>() == 396 && align_of::<iotx_sign_mqtt_t>() == 2);
    assert!(offset_of!(iotx_sign_mqtt_t, port) == 64);
    assert!(offset_of!(iotx_sign_mqtt_t, clientid) == 66);
    assert!(offset_of!(iotx_sign_mqtt_t, username) == 266);
    assert!(offset_of!(iotx_sign_mqtt_t, password) == 330);
    assert!(size_of::<iotx_conn_info_t>() == 6 * size_of::<usize>());
    assert!(offset_of!(iotx_conn_info_t, init) == 2);
    assert!(offset_of!(iotx_conn_info_t, host_name) == size_of::<usize>());
    assert!(size_of::<iotx_user_subscribe_context>() == 2 * size_of::<usize>());
    assert!(size_of::<iot_sha256_context>() == 108 && size_of::<iot_sha1_context>() == 92);
    assert!(size_of::<iot_md5_context>() == 88);
};
