//! Dynamic registration over HTTPS: one request, one answer, and answers that are wrong on request.

use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::connection::applied;
use crate::form;
use crate::handshake;
use crate::http::{Head, read_head};
use crate::link::{How, Link, Received};
use crate::registration::{Claim, Refusal, Spoiled, spoil};
use crate::registry::DeviceId;
use crate::server::Platform;
use crate::sign::Method;

/// The one resource.
const PATH: &str = "/auth/register/device";
/// Largest form accepted, bytes.
const FORM: usize = 4096;
/// Most bytes of an endless body.
const ENDLESS: usize = 64 << 20;
/// Bytes of the message of `http-huge`.
const HUGE: usize = 1 << 20;

/// Serves one accepted socket.
pub fn serve(platform: &Arc<Platform>, socket: TcpStream, conn: u64) {
    let (Ok(peer), Some(config)) = (socket.peer_addr(), platform.tls_config()) else {
        return;
    };
    platform.events.record(
        "accepted",
        json!({"conn": conn, "peer": peer.to_string(), "tls": true, "transport": "https"}),
    );
    let Ok((link, _)) = handshake::with_certificate(platform, socket, conn, peer, config) else {
        return;
    };
    let (head, outcome) = match request(&link, platform.options.patience) {
        Ok((head, body)) => {
            let outcome = respond(platform, conn, &head, &body);
            (Some(head), outcome)
        }
        Err(status) => (None, Err(status)),
    };
    if applied(platform, conn, "http-stall").is_some() {
        stall(platform, &link);
        return;
    }
    let status = send(platform, conn, &link, outcome);
    platform.events.record(
        "http",
        json!({
            "conn": conn, "status": status, "method": head.as_ref().map(|head| head.method.as_str()),
            "target": head.as_ref().map(|head| head.target.as_str()),
        }),
    );
    link.close(How::Graceful);
    link.drain();
}

/// Reads a request with its body; the error is a status.
pub fn request(link: &Link, patience: Duration) -> Result<(Head, Vec<u8>), u64> {
    let (head, mut body) = read_head(link, patience).map_err(|_| 400_u64)?;
    let length = match head.field("Content-Length") {
        None if head.method == "POST" => return Err(411),
        None => 0,
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse::<usize>().map_err(|_| 400_u64)?
        }
        Some(_) => return Err(400),
    };
    if length > FORM {
        return Err(413);
    }
    let deadline = Instant::now() + patience;
    while body.len() < length {
        match link.receive(&mut body) {
            Ok(Received::Data | Received::Nothing) if Instant::now() < deadline => {}
            _ => return Err(408),
        }
    }
    body.truncate(length);
    Ok((head, body))
}

/// The JSON answer, or a status for requests that are none of a registration.
fn respond(platform: &Platform, conn: u64, head: &Head, body: &[u8]) -> Result<Value, u64> {
    if head.target != PATH {
        return Err(404);
    }
    if head.method != "POST" {
        return Err(405);
    }
    let kind = head.field("Content-Type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(415);
    }
    let (device, verdict) = check(platform, body);
    let mut fields = json!({
        "conn": conn, "mode": "https", "device": device.as_ref().map(ToString::to_string),
        "accepted": verdict.is_ok(), "code": 200,
    });
    let answer = match &verdict {
        Ok(data) => json!({"code": 200, "data": data, "message": "success"}),
        Err(refusal) => {
            let code = platform.options.registration.codes.of(*refusal);
            fields["code"] = code.into();
            fields["reason"] = refusal.reason().into();
            json!({"code": code, "message": refusal.reason()})
        }
    };
    platform.events.record("registration", fields);
    Ok(answer)
}

