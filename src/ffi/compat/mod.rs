//! Entry points for sources written for older versions of the SDK.
//!
//! The headers in `include/compat/` rename what differs in layout, numbers or results to the
//! functions here, one module per version; what a version shares with the next one it also calls
//! there. They convert and call the functions of the current interface.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::infra_types::{
    IOTX_DEVICE_NAME_LEN, IOTX_DEVICE_SECRET_LEN, IOTX_PRODUCT_KEY_LEN, IOTX_PRODUCT_SECRET_LEN,
};
use super::mqtt_api::{self, IOT_MQTT_Subscribe};
use super::mqtt_types::{iotx_mqtt_event_handle_func_fpt, iotx_mqtt_qos_t};
use super::registry::{self, Event, StateSlot};
use super::{cstr, ioctl};
use crate::mqtt::topic;
use crate::state;

pub mod v2_2;
pub mod v2_3;
pub mod v3_0;
pub mod v3_1;

/// Subscriptions that may wait for the first connection. The SDK had no limit with dynamic memory.
const WAITING_MAX: usize = 64;

/// A subscription made before there is a client.
struct Waiting {
    filter: Vec<u8>,
    qos: iotx_mqtt_qos_t,
    function: iotx_mqtt_event_handle_func_fpt,
    context: usize,
}

static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());

