//! Tests of the local platform: its codec and checks alone, then whole connections with a client that is
//! written here and speaks bytes.

mod codec;
mod connecting;
mod control;
mod faults;
mod https;
mod identity;
mod page;
mod pki;
mod private_ca;
mod program;
mod proxy;
mod psk;
mod registration;
mod sessions;
mod signing;
mod support;
mod tls;
mod websocket;
