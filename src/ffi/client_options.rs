//! From `iotx_client_options_t` to the parameters of a client: every member checked, nothing taken
//! in silence.

use std::ffi::{CString, c_char, c_void};
use std::mem::{offset_of, size_of};
use std::ops::RangeInclusive;

use zeroize::Zeroizing;

use super::client_host::{self, EventHandler, LastError};
use super::client_sign_in::{self, SignIn};
use super::client_types::{iotx_client_data_t, iotx_client_options_t};
use super::{client_tls, client_transport, cstr, sized, store_api};
use crate::device::{Config, ConnectBounds, Reconnect};
use crate::hal::credential_file;
use crate::mqtt::{Limits, topic};
use crate::state;
use crate::transport::{DialBounds, Target};

/// Size of the structure in its first version: no program has a smaller one.
const FIRST_SIZE: usize = offset_of!(iotx_client_options_t, context) + size_of::<*mut c_void>();
/// No version ever comes near this size.
const SIZE_MAX: usize = 4096;

/// Longest try of one address while there are others, milliseconds.
const ADDRESS_MS: u32 = 5_000;
/// Least wait before an attempt, milliseconds.
const RECONNECT_FLOOR_MS: u32 = 100;
pub(super) const URL_MAX: usize = 1024;
const PATH_MAX: usize = 4096;
/// MQTT strings carry a length of two bytes (MQTT 3.1.1 §1.5.3).
pub(super) const STRING_MAX: usize = 65_535;
const PACKET_SIZES: RangeInclusive<u32> = 128..=268_435_460;

/// What the options come to.
pub(super) struct Built {
    pub(super) config: Config,
    pub(super) on_event: Option<EventHandler>,
}

/// A value, or why an option was refused.
pub(super) type Checked<T> = Result<T, LastError>;

pub(super) fn refuse<T>(code: i32, text: impl Into<String>) -> Checked<T> {
    Err(LastError {
        code,
        text: text.into(),
    })
}

pub(super) fn invalid<T>(text: impl Into<String>) -> Checked<T> {
    refuse(state::STATE_USER_INPUT_INVALID, text)
}

/// Whether some version of the structure could have this size.
pub(super) fn is_size(size: usize) -> bool {
    (FIRST_SIZE..=SIZE_MAX).contains(&size)
}

/// Reads the structure as far as the program knows it.
///
/// # Safety
/// `options` is NULL or points to a `struct_size` followed by the rest of so many bytes.
pub(super) unsafe fn read(options: *const iotx_client_options_t) -> Checked<iotx_client_options_t> {
    // SAFETY: the caller's promise; NULL pointers, no functions and zero numbers are valid.
    unsafe { sized::read(options, FIRST_SIZE..=SIZE_MAX, "iotx_client_options") }
}

