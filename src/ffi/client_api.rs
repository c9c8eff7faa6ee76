//! The client API, `iotx_client_*`: any number of MQTT clients in one process, each with options of
//! its own.
//!
//! A client is known to C by a number, which is looked up in a table and never followed, so a stale or
//! foreign one is an error code. The contract of all functions is docs/client-api.md.

use std::collections::HashMap;
use std::ffi::{c_char, c_int, c_void};
use std::mem::size_of;
use std::sync::{Arc, PoisonError, RwLock};

use libc::size_t;
use once_cell::sync::Lazy;

use super::client_host::{self, ClientHost, LastError};
use super::client_options;
use super::client_types::{iotx_client_message_fn, iotx_client_options_t, iotx_client_t};
use super::{barrier, cstr, hal_in_use, mqtt_api};
use crate::device::store::StoreStats;
use crate::device::{Client, InCallback, OutMessage};
use crate::hal::memory::{Watch, apart};
use crate::state;

/// Longest topic that is looked at, bytes (MQTT 3.1.1 §1.5.3).
const TOPIC_MAX: usize = 65_535;

struct Entry {
    client: Client,
    host: Arc<ClientHost>,
    /// Longest packet it sends: a longer payload is refused before its memory is looked at.
    write_max: usize,
}

static CLIENTS: Lazy<RwLock<HashMap<usize, Arc<Entry>>>> = Lazy::new(RwLock::default);

thread_local! {
    /// Why the last `iotx_client_create` of this thread failed.
    static CREATE_ERROR: std::cell::RefCell<LastError> = const {
        std::cell::RefCell::new(LastError { code: 0, text: String::new() })
    };
}

fn find(client: *const iotx_client_t) -> Option<Arc<Entry>> {
    // Each change of the table is one insertion or removal.
    let clients = CLIENTS.read().unwrap_or_else(PoisonError::into_inner);
    clients.get(&(client as usize)).map(Arc::clone)
}

impl Entry {
    /// Notes an error for `iotx_client_last_error` and passes its code on.
    fn fail(&self, code: i32, text: &str) -> c_int {
        self.host.note(code, text);
        code
    }

    fn result(&self, sent: Result<u16, i32>) -> c_int {
        match sent {
            Ok(id) => id.into(),
            Err(code) => self.fail(code, &description(code)),
        }
    }

    fn driven(&self, call: &str, result: Result<(), InCallback>) -> c_int {
        match result {
            Ok(()) => state::STATE_SUCCESS,
            Err(InCallback) => self.in_callback(call),
        }
    }

    fn in_callback(&self, call: &str) -> c_int {
        let text = format!("{call} inside a callback would wait for itself");
        self.fail(state::STATE_USER_INPUT_INVALID, &text)
    }
}

/// Product key and device name that the platform told a client.
pub(super) fn identity(client: *const iotx_client_t) -> Option<(String, String)> {
    find(client)?.host.identity()
}

fn description(code: i32) -> String {
    state::describe(code).to_string_lossy().into_owned()
}

/// Runs `body` with the client, or returns `STATE_USER_INPUT_INVALID` for none.
fn with(client: *const iotx_client_t, body: impl FnOnce(&Entry) -> c_int) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || match find(client) {
        Some(entry) => body(&entry),
        None => state::STATE_USER_INPUT_INVALID,
    })
}

/// Makes the options ready to be filled in: everything default.
///
/// `struct_size` is `sizeof(iotx_client_options_t)` in the calling program; so much is written.
/// Returns 0; `STATE_USER_INPUT_NULL_POINTER`; `STATE_USER_INPUT_OUT_RANGE` for a size that no version has.
///
/// # Safety
/// `options` is NULL or has room for `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_options_init(
    options: *mut iotx_client_options_t,
    struct_size: size_t,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if options.is_null() {
            return state::STATE_USER_INPUT_NULL_POINTER;
        }
        if !client_options::is_size(struct_size) {
            return state::STATE_USER_INPUT_OUT_RANGE;
        }
        // SAFETY: not NULL, room for `struct_size` bytes by the caller's promise, which are at
        // least the first member; zero bytes are valid for every member.
        unsafe {
            options.cast::<u8>().write_bytes(0, struct_size);
            (&raw mut (*options).struct_size).write(struct_size);
        }
        state::STATE_SUCCESS
    })
}

