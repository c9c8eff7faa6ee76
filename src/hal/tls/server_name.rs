//! The name a TLS session is verified against.
//!
//! [`ServerName`] is the only way to open a session, and it cannot be empty: Mbed TLS accepts a
//! certificate with any name when it is given no name, so that case must not be expressible.

use std::ffi::CString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest DNS name in text form (RFC 1035 §2.3.4, without the root dot).
const MAX_DNS_NAME: usize = 253;
/// Longest label of a DNS name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A validated server name: a DNS host name or an IP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerName(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Dns(String),
    Ip(IpAddr),
}

impl ServerName {
    /// Checks `host`: an IPv4 or IPv6 literal (brackets allowed around IPv6), or a DNS name of
    /// letters, digits and hyphens, at most 253 characters. One trailing dot is dropped.
    /// Wildcards, empty labels and anything else are refused with a sentence that says why.
    pub fn parse(host: &str) -> Result<Self, String> {
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(ip) = bare.parse::<Ipv6Addr>() {
            return Ok(ServerName(Kind::Ip(IpAddr::V6(ip))));
        }
        if let Ok(ip) = host.parse::<Ipv4Addr>() {
            return Ok(ServerName(Kind::Ip(IpAddr::V4(ip))));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        if name.is_empty() {
            return Err("host name is empty".into());
        }
        if name.len() > MAX_DNS_NAME {
            return Err(format!(
                "host name is longer than {MAX_DNS_NAME} characters"
            ));
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        if last.bytes().all(|b| b.is_ascii_digit()) {
            // Resolvers read such names ("10.1", "2130706433") as addresses in short form; which
            // certificate name they should match is not defined.
            return Err("host name is not a valid DNS name or IP address".into());
        }
        for label in name.split('.') {
            let edge_hyphen = label.starts_with('-') || label.ends_with('-');
            let ldh = label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if label.is_empty() || label.len() > MAX_LABEL || edge_hyphen || !ldh {
                return Err("host name is not a valid DNS name or IP address".into());
            }
        }
        Ok(ServerName(Kind::Dns(name.to_ascii_lowercase())))
    }

    /// The DNS name, lower case, without a trailing dot; `None` for an IP address.
    pub fn dns(&self) -> Option<&str> {
        match &self.0 {
            Kind::Dns(name) => Some(name),
            Kind::Ip(_) => None,
        }
    }

    /// The IP address; `None` for a DNS name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.0 {
            Kind::Dns(_) => None,
            Kind::Ip(ip) => Some(ip),
        }
    }

    /// The name as `HAL_TCP_Establish` takes it: no brackets, no trailing dot.
    pub fn for_socket(&self) -> CString {
        // A validated name holds no NUL, so the conversion cannot fail; an empty name would only
        // make the connection fail.
        CString::new(self.to_string()).unwrap_or_default()
    }

    /// Whether an iPAddress entry of a certificate (4 or 16 bytes, RFC 5280 §4.2.1.6) names this
    /// address. Always false for a DNS name.
    pub fn matches_ip_bytes(&self, bytes: &[u8]) -> bool {
        match self.0 {
            Kind::Dns(_) => false,
            Kind::Ip(IpAddr::V4(ip)) => bytes == ip.octets(),
            Kind::Ip(IpAddr::V6(ip)) => bytes == ip.octets(),
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Dns(name) => f.write_str(name),
            Kind::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServerName;

    #[test]
    fn accepts_names_and_addresses() {
        let name = ServerName::parse("X509.itls.cn-shanghai.aliyuncs.com.").unwrap();
        assert_eq!(name.dns(), Some("x509.itls.cn-shanghai.aliyuncs.com"));
        assert!(name.ip().is_none());
        assert!(ServerName::parse("127.0.0.1").unwrap().ip().is_some());
        assert_eq!(ServerName::parse("[::1]").unwrap().to_string(), "::1");
        assert!(ServerName::parse("::1").unwrap().dns().is_none());
    }

    #[test]
    fn refuses_everything_that_is_not_a_host() {
        let long_label = "a".repeat(64);
        let long_name = "a.".repeat(127) + "aa";
        for bad in [
            "",
            ".",
            "*.a.com",
            "a..b",
            "-a.com",
            "a-.com",
            "a b",
            "a/b",
            "a\0b",
            "ü.com",
            ".com",
            "a.com..",
            "10.1",
            "1.2.3.4.5",
            "2130706433",
            "[127.0.0.1]",
            "a_b.com",
            &long_label,
            &long_name,
        ] {
            assert!(ServerName::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn ip_bytes_match_only_the_same_address() {
        let v4 = ServerName::parse("10.0.0.1").unwrap();
        assert!(v4.matches_ip_bytes(&[10, 0, 0, 1]));
        assert!(!v4.matches_ip_bytes(&[10, 0, 0, 2]));
        assert!(!v4.matches_ip_bytes(&[0; 16]));
        assert!(!ServerName::parse("a.com").unwrap().matches_ip_bytes(&[]));
    }
}
