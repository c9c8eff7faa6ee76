//! The port's own definition wins: every overridable symbol, every way to link; and the self-check
//! for ports.

#[path = "override/libraries.rs"]
mod libraries;
#[path = "override/linking.rs"]
mod linking;
#[path = "override/own_tls.rs"]
mod own_tls;
#[path = "override/paths.rs"]
mod paths;
#[path = "override/platform.rs"]
mod platform;
#[path = "override/self_check.rs"]
mod self_check;
