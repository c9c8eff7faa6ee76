//! Signing: fields in, signature and connect parameters out. Pure.
//!
//! * [`digest`]: HMAC over the three digests the platform knows, as upper-case hex.
//! * [`link_sdk`]: exactly what `IOT_Sign_MQTT` of the Link SDK for C produces.
//! * [`platform`]: the platform's general sign rules for every other caller: MQTT connect with
//!   free client id, dynamic registration, TLS-PSK, X.509 and `connwl` connect parameters.
//! * [`sub_device`]: what a gateway signs for its sub-devices.
//!
//! Fields are bytes, not strings: the SDK passes them through unchanged, and a name outside the
//! platform's character set must yield the same signature as it always did.

pub mod digest;
pub mod link_sdk;
pub mod platform;
pub mod sub_device;

pub use digest::{HmacSha256Fn, SignMethod, hmac_sha256};

/// Longest product key, bytes (spec signing.md §1).
pub const PRODUCT_KEY_MAX: usize = 20;
/// Longest device name, bytes.
pub const DEVICE_NAME_MAX: usize = 32;
/// Longest product secret, bytes.
pub const PRODUCT_SECRET_MAX: usize = 64;
/// Longest device secret, bytes.
pub const DEVICE_SECRET_MAX: usize = 64;
/// Longest client id of a device's own, before the first bar, bytes (spec signing.md §2).
pub const CLIENT_ID_MAX: usize = 64;
/// Longest device token, bytes; the platform names no limit (spec dynamic-registration.md §4).
pub const DEVICE_TOKEN_MAX: usize = 256;
/// Longest id of an instance, bytes.
pub const INSTANCE_ID_MAX: usize = 64;

/// The constant time stamp the SDK signs: 2050-01-01 in milliseconds, not the clock.
pub const FIXED_TIMESTAMP: &str = "2524608000000";
