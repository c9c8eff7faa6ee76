//! The connection URL of a client: scheme, host, port.

use std::net::Ipv6Addr;

/// Port of MQTT over TCP and over TLS (IANA).
const TCP_PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;
/// Longest host name (RFC 1035 §2.3.4 in text form).
const HOST_MAX: usize = 253;

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// TCP port, never 0.
    pub port: u16,
    /// TLS or plain TCP.
    pub tls: bool,
}

/// Reads `mqtt://host[:port]` or `mqtts://host[:port]`; an IPv6 address stands in brackets. The
/// scheme may be written in any case, and a single slash may end the URL.
///
/// The error is one sentence that never repeats the URL: it may hold a password.
pub fn parse(url: &str) -> Result<Endpoint, &'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("the URL has no scheme; use mqtt:// or mqtts://");
    };
    let tls = if scheme.eq_ignore_ascii_case("mqtts") {
        true
    } else if scheme.eq_ignore_ascii_case("mqtt") {
        false
    } else {
        return Err("the scheme of the URL is not supported; use mqtt:// or mqtts://");
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return Err("user name and password do not belong into the URL; use their members");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("the URL has a path, query or fragment, which MQTT over TCP does not know");
    }
    let (host, port) = split_port(authority)?;
    let port = match port {
        Some(digits) => port_number(digits)?,
        None if tls => TLS_PORT,
        None => TCP_PORT,
    };
    Ok(Endpoint {
        host: host.to_owned(),
        port,
        tls,
    })
}

/// Host without brackets, and what stands behind its colon.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, behind)) = rest.split_once(']') else {
            return Err("the IPv6 address of the URL lacks its closing bracket");
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err("what stands in brackets in the URL is not an IPv6 address");
        }
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if behind.is_empty() => Ok((host, None)),
            None => Err("the URL has something other than a port behind the IPv6 address"),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            return Err("an IPv6 address in the URL must stand in brackets");
        }
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if host.is_empty() {
        return Err("the URL has no host");
    }
    if host.len() > HOST_MAX {
        return Err("the host of the URL is longer than 253 characters");
    }
    // What resolvers take: letters of any alphabet are written as A-labels, and some local names
    // have underscores.
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if !host.bytes().all(fine) {
        return Err("the host of the URL has a character that no host name has");
    }
    Ok((host, port))
}

fn port_number(digits: &str) -> Result<u16, &'static str> {
    let wrong = "the port of the URL is not a number from 1 to 65535";
    // The parser of the standard library would take a plus sign.
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(wrong),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, port: u16, tls: bool) -> Endpoint {
        Endpoint {
            host: host.to_owned(),
            port,
            tls,
        }
    }

    #[test]
    fn urls_that_are_understood() {
        let cases = [
            ("mqtt://broker", endpoint("broker", 1883, false)),
            (
                "mqtts://broker.example.com",
                endpoint("broker.example.com", 8883, true),
            ),
            ("MQTTS://b:443/", endpoint("b", 443, true)),
            ("mqtt://10.0.0.1:1", endpoint("10.0.0.1", 1, false)),
            ("mqtts://[::1]", endpoint("::1", 8883, true)),
            (
                "mqtt://[2001:db8::1]:65535",
                endpoint("2001:db8::1", 65535, false),
            ),
            ("mqtt://my_host-1:08883", endpoint("my_host-1", 8883, false)),
        ];
        for (url, want) in cases {
            assert_eq!(parse(url), Ok(want), "{url}");
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
            ("ws://broker", "not supported"),
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
