//! The connected device: who it is, how it signs in, what it subscribed to, when it reconnects,
//! what it reports. No globals: what the process shares comes in through [`Host`].
//!
//! * [`Client`]: one MQTT session of a device and the calls on it;
//! * [`Config`]: its parameters, defaults and clamps already applied;
//! * [`identity`]: the names an X.509 device learns from the platform;
//! * `session`: connecting, loss and reconnect;
//! * `dispatch`: what a received packet sets off;
//! * `subscriptions`, `backoff`, `turn`, `report`: their parts; `sync`: what `turn` stands on.

mod backoff;
mod client;
mod config;
mod dispatch;
pub mod identity;
pub(crate) mod report;
mod session;
mod subscriptions;
mod sync;
mod turn;

pub use client::{Client, OutMessage};
pub use config::{Callback, ClientEvent, Config, Delivery, Host, Names, in_callback};
