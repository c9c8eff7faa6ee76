//! `iotx_store_t`: QoS 1 messages that survive a restart. Rules in `device::store`.
#![allow(non_camel_case_types)] // The names of the C types.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::{offset_of, size_of};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use libc::size_t;

use super::client_types::iotx_client_t;
use super::{barrier, client_api, cstr, mqtt_api};
use crate::device::store::ledger::Bounds;
use crate::device::store::record::OVERHEAD;
use crate::device::store::{Loaded, Medium, StoreConfig, StoreStats};
use crate::hal::seam::{self, KvValue};
use crate::state;

/// Places of a store that leaves `max_count` 0.
const COUNT_DEFAULT: u32 = 32;
/// Most places of a store: far below the number of packet ids.
const COUNT_MAX: u32 = 4_096;
/// Longest record of a store that leaves `max_record` 0, bytes: a value of the default KV.
const RECORD_DEFAULT: u32 = 4_096;
/// Longest record of a store, bytes: a buffer of this size is allocated when a client connects.
const RECORD_MAX: u32 = 16 * 1024 * 1024;
/// Sizes of `iotx_store_t`, from its first version to more than any version to come.
const STORE_SIZES: RangeInclusive<usize> =
    offset_of!(iotx_store_t, remove) + size_of::<iotx_store_remove_t>()..=4_096;
/// Sizes of `iotx_store_stats_t`, likewise.
const STATS_SIZES: RangeInclusive<usize> =
    offset_of!(iotx_store_stats_t, failed) + size_of::<u64>()..=4_096;

/// Name of the KV store that is given none.
const KV_NAME: &CStr = c"iotx_qos1";
/// Different names of KV stores in one process: each is kept for its life.
const KV_NAMES_MAX: usize = 64;
/// Longest name of a KV store, bytes; with the place behind it still a key of the default KV.
const KV_NAME_MAX: usize = 64;

/// Saves a record: writes `len` bytes to place `slot`, replacing what it holds. 0 only when a loss of
/// power cannot take the record away any more; anything else means failure.
pub type iotx_store_save_t = Option<
    unsafe extern "C" fn(context: *mut c_void, slot: u32, record: *const u8, len: u32) -> c_int,
>;
/// Reads place `slot`: copies its bytes to `buffer` and returns their number; 0 when the place is empty;
/// more than `size` when they are more (nothing need be copied); negative when it cannot be read.
pub type iotx_store_load_t = Option<
    unsafe extern "C" fn(context: *mut c_void, slot: u32, buffer: *mut u8, size: u32) -> c_int,
>;
/// Empties place `slot`. 0 when it is empty now, also when it was before; anything else means failure.
pub type iotx_store_remove_t =
    Option<unsafe extern "C" fn(context: *mut c_void, slot: u32) -> c_int>;

/// A store for QoS 1 messages: `max_count` places, numbered from 0, each for one record of at most
/// `max_record` bytes. The library decides what lies where, and in which form; the application reads
/// and writes places. Set all members to 0 first, then `struct_size`.
///
/// The functions are called on the thread that publishes, yields or connects, without a lock held,
/// and count as handlers. Two threads may be in them at the same time, never for the same place.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct iotx_store_t {
    /// `sizeof(iotx_store_t)`.
    pub struct_size: size_t,
    /// Places, at most 4096; 0 means 32. Fewer than in an earlier run: the rest is not looked at.
    pub max_count: u32,
    /// Bytes of all records together; 0 means `max_count` times `max_record`.
    pub max_bytes: u32,
    /// Longest record, 30 bytes more than topic and payload, at most 16 MiB; 0 means 4096.
    pub max_record: u32,
    /// At a bound: 0 refuses the new message, 1 drops the oldest one.
    pub drop_oldest: u32,
    /// Passed to the functions.
    pub context: *mut c_void,
    /// Writes a place.
    pub save: iotx_store_save_t,
    /// Reads a place.
    pub load: iotx_store_load_t,
    /// Empties a place.
    pub remove: iotx_store_remove_t,
}

/// What a store has done since Construct, and what it holds.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct iotx_store_stats_t {
    /// `sizeof(iotx_store_stats_t)`, set by the caller.
    pub struct_size: size_t,
    /// Messages stored at the moment.
    pub count: u32,
    /// Bytes of their records.
    pub bytes: u32,
    /// Messages saved.
    pub saved: u64,
    /// Stored messages that the server has acknowledged.
    pub acknowledged: u64,
    /// Messages taken over from an earlier run.
    pub restored: u64,
    /// Messages dropped for newer ones.
    pub dropped: u64,
    /// Publishes refused because the store was full or the message too large for it.
    pub refused: u64,
    /// Records of earlier runs that were broken and skipped.
    pub broken: u64,
    /// Calls of the store's functions that failed.
    pub failed: u64,
}

