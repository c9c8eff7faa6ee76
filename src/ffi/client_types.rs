//! C types of the client API, `iotx_client_*`.
//!
//! Structures that the application fills begin with their size, so that members can be added behind
//! the last one: a program compiled earlier passes a smaller size and gets the defaults for what it
//! does not know. No member ever takes the place of padding, moves or changes its type.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_void};

use libc::size_t;

use super::store_api::iotx_store_t;
use super::tls_api::{iotx_tls_key_password_fn, iotx_tls_sign_fn};

/// A client. The pointer is a number that the library compares with its clients; it is never
/// followed.
pub struct iotx_client_t {
    _opaque: [u8; 0],
}

/// A certificate, key or other material: in memory or in a file, not both. All zero: absent.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_client_data_t {
    /// The bytes, copied during the call. A NUL among those of a PEM text ends it.
    pub data: *const c_void,
    /// How many; not 0 where `data` is given.
    pub size: size_t,
    /// Path of a file, read once by `iotx_client_create`, at most 1 MiB.
    pub file: *const c_char,
}

/// What happened.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum iotx_client_event_type_t {
    /// The first connection is there. `session_present` tells whether the server knew the session.
    IOTX_CLIENT_EVENT_CONNECTED = 1,
    /// The connection is back. Subscriptions are sent again by the library if the server lost them.
    IOTX_CLIENT_EVENT_RECONNECTED = 2,
    /// The connection was lost: `code` and `text` say why. The library connects again by itself.
    IOTX_CLIENT_EVENT_DISCONNECTED = 3,
    /// One attempt to connect failed: `code` and `text` say why. The next one follows by itself.
    IOTX_CLIENT_EVENT_CONNECT_FAILED = 4,
    /// The server granted the subscription with `packet_id`.
    IOTX_CLIENT_EVENT_SUBSCRIBED = 5,
    /// The server refused the subscription with `packet_id`; its handler is removed.
    IOTX_CLIENT_EVENT_SUBSCRIBE_REFUSED = 6,
    /// The server ended the subscription, by the call with `packet_id`.
    IOTX_CLIENT_EVENT_UNSUBSCRIBED = 7,
    /// The server has the QoS 1 message with `packet_id`.
    IOTX_CLIENT_EVENT_PUBLISHED = 8,
    /// A packet larger than `read_buffer_size` was skipped, and acknowledged if QoS 1.
    IOTX_CLIENT_EVENT_MESSAGE_TOO_LARGE = 9,
    /// The platform has told the device who it is: `iotx_client_identity` has the names. Before the
    /// message that told it reaches a handler.
    IOTX_CLIENT_EVENT_IDENTITY = 10,
}

/// An event; valid during the callback.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_client_event_t {
    /// Size of this structure in the library, bytes.
    pub struct_size: size_t,
    /// What happened. Later versions may report types that this header does not know.
    pub r#type: iotx_client_event_type_t,
    /// Reason: a `STATE_*` code of `infra_state.h`, 0 where there is none.
    pub code: c_int,
    /// Packet id of the call it answers, 0 where there is none.
    pub packet_id: u32,
    /// 1 if the server kept the session, otherwise 0.
    pub session_present: u32,
    /// Reason in English, without secrets; never NULL, "" where there is none.
    pub text: *const c_char,
}

/// A received message; valid during the callback.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_client_message_t {
    /// Size of this structure in the library, bytes.
    pub struct_size: size_t,
    /// Topic name; a NUL follows it.
    pub topic: *const c_char,
    /// Bytes of the topic name without the NUL.
    pub topic_len: size_t,
    /// Payload; a NUL follows it, so that text can be used as a string.
    pub payload: *const c_void,
    /// Bytes of the payload without the NUL.
    pub payload_len: size_t,
    /// Packet id, 0 for QoS 0.
    pub packet_id: u32,
    /// QoS 0, 1 or 2.
    pub qos: u32,
    /// 1 for a message that the server had kept.
    pub retain: u32,
    /// 1 for a message that the server may have sent before.
    pub duplicate: u32,
}

