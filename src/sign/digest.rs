//! HMAC (RFC 2104) over MD5, SHA-1 and SHA-256, rendered as the upper-case hex the SDK emits.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The value of `signmethod` in a client id, `signMethod` in a registration body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignMethod {
    /// `hmacmd5`, the platform's default when the parameter is absent.
    HmacMd5,
    /// `hmacsha1`.
    HmacSha1,
    /// `hmacsha256`, the only one the SDK itself produces.
    HmacSha256,
}

impl SignMethod {
    /// The spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            SignMethod::HmacMd5 => "hmacmd5",
            SignMethod::HmacSha1 => "hmacsha1",
            SignMethod::HmacSha256 => "hmacsha256",
        }
    }

    /// HMAC of `message` under `key`: 32, 40 or 64 upper-case hex digits.
    ///
    /// The result is as secret as a password and is wiped when dropped.
    pub fn sign(self, key: &[u8], message: &[u8]) -> Zeroizing<String> {
        match self {
            SignMethod::HmacMd5 => hex_upper(&mac::<Hmac<Md5>>(key, message)),
            SignMethod::HmacSha1 => hex_upper(&mac::<Hmac<Sha1>>(key, message)),
            SignMethod::HmacSha256 => hex_upper(&mac::<Hmac<Sha256>>(key, message)),
        }
    }
}

/// A replaceable HMAC-SHA256: the C boundary passes one that calls the exported, overridable
/// `utils_hmac_sha256`, since ports with a crypto engine supply their own (spec signing.md §1).
pub type HmacSha256Fn = fn(key: &[u8], message: &[u8]) -> [u8; 32];

/// HMAC-SHA256 with the `sha2` crate, for keys of any length.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut out = [0u8; 32];
    out.copy_from_slice(&mac::<Hmac<Sha256>>(key, message));
    out
}

/// Upper-case hex of `bytes`, wiped when dropped.
pub fn hex_upper(bytes: &[u8]) -> Zeroizing<String> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
    // HMAC takes keys of every length (RFC 2104 §2), so the constructor has no failure to report;
    // were that ever to change, an empty signature is refused by every server.
    match <M as KeyInit>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(message);
            Zeroizing::new(mac.finalize().into_bytes().to_vec())
        }
        Err(_) => Zeroizing::new(Vec::new()),
    }
}
