//! `mqtt_api.h`: the SDK's one MQTT client of the process.
//!
//! A handle is a number, not an address: it is compared with the live client and never
//! dereferenced, so a stale or foreign handle is an error code. Handle 0 means the live client.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::Lazy;

use super::mqtt_host::{self, CHost};
use super::mqtt_params::{self, Rules};
use super::mqtt_types::{
    IOTX_MQTT_QOS0, IOTX_MQTT_QOS3_SUB_LOCAL, iotx_mqtt_event_handle_func_fpt,
    iotx_mqtt_nwk_event_t, iotx_mqtt_nwk_param_t, iotx_mqtt_param_t, iotx_mqtt_qos_t,
    iotx_mqtt_topic_info_pt,
};
use super::registry::{self, StateSlot};
use super::{barrier, cstr, dynreg_api, hal_in_use};
use crate::device::store::StoreStats;
use crate::device::{Callback, Client, OutMessage, Snapshot};
use crate::hal::memory;
use crate::mqtt::topic;
use crate::state;

/// The client with the number that C knows it by.
struct Entry {
    handle: usize,
    client: Client,
    /// Longest packet it sends: a longer payload is refused before its memory is looked at.
    write_max: usize,
}

/// The process has one client at a time.
enum Slot {
    Empty,
    /// Its Construct has not returned: handlers may use its handle, handle 0 does not mean it.
    Constructing(Arc<Entry>),
    Live(Arc<Entry>),
}

static SLOT: Lazy<Mutex<Slot>> = Lazy::new(|| Mutex::new(Slot::Empty));
static LAST_HANDLE: AtomicUsize = AtomicUsize::new(0);