/// Receives messages: the context given with it, the client, the message. Called on the thread that
/// is inside a call of this client, without a lock held.
pub type iotx_client_message_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        client: *mut iotx_client_t,
        message: *const iotx_client_message_t,
    ),
>;

/// Receives events: the context of the options, the client, the event. Called like
/// `iotx_client_message_fn`.
pub type iotx_client_event_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        client: *mut iotx_client_t,
        event: *const iotx_client_event_t,
    ),
>;

/// Receives lines of the log: the context given with it, the level (1 critical to 5 debug), the line
/// without its end, valid during the call.
pub type iotx_log_fn =
    Option<unsafe extern "C" fn(context: *mut c_void, level: c_int, line: *const c_char)>;

/// Parameters of a client. Zero, NULL and "" mean the default. Everything is copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct iotx_client_options_t {
    /// `sizeof(iotx_client_options_t)` of the program: what `iotx_client_options_init` sets.
    pub struct_size: size_t,
    /// `mqtt://host[:port]`, `mqtts://host[:port]`, `ws://host[:port][/path]` or
    /// `wss://host[:port][/path]`, IPv6 addresses in brackets. May be NULL with the three names of a
    /// device.
    pub url: *const c_char,
    /// Client identifier; NULL only with `clean_session` or the names of a device.
    pub client_id: *const c_char,
    /// User name.
    pub username: *const c_char,
    /// Password; needs a user name.
    pub password: *const c_char,
    /// Product key of a device of the platform. With `device_name` and `device_secret` it takes the
    /// place of client id, user name and password.
    pub product_key: *const c_char,
    /// Device name.
    pub device_name: *const c_char,
    /// Device secret, which signs the connection and is not sent.
    pub device_secret: *const c_char,
    /// Trust anchors, PEM; default `iotx_ca_crt`. The server is always verified.
    pub ca: iotx_client_data_t,
    /// Client certificate, PEM, intermediates behind it; needs `key`.
    pub certificate: iotx_client_data_t,
    /// Its private key, PEM.
    pub key: iotx_client_data_t,
    /// Opens an encrypted `key`.
    pub key_password: *const c_char,
    /// Identity of the pre-shared key, at most 256 bytes.
    pub psk_identity: *const c_char,
    /// Pre-shared key in place of certificates: 1 to 64 bytes in memory, or a file with lines
    /// `identity:key in hexadecimal`, of which the one of `psk_identity` is used, or the first.
    pub psk: iotx_client_data_t,
    /// 1: the server forgets everything when the connection ends. 0: it keeps the session.
    pub clean_session: u32,
    /// Seconds without a packet after which the server gives the client up: 4 to 1200, default 60.
    /// A ping goes out every half of it.
    pub keep_alive_s: u32,
    /// Wait for one answer, milliseconds: 100 to 60000, default 5000.
    pub request_timeout_ms: u32,
    /// Bound of one connect attempt, milliseconds: 1000 to 120000, default 30000.
    pub connect_timeout_ms: u32,
    /// The first wait before connecting again is drawn by chance from 100 ms to this, in milliseconds: 100
    /// to 3600000, default 1000. The span doubles with every attempt.
    pub reconnect_min_ms: u32,
    /// Longest such span, milliseconds: from `reconnect_min_ms` to 3600000, default 30000.
    pub reconnect_max_ms: u32,
    /// A connection that lasted this long lets the span start over, milliseconds: 1 to 3600000, default
    /// 30000.
    pub stable_after_ms: u32,
    /// Longest packet received, bytes: 128 to 268435460, default 16384.
    pub read_buffer_size: u32,
    /// Longest packet sent, bytes: 128 to 268435460, default 16384.
    pub write_buffer_size: u32,
    /// QoS 1 messages that may wait for their acknowledgement: 1 to 16384, default 128.
    pub max_inflight: u32,
    /// 1: for event loops. Calls that send wait for nothing: what the network does not take at
    /// once waits in the client. 0: they wait up to `request_timeout_ms`.
    pub nonblocking: u32,
    /// Bytes that may wait so before further calls are refused: from 1, default 65536. Only with
    /// `nonblocking`.
    pub queue_size: u32,
    /// Receives the messages that no handler of a filter wants.
    pub on_message: iotx_client_message_fn,
    /// Receives the events.
    pub on_event: iotx_client_event_fn,
    /// Handed to both.
    pub context: *mut c_void,
    /// Where QoS 1 messages survive a restart (docs/qos1-store.md); NULL: they do not. Copied; no two
    /// clients may use one place at the same time.
    pub store: *const iotx_store_t,
    /// Header lines for the handshake of WebSocket, `Name: value`, parted by line feeds, at most 4096
    /// bytes. Only with `ws://` and `wss://`.
    pub websocket_headers: *const c_char,
    /// HTTP proxy to go through, `http://host[:port]`, port 80 without one; NULL: straight on. Impossible
    /// for TLS by a port's own `HAL_SSL_Establish`.
    pub proxy: *const c_char,
    /// User name for the proxy, at most 255 bytes.
    pub proxy_username: *const c_char,
    /// Password for the proxy, at most 255 bytes; needs a user name.
    pub proxy_password: *const c_char,
    /// Certificate revocation lists, PEM (one or more) or DER (one): certificates they list are refused.
    /// Default: those of `iotx_tls_set_crl`.
    pub crl: iotx_client_data_t,
    /// Tells the password of an encrypted `key`, when the client is created and whenever it connects; in
    /// place of `key_password`.
    pub key_password_callback: iotx_tls_key_password_fn,
    /// Handed to it.
    pub key_password_context: *mut c_void,
    /// Signs for `certificate` in place of `key`, which stays outside the library.
    pub sign: iotx_tls_sign_fn,
    /// Handed to it.
    pub sign_context: *mut c_void,
    /// How the device signs in to the platform: a number of `iotx_client_scheme_t`.
    pub scheme: u32,
    /// How the connection is signed: a number of `iotx_sign_method_t`.
    pub sign_method: u32,
    /// Token of a registration without pre-registration, at most 256 bytes.
    pub device_token: *const c_char,
    /// Time stamp to sign and send, milliseconds as text, at most 32 bytes; default: none, or that of the
    /// SDK.
    pub timestamp: *const c_char,
    /// Pairs `name=value` for the client id, parted by commas, at most 256 bytes.
    pub customize_info: *const c_char,
    /// Instance of the platform, at most 64 bytes.
    pub instance_id: *const c_char,
    /// Region of a public instance; default `cn-shanghai`.
    pub region: *const c_char,
}

