//! Dynamic registration with options of its own, `iotx_register`: every way, no globals.
#![allow(non_camel_case_types)]

use std::ffi::{CString, c_char, c_int};
use std::mem::{offset_of, size_of};

use libc::size_t;
use zeroize::Zeroize;

use super::client_options::{self, Checked};
use super::client_types::iotx_client_data_t;
use super::dynreg_api::{applicant, https_target, mqtt_target, target};
use super::infra_defs::REGIONS;
use super::{barrier, cstr, ioctl, log as console, sized};
use crate::hal::memory::Watch;
use crate::services::dynreg::{self, Applicant, Granted, Refused};
use crate::sign::{
    CLIENT_ID_MAX, DEVICE_NAME_MAX, DEVICE_SECRET_MAX, DEVICE_TOKEN_MAX, INSTANCE_ID_MAX,
    PRODUCT_KEY_MAX, PRODUCT_SECRET_MAX,
};
use crate::state;
use crate::transport::{HalDialer, Security, Target};

const URL_MAX: usize = 1024;
/// No version of the options ever comes near this size.
const SIZE_MAX: usize = 4096;
const HTTPS_PORT: u16 = 443;
const MQTTS_PORT: u16 = 8883;

/// How a device registers.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum iotx_register_method_t {
    /// Over HTTPS: a device created in the console is given its secret.
    IOTX_REGISTER_HTTPS = 0,
    /// Over MQTT with TLS: the same.
    IOTX_REGISTER_MQTT = 1,
    /// Over MQTT with TLS, no device created beforehand: client id and token are given.
    IOTX_REGISTER_MQTT_NO_PREREGISTRATION = 2,
}

/// Who registers where. `iotx_register_options_init` sets all to 0, NULL and the size. Everything is copied
/// during the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_register_options_t {
    /// `sizeof(iotx_register_options_t)`.
    pub struct_size: size_t,
    /// An `iotx_register_method_t`.
    pub method: u32,
    /// Region 0 to 4 as in `iotx_mqtt_region_types_t`; 5 for the host name that `IOT_Ioctl` has set. Not used
    /// with `url`.
    pub region: u32,
    /// `https://host[:port]` or `mqtts://host[:port]`, as the method is; NULL for the server of the region.
    pub url: *const c_char,
    /// Product key, 1 to 20 bytes.
    pub product_key: *const c_char,
    /// Product secret, 1 to 64 bytes.
    pub product_secret: *const c_char,
    /// Device name, 1 to 32 bytes.
    pub device_name: *const c_char,
    /// Id of a purchased instance, over MQTT; NULL for the public one.
    pub instance_id: *const c_char,
    /// What tells physical devices of one name apart, 1 to 64 bytes, e.g. a MAC address; only without
    /// pre-registration, NULL for `{product key}.{device name}`.
    pub client_id: *const c_char,
    /// Trusted certificates, PEM; all zero for those of the process (`iotx_ca_crt`).
    pub ca: iotx_client_data_t,
}

/// What the registration brought. Wipe it with `iotx_register_result_clear` once it is stored. It has no
/// size in it since it will not grow.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_register_result_t {
    /// Device secret; "" without pre-registration.
    pub device_secret: [c_char; 65],
    /// MQTT client id to sign in with; only without pre-registration.
    pub client_id: [c_char; 65],
    /// Token to sign in with; only without pre-registration.
    pub device_token: [c_char; 257],
    /// Why it failed, in English or as the cloud says it; "" on success. Data: do not use it as a format.
    pub text: [c_char; 128],
}

const _: () = {
    // The arrays have literal sizes, which the header generator can read.
    assert!(offset_of!(iotx_register_result_t, client_id) == DEVICE_SECRET_MAX + 1);
    assert!(
        offset_of!(iotx_register_result_t, device_token)
            == DEVICE_SECRET_MAX + 1 + CLIENT_ID_MAX + 1
    );
    assert!(
        offset_of!(iotx_register_result_t, text)
            == DEVICE_SECRET_MAX + 1 + CLIENT_ID_MAX + 1 + DEVICE_TOKEN_MAX + 1
    );
};

const FIRST_SIZE: usize = offset_of!(iotx_register_options_t, ca) + size_of::<iotx_client_data_t>();

fn refuse<T>(code: i32, text: impl Into<String>) -> Checked<T> {
    client_options::refuse(code, text)
}

