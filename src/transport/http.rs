//! One HTTP/1.1 request and the head of its answer (RFC 9112), a step at a time: what the handshake of
//! WebSocket and a proxy need.

use zeroize::Zeroizing;

use super::{Link, LinkError};
use crate::hal::seam;

/// Longest head of an answer, bytes, its empty line included (spec transport.md §4).
pub const HEAD_MAX: usize = 8 * 1024;
/// Most header fields of an answer.
pub const FIELDS_MAX: usize = 64;
/// How every answer begins that is understood.
const BEGINNING: &[u8] = b"HTTP/1.";
/// Bytes of the shortest status line.
const STATUS_LINE_MIN: usize = b"HTTP/1.1 200\n".len();
/// Bytes read at once where that is possible.
const CHUNK: usize = 1024;

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    fields: Vec<(String, Vec<u8>)>,
}

impl Answer {
    /// The values of all fields with this name, in any case of letters.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_ascii())
    }

    /// Whether a list of tokens, as `Connection` is, has this one in any case of letters.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|value| value.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The status in words for an error text: the number, and what it means where that is known.
    pub fn status_text(&self) -> String {
        let meaning = match self.status {
            300..=399 => "redirect",
            400 => "bad request",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "not found",
            405 => "method not allowed",
            407 => "proxy authentication required",
            426 => "upgrade required",
            429 => "too many requests",
            500 => "internal server error",
            502 => "bad gateway",
            503 => "service unavailable",
            504 => "gateway timeout",
            status => return format!("status {status}"),
        };
        format!("status {} ({meaning})", self.status)
    }
}

/// The head of an answer as it arrives.
#[derive(Debug, Default)]
pub struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// How many bytes certainly belong to the head beyond those that came: at least 1.
    pub fn wanted(&self) -> usize {
        let rest = STATUS_LINE_MIN.saturating_sub(self.bytes.len());
        match self.bytes.as_slice() {
            // The empty line may follow.
            [.., b'\n'] | [.., b'\n', b'\r'] => rest.max(1),
            _ => rest.max(2),
        }
    }

    /// Takes what has arrived. The answer comes with the number of bytes that belong to the head; those
    /// behind are not looked at. After an error it is over.
    pub fn push(&mut self, arrived: &[u8]) -> Result<Option<(Answer, usize)>, &'static str> {
        for (index, byte) in arrived.iter().enumerate() {
            if self.bytes.len() == HEAD_MAX {
                return Err("head of the answer is longer than 8 KiB");
            }
            if BEGINNING
                .get(self.bytes.len())
                .is_some_and(|expected| expected != byte)
            {
                return Err("answer is not HTTP");
            }
            self.bytes.push(*byte);
            if self.bytes.ends_with(b"\n\r\n") || self.bytes.ends_with(b"\n\n") {
                return Ok(Some((self.parse()?, index + 1)));
            }
        }
        Ok(None)
    }

    fn parse(&self) -> Result<Answer, &'static str> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        let complete = match parsed.parse(&self.bytes) {
            Ok(status) => status.is_complete(),
            Err(httparse::Error::TooManyHeaders) => return Err("answer has over 64 header fields"),
            Err(_) => return Err("answer is not valid HTTP"),
        };
        match parsed.code {
            Some(status) if complete => Ok(Answer {
                status,
                fields: parsed
                    .headers
                    .iter()
                    .map(|field| (field.name.to_owned(), field.value.to_vec()))
                    .collect(),
            }),
            _ => Err("answer is not valid HTTP"),
        }
    }
}

/// A request under way and its answer.
pub(super) struct Asking {
    /// May hold a password.
    request: Zeroizing<Vec<u8>>,
    sent: usize,
    head: Head,
    until: u64,
    limit_ms: u32,
}

impl Asking {
    /// Begins to run at once; the answer must be there within `limit_ms`.
    pub(super) fn new(request: Zeroizing<Vec<u8>>, limit_ms: u32) -> Self {
        Asking {
            request,
            sent: 0,
            head: Head::default(),
            until: seam::uptime_ms().saturating_add(limit_ms.into()),
            limit_ms,
        }
    }

    /// Goes on for at most about `wait_ms`: one write or one read. The answer comes with the bytes that
    /// arrived behind its head.
    pub(super) fn step(
        &mut self,
        link: &dyn Link,
        wait_ms: u32,
    ) -> Result<Option<(Answer, Vec<u8>)>, String> {
        let left = self.until.saturating_sub(seam::uptime_ms());
        if left == 0 {
            return Err(format!("no answer within {} ms", self.limit_ms));
        }
        let wait = wait_ms.min(u32::try_from(left).unwrap_or(u32::MAX)).max(1);
        if self.sent < self.request.len() {
            let rest = &self.request[self.sent..];
            let written = link.write(rest, wait).map_err(ended)?;
            self.sent += written.min(rest.len());
            return Ok(None);
        }
        let mut buffer = [0; CHUNK];
        let count = link
            .read(&mut buffer, self.head.wanted(), wait)
            .map_err(ended)?;
        let arrived = &buffer[..count.min(CHUNK)];
        let Some((answer, taken)) = self.head.push(arrived)? else {
            return Ok(None);
        };
        Ok(Some((answer, arrived[taken..].to_vec())))
    }
}

fn ended(error: LinkError) -> String {
    match error {
        LinkError::Closed => "connection closed instead of an answer".to_owned(),
        LinkError::Failed(text) => text,
    }
}

#[cfg(test)]
mod tests;