/// The application's functions as a medium.
struct CMedium {
    context: *mut c_void,
    save: unsafe extern "C" fn(*mut c_void, u32, *const u8, u32) -> c_int,
    load: unsafe extern "C" fn(*mut c_void, u32, *mut u8, u32) -> c_int,
    remove: unsafe extern "C" fn(*mut c_void, u32) -> c_int,
}

// SAFETY: the context is only passed on to the application's functions, which by the contract of
// `iotx_store_t` may be called from any thread.
unsafe impl Send for CMedium {}
// SAFETY: as above; the contract allows calls at the same time.
unsafe impl Sync for CMedium {}

impl Medium for CMedium {
    fn save(&self, slot: u32, record: &[u8]) -> bool {
        let Ok(len) = u32::try_from(record.len()) else {
            return false;
        };
        // SAFETY: the application promised with iotx_mqtt_set_store that its functions may be
        // called with its context; pointer and length describe `record`.
        unsafe { (self.save)(self.context, slot, record.as_ptr(), len) == 0 }
    }

    fn load(&self, slot: u32, buffer: &mut [u8]) -> Loaded {
        let size = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        // SAFETY: as in `save`; `buffer` is writable for `size` bytes.
        let len = unsafe { (self.load)(self.context, slot, buffer.as_mut_ptr(), size) };
        match usize::try_from(len) {
            Ok(0) => Loaded::Nothing,
            Ok(len) if len <= buffer.len() => Loaded::Bytes(len),
            Ok(_) => Loaded::TooLong,
            Err(_) => Loaded::Failed,
        }
    }

    fn remove(&self, slot: u32) -> bool {
        // SAFETY: as in `save`.
        unsafe { (self.remove)(self.context, slot) == 0 }
    }
}

/// The store of the client that Construct makes next.
static NEXT: Mutex<Option<StoreConfig>> = Mutex::new(None);

/// The store that Construct gives its client.
pub(super) fn chosen() -> Option<StoreConfig> {
    // A value that is replaced as a whole.
    NEXT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A store of the application's as a client's parameter.
///
/// Errors: `STATE_USER_INPUT_NULL_POINTER` (a function), `STATE_USER_INPUT_OUT_RANGE` (a number,
/// `struct_size` included).
///
/// # Safety
/// `store` is NULL or readable for its `struct_size` bytes; its functions may be called, from any
/// thread, while a client made with the result lives.
pub(super) unsafe fn config(store: *const iotx_store_t) -> Result<StoreConfig, c_int> {
    if store.is_null() {
        return Err(state::STATE_USER_INPUT_NULL_POINTER);
    }
    // SAFETY: not NULL; the first member is there in every version of the structure.
    let struct_size = unsafe { (&raw const (*store).struct_size).read() };
    if !STORE_SIZES.contains(&struct_size) {
        return Err(state::STATE_USER_INPUT_OUT_RANGE);
    }
    // SAFETY: the caller's promise; the structure has at least our size, that of the first version.
    let store = unsafe { store.read() };
    let or_default = |value, default| if value == 0 { default } else { value };
    let max_count = or_default(store.max_count, COUNT_DEFAULT);
    let max_record = or_default(store.max_record, RECORD_DEFAULT);
    let max_bytes = or_default(store.max_bytes, max_count.saturating_mul(max_record));
    let smallest = OVERHEAD as u32 + 2;
    if max_count > COUNT_MAX
        || !(smallest..=RECORD_MAX).contains(&max_record)
        || max_bytes < smallest
        || store.drop_oldest > 1
    {
        return Err(state::STATE_USER_INPUT_OUT_RANGE);
    }
    let (Some(save), Some(load), Some(remove)) = (store.save, store.load, store.remove) else {
        return Err(state::STATE_USER_INPUT_NULL_POINTER);
    };
    Ok(StoreConfig {
        medium: Arc::new(CMedium {
            context: store.context,
            save,
            load,
            remove,
        }),
        bounds: Bounds {
            max_count,
            max_bytes,
            max_record,
            drop_oldest: store.drop_oldest == 1,
        },
    })
}

/// Gives the client that `IOT_MQTT_Construct` makes next, and those after it, a store for their
/// QoS 1 messages; NULL: none, as at first. A client that lives is not concerned.
///
/// With a store `IOT_MQTT_Publish` returns a packet id after the message is saved, and the message
/// is sent until it is acknowledged, by this or a later run of the program. See docs/qos1-store.md.
/// The structure is copied; its functions and context must stay usable while a client lives.
/// Returns 0; `STATE_USER_INPUT_OUT_RANGE` for a number out of range, `struct_size` included;
/// `STATE_USER_INPUT_NULL_POINTER` for a function that is NULL. After an error the choice made before
/// stays. Any thread.
///
/// # Safety
/// `store` is NULL or points to `struct_size` readable bytes; what it points to is as said above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_mqtt_set_store(store: *const iotx_store_t) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        let chosen = if store.is_null() {
            None
        } else {
            // SAFETY: the caller's promise.
            match unsafe { config(store) } {
                Ok(config) => Some(config),
                Err(code) => return code,
            }
        };
        *NEXT.lock().unwrap_or_else(PoisonError::into_inner) = chosen;
        state::STATE_SUCCESS
    })
}

