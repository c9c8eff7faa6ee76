//! An HTTP/1.1 answer out of bytes as they come (RFC 9112), sans-I/O.
//!
//! `httparse` reads the head and the chunk sizes; the framing of the body is here, since it decides
//! how much is believed. Every length has a limit, and two statements about one length are refused.

use std::fmt;

use zeroize::Zeroizing;

use crate::transport::http::FIELDS_MAX;
pub use crate::transport::http::HEAD_MAX;

/// Longest line with a chunk size, extensions included, bytes.
const CHUNK_LINE_MAX: usize = 256;
/// Longest trailer behind the last chunk, bytes.
const TRAILER_MAX: usize = 4 * 1024;
/// Interim answers (1xx) skipped in front of the real one.
const INTERIM_MAX: u8 = 4;

/// How large an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest body, bytes, without its framing.
    pub body: usize,
}

/// An answer, complete.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code, 200 to 599.
    pub status: u16,
    /// The body without its framing; wiped when dropped, since it may hold a secret.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why bytes are no acceptable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The head is no HTTP/1.x head, or has too many fields.
    Head,
    /// The head is longer than [`HEAD_MAX`].
    HeadTooLarge,
    /// Content-Length is no number, or is given twice with different ones, or beside chunks.
    ContentLength,
    /// A transfer coding other than `chunked`.
    TransferEncoding,
    /// A chunk without size or end.
    Chunk,
    /// More body than the limit allows.
    BodyTooLarge,
    /// The connection ended before the answer did.
    Truncated,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Head => "the answer is not HTTP/1.1",
            Malformed::HeadTooLarge => "the head of the HTTP answer is too large",
            Malformed::ContentLength => "the Content-Length of the HTTP answer is unusable",
            Malformed::TransferEncoding => "the HTTP answer has an unknown transfer coding",
            Malformed::Chunk => "a chunk of the HTTP answer is malformed",
            Malformed::BodyTooLarge => "the body of the HTTP answer is too large",
            Malformed::Truncated => "the HTTP answer ended early",
        })
    }
}

/// Where in the answer the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    /// A body of known length.
    Body {
        left: usize,
    },
    ChunkSize,
    Chunk {
        left: usize,
    },
    /// CRLF behind a chunk.
    ChunkEnd,
    Trailer,
    /// A body that ends with the connection.
    UntilClose,
    Done,
}

/// Takes one answer apart. After an error it is of no further use.
pub struct Decoder {
    limits: Limits,
    stage: Stage,
    status: u16,
    interim: u8,
    /// Head, chunk-size line, line end or trailer under way.
    line: Vec<u8>,
    trailer_len: usize,
    body: Zeroizing<Vec<u8>>,
}

impl Decoder {
    /// A decoder for one answer.
    pub fn new(limits: Limits) -> Self {
        Decoder {
            limits,
            stage: Stage::Head,
            status: 0,
            interim: 0,
            line: Vec::new(),
            trailer_len: 0,
            // At its full size from the start where that is little: growing would leave copies behind.
            body: Zeroizing::new(Vec::with_capacity(limits.body.min(16 * 1024))),
        }
    }

    /// Whether the answer is complete. One that ends with the connection never is by itself.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// How many bytes the answer certainly still has, at least 1: what a transport that reads exact
    /// counts may ask for.
    pub fn wanted(&self) -> usize {
        match self.stage {
            Stage::Body { left } => left.max(1),
            // The chunk, its line end, and at least the last chunk and its end: "0", three line ends.
            Stage::Chunk { left } => left + 2 + 5,
            Stage::ChunkEnd => 2usize.saturating_sub(self.line.len()).max(1),
            _ => 1,
        }
    }

    /// Takes bytes of the server. What follows a complete answer is ignored.
    pub fn receive(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() && self.stage != Stage::Done {
            match self.stage {
                Stage::Body { left } => {
                    let now = self.take(&mut bytes, left);
                    self.stage = match left - now {
                        0 => Stage::Done,
                        left => Stage::Body { left },
                    };
                }
                Stage::Chunk { left } => {
                    let now = self.take(&mut bytes, left);
                    self.stage = match left - now {
                        0 => Stage::ChunkEnd,
                        left => Stage::Chunk { left },
                    };
                }
                Stage::UntilClose => {
                    if bytes.len() > self.limits.body - self.body.len() {
                        return Err(Malformed::BodyTooLarge);
                    }
                    let all = bytes.len();
                    self.take(&mut bytes, all);
                }
                _ => {
                    let (first, rest) = (bytes[0], &bytes[1..]);
                    bytes = rest;
                    self.line.push(first);
                    self.framing(first)?;
                }
            }
        }
        Ok(())
    }

    /// The connection has ended: the answer, if it is complete with that.
    pub fn closed(self) -> Result<Response, Malformed> {
        match self.stage {
            Stage::UntilClose | Stage::Done => Ok(self.into_response()),
            _ => Err(Malformed::Truncated),
        }
    }

