//! TLS, CONNACK and what follows: one connection of the library, explained.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use iotx::hal::diagnostics::{Failure, Stage};
use iotx::state;

use super::finding::Finding;
use super::network;
use crate::account::certificate::{Summary, date};
use crate::account::{Account, Ready, Scheme};
use crate::connect::session::{NoConnection, Session};
use crate::output::{Output, Problem};

/// Roots that end within this time are told of, seconds: two years.
const ROOT_SOON: i64 = 2 * 365 * 24 * 3600;

/// Connects, and explains. `address` is where the port was found open.
pub fn check(
    account: &Account,
    ready: &Ready,
    address: SocketAddr,
    now: i64,
    watch: Duration,
    stop: &AtomicBool,
) -> Result<Vec<Finding>, Problem> {
    let silent = Output::silent();
    let mut session = Session::new(account, ready, &silent, stop)?;
    let connected = session.connect();
    let mut findings = Vec::new();
    match connected {
        Err(NoConnection::Interrupted) => return Err(NoConnection::Interrupted.problem()),
        Err(NoConnection::Transport(failure)) => {
            findings.extend(transport(&failure, ready, &session.chain, address, now));
            findings.push(Finding::skipped(
                "connack",
                "There is no connection to send CONNECT on.",
            ));
        }
        Err(NoConnection::Mqtt(code, text)) => {
            findings.extend(secured(ready, &session.chain, now));
            findings.push(refused(code, &text, account, ready));
        }
        Ok(()) => {
            findings.extend(secured(ready, &session.chain, now));
            findings.push(Finding::ok("connack", "The server accepts the device."));
            findings.extend(identity(account, ready, &session));
            findings.push(steady(&mut session, watch));
        }
    }
    session.close();
    Ok(findings)
}

/// What a working TLS connection tells.
fn secured(ready: &Ready, chain: &[Summary], now: i64) -> Vec<Finding> {
    if !ready.endpoint.tls {
        return vec![Finding::note(
            "tls",
            "The connection is not encrypted.",
            "Use an mqtts:// or wss:// URL outside of tests.",
        )];
    }
    let Some(root) = chain.last() else {
        return vec![Finding::ok("tls", "TLS with the pre-shared key works.")];
    };
    let mut findings = vec![Finding::ok(
        "tls",
        format!(
            "The server's certificate is trusted; the root is {}.",
            root.subject
        ),
    )];
    findings.extend(dates(chain, now));
    if root.not_after - now < ROOT_SOON {
        findings.push(Finding::note(
            "root",
            format!(
                "The root {} ends on {}.",
                root.subject,
                date(root.not_after)
            ),
            "Plan the move to port 8883, whose root is the Aliyun IoT Root CA.",
        ));
    }
    findings
}

/// The clock of the device against the certificates of the server.
fn dates(chain: &[Summary], now: i64) -> Option<Finding> {
    const CHECK: &str = "clock and server";
    let early = chain
        .iter()
        .find(|certificate| now < certificate.not_before);
    let late = chain.iter().find(|certificate| now > certificate.not_after);
    if let Some(certificate) = early {
        return Some(Finding::bad(
            CHECK,
            format!(
                "By the device's clock ({}) a certificate of the server is not valid before {}: the clock is behind.",
                date(now),
                date(certificate.not_before)
            ),
            "Set the device's clock before connecting.",
        ));
    }
    late.map(|certificate| {
        Finding::bad(
            CHECK,
            format!(
                "By the device's clock ({}) a certificate of the server expired on {}: the clock is ahead.",
                date(now),
                date(certificate.not_after)
            ),
            "Set the device's clock before connecting.",
        )
    })
}