fn with_slot<T>(access: impl FnOnce(&mut Slot) -> T) -> T {
    // Each access replaces or reads the slot whole.
    access(&mut SLOT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The client a handle means, or `None` for a stale or foreign one.
fn find(handle: *mut c_void) -> Option<Arc<Entry>> {
    with_slot(|slot| match slot {
        Slot::Live(entry) if handle.is_null() || entry.handle == handle as usize => {
            Some(Arc::clone(entry))
        }
        Slot::Constructing(entry) if entry.handle == handle as usize => Some(Arc::clone(entry)),
        _ => None,
    })
}

/// Connects the process's MQTT client and returns its handle; with a client alive, returns that
/// one's handle and ignores the parameters.
///
/// `param` NULL and members that are NULL, "" or 0 select defaults; strings are copied. Blocks
/// for connection, CONNACK and, with empty names, up to 4.5 s for the identity (bounds in
/// docs/timeouts.md). Handlers may run on this thread before it returns. NULL on failure, with
/// state events that say why. Not to be raced by a second Construct: that one gets NULL.
///
/// # Safety
/// `param` is NULL or points to an `iotx_mqtt_param_t` whose strings are NULL or terminated; its
/// handler may be called until Destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_MQTT_Construct(param: *mut iotx_mqtt_param_t) -> *mut c_void {
    super::log::init();
    barrier::guard(std::ptr::null_mut(), || {
        // SAFETY: NULL or valid by the caller's promise; it is copied here.
        let param = unsafe { param.as_ref() }.copied();
        // SAFETY: the caller promises terminated strings.
        unsafe { construct(param.as_ref(), &Rules::CURRENT) }
    })
}

/// [`IOT_MQTT_Construct`] with the rules of one SDK version.
///
/// # Safety
/// As there, for the strings and the handler of `param`.
pub(super) unsafe fn construct(param: Option<&iotx_mqtt_param_t>, rules: &Rules) -> *mut c_void {
    // SAFETY: the caller's promise.
    let handle = unsafe { construct_one(param, rules) };
    handle.map_or(std::ptr::null_mut(), |handle| handle as *mut c_void)
}

/// A number for a client. They are unique in the process, so that a stale one never means a later
/// client, nor one of the other API.
pub(super) fn new_handle() -> usize {
    (LAST_HANDLE.fetch_add(1, Ordering::Relaxed) + 1) << 4
}

/// The numbers of the client that a handle means.
pub(super) fn snapshot(handle: *mut c_void) -> Option<Snapshot> {
    find(handle).map(|entry| entry.client.snapshot())
}

/// The handle of the client that is alive and constructed, which handle 0 means.
pub(super) fn live() -> Option<usize> {
    with_slot(|slot| match slot {
        Slot::Live(entry) => Some(entry.handle),
        _ => None,
    })
}

/// Counters of a client's store; None for a stale handle and without a store.
pub(super) fn store_stats(handle: *mut c_void) -> Option<StoreStats> {
    find(handle)?.client.store_stats()
}

/// # Safety
/// As for [`construct`].
unsafe fn construct_one(param: Option<&iotx_mqtt_param_t>, rules: &Rules) -> Option<usize> {
    let busy = with_slot(|slot| match slot {
        Slot::Empty => None,
        Slot::Constructing(_) => Some(None),
        Slot::Live(entry) => Some(Some(entry.handle)),
    });
    match busy {
        Some(Some(handle)) => {
            log::warn!(
                "a client is alive already; its handle is returned, new parameters are ignored"
            );
            return Some(handle);
        }
        Some(None) => {
            registry::state_event(
                StateSlot::MqttComm,
                state::STATE_MQTT_CLI_EXCEED_MAX,
                "another Construct is under way",
            );
            return None;
        }
        None => {}
    }
    let _registering = dynreg_api::before_construct(rules.keeps_secret)?;
    let watch = memory::Watch::begin();
    // SAFETY: the caller of Construct promises terminated strings.
    let config = match unsafe { mqtt_params::build(param, rules) } {
        Ok(config) => config,
        Err(refused) => {
            registry::state_event(refused.slot, refused.code, &refused.text);
            return None;
        }
    };
    mqtt_params::announce(&config);
    hal_in_use::announce();
    let handle = new_handle();
    let entry = Arc::new(Entry {
        handle,
        write_max: config.limits.write_max,
        client: Client::new(config, Arc::new(CHost { handle })),
    });
    let claimed = with_slot(|slot| {
        let free = matches!(slot, Slot::Empty);
        if free {
            *slot = Slot::Constructing(Arc::clone(&entry));
        }
        free
    });
    if !claimed {
        return None;
    }
    // Whatever happens below, panics included, the slot does not stay claimed by a dead client.
    let claim = Claim;
    // No attempt without the memory that a client needs.
    let connected = if watch.ran_out() {
        Err(state::STATE_SYS_DEPEND_MALLOC)
    } else {
        entry.client.connect()
    };
    match connected {
        Ok(()) | Err(state::STATE_SYS_DEPEND_MALLOC) if watch.ran_out() => {
            entry.client.close();
            drop(claim);
            memory_event("IOT_MQTT_Construct");
            None
        }
        Ok(()) => {
            std::mem::forget(claim);
            with_slot(|slot| *slot = Slot::Live(Arc::clone(&entry)));
            registry::mqtt_connect_succ();
            Some(handle)
        }
        Err(code) => {
            entry.client.close();
            drop(claim);
            let text = format!("connect failed, ret = {code}");
            registry::state_event(StateSlot::MqttComm, code, &text);
            None
        }
    }
}

/// Frees the slot of a client whose Construct did not come to its end.
struct Claim;

impl Drop for Claim {
    fn drop(&mut self) {
        with_slot(|slot| *slot = Slot::Empty);
    }
}

/// Disconnects and frees the client; writes NULL to `*phandle`.
///
/// `phandle` NULL means the live client. May be called in a handler: that handler is the last
/// that runs. Waits, at most the request time-out, for a handler running in another thread.
/// Pending QoS 1 messages are dropped, unless they are in a store. Returns 0, or `STATE_USER_INPUT_INVALID` when there is no
/// client, `*phandle` is NULL, or the handle is not that of the live client.
///
/// # Safety
/// `phandle` is NULL or points to a readable and writable handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_MQTT_Destroy(phandle: *mut *mut c_void) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        let handle = if phandle.is_null() {
            std::ptr::null_mut()
        } else {
            // SAFETY: not NULL, readable by the caller's promise.
            let handle = unsafe { *phandle };
            if handle.is_null() {
                return state::STATE_USER_INPUT_INVALID;
            }
            handle
        };
        let Some(entry) = find(handle) else {
            return state::STATE_USER_INPUT_INVALID;
        };
        entry.client.close();
        with_slot(|slot| {
            // Of a client under construction the slot is freed by its Construct.
            if matches!(slot, Slot::Live(live) if live.handle == entry.handle) {
                *slot = Slot::Empty;
            }
        });
        if !phandle.is_null() {
            // SAFETY: not NULL, writable by the caller's promise.
            unsafe { *phandle = std::ptr::null_mut() };
        }
        state::STATE_SUCCESS
    })
}