/// Makes a client, which is not connected yet, and writes it to `*client`.
///
/// Everything in `options` is checked and copied; the files named there are read. Nothing is sent. On
/// failure `*client` becomes NULL, and `iotx_client_last_error` with NULL tells the reason to the
/// calling thread. Returns 0, a `STATE_USER_INPUT_*` code or `STATE_SYS_DEPEND_MALLOC`. To be given back with
/// `iotx_client_destroy`.
///
/// # Safety
/// `options` is NULL or has `struct_size` readable bytes, its strings are NULL or terminated, its
/// data has its size. `client` is NULL or writable. The callbacks may be called until the client is destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_create(
    options: *const iotx_client_options_t,
    client: *mut *mut iotx_client_t,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if client.is_null() {
            return refuse_creation(LastError {
                code: state::STATE_USER_INPUT_NULL_POINTER,
                text: "client is NULL".to_owned(),
            });
        }
        // SAFETY: not NULL, writable by the caller's promise.
        unsafe { client.write(std::ptr::null_mut()) };
        let watch = Watch::begin();
        // SAFETY: the caller's promises on `options`.
        let built = unsafe {
            client_options::read(options).and_then(|options| client_options::build(&options))
        };
        let built = match built {
            Ok(built) => built,
            Err(error) => return refuse_creation(error),
        };
        hal_in_use::announce();
        let handle = mqtt_api::new_handle();
        let host = Arc::new(ClientHost::new(handle, built.on_event));
        let entry = Arc::new(Entry {
            write_max: built.config.limits.write_max,
            client: Client::new(built.config, Arc::clone(&host) as _),
            host,
        });
        if watch.ran_out() {
            drop(entry);
            return refuse_creation(LastError {
                code: state::STATE_SYS_DEPEND_MALLOC,
                text: apart(|| "HAL_Malloc has no memory".to_owned()),
            });
        }
        let mut clients = CLIENTS.write().unwrap_or_else(PoisonError::into_inner);
        // The table stays when the clients are gone.
        apart(|| clients.insert(handle, entry));
        drop(clients);
        // SAFETY: not NULL, writable by the caller's promise.
        unsafe { client.write(handle as *mut iotx_client_t) };
        state::STATE_SUCCESS
    })
}

pub(super) fn refuse_creation(error: LastError) -> c_int {
    log::warn!("client refused: {} ({})", error.text, error.code);
    let code = error.code;
    CREATE_ERROR.set(error);
    code
}

/// Ends the connection and frees the client. Its number is never used again.
///
/// May be called in a callback, which is then the last that runs. Otherwise waits, at most the
/// request time-out, for a callback running in another thread; other calls under way return. QoS 1
/// messages without acknowledgement are dropped. NULL does nothing. Returns 0, or
/// `STATE_USER_INPUT_INVALID` for what is no client (any more).
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_destroy(client: *mut iotx_client_t) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if client.is_null() {
            return state::STATE_SUCCESS;
        }
        let mut clients = CLIENTS.write().unwrap_or_else(PoisonError::into_inner);
        let removed = clients.remove(&(client as usize));
        drop(clients);
        match removed {
            Some(entry) => {
                entry.client.close();
                state::STATE_SUCCESS
            }
            None => state::STATE_USER_INPUT_INVALID,
        }
    })
}

