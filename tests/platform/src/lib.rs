//! A local stand-in for the cloud side of the Link SDK's MQTT connection: own PKI, TLS, MQTT 3.1.1, identity
//! push, sessions, faults on request, an event log and a control port. It shares no protocol code with the
//! library that it tests.

pub mod acl;
pub mod auth;
pub mod broker;
pub mod client;
pub mod connection;
pub mod console;
pub mod control;
pub mod events;
pub mod faults;
pub mod form;
pub mod handshake;
pub mod http;
pub mod https;
pub mod link;
pub mod mqtt;
pub mod page;
pub mod pki;
pub mod private_ca;
pub mod proxy;
pub mod psk;
pub mod registration;
pub mod registry;
pub mod secure;
pub mod server;
pub mod session;
pub mod sign;
pub mod tls;
pub mod tokens;
pub mod transport;
pub mod websocket;
