//! `host[:port]`, as URLs have it (RFC 3986 §3.2).

use std::net::Ipv6Addr;

/// Longest host name (RFC 1035 §2.3.4 in text form).
pub const HOST_MAX: usize = 253;

/// Host without brackets, and the port if there is one. IPv6 addresses stand in brackets.
///
/// The error is one sentence that never repeats the text.
pub fn split(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    if authority.contains('@') {
        return Err("user name and password do not belong into the URL; use their members");
    }
    let (host, port) = parts(authority)?;
    Ok((host, port.map(number).transpose()?))
}

/// `host:port`, with brackets around an IPv6 address.
pub fn join(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Host without brackets, and what stands behind its colon.
fn parts(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
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

fn number(digits: &str) -> Result<u16, &'static str> {
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
