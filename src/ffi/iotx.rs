//! Our own API beside the SDK's, `iotx_*`.

use std::ffi::{CStr, c_int};

use serde::{Deserialize, Serialize};

use super::{barrier, ioctl};
use crate::device::identity;
use crate::hal::seam;
use crate::state;

/// Under this key the identity lies in the KV store.
const IDENTITY_KEY: &CStr = c"iotx_identity";
/// Two names at their longest, every byte escaped, with their keys.
const IDENTITY_SIZE_MAX: usize = 512;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    product_key: String,
    device_name: String,
}

/// Saves the product key and device name, which an X.509 device has learned from the platform,
/// through `HAL_Kv_Set`. Call it in the identity handler's wake, e.g. after Construct.
///
/// Returns 0; `STATE_USER_INPUT_PK` or `STATE_USER_INPUT_DN` when a name is unknown; `STATE_SYS_DEPEND_KV_SET` when the store refuses. Thread-safe; blocks for the store.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_identity_save() -> c_int {
    super::log::init();
    barrier::guard(state::STATE_SYS_DEPEND_KV_SET, || {
        let store = ioctl::store();
        let (product_key, device_name) = (store.product_key, store.device_name);
        if product_key.is_empty() {
            return state::STATE_USER_INPUT_PK;
        }
        if device_name.is_empty() {
            return state::STATE_USER_INPUT_DN;
        }
        let Ok(value) = serde_json::to_vec(&Stored {
            product_key,
            device_name,
        }) else {
            return state::STATE_SYS_DEPEND_KV_SET;
        };
        if seam::kv_set(IDENTITY_KEY, &value, true) {
            state::STATE_SUCCESS
        } else {
            state::STATE_SYS_DEPEND_KV_SET
        }
    })
}

/// Loads the names saved by iotx_identity_save as if set by `IOT_Ioctl`. Call it before
/// Construct: the device then connects under its own names.
///
/// Returns 0; `STATE_SYS_DEPEND_KV_GET` when nothing valid is stored (names stay as they are).
/// Thread-safe; blocks for the store.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_identity_load() -> c_int {
    super::log::init();
    barrier::guard(state::STATE_SYS_DEPEND_KV_GET, || {
        let mut buffer = [0u8; IDENTITY_SIZE_MAX];
        let Some(size) = seam::kv_get(IDENTITY_KEY, &mut buffer) else {
            return state::STATE_SYS_DEPEND_KV_GET;
        };
        // What lies in flash is checked like what comes from the network.
        match identity::parse(buffer.get(..size).unwrap_or_default()) {
            Ok(known) => match ioctl::set_identity(&known.product_key, &known.device_name) {
                Ok(()) => state::STATE_SUCCESS,
                Err(_) => state::STATE_SYS_DEPEND_KV_GET,
            },
            Err(refused) => {
                log::warn!("stored {}", refused.text);
                state::STATE_SYS_DEPEND_KV_GET
            }
        }
    })
}

/// Removes the saved names, e.g. when the device is given to a new owner. Names in use stay.
///
/// Returns 0; `STATE_SYS_DEPEND_KV_DELETE` when the store refuses or nothing was stored.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_identity_forget() -> c_int {
    super::log::init();
    barrier::guard(state::STATE_SYS_DEPEND_KV_DELETE, || {
        if seam::kv_del(IDENTITY_KEY) {
            state::STATE_SUCCESS
        } else {
            state::STATE_SYS_DEPEND_KV_DELETE
        }
    })
}
