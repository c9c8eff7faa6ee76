//! The HTTP proxy, seen by a client that works on bytes and by curl.

use std::process::Command;

use iotx_platform::proxy::{Credentials, ProxyOptions};
use iotx_platform::server::Options;

use crate::support::*;

fn start(map: &[&str], credentials: Option<&str>, faults: &[&str]) -> Running {
    Running::start(Options {
        listen_tls: Some("127.0.0.1:0".into()),
        listen_wss: Some("127.0.0.1:0".into()),
        proxy: ProxyOptions {
            listen: Some("127.0.0.1:0".into()),
            credentials: credentials.map(|text| Credentials::new(text).expect("credentials")),
            map: map
                .iter()
                .map(|line| line.parse().expect("a line"))
                .collect(),
        },
        faults: faults.iter().map(ToString::to_string).collect(),
        ..options()
    })
}

fn dial_proxy(running: &Running) -> Client {
    let socket = dial(running.addresses.proxy.expect("proxy"));
    Client::new(Stream::Tcp(socket))
}

/// Sends the request and gives the head of the answer.
fn ask(client: &mut Client, request: &str) -> String {
    client.send(request.as_bytes());
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.extend(client.take(1));
    }
    String::from_utf8(text).expect("text")
}

fn request(target: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
}

#[test]
fn a_device_through_the_proxy_by_address_and_by_name() {
    let running = start(&["iot.example.com:443=tcp", "*:1883=tcp"], None, &[]);
    let tcp = running.addresses.tcp.expect("TCP");
    for target in [
        format!("127.0.0.1:{}", tcp.port()),
        "IOT.example.com:443".to_owned(),
        "[2001:db8::1]:1883".to_owned(),
    ] {
        let mut client = dial_proxy(&running);
        let head = ask(&mut client, &request(&target));
        assert!(head.starts_with("HTTP/1.1 200 "), "{target}: {head}");
        assert_eq!(
            client.connect(&secret_connect("example1", 60, true)),
            (false, 0)
        );
        let event = running.event("proxy", |event| event["target"] == target);
        assert_eq!(
            (&event["ok"], &event["to"]),
            (&true.into(), &tcp.to_string().into())
        );
        // The listener sees the proxy's side.
        running.event("accepted", |accepted| accepted["peer"] == event["from"]);
        running.control(serde_json::json!({"cmd": "kick", "device": SECRET_DEVICE}));
        assert_eq!(client.end(), Ended::Clean);
    }
    drop(running);
    // What is sent together with the request arrives, too; a reset travels through.
    let running = start(&["a:1=tcp"], None, &["reset-after-connack"]);
    let mut client = dial_proxy(&running);
    let mut bytes = request("a:1").into_bytes();
    bytes.extend(secret_connect("example1", 60, true));
    client.send(&bytes);
    assert!(ask(&mut client, "").starts_with("HTTP/1.1 200 "));
    running.event("proxy_closed", |event| event["up"].as_u64() > Some(50));
}

#[test]
fn other_places_and_other_requests_are_refused() {
    let running = start(&["shut:1=127.0.0.1:1"], None, &[]);
    let control = "127.0.0.1:1"; // Not a listener of the platform.
    for (request, status) in [
        (request("www.example.com:443"), 403),
        (request(control), 403),
        (request("shut:1"), 502),
        (request("nothing"), 400),
        (request("a:99999"), 400),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
    ] {
        let mut client = dial_proxy(&running);
        let head = ask(&mut client, &request);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {head}"
        );
        assert_eq!(client.end(), Ended::Clean);
        running.event("proxy", |event| {
            event["ok"] == false && event["status"] == status
        });
    }
    assert_eq!(running.count("accepted"), 0);
}

#[test]
fn credentials_are_asked_for() {
    let running = start(&["a:1=tcp"], Some("Aladdin:open sesame"), &[]);
    let with = |credentials: &str| {
        format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: {credentials}\r\n\r\n")
    };
    for request in [
        request("a:1"),
        with("Basic QWxhZGRpbjp3cm9uZw=="),
        with("nonsense"),
    ] {
        let head = ask(&mut dial_proxy(&running), &request);
        assert!(head.starts_with("HTTP/1.1 407 ") && head.contains("Proxy-Authenticate: Basic "));
    }
    let head = ask(
        &mut dial_proxy(&running),
        &with("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    );
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let (events, _) = running.platform.events.since(0);
    let log = serde_json::to_string(&events).expect("JSON");
    assert!(!log.contains("sesame") && !log.contains("QWxhZGRpbjpvcGVuIHNlc2FtZQ"));
}

#[test]
fn faults_of_the_proxy() {
    let running = start(&["a:1=tcp"], None, &["proxy-status=502"]);
    assert!(ask(&mut dial_proxy(&running), &request("a:1")).starts_with("HTTP/1.1 502 "));
    let running = start(&["a:1=tcp"], None, &["proxy-headers=9000"]);
    let head = ask(&mut dial_proxy(&running), &request("a:1"));
    assert!(head.starts_with("HTTP/1.1 200 ") && head.len() > 9000);
    let running = start(&["a:1=tcp"], None, &["proxy-close"]);
    let mut client = dial_proxy(&running);
    client.send(request("a:1").as_bytes());
    assert_eq!(client.end(), Ended::Clean);
    let running = start(&["a:1=tcp"], None, &["proxy-garbage"]);
    let mut client = dial_proxy(&running);
    client.send(request("a:1").as_bytes());
    assert_eq!(client.take(16)[0], 0xFF);
    assert_eq!(client.end(), Ended::Clean);
    let running = start(&["a:1=tcp"], None, &["proxy-stall"]);
    let mut client = dial_proxy(&running);
    client.send(request("a:1").as_bytes());
    client.silent_for(std::time::Duration::from_millis(300));
    running.event("fault", |event| event["fault"] == "proxy-stall");
}

/// TLS and HTTP of a client that nobody here wrote, through the tunnel to the WebSocket listener.
#[test]
fn curl_goes_through_to_a_mapped_name() {
    let name = "x509.itls.cn-shanghai.aliyuncs.com";
    let running = start(&[&format!("{name}:443=wss")], Some("user:secret word"), &[]);
    let proxy = running.addresses.proxy.expect("proxy");
    let curl = |credentials: &str, path: &str| {
        let output = Command::new("curl")
            .args(["--silent", "--http1.1", "--max-time", "5", "--output", "-"])
            .args([
                "--proxy-user",
                credentials,
                "--proxy",
                &format!("http://{proxy}"),
            ])
            .args([
                "--write-out",
                "%{http_connect} %{http_code} %{ssl_verify_result}",
            ])
            .args([
                "--header",
                "Connection: Upgrade",
                "--header",
                "Upgrade: websocket",
            ])
            .args(["--header", "Sec-WebSocket-Version: 13"])
            .args(["--header", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
            .args(["--header", "Sec-WebSocket-Protocol: chat"])
            .arg("--cacert")
            .arg(pki().join("root.crt"))
            .arg(format!("https://{name}{path}"))
            .output()
            .expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(curl("user:secret word", "/elsewhere"), "200 404 0");
    assert_eq!(curl("user:secret word", "/mqtt"), "200 400 0");
    assert!(curl("user:wrong", "/mqtt").starts_with("407 000"));
    running.event("proxy", |event| event["with_credentials"] == true);
    assert_eq!(
        running.event("tls", |event| event["ok"] == true)["sni"],
        name
    );
}
