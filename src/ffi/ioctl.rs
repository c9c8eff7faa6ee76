//! The process-wide settings behind `IOT_Ioctl`.
//!
//! The store is one lock-protected [`Settings`]; a client reads a copy ([`store`]) when it is
//! constructed. Options, data types, limits and results follow spec events-and-ioctl.md §4 for a
//! build with MQTT and dynamic registration, without device model, gateway and Wi-Fi provisioning.

use std::ffi::{c_char, c_int, c_void};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::cstr;
use super::infra_defs::{
    CustomName, REGION_CUSTOM, REGIONS, g_infra_http_domain, g_infra_mqtt_domain, look_up,
};
use super::infra_types::{
    HOST_NAME_LEN, IOTX_DEVICE_NAME_LEN, IOTX_DEVICE_SECRET_LEN, IOTX_MODULE_LEN,
    IOTX_PRODUCT_KEY_LEN, IOTX_PRODUCT_SECRET_LEN,
};
use crate::hal::memory::apart;
use crate::state::{FAIL_RETURN, SUCCESS_RETURN};

/// A copy of the settings. Empty strings mean "not set"; secrets are wiped when dropped.
#[derive(Clone, Default)]
pub struct Settings {
    /// Region of the MQTT endpoint, 0...5.
    pub region: u32,
    /// Region of the HTTP endpoint, 0...5.
    pub http_region: u32,
    /// Custom MQTT host name set by the application.
    pub mqtt_domain: Option<String>,
    /// Custom HTTP host name set by the application.
    pub http_domain: Option<String>,
    /// Product key, at most 20 bytes.
    pub product_key: String,
    /// Product secret, at most 64 bytes.
    pub product_secret: Zeroizing<String>,
    /// Device name, at most 32 bytes.
    pub device_name: String,
    /// Device secret, at most 64 bytes.
    pub device_secret: Zeroizing<String>,
    /// Module name of the version report, at most 64 bytes.
    pub module: String,
    /// Port used when the parameters of a client name none.
    pub mqtt_port: Option<u16>,
    /// Construct obtains the device secret by dynamic registration if there is none.
    pub dynamic_register: bool,
}

impl Settings {
    /// The MQTT host name of `region` without the product key: the public table, or the custom name.
    pub fn mqtt_host(&self, region: u32) -> Option<String> {
        let custom = self.mqtt_domain.as_deref();
        look_up(&g_infra_mqtt_domain, &MQTT_NAME, custom, region)
    }

    /// The HTTP host name of `region`: the public table, or the custom name.
    pub fn http_host(&self, region: u32) -> Option<String> {
        let custom = self.http_domain.as_deref();
        look_up(&g_infra_http_domain, &HTTP_NAME, custom, region)
    }
}

static SETTINGS: LazyLock<Mutex<Settings>> = LazyLock::new(Mutex::default);
static MQTT_NAME: CustomName = CustomName::new();
static HTTP_NAME: CustomName = CustomName::new();

fn settings() -> MutexGuard<'static, Settings> {
    // Each change is a single assignment, so a panic elsewhere cannot leave the store half-changed.
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A copy of the settings as they are now. Any thread.
pub fn store() -> Settings {
    settings().clone()
}

/// A value that does not fit its setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Stores the identity given by the cloud: product key (at most 20 bytes) and device name (at most 32).
/// Both are stored or none. Any thread.
pub fn set_identity(product_key: &str, device_name: &str) -> Result<(), TooLong> {
    if product_key.len() > IOTX_PRODUCT_KEY_LEN || device_name.len() > IOTX_DEVICE_NAME_LEN {
        return Err(TooLong);
    }
    let (product_key, device_name) = apart(|| (product_key.to_owned(), device_name.to_owned()));
    let mut settings = settings();
    settings.product_key = product_key;
    settings.device_name = device_name;
    Ok(())
}

/// Stores the device secret obtained by dynamic registration (at most 64 bytes); the old one is wiped.
/// Any thread.
pub fn set_device_secret(device_secret: &str) -> Result<(), TooLong> {
    if device_secret.len() > IOTX_DEVICE_SECRET_LEN {
        return Err(TooLong);
    }
    settings().device_secret = apart(|| Zeroizing::new(device_secret.to_owned()));
    Ok(())
}

