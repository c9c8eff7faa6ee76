//! The connected device: who it is, how it signs in, what it subscribed to, when it reconnects,
//! what it reports. No globals: what the process shares comes in through [`Host`].
//!
//! * [`Client`]: one MQTT session of a device and the calls on it;
//! * [`Config`]: its parameters, defaults and clamps already applied;
//! * [`identity`]: the names an X.509 device learns from the platform;
//! * [`states`]: the connection as a table of states and events;
//! * `session`, `attempt`: connecting, loss and reconnect;
//! * [`endpoint`]: the connection URL;
//! * `drive`: connecting and reading at the will of an event loop;
//! * `stats`: what a client has done so far;
//! * `dispatch`: what a received packet sets off;
//! * [`store`]: QoS 1 messages that survive a restart;
//! * `subscriptions`, `requests`, `held`, `backoff`, `turn`, `report`: their parts; `sync`: what `turn`
//!   stands on.

mod attempt;
mod backoff;
mod client;
mod config;
mod dispatch;
mod drive;
pub mod endpoint;
mod held;
pub mod identity;
pub(crate) mod report;
mod requests;
mod session;
pub mod states;
mod stats;
pub mod store;
mod subscriptions;
mod sync;
mod turn;

pub use backoff::Reconnect;
pub use client::{Client, OutMessage};
pub use config::{
    Callback, ClientEvent, Config, ConnectBounds, Delivery, Host, Names, in_callback,
};
pub use drive::InCallback;
pub use held::{HELD_BYTES_MAX, HELD_MAX};
pub use stats::Snapshot;
