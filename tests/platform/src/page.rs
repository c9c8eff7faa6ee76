//! A page for people, on loopback only: who is on-line, what is said, and buttons for messages, kicks and faults.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::control;
use crate::http::Head;
use crate::https::{reason, request};
use crate::link::{How, Link, Received};
use crate::server::Platform;

/// The page; it needs nothing from elsewhere.
const PAGE: &str = include_str!("page.html");
/// What the page may load and do: itself only.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Commands of the control port that the page may give.
const COMMANDS: [&str; 5] = ["publish", "kick", "fault", "clear", "reset-device"];
/// Events told to a page that was just opened.
const BACKLOG: u64 = 200;
/// Members of payloads that are shown as dots.
const SECRETS: [&str; 5] = [
    "deviceSecret",
    "productSecret",
    "deviceToken",
    "password",
    "sign",
];

/// The address, if it is a loopback one; the error is a sentence for the user.
pub fn check_address(address: SocketAddr) -> Result<SocketAddr, String> {
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(format!(
            "the page has no access protection: {address} is no loopback address"
        )),
    }
}

/// Serves one request.
pub fn serve(platform: &Arc<Platform>, socket: TcpStream, _: u64) {
    let Ok(own) = socket.local_addr() else { return };
    let Ok(link) = Link::tcp(socket) else { return };
    let answer = match request(&link, platform.options.patience) {
        Err(status) => Err(status),
        Ok((head, _)) if !own_host(&head, own) => Err(403),
        Ok((head, body)) => match (head.method.as_str(), head.target.as_str()) {
            ("GET", "/") => Ok(("text/html; charset=utf-8", PAGE.to_owned())),
            ("GET", "/state") => Ok(("application/json", state(platform).to_string())),
            ("GET", "/events") => {
                stream(platform, &link, &head);
                link.close(How::Graceful);
                return;
            }
            ("POST", "/command") => {
                command(platform, &head, &body).map(|answer| ("application/json", answer))
            }
            ("GET", _) => Err(404),
            _ => Err(405),
        },
    };
    let (status, (kind, body)) = match answer {
        Ok(answer) => (200, answer),
        Err(status) => (status, ("text/plain", reason(status).to_owned())),
    };
    // A browser that leaves early is no concern of ours.
    let _ = link.send(
        format!(
            "{}Content-Length: {}\r\n\r\n{body}",
            head(status, kind),
            body.len()
        )
        .as_bytes(),
    );
    link.close(How::Graceful);
    link.drain();
}

fn head(status: u64, kind: &str) -> String {
    format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Security-Policy: {POLICY}\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n\
         Connection: close\r\n",
        reason(status)
    )
}

/// Whether the request is meant for us by one of our own names: another site's name that resolves to us
/// (DNS rebinding) is refused.
fn own_host(head: &Head, own: SocketAddr) -> bool {
    let port = own.port();
    let names = [own.to_string(), format!("localhost:{port}")];
    head.field("Host")
        .is_some_and(|host| names.iter().any(|name| name.eq_ignore_ascii_case(host)))
}

/// A command; only a script of this very page can send it.
fn command(platform: &Arc<Platform>, head: &Head, body: &[u8]) -> Result<String, u64> {
    let host = head.field("Host").unwrap_or_default();
    let same = head
        .field("Origin")
        .is_some_and(|origin| origin.eq_ignore_ascii_case(&format!("http://{host}")));
    if !same {
        return Err(403);
    }
    // A form of another site cannot have this type.
    if head.field("Content-Type") != Some("application/json") {
        return Err(415);
    }
    let command: Value = serde_json::from_slice(body).map_err(|_| 400_u64)?;
    if !command["cmd"]
        .as_str()
        .is_some_and(|name| COMMANDS.contains(&name))
    {
        return Err(403);
    }
    let answer = match control::execute(platform, &command) {
        Ok(mut fields) => {
            fields["ok"] = true.into();
            fields
        }
        Err(error) => json!({"ok": false, "error": error}),
    };
    Ok(answer.to_string())
}

fn state(platform: &Platform) -> Value {
    json!({
        "devices": platform.broker.devices(), "active": platform.faults.active(),
        "faults": crate::faults::Faults::known(),
    })
}

/// Server-sent events until the browser leaves: the log, and the state whenever it changes.
fn stream(platform: &Platform, link: &Link, request: &Head) {
    let mut next = match request.field("Last-Event-ID").map(str::parse::<u64>) {
        Some(Ok(last)) => last + 1,
        _ => platform.events.since(u64::MAX).1.saturating_sub(BACKLOG),
    };
    let mut told = String::new();
    let mut beat = Instant::now();
    let mut text = head(200, "text/event-stream") + "\r\n";
    let mut ignored = Vec::new();
    while !platform.is_stopping() {
        let (events, after) = platform.events.since(next);
        for mut event in events {
            hide(&mut event);
            let line = crate::console::sentence(&event);
            event["text"] = line.into();
            text += &format!("id: {}\nevent: log\ndata: {event}\n\n", event["n"]);
        }
        next = after;
        let now = state(platform).to_string();
        if now != told {
            text += &format!("event: state\ndata: {now}\n\n");
            told = now;
        }
        if text.is_empty() && beat.elapsed() > Duration::from_secs(10) {
            text = ": still here\n\n".to_owned();
        }
        if !text.is_empty() {
            if link.send(text.as_bytes()).is_err() {
                return;
            }
            text.clear();
            beat = Instant::now();
        }
        // Waits a slice of a second.
        match link.receive(&mut ignored) {
            Ok(Received::Data | Received::Nothing) => ignored.clear(),
            _ => return,
        }
    }
}

/// Puts dots in place of secrets that a payload holds.
fn hide(event: &mut Value) {
    if let Some(payload) = event["payload"].as_str()
        && let Some(shown) = without_secrets(payload)
    {
        event["payload"] = shown.into();
    }
}

/// The text with its secrets replaced, `None` if it holds none.
fn without_secrets(text: &str) -> Option<String> {
    if let Ok(mut inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        return hide_in(&mut inner).then(|| inner.to_string());
    }
    // Long payloads were cut, and are no JSON any more.
    SECRETS
        .iter()
        .any(|name| text.contains(&format!("\"{name}\"")))
        .then(|| "(holds a secret)".to_owned())
}

fn hide_in(value: &mut Value) -> bool {
    match value {
        Value::Object(members) => {
            let mut changed = false;
            for (name, value) in members {
                if SECRETS.contains(&name.as_str()) {
                    *value = "•••".into();
                    changed = true;
                } else {
                    changed |= hide_in(value);
                }
            }
            changed
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |changed, item| hide_in(item) | changed),
        // JSON inside a text of JSON.
        Value::String(text) => match without_secrets(text) {
            Some(shown) => {
                *text = shown;
                true
            }
            None => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_however_deep_and_nothing_else() {
        for (text, shown) in [
            (
                r#"{"a":[{"deviceToken":"t0p"}]}"#,
                Some(r#"{"a":[{"deviceToken":"•••"}]}"#),
            ),
            (
                r#"{"deviceSecret":{"x":"t0p"}}"#,
                Some(r#"{"deviceSecret":"•••"}"#),
            ),
            (
                r#"{"a":"{\"sign\":\"t0p\"}"}"#,
                Some(r#"{"a":"{\"sign\":\"•••\"}"}"#),
            ),
            (r#"{"password":"t0p","cut"#, Some("(holds a secret)")),
            (r#"{"a":1}"#, None),
            ("a signal by design", None),
            ("17", None),
        ] {
            assert_eq!(without_secrets(text).as_deref(), shown, "{text}");
        }
    }
}
