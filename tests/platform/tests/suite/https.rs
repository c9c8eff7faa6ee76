//! Dynamic registration over HTTPS, with a client that speaks bytes.

use std::io::Read;

use iotx_platform::registration::Codes;
use serde_json::{Value, json};

use crate::support::*;

const SECRET: &str = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";

fn start(once: bool) -> Running {
    let mut options = options();
    options.registration.listen_https = Some("127.0.0.1:0".into());
    options.registration.once = once;
    options.registration.codes = Codes::new(&["active=7777".into()]).expect("codes");
    Running::start(options)
}

/// All bytes that come back for these.
fn exchange(running: &Running, request: &str) -> String {
    let mut client = TlsClient::default()
        .dial(running.addresses.https.expect("HTTPS"))
        .expect("handshake");
    client.send(request.as_bytes());
    let mut bytes = Vec::new();
    let Stream::Tls(stream) = &mut client.stream else {
        panic!("TLS expected")
    };
    stream.read_to_end(&mut bytes).expect("whole answer");
    String::from_utf8(bytes).expect("text")
}

fn post(body: &str) -> String {
    format!(
        "POST /auth/register/device HTTP/1.1\r\nHost: localhost\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn form(product_key: &str, device_name: &str) -> String {
    let content = format!("deviceName{device_name}productKey{product_key}randomr4nd0m");
    let sign = sha256("AbCdEfGhIjKlMnOp", &content);
    format!(
        "productKey={product_key}&deviceName={device_name}&random=r4nd0m&sign={sign}&signMethod=hmacsha256"
    )
}

fn good() -> String {
    post(&form("a1MZxOdcBnO", "example1"))
}

/// Status and JSON body.
fn answer(running: &Running, request: &str) -> (u16, Value) {
    let text = exchange(running, request);
    let (head, body) = text.split_once("\r\n\r\n").expect("head");
    let status = head[9..12].parse().expect("status");
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{head}"
    );
    (status, serde_json::from_str(body).expect("JSON"))
}

#[test]
fn a_created_device_gets_its_secret_and_the_log_does_not() {
    let running = start(false);
    let (status, body) = answer(&running, &good());
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({"code": 200, "message": "success", "data": {
            "productKey": "a1MZxOdcBnO", "deviceName": "example1", "deviceSecret": SECRET,
        }})
    );
    running.event("registration", |event| event["accepted"] == true);
    let log = serde_json::to_string(&running.platform.events.since(0).0).expect("log");
    assert!(!log.contains(SECRET), "the secret in the log");
}

#[test]
fn every_refusal_has_its_code() {
    let running = start(true);
    let code = |body: &str| answer(&running, &post(body)).1["code"].as_u64();
    let right = form("a1MZxOdcBnO", "example1");
    assert_eq!(code(&form("a1Nothing00", "example1")), Some(5005));
    assert_eq!(code(&form("a1MZxOdcBnO", "nobody")), Some(6100));
    assert_eq!(code(&right.replace("r4nd0m", "r4nd0n")), Some(6600));
    assert_eq!(code(&right.replace("sign=", "sgin=")), Some(460));
    assert_eq!(code(&right.replace("hmacsha256", "hmacsha3")), Some(460));
    assert_eq!(code(&format!("{right}&random=again")), Some(460));
    assert_eq!(code(""), Some(460));
    assert_eq!(code(&right), Some(200));
    assert_eq!(code(&right), Some(7777));
    running.control(json!({"cmd": "reset-device", "device": SECRET_DEVICE}));
    assert_eq!(code(&right), Some(200));
}

#[test]
fn requests_that_are_none_of_a_registration() {
    let running = start(false);
    for (request, status) in [
        (good().replace("POST", "PUT"), 405),
        (good().replace("/auth/", "/other/"), 404),
        (good().replace("x-www-form-urlencoded", "json"), 415),
        (good().replace("Content-Length", "Content-Size"), 411),
        (good().replace("Content-Length: ", "Content-Length: -"), 400),
        (good().replace("Content-Length: ", "Content-Length: 9"), 413),
        ("nonsense\r\n\r\n".to_owned(), 400),
    ] {
        assert_eq!(answer(&running, &request).0, status, "{request}");
    }
}

#[test]
fn wrong_answers_on_request() {
    let running = start(false);
    let with = |spec: &str| {
        running.control(json!({"cmd": "fault", "spec": format!("{spec}:1")}));
        exchange(&running, &good())
    };
    let json = |text: &str| {
        serde_json::from_str::<Value>(text.split_once("\r\n\r\n").expect("head").1).expect("JSON")
    };
    assert!(with("http-status=503").starts_with("HTTP/1.1 503 "));
    let redirect = with("http-redirect");
    assert!(redirect.starts_with("HTTP/1.1 302 ") && redirect.contains("\r\nLocation: https://"));
    assert_eq!(json(&with("http-code=6288"))["code"], 6288);
    assert_eq!(
        json(&with("http-other-device"))["data"]["deviceName"],
        "another-device"
    );
    assert!(json(&with("http-wrong-type"))["data"]["deviceSecret"].is_number());
    let long = json(&with("http-secret=65"));
    assert_eq!(
        long["data"]["deviceSecret"].as_str().map(str::len),
        Some(65)
    );
    assert!(with("http-huge").len() > 1 << 20);
    let bare = with("http-no-length");
    assert!(!bare.contains("Content-Length") && !bare.contains("Transfer-Encoding"));
    assert_eq!(json(&bare)["data"]["deviceSecret"], SECRET);
    let cut = with("http-truncate");
    let (head, body) = cut.split_once("\r\n\r\n").expect("head");
    assert!(!head.contains(&format!("Content-Length: {}\r", body.len())));
    let chunked = with("http-chunked");
    assert!(chunked.contains("chunked") && chunked.ends_with("0\r\nX-End: 1\r\n\r\n"));
    let whole: String = chunked
        .split("\r\n\r\n")
        .nth(1)
        .expect("body")
        .split("\r\n")
        .skip(1)
        .step_by(2)
        .collect();
    assert!(whole.contains("\"code\":200") && whole.contains(SECRET));
    assert!(running.platform.faults.active().is_empty());
}

#[test]
fn silence_and_a_body_without_end() {
    let running = start(false);
    let dial = || {
        let mut client = TlsClient::default()
            .dial(running.addresses.https.expect("HTTPS"))
            .expect("handshake");
        client.send(good().as_bytes());
        client
    };
    running.control(json!({"cmd": "fault", "spec": "http-stall:1"}));
    dial().silent_for(std::time::Duration::from_millis(300));
    running.control(json!({"cmd": "fault", "spec": "http-endless:1"}));
    assert_eq!(dial().take(100_000).len(), 100_000);
}
