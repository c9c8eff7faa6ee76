//! An HTTP proxy that knows CONNECT only, and leads only to the platform's own listeners.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use socket2::SockRef;

use crate::connection::{applied, swallow};
use crate::faults::garbage;
use crate::http::{self, Head};
use crate::link::{How, Link};
use crate::server::{Addresses, Platform};
use crate::transport::Transport;

/// How long the proxy tries to reach where it is to lead.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Where a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A listener of this platform.
    Own(Transport),
    /// An address.
    Address(SocketAddr),
}

/// One line of the proxy's table, written `HOST:PORT=TO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Host in lower case; `*` for any.
    host: String,
    /// `None` for any.
    port: Option<u16>,
    way: Way,
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not HOST:PORT=TO, where TO is an address or tls, tcp, ws, wss, psk"
            )
        };
        let (target, to) = text.rsplit_once('=').ok_or_else(wrong)?;
        let (host, port) = target.rsplit_once(':').ok_or_else(wrong)?;
        let port = match port {
            "*" => None,
            number => Some(number.parse().map_err(|_| wrong())?),
        };
        let own = Transport::ALL.into_iter().find(|way| way.name() == to);
        let way = match own {
            Some(transport) => Way::Own(transport),
            None => Way::Address(to.parse().map_err(|_| wrong())?),
        };
        let host = bare(host).to_lowercase();
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self { host, port, way })
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// Name and password that the proxy asks for. Not shown anywhere.
#[derive(Clone)]
pub struct Credentials(String);

