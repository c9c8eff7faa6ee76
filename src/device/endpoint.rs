//! The connection URL of a client: scheme, host, port, path.

use crate::transport::authority;
use crate::transport::websocket::handshake::DEFAULT_PATH;

/// Ports that the schemes have (IANA).
const TCP_PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;
const WS_PORT: u16 = 80;
const WSS_PORT: u16 = 443;

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// TCP port, never 0.
    pub port: u16,
    /// Whether the URL has the port; else it is that of the scheme.
    pub port_given: bool,
    /// TLS or plain TCP.
    pub tls: bool,
    /// WebSocket, with this path and query; `/mqtt` if the URL has none.
    pub path: Option<String>,
}

/// Reads `mqtt://host[:port]`, `mqtts://host[:port]`, `ws://host[:port][/path]` or
/// `wss://host[:port][/path]`; an IPv6 address stands in brackets. The scheme may be written in any
/// case, and a single slash may end the URL; with WebSocket it is a path of its own.
///
/// The error is one sentence that never repeats the URL: it may hold a password.
pub fn parse(url: &str) -> Result<Endpoint, &'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("the URL has no scheme; use mqtt://, mqtts://, ws:// or wss://");
    };
    let schemes = [
        ("mqtt", false, false, TCP_PORT),
        ("mqtts", true, false, TLS_PORT),
        ("ws", false, true, WS_PORT),
        ("wss", true, true, WSS_PORT),
    ];
    let known = schemes
        .into_iter()
        .find(|(known, ..)| scheme.eq_ignore_ascii_case(known));
    let Some((_, tls, websocket, scheme_port)) = known else {
        return Err(
            "the scheme of the URL is not supported; use mqtt://, mqtts://, ws:// or wss://",
        );
    };
    let (authority, path) = match rest.find(['/', '?', '#']) {
        None => (rest, ""),
        Some(start) => rest.split_at(start),
    };
    let path = match (websocket, path) {
        (true, "") => Some(DEFAULT_PATH),
        (true, path) => Some(path),
        (false, "" | "/") => None,
        (false, _) if path.contains('@') || authority.contains('@') => {
            return Err("user name and password do not belong into the URL; use their members");
        }
        (false, _) => {
            return Err("the URL has a path, query or fragment, which MQTT over TCP does not know");
        }
    };
    if path.is_some_and(|path| !path.starts_with('/')) {
        return Err("the URL has a query or fragment without a path");
    }
    let (host, port) = authority::split(authority)?;
    Ok(Endpoint {
        host: host.to_owned(),
        port: port.unwrap_or(scheme_port),
        port_given: port.is_some(),
        tls,
        path: path.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, port: u16, tls: bool) -> Endpoint {
        Endpoint {
            host: host.to_owned(),
            port,
            port_given: true,
            tls,
            path: None,
        }
    }

    fn websocket(host: &str, port: u16, tls: bool, path: &str) -> Endpoint {
        Endpoint {
            path: Some(path.to_owned()),
            ..endpoint(host, port, tls)
        }
    }

    #[test]
    fn urls_that_are_understood() {
        let cases = [
            ("mqtt://broker", false, endpoint("broker", 1883, false)),
            (
                "mqtts://broker.example.com",
                false,
                endpoint("broker.example.com", 8883, true),
            ),
            ("MQTTS://b:443/", true, endpoint("b", 443, true)),
            ("mqtt://10.0.0.1:1", true, endpoint("10.0.0.1", 1, false)),
            ("mqtts://[::1]", false, endpoint("::1", 8883, true)),
            (
                "mqtt://[2001:db8::1]:65535",
                true,
                endpoint("2001:db8::1", 65535, false),
            ),
            (
                "mqtt://my_host-1:08883",
                true,
                endpoint("my_host-1", 8883, false),
            ),
        ];
        for (url, port_given, want) in cases {
            assert_eq!(parse(url), Ok(Endpoint { port_given, ..want }), "{url}");
        }
    }

    #[test]
    fn urls_of_websockets() {
        let cases = [
            (
                "ws://broker",
                false,
                websocket("broker", 80, false, "/mqtt"),
            ),
            (
                "wss://broker",
                false,
                websocket("broker", 443, true, "/mqtt"),
            ),
            ("WSS://broker/", false, websocket("broker", 443, true, "/")),
            (
                "ws://b:8083/a/b?c=d@e",
                true,
                websocket("b", 8083, false, "/a/b?c=d@e"),
            ),
            ("wss://[::1]/x", false, websocket("::1", 443, true, "/x")),
            ("ws://[::1]:1", true, websocket("::1", 1, false, "/mqtt")),
        ];
        for (url, port_given, want) in cases {
            assert_eq!(parse(url), Ok(Endpoint { port_given, ..want }), "{url}");
        }
    }

    #[test]
    fn urls_that_are_refused_say_why() {
        let long = format!("mqtt://{}", "a".repeat(254));
        let cases = [
            ("", "no scheme"),
            ("broker", "no scheme"),
            ("broker:1883", "no scheme"),
            ("://broker", "not supported"),
            ("wss:/broker", "no scheme"),
            ("ws://user:secret@broker/x", "do not belong"),
            ("ws://broker?x", "without a path"),
            ("ws://broker#x", "without a path"),
            ("ws:///mqtt", "no host"),
            ("ws://broker:0/x", "port"),
            ("https://broker", "not supported"),
            ("mqtt://", "no host"),
            ("mqtt:///", "no host"),
            ("mqtt://:1883", "no host"),
            ("mqtt://user:secret@broker", "do not belong"),
            ("mqtt://broker/path", "path"),
            ("mqtt://broker?x", "path"),
            ("mqtt://broker//", "path"),
            ("mqtt://broker:", "port"),
            ("mqtt://broker:0", "port"),
            ("mqtt://broker:65536", "port"),
            ("mqtt://broker:+1", "port"),
            ("mqtt://broker:1x", "port"),
            ("mqtt://::1", "brackets"),
            ("mqtt://[::1", "closing bracket"),
            ("mqtt://[::1]x", "behind the IPv6 address"),
            ("mqtt://[broker]", "not an IPv6 address"),
            ("mqtt://bro ker", "character"),
            ("mqtt://bro\u{e4}ker", "character"),
            (&long, "longer than 253"),
        ];
        for (url, want) in cases {
            let text = parse(url).expect_err(url);
            assert!(text.contains(want), "{url}: {text}");
            assert!(!text.contains("secret"));
        }
    }
}