/// Who asks, as far as known, and the `data` of the answer.
fn check(platform: &Platform, body: &[u8]) -> (Option<DeviceId>, Result<Value, Refusal>) {
    let Ok(fields) = form::parse(body) else {
        return (None, Err(Refusal::Parameter));
    };
    let field = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .ok_or(Refusal::Parameter)
    };
    let device = match (field("productKey"), field("deviceName")) {
        (Ok(product_key), Ok(device_name)) => DeviceId {
            product_key: product_key.to_owned(),
            device_name: device_name.to_owned(),
        },
        _ => return (None, Err(Refusal::Parameter)),
    };
    let verdict = (|| {
        let claim = Claim {
            device: &device,
            random: field("random")?,
            method: Method::named(fields.get("signMethod").map(String::as_str))
                .ok_or(Refusal::Parameter)?,
            signature: field("sign")?.as_bytes(),
            new_client: None,
        };
        platform.registry.check_claim(&claim)?;
        let known = platform
            .registry
            .device(&device)
            .ok_or(Refusal::UnknownDevice)?;
        platform.registry.activate(&device);
        Ok(json!({
            "productKey": device.product_key, "deviceName": device.device_name,
            "deviceSecret": known.device_secret,
        }))
    })();
    (Some(device), verdict)
}

/// Sends the answer, or what faults make of it; returns the status.
fn send(platform: &Platform, conn: u64, link: &Link, outcome: Result<Value, u64>) -> u64 {
    let active = |fault: &str| applied(platform, conn, fault);
    let (mut status, mut answer) = match outcome {
        Ok(answer) => (200, answer),
        Err(status) => (status, json!({"message": reason(status)})),
    };
    let mut fields = String::new();
    if let Some(code) = active("http-code") {
        answer = json!({"code": code, "message": "this code was asked for: %s%n"});
    }
    if active("http-other-device").is_some() {
        answer["data"] = spoil(answer["data"].take(), Spoiled::OtherDevice);
    }
    if active("http-wrong-type").is_some() {
        answer["data"] = spoil(answer["data"].take(), Spoiled::Types);
    }
    if let Some(length) = active("http-secret") {
        answer["data"] = spoil(answer["data"].take(), Spoiled::Secret(length));
    }
    if active("http-huge").is_some() {
        answer["message"] = "x".repeat(HUGE).into();
    }
    if let Some(asked) = active("http-status") {
        status = asked;
        answer = json!({"message": reason(status)});
    }
    if active("http-redirect").is_some() {
        status = 302;
        fields += "Location: https://localhost/elsewhere\r\n";
        answer = json!({"message": reason(status)});
    }
    let body = answer.to_string().into_bytes();
    let head = |framing: &str| {
        let line = format!("HTTP/1.1 {status:03} {}\r\n", reason(status));
        format!("{line}Content-Type: application/json;charset=utf-8\r\nConnection: close\r\n{fields}{framing}\r\n")
            .into_bytes()
    };
    // A client that leaves early is no concern of ours.
    let _ = if active("http-endless").is_some() {
        endless(platform, link, &head("Transfer-Encoding: chunked\r\n"))
    } else if active("http-chunked").is_some() {
        link.send(&[head("Transfer-Encoding: chunked\r\n"), chunked(&body)].concat())
    } else if active("http-no-length").is_some() {
        link.send(&[head(""), body].concat())
    } else {
        let length = head(&format!("Content-Length: {}\r\n", body.len()));
        let cut = match active("http-truncate") {
            Some(_) => body.len() / 2,
            None => body.len(),
        };
        link.send(&[&length, &body[..cut]].concat())
    };
    status
}

/// Small chunks, with an extension and a trailer field, as the standard allows.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in body.chunks(7) {
        bytes.extend(format!("{:x};part\r\n", part.len()).bytes());
        bytes.extend(part);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\nX-End: 1\r\n\r\n");
    bytes
}

fn endless(platform: &Platform, link: &Link, head: &[u8]) -> std::io::Result<()> {
    link.send(head)?;
    let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < ENDLESS && !platform.is_stopping() {
        link.send(&chunk)?;
        sent += chunk.len();
        // Slow enough that a client's limit in time or size is what ends it, not the processor.
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Says nothing until the client leaves.
fn stall(platform: &Platform, link: &Link) {
    let mut rest = Vec::new();
    while !platform.is_stopping() {
        match link.receive(&mut rest) {
            Ok(Received::Data | Received::Nothing) => rest.clear(),
            _ => return,
        }
    }
}

/// The words behind a status.
pub fn reason(status: u64) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        500 => "Internal Server Error",
        _ => "As Asked",
    }
}
