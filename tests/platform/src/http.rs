//! The head of an HTTP request, as a proxy and a WebSocket server need it.

use crate::link::{Link, Received};
use std::time::{Duration, Instant};

/// Largest head accepted, bytes.
const LIMIT: usize = 16 * 1024;

/// Request line and header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// GET, CONNECT.
    pub method: String,
    /// What stands behind the method: a path, or host and port.
    pub target: String,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor: u8,
    /// Names as they came, values without the space around them.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// The value of a field; with several of the name, the first one.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Takes a head without its empty line apart; the error is a sentence.
    fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "the request is not UTF-8".to_owned())?;
        if text.contains('\0') || text.replace("\r\n", "").contains(['\r', '\n']) {
            return Err("a line of the request does not end with CR LF".into());
        }
        let mut lines = text.split("\r\n");
        let parts: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let (method, target, minor) = match parts[..] {
            [method, target, "HTTP/1.1"] if !target.is_empty() && is_token(method) => {
                (method, target, 1)
            }
            [method, target, "HTTP/1.0"] if !target.is_empty() && is_token(method) => {
                (method, target, 0)
            }
            _ => return Err(format!("{:?} is no request line", parts.join(" "))),
        };
        let fields = lines
            .map(|line| match line.split_once(':') {
                Some((name, value)) if is_token(name) => {
                    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
                }
                _ => Err("a header field is not name: value".to_owned()),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            minor,
            fields,
        })
    }
}

/// A token of RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Reads a head within `patience`; also gives what was sent behind it. The error is a sentence.
pub fn read_head(link: &Link, patience: Duration) -> Result<(Head, Vec<u8>), String> {
    let deadline = Instant::now() + patience;
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Head::parse(&bytes[..end]).map(|head| (head, rest));
        }
        if bytes.len() > LIMIT {
            return Err(format!(
                "the head of the request is longer than {LIMIT} bytes"
            ));
        }
        if Instant::now() > deadline {
            return Err("no whole request in time".into());
        }
        match link.receive(&mut bytes) {
            Ok(Received::Data | Received::Nothing) => {}
            Ok(_) => return Err("the client left before its request was complete".into()),
            Err(error) => return Err(format!("receiving failed: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_taken_apart_and_broken_ones_refused() {
        let head = Head::parse(b"GET /mqtt HTTP/1.1\r\nHost: a:443\r\nX-Empty:\r\nX: \t b c ")
            .expect("a head");
        assert_eq!(
            (head.method.as_str(), head.target.as_str(), head.minor),
            ("GET", "/mqtt", 1)
        );
        assert_eq!(head.field("host"), Some("a:443"));
        assert_eq!(head.field("x-empty"), Some(""));
        assert_eq!(head.field("X"), Some("b c"));
        assert_eq!(head.field("Y"), None);
        for broken in [
            &b""[..],
            b"GET /",
            b"GET / HTTP/2",
            b"GET  / HTTP/1.1",
            b"G(T / HTTP/1.1",
            b"GET  HTTP/1.1",
            b"GET / HTTP/1.1\r\nno colon",
            b"GET / HTTP/1.1\r\nname : value",
            b"GET / HTTP/1.1\r\n folded: value",
            b"GET / HTTP/1.1\nHost: a",
            b"GET / HTTP/1.1\r\nHost: \xFF",
        ] {
            assert!(Head::parse(broken).is_err(), "{broken:?}");
        }
    }
}
