//! The TLS default behind `HAL_SSL_*`, through its C symbols, against `openssl s_server`.

#[path = "tls/hal.rs"]
mod hal;
#[path = "tls/peer.rs"]
mod peer;
#[path = "tls/pki.rs"]
mod pki;
#[path = "tls/traffic.rs"]
mod traffic;
