//! The page for people, by the bytes of its requests.

use serde_json::json;

use crate::support::*;

fn start() -> Running {
    let mut options = options();
    options.page = Some("127.0.0.1:0".into());
    Running::start(options)
}

fn client(running: &Running) -> Client {
    Client::new(Stream::Tcp(dial(running.addresses.page.expect("page"))))
}

/// Head and body of the answer.
fn ask(running: &Running, request: &str) -> (String, String) {
    let host = running.addresses.page.expect("page").to_string();
    let mut client = client(running);
    client.send(request.replace("{host}", &host).as_bytes());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head += &String::from_utf8(client.take(1)).expect("text");
    }
    let length = head.split("Content-Length: ").nth(1).expect("length");
    let length = length
        .split("\r\n")
        .next()
        .expect("line")
        .parse()
        .expect("number");
    let body = String::from_utf8(client.take(length)).expect("text");
    assert_eq!(client.end(), Ended::Clean);
    (head, body)
}

fn status(answer: &(String, String)) -> &str {
    &answer.0[9..12]
}

fn post(fields: &str, body: &str) -> String {
    format!(
        "POST /command HTTP/1.1\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let running = start();
    let answer = ask(&running, "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(status(&answer), "200");
    assert!(
        answer
            .0
            .contains("Content-Security-Policy: default-src 'none'")
    );
    assert!(!answer.1.contains("http:") && !answer.1.contains("https:"));
}

#[test]
fn commands_come_from_the_page_itself_only() {
    let running = start();
    let kick = r#"{"cmd":"fault","spec":"no-puback"}"#;
    let json = "Content-Type: application/json\r\n";
    let own = format!("Host: {{host}}\r\nOrigin: http://{{host}}\r\n{json}");
    for (fields, body, expected) in [
        (format!("Host: {{host}}\r\n{json}"), kick, "403"),
        (
            format!("Host: {{host}}\r\nOrigin: null\r\n{json}"),
            kick,
            "403",
        ),
        (
            format!("Host: {{host}}\r\nOrigin: http://evil.example\r\n{json}"),
            kick,
            "403",
        ),
        // A name that was made to resolve to this machine.
        (
            format!("Host: evil.example\r\nOrigin: http://evil.example\r\n{json}"),
            kick,
            "403",
        ),
        (own.replace("application/json", "text/plain"), kick, "415"),
        (own.clone(), r#"{"cmd":"stop"}"#, "403"),
        (own.clone(), "nonsense", "400"),
        (own.clone(), kick, "200"),
    ] {
        let before = running.platform.faults.active();
        assert_eq!(
            status(&ask(&running, &post(&fields, body))),
            expected,
            "{fields} {body}"
        );
        let changed = running.platform.faults.active() != before;
        assert_eq!(changed, expected == "200", "{fields} {body}");
    }
    for request in [
        "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /state HTTP/1.1\r\n\r\n",
        "GET /events HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    ] {
        assert_eq!(status(&ask(&running, request)), "403", "{request}");
    }
    assert_eq!(
        status(&ask(&running, "GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n")),
        "404"
    );
    assert_eq!(
        status(&ask(&running, "PUT / HTTP/1.1\r\nHost: {host}\r\n\r\n")),
        "405"
    );
}

#[test]
fn only_loopback_addresses_are_taken() {
    let mut options = options();
    options.page = Some("0.0.0.0:0".into());
    let refused = iotx_platform::server::Platform::start(options).err();
    assert!(refused.expect("refused").contains("loopback"));
}

#[test]
fn events_are_live_and_without_secrets() {
    let running = start();
    let host = running.addresses.page.expect("page").to_string();
    let mut page = client(&running);
    page.send(format!("GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    let mut device = running.device(true);
    let topic = "/a1MZxOdcBnO/example1/user/update";
    let payload =
        json!({"list": [{"deviceSecret": "s3cr3t-value"}], "seen": "plainly"}).to_string();
    device.send(&publish(topic, payload.as_bytes(), 1, 7));
    let mut told = String::new();
    while !told.contains("plainly") {
        told.push(char::from(page.take(1)[0]));
    }
    assert!(told.contains("event: state") && told.contains("event: log"));
    assert!(!told.contains("s3cr3t-value"), "{told}");
}