/// Connects and waits up to `timeout_ms` for it; callbacks run meanwhile.
///
/// Attempts are repeated within the time, unless the server refused the client or a certificate, which no
/// repeat can cure. Returns 0 when connected; otherwise the client is stopped, as before the call, and the
/// code is that of the last attempt: `STATE_SYS_DEPEND_NWK_CLOSE` (no connection),
/// `ERROR_CERT_VERIFY_FAIL`, `STATE_MQTT_CONNACK_*`, `STATE_SYS_DEPEND_NWK_TIMEOUT`;
/// `STATE_USER_INPUT_INVALID` inside a callback. May last longer than `timeout_ms` by one attempt.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_connect(client: *mut iotx_client_t, timeout_ms: u32) -> c_int {
    with(client, |entry| {
        match entry.client.connect_within(timeout_ms.into()) {
            Ok(Ok(())) => state::STATE_SUCCESS,
            Ok(Err(code)) => {
                // The attempt itself has left a better text.
                if entry.host.last_error().code != code {
                    entry.host.note(code, &description(code));
                }
                code
            }
            Err(InCallback) => entry.in_callback("iotx_client_connect"),
        }
    })
}

/// Begins to connect and returns at once. From now on the library connects, and connects again
/// whenever the connection is lost, inside `iotx_client_poll` and `iotx_client_process`; events tell.
/// Returns 0, also when that was begun already.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_start(client: *mut iotx_client_t) -> c_int {
    with(client, |entry| {
        entry.client.start();
        state::STATE_SUCCESS
    })
}

/// Ends the connection with DISCONNECT, or the attempts to get one; no event follows. Handlers,
/// unacknowledged messages and counts stay for the next `iotx_client_start` or `iotx_client_connect`.
///
/// Waits up to 1 s for the packet, and up to the request time-out for a thread that is connecting.
/// Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_disconnect(client: *mut iotx_client_t) -> c_int {
    with(client, |entry| {
        entry.client.stop();
        state::STATE_SUCCESS
    })
}

/// 1 when connected, 0 when not, `STATE_USER_INPUT_INVALID` for what is no client: compare with 1.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_is_connected(client: *mut iotx_client_t) -> c_int {
    with(client, |entry| entry.client.is_online().into())
}

/// Waits up to `timeout_ms` until something happens, handles it, calling the callbacks, and returns 0. For
/// programs that give the library a thread.
///
/// 0 waits for nothing. May last longer by one connect attempt or a callback. `STATE_USER_INPUT_INVALID`
/// inside a callback.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_poll(client: *mut iotx_client_t, timeout_ms: u32) -> c_int {
    with(client, |entry| {
        let result = entry.client.poll(timeout_ms.into());
        entry.driven("iotx_client_poll", result)
    })
}

/// Does what is due and handles what has arrived, calling the callbacks, without waiting. For event loops:
/// call it when the descriptor is ready or the time of `iotx_client_next_timeout_ms` is over.
///
/// Returns 0; `STATE_USER_INPUT_INVALID` inside a callback.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_process(client: *mut iotx_client_t) -> c_int {
    with(client, |entry| {
        let result = entry.client.process();
        entry.driven("iotx_client_process", result)
    })
}

/// The descriptor to wait on for input, and for output while `iotx_client_wants_write` says 1; only to
/// wait, never to read, write or close. It changes with every connection: ask before each wait.
///
/// -1 while there is none, and always when the application has its own `HAL_TCP_*`: then
/// `iotx_client_next_timeout_ms` is short enough to do without. `STATE_USER_INPUT_INVALID` for what is
/// no client.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_fd(client: *mut iotx_client_t) -> c_int {
    with(client, |entry| entry.client.descriptor().unwrap_or(-1))
}

/// 1 while bytes wait for the descriptor to become writable, otherwise 0; `STATE_USER_INPUT_INVALID` for
/// what is no client.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_wants_write(client: *mut iotx_client_t) -> c_int {
    with(client, |entry| entry.client.wants_write().into())
}

/// Milliseconds after which `iotx_client_process` is to be called even if the descriptor is not ready, as
/// `poll()` takes them: -1 when nothing is due (stopped). `STATE_USER_INPUT_INVALID`, negative as well, for
/// what is no client.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_client_next_timeout_ms(client: *mut iotx_client_t) -> c_int {
    with(client, |entry| match entry.client.next_timeout_ms() {
        Some(wait) => c_int::try_from(wait).unwrap_or(c_int::MAX),
        None => -1,
    })
}

