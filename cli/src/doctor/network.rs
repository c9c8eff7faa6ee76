//! Name and port: what the system says, without the library.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::finding::Finding;

/// Bound of one connection.
const CONNECT: Duration = Duration::from_secs(4);
/// Bound of a look at another port.
const GLANCE: Duration = Duration::from_millis(1500);
/// Name servers that take longer than this are told of.
const SLOW: Duration = Duration::from_secs(3);
/// Ports that the platform listens on.
const PORTS: [u16; 3] = [443, 1883, 8883];

/// The addresses of `host`, and what there is to say about them.
pub fn resolve(host: &str, port: u16, bound: Duration) -> (Vec<SocketAddr>, Finding) {
    const CHECK: &str = "resolver";
    let start = Instant::now();
    if let Ok(ip) = host.parse::<IpAddr>() {
        let finding = Finding::ok(CHECK, format!("{ip} is an address; no name to look up."));
        return (vec![SocketAddr::new(ip, port)], finding);
    }
    let (sender, answer) = mpsc::channel();
    let name = host.to_owned();
    // Cannot be interrupted; what it finds too late is dropped.
    thread::spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs();
        let _ = sender.send(found.map(|all| all.collect::<Vec<_>>()));
    });
    let addresses = match answer.recv_timeout(bound) {
        Ok(Ok(addresses)) if !addresses.is_empty() => addresses,
        Ok(_) => {
            return (
                Vec::new(),
                Finding::bad(
                    CHECK,
                    format!("The name {host} has no address."),
                    "Check the spelling of host, product key and region, and the name server of this network.",
                ),
            );
        }
        Err(_) => {
            return (
                Vec::new(),
                Finding::bad(
                    CHECK,
                    format!(
                        "The name server does not answer for {host} within {} s.",
                        bound.as_secs()
                    ),
                    "Check the name server of this network; port 53 may be blocked.",
                ),
            );
        }
    };
    let took = start.elapsed();
    let mut unique = addresses;
    unique.dedup();
    let v6 = unique.iter().filter(|address| address.is_ipv6()).count();
    let v4 = unique.len() - v6;
    let shown: Vec<String> = unique.iter().take(4).map(|a| a.ip().to_string()).collect();
    let text = format!(
        "{host} has {v4} IPv4 and {v6} IPv6 addresses ({}), found in {} ms.",
        shown.join(", "),
        took.as_millis()
    );
    let finding = if took > SLOW {
        Finding::note(
            CHECK,
            text,
            "The name server is slow; devices with short time-outs may give up.",
        )
    } else {
        Finding::ok(CHECK, text)
    };
    (unique, finding)
}

enum Port {
    Open,
    Refused,
    Silent,
    Other(String),
}

fn knock(address: &SocketAddr, bound: Duration) -> Port {
    match TcpStream::connect_timeout(address, bound) {
        Ok(_) => Port::Open,
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Port::Refused,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Port::Silent,
            _ => Port::Other(error.to_string()),
        },
    }
}

/// Whether one of the addresses takes connections.
pub fn port(addresses: &[SocketAddr], check: &'static str) -> (Option<SocketAddr>, Finding) {
    let Some(first) = addresses.first() else {
        return (
            None,
            Finding::skipped(check, "There is no address to connect to."),
        );
    };
    let port = first.port();
    let mut refused = 0;
    let mut silent = 0;
    let mut other = None;
    let start = Instant::now();
    for address in addresses.iter().take(4) {
        match knock(address, CONNECT) {
            Port::Open => {
                let ms = start.elapsed().as_millis();
                let failed = refused + silent + usize::from(other.is_some());
                let finding = if failed > 0 {
                    Finding::note(
                        check,
                        format!(
                            "Port {port} is open at {}, after {failed} addresses that failed.",
                            address.ip()
                        ),
                        "If all that failed are IPv6 addresses, this network has no working IPv6.",
                    )
                } else {
                    Finding::ok(
                        check,
                        format!("Port {port} is open at {} ({ms} ms).", address.ip()),
                    )
                };
                return (Some(*address), finding);
            }
            Port::Refused => refused += 1,
            Port::Silent => silent += 1,
            Port::Other(text) => other = Some(text),
        }
    }
    let what = if refused > 0 {
        format!("Port {port} refuses connections: nothing listens there, or a firewall says no.")
    } else if silent > 0 {
        format!("Port {port} does not answer: a firewall drops the packets, or the host is down.")
    } else {
        let reason = other.unwrap_or_default();
        format!("Port {port} cannot be reached: {reason}.")
    };
    (None, Finding::bad(check, what, alternatives(first)))
}

/// What to do instead: the other ports of the platform, if one is open.
fn alternatives(address: &SocketAddr) -> String {
    let others: Vec<_> = PORTS
        .into_iter()
        .filter(|port| *port != address.port())
        .map(|port| {
            let address = SocketAddr::new(address.ip(), port);
            thread::spawn(move || matches!(knock(&address, GLANCE), Port::Open).then_some(port))
        })
        .collect();
    let open: Vec<String> = others
        .into_iter()
        .filter_map(|thread| thread.join().ok().flatten())
        .map(|port| port.to_string())
        .collect();
    if open.is_empty() {
        "Ports 443, 1883 and 8883 do not work from here either; try another network, or --proxy."
            .to_owned()
    } else {
        format!(
            "Port {} is open from here: use it in the URL.",
            open.join(" and ")
        )
    }
}

/// Whether whoever listens there speaks HTTP without being asked to: the first line and, for a redirect, where to.
pub fn speaks_http(address: &SocketAddr, host: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(address, CONNECT).ok()?;
    stream.set_read_timeout(Some(GLANCE)).ok()?;
    stream.set_write_timeout(Some(GLANCE)).ok()?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    let end = Instant::now() + GLANCE;
    while answer.len() < 4096 && Instant::now() < end {
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => answer.extend_from_slice(&chunk[..count]),
            _ => break,
        }
    }
    let text = String::from_utf8_lossy(&answer);
    let mut lines = text.lines();
    let status = lines.next().filter(|line| line.starts_with("HTTP/"))?;
    let location = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| format!(", to {}", value.trim()));
    let shown = format!("{status}{}", location.unwrap_or_default());
    Some(shown.chars().take(200).collect())
}