fn transport(
    failure: &Failure,
    ready: &Ready,
    chain: &[Summary],
    address: SocketAddr,
    now: i64,
) -> Vec<Finding> {
    let text = &failure.text;
    match failure.stage {
        Stage::Resolve => vec![Finding::bad(
            "resolver",
            format!("The library finds no address: {text}."),
            "Check the name server of this network.",
        )],
        Stage::Connect | Stage::Traffic => vec![Finding::bad(
            "port",
            format!("The connection does not come about: {text}."),
            "Try again; if it stays, look for a firewall that cuts connections.",
        )],
        Stage::Proxy | Stage::ProxyRefused => vec![Finding::bad(
            "proxy",
            format!("The proxy does not let the connection through: {text}."),
            "Check the address of the proxy, its user and password, and that it allows CONNECT to this port.",
        )],
        Stage::WebSocket | Stage::WebSocketRefused => vec![Finding::bad(
            "websocket",
            format!("The server does not speak MQTT over WebSocket here: {text}."),
            "Check the path of the URL (/mqtt unless given) and the port.",
        )],
        Stage::TlsConfig => vec![Finding::bad(
            "tls",
            format!("TLS cannot begin: {text}."),
            "Check the files of --ca, --cert and --key.",
        )],
        Stage::TlsVerify => vec![unverified(text, chain, now)],
        Stage::TlsHandshake => vec![handshake(text, ready, address)],
    }
}

fn unverified(text: &str, chain: &[Summary], now: i64) -> Finding {
    const CHECK: &str = "tls";
    let leaf = chain.first();
    if text.contains("not yet valid") {
        return Finding::bad(
            CHECK,
            format!(
                "The {text}: by the clock here ({}) it is too early.",
                date(now)
            ),
            "Set the clock; if it is right, the server has the wrong certificate.",
        );
    }
    if text.contains("expired") {
        return Finding::bad(
            CHECK,
            format!("The {text}; the clock here shows {}.", date(now)),
            "Check the clock; if it is right, the server needs a new certificate, or something sits between.",
        );
    }
    if text.contains("unknown CA") || text.contains("self-signed") {
        let issuer = leaf.map_or(String::new(), |leaf| {
            format!(" Its issuer is {}.", leaf.issuer)
        });
        return Finding::bad(
            CHECK,
            format!("The {text}.{issuer}"),
            "Give the right root as --ca; on a company network a proxy may put its own certificate in between.",
        );
    }
    if text.contains("not valid for host") {
        return Finding::bad(
            CHECK,
            format!("The {text}."),
            "Use the host name that the certificate is for; an address or an alias does not do.",
        );
    }
    Finding::bad(
        CHECK,
        format!("The server cannot be trusted: {text}."),
        "Look at the chain with iotx connect.",
    )
}

fn handshake(text: &str, ready: &Ready, address: SocketAddr) -> Finding {
    const CHECK: &str = "tls";
    // Asked at the same place; through a proxy that place is the proxy, which speaks HTTP of course.
    let http = match ready.proxy {
        None => network::speaks_http(&address, &ready.endpoint.host),
        Some(_) => None,
    };
    if let Some(answer) = http {
        return Finding::bad(
            "captive portal",
            format!("Something answers with HTTP instead of TLS ({answer})."),
            "Log in at the captive portal of this network, use its proxy (--proxy), or correct the port.",
        );
    }
    let next = if text.contains("does not offer TLS 1.2")
        || text.contains("does not accept TLS 1.2")
    {
        "The library speaks TLS 1.2 alone; allow it at the server."
    } else if text.contains("pre-shared key") || text.contains("key identity") {
        "Check product key, device name and device secret, and that the server knows pre-shared keys."
    } else if text.contains("client certificate") {
        "Give the device certificate: --scheme x509 --cert --key."
    } else if text.contains("device certificate") {
        "Check that the certificate is issued by the CA that is registered, is not expired, and belongs to this product."
    } else if text.contains("cipher suite") {
        "Server and library have no cipher suite in common; the server needs ECDHE with AES-GCM or ChaCha20."
    } else {
        "Check that the port speaks TLS (mqtts://); a firewall that inspects TLS also does this."
    };
    Finding::bad(CHECK, format!("TLS does not come about: {text}."), next)
}

