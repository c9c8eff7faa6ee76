//! How a connection gets to the server beside TCP and TLS: WebSocket and proxy, for both APIs.
#![allow(non_camel_case_types)] // The names of the C types.

use std::ffi::{c_char, c_int};
use std::mem::{offset_of, size_of};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use libc::size_t;
use zeroize::Zeroizing;

use super::client_options::{Checked, invalid, string};
use super::client_types::iotx_client_options_t;
use super::{barrier, cstr};
use crate::device::endpoint::Endpoint;
use crate::hal::seam;
use crate::state;
use crate::transport::proxy::CREDENTIAL_MAX;
use crate::transport::websocket::handshake::HEADERS_MAX;
use crate::transport::{NO_PROXY, Proxy, WebSocket};

const URL_MAX: usize = 1024;
/// Port of the platform for `ws://` as well as `wss://` (spec transport.md §4).
pub(super) const PLATFORM_PORT: u16 = 443;
/// Sizes of `iotx_proxy_t`, from its first version to more than any version to come.
const PROXY_SIZES: RangeInclusive<usize> =
    offset_of!(iotx_proxy_t, password) + size_of::<*const c_char>()..=4096;

/// An HTTP proxy that connections of the process go through.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_proxy_t {
    /// `sizeof(iotx_proxy_t)`.
    pub struct_size: size_t,
    /// `http://host[:port]`, port 80 without one.
    pub url: *const c_char,
    /// User name, at most 255 bytes; NULL: the proxy asks for none.
    pub username: *const c_char,
    /// Password, at most 255 bytes; needs a user name.
    pub password: *const c_char,
}

/// What the process has chosen for connections of the SDK's API.
struct Chosen {
    proxy: Option<Arc<Proxy>>,
    headers: Option<Zeroizing<String>>,
}

static CHOSEN: Mutex<Chosen> = Mutex::new(Chosen {
    proxy: None,
    headers: None,
});

fn chosen() -> std::sync::MutexGuard<'static, Chosen> {
    // Values that are replaced as a whole.
    CHOSEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The proxy of the process.
pub(super) fn process_proxy() -> Option<Arc<Proxy>> {
    chosen().proxy.clone()
}

/// WebSocket with this path and the process's header lines.
pub(super) fn process_websocket(path: &str) -> Result<WebSocket, &'static str> {
    let chosen = chosen();
    let headers = chosen.headers.as_ref().map_or("", |lines| lines.as_str());
    WebSocket::new(path, headers)
}

// ---- iotx_client_options_t -----------------------------------------------------------------------

/// WebSocket of a client, if its URL asks for it.
///
/// # Safety
/// The strings of `options` are NULL or terminated.
pub(super) unsafe fn websocket(
    options: &iotx_client_options_t,
    endpoint: &Endpoint,
) -> Checked<Option<WebSocket>> {
    let name = "websocket_headers";
    // SAFETY: the caller's promise.
    let headers = unsafe { string(options.websocket_headers, HEADERS_MAX, name) }?;
    let Some(path) = &endpoint.path else {
        return match headers {
            None => Ok(None),
            Some(_) => invalid("websocket_headers is given, but the URL is not ws:// or wss://"),
        };
    };
    match WebSocket::new(path, headers.unwrap_or_default()) {
        Ok(websocket) => Ok(Some(websocket)),
        Err(text) => invalid(text),
    }
}

/// The proxy of a client, if it has one.
///
/// # Safety
/// The strings of `options` are NULL or terminated.
pub(super) unsafe fn proxy(
    options: &iotx_client_options_t,
    tls: bool,
) -> Checked<Option<Arc<Proxy>>> {
    // SAFETY: the caller's promise.
    let (url, username, password) = unsafe {
        (
            string(options.proxy, URL_MAX, "proxy")?,
            string(options.proxy_username, CREDENTIAL_MAX, "proxy_username")?,
            string(options.proxy_password, CREDENTIAL_MAX, "proxy_password")?,
        )
    };
    let Some(url) = url else {
        return match username.or(password) {
            None => Ok(None),
            Some(_) => invalid("proxy_username or proxy_password without proxy"),
        };
    };
    if tls && !seam::tls_is_default() {
        return invalid(NO_PROXY);
    }
    match Proxy::new(url, username, password) {
        Ok(proxy) => Ok(Some(Arc::new(proxy))),
        Err(text) => invalid(text),
    }
}

