//! Statistics of both kinds of clients, `iotx_client_stats` and `iotx_mqtt_stats`.

use std::ffi::{c_int, c_void};
use std::mem::{offset_of, size_of};
use std::ptr;

use super::client_types::{iotx_client_stats_t, iotx_client_t};
use super::{barrier, client_api, mqtt_api};
use crate::device::Snapshot;
use crate::state;

/// Size of the structure in its first version.
const FIRST_SIZE: usize = offset_of!(iotx_client_stats_t, last_round_trip_ms) + size_of::<u64>();
/// No version ever comes near this size.
const SIZE_MAX: usize = 4096;

/// Writes the numbers of `client` to `*stats`, whose `struct_size` the program has set to
/// `sizeof(iotx_client_stats_t)`; members that the library does not know become 0.
///
/// Returns 0; `STATE_USER_INPUT_NULL_POINTER`; `STATE_USER_INPUT_OUT_RANGE` for a wrong
/// `struct_size`; `STATE_USER_INPUT_INVALID` for what is no client. Any thread; waits for nothing.
///
/// # Safety
/// `stats` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_client_stats(
    client: *mut iotx_client_t,
    stats: *mut iotx_client_stats_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { report(stats, || client_api::snapshot(client)) }
}

/// As `iotx_client_stats`, for the client of `IOT_MQTT_Construct`; NULL means the live one.
///
/// # Safety
/// `stats` is NULL or has `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_mqtt_stats(
    handle: *mut c_void,
    stats: *mut iotx_client_stats_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { report(stats, || mqtt_api::snapshot(handle)) }
}

/// # Safety
/// `stats` is NULL or has `struct_size` writable bytes.
unsafe fn report(
    stats: *mut iotx_client_stats_t,
    take: impl FnOnce() -> Option<Snapshot>,
) -> c_int {
    barrier::guard(state::STATE_USER_INPUT_INVALID, || {
        if stats.is_null() {
            return state::STATE_USER_INPUT_NULL_POINTER;
        }
        // SAFETY: not NULL; the first member is readable by the caller's promise.
        let size = unsafe { (&raw const (*stats).struct_size).read() };
        if !(FIRST_SIZE..=SIZE_MAX).contains(&size) {
            return state::STATE_USER_INPUT_OUT_RANGE;
        }
        let Some(snapshot) = take() else {
            return state::STATE_USER_INPUT_INVALID;
        };
        let numbers = numbers(size, &snapshot);
        let known = size.min(size_of::<iotx_client_stats_t>());
        // SAFETY: `size` bytes are writable by the caller's promise, `known` readable.
        unsafe {
            ptr::copy_nonoverlapping((&raw const numbers).cast::<u8>(), stats.cast(), known);
            stats.cast::<u8>().add(known).write_bytes(0, size - known);
        }
        state::STATE_SUCCESS
    })
}

fn numbers(struct_size: usize, snapshot: &Snapshot) -> iotx_client_stats_t {
    let counters = &snapshot.counters;
    iotx_client_stats_t {
        struct_size,
        connected: snapshot.online_ms.is_some().into(),
        in_flight: u32::try_from(snapshot.inflight).unwrap_or(u32::MAX),
        connected_ms: snapshot.online_ms.unwrap_or(0),
        bytes_in: snapshot.bytes_in,
        bytes_out: snapshot.bytes_out,
        packets_in: counters.packets_in,
        packets_out: counters.packets_out,
        messages_in: counters.messages_in,
        messages_out: counters.messages_out,
        messages_acknowledged: counters.acknowledged,
        messages_too_large: counters.too_large,
        connect_attempts: snapshot.connect_attempts,
        reconnects: snapshot.connects.saturating_sub(1),
        queued_bytes: snapshot.queued_bytes as u64,
        round_trips: counters.round_trips,
        last_round_trip_ms: counters.last_round_trip_ms,
    }
}
