//! One HTTP request and its answer on a connection of its own.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::decode::{Decoder, Limits, Malformed, Response};
use crate::hal::diagnostics::{Failure, Stage};
use crate::hal::seam;
use crate::state;
use crate::transport::{DialBounds, Dialer, Link, LinkError, Target, authority};

/// Longest single wait, milliseconds: a clock of the port's own is looked at at least so often.
const SLICE_MS: u64 = 200;
/// Bytes read at once.
const READ_MAX: usize = 2048;
/// The port that a Host field leaves out.
const HTTPS_PORT: u16 = 443;

/// A request. Nothing in it is escaped: the caller passes what may stand in a head.
pub struct Request<'a> {
    /// Method, e.g. `POST`.
    pub method: &'a str,
    /// Path with its query, beginning with a slash.
    pub path: &'a str,
    /// Further header fields; Host, Connection and Content-Length are added.
    pub fields: &'a [(&'a str, &'a str)],
    /// Body, may be empty.
    pub body: &'a [u8],
}

/// How long the parts of an exchange may take, and how large the answer may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// One try to connect.
    pub dial: DialBounds,
    /// Tries to connect, at least 1.
    pub tries: u32,
    /// Pause between two tries, milliseconds.
    pub pause_ms: u32,
    /// All tries together, milliseconds. Looked at between steps of a try.
    pub connect_ms: u64,
    /// From the first byte of the request to the last one of the answer, milliseconds.
    pub exchange_ms: u64,
    /// Size of the answer.
    pub limits: Limits,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// No connection could be made; that of the last try.
    Connect(Failure),
    /// The connection ended or broke.
    Broken(String),
    /// The answer was not complete in time.
    Timeout,
    /// What the server sent is no acceptable answer.
    Malformed(Malformed),
}

impl Error {
    /// The state code of it.
    pub fn code(&self) -> i32 {
        match self {
            Error::Connect(failure) if failure.stage == Stage::TlsVerify => {
                state::ERROR_CERT_VERIFY_FAIL
            }
            Error::Connect(_) | Error::Broken(_) => state::STATE_SYS_DEPEND_NWK_CLOSE,
            Error::Timeout => state::STATE_SYS_DEPEND_NWK_TIMEOUT,
            Error::Malformed(Malformed::ContentLength) => {
                state::STATE_HTTP_RESP_MISSING_CONTENT_LEN
            }
            Error::Malformed(_) => state::ERROR_HTTP_PRTCL,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Connect(failure) => f.write_str(&failure.text),
            Error::Broken(text) => f.write_str(text),
            Error::Timeout => f.write_str("no complete HTTP answer in time"),
            Error::Malformed(malformed) => malformed.fmt(f),
        }
    }
}

/// Sends `request` to `target` and reads the answer. Blocks within `bounds`; a port's own
/// `HAL_SSL_Establish` blocks for as long as it does.
///
/// Any status from 200 to 599 is an answer. Redirects are not followed.
///
/// A body without stated length ends with the connection, which anybody on the way can end: the caller has
/// to see from the body itself whether it is whole.
pub fn perform(
    dialer: &dyn Dialer,
    target: &Target,
    request: &Request<'_>,
    bounds: &Bounds,
) -> Result<Response, Error> {
    let link = connect(dialer, target, bounds)?;
    let deadline = seam::uptime_ms().saturating_add(bounds.exchange_ms);
    send(&*link, &render(target, request), deadline)?;
    receive(&*link, bounds.limits, deadline)
}

/// Connects within the bounds. Only what may be better a moment later is tried again.
fn connect(dialer: &dyn Dialer, target: &Target, bounds: &Bounds) -> Result<Arc<dyn Link>, Error> {
    let end = seam::uptime_ms().saturating_add(bounds.connect_ms);
    let mut tries = bounds.tries;
    loop {
        let failure = match open(dialer, target, &bounds.dial, end) {
            Ok(link) => return Ok(link),
            Err(failure) => failure,
        };
        tries = tries.saturating_sub(1);
        let hopeless = matches!(failure.stage, Stage::TlsVerify | Stage::TlsConfig);
        let pause_ms = u64::from(bounds.pause_ms);
        if hopeless || tries == 0 || seam::uptime_ms().saturating_add(pause_ms) >= end {
            return Err(Error::Connect(failure));
        }
        log::info!("HTTPS: {failure}; trying again in {pause_ms} ms");
        seam::sleep_ms(bounds.pause_ms);
    }
}

/// One try to connect, given up at `end`. Also for other protocols on a connection of their own.
pub(in crate::services) fn open(
    dialer: &dyn Dialer,
    target: &Target,
    bounds: &DialBounds,
    end: u64,
) -> Result<Arc<dyn Link>, Failure> {
    let mut dialing = dialer.dial(target, bounds)?;
    loop {
        if let Some(link) = dialing.step(slice(end))? {
            return Ok(link);
        }
        if seam::uptime_ms() >= end {
            return Err(Failure::new(Stage::Connect, "not connected in time"));
        }
    }
}

/// The next wait on the way to `end`: at least 1 ms.
pub(in crate::services) fn slice(end: u64) -> u32 {
    let left = end.saturating_sub(seam::uptime_ms()).min(SLICE_MS);
    // At most the slice, so it fits.
    u32::try_from(left).unwrap_or(1).max(1)
}

/// Writes all of `bytes` until `deadline`.
pub(in crate::services) fn send(link: &dyn Link, bytes: &[u8], deadline: u64) -> Result<(), Error> {
    let mut sent = 0;
    while sent < bytes.len() {
        let written = link
            .write(&bytes[sent..], slice(deadline))
            .map_err(broken)?;
        sent += written.min(bytes.len() - sent);
        if sent < bytes.len() && seam::uptime_ms() >= deadline {
            return Err(Error::Timeout);
        }
    }
    Ok(())
}

fn receive(link: &dyn Link, limits: Limits, deadline: u64) -> Result<Response, Error> {
    let mut decoder = Decoder::new(limits);
    let mut buffer = Zeroizing::new([0u8; READ_MAX]);
    loop {
        let wanted = decoder.wanted().min(READ_MAX);
        match link.read(&mut buffer[..], wanted, slice(deadline)) {
            Ok(count) => decoder
                .receive(&buffer[..count.min(READ_MAX)])
                .map_err(Error::Malformed)?,
            Err(LinkError::Closed) => return decoder.closed().map_err(Error::Malformed),
            Err(error) => return Err(broken(error)),
        }
        if decoder.is_done() {
            return decoder.finish().ok_or(Error::Timeout);
        }
        if seam::uptime_ms() >= deadline {
            return Err(Error::Timeout);
        }
    }
}

fn broken(error: LinkError) -> Error {
    Error::Broken(error.to_string())
}

/// Head and body in one piece, wiped when dropped.
fn render(target: &Target, request: &Request<'_>) -> Zeroizing<Vec<u8>> {
    let host = target.host.to_string_lossy();
    let mut head = format!("{} {} HTTP/1.1\r\nHost: ", request.method, request.path);
    if target.port == HTTPS_PORT {
        // Without the port, but with the brackets of an IPv6 address.
        let whole = authority::join(&host, HTTPS_PORT);
        head.push_str(whole.strip_suffix(":443").unwrap_or(&whole));
    } else {
        head.push_str(&authority::join(&host, target.port));
    }
    head.push_str("\r\nConnection: close\r\n");
    for (name, value) in request.fields {
        // Writing to a String cannot fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "Content-Length: {}\r\n\r\n", request.body.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity(head.len() + request.body.len()));
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(request.body);
    bytes
}