/// Fills `store` with a store over `HAL_Kv_Set`, `HAL_Kv_Get` and `HAL_Kv_Del`: place n is the value
/// of key `name.n`. `struct_size` must be set; bounds may be changed afterwards, then the store goes to
/// `iotx_mqtt_set_store`.
///
/// `name` (1 to 64 bytes) is copied and kept as long as the process lives, at most 64 different ones;
/// NULL means `iotx_qos1`. `max_record` is 4096, what the default KV takes for a value: a port whose
/// KV takes less must lower it. Each record is read back after it was written. Returns 0;
/// `STATE_USER_INPUT_NULL_POINTER`; `STATE_USER_INPUT_OUT_RANGE` for a wrong `struct_size`, a name that
/// is empty or too long, or one too many. Any thread.
///
/// # Safety
/// `store` is NULL or points to `struct_size` writable bytes; `name` is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_store_kv(store: *mut iotx_store_t, name: *const c_char) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if store.is_null() {
            return state::STATE_USER_INPUT_NULL_POINTER;
        }
        // SAFETY: not NULL; the first member is there in every version of the structure.
        let struct_size = unsafe { (&raw const (*store).struct_size).read() };
        if !STORE_SIZES.contains(&struct_size) {
            return state::STATE_USER_INPUT_OUT_RANGE;
        }
        // SAFETY: NULL or terminated by the caller's promise.
        let context = match unsafe { cstr::bounded(name, KV_NAME_MAX) } {
            None if name.is_null() => KV_NAME.as_ptr(),
            None | Some([]) => return state::STATE_USER_INPUT_OUT_RANGE,
            Some(name) => match kept_name(name) {
                Some(name) => name,
                None => return state::STATE_USER_INPUT_OUT_RANGE,
            },
        };
        let filled = iotx_store_t {
            struct_size,
            max_count: COUNT_DEFAULT,
            max_bytes: COUNT_DEFAULT * RECORD_DEFAULT,
            max_record: RECORD_DEFAULT,
            drop_oldest: 0,
            context: context.cast_mut().cast(),
            save: Some(kv_save),
            load: Some(kv_load),
            remove: Some(kv_remove),
        };
        // SAFETY: writable for at least our size by the caller's promise.
        unsafe { store.write(filled) };
        state::STATE_SUCCESS
    })
}

/// Names of KV stores, so that the context of one stays valid without the application's help.
static KV_NAMES: Mutex<Vec<CString>> = Mutex::new(Vec::new());

/// A copy of `name` that lives as long as the process; None for one too many.
fn kept_name(name: &[u8]) -> Option<*const c_char> {
    // Entries are only added, each complete.
    let mut names = KV_NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.iter().find(|known| known.as_bytes() == name) {
        return Some(known.as_ptr());
    }
    if names.len() >= KV_NAMES_MAX {
        return None;
    }
    let name = CString::new(name).ok()?;
    // The bytes stay where they are when the list grows or is filled further.
    let address = name.as_ptr();
    names.push(name);
    Some(address)
}

/// The KV key of a place.
///
/// # Safety
/// `context` is a terminated string of 64 bytes at most, as [`iotx_store_kv`] has set it.
unsafe fn kv_key(context: *mut c_void, slot: u32) -> Option<CString> {
    // SAFETY: the caller's promise.
    let name = unsafe { cstr::bounded(context.cast_const().cast(), KV_NAME_MAX) }?;
    let mut key = name.to_vec();
    key.extend_from_slice(format!(".{slot}").as_bytes());
    CString::new(key).ok()
}

