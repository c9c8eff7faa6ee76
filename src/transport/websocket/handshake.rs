//! The handshake of WebSocket (RFC 6455 §4; spec transport.md §4), pure.

use std::fmt;

use base64ct::{Base64, Encoding};
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use crate::transport::authority;
use crate::transport::http::Answer;

/// Path unless the URL has one.
pub const DEFAULT_PATH: &str = "/mqtt";
/// Sub-protocol of MQTT (MQTT 3.1.1 §6).
const PROTOCOL: &str = "mqtt";
/// What every server adds to the key (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Longest header lines of the application's, bytes together.
pub const HEADERS_MAX: usize = 4096;
/// Fields that the handshake itself or the rules of HTTP decide on.
const OWN_FIELDS: [&str; 7] = [
    "host",
    "upgrade",
    "connection",
    "content-length",
    "transfer-encoding",
    "expect",
    "te",
];
const OWN_PREFIX: &str = "sec-websocket-";

/// What is asked for beyond the server.
#[derive(Clone, PartialEq, Eq)]
pub struct WebSocket {
    /// Path and query; begins with a slash.
    path: String,
    /// Header lines of the application's, each with its end. May hold secrets.
    headers: Zeroizing<String>,
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Query and headers may hold tokens.
        f.write_str("WebSocket")
    }
}

impl WebSocket {
    /// A path with or without query, and header lines `Name: value`, ended or parted by line feeds, with or
    /// without carriage returns.
    ///
    /// The error is one sentence that repeats nothing of what was given.
    pub fn new(path: &str, headers: &str) -> Result<WebSocket, &'static str> {
        // What a request line may hold; everything else is percent-encoded by who writes the URL.
        let fine = path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if !path.starts_with('/') || !fine {
            return Err("the path of the URL has a character that must be percent-encoded");
        }
        Ok(WebSocket {
            path: path.to_owned(),
            headers: header_lines(headers)?,
        })
    }

    /// The request for a server, with the key of this connection.
    pub fn request(&self, host: &str, port: u16, key: &Key) -> Zeroizing<Vec<u8>> {
        let host = authority::join(host, port);
        let parts = [
            "GET ",
            &self.path,
            " HTTP/1.1\r\nHost: ",
            &host,
            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ",
            key.text(),
            "\r\nSec-WebSocket-Protocol: ",
            PROTOCOL,
            "\r\nSec-WebSocket-Version: 13\r\n",
            &self.headers,
            "\r\n",
        ];
        let len = parts.iter().map(|part| part.len()).sum();
        let mut request = Zeroizing::new(Vec::with_capacity(len));
        for part in parts {
            request.extend_from_slice(part.as_bytes());
        }
        request
    }
}

fn header_lines(text: &str) -> Result<Zeroizing<String>, &'static str> {
    if text.len() > HEADERS_MAX {
        return Err("websocket_headers is longer than 4096 bytes");
    }
    // Never moves, so that no copy of a secret is left behind: a line grows by three bytes at most.
    let mut lines = Zeroizing::new(String::with_capacity(2 * text.len() + 2));
    for line in text.lines().filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            return Err("websocket_headers has a line without a colon");
        };
        // RFC 9110 §5.6.2.
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Err("websocket_headers has a name that is none");
        }
        let lower = name.to_ascii_lowercase();
        if OWN_FIELDS.contains(&lower.as_str()) || lower.starts_with(OWN_PREFIX) {
            return Err("websocket_headers has a field that the handshake sets itself");
        }
        let value = value.trim_matches([' ', '\t']);
        if value.bytes().any(|b| b != b'\t' && b.is_ascii_control()) {
            return Err("websocket_headers has a control character");
        }
        for part in [name, ": ", value, "\r\n"] {
            lines.push_str(part);
        }
    }
    Ok(lines)
}

/// The key of one connection.
pub struct Key {
    text: [u8; 24],
}

impl Key {
    /// From fresh randomness.
    pub fn new(random: [u8; 16]) -> Self {
        let mut text = [0; 24];
        // 16 bytes become 24, so it fits.
        let _ = Base64::encode(&random, &mut text);
        Key { text }
    }

    fn text(&self) -> &str {
        // Base64 is ASCII.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// What the server must answer.
    pub fn accept(&self) -> [u8; 28] {
        let digest = Sha1::new()
            .chain_update(self.text)
            .chain_update(GUID)
            .finalize();
        let mut text = [0; 28];
        // 20 bytes become 28, so it fits.
        let _ = Base64::encode(&digest, &mut text);
        text
    }
}

/// Why a server is not spoken with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One sentence without anything of the server's but numbers.
    pub text: String,
    /// Whether a repeat could fare better.
    pub passing: bool,
}

/// Whether the server has agreed to speak MQTT over WebSocket.
pub fn check(answer: &Answer, key: &Key) -> Result<(), Refusal> {
    if answer.status != 101 {
        return Err(Refusal {
            text: answer.status_text(),
            passing: !(300..=499).contains(&answer.status) || answer.status == 429,
        });
    }
    let lasting = |text: &str| {
        Err(Refusal {
            text: text.to_owned(),
            passing: false,
        })
    };
    if !answer.has_token("Upgrade", "websocket") {
        return lasting("answer without Upgrade: websocket");
    }
    if !answer.has_token("Connection", "Upgrade") {
        return lasting("answer without Connection: Upgrade");
    }
    let mut accepts = answer.values("Sec-WebSocket-Accept");
    match (accepts.next(), accepts.next()) {
        (None, _) => return lasting("answer without Sec-WebSocket-Accept"),
        (Some(accept), None) if *accept == key.accept() => {}
        _ => return lasting("wrong Sec-WebSocket-Accept"),
    }
    let mut protocols = answer.values("Sec-WebSocket-Protocol");
    match (protocols.next(), protocols.next()) {
        (None, _) => return lasting("server does not agree to the sub-protocol mqtt"),
        (Some(protocol), None) if *protocol == *PROTOCOL.as_bytes() => {}
        _ => return lasting("server chose another sub-protocol than mqtt"),
    }
    if answer.values("Sec-WebSocket-Extensions").next().is_some() {
        return lasting("server uses an extension nobody asked for");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
