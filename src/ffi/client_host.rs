//! The process around a client of the client API: its C callbacks and its last error.

use std::ffi::{CStr, CString, c_void};
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::client_types::iotx_client_event_type_t as Type;
use super::client_types::{
    iotx_client_event_fn, iotx_client_event_t, iotx_client_message_fn, iotx_client_message_t,
    iotx_client_t,
};
use crate::device::{Callback, ClientEvent, Delivery, Host, Names};
use crate::state;

/// What went wrong last: a state code, and a text without secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LastError {
    /// 0 when nothing has.
    pub code: i32,
    /// One sentence.
    pub text: String,
}

/// [`Host`] for the client API: events go to one function, messages to that of their filter.
pub(super) struct ClientHost {
    handle: usize,
    on_event: Option<EventHandler>,
    connected_before: AtomicBool,
    notes: Mutex<Notes>,
    /// Product key and device name that the platform told.
    identity: Mutex<Option<(String, String)>>,
}

#[derive(Default)]
struct Notes {
    /// Of whatever failed last, a call or the connection.
    error: LastError,
    /// Of the connection alone: what an event that follows is about.
    reason: LastError,
}

/// The event function of the application with its context.
#[derive(Clone, Copy)]
pub(super) struct EventHandler {
    function: unsafe extern "C" fn(*mut c_void, *mut iotx_client_t, *const iotx_client_event_t),
    /// An address, only handed back.
    context: usize,
}

impl EventHandler {
    /// `None` for NULL.
    pub(super) fn new(function: iotx_client_event_fn, context: *mut c_void) -> Option<Self> {
        function.map(|function| EventHandler {
            function,
            context: context as usize,
        })
    }
}

/// A message function with its context as two numbers; NULL becomes 0, which is never called.
pub(super) fn callback(function: iotx_client_message_fn, context: *mut c_void) -> Callback {
    Callback {
        function: function.map_or(0, |function| function as usize),
        context: context as usize,
    }
}

impl ClientHost {
    /// The host of the client that C knows as `handle`.
    pub(super) fn new(handle: usize, on_event: Option<EventHandler>) -> Self {
        ClientHost {
            handle,
            on_event,
            connected_before: AtomicBool::new(false),
            notes: Mutex::default(),
            identity: Mutex::default(),
        }
    }

    /// The last error.
    pub(super) fn last_error(&self) -> LastError {
        self.notes().error.clone()
    }

    /// Notes an error.
    pub(super) fn note(&self, code: i32, text: &str) {
        let mut notes = self.notes();
        notes.error.code = code;
        text.clone_into(&mut notes.error.text);
    }

    /// Product key and device name, once the platform has told them.
    pub(super) fn identity(&self) -> Option<(String, String)> {
        // Replaced as a whole.
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        identity.clone()
    }

    fn reason(&self) -> LastError {
        self.notes().reason.clone()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        // Plain values, the texts valid at every moment.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&self, kind: Type, packet_id: u16) {
        self.event_with(kind, packet_id, false, &LastError::default());
    }

    fn event_with(&self, kind: Type, packet_id: u16, session_present: bool, reason: &LastError) {
        let Some(handler) = self.on_event else {
            return;
        };
        // A NUL cannot come from our own texts; should one, the text is left out.
        let text = CString::new(reason.text.as_str()).unwrap_or_default();
        let event = iotx_client_event_t {
            struct_size: size_of::<iotx_client_event_t>(),
            r#type: kind,
            code: reason.code,
            packet_id: packet_id.into(),
            session_present: session_present.into(),
            text: text.as_ptr(),
        };
        // SAFETY: the application promised at creation that its function may be called with its own
        // context, this client and an event that lasts for the call.
        unsafe {
            (handler.function)(
                handler.context as *mut c_void,
                self.handle as *mut iotx_client_t,
                &raw const event,
            );
        }
    }