/// Reads, calls handlers, keeps alive and reconnects for `timeout_ms` milliseconds (0 means 10).
///
/// Lasts the whole time, connected or not; a connect attempt goes on in the next call. Beyond it
/// only by a handler, and by one `HAL_TCP_Establish` or `HAL_SSL_Establish` of the port's own.
/// Inside a handler it returns at once. Returns 0, or `STATE_USER_INPUT_INVALID` without a client, for a
/// stale handle or a negative time.
#[unsafe(no_mangle)]
pub extern "C" fn IOT_MQTT_Yield(handle: *mut c_void, timeout_ms: c_int) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        let (Ok(timeout_ms), Some(entry)) = (u64::try_from(timeout_ms), find(handle)) else {
            return state::STATE_USER_INPUT_INVALID;
        };
        entry.client.yield_for(timeout_ms);
        state::STATE_SUCCESS
    })
}

/// 1 when connected, 0 when not; `STATE_USER_INPUT_INVALID` without a client, which is true in C.
#[unsafe(no_mangle)]
pub extern "C" fn IOT_MQTT_CheckStateNormal(handle: *mut c_void) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || match find(handle) {
        Some(entry) => c_int::from(entry.client.is_online()),
        None => state::STATE_USER_INPUT_INVALID,
    })
}

/// What Subscribe and Subscribe_Sync share: arguments checked, event `verb` reported, then `action`
/// on the client with the QoS brought into its range.
///
/// # Safety
/// `filter` is NULL or terminated.
unsafe fn subscribe(
    handle: *mut c_void,
    filter: *const c_char,
    qos: iotx_mqtt_qos_t,
    callback: Option<Callback>,
    verb: &str,
    action: impl FnOnce(&Client, &[u8], u32, Callback) -> Result<u16, i32>,
) -> c_int {
    // SAFETY: NULL or terminated by the caller's promise.
    let (Some(filter), Some(callback)) = (unsafe { topic_text(filter) }, callback) else {
        return state::STATE_USER_INPUT_INVALID;
    };
    let qos = if qos > IOTX_MQTT_QOS3_SUB_LOCAL {
        log::warn!("QoS {qos} of a subscription is none, 0 is used");
        IOTX_MQTT_QOS0
    } else {
        qos
    };
    topic_event(state::STATE_MQTT_SUB_INFO, verb, filter, "");
    match find(handle) {
        Some(entry) => result(action(&entry.client, filter, qos, callback)),
        None => state::STATE_USER_INPUT_INVALID,
    }
}

/// A topic name or filter that is neither NULL nor empty. One over the limit is cut one byte
/// behind it, so that the topic rules refuse it without the rest being read.
///
/// # Safety
/// `text` is NULL or terminated, and outlives the result.
unsafe fn topic_text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    let longest = topic::TOPIC_MAX + 1;
    // SAFETY: not NULL; terminated, so every byte up to the NUL or the limit is readable.
    let bytes = unsafe { cstr::bounded(text, topic::TOPIC_MAX) }
        // SAFETY: no NUL among the first `longest` bytes, so they are all part of the string.
        .unwrap_or_else(|| unsafe { std::slice::from_raw_parts(text.cast(), longest) });
    (!bytes.is_empty()).then_some(bytes)
}

fn result(sent: Result<u16, i32>) -> c_int {
    match sent {
        Ok(pkid) => c_int::from(pkid),
        Err(code) => {
            if code == state::STATE_SYS_DEPEND_MALLOC {
                memory_event("MQTT packet not sent");
            }
            code
        }
    }
}

/// Says that something was given up because `HAL_Malloc` refused memory.
pub(super) fn memory_event(what: &str) {
    let code = state::STATE_SYS_DEPEND_MALLOC;
    log::error!("{what}: HAL_Malloc has no memory");
    registry::state_event(StateSlot::SysDepend, code, what);
}

