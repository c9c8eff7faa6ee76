//! The targets, one file each.

pub mod client;
pub mod engine;
pub mod frames;
pub mod handshake;
pub mod host;
pub mod identity;
pub mod ioctl;
pub mod json;
pub mod kv;
pub mod pem;
pub mod record;
pub mod registration;
pub mod sign;
pub mod topic;
pub mod url;
pub mod websocket;