// ---- the SDK's API -------------------------------------------------------------------------------

/// Lets the clients that `IOT_MQTT_Construct` makes from now on go through an HTTP proxy; NULL: none, as
/// at first. A client that lives keeps what it has. Clients of `iotx_client_create` have `proxy` options.
///
/// Everything is copied. Returns 0; `STATE_USER_INPUT_OUT_RANGE` for a wrong `struct_size` or a string
/// that is too long; `STATE_USER_INPUT_INVALID` for what is no proxy, and for a password without user
/// name. After an error the choice made before stays. With a port's own `HAL_SSL_Establish`,
/// `IOT_MQTT_Construct` fails with a proxy. Any thread.
///
/// # Safety
/// `proxy` is NULL or points to `struct_size` readable bytes; its strings are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_mqtt_set_proxy(proxy: *const iotx_proxy_t) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        let made = if proxy.is_null() {
            None
        } else {
            // SAFETY: not NULL; the first member is there in every version of the structure.
            let struct_size = unsafe { (&raw const (*proxy).struct_size).read() };
            if !PROXY_SIZES.contains(&struct_size) {
                return state::STATE_USER_INPUT_OUT_RANGE;
            }
            // SAFETY: the caller's promise; the structure has at least our size, that of the first
            // version.
            let proxy = unsafe { proxy.read() };
            // SAFETY: strings that are NULL or terminated by the caller's promise.
            match unsafe { of_process(&proxy) } {
                Ok(proxy) => Some(proxy),
                Err(code) => return code,
            }
        };
        chosen().proxy = made;
        state::STATE_SUCCESS
    })
}

/// # Safety
/// The strings of `proxy` are NULL or terminated.
unsafe fn of_process(proxy: &iotx_proxy_t) -> Result<Arc<Proxy>, c_int> {
    // SAFETY: the caller's promise.
    let strings = unsafe {
        (
            string(proxy.url, URL_MAX, "url"),
            string(proxy.username, CREDENTIAL_MAX, "username"),
            string(proxy.password, CREDENTIAL_MAX, "password"),
        )
    };
    let (url, username, password) = match strings {
        (Ok(url), Ok(username), Ok(password)) => (url, username, password),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
            log::error!("iotx_mqtt_set_proxy: {}", error.text);
            return Err(error.code);
        }
    };
    match Proxy::new(url.unwrap_or_default(), username, password) {
        Ok(proxy) => Ok(Arc::new(proxy)),
        Err(text) => {
            log::error!("iotx_mqtt_set_proxy: {text}");
            Err(state::STATE_USER_INPUT_INVALID)
        }
    }
}

/// Header lines that `IOT_MQTT_Construct` adds to the handshake of WebSocket from now on, `Name: value`,
/// parted by line feeds, at most 4096 bytes; NULL or "": none, as at first. They matter for hosts that
/// begin with `ws://` or `wss://`. Clients of `iotx_client_create` have the option `websocket_headers`.
///
/// Copied. Returns 0; `STATE_USER_INPUT_OUT_RANGE` for a text that is too long; `STATE_USER_INPUT_INVALID`
/// for what are no header lines, and for fields that the handshake sets itself. After an error the
/// choice made before stays. Any thread.
///
/// # Safety
/// `headers` is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_mqtt_set_websocket_headers(headers: *const c_char) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: NULL or terminated by the caller's promise.
        let text = match unsafe { cstr::bounded(headers, HEADERS_MAX) } {
            None if headers.is_null() => "",
            None => return state::STATE_USER_INPUT_OUT_RANGE,
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => return state::STATE_USER_INPUT_INVALID,
            },
        };
        if let Err(text) = WebSocket::new("/", text) {
            log::error!("iotx_mqtt_set_websocket_headers: {text}");
            return state::STATE_USER_INPUT_INVALID;
        }
        chosen().headers = Some(Zeroizing::new(text.to_owned()));
        state::STATE_SUCCESS
    })
}