impl Credentials {
    /// From `user:password`; the error is a sentence for the user.
    pub fn new(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((user, _)) if !user.is_empty() => Ok(Self(BASE64.encode(text.as_bytes()))),
            _ => Err("the proxy's credentials are not user:password".into()),
        }
    }

    fn fit(&self, field: Option<&str>) -> bool {
        let Some((scheme, given)) = field.and_then(|field| field.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("Basic") && given.trim() == self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// The proxy's options.
#[derive(Debug, Clone, Default)]
pub struct ProxyOptions {
    /// Address to listen on.
    pub listen: Option<String>,
    /// Asked of every client.
    pub credentials: Option<Credentials>,
    /// Where names lead, besides to the platform's own listeners by their address; the first fit counts.
    pub map: Vec<Mapping>,
}

/// Accepts clients until the platform stops.
pub fn serve(platform: &Arc<Platform>, listener: &TcpListener, addresses: Addresses) {
    for socket in listener.incoming() {
        if platform.is_stopping() {
            return;
        }
        if let Ok(socket) = socket {
            let platform = Arc::clone(platform);
            thread::spawn(move || {
                let conn = platform.next_connection();
                let Ok(peer) = socket.peer_addr() else { return };
                converse(&platform, socket, conn, peer, &addresses);
            });
        }
    }
}

fn converse(
    platform: &Platform,
    socket: TcpStream,
    conn: u64,
    peer: SocketAddr,
    addresses: &Addresses,
) {
    let record = |mut fields: Value| {
        fields["conn"] = conn.into();
        fields["peer"] = peer.to_string().into();
        platform.events.record("proxy", fields);
    };
    if applied(platform, conn, "proxy-stall").is_some() {
        swallow(platform, &socket);
        return;
    }
    let Ok(link) = Link::tcp(socket) else { return };
    let (head, rest) = match http::read_head(&link, platform.options.patience) {
        Ok(read) => read,
        Err(error) => {
            record(json!({"ok": false, "error": error}));
            return;
        }
    };
    let refuse = |status: u16, fields: &str, error: &str| {
        record(json!({"ok": false, "target": head.target, "status": status, "error": error}));
        let text = format!(
            "HTTP/1.1 {status} Refused\r\n{fields}Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let _ = link.send(text.as_bytes());
        link.close(How::Abrupt);
        link.drain();
    };
    if applied(platform, conn, "proxy-close").is_some() {
        record(json!({"ok": false, "target": head.target, "error": "closed by a fault"}));
        link.close(How::Abrupt);
        link.drain();
        return;
    }
    if applied(platform, conn, "proxy-garbage").is_some() {
        record(json!({"ok": false, "target": head.target, "error": "garbage, by a fault"}));
        let _ = link.send(&garbage());
        link.close(How::Abrupt);
        link.drain();
        return;
    }
    if let Some(status) = applied(platform, conn, "proxy-status") {
        refuse(status as u16, "", "this status was asked for");
        return;
    }
    let to = match allowed(platform, &head, addresses) {
        Ok(to) => to,
        Err((status, fields, error)) => {
            refuse(status, fields, &error);
            return;
        }
    };
    let target = match TcpStream::connect_timeout(&to, CONNECT_LIMIT) {
        Ok(target) => target,
        Err(error) => {
            refuse(502, "", &format!("cannot reach {to}: {error}"));
            return;
        }
    };
    // The peer that the listener sees on the other side.
    let from = target.local_addr().map(|address| address.to_string()).ok();
    record(json!({
        "ok": true, "target": head.target, "status": 200, "to": to.to_string(), "from": from,
        "with_credentials": head.field("Proxy-Authorization").is_some(),
    }));
    let padding = applied(platform, conn, "proxy-headers")
        .map(|size| format!("X-Padding: {}\r\n", "x".repeat(size as usize)))
        .unwrap_or_default();
    if link
        .send(format!("HTTP/1.1 200 Connection established\r\n{padding}\r\n").as_bytes())
        .is_ok()
        && let Ok(socket) = link.into_socket()
    {
        let bytes = tunnel(&socket, &target, &rest);
        platform.events.record(
            "proxy_closed",
            json!({"conn": conn, "up": bytes.0, "down": bytes.1}),
        );
    }
}

type Refusal = (u16, &'static str, String);

/// Where the request may lead; or status, extra fields and reason of the refusal.
fn allowed(platform: &Platform, head: &Head, addresses: &Addresses) -> Result<SocketAddr, Refusal> {
    let options = &platform.options.proxy;
    if head.method != "CONNECT" {
        return Err((
            405,
            "Allow: CONNECT\r\n",
            format!("{} is not CONNECT", head.method),
        ));
    }
    if let Some(credentials) = &options.credentials {
        let given = head.field("Proxy-Authorization");
        if !credentials.fit(given) {
            let error = match given {
                None => "no credentials",
                Some(_) => "wrong credentials",
            };
            let fields = "Proxy-Authenticate: Basic realm=\"iotx-platform\"\r\n";
            return Err((407, fields, error.into()));
        }
    }
    let bad = || (400, "", format!("{:?} is not host:port", head.target));
    let (host, port) = head.target.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().map_err(|_| bad())?;
    let host = bare(host).to_lowercase();
    let mapped = options.map.iter().find(|line| {
        (line.host == "*" || line.host == host) && line.port.is_none_or(|known| known == port)
    });
    let own = Transport::ALL.map(|transport| addresses.of(transport));
    let found = match mapped.map(|line| line.way) {
        Some(Way::Address(address)) => Some(address),
        Some(Way::Own(transport)) => addresses.of(transport),
        None => own.into_iter().flatten().find(|address| {
            address.port() == port && (host == "localhost" || host == address.ip().to_string())
        }),
    };
    found.ok_or_else(|| (403, "", "the proxy does not lead there".into()))
}

/// Carries bytes both ways until both sides are done; how many went up and down.
fn tunnel(client: &TcpStream, target: &TcpStream, first: &[u8]) -> (u64, u64) {
    let _ = client.set_nodelay(true);
    let _ = target.set_nodelay(true);
    if io::Write::write_all(&mut &*target, first).is_err() {
        return (0, 0);
    }
    let (up, down) = thread::scope(|scope| {
        let up = scope.spawn(|| carry(client, target));
        let down = carry(target, client);
        (up.join().unwrap_or_default(), down)
    });
    (first.len() as u64 + up, down)
}

fn carry(mut from: &TcpStream, mut to: &TcpStream) -> u64 {
    let mut buffer = [0; 16 * 1024];
    let mut total = 0;
    loop {
        match io::Read::read(&mut from, &mut buffer) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return total;
            }
            Ok(count) => {
                if io::Write::write_all(&mut to, &buffer[..count]).is_err() {
                    let _ = from.shutdown(Shutdown::Read);
                    return total;
                }
                total += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                // A reset travels on: dropping the socket resets it, and the other direction ends.
                let _ = SockRef::from(to).set_linger(Some(Duration::ZERO));
                let _ = to.shutdown(Shutdown::Read);
                return total;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_table_are_parsed_or_refused() {
        let line: Mapping = "X509.itls.example:443=tls".parse().expect("a line");
        assert_eq!(line.host, "x509.itls.example");
        assert_eq!((line.port, line.way), (Some(443), Way::Own(Transport::Tls)));
        let line: Mapping = "*:*=[::1]:1883".parse().expect("a line");
        let address = "[::1]:1883".parse().expect("an address");
        assert_eq!(
            (line.host.as_str(), line.port, line.way),
            ("*", None, Way::Address(address))
        );
        let line: Mapping = "[::1]:443=wss".parse().expect("a line");
        assert_eq!(line.host, "::1");
        for wrong in [
            "",
            "a=tls",
            "a:443",
            "a:443=nothing",
            "a:x=tls",
            ":443=tls",
            "a:443=1.2.3.4",
        ] {
            assert!(wrong.parse::<Mapping>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_are_compared_and_not_shown() {
        let credentials = Credentials::new("Aladdin:open sesame").expect("credentials");
        // The example of RFC 7617 section 2.
        assert!(credentials.fit(Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
        assert!(credentials.fit(Some("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
        assert!(!credentials.fit(Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==")));
        assert!(!credentials.fit(Some("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
        assert!(!credentials.fit(None));
        assert_eq!(format!("{credentials:?}"), "Credentials");
        assert!(Credentials::new("nobody").is_err());
        assert!(Credentials::new(":secret").is_err());
    }
}
