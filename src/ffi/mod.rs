//! The C boundary. One file per SDK header; see each for its functions.
//!
//! Rules of every exported function: pointers are checked before use, NULL never crashes, the body
//! runs inside [`barrier::guard`] so that no panic crosses into C, and no lock is held while a
//! callback of the application runs. The only globals of the crate live here: the callback slots
//! ([`registry`]), the clients of the client API ([`client_api`]), the choice of a store ([`store_api`]), of a
//! proxy ([`client_transport`]), of how to register ([`dynreg_api`]), the settings of `IOT_Ioctl` ([`ioctl`]),
//! the host-name tables ([`infra_defs`]),
//! the log ([`log`]), and what older SDK versions kept for their callers ([`compat`]).

pub mod barrier;
pub mod client_api;
mod client_host;
mod client_options;
pub mod client_sign_in;
mod client_stats;
mod client_tls;
pub mod client_transport;
pub mod client_types;
pub mod compat;
pub mod cstr;
pub mod dev_sign_api;
pub mod digests;
pub mod dynreg_api;
pub mod hal_in_use;
pub mod infra_cjson;
pub mod infra_cjson_items;
pub mod infra_compat;
pub mod infra_defs;
pub mod infra_json_parser;
pub mod infra_log;
pub mod infra_report;
pub mod infra_state;
pub mod infra_timer;
pub mod infra_types;
pub mod ioctl;
pub mod iotx;
mod json_slices;
pub mod log;
pub mod memory;
pub mod mqtt_api;
mod mqtt_host;
mod mqtt_params;
pub mod mqtt_types;
pub mod register_api;
pub mod registry;
mod sized;
pub mod store_api;
pub mod strings;
pub mod tls_api;
pub mod wrappers_kv;
pub mod wrappers_os;
pub mod wrappers_tcp;
pub mod wrappers_tls;
