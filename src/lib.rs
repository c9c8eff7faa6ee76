//! `iotx`: the core of the Aliyun Link SDK for C and its HAL, in Rust, behind the same C ABI.
//!
//! The rooms of the house, arrows pointing down only:
//!
//! | module | what lives there |
//! |---|---|
//! | [`ffi`] | the C boundary, one file per SDK header: checks pointers, converts, catches panics |
//! | [`device`] | the connected device: identity, sign-in, subscriptions, reconnect, reports |
//! | [`credentials`] | how a device signs in: each scheme is a value that turns into connect parameters |
//! | [`sign`] | pure: fields in, signature and connect parameters out |
//! | [`mqtt`] | the protocol engine, sans-I/O: bytes and time in, bytes and events out |
//! | [`services`] | what the platform offers beside the session: registration, HTTP |
//! | [`transport`] | one byte stream with deadlines, spoken over the HAL |
//! | [`hal`] | the seam to the `HAL_*` symbols and our default port for POSIX |
//! | [`state`] | the table of state codes that every room uses |
#![deny(missing_docs)]

pub mod credentials;
pub mod device;
pub mod ffi;
pub mod hal;
pub mod mqtt;
pub mod services;
pub mod sign;
pub mod state;
pub mod transport;
