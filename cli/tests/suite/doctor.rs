//! `iotx doctor`: broken set-ups, each with the sentence it must get.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use iotx_platform::server::{IdentityPush, Options};
use iotx_platform::tls::ClientCert;
use serde_json::Value;

use crate::support::*;

/// The device with a secret, as options.
fn device(url: &str) -> Vec<String> {
    let secret = file("secret", &device_secret());
    [
        "--json",
        "doctor",
        "--watch-ms",
        "300",
        "--timeout",
        "15",
        "--ca",
        &in_pki("root.crt"),
        "--url",
        url,
        "--product-key",
        PRODUCT_KEY,
        "--device-name",
        DEVICE_NAME,
        "--secret-file",
        &secret,
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

/// The device with a certificate.
fn certified(url: &str, cert: &str, key: &str) -> Vec<String> {
    [
        "--json",
        "doctor",
        "--watch-ms",
        "300",
        "--timeout",
        "15",
        "--ca",
        &in_pki("root.crt"),
        "--url",
        url,
        "--scheme",
        "x509",
        "--cert",
        &in_pki(cert),
        "--key",
        &in_pki(key),
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

fn set(mut arguments: Vec<String>, option: &str, value: &str) -> Vec<String> {
    match arguments.iter().position(|argument| argument == option) {
        Some(place) => arguments[place + 1] = value.to_owned(),
        None => arguments.extend([option.to_owned(), value.to_owned()]),
    }
    arguments
}

fn run(arguments: &[String]) -> Run {
    iotx(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The findings that are bad, as (check, sentence, next step).
fn bad(run: &Run) -> Vec<(String, String, String)> {
    let text = |event: &Value, name: &str| event[name].as_str().expect("text").to_owned();
    run.of_kind("finding")
        .iter()
        .filter(|event| event["verdict"] == "bad")
        .map(|event| {
            (
                text(event, "check"),
                text(event, "text"),
                text(event, "next"),
            )
        })
        .collect()
}

/// Exactly this check is bad, its sentence holds `text`, and there is a next step.
#[track_caller]
fn one_bad(arguments: &[String], check: &str, text: &str) -> String {
    let run = run(arguments);
    let found = bad(&run);
    assert_eq!(found.len(), 1, "{}", run.all());
    assert_eq!(found[0].0, check, "{}", run.all());
    assert!(found[0].1.contains(text), "{}", run.all());
    assert!(found[0].2.ends_with('.'), "{}", run.all());
    assert_eq!(run.status, 7);
    assert_eq!(run.events().last().expect("events")["bad"], 1);
    found[0].2.clone()
}

#[test]
fn all_is_fine_over_every_transport() {
    let running = Running::start(options());
    for scheme in ["mqtt", "mqtts", "ws", "wss"] {
        let run = run(&device(&running.url(scheme)));
        assert_eq!(run.status, 0, "{scheme}: {}", run.all());
        assert_eq!(run.events().last().expect("events")["bad"], 0);
    }
    let run = run(&certified(
        &running.url("mqtts"),
        "device.crt",
        "device.key",
    ));
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(
        run.stdout.contains("a1X509Demo0/x509-device-1"),
        "{}",
        run.all()
    );
}

#[test]
fn text_for_people() {
    let running = Running::start(options());
    let mut arguments = device(&running.url("mqtts"));
    arguments.remove(0);
    let run = run(&arguments);
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(
        run.stdout.ends_with("All fine: this device connects.\n"),
        "{}",
        run.all()
    );
}

#[test]
fn names_and_secret() {
    let running = Running::start(options());
    let url = running.url("mqtts");
    for (option, value, text) in [
        ("--product-key", "a1 MZx", "character ' '"),
        ("--product-key", "a1MZxOdcBnOa1MZxOdcBnO", "22 characters"),
        ("--device-name", "abc", "3 characters"),
        ("--device-name", "example1\n", "white space"),
        ("--device-name", "ex\u{e4}mple1", "'\u{e4}'"),
        ("--device-name", "", "device name is missing"),
    ] {
        let run = run(&set(device(&url), option, value));
        let found = bad(&run);
        assert_eq!(found[0].0, "names", "{}", run.all());
        assert!(found[0].1.contains(text), "{}", run.all());
        assert_eq!(run.status, 7);
    }
    let spaced = file("spaced", &format!(" {} ", device_secret()));
    let run = run(&set(device(&url), "--secret-file", &spaced));
    assert_eq!(bad(&run)[0].0, "secret", "{}", run.all());
}

#[test]
fn options_that_cannot_be_used() {
    let running = Running::start(options());
    let url = running.url("mqtts");
    one_bad(
        &set(device(&url), "--secret-file", "/no/such/file"),
        "options",
        "cannot read",
    );
    one_bad(
        &set(device(&url), "--url", "localhost"),
        "options",
        "scheme",
    );
    one_bad(
        &set(device(&url), "--secret-file", &file("empty", "\n")),
        "options",
        "is empty",
    );
}

#[test]
fn the_keep_alive_is_out_of_range() {
    let running = Running::start(options());
    let run = run(&set(device(&running.url("mqtts")), "--keep-alive", "10"));
    let found = bad(&run);
    assert_eq!(found[0].0, "keep-alive", "{}", run.all());
    assert!(found[0].1.contains("30 to 1200 s"));
    assert_eq!((found[1].0.as_str(), run.status), ("connack", 7));
    assert!(found[1].1.contains("code 2"), "{}", run.all());
}

#[test]
fn parameters_of_a_firmware() {
    let running = Running::start(options());
    let raw = |url: &str, client_id: &str, secret: bool| {
        let mut arguments: Vec<String> = [
            "--json",
            "doctor",
            "--watch-ms",
            "300",
            "--timeout",
            "5",
            "--ca",
            &in_pki("root.crt"),
            "--url",
            url,
            "--scheme",
            "raw",
            "--client-id",
            client_id,
            "--username",
            "example1&a1MZxOdcBnO",
            "--password-file",
            &file("password", "00112233"),
        ]
        .map(ToOwned::to_owned)
        .to_vec();
        if secret {
            arguments.extend(["--secret-file".to_owned(), file("secret", &device_secret())]);
        }
        arguments
    };
    let first = |arguments: &[String]| {
        let run = run(arguments);
        assert_eq!(run.status, 7, "{}", run.all());
        bad(&run)[0].clone()
    };
    let found = first(&raw(
        &running.url("mqtts"),
        "a|securemode=3,signmethod=hmacsha1|",
        false,
    ));
    assert_eq!(found.0, "securemode");
    assert!(
        found.1.contains("does not fit TLS") && found.2.contains("securemode=2"),
        "{found:?}"
    );
    let found = first(&raw(
        &running.url("mqtt"),
        "a|securemode=2,signmethod=hmacsha1|",
        false,
    ));
    assert!(found.1.contains("does not fit plain TCP"), "{found:?}");
    let found = first(&raw(&running.url("mqtts"), "no-parameters", false));
    assert_eq!(found.0, "client id");
    let long = format!("{}|securemode=2|", "x".repeat(65));
    assert_eq!(
        first(&raw(&running.url("mqtts"), &long, false)).0,
        "client id"
    );
    let found = first(&raw(
        &running.url("mqtts"),
        "a|securemode=2,signmethod=hmacsha1|",
        true,
    ));
    assert_eq!(found.0, "signature");
    assert!(found.1.contains("not the signature"), "{found:?}");
}

#[test]
fn the_secret_is_wrong() {
    let running = Running::start(options());
    let wrong = file("wrong", "0123456789abcdef0123456789abcdef");
    let next = one_bad(
        &set(device(&running.url("mqtts")), "--secret-file", &wrong),
        "connack",
        "user name or password (code 4)",
    );
    assert!(next.contains("device secret"));
}

#[test]
fn the_device_is_unknown() {
    let running = Running::start(options());
    let next = one_bad(
        &set(device(&running.url("mqtts")), "--device-name", "nobody"),
        "connack",
        "does not let this device in (code 5)",
    );
    assert!(next.contains("Create the device"));
}

#[test]
fn every_connack_is_explained() {
    for (code, text) in [
        (1, "version of MQTT"),
        (2, "client id"),
        (3, "cannot serve"),
        (77, "unknown reason"),
    ] {
        let running = Running::with_faults(&[&format!("connack={code}")]);
        one_bad(&device(&running.url("mqtts")), "connack", text);
    }
}

#[test]
fn connect_is_not_answered() {
    let running = Running::with_faults(&["no-connack"]);
    one_bad(
        &set(device(&running.url("mqtts")), "--timeout", "4"),
        "connack",
        "does not answer CONNECT in time",
    );
    let running = Running::with_faults(&["garbage-connack"]);
    one_bad(
        &set(device(&running.url("mqtts")), "--timeout", "4"),
        "connack",
        "CONNECT",
    );
}

#[test]
fn the_connection_does_not_stay() {
    let running = Running::with_faults(&["close-after=50"]);
    let next = one_bad(
        &set(device(&running.url("mqtts")), "--watch-ms", "20000"),
        "session",
        "right after it was accepted",
    );
    assert!(next.contains("second device"));
}

#[test]
fn the_certificate_of_the_server_is_wrong() {
    for (name, text, next) in [
        ("server-expired", "expired", "clock"),
        ("server-not-yet", "not yet valid", "clock"),
        ("server-wrong-host", "not valid for host", "host name"),
        ("server-unknown-ca", "unknown CA", "--ca"),
    ] {
        let running = Running::with_server_cert(name);
        let said = one_bad(&device(&running.url("mqtts")), "tls", text);
        assert!(said.contains(next), "{name}: {said}");
    }
}

#[test]
fn the_clock_of_the_device_is_wrong() {
    let running = Running::start(options());
    let url = running.url("mqtts");
    let behind = run(&set(device(&url), "--device-time", "1970-01-01T00:00:10Z"));
    let found = bad(&behind);
    assert_eq!(found[0].0, "clock", "{}", behind.all());
    assert!(found[0].1.contains("1970-01-01"));
    assert_eq!(found[1].0, "clock and server");
    assert!(found[1].1.contains("behind"));
    one_bad(
        &set(device(&url), "--device-time", "2060-01-01T00:00:00Z"),
        "clock and server",
        "ahead",
    );
    assert_eq!(
        run(&set(device(&url), "--device-time", "yesterday")).status,
        1
    );
}

#[test]
fn the_device_certificate_is_wrong() {
    let running = Running::start(options());
    let url = running.url("mqtts");
    let first = |arguments: &[String]| {
        let run = run(arguments);
        assert_eq!(run.status, 7, "{}", run.all());
        bad(&run)[0].clone()
    };
    for (cert, key, text) in [
        ("device.key", "device.crt", "holds a private key"),
        ("device.crt", "device-2.key", "does not belong"),
        ("device.crt", "device.crt", "key file holds a certificate"),
        ("devices.json", "device.key", "not readable"),
    ] {
        let found = first(&certified(&url, cert, key));
        assert_eq!(found.0, "certificate", "{found:?}");
        assert!(found.1.contains(text), "{found:?}");
    }
    let found = first(&certified(&url, "device-expired.crt", "device-expired.key"));
    assert!(found.1.contains("expired on"), "{found:?}");
    let elliptic = set(
        certified(&url, "device-ec.crt", "device-ec.key"),
        "--scheme",
        "private-ca",
    );
    let found = first(&elliptic);
    assert!(found.1.contains("RSA"), "{found:?}");
}

#[test]
fn the_server_wants_a_certificate_that_it_knows() {
    let mut required = options();
    required.tls.client_cert = ClientCert::Require;
    let running = Running::start(required);
    let next = one_bad(
        &device(&running.url("mqtts")),
        "tls",
        "refused the handshake",
    );
    assert!(next.contains("--scheme x509"), "{next}");
    let foreign = certified(
        &running.url("mqtts"),
        "device-unknown-ca.crt",
        "device-unknown-ca.key",
    );
    let next = one_bad(&foreign, "tls", "refused the handshake");
    assert!(next.contains("registered"), "{next}");
}

#[test]
fn nobody_says_who_the_device_is() {
    let running = Running::start(Options {
        identity: IdentityPush {
            times: 0,
            ..IdentityPush::default()
        },
        ..options()
    });
    let next = one_bad(
        &certified(&running.url("mqtts"), "device.crt", "device.key"),
        "identity",
        "does not say",
    );
    assert!(next.contains("serial number"));
}

#[test]
fn the_port_is_closed() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        listener.local_addr().expect("address").port()
    };
    one_bad(
        &device(&format!("mqtts://127.0.0.1:{port}")),
        "port",
        "refuses connections",
    );
}

#[test]
fn the_port_is_filtered() {
    // A listener whose queue is full drops what comes, as a firewall does.
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("socket");
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().expect("address");
    socket.bind(&any.into()).expect("bind");
    socket.listen(0).expect("listen");
    let address = socket
        .local_addr()
        .expect("address")
        .as_socket()
        .expect("IP");
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        held.push(stream);
        assert!(held.len() < 100, "the queue fills");
    }
    one_bad(
        &device(&format!("mqtts://{address}")),
        "port",
        "does not answer",
    );
}

#[test]
fn the_name_does_not_exist() {
    // RFC 6761: resolvers answer for this name themselves.
    one_bad(
        &device("mqtts://device.invalid:1883"),
        "resolver",
        "device.invalid",
    );
}

/// Answers every connection with `answer` once something was sent.
fn scripted(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream, answer));
        }
    });
    port
}

