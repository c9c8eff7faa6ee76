//! The connection URL: what is understood can be written again and means the same; what is refused is refused
//! in a sentence that holds nothing of it.

use std::net::Ipv6Addr;

use iotx::device::endpoint::{self, Endpoint};

use super::super::input::Input;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match endpoint::parse(&text) {
        Ok(endpoint) => {
            assert!(!endpoint.host.is_empty() && endpoint.host.len() <= 253 && endpoint.port != 0);
            let v6 = endpoint.host.parse::<Ipv6Addr>().is_ok();
            assert!(
                v6 || !endpoint
                    .host
                    .contains(|c: char| c.is_control() || "@/?#:[] ".contains(c))
            );
            let scheme = match (endpoint.path.is_some(), endpoint.tls) {
                (false, false) => "mqtt",
                (false, true) => "mqtts",
                (true, false) => "ws",
                (true, true) => "wss",
            };
            let host = if v6 {
                format!("[{}]", endpoint.host)
            } else {
                endpoint.host.clone()
            };
            let path = endpoint.path.as_deref().unwrap_or("/");
            assert!(path.starts_with('/'));
            let again = endpoint::parse(&format!("{scheme}://{host}:{}{path}", endpoint.port));
            let given = Endpoint {
                port_given: true,
                ..endpoint.clone()
            };
            assert_eq!(again, Ok(given), "{text}");
            let lower = text.to_ascii_lowercase();
            assert!(lower.starts_with(&format!("{scheme}://")) && text.contains(&endpoint.host));
        }
        Err(reason) => {
            let secret = text.split_once("://").map_or("", |(_, rest)| rest);
            assert!(secret.len() < 60 || !reason.contains(secret));
        }
    }
    // Any host of legal characters with any port.
    let mut input = Input::new(data);
    let port = input.u16();
    let host: String = input
        .block()
        .iter()
        .map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789-."[usize::from(*byte) % 38]))
        .collect();
    let parsed = endpoint::parse(&format!("mqtts://{host}:{port}"));
    assert_eq!(
        parsed.is_ok(),
        port != 0 && !host.is_empty() && host.len() <= 253
    );
    if let Ok(endpoint) = parsed {
        assert_eq!(
            (endpoint.host, endpoint.port, endpoint.tls),
            (host, port, true)
        );
    }
}