fn refused(code: i32, text: &str, account: &Account, ready: &Ready) -> Finding {
    const CHECK: &str = "connack";
    let (what, next) = match code {
        state::STATE_MQTT_CONNACK_VERSION_UNACCEPT => (
            "The server refuses this version of MQTT (code 1).",
            "The URL leads to another server than the platform; check host and port.",
        ),
        state::STATE_MQTT_CONNACK_IDENT_REJECT => (
            "The server refuses the client id or the keep-alive (code 2).",
            "Check the parameters between the bars of the client id, its length, and a keep-alive of 30 to 1200 s.",
        ),
        state::STATE_MQTT_CONNACK_SERVICE_NA => (
            "The server cannot serve now (code 3).",
            "Try again later; if it stays, too many connections were made, or the service has a fault.",
        ),
        state::STATE_MQTT_CONNACK_BAD_USERDATA => (
            "The server refuses user name or password (code 4).",
            match account.scheme {
                Scheme::X509 | Scheme::PrivateCa => {
                    "Give no names, or those that belong to the certificate."
                }
                Scheme::Connwl => {
                    "Register again: client id or token are not (or no longer) valid."
                }
                _ => {
                    "Compare product key, device name and device secret with the console; check timestamp and securemode."
                }
            },
        ),
        state::STATE_MQTT_CONNACK_NOT_AUTHORIZED => (
            "The server does not let this device in (code 5).",
            match account.scheme {
                Scheme::X509 | Scheme::PrivateCa => {
                    "Register the certificate (its CA and serial number) for a device; check that the device is not disabled."
                }
                _ => {
                    "Create the device in the console, or enable it; check product key, device name and region."
                }
            },
        ),
        state::STATE_SYS_DEPEND_NWK_TIMEOUT => (
            "The server does not answer CONNECT in time.",
            if ready.endpoint.tls {
                "The service may be overloaded; try again."
            } else {
                "The port may speak TLS: try mqtts:// instead of mqtt://."
            },
        ),
        state::STATE_SYS_DEPEND_NWK_CLOSE => (
            "The server closes the connection instead of answering CONNECT.",
            if ready.endpoint.tls {
                "Check product key and region in the host name, and that the port is one of MQTT."
            } else {
                "The port may speak TLS alone: try mqtts:// instead of mqtt://."
            },
        ),
        state::STATE_MQTT_DESERIALIZE_CONNACK_ERROR => (
            "What the server answers to CONNECT is not MQTT.",
            if ready.endpoint.tls {
                "The URL leads to a server that does not speak MQTT; check host and port."
            } else {
                "The port may speak TLS alone: try mqtts:// instead of mqtt://."
            },
        ),
        _ => {
            return Finding::bad(
                CHECK,
                format!("CONNECT does not succeed: {text}."),
                "The URL may lead to a server that does not speak MQTT; check host and port.",
            );
        }
    };
    Finding::bad(CHECK, what, next)
}

fn identity(account: &Account, ready: &Ready, session: &Session<'_>) -> Option<Finding> {
    const CHECK: &str = "identity";
    if !matches!(account.scheme, Scheme::X509 | Scheme::PrivateCa) {
        return None;
    }
    if !session.identified() {
        return Some(Finding::bad(
            CHECK,
            "The server does not say which device the certificate belongs to.",
            "Check that the endpoint is the one for X.509, and that the serial number is bound to a device.",
        ));
    }
    (ready.product_key.is_empty() || ready.device_name.is_empty()).then(|| {
        let (product_key, device_name) = &session.names;
        Finding::ok(
            CHECK,
            format!("The certificate belongs to {product_key}/{device_name}."),
        )
    })
}

/// Whether the connection stays.
fn steady(session: &mut Session<'_>, watch: Duration) -> Finding {
    const CHECK: &str = "session";
    let end = Instant::now() + watch;
    while Instant::now() < end && !session.stopped() {
        session.look(50);
        if session.losses() > 0 {
            return Finding::bad(
                CHECK,
                "The server ends the connection right after it was accepted.",
                "A second device with the same names is the usual reason; look for one.",
            );
        }
    }
    Finding::ok(
        CHECK,
        format!("The connection stayed for {} ms.", watch.as_millis()),
    )
}
