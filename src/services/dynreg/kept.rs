//! The device secret that a registration brought, in the KV store: by this library with the names it belongs
//! to, or by SDK 3.0.1, whose records are read but never written.

use std::ffi::{CStr, CString};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::answer::usable;
use crate::hal::seam;
use crate::sign::DEVICE_SECRET_MAX;

/// Key of the secret.
const KEY: &CStr = c"iotx_dynreg";
/// Two names and a secret at their longest, every byte escaped, with their keys.
const STORED_MAX: usize = 1024;
/// Under this key, followed by the device name, SDK 3.0.1 kept the secret.
const OLDER_KEY: &str = "DYNAMIC_REG_";

/// What lies in the store.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    product_key: String,
    device_name: String,
    device_secret: String,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.device_secret.zeroize();
    }
}

/// Keeps the secret of a device. False: the store refused it. Blocks for the store.
pub fn keep(product_key: &str, device_name: &str, secret: &str) -> bool {
    let stored = Stored {
        product_key: product_key.to_owned(),
        device_name: device_name.to_owned(),
        device_secret: secret.to_owned(),
    };
    let mut value = Zeroizing::new(Vec::with_capacity(STORED_MAX));
    serde_json::to_writer(&mut *value, &stored).is_ok() && seam::kv_set(KEY, &value, true)
}

/// The secret kept for a device. Blocks for the store.
pub fn find(product_key: &str, device_name: &str) -> Option<Zeroizing<String>> {
    let mut buffer = Zeroizing::new([0u8; STORED_MAX]);
    if let Some(size) = seam::kv_get(KEY, &mut buffer[..])
        && let Ok(stored) = serde_json::from_slice::<Stored>(buffer.get(..size)?)
        && stored.product_key == product_key
        && stored.device_name == device_name
        && usable(&stored.device_secret, DEVICE_SECRET_MAX)
    {
        return Some(Zeroizing::new(stored.device_secret.clone()));
    }
    let size = seam::kv_get(&older_key(device_name)?, &mut buffer[..])?;
    let text = buffer.get(..size)?;
    // Stored with its terminator or without.
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(size);
    let secret = std::str::from_utf8(&text[..end]).ok()?;
    usable(secret, DEVICE_SECRET_MAX).then(|| Zeroizing::new(secret.to_owned()))
}

/// Removes what is kept, also that of SDK 3.0.1 for this name. False: there was nothing, or the store
/// refused. Blocks for the store.
pub fn forget(device_name: &str) -> bool {
    let ours = seam::kv_del(KEY);
    let older = older_key(device_name).is_some_and(|key| seam::kv_del(&key));
    ours || older
}

fn older_key(device_name: &str) -> Option<CString> {
    CString::new(format!("{OLDER_KEY}{device_name}")).ok()
}
