//! Services of the platform beside the MQTT session, one folder each. No globals: what the process
//! has set comes in as arguments, what happened goes out as results.
//!
//! * [`http`]: one request and its answer over the HAL, every part of it bounded;
//! * [`dynreg`]: dynamic registration, from the product's secret to the device's.

pub mod dynreg;
pub mod http;