fn waiting() -> MutexGuard<'static, Vec<Waiting>> {
    // Every change is one push or one take.
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a subscription until a client is constructed; one for the same filter replaces it (spec
/// mqtt-session.md §17). Returns 0 or an older return code.
///
/// # Safety
/// `filter` is NULL or terminated; the handler may be called with `context` as in a subscription.
unsafe fn subscribe_later(
    filter: *const c_char,
    qos: iotx_mqtt_qos_t,
    function: iotx_mqtt_event_handle_func_fpt,
    context: *mut c_void,
) -> c_int {
    if filter.is_null() || function.is_none() {
        return state::NULL_VALUE_ERROR;
    }
    // SAFETY: not NULL, terminated by the caller's promise.
    let Some(filter) = (unsafe { cstr::bounded(filter, topic::TOPIC_MAX) }) else {
        return state::MQTT_TOPIC_LEN_TOO_SHORT;
    };
    if filter.is_empty() {
        return state::NULL_VALUE_ERROR;
    }
    let one = Waiting {
        filter: filter.to_vec(),
        qos,
        function,
        context: context as usize,
    };
    let mut list = waiting();
    if let Some(same) = list.iter_mut().find(|other| other.filter == one.filter) {
        *same = one;
    } else if list.len() < WAITING_MAX {
        list.push(one);
    } else {
        return state::MQTT_OFFLINE_LIST_LEN_TOO_SHORT;
    }
    state::SUCCESS_RETURN
}

/// Sends the subscriptions that waited for `client`; NULL, a failed Construct, leaves them waiting.
fn subscribe_waiting(client: *mut c_void) {
    if client.is_null() {
        return;
    }
    let list = std::mem::take(&mut *waiting());
    for one in list {
        let mut filter = one.filter;
        filter.push(0);
        // SAFETY: terminated here; the handler is under the promise of its subscription.
        let sent = unsafe {
            IOT_MQTT_Subscribe(
                client,
                filter.as_ptr().cast(),
                one.qos,
                one.function,
                one.context as *mut c_void,
            )
        };
        if sent < 0 {
            log::warn!("a subscription made before the connection failed: {sent}");
        }
    }
}

/// Whether handle 0 means no client, so that a subscription has to wait.
fn no_client(handle: *mut c_void) -> bool {
    handle.is_null() && mqtt_api::live().is_none()
}

/// The older return code (`iotx_err_t`) for a result of the current interface. Results that are no
/// errors stay.
fn older_code(result: c_int) -> c_int {
    match result {
        0.. => result,
        state::STATE_USER_INPUT_INVALID => state::NULL_VALUE_ERROR,
        state::STATE_MQTT_UNEXP_TOPIC_FORMAT => state::MQTT_TOPIC_FORMAT_ERROR,
        state::STATE_MQTT_TOPIC_BUF_TOO_SHORT => state::MQTT_TOPIC_FORMAT_ERROR,
        state::STATE_MQTT_IN_OFFLINE_STATUS => state::MQTT_STATE_ERROR,
        state::STATE_MQTT_SERIALIZE_SUB_ERROR => state::MQTT_SUBSCRIBE_PACKET_ERROR,
        state::STATE_MQTT_SERIALIZE_UNSUB_ERROR => state::MQTT_UNSUBSCRIBE_PACKET_ERROR,
        state::STATE_MQTT_SERIALIZE_PUB_ERROR => state::MQTT_PUBLISH_PACKET_ERROR,
        state::STATE_MQTT_PUB_QOS_INVALID => state::MQTT_PUBLISH_QOS_ERROR,
        state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX => state::MQTT_PUSH_TO_LIST_ERROR,
        state::STATE_SYS_DEPEND_NWK_CLOSE => state::MQTT_NETWORK_ERROR,
        state::STATE_SYS_DEPEND_MALLOC => state::ERROR_MALLOC,
        _ => state::FAIL_RETURN,
    }
}

/// The event that `number` meant in a version, whose events are listed in order.
fn event_of(events: &[Event], number: c_int) -> Option<Event> {
    usize::try_from(number)
        .ok()
        .and_then(|number| events.get(number))
        .copied()
}

/// The callback of the event that `number` meant; NULL when there is none.
fn callback_of(events: &[Event], number: c_int) -> *mut c_void {
    event_of(events, number).map_or(ptr::null_mut(), registry::slot)
}

/// Who the device is, as an older version asks its port.
struct Triple {
    product_key: Zeroizing<Vec<u8>>,
    device_name: Zeroizing<Vec<u8>>,
    device_secret: Zeroizing<Vec<u8>>,
}

unsafe extern "C" {
    // The identity functions of 2.x and 3.0, ours or the application's.
    fn HAL_GetProductKey(product_key: *mut c_char) -> c_int;
    fn HAL_GetProductSecret(product_secret: *mut c_char) -> c_int;
    fn HAL_GetDeviceName(device_name: *mut c_char) -> c_int;
    fn HAL_GetDeviceSecret(device_secret: *mut c_char) -> c_int;
    fn HAL_SetProductKey(product_key: *mut c_char) -> c_int;
    fn HAL_SetDeviceName(device_name: *mut c_char) -> c_int;
    fn HAL_SetDeviceSecret(device_secret: *mut c_char) -> c_int;
}

/// What one of the functions above says: empty when it fails, says nothing, or too much.
fn ask(get: unsafe extern "C" fn(*mut c_char) -> c_int, max: usize) -> Zeroizing<Vec<u8>> {
    // Ports differ in how much of the array they clear, hence the spare bytes.
    let mut buffer = Zeroizing::new(vec![0u8; max + 16]);
    // SAFETY: the buffer is longer than the array the function was declared with.
    unsafe { get(buffer.as_mut_ptr().cast()) };
    let length = match CStr::from_bytes_until_nul(&buffer) {
        Ok(text) if text.count_bytes() <= max => text.count_bytes(),
        _ => 0,
    };
    buffer.truncate(length);
    buffer
}

impl Triple {
    /// Asks the port.
    fn of_port() -> Self {
        Triple {
            product_key: ask(HAL_GetProductKey, IOTX_PRODUCT_KEY_LEN),
            device_name: ask(HAL_GetDeviceName, IOTX_DEVICE_NAME_LEN),
            device_secret: ask(HAL_GetDeviceSecret, IOTX_DEVICE_SECRET_LEN),
        }
    }

    /// The triple of C strings, or `None` when one is NULL or too long.
    ///
    /// # Safety
    /// Each is NULL, terminated, or longer than its limit.
    unsafe fn of_c(
        product_key: *const c_char,
        device_name: *const c_char,
        device_secret: *const c_char,
    ) -> Option<Self> {
        let copy = |text, max| {
            // SAFETY: NULL, terminated, or longer than `max` by the caller's promise.
            let bytes = unsafe { cstr::bounded(text, max) }?;
            Some(Zeroizing::new(bytes.to_vec()))
        };
        Some(Triple {
            product_key: copy(product_key, IOTX_PRODUCT_KEY_LEN)?,
            device_name: copy(device_name, IOTX_DEVICE_NAME_LEN)?,
            device_secret: copy(device_secret, IOTX_DEVICE_SECRET_LEN)?,
        })
    }

    /// The state code of the first part that is missing.
    fn missing(&self) -> Option<i32> {
        [
            (&self.product_key, state::STATE_USER_INPUT_PK),
            (&self.device_name, state::STATE_USER_INPUT_DN),
            (&self.device_secret, state::STATE_USER_INPUT_DS),
        ]
        .into_iter()
        .find_map(|(part, code)| part.is_empty().then_some(code))
    }

    /// The same for a device that obtains its secret by dynamic registration.
    fn missing_but_secret(&self) -> Option<i32> {
        self.missing()
            .filter(|code| *code != state::STATE_USER_INPUT_DS)
    }

    /// Makes it the identity of the process, as `IOT_Ioctl` of 3.2.0 would. False when a part is
    /// not UTF-8.
    fn store(&self) -> bool {
        let text = |part| std::str::from_utf8(part).ok();
        match (
            text(&self.product_key),
            text(&self.device_name),
            text(&self.device_secret),
        ) {
            (Some(product_key), Some(device_name), Some(device_secret)) => {
                ioctl::set_identity(product_key, device_name).is_ok()
                    && ioctl::set_device_secret(device_secret).is_ok()
            }
            _ => false,
        }
    }

    /// Hands it to the port.
    fn tell_port(&self) {
        type Set = unsafe extern "C" fn(*mut c_char) -> c_int;
        let parts: [(&[u8], Set); 3] = [
            (&self.product_key, HAL_SetProductKey),
            (&self.device_name, HAL_SetDeviceName),
            (&self.device_secret, HAL_SetDeviceSecret),
        ];
        for (part, set) in parts {
            let mut text = Zeroizing::new(part.to_vec());
            text.push(0);
            // SAFETY: terminated, and writable as the older prototypes allow.
            unsafe { set(text.as_mut_ptr().cast()) };
        }
    }
}

/// Takes the product secret of the port over, if it has one.
fn store_product_secret_of_port() {
    let secret = ask(HAL_GetProductSecret, IOTX_PRODUCT_SECRET_LEN);
    match std::str::from_utf8(&secret) {
        Ok("") => {}
        Ok(secret) => {
            // Within its limit, as `ask` checks.
            if ioctl::set_product_secret(secret).is_err() {
                log::error!("product secret not stored");
            }
        }
        Err(_) => log::error!("the product secret of the port is not UTF-8"),
    }
}

/// Says as a state event and in the log why a Construct fails.
fn refuse_construct(slot: StateSlot, code: i32, text: &str) -> *mut c_void {
    log::error!("{text}");
    registry::state_event(slot, code, text);
    ptr::null_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_sign() {
        for result in [0, 1, 65_535] {
            assert_eq!(older_code(result), result);
        }
        for result in -0x0A00..0 {
            let older = older_code(result);
            assert!((-1014..0).contains(&older), "{result} became {older}");
        }
        assert_eq!(older_code(-0x031E), -27);
        assert_eq!(older_code(-0x0322), -41);
    }

    #[test]
    fn event_numbers_of_each_version() {
        assert_eq!(event_of(&v3_1::EVENTS, 16), Some(Event::Cota));
        assert_eq!(event_of(&v3_1::EVENTS, 21), Some(Event::StateEverything));
        assert_eq!(event_of(&v3_1::EVENTS, 30), Some(Event::StateDevModel));
        assert_eq!(event_of(&v3_1::EVENTS, 31), None);
        assert_eq!(event_of(&v3_0::EVENTS, 6), Some(Event::PropertySet));
        assert_eq!(event_of(&v3_0::EVENTS, 16), Some(Event::MqttConnectSucc));
        assert_eq!(event_of(&v3_0::EVENTS, 17), None);
        assert_eq!(event_of(&v2_3::EVENTS, 27), Some(Event::StateSubDevice));
        assert_eq!(event_of(&v2_3::EVENTS, 29), Some(Event::StateDevModel));
        assert_eq!(event_of(&v2_3::EVENTS, -1), None);
    }
}