/// A topic name or filter; one over the limit is cut one byte behind it and refused by the rules.
///
/// # Safety
/// `text` is NULL or terminated, and outlives the result.
unsafe fn topic_text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not NULL; terminated, so every byte up to the NUL or the limit is readable.
    let bytes = unsafe { cstr::bounded(text, TOPIC_MAX) };
    // SAFETY: without a NUL among the first `TOPIC_MAX` + 1 bytes, all of them are part of the string.
    Some(bytes.unwrap_or_else(|| unsafe { std::slice::from_raw_parts(text.cast(), TOPIC_MAX + 1) }))
}

/// Publishes `payload_len` bytes with QoS 0 or 1; `retain` 1 lets the server keep the message for later
/// subscribers.
///
/// Returns 0 for QoS 0, the packet id for QoS 1 (`IOTX_CLIENT_EVENT_PUBLISHED` follows), or
/// `STATE_USER_INPUT_NULL_POINTER`, `STATE_USER_INPUT_INVALID` (empty topic), `STATE_USER_INPUT_OUT_RANGE`
/// (topic over 65535 bytes, `retain` neither 0 nor 1), `STATE_MQTT_UNEXP_TOPIC_FORMAT`,
/// `STATE_MQTT_PUB_QOS_INVALID`, `STATE_MQTT_IN_OFFLINE_STATUS`,
/// `STATE_MQTT_SERIALIZE_PUB_ERROR` (over the write buffer), `STATE_MQTT_QOS1_REPUB_EXCEED_MAX` (window full),
/// `STATE_MQTT_TX_BUFFER_TOO_SHORT` (queue full), `STATE_SYS_DEPEND_NWK_CLOSE`. Any thread, also in callbacks; waits up to
/// the request time-out, with `nonblocking` for nothing.
///
/// # Safety
/// `topic` is NULL or terminated; `payload` is NULL or has `payload_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_publish(
    client: *mut iotx_client_t,
    topic: *const c_char,
    payload: *const c_void,
    payload_len: size_t,
    qos: c_int,
    retain: c_int,
) -> c_int {
    with(client, |entry| {
        // SAFETY: NULL or terminated by the caller's promise.
        let Some(topic) = (unsafe { topic_text(topic) }) else {
            return entry.fail(state::STATE_USER_INPUT_NULL_POINTER, "topic is NULL");
        };
        if payload.is_null() && payload_len > 0 {
            return entry.fail(state::STATE_USER_INPUT_NULL_POINTER, "payload is NULL");
        }
        if !matches!(retain, 0 | 1) {
            return entry.fail(
                state::STATE_USER_INPUT_OUT_RANGE,
                "retain is neither 0 nor 1",
            );
        }
        // A payload that no packet can hold is not looked at: its length may be as wrong as it is long.
        let payload = if payload_len > entry.write_max {
            None
        } else {
            // SAFETY: not NULL unless the length is 0; so many bytes by the caller's promise.
            unsafe { cstr::bytes(payload.cast(), payload_len) }
        };
        entry.result(entry.client.publish(&OutMessage {
            topic,
            payload,
            qos,
            retain: retain == 1,
        }))
    })
}