/// Sets `options` to its defaults. `struct_size` is `sizeof(iotx_register_options_t)`.
///
/// Returns 0, `STATE_USER_INPUT_NULL_POINTER`, or `STATE_USER_INPUT_OUT_RANGE` for a size of no version.
///
/// # Safety
/// `options` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_register_options_init(
    options: *mut iotx_register_options_t,
    struct_size: size_t,
) -> c_int {
    if options.is_null() {
        return state::STATE_USER_INPUT_NULL_POINTER;
    }
    if !(FIRST_SIZE..=SIZE_MAX).contains(&struct_size) {
        return state::STATE_USER_INPUT_OUT_RANGE;
    }
    // SAFETY: not NULL, so many writable bytes by the caller's promise; the first member is the size.
    unsafe {
        options.cast::<u8>().write_bytes(0, struct_size);
        (&raw mut (*options).struct_size).write(struct_size);
    }
    state::STATE_SUCCESS
}

/// Registers a device, over HTTPS or MQTT, with TLS and a verified server. Nothing is kept.
///
/// Blocks up to 40 s. Thread-safe. Returns 0 or a negative code: that of `IOT_Dynamic_Register`, or
/// `STATE_USER_INPUT_NULL_POINTER`, `STATE_USER_INPUT_OUT_RANGE`, `STATE_USER_INPUT_INVALID` (an option),
/// `STATE_MQTT_CONNACK_IDENT_REJECT`, `_SERVICE_NA`, `_BAD_USERDATA` (refused by the server). `result` is
/// zeroed at first; after a failure its `text` says why.
///
/// # Safety
/// `options` is NULL or as its members say; `result` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_register(
    options: *const iotx_register_options_t,
    result: *mut iotx_register_result_t,
) -> c_int {
    console::init();
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if result.is_null() {
            return state::STATE_USER_INPUT_NULL_POINTER;
        }
        // SAFETY: not NULL, writable by the caller's promise; all-zero is valid: arrays of characters.
        unsafe { result.write_bytes(0, 1) };
        let watch = Watch::begin();
        // SAFETY: the caller's promise; NULL pointers and zero numbers are valid.
        let read = unsafe { sized::read(options, FIRST_SIZE..=SIZE_MAX, "iotx_register_options") };
        let granted = read.and_then(|options| {
            // SAFETY: the caller promises strings that are NULL or terminated, and data of its size.
            unsafe { register(&options) }
        });
        // SAFETY: not NULL, writable and just zeroed.
        let result = unsafe { &mut *result };
        match granted {
            Ok(Granted::Secret(secret)) => put(&mut result.device_secret, &secret),
            Ok(Granted::Token { client_id, token }) => {
                put(&mut result.client_id, &client_id);
                put(&mut result.device_token, &token);
            }
            Err(_) if watch.ran_out() => {
                put(&mut result.text, "HAL_Malloc has no memory");
                return state::STATE_SYS_DEPEND_MALLOC;
            }
            Err(error) => {
                log::warn!("registration: {} ({})", error.text, error.code);
                put(&mut result.text, &error.text);
                return error.code;
            }
        }
        state::STATE_SUCCESS
    })
}

/// Wipes what a registration brought. NULL is allowed.
///
/// # Safety
/// `result` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_register_result_clear(result: *mut iotx_register_result_t) {
    // SAFETY: NULL or writable by the caller's promise.
    if let Some(result) = unsafe { result.as_mut() } {
        result.device_secret.zeroize();
        result.client_id.zeroize();
        result.device_token.zeroize();
        result.text.zeroize();
    }
}

/// Writes `text` with its NUL, cut at a character boundary where it does not fit.
fn put(field: &mut [c_char], text: &str) {
    cstr::put(
        field,
        &text.as_bytes()[..text.floor_char_boundary(field.len() - 1)],
    );
}