fn serve(mut stream: TcpStream, answer: &[u8]) {
    let _ = stream.set_read_timeout(Some(SOON));
    let mut request = [0; 4096];
    if stream.read(&mut request).is_ok_and(|count| count > 0) {
        let _ = stream.write_all(answer);
    }
}

const PORTAL: &[u8] =
    b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn a_captive_portal_answers() {
    let port = scripted(PORTAL);
    let arguments = device(&format!("mqtts://127.0.0.1:{port}"));
    let next = one_bad(
        &arguments,
        "captive portal",
        "302 Found, to http://login.example/",
    );
    assert!(next.contains("--proxy"));
}

#[test]
fn the_proxy_refuses() {
    let running = Running::start(options());
    let port = scripted(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    let proxy = format!("http://127.0.0.1:{port}");
    one_bad(
        &set(device(&running.url("mqtts")), "--proxy", &proxy),
        "proxy",
        "407",
    );
    one_bad(
        &set(device(&running.url("mqtts")), "--proxy", "127.0.0.1"),
        "options",
        "scheme",
    );
}

#[test]
fn the_port_speaks_something_else() {
    let running = Running::start(options());
    let tls_alone = format!("mqtt://localhost:{}", running.port("mqtts"));
    let next = one_bad(&device(&tls_alone), "connack", "not MQTT");
    assert!(next.contains("mqtts://"));
    let tcp_alone = format!("mqtts://localhost:{}", running.port("mqtt"));
    let next = one_bad(&device(&tcp_alone), "tls", "TLS does not come about");
    assert!(next.contains("speaks TLS"));
    let wrong_path = format!("{}/wrong", running.url("wss"));
    let next = one_bad(&device(&wrong_path), "websocket", "WebSocket");
    assert!(next.contains("path"));
}

#[test]
fn a_network_that_wants_a_proxy_is_noted() {
    let running = Running::start(options());
    let arguments = device(&running.url("mqtts"));
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let child = spawn(command(&texts).env("https_proxy", "http://127.0.0.1:1"));
    let run = ended(child);
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(run.stdout.contains("https_proxy is set"), "{}", run.all());
}