/// Reports a call on a topic; the text is made only for a handler.
fn topic_event(code: i32, verb: &str, topic: &[u8], result: &str) {
    if registry::is_wanted(StateSlot::MqttComm) {
        let text = format!("{verb} - '{}'{result}", topic.escape_ascii());
        registry::state_event(StateSlot::MqttComm, code, &text);
    }
}

/// Subscribes to a filter; its messages go to `topic_handle_func`.
///
/// Returns the packet id (event 3 or 5 follows in a Yield), or: `STATE_USER_INPUT_INVALID` (NULL,
/// "", no client), `STATE_MQTT_IN_OFFLINE_STATUS`, `STATE_MQTT_UNEXP_TOPIC_FORMAT`,
/// `STATE_MQTT_TOPIC_BUF_TOO_SHORT`, `STATE_MQTT_SERIALIZE_SUB_ERROR`,
/// `STATE_SYS_DEPEND_NWK_CLOSE`, `STATE_SYS_DEPEND_MALLOC`. QoS 3 registers the handler without a packet. Any thread, also
/// in handlers; blocks for the request time-out at most.
///
/// # Safety
/// `topic_filter` is NULL or terminated. The handler may be called with `pcontext` until it is
/// unsubscribed or the client destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_MQTT_Subscribe(
    handle: *mut c_void,
    topic_filter: *const c_char,
    qos: iotx_mqtt_qos_t,
    topic_handle_func: iotx_mqtt_event_handle_func_fpt,
    pcontext: *mut c_void,
) -> c_int {
    let callback = mqtt_host::callback(topic_handle_func, pcontext);
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        unsafe {
            subscribe(
                handle,
                topic_filter,
                qos,
                callback,
                "sub",
                |client, filter, qos, callback| client.subscribe(filter, qos, callback),
            )
        }
    })
}

/// Subscribes and waits up to `timeout_ms` (at most 10000) for the server's answer, reading and
/// calling handlers meanwhile. In a handler, and for QoS 3, as [`IOT_MQTT_Subscribe`].
///
/// Returns the packet id, `STATE_MQTT_SYNC_SUB_TIMEOUT`, or the errors of Subscribe that waiting
/// cannot cure.
///
/// # Safety
/// As for [`IOT_MQTT_Subscribe`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_MQTT_Subscribe_Sync(
    handle: *mut c_void,
    topic_filter: *const c_char,
    qos: iotx_mqtt_qos_t,
    topic_handle_func: iotx_mqtt_event_handle_func_fpt,
    pcontext: *mut c_void,
    timeout_ms: c_int,
) -> c_int {
    let callback = mqtt_host::callback(topic_handle_func, pcontext);
    let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        unsafe {
            subscribe(
                handle,
                topic_filter,
                qos,
                callback,
                "subs",
                |client, filter, qos, callback| {
                    client.subscribe_sync(filter, qos, callback, timeout_ms)
                },
            )
        }
    })
}

/// Unsubscribes: every handler with exactly this filter is removed, and none else.
///
/// Returns the packet id (event 6 follows), or errors as [`IOT_MQTT_Subscribe`], the topic rules
/// checked before the connection.
///
/// # Safety
/// `topic_filter` is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_MQTT_Unsubscribe(
    handle: *mut c_void,
    topic_filter: *const c_char,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        let (Some(filter), Some(entry)) = (unsafe { topic_text(topic_filter) }, find(handle))
        else {
            return state::STATE_USER_INPUT_INVALID;
        };
        topic_event(state::STATE_MQTT_SUB_INFO, "unsub", filter, "");
        result(entry.client.unsubscribe(filter))
    })
}