    fn message(&self, callback: Callback, delivery: &Delivery<'_>) {
        // SAFETY: the number was made in `callback` from a function of this type, or is 0, and an
        // `Option` of a function pointer has its size and 0 as None.
        let function: iotx_client_message_fn = unsafe { std::mem::transmute(callback.function) };
        let Some(function) = function else {
            log::debug!("no handler for a message; it is dropped");
            return;
        };
        let message = iotx_client_message_t {
            struct_size: size_of::<iotx_client_message_t>(),
            topic: delivery.topic.as_ptr().cast(),
            topic_len: delivery.topic.len(),
            payload: delivery.payload.as_ptr().cast(),
            payload_len: delivery.payload.len(),
            packet_id: delivery.packet_id.into(),
            qos: delivery.qos.into(),
            retain: delivery.retain.into(),
            duplicate: delivery.dup.into(),
        };
        // SAFETY: the application promised at registration that its function may be called with its
        // own context, this client and a message that lasts for the call.
        unsafe {
            function(
                callback.context as *mut c_void,
                self.handle as *mut iotx_client_t,
                &raw const message,
            );
        }
    }
}

impl Host for ClientHost {
    fn deliver(&self, callback: Callback, event: ClientEvent<'_>) {
        match event {
            ClientEvent::Message(delivery) => self.message(callback, &delivery),
            ClientEvent::Disconnected => {
                let reason = self.reason();
                self.event_with(Type::IOTX_CLIENT_EVENT_DISCONNECTED, 0, false, &reason);
            }
            ClientEvent::Reconnected { session_present } => {
                let (kind, word) = if self.connected_before.swap(true, Ordering::Relaxed) {
                    (Type::IOTX_CLIENT_EVENT_RECONNECTED, "connected again")
                } else {
                    (Type::IOTX_CLIENT_EVENT_CONNECTED, "connected")
                };
                log::info!("client {:#x}: {word}", self.handle);
                self.event_with(kind, 0, session_present, &LastError::default());
            }
            ClientEvent::SubscribeSuccess(id) => {
                self.event(Type::IOTX_CLIENT_EVENT_SUBSCRIBED, id);
            }
            ClientEvent::SubscribeNack(id) => {
                self.event(Type::IOTX_CLIENT_EVENT_SUBSCRIBE_REFUSED, id);
            }
            ClientEvent::UnsubscribeSuccess(id) => {
                self.event(Type::IOTX_CLIENT_EVENT_UNSUBSCRIBED, id);
            }
            ClientEvent::PublishSuccess(id) => self.event(Type::IOTX_CLIENT_EVENT_PUBLISHED, id),
            ClientEvent::BufferOverflow => {
                let reason = self.reason();
                self.event_with(Type::IOTX_CLIENT_EVENT_MESSAGE_TOO_LARGE, 0, false, &reason);
            }
        }
    }

    fn state(&self, code: i32, text: &str) {
        // A success is told as an event.
        if code != state::STATE_SUCCESS {
            log::warn!("client {:#x}: {text} ({code})", self.handle);
            self.note(code, text);
            let mut notes = self.notes();
            notes.reason = notes.error.clone();
        }
    }

    fn attempt_failed(&self, code: i32, text: &str) {
        let reason = LastError {
            code,
            text: text.to_owned(),
        };
        self.event_with(Type::IOTX_CLIENT_EVENT_CONNECT_FAILED, 0, false, &reason);
    }

    fn identity_received(&self, _payload: &CStr) {}

    fn store_names(&self, product_key: &str, device_name: &str) {
        let names = (product_key.to_owned(), device_name.to_owned());
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(names);
        self.event(Type::IOTX_CLIENT_EVENT_IDENTITY, 0);
    }

    /// None: version reports are the SDK's, not this API's.
    fn names(&self) -> Names {
        Names::default()
    }

    fn next_report_id(&self) -> u32 {
        super::mqtt_host::next_report_id()
    }
}
