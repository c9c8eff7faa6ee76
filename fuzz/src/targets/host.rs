//! Host names and addresses: what passes is a name that a resolver takes, and reads the same again.

use std::net::IpAddr;

use iotx::hal::tls::ServerName;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let address = text
        .parse::<IpAddr>()
        .or_else(|error| {
            match text
                .strip_prefix('[')
                .and_then(|text| text.strip_suffix(']'))
            {
                Some(inside) => inside.parse::<std::net::Ipv6Addr>().map(IpAddr::V6),
                None => Err(error),
            }
        })
        .ok();
    match ServerName::parse(text) {
        Ok(name) => {
            assert_eq!(name.ip(), address, "{text}");
            let socket = name.for_socket();
            let socket = socket.to_str().expect("text");
            assert!(!socket.is_empty() && socket.len() <= 253, "{text}");
            if let Some(dns) = name.dns() {
                assert_eq!(dns, socket);
                assert!(text.trim_end_matches('.').eq_ignore_ascii_case(dns));
                assert!(
                    dns.bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
                );
                assert!(dns.split('.').all(|label| (1..=63).contains(&label.len())));
            }
            assert_eq!(ServerName::parse(socket).as_ref(), Ok(&name));
            assert_eq!(
                name.matches_ip_bytes(data),
                address.is_some_and(|ip| is_bytes(ip, data))
            );
        }
        Err(reason) => {
            assert_eq!(address, None, "{text}");
            // The reason goes into logs: it is a sentence of ours and carries nothing of the text.
            let sentences = [
                "is empty",
                "is longer than 253 characters",
                "is not a valid DNS name or IP address",
            ];
            assert!(
                sentences
                    .iter()
                    .any(|end| reason == format!("host name {end}")),
                "{reason}"
            );
        }
    }
}

fn is_bytes(ip: IpAddr, bytes: &[u8]) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets() == bytes,
        IpAddr::V6(ip) => ip.octets() == bytes,
    }
}