/// Publishes a message; `dup` is ignored, `retain` sent as given.
///
/// Returns 0 for QoS 0; the packet id for QoS 1, also written to `packet_id` (event 9 follows).
/// Errors: `STATE_USER_INPUT_INVALID` (NULL, also as payload of length 0, "", no client), topic
/// rules, `STATE_MQTT_IN_OFFLINE_STATUS`, `STATE_MQTT_PUB_QOS_INVALID`,
/// `STATE_MQTT_SERIALIZE_PUB_ERROR` (over the write buffer), `STATE_MQTT_QOS1_REPUB_EXCEED_MAX`,
/// `STATE_SYS_DEPEND_NWK_CLOSE`, `STATE_SYS_DEPEND_MALLOC` (nothing was sent). Any thread, also in
/// handlers; blocks for the request time-out at most. With a store
/// ([`iotx_mqtt_set_store`](super::store_api::iotx_mqtt_set_store)) QoS 1 also blocks for it, and
/// `STATE_SYS_DEPEND_KV_SET` means that it failed.
///
/// # Safety
/// `topic_name` is NULL or terminated; `topic_msg` is NULL or valid, its payload NULL or of
/// `payload_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_MQTT_Publish(
    handle: *mut c_void,
    topic_name: *const c_char,
    topic_msg: iotx_mqtt_topic_info_pt,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        let (Some(topic), Some(entry)) = (unsafe { topic_text(topic_name) }, find(handle)) else {
            return state::STATE_USER_INPUT_INVALID;
        };
        // SAFETY: NULL or valid by the caller's promise; copied.
        let Some(info) = (unsafe { topic_msg.as_ref() }).copied() else {
            return published(topic, state::STATE_USER_INPUT_INVALID);
        };
        let len = info.payload_len as usize;
        // SAFETY: the payload has `len` bytes by the caller's promise.
        let code = unsafe {
            publish(
                &entry,
                topic,
                i32::from(info.qos),
                info.retain != 0,
                info.payload.cast(),
                len,
            )
        };
        if code > 0 {
            // SAFETY: not NULL, valid and writable by the caller's promise. Packet ids are 16 bits.
            unsafe { (*topic_msg).packet_id = code as u16 };
        }
        published(topic, code)
    })
}

/// Publishes `len` bytes without RETAIN. Returns and errors as [`IOT_MQTT_Publish`]; a negative
/// length is `STATE_USER_INPUT_INVALID`.
///
/// # Safety
/// `topic_name` is NULL or terminated; `data` is NULL or points to `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IOT_MQTT_Publish_Simple(
    handle: *mut c_void,
    topic_name: *const c_char,
    qos: c_int,
    data: *mut c_void,
    len: c_int,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        // SAFETY: the caller's promise.
        let (Some(topic), Some(entry)) = (unsafe { topic_text(topic_name) }, find(handle)) else {
            return state::STATE_USER_INPUT_INVALID;
        };
        let code = match usize::try_from(len) {
            // SAFETY: `data` has `len` bytes by the caller's promise.
            Ok(len) => unsafe { publish(&entry, topic, qos, false, data.cast(), len) },
            Err(_) => state::STATE_USER_INPUT_INVALID,
        };
        published(topic, code)
    })
}

/// # Safety
/// `payload` is NULL or points to `len` bytes.
unsafe fn publish(
    entry: &Entry,
    topic: &[u8],
    qos: i32,
    retain: bool,
    payload: *const u8,
    len: usize,
) -> c_int {
    if payload.is_null() {
        return state::STATE_USER_INPUT_INVALID;
    }
    // A payload that no packet can hold is not looked at: its length may be as wrong as it is long.
    let payload = if len > entry.write_max {
        None
    } else {
        // SAFETY: not NULL, `len` bytes by the caller's promise.
        unsafe { cstr::bytes(payload, len) }
    };
    result(entry.client.publish(&OutMessage {
        topic,
        payload,
        qos,
        retain,
    }))
}

fn published(topic: &[u8], code: c_int) -> c_int {
    if registry::is_wanted(StateSlot::MqttComm) {
        topic_event(
            state::STATE_MQTT_PUB_INFO,
            "pub",
            topic,
            &format!(": {code}"),
        );
    }
    code
}

/// Events of an asynchronous network stack, which this build has not:
/// always `STATE_MQTT_ASYNC_STACK_NOT_SUPPORT`.
#[unsafe(no_mangle)]
pub extern "C" fn IOT_MQTT_Nwk_Event_Handler(
    _handle: *mut c_void,
    _event: iotx_mqtt_nwk_event_t,
    _param: *mut iotx_mqtt_nwk_param_t,
) -> c_int {
    state::STATE_MQTT_ASYNC_STACK_NOT_SUPPORT
}