    /// The answer, if it is complete.
    pub fn finish(self) -> Option<Response> {
        self.is_done().then(|| self.into_response())
    }

    fn into_response(self) -> Response {
        Response {
            status: self.status,
            body: self.body,
        }
    }

    /// Moves up to `max` bytes to the body; the caller has checked its limit.
    fn take(&mut self, bytes: &mut &[u8], max: usize) -> usize {
        let now = bytes.len().min(max);
        self.body.extend_from_slice(&bytes[..now]);
        *bytes = &bytes[now..];
        now
    }

    /// One byte, already in `line`, of what stands around the body.
    fn framing(&mut self, byte: u8) -> Result<(), Malformed> {
        match self.stage {
            Stage::Head => {
                if byte == b'\n' && self.head()? {
                    self.line.clear();
                } else if self.line.len() >= HEAD_MAX {
                    return Err(Malformed::HeadTooLarge);
                }
            }
            Stage::ChunkSize if byte == b'\n' => {
                let size = chunk_size(&self.line)?;
                self.line.clear();
                if size > self.limits.body - self.body.len() {
                    return Err(Malformed::BodyTooLarge);
                }
                self.stage = match size {
                    0 => Stage::Trailer,
                    left => Stage::Chunk { left },
                };
            }
            Stage::ChunkSize if self.line.len() >= CHUNK_LINE_MAX => return Err(Malformed::Chunk),
            Stage::ChunkEnd => match self.line.as_slice() {
                b"\r" => {}
                b"\r\n" => {
                    self.line.clear();
                    self.stage = Stage::ChunkSize;
                }
                _ => return Err(Malformed::Chunk),
            },
            Stage::Trailer => {
                self.trailer_len += 1;
                if byte == b'\n' {
                    if matches!(self.line.as_slice(), b"\r\n" | b"\n") {
                        self.stage = Stage::Done;
                    }
                    self.line.clear();
                } else if self.trailer_len >= TRAILER_MAX {
                    return Err(Malformed::Chunk);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks at the head after a line of it. True when it is over.
    fn head(&mut self) -> Result<bool, Malformed> {
        // Only an empty line ends a head; before that there is nothing to decide, but for its start.
        let over = self.line.ends_with(b"\r\n\r\n") || self.line.ends_with(b"\n\n");
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        match head.parse(&self.line) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) if !over => return Ok(false),
            Ok(httparse::Status::Partial) | Err(_) => return Err(Malformed::Head),
        }
        let status = head.code.ok_or(Malformed::Head)?;
        let framing = Framing::of(head.headers)?;
        match status {
            // 101 would make the rest something other than HTTP.
            101 => return Err(Malformed::Head),
            100..=199 => {
                self.interim += 1;
                if self.interim > INTERIM_MAX {
                    return Err(Malformed::Head);
                }
                return Ok(true);
            }
            200..=599 => {}
            _ => return Err(Malformed::Head),
        }
        self.status = status;
        self.stage = match framing {
            _ if matches!(status, 204 | 304) => Stage::Done,
            Framing::Length(0) => Stage::Done,
            Framing::Length(left) if left > self.limits.body => {
                return Err(Malformed::BodyTooLarge);
            }
            Framing::Length(left) => Stage::Body { left },
            Framing::Chunked => Stage::ChunkSize,
            Framing::UntilClose => Stage::UntilClose,
        };
        Ok(true)
    }
}

/// How the end of a body is found (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Framing {
    fn of(fields: &[httparse::Header<'_>]) -> Result<Framing, Malformed> {
        let mut length = None;
        let mut chunked = false;
        for field in fields {
            if field.name.eq_ignore_ascii_case("content-length") {
                let stated = content_length(field.value).ok_or(Malformed::ContentLength)?;
                if length.is_some_and(|other| other != stated) {
                    return Err(Malformed::ContentLength);
                }
                length = Some(stated);
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                if chunked || !field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed::TransferEncoding);
                }
                chunked = true;
            }
        }
        match (length, chunked) {
            (Some(_), true) => Err(Malformed::ContentLength),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, true) => Ok(Framing::Chunked),
            (None, false) => Ok(Framing::UntilClose),
        }
    }
}