/// The record in full and durable: a KV that cuts long values without an error is found out.
///
/// # Safety
/// As for [`kv_key`]; `record` has `len` readable bytes.
unsafe extern "C" fn kv_save(
    context: *mut c_void,
    slot: u32,
    record: *const u8,
    len: u32,
) -> c_int {
    barrier::guard(-1, || {
        // SAFETY: the caller's promise.
        let (Some(key), Some(record)) = (unsafe { kv_key(context, slot) }, unsafe {
            cstr::bytes(record, len as usize)
        }) else {
            return -1;
        };
        if !seam::kv_set(&key, record, true) {
            return -1;
        }
        let mut back = zeroize::Zeroizing::new(vec![0; record.len()]);
        match seam::kv_read(&key, &mut back) {
            KvValue::Bytes(len) if back[..len] == *record => 0,
            _ => {
                log::error!("HAL_Kv_Set did not keep a value of {len} bytes");
                -1
            }
        }
    })
}

/// # Safety
/// As for [`kv_key`]; `buffer` has `size` writable bytes.
unsafe extern "C" fn kv_load(context: *mut c_void, slot: u32, buffer: *mut u8, size: u32) -> c_int {
    barrier::guard(-1, || {
        // SAFETY: the caller's promise.
        let Some(key) = (unsafe { kv_key(context, slot) }) else {
            return -1;
        };
        if buffer.is_null() {
            return -1;
        }
        // SAFETY: not NULL, `size` writable bytes that nobody else uses by the caller's promise; the
        // library has initialised them.
        let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, size as usize) };
        let len = match seam::kv_read(&key, buffer) {
            KvValue::Nothing => 0,
            KvValue::Bytes(len) | KvValue::TooLong(len) => len,
        };
        c_int::try_from(len).unwrap_or(c_int::MAX)
    })
}

/// # Safety
/// As for [`kv_key`].
unsafe extern "C" fn kv_remove(context: *mut c_void, slot: u32) -> c_int {
    barrier::guard(-1, || {
        // SAFETY: the caller's promise.
        let Some(key) = (unsafe { kv_key(context, slot) }) else {
            return -1;
        };
        // HAL_Kv_Del fails for a missing key too.
        let gone =
            seam::kv_del(&key) || matches!(seam::kv_read(&key, &mut [0; 1]), KvValue::Nothing);
        if gone { 0 } else { -1 }
    })
}

/// Counters of the store of a client of `IOT_MQTT_Construct`; `handle` NULL means the live one.
///
/// `struct_size` of `stats` must be set. Returns 0; `STATE_USER_INPUT_NULL_POINTER`;
/// `STATE_USER_INPUT_OUT_RANGE` for a wrong `struct_size`; `STATE_USER_INPUT_INVALID` for what is no
/// client, or one without a store. Any thread; waits for nothing.
///
/// # Safety
/// `stats` is NULL or points to `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_mqtt_store_stats(
    handle: *mut c_void,
    stats: *mut iotx_store_stats_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { report(stats, || mqtt_api::store_stats(handle)) }
}

/// As `iotx_mqtt_store_stats`, for a client of `iotx_client_create`.
///
/// # Safety
/// `stats` is NULL or points to `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_store_stats(
    client: *mut iotx_client_t,
    stats: *mut iotx_store_stats_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { report(stats, || client_api::store_stats(client)) }
}

/// # Safety
/// `stats` is NULL or points to `struct_size` writable bytes.
unsafe fn report(
    stats: *mut iotx_store_stats_t,
    take: impl FnOnce() -> Option<StoreStats>,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if stats.is_null() {
            return state::STATE_USER_INPUT_NULL_POINTER;
        }
        // SAFETY: not NULL; the first member is there in every version of the structure.
        let struct_size = unsafe { (&raw const (*stats).struct_size).read() };
        if !STATS_SIZES.contains(&struct_size) {
            return state::STATE_USER_INPUT_OUT_RANGE;
        }
        let Some(found) = take() else {
            return state::STATE_USER_INPUT_INVALID;
        };
        // Members of a version to come, which this one does not know, become 0.
        // SAFETY: writable for `struct_size` bytes by the caller's promise.
        unsafe { stats.cast::<u8>().write_bytes(0, struct_size) };
        let filled = iotx_store_stats_t {
            struct_size,
            count: found.count,
            bytes: found.bytes,
            saved: found.saved,
            acknowledged: found.acknowledged,
            restored: found.restored,
            dropped: found.dropped,
            refused: found.refused,
            broken: found.broken,
            failed: found.failed,
        };
        // SAFETY: at least our size, that of the first version, as checked above.
        unsafe { stats.write(filled) };
        state::STATE_SUCCESS
    })
}
