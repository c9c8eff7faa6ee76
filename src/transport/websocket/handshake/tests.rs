use super::*;
use crate::transport::http::Head;

/// The key of RFC 6455 §1.3, and its answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn key() -> Key {
    Key::new(*b"the sample nonce")
}

fn request(websocket: &WebSocket, host: &str, port: u16) -> String {
    let bytes = websocket.request(host, port, &key());
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn the_sample_of_the_standard() {
    assert_eq!(key().text(), KEY);
    assert_eq!(key().accept(), ACCEPT.as_bytes());
}

#[test]
fn requests_say_what_they_must() {
    let websocket =
        WebSocket::new("/a?b=c", "X-One: 1\r\nAuthorization:\tBearer t\n\n").expect("fine");
    let want = format!(
        "GET /a?b=c HTTP/1.1\r\nHost: broker:443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\
         X-One: 1\r\nAuthorization: Bearer t\r\n\r\n"
    );
    assert_eq!(request(&websocket, "broker", 443), want);
    let plain = WebSocket::new(DEFAULT_PATH, "").expect("fine");
    let text = request(&plain, "::1", 80);
    assert!(
        text.starts_with("GET /mqtt HTTP/1.1\r\nHost: [::1]:80\r\n"),
        "{text}"
    );
    assert!(text.ends_with("Version: 13\r\n\r\n"), "{text}");
    assert!(!format!("{websocket:?}").contains("Bearer"));
}

#[test]
fn nothing_else_gets_into_a_request() {
    for path in [
        "",
        "mqtt",
        "/a b",
        "/a\r\nX: y",
        "/\u{e4}",
        "/a#b",
        "/\u{7f}",
    ] {
        assert!(WebSocket::new(path, "").is_err(), "{path:?}");
    }
    let long = format!("X: {}", "a".repeat(HEADERS_MAX));
    for (headers, text) in [
        ("no colon", "without a colon"),
        (": x", "a name that is none"),
        ("A B: x", "a name that is none"),
        (" X: y", "a name that is none"),
        ("Host: x", "sets itself"),
        ("UPGRADE: x", "sets itself"),
        ("Sec-WebSocket-Protocol: x", "sets itself"),
        ("Content-Length: 5", "sets itself"),
        ("X: a\u{1}b", "control character"),
        ("X: a\rHost: b", "control character"),
        (&long, "longer than 4096"),
    ] {
        let error = WebSocket::new("/", headers).expect_err(headers);
        assert!(error.contains(text), "{headers}: {error}");
    }
}

fn answer(text: &str) -> Result<(), Refusal> {
    let found = Head::default().push(text.as_bytes());
    let (answer, _) = found.expect("HTTP").expect("complete");
    check(&answer, &key())
}

#[test]
fn only_the_right_answer_will_do() {
    let lines = [
        "Upgrade: websocket",
        "Connection: upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: mqtt",
    ];
    let with = |lines: &[&str]| {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        answer(&format!("HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n"))
    };
    assert_eq!(with(&lines), Ok(()));
    for (index, text) in [
        (0, "answer without Upgrade: websocket"),
        (1, "answer without Connection: Upgrade"),
        (2, "answer without Sec-WebSocket-Accept"),
        (3, "server does not agree to the sub-protocol mqtt"),
    ] {
        let mut fewer = lines.to_vec();
        fewer.remove(index);
        let refusal = with(&fewer).expect_err(text);
        assert_eq!((refusal.text.as_str(), refusal.passing), (text, false));
    }
    for (more, text) in [
        (
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "wrong Sec-WebSocket-Accept",
        ),
        ("Sec-WebSocket-Protocol: mqtt", "another sub-protocol"),
        (
            "Sec-WebSocket-Extensions: permessage-deflate",
            "an extension nobody asked for",
        ),
    ] {
        let mut lines = lines.to_vec();
        lines.push(more);
        assert!(with(&lines).expect_err(text).text.contains(text));
    }
    for (index, instead, text) in [
        (
            2,
            "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "wrong Sec-WebSocket-Accept",
        ),
        (
            3,
            "Sec-WebSocket-Protocol: mqttv3.1",
            "another sub-protocol",
        ),
        (0, "Upgrade: h2c", "without Upgrade"),
    ] {
        let mut lines = lines.to_vec();
        lines[index] = instead;
        assert!(with(&lines).expect_err(text).text.contains(text));
    }
}

#[test]
fn other_statuses_are_named() {
    for (status, passing) in [
        (403, false),
        (301, false),
        (429, true),
        (503, true),
        (200, true),
    ] {
        let refusal = answer(&format!("HTTP/1.1 {status} x\r\n\r\n")).expect_err("no 101");
        assert!(
            refusal.text.starts_with(&format!("status {status}")),
            "{refusal:?}"
        );
        assert_eq!(refusal.passing, passing, "{status}");
    }
}