fn content_length(value: &[u8]) -> Option<usize> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn chunk_size(line: &[u8]) -> Result<usize, Malformed> {
    // The parser takes a line without a number for 0.
    if !line.first().is_some_and(u8::is_ascii_hexdigit) {
        return Err(Malformed::Chunk);
    }
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((used, size))) if used == line.len() => {
            usize::try_from(size).map_err(|_| Malformed::BodyTooLarge)
        }
        _ => Err(Malformed::Chunk),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { body: 64 };

    /// The same bytes at once, one by one, and as [`Decoder::wanted`] asks for them.
    fn decode(bytes: &[u8]) -> Result<Response, Malformed> {
        let whole = feed(bytes, |left, _| left);
        let single = feed(bytes, |_, _| 1);
        assert_eq!(single, whole);
        let asked = feed(bytes, |_, decoder| decoder.wanted());
        assert_eq!(asked, whole);
        whole
    }

    fn feed(mut bytes: &[u8], size: fn(usize, &Decoder) -> usize) -> Result<Response, Malformed> {
        let mut decoder = Decoder::new(LIMITS);
        while !bytes.is_empty() && !decoder.is_done() {
            let now = size(bytes.len(), &decoder).min(bytes.len());
            decoder.receive(&bytes[..now])?;
            bytes = &bytes[now..];
        }
        decoder.closed()
    }

    fn body(bytes: &[u8]) -> Vec<u8> {
        decode(bytes).expect("an answer").body.to_vec()
    }

    #[test]
    fn every_framing_gives_the_same_body() {
        assert_eq!(
            body(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellomore"),
            b"hello"
        );
        assert_eq!(
            body(b"HTTP/1.1 200 OK\r\ncontent-LENGTH:5\r\n\r\nhello"),
            b"hello"
        );
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n\r\nhello"), b"hello");
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n\
            2\r\nhe\r\n03;name=value\r\nllo\r\n0\r\nX: y\r\n\r\n";
        assert_eq!(body(chunked), b"hello");
        let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        assert_eq!(body(interim), b"x");
        assert_eq!(body(b"HTTP/1.1 204 No Content\r\n\r\n"), b"");
        let twice = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx";
        assert_eq!(body(twice), b"x");
    }

    #[test]
    fn bad_answers_are_refused() {
        let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").into_bytes();
        let chunks = |text: &str| {
            let mut bytes = head("Transfer-Encoding: chunked");
            bytes.extend_from_slice(text.as_bytes());
            bytes
        };
        let cases = [
            (b"SSH-2.0-x\r\n".to_vec(), Malformed::Head),
            (b"HTTP/2 200\r\n\r\n".to_vec(), Malformed::Head),
            (b"HTTP/1.1 999 x\r\n\r\n".to_vec(), Malformed::Head),
            (b"HTTP/1.1 101 x\r\n\r\n".to_vec(), Malformed::Head),
            (b"HTTP/1.1 100 x\r\n\r\n".repeat(5), Malformed::Head),
            (head("Content-Length: -1"), Malformed::ContentLength),
            (head("Content-Length: +1"), Malformed::ContentLength),
            (head("Content-Length: 0x1"), Malformed::ContentLength),
            (head("Content-Length:"), Malformed::ContentLength),
            (
                head("Content-Length: 99999999999999999999999"),
                Malformed::ContentLength,
            ),
            (
                head("Content-Length: 1\r\nContent-Length: 2"),
                Malformed::ContentLength,
            ),
            (
                head("Content-Length: 1\r\nTransfer-Encoding: chunked"),
                Malformed::ContentLength,
            ),
            (
                head("Transfer-Encoding: gzip, chunked"),
                Malformed::TransferEncoding,
            ),
            (head("Content-Length: 65"), Malformed::BodyTooLarge),
            (chunks("41\r\n"), Malformed::BodyTooLarge),
            (chunks("ffffffffffffffff\r\n"), Malformed::BodyTooLarge),
            (chunks("10000000000000000\r\n"), Malformed::Chunk),
            (chunks("zz\r\n"), Malformed::Chunk),
            (chunks("-1\r\n"), Malformed::Chunk),
            (chunks("\r\n"), Malformed::Chunk),
            (chunks("1\r\nxy\r\n0\r\n\r\n"), Malformed::Chunk),
            (
                chunks(&format!("1;{}\r\n", "x".repeat(300))),
                Malformed::Chunk,
            ),
            (
                chunks(&format!("0\r\n{}", "X: y\r\n".repeat(1000))),
                Malformed::Chunk,
            ),
            (chunks("1\r\nx\r\n0\r\n"), Malformed::Truncated),
            (chunks("5\r\nhel"), Malformed::Truncated),
            (head("Content-Length: 5"), Malformed::Truncated),
            (b"HTTP/1.1 200 OK\r\n".to_vec(), Malformed::Truncated),
            (b"".to_vec(), Malformed::Truncated),
            (
                head(&format!("X: {}", "y".repeat(HEAD_MAX))),
                Malformed::HeadTooLarge,
            ),
            (
                head(&vec!["X: y"; FIELDS_MAX + 1].join("\r\n")),
                Malformed::Head,
            ),
            (
                [head("X: y"), b"z".repeat(65)].concat(),
                Malformed::BodyTooLarge,
            ),
        ];
        for (bytes, wanted) in cases {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
            assert_eq!(decode(&bytes), Err(wanted), "{shown}");
        }
    }

    #[test]
    fn a_transport_of_exact_counts_is_never_asked_for_too_much() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
        ] {
            let mut decoder = Decoder::new(LIMITS);
            let mut left = bytes;
            while !decoder.is_done() {
                let now = decoder.wanted();
                assert!(now <= left.len(), "{now} of {}", left.len());
                decoder.receive(&left[..now]).expect("well-formed");
                left = &left[now..];
            }
            assert!(left.is_empty());
        }
    }
}