/// Checks the options and makes the parameters of a client of them. Reads the files.
///
/// # Safety
/// Strings are NULL or terminated, data has its size, `store` is NULL or as `iotx_mqtt_set_store`
/// takes it.
pub(super) unsafe fn build(options: &iotx_client_options_t) -> Checked<Built> {
    // SAFETY: the caller's promise.
    let SignIn {
        login,
        endpoint,
        psk,
        platform,
    } = unsafe { client_sign_in::sign_in(options) }?;
    let security = match psk {
        Some(psk) => client_sign_in::security(options, psk)?,
        // SAFETY: the caller's promise.
        None => unsafe { client_tls::security(options, endpoint.tls) }?,
    };
    // SAFETY: the caller's promise.
    let websocket = unsafe { client_transport::websocket(options, &endpoint) }?;
    // SAFETY: the caller's promise.
    let proxy = unsafe { client_transport::proxy(options, endpoint.tls) }?;
    let keep_alive_s = number(options.keep_alive_s, 60, 4..=1200, "keep_alive_s")?;
    let reconnect_min_ms = number(
        options.reconnect_min_ms,
        1000,
        100..=3_600_000,
        "reconnect_min_ms",
    )?;
    let reconnect_max_ms = number(
        options.reconnect_max_ms,
        30_000.max(reconnect_min_ms),
        reconnect_min_ms..=3_600_000,
        "reconnect_max_ms",
    )?;
    let stable_after_ms = number(
        options.stable_after_ms,
        30_000,
        1..=3_600_000,
        "stable_after_ms",
    )?;
    let connect_timeout_ms = number(
        options.connect_timeout_ms,
        30_000,
        1000..=120_000,
        "connect_timeout_ms",
    )?;
    let request_timeout_ms = number(
        options.request_timeout_ms,
        5000,
        100..=60_000,
        "request_timeout_ms",
    )?;
    let nonblocking = flag(options.nonblocking, "nonblocking")?;
    if options.queue_size != 0 && !nonblocking {
        return invalid("queue_size without nonblocking");
    }
    let queue_size = number(options.queue_size, 65_536, 1..=u32::MAX, "queue_size")?;
    let limits = Limits {
        write_max: number(
            options.write_buffer_size,
            16_384,
            PACKET_SIZES,
            "write_buffer_size",
        )? as usize,
        read_max: number(
            options.read_buffer_size,
            16_384,
            PACKET_SIZES,
            "read_buffer_size",
        )? as usize,
        inflight_max: number(options.max_inflight, 128, 1..=16_384, "max_inflight")? as usize,
        request_timeout_ms: request_timeout_ms.into(),
        // Pings go out at half the time the server waits.
        keepalive_ms: u64::from(keep_alive_s) * 500,
    };
    let store = if options.store.is_null() {
        None
    } else {
        // SAFETY: the caller's promise on what `store` points to.
        match unsafe { store_api::config(options.store) } {
            Ok(store) => Some(store),
            Err(code) => {
                return refuse(
                    code,
                    "store has a wrong struct_size, a number out of range, or no function",
                );
            }
        }
    };
    let Ok(host) = CString::new(endpoint.host) else {
        return invalid("url: the host contains a NUL");
    };
    Ok(Built {
        config: Config {
            target: Target {
                host,
                port: endpoint.port,
                security,
                websocket,
                proxy,
            },
            login,
            limits,
            connect: ConnectBounds {
                // No stage has a bound of its own but an address with others behind it.
                dial: DialBounds {
                    resolve_ms: connect_timeout_ms,
                    address_ms: (connect_timeout_ms / 2).min(ADDRESS_MS),
                    network_ms: connect_timeout_ms,
                    handshake_ms: connect_timeout_ms,
                },
                attempt_ms: connect_timeout_ms.into(),
            },
            reconnect: Reconnect {
                first_ms: reconnect_min_ms,
                ceiling_ms: reconnect_max_ms,
                floor_ms: RECONNECT_FLOOR_MS,
                stable_ms: stable_after_ms,
            },
            handler: Some(client_host::callback(options.on_message, options.context)),
            topics: topic::Rules::Standard,
            platform,
            store,
            queue_max: nonblocking.then_some(queue_size as usize),
        },
        on_event: EventHandler::new(options.on_event, options.context),
    })
}

// ---- members -------------------------------------------------------------------------------------

/// One string: `None` for NULL and "".
///
/// # Safety
/// `text` is NULL or terminated and outlives the result.
pub(super) unsafe fn string<'a>(
    text: *const c_char,
    max: usize,
    name: &str,
) -> Checked<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, terminated by the caller's promise.
    let Some(bytes) = (unsafe { cstr::bounded(text, max) }) else {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            format!("{name} is longer than {max} bytes"),
        );
    };
    match std::str::from_utf8(bytes) {
        Ok("") => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(_) => invalid(format!("{name} is not UTF-8")),
    }
}

fn number(value: u32, default: u32, range: RangeInclusive<u32>, name: &str) -> Checked<u32> {
    match value {
        0 => Ok(default),
        _ if range.contains(&value) => Ok(value),
        _ => refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            format!(
                "{name} is {value}; it goes from {} to {}",
                range.start(),
                range.end()
            ),
        ),
    }
}

pub(super) fn flag(value: u32, name: &str) -> Checked<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            format!("{name} is {value}; it is 0 or 1"),
        ),
    }
}

/// One piece of material, wiped when dropped; `None` when absent.
///
/// # Safety
/// `data.data` is NULL or has `data.size` bytes, `data.file` is NULL or terminated.
pub(super) unsafe fn material(
    data: &iotx_client_data_t,
    name: &str,
) -> Checked<Option<Zeroizing<Vec<u8>>>> {
    // SAFETY: NULL or terminated by the caller's promise.
    let file = unsafe { string(data.file, PATH_MAX, &format!("{name}.file")) }?;
    if let Some(path) = file {
        if !data.data.is_null() || data.size != 0 {
            return invalid(format!(
                "{name} is given as data and as file; one is enough"
            ));
        }
        return match credential_file::read(path) {
            Ok(content) => Ok(Some(content)),
            Err(text) => invalid(format!("{name}.file {text}")),
        };
    }
    if data.data.is_null() && data.size == 0 {
        return Ok(None);
    }
    if data.data.is_null() {
        return invalid(format!("{name}.data is NULL, {name}.size is not 0"));
    }
    if data.size == 0 {
        return invalid(format!("{name}.size is 0"));
    }
    if data.size as u64 > credential_file::SIZE_MAX {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            format!("{name}.size is above {}", credential_file::SIZE_MAX),
        );
    }
    // SAFETY: not NULL, `size` bytes by the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(data.data.cast::<u8>(), data.size) };
    Ok(Some(Zeroizing::new(bytes.to_vec())))
}
