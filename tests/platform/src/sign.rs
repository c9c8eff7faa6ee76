//! The signatures of the platform, seen from the checking side.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A sign method as named in a client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `hmacmd5`, the one in force when none is named.
    Md5,
    /// `hmacsha1`.
    Sha1,
    /// `hmacsha256`.
    Sha256,
}

impl Method {
    /// The method of that name; no name means `hmacmd5`.
    pub fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("hmacmd5") => Some(Self::Md5),
            Some("hmacsha1") => Some(Self::Sha1),
            Some("hmacsha256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }
}

/// Whether `given` is the hexadecimal HMAC of `content` under `key`, upper or lower case.
pub fn verify(method: Method, key: &[u8], content: &[u8], given: &[u8]) -> bool {
    let Some(given) = std::str::from_utf8(given).ok().and_then(from_hex) else {
        return false;
    };
    match method {
        Method::Md5 => verify_with::<Hmac<Md5>>(key, content, &given),
        Method::Sha1 => verify_with::<Hmac<Sha1>>(key, content, &given),
        Method::Sha256 => verify_with::<Hmac<Sha256>>(key, content, &given),
    }
}

/// HMAC-SHA256 in upper-case hexadecimal.
pub fn hmac_sha256_upper(key: &[u8], content: &[u8]) -> String {
    // HMAC takes a key of any length, so the constructor cannot fail.
    let Ok(mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else {
        return String::new();
    };
    let digest = mac.chain_update(content).finalize().into_bytes();
    digest.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn verify_with<M: Mac + KeyInit>(key: &[u8], content: &[u8], given: &[u8]) -> bool {
    // HMAC takes a key of any length, so the constructor cannot fail.
    <M as KeyInit>::new_from_slice(key)
        .is_ok_and(|mac| mac.chain_update(content).verify_slice(given).is_ok())
}

/// What a device signs for CONNECT: the sent parameters in the order of their names, names and values run
/// together.
pub fn connect_content(
    client_id: &str,
    device_name: &str,
    product_key: &str,
    timestamp: Option<&str>,
) -> String {
    let mut content = format!("clientId{client_id}deviceName{device_name}productKey{product_key}");
    if let Some(timestamp) = timestamp {
        content += "timestamp";
        content += timestamp;
    }
    content
}

/// What a device signs for its registration.
pub fn register_content(device_name: &str, product_key: &str, random: &str) -> String {
    format!("deviceName{device_name}productKey{product_key}random{random}")
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a hexadecimal text of either case, `None` if it is none.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).map(|d| d as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}