/// Stores the product secret (at most 64 bytes); the old one is wiped. Any thread.
pub fn set_product_secret(product_secret: &str) -> Result<(), TooLong> {
    if product_secret.len() > IOTX_PRODUCT_SECRET_LEN {
        return Err(TooLong);
    }
    settings().product_secret = apart(|| Zeroizing::new(product_secret.to_owned()));
    Ok(())
}

unsafe extern "C" {
    /// The shim's way to a device model that a firmware keeps in C: 1 and its result, or 0 when there is none
    /// that handles the option.
    fn iotx_kept_ioctl(option: c_int, data: *mut c_void, result: *mut c_int) -> c_int;
}

/// The option numbers of `iotx_ioctl_option_t` this build handles.
mod option {
    use std::ffi::c_int;

    pub const SET_REGION: c_int = 0;
    pub const GET_REGION: c_int = 1;
    pub const SET_MQTT_DOMAIN: c_int = 2;
    pub const SET_HTTP_DOMAIN: c_int = 3;
    pub const SET_DYNAMIC_REGISTER: c_int = 4;
    pub const GET_DYNAMIC_REGISTER: c_int = 5;
    pub const RECV_PROP_REPLY: c_int = 6;
    pub const RECV_EVENT_REPLY: c_int = 7;
    pub const SEND_PROP_SET_REPLY: c_int = 8;
    pub const GET_SUBDEV_LOGIN: c_int = 10;
    pub const SET_MQTT_PORT: c_int = 14;
    pub const SET_PRODUCT_KEY: c_int = 20;
    pub const GET_PRODUCT_KEY: c_int = 21;
    pub const SET_PRODUCT_SECRET: c_int = 22;
    pub const GET_PRODUCT_SECRET: c_int = 23;
    pub const SET_DEVICE_NAME: c_int = 24;
    pub const GET_DEVICE_NAME: c_int = 25;
    pub const SET_DEVICE_SECRET: c_int = 26;
    pub const GET_DEVICE_SECRET: c_int = 27;
    pub const SET_MODULE: c_int = 28;
    pub const GET_MODULE: c_int = 29;
}

/// `IOT_Ioctl`: one option. A refused value changes nothing.
///
/// # Safety
/// `data` is NULL or points to what the option takes (see the table of the options).
pub(super) unsafe fn control(option: c_int, data: *mut c_void) -> c_int {
    if option < 0 || data.is_null() {
        return FAIL_RETURN;
    }
    let mut result = FAIL_RETURN;
    // SAFETY: not NULL, and the caller promises what the option takes. No lock is held.
    let kept = unsafe { iotx_kept_ioctl(option, data, &raw mut result) } != 0;
    // The port is the one option that both have.
    if kept && option != option::SET_MQTT_PORT {
        return result;
    }
    // SAFETY: not NULL, and the caller promises what the option takes.
    let done = unsafe {
        match option {
            option::SET_REGION => set_region(data.cast()),
            option::GET_REGION => put_int(data, settings().region as c_int),
            option::SET_MQTT_DOMAIN => set_mqtt_domain(data.cast()),
            option::SET_HTTP_DOMAIN => set_http_domain(data.cast()),
            option::SET_DYNAMIC_REGISTER => set_dynamic_register(data.cast()),
            option::GET_DYNAMIC_REGISTER => put_int(data, c_int::from(settings().dynamic_register)),
            // Switches of a device model that is not there: accepted, without effect.
            option::RECV_PROP_REPLY
            | option::RECV_EVENT_REPLY
            | option::SEND_PROP_SET_REPLY
            | option::GET_SUBDEV_LOGIN => Some(()),
            option::SET_MQTT_PORT => {
                let port = data.cast::<u16>().read_unaligned();
                settings().mqtt_port = (port != 0).then_some(port);
                Some(())
            }
            option::SET_PRODUCT_SECRET => take(data, IOTX_PRODUCT_SECRET_LEN)
                .map(|text| settings().product_secret = Zeroizing::new(text)),
            option::SET_DEVICE_SECRET => take(data, IOTX_DEVICE_SECRET_LEN)
                .map(|text| settings().device_secret = Zeroizing::new(text)),
            option::SET_PRODUCT_KEY => {
                take(data, IOTX_PRODUCT_KEY_LEN).map(|text| settings().product_key = text)
            }
            option::SET_DEVICE_NAME => {
                take(data, IOTX_DEVICE_NAME_LEN).map(|text| settings().device_name = text)
            }
            option::SET_MODULE => take(data, IOTX_MODULE_LEN).map(|text| settings().module = text),
            option::GET_PRODUCT_KEY => put(data, &settings().product_key),
            option::GET_PRODUCT_SECRET => put(data, &settings().product_secret),
            option::GET_DEVICE_NAME => put(data, &settings().device_name),
            option::GET_DEVICE_SECRET => put(data, &settings().device_secret),
            option::GET_MODULE => put(data, &settings().module),
            _ => None,
        }
    };
    if done.is_none() {
        log::debug!("IOT_Ioctl refused option {option}");
        return FAIL_RETURN;
    }
    SUCCESS_RETURN
}

