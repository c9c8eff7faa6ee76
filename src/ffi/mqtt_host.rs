//! The process around the MQTT client: its C handlers, the ioctl store, state events.

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use super::ioctl;
use super::mqtt_types::{
    IOTX_MQTT_EVENT_BUFFER_OVERFLOW, IOTX_MQTT_EVENT_DISCONNECT, IOTX_MQTT_EVENT_PUBLISH_RECEIVED,
    IOTX_MQTT_EVENT_PUBLISH_SUCCESS, IOTX_MQTT_EVENT_RECONNECT, IOTX_MQTT_EVENT_SUBCRIBE_NACK,
    IOTX_MQTT_EVENT_SUBCRIBE_SUCCESS, IOTX_MQTT_EVENT_UNSUBCRIBE_SUCCESS,
    iotx_mqtt_event_handle_func_fpt, iotx_mqtt_event_msg_t, iotx_mqtt_topic_info_t,
};
use super::registry::{self, StateSlot};
use crate::device::{Callback, ClientEvent, Delivery, Host, Names};

static NEXT_REPORT_ID: AtomicU32 = AtomicU32::new(0);

/// The number of the next report, from 0: one row for the library's own and those of C parts.
pub(super) fn next_report_id() -> u32 {
    NEXT_REPORT_ID.fetch_add(1, Ordering::Relaxed)
}

/// [`Host`] for C: handlers are called with `handle` as their client.
pub(super) struct CHost {
    /// The handle C knows the client by.
    pub(super) handle: usize,
}

impl Host for CHost {
    fn deliver(&self, callback: Callback, event: ClientEvent<'_>) {
        let id = |pkid: u16| usize::from(pkid) as *mut c_void;
        match event {
            ClientEvent::Disconnected => {
                self.call(callback, IOTX_MQTT_EVENT_DISCONNECT, std::ptr::null_mut())
            }
            ClientEvent::Reconnected { .. } => {
                self.call(callback, IOTX_MQTT_EVENT_RECONNECT, std::ptr::null_mut())
            }
            ClientEvent::SubscribeSuccess(pkid) => {
                self.call(callback, IOTX_MQTT_EVENT_SUBCRIBE_SUCCESS, id(pkid));
            }
            ClientEvent::SubscribeNack(pkid) => {
                self.call(callback, IOTX_MQTT_EVENT_SUBCRIBE_NACK, id(pkid))
            }
            ClientEvent::UnsubscribeSuccess(pkid) => {
                self.call(callback, IOTX_MQTT_EVENT_UNSUBCRIBE_SUCCESS, id(pkid));
            }
            ClientEvent::PublishSuccess(pkid) => {
                self.call(callback, IOTX_MQTT_EVENT_PUBLISH_SUCCESS, id(pkid));
            }
            ClientEvent::BufferOverflow => {
                let text = c"packet larger than the read buffer was dropped";
                self.call(
                    callback,
                    IOTX_MQTT_EVENT_BUFFER_OVERFLOW,
                    text.as_ptr() as *mut c_void,
                );
            }
            ClientEvent::Message(delivery) => {
                let mut info = topic_info(&delivery);
                self.call(
                    callback,
                    IOTX_MQTT_EVENT_PUBLISH_RECEIVED,
                    (&raw mut info).cast(),
                );
            }
        }
    }

    fn state(&self, code: i32, text: &str) {
        registry::state_event(StateSlot::MqttComm, code, text);
    }

    fn identity_received(&self, payload: &CStr) {
        registry::identity_response(payload);
    }

    fn store_names(&self, product_key: &str, device_name: &str) {
        // The lengths were checked when the payload was read.
        if ioctl::set_identity(product_key, device_name).is_err() {
            log::error!("identity not stored");
        }
    }

    fn names(&self) -> Names {
        let store = ioctl::store();
        Names {
            product_key: store.product_key,
            device_name: store.device_name,
            module: store.module,
        }
    }

    fn next_report_id(&self) -> u32 {
        next_report_id()
    }
}

fn topic_info(delivery: &Delivery<'_>) -> iotx_mqtt_topic_info_t {
    iotx_mqtt_topic_info_t {
        packet_id: delivery.packet_id,
        qos: delivery.qos,
        dup: u8::from(delivery.dup),
        retain: u8::from(delivery.retain),
        // A topic has at most 65535 bytes, a payload less than 256 MiB (MQTT 3.1.1 §1.5.3, §2.2.3).
        topic_len: delivery.topic.len() as u16,
        payload_len: delivery.payload.len() as u32,
        ptopic: delivery.topic.as_ptr().cast(),
        payload: delivery.payload.as_ptr().cast(),
    }
}

impl CHost {
    fn call(&self, callback: Callback, event_type: u32, msg: *mut c_void) {
        let mut message = iotx_mqtt_event_msg_t { event_type, msg };
        // SAFETY: the number was made in `callback` from a handler that the application passed
        // with this signature, and `Option` of a function pointer has its size and NULL as None.
        let function: iotx_mqtt_event_handle_func_fpt =
            unsafe { std::mem::transmute(callback.function) };
        if let Some(function) = function {
            // SAFETY: the application promised at registration that its handler may be called with
            // its own context, this handle and an event that lasts for the call.
            unsafe {
                function(
                    callback.context as *mut c_void,
                    self.handle as *mut c_void,
                    &raw mut message,
                );
            }
        }
    }
}

/// A handler of the application's as two numbers; `None` for NULL.
pub(super) fn callback(
    function: iotx_mqtt_event_handle_func_fpt,
    context: *mut c_void,
) -> Option<Callback> {
    function.map(|function| Callback {
        function: function as usize,
        context: context as usize,
    })
}
