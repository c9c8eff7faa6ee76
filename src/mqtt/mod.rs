//! The MQTT 3.1.1 protocol engine, sans-I/O: bytes and time in, bytes and events out.
//!
//! Nothing in here sleeps, reads a socket or asks the time; times are milliseconds of a monotonic
//! clock that the caller passes in. Packets are encoded and decoded by rumqttc's v4 codec, which
//! is lenient; [`frame`] validates everything that a server sends before the codec sees it. PUBLISH
//! alone is taken apart and put together here, since the codec copies what it handles.
//!
//! * [`frame`]: from a byte stream to validated packets, and over-long packets drained;
//! * [`topic`]: rules for topic names and filters, and matching;
//! * [`publish`]: a received message, in place;
//! * `encode`: packets to which a password or a payload is appended;
//! * [`inflight`]: QoS 1 messages that wait for their acknowledgement;
//! * [`states`], [`table`]: state machines as data;
//! * [`Counters`], statistics;
//! * [`engine`]: the client's side of one session.

mod counters;
mod encode;
pub mod engine;
pub mod frame;
pub mod inflight;
pub mod publish;
pub mod states;
pub mod table;
pub mod topic;

pub use counters::Counters;
pub use engine::{Engine, Event, Limits, Login, Timer};
pub use frame::ProtocolError;
pub use publish::Publish;
