//! What a client is made of, and what it asks of the process around it.

use std::cell::Cell;
use std::ffi::CStr;

use super::backoff::Reconnect;
use super::store::StoreConfig;
use crate::mqtt::{Limits, Login, topic};
use crate::transport::{DialBounds, Target};

/// Parameters of one client. Strings are copies; they stay the same for its whole life.
pub struct Config {
    /// Where to connect.
    pub target: Target,
    /// What CONNECT carries.
    pub login: Login,
    /// Time-outs, sizes, windows.
    pub limits: Limits,
    /// Bounds of a connect attempt.
    pub connect: ConnectBounds,
    /// When the next attempt comes.
    pub reconnect: Reconnect,
    /// The application's default handler: every event that has no handler of its own.
    pub handler: Option<Callback>,
    /// Which topics the application may use.
    pub topics: topic::Rules,
    /// Whether the server is the platform, whose identity message is acted on.
    pub platform: bool,
    /// Bytes of output that may wait for the network before a call is refused. `None`: calls that
    /// send wait for the network instead, up to the request time-out.
    pub queue_max: Option<usize>,
    /// Where QoS 1 messages survive a restart; None: they do not.
    pub store: Option<StoreConfig>,
}

/// How long one connect attempt and each of its stages may take. CONNACK has
/// [`Limits::request_timeout_ms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectBounds {
    /// Name resolution, TCP, TLS.
    pub dial: DialBounds,
    /// Everything together, milliseconds. Looked at between steps.
    pub attempt_ms: u64,
}

impl Default for ConnectBounds {
    fn default() -> Self {
        ConnectBounds {
            dial: DialBounds::default(),
            attempt_ms: 40_000,
        }
    }
}

/// A handler of the application's, as two opaque numbers: what to call and with which context.
///
/// Two registrations are the same exactly when both numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callback {
    /// Address of the function; zero for a default handler that wants events but no messages.
    pub function: usize,
    /// The application's context, passed through.
    pub context: usize,
}

/// A message as the application sees it. Both slices are followed by a writable NUL byte that
/// is not part of them, since existing handlers use string functions on them.
pub struct Delivery<'a> {
    /// Topic name.
    pub topic: &'a mut [u8],
    /// Payload.
    pub payload: &'a mut [u8],
    /// QoS 0, 1 or 2.
    pub qos: u8,
    /// DUP flag.
    pub dup: bool,
    /// RETAIN flag.
    pub retain: bool,
    /// Packet id, 0 for QoS 0.
    pub packet_id: u16,
}

/// What a handler is called with.
pub enum ClientEvent<'a> {
    /// The connection was lost.
    Disconnected,
    /// It is back, or there for the first time after [`super::Client::start`].
    Reconnected {
        /// Whether the server kept the session.
        session_present: bool,
    },
    /// SUBACK with its packet id.
    SubscribeSuccess(u16),
    /// SUBACK that refuses.
    SubscribeNack(u16),
    /// UNSUBACK.
    UnsubscribeSuccess(u16),
    /// PUBACK.
    PublishSuccess(u16),
    /// A message arrived.
    Message(Delivery<'a>),
    /// A packet over the read buffer was dropped.
    BufferOverflow,
}

/// The names the device goes by at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Product key, empty if unknown.
    pub product_key: String,
    /// Device name, empty if unknown.
    pub device_name: String,
    /// Module of the version report, empty for none.
    pub module: String,
}

/// The process around a client: the application's handlers and the shared store.
///
/// Every method is called without any lock of the client held, on the thread that is inside one
/// of its calls.
pub trait Host: Send + Sync {
    /// Calls a handler of the application.
    fn deliver(&self, callback: Callback, event: ClientEvent<'_>);
    /// Reports a state of the MQTT communication: a code of [`crate::state`] and a text without
    /// secrets.
    fn state(&self, code: i32, text: &str);
    /// A connect attempt after [`super::Client::start`] failed; its state was reported before.
    fn attempt_failed(&self, _code: i32, _text: &str) {}
    /// Hands the application the identity payload as received.
    fn identity_received(&self, payload: &CStr);
    /// Stores the names the platform sent.
    fn store_names(&self, product_key: &str, device_name: &str);
    /// The names known at the moment.
    fn names(&self) -> Names;
    /// The next message id of reports, counted per process.
    fn next_report_id(&self) -> u32;
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this thread is inside a handler of the application: calls that would wait for an
/// answer must not, since the answer is read by this very thread.
pub fn in_callback() -> bool {
    DEPTH.with(|depth| depth.get() > 0)
}

/// Marks the thread as inside a handler while it lives.
pub(super) struct CallbackScope;

impl CallbackScope {
    pub(super) fn enter() -> Self {
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        CallbackScope
    }
}

impl Drop for CallbackScope {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}
