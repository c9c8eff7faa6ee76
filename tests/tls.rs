//! The TLS default behind `HAL_SSL_*`, through its C symbols, against `openssl s_server`.

#[path = "tls/hal.rs"]
mod hal;
#[path = "tls/handshake.rs"]
mod handshake;
#[path = "tls/identity.rs"]
mod identity;
#[path = "tls/peer.rs"]
mod peer;
#[path = "tls/pki.rs"]
mod pki;
#[path = "tls/programs.rs"]
mod programs;
#[path = "tls/resume.rs"]
mod resume;
#[path = "tls/signer.rs"]
mod signer;
#[path = "tls/traffic.rs"]
mod traffic;
#[path = "tls/verify.rs"]
mod verify;