/// Numbers of a client. Counts begin with the client and never fall.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct iotx_client_stats_t {
    /// `sizeof(iotx_client_stats_t)` of the program, set before the call.
    pub struct_size: size_t,
    /// 1 while connected.
    pub connected: u32,
    /// QoS 1 messages that wait for their acknowledgement.
    pub in_flight: u32,
    /// Milliseconds since the connection was made; 0 while there is none.
    pub connected_ms: u64,
    /// Bytes received, before TLS.
    pub bytes_in: u64,
    /// Bytes sent, before TLS.
    pub bytes_out: u64,
    /// Packets received.
    pub packets_in: u64,
    /// Packets sent, repeats and those still queued included.
    pub packets_out: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Messages published, repeats not counted again.
    pub messages_out: u64,
    /// QoS 1 messages that were acknowledged.
    pub messages_acknowledged: u64,
    /// Packets skipped since they were larger than the read buffer.
    pub messages_too_large: u64,
    /// Attempts to connect.
    pub connect_attempts: u64,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Bytes that wait for the network.
    pub queued_bytes: u64,
    /// Round trips measured, of pings and QoS 1 messages; 0: the next member means nothing.
    pub round_trips: u64,
    /// The last of them, milliseconds.
    pub last_round_trip_ms: u64,
}