/// The string of a SET option, if it is at most `max` bytes of UTF-8.
///
/// # Safety
/// `data` points to a terminated string or to more than `max` bytes.
unsafe fn take(data: *const c_void, max: usize) -> Option<String> {
    // SAFETY: the caller keeps the promise of `bounded_str`.
    let text = unsafe { cstr::bounded_str(data.cast(), max) };
    // The settings outlive every client: they are no part of a port's memory, and never fail for it.
    text.map(|text| apart(|| text.to_owned()))
}

/// Writes the string of a GET option with its NUL.
///
/// # Safety
/// `data` points to a buffer of the documented size, which is the limit of the SET option plus one.
unsafe fn put(data: *mut c_void, text: &str) -> Option<()> {
    // SAFETY: the store never holds more bytes than the limit; the caller promises one byte more.
    unsafe { cstr::write_terminated(text.as_bytes(), data.cast()) };
    Some(())
}

/// Writes an `int`.
///
/// # Safety
/// `data` points to a writable `int`.
unsafe fn put_int(data: *mut c_void, value: c_int) -> Option<()> {
    // SAFETY: the caller promises a writable int; it may be unaligned.
    unsafe { data.cast::<c_int>().write_unaligned(value) };
    Some(())
}

/// # Safety
/// `data` points to a readable `int`.
unsafe fn set_region(data: *const c_int) -> Option<()> {
    // SAFETY: the caller promises a readable int.
    let region = u32::try_from(unsafe { data.read_unaligned() }).ok()?;
    if region as usize >= REGIONS {
        return None;
    }
    let mut settings = settings();
    settings.region = region;
    settings.http_region = region;
    Some(())
}

/// # Safety
/// `data` points to a readable `int`.
unsafe fn set_dynamic_register(data: *const c_int) -> Option<()> {
    // SAFETY: the caller promises a readable int.
    let on = match unsafe { data.read_unaligned() } {
        0 => false,
        1 => true,
        _ => return None,
    };
    settings().dynamic_register = on;
    Some(())
}

/// Selects the custom MQTT region with this host name; "" leaves the region without a host name.
///
/// # Safety
/// As for [`take`] with 253 bytes.
unsafe fn set_mqtt_domain(data: *const c_char) -> Option<()> {
    // SAFETY: the caller keeps the promise of `take`.
    let name = unsafe { take(data.cast(), HOST_NAME_LEN) }?;
    let mut settings = settings();
    settings.mqtt_domain = (!name.is_empty()).then_some(name);
    settings.region = REGION_CUSTOM;
    MQTT_NAME.publish(settings.mqtt_domain.as_deref(), &g_infra_mqtt_domain);
    Some(())
}

/// Selects the custom HTTP region with this host name; the MQTT region stays as it is.
///
/// # Safety
/// As for [`take`] with 253 bytes.
unsafe fn set_http_domain(data: *const c_char) -> Option<()> {
    // SAFETY: the caller keeps the promise of `take`.
    let name = unsafe { take(data.cast(), HOST_NAME_LEN) }?;
    let mut settings = settings();
    settings.http_domain = (!name.is_empty()).then_some(name);
    settings.http_region = REGION_CUSTOM;
    HTTP_NAME.publish(settings.http_domain.as_deref(), &g_infra_http_domain);
    Some(())
}
