//! The port's own definition wins: every overridable symbol, every way to link.

#[path = "override/libraries.rs"]
mod libraries;
#[path = "override/linking.rs"]
mod linking;
