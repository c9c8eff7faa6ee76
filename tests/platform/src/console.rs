//! Events in words, for people who watch the console.

use std::time::Duration;

use serde_json::Value;

/// Time of day in UTC with milliseconds.
pub fn clock(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!(
        "{hours:02}:{minutes:02}:{:02}.{:03}",
        seconds % 60,
        since_epoch.subsec_millis()
    )
}

/// One line for an event, `None` for events that nobody needs to read.
pub fn sentence(event: &Value) -> Option<String> {
    let text = |name: &str| match &event[name] {
        Value::String(text) => printable(text),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let who = || match text("device") {
        device if device.is_empty() => format!("connection {}", text("conn")),
        device => device,
    };
    let message = || {
        format!(
            "{} ({} bytes, QoS {}) {}",
            text("topic"),
            text("bytes"),
            text("qos"),
            text("payload")
        )
    };
    Some(match event["event"].as_str()? {
        // The platform's own words, however many listeners it tells of.
        "started" => format!(
            "platform started: {}",
            event["text"].as_str().unwrap_or_default()
        ),
        "stopped" => format!("platform stopped: {}", text("reason")),
        "accepted" => return None,
        "tls" if event["ok"] == true => {
            let client = match text("client_cert") {
                _ if event["psk_identity"].is_string() => {
                    format!("pre-shared key of {}", text("psk_identity"))
                }
                subject if subject.is_empty() => "no client certificate".to_owned(),
                subject => format!("client certificate {subject}"),
            };
            let sni = match text("sni") {
                name if name.is_empty() => "no server name".to_owned(),
                name => format!("server name {name}"),
            };
            format!(
                "TLS established with {}: {} {}, {sni}, {client}",
                text("peer"),
                text("version"),
                text("suite")
            )
        }
        "tls" => format!("TLS failed with {}: {}", text("peer"), text("error")),
        "websocket" if event["ok"] == true => {
            format!("WebSocket opened: {}: path {}", who(), text("path"))
        }
        "websocket" => format!("WebSocket refused: {}: {}", who(), text("error")),
        "websocket_frame" => format!("WebSocket {} from {}", text("frame"), who()),
        "proxy" if event["ok"] == true => {
            format!("proxy: {} led to {}", text("target"), text("to"))
        }
        "proxy" => format!("proxy: {} refused: {}", text("target"), text("error")),
        "proxy_closed" => return None,
        "connect" if event["accepted"] == true => format!(
            "CONNECT accepted: {} by {}, client id {}, keep-alive {} s, clean session {}",
            who(),
            text("mode"),
            text("client_id"),
            text("keepalive"),
            text("clean_session")
        ),
        "connect" => {
            let client_id = match text("client_id") {
                id if id.is_empty() => id,
                id => format!(" (client id {id})"),
            };
            format!("CONNECT refused: {}: {}{client_id}", who(), text("reason"))
        }
        "connack" if event["code"] == 0 => return None,
        "connack" => format!("CONNACK {} sent to {}", text("code"), who()),
        "identity" => format!("identity pushed to {}: {}", who(), text("payload")),
        "registration" if event["accepted"] == false => {
            format!("registration refused: {}: {}", who(), text("reason"))
        }
        "registration" => format!("registration answered for {}", who()),
        "http" => format!(
            "{} {}: status {}",
            text("method"),
            text("target"),
            text("status")
        ),
        "ca" => format!("CA {} registered", text("name")),
        "associated" => format!(
            "{} certificates of CA {} belong to devices",
            text("certificates"),
            text("name")
        ),
        "reset" => format!("{} may register again", who()),
        "subscribe" => format!("SUBSCRIBE from {}: {}", who(), filters(event)),
        "unsubscribe" => format!("UNSUBSCRIBE from {}: {}", who(), text("filters")),
        "publish" if event["accepted"] == false => {
            format!(
                "PUBLISH from {} dropped: {}: {}",
                who(),
                text("reason"),
                message()
            )
        }
        "publish" => format!("PUBLISH from {}: {}", who(), message()),
        "deliver" => format!("delivered to {}: {}", who(), message()),
        "report" => format!("version report of {}: {}", who(), text("version")),
        "puback" => return None,
        "pingreq" => format!("PINGREQ from {}", who()),
        "disconnect" => format!("DISCONNECT from {}", who()),
        "closed" => format!("closed: {}: {}", who(), text("reason")),
        "kicked" => format!("{} kicked: {}", who(), text("reason")),
        "keepalive_timeout" => format!(
            "{} was silent for {} ms: keep-alive exceeded",
            who(),
            text("silent_ms")
        ),
        "protocol_error" => format!("protocol error of {}: {}", who(), text("reason")),
        "fault" => format!("fault {} applied to {}", text("fault"), who()),
        "dropped" => format!(
            "message for {} dropped: {}: {}",
            who(),
            text("reason"),
            text("topic")
        ),
        other => format!("{other} {}", who()),
    })
}

fn filters(event: &Value) -> String {
    let list = event["filters"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let told: Vec<String> = list
        .iter()
        .map(|item| {
            let answer = match item["granted"].as_u64() {
                Some(128) => format!(
                    "refused ({})",
                    printable(item["reason"].as_str().unwrap_or_default())
                ),
                _ => format!("QoS {}", item["granted"]),
            };
            format!(
                "{} → {answer}",
                printable(item["filter"].as_str().unwrap_or_default())
            )
        })
        .collect();
    told.join(", ")
}

/// Text of a peer as one harmless line: control characters escaped, at most 200 characters.
fn printable(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(200)
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect();
    if text.chars().nth(200).is_some() {
        line.push('…');
    }
    line
}
