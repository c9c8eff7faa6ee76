//! A way through an HTTP proxy: `CONNECT` (RFC 9110 §9.3.6), then the connection belongs to what is spoken
//! with the server.

use std::ffi::CString;
use std::fmt;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::http::Asking;
use super::tcp::{TcpDialing, TcpLink};
use super::{DialBounds, Dialing, Link, Target, authority};
use crate::hal::diagnostics::{Failure, Stage};
use crate::hal::tls::{Carrier, Carriers};

/// Port of `http` URLs.
const HTTP_PORT: u16 = 80;
/// Longest user name, and longest password, bytes.
pub const CREDENTIAL_MAX: usize = 255;

/// An HTTP proxy, and how to sign in to it.
pub struct Proxy {
    host: CString,
    port: u16,
    /// `user:password` in Base64.
    basic: Option<Zeroizing<String>>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        write!(f, "Proxy({:?}, {})", self.host, self.port)
    }
}

impl Proxy {
    /// The proxy at `http://host[:port]`, port 80 without one. A password needs a user name.
    ///
    /// The error is one sentence that repeats nothing of what was given.
    pub fn new(
        url: &str,
        username: Option<&str>,
        password: Option<&str>,
    ) -> Result<Proxy, &'static str> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err("proxy has no scheme; use http://");
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err("the scheme of proxy is not supported; use http://");
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err("proxy has a path, which a proxy does not");
        }
        let (host, port) = authority::split(rest)?;
        let host = CString::new(host).map_err(|_| "proxy contains a NUL")?;
        let port = port.unwrap_or(HTTP_PORT);
        let basic = match (username, password) {
            (None, None) => None,
            (None, Some(_)) => return Err("password of the proxy without user name"),
            (Some(name), password) => Some(basic(name, password.unwrap_or_default())?),
        };
        Ok(Proxy { host, port, basic })
    }

    fn request(&self, server: &str) -> Zeroizing<Vec<u8>> {
        let basic = self.basic.as_deref().map_or("", |text| text.as_str());
        let mut request = Zeroizing::new(Vec::with_capacity(2 * server.len() + basic.len() + 64));
        for part in ["CONNECT ", server, " HTTP/1.1\r\nHost: ", server, "\r\n"] {
            request.extend_from_slice(part.as_bytes());
        }
        if self.basic.is_some() {
            for part in ["Proxy-Authorization: Basic ", basic, "\r\n"] {
                request.extend_from_slice(part.as_bytes());
            }
        }
        request.extend_from_slice(b"\r\n");
        request
    }
}

/// The credentials of RFC 7617 in Base64.
fn basic(username: &str, password: &str) -> Result<Zeroizing<String>, &'static str> {
    if username.len() > CREDENTIAL_MAX || password.len() > CREDENTIAL_MAX {
        return Err("user name or password of the proxy is longer than 255 bytes");
    }
    if username.contains(':') {
        return Err("the user name of the proxy contains a colon");
    }
    if username
        .chars()
        .chain(password.chars())
        .any(char::is_control)
    {
        return Err("user name or password of the proxy has a control character");
    }
    let plain = Zeroizing::new([username, ":", password].concat());
    let mut encoded = Zeroizing::new(vec![0; Base64::encoded_len(plain.as_bytes())]);
    match Base64::encode(plain.as_bytes(), &mut encoded) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        // The buffer has the length asked for.
        Err(_) => Err("user name or password of the proxy is too long"),
    }
}

/// A connection through a proxy being set up.
pub(super) struct TunnelDialing {
    proxy: Arc<Proxy>,
    /// `host:port` of the server.
    server: String,
    answer_ms: u32,
    at: At,
}

enum At {
    Connecting(TcpDialing),
    Asking(TcpLink, Asking),
    Over,
}

impl TunnelDialing {
    pub(super) fn start(
        target: &Target,
        proxy: &Arc<Proxy>,
        bounds: &DialBounds,
    ) -> Result<Self, Failure> {
        let connecting = TcpDialing::to(&proxy.host, proxy.port, bounds).map_err(at_proxy)?;
        Ok(TunnelDialing {
            proxy: Arc::clone(proxy),
            server: authority::join(&target.host.to_string_lossy(), target.port),
            answer_ms: bounds.handshake_ms,
            at: At::Connecting(connecting),
        })
    }

    fn advance(&mut self, wait_ms: u32) -> Result<Option<TcpLink>, Failure> {
        match std::mem::replace(&mut self.at, At::Over) {
            At::Connecting(mut connecting) => {
                self.at = match connecting.advance(wait_ms).map_err(at_proxy)? {
                    None => At::Connecting(connecting),
                    Some(link) => {
                        let request = self.proxy.request(&self.server);
                        At::Asking(link, Asking::new(request, self.answer_ms))
                    }
                };
                Ok(None)
            }
            At::Asking(link, mut asking) => {
                let asked = asking
                    .step(&link, wait_ms)
                    .map_err(|text| Failure::new(Stage::Proxy, text))?;
                let Some((answer, behind)) = asked else {
                    self.at = At::Asking(link, asking);
                    return Ok(None);
                };
                match answer.status {
                    200..=299 if behind.is_empty() => Ok(Some(link)),
                    200..=299 => Err(Failure::new(
                        Stage::Proxy,
                        "data behind the answer, before anything was asked",
                    )),
                    300..=428 | 430..=499 => {
                        Err(Failure::new(Stage::ProxyRefused, answer.status_text()))
                    }
                    _ => Err(Failure::new(Stage::Proxy, answer.status_text())),
                }
            }
            At::Over => Err(Failure::new(Stage::Proxy, "over")),
        }
    }
}

/// What fails on the way to the proxy is not a matter of the server.
fn at_proxy(failure: Failure) -> Failure {
    Failure::new(Stage::Proxy, failure.text)
}

impl Dialing for TunnelDialing {
    fn step(&mut self, wait_ms: u32) -> Result<Option<Arc<dyn Link>>, Failure> {
        let link = self.advance(wait_ms)?;
        Ok(link.map(|link| Arc::new(link) as Arc<dyn Link>))
    }

    fn stage(&self) -> Stage {
        Stage::Proxy
    }
}

impl Carrier for TunnelDialing {
    fn step(&mut self, wait_ms: u32) -> Result<Option<usize>, Failure> {
        Ok(self.advance(wait_ms)?.map(TcpLink::into_handle))
    }

    fn stage(&self) -> Stage {
        Stage::Proxy
    }
}

/// What makes the connections under TLS to `target`.
pub(super) fn carriers(target: &Target, proxy: &Arc<Proxy>, bounds: &DialBounds) -> Carriers {
    let (target, proxy, bounds) = (target.clone(), Arc::clone(proxy), *bounds);
    Carriers::new(move || {
        let dialing = TunnelDialing::start(&target, &proxy, &bounds)?;
        Ok(Box::new(dialing) as Box<dyn Carrier>)
    })
}