/// Subscribes to `filter` with QoS 0, 1 or 2; its messages go to `handler`, or with NULL to `on_message` of
/// the options, which then must not be NULL. A second subscription to a filter with another handler or context adds that handler.
///
/// Returns the packet id (`IOTX_CLIENT_EVENT_SUBSCRIBED` or `..._SUBSCRIBE_REFUSED` follows), or
/// `STATE_USER_INPUT_NULL_POINTER`, `STATE_USER_INPUT_INVALID` (empty filter), `STATE_USER_INPUT_OUT_RANGE`
/// (filter over 65535 bytes, other QoS), `STATE_MQTT_UNEXP_TOPIC_FORMAT`,
/// `STATE_MQTT_IN_OFFLINE_STATUS`, `STATE_MQTT_SERIALIZE_SUB_ERROR` (over the write buffer),
/// `STATE_MQTT_TX_BUFFER_TOO_SHORT` (queue full), `STATE_SYS_DEPEND_NWK_CLOSE`. Any thread, also in callbacks; waits as
/// `iotx_client_publish`.
///
/// # Safety
/// `filter` is NULL or terminated. The handler may be called with `context` until it is unsubscribed
/// or the client destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_subscribe(
    client: *mut iotx_client_t,
    filter: *const c_char,
    qos: c_int,
    handler: iotx_client_message_fn,
    context: *mut c_void,
) -> c_int {
    with(client, |entry| {
        // SAFETY: NULL or terminated by the caller's promise.
        let Some(filter) = (unsafe { topic_text(filter) }) else {
            return entry.fail(state::STATE_USER_INPUT_NULL_POINTER, "filter is NULL");
        };
        let Some(qos) = u32::try_from(qos).ok().filter(|qos| *qos <= 2) else {
            return entry.fail(state::STATE_USER_INPUT_OUT_RANGE, "qos is not 0, 1 or 2");
        };
        let callback = match (handler, entry.client.default_handler()) {
            (Some(_), _) => client_host::callback(handler, context),
            (None, Some(default)) => default,
            (None, None) => {
                let text = "there is neither a handler nor on_message";
                return entry.fail(state::STATE_USER_INPUT_NULL_POINTER, text);
            }
        };
        entry.result(entry.client.subscribe(filter, qos, callback))
    })
}

/// Unsubscribes: every handler with exactly this filter is removed, and none else.
///
/// Returns the packet id (`IOTX_CLIENT_EVENT_UNSUBSCRIBED` follows), or errors as
/// `iotx_client_subscribe`, with `STATE_MQTT_SERIALIZE_UNSUB_ERROR`.
///
/// # Safety
/// `filter` is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_unsubscribe(
    client: *mut iotx_client_t,
    filter: *const c_char,
) -> c_int {
    with(client, |entry| {
        // SAFETY: NULL or terminated by the caller's promise.
        match unsafe { topic_text(filter) } {
            Some(filter) => entry.result(entry.client.unsubscribe(filter)),
            None => entry.fail(state::STATE_USER_INPUT_NULL_POINTER, "filter is NULL"),
        }
    })
}

/// What went wrong last with `client`, or, with NULL, with the last `iotx_client_create` of the calling
/// thread that failed: the code to `*code` (0: nothing yet), the text to `text`, cut to `size` bytes with its NUL.
///
/// NULL for either leaves it out. The text is English and never holds a secret. Returns 0, or
/// `STATE_USER_INPUT_INVALID` for what is no client; then nothing is written.
///
/// # Safety
/// `code` is NULL or writable; `text` is NULL or has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_last_error(
    client: *mut iotx_client_t,
    code: *mut c_int,
    text: *mut c_char,
    size: size_t,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        let error = if client.is_null() {
            CREATE_ERROR.with_borrow(LastError::clone)
        } else if let Some(entry) = find(client) {
            entry.host.last_error()
        } else {
            return state::STATE_USER_INPUT_INVALID;
        };
        if !code.is_null() {
            // SAFETY: not NULL, writable by the caller's promise.
            unsafe { code.write(error.code) };
        }
        if !text.is_null() && size > 0 {
            let mut end = error.text.len().min(size - 1);
            while !error.text.is_char_boundary(end) {
                end -= 1;
            }
            // SAFETY: not NULL, room for `size` bytes, of which `end` and a NUL are used.
            unsafe { cstr::write_terminated(&error.text.as_bytes()[..end], text) };
        }
        state::STATE_SUCCESS
    })
}

/// Counters of a client's store; None for what is no client and without a store.
pub(super) fn store_stats(client: *const iotx_client_t) -> Option<StoreStats> {
    find(client)?.client.store_stats()
}

/// The snapshot of a client.
pub(super) fn snapshot(client: *const iotx_client_t) -> Option<crate::device::Snapshot> {
    find(client).map(|entry| entry.client.snapshot())
}

const _: () = assert!(size_of::<*mut iotx_client_t>() == size_of::<usize>());