/// # Safety
/// As for [`iotx_register`].
unsafe fn register(options: &iotx_register_options_t) -> Checked<Granted> {
    use iotx_register_method_t as Method;
    let method = [
        Method::IOTX_REGISTER_HTTPS,
        Method::IOTX_REGISTER_MQTT,
        Method::IOTX_REGISTER_MQTT_NO_PREREGISTRATION,
    ]
    .into_iter()
    .find(|method| *method as u32 == options.method);
    let Some(method) = method else {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            format!("method is {}; it is 0, 1 or 2", options.method),
        );
    };
    // SAFETY: the caller promises strings that are NULL or terminated.
    let (url, product_key, product_secret, device_name, instance_id, client_id) = unsafe {
        let string = |text, max, name| client_options::string(text, max, name);
        (
            string(options.url, URL_MAX, "url")?,
            names(
                options.product_key,
                PRODUCT_KEY_MAX,
                state::STATE_USER_INPUT_PK,
            )?,
            names(
                options.product_secret,
                PRODUCT_SECRET_MAX,
                state::STATE_USER_INPUT_PS,
            )?,
            names(
                options.device_name,
                DEVICE_NAME_MAX,
                state::STATE_USER_INPUT_DN,
            )?,
            string(options.instance_id, INSTANCE_ID_MAX, "instance_id")?,
            string(options.client_id, CLIENT_ID_MAX, "client_id")?,
        )
    };
    if method == Method::IOTX_REGISTER_HTTPS && instance_id.is_some() {
        return refuse(
            state::STATE_USER_INPUT_INVALID,
            "instance_id is for registration over MQTT",
        );
    }
    if method != Method::IOTX_REGISTER_MQTT_NO_PREREGISTRATION && client_id.is_some() {
        return refuse(
            state::STATE_USER_INPUT_INVALID,
            "client_id is for registration without pre-registration",
        );
    }
    // SAFETY: the caller promises data of its size.
    let ca = unsafe { client_options::material(&options.ca, "ca") }?;
    let ca = match ca {
        None => None,
        Some(pem) => match CString::new(pem.split(|byte| *byte == 0).next().unwrap_or_default()) {
            Ok(text) => Some(text),
            Err(_) => return refuse(state::STATE_USER_INPUT_INVALID, "ca contains a NUL"),
        },
    };
    let applicant = applicant(product_key, product_secret, device_name);
    applicant.check().map_err(error)?;
    let target = where_to(method, options.region, url, ca, &applicant)?;
    let own_id = format!("{product_key}.{device_name}");
    let granted = match method {
        Method::IOTX_REGISTER_HTTPS => dynreg::https::register(&HalDialer, &target, &applicant),
        Method::IOTX_REGISTER_MQTT => {
            let kind = dynreg::mqtt::Kind::Register { instance_id };
            dynreg::mqtt::register(&HalDialer, &target, &applicant, &kind)
        }
        Method::IOTX_REGISTER_MQTT_NO_PREREGISTRATION => {
            let kind = dynreg::mqtt::Kind::WithoutPreRegistration {
                instance_id,
                client_id: client_id.unwrap_or(&own_id),
            };
            dynreg::mqtt::register(&HalDialer, &target, &applicant, &kind)
        }
    };
    granted.map_err(error)
}

fn error(refused: Refused) -> super::client_host::LastError {
    super::client_host::LastError {
        code: refused.code,
        text: refused.text,
    }
}

/// A name: "" for NULL, with the code of its own when it is too long or not UTF-8.
///
/// # Safety
/// `text` is NULL or terminated and outlives the result.
unsafe fn names<'a>(text: *const c_char, max: usize, code: i32) -> Checked<&'a str> {
    if text.is_null() {
        return Ok("");
    }
    // SAFETY: not NULL, terminated by the caller's promise.
    match unsafe { cstr::bounded_str(text, max) } {
        Some(text) => Ok(text),
        None => refuse(code, "a name or secret is too long or not UTF-8"),
    }
}

/// The server: that of the URL, or of the region.
fn where_to(
    method: iotx_register_method_t,
    region: u32,
    url: Option<&str>,
    ca: Option<CString>,
    applicant: &Applicant<'_>,
) -> Checked<Target> {
    let https = method == iotx_register_method_t::IOTX_REGISTER_HTTPS;
    let Some(url) = url else {
        if region as usize >= REGIONS {
            return refuse(
                state::STATE_USER_INPUT_OUT_RANGE,
                format!("region is {region}; it goes from 0 to 5"),
            );
        }
        let settings = ioctl::store();
        let mut target = match https {
            true => https_target(&settings, region),
            false => mqtt_target(&settings, region, applicant.product_key),
        }
        .map_err(error)?;
        if let (Some(own), Security::Tls { ca_pem, .. }) = (ca, &mut target.security) {
            *ca_pem = own;
        }
        return Ok(target);
    };
    let (scheme, port, code) = match https {
        true => ("https://", HTTPS_PORT, state::STATE_USER_INPUT_HTTP_URL),
        false => ("mqtts://", MQTTS_PORT, state::STATE_USER_INPUT_MQTT_DOMAIN),
    };
    let split = url.split_at_checked(scheme.len());
    match split.filter(|(found, _)| found.eq_ignore_ascii_case(scheme)) {
        Some((_, authority)) => target(authority, port, code, ca).map_err(error),
        // Registration sends what only TLS protects.
        None => refuse(code, format!("url does not begin with {scheme}")),
    }
}
