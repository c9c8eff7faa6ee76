//! Signatures by which a gateway speaks for its sub-devices (spec gateway.md §3). Pure.
//!
//! The signed text holds what is sent, sorted by name, without `sign`, `signMethod`, `cleanSession`.

use zeroize::Zeroizing;

use super::digest::SignMethod;
use super::platform;

/// The value of `signMethod` in the messages of a gateway, which spell it in another case than a
/// client id does.
pub fn method_name(method: SignMethod) -> &'static str {
    match method {
        SignMethod::HmacMd5 => "hmacMd5",
        SignMethod::HmacSha1 => "hmacSha1",
        SignMethod::HmacSha256 => "hmacSha256",
    }
}

/// `sign` of `thing.topo.add` and of a login, alone or in a batch.
///
/// `client_id` and `timestamp` are exactly the texts sent, pairs behind a bar included. The key is
/// the sub-device's own secret. The result is wiped when dropped.
pub fn sign(
    method: SignMethod,
    device_secret: &[u8],
    product_key: &[u8],
    device_name: &[u8],
    client_id: &[u8],
    timestamp: &[u8],
) -> Zeroizing<String> {
    platform::connect_password(
        method,
        device_secret,
        product_key,
        device_name,
        Some(client_id),
        Some(timestamp),
    )
}

/// `sign` of a registration through the gateway, `thing.proxy.provisioning.product_register`.
///
/// The key is the secret of the sub-device's product; `random` is the text sent. The result is
/// wiped when dropped.
pub fn registration_sign(
    method: SignMethod,
    product_secret: &[u8],
    product_key: &[u8],
    device_name: &[u8],
    random: &[u8],
) -> Zeroizing<String> {
    platform::registration_sign(method, product_secret, product_key, device_name, random)
}
