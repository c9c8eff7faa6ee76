//! The control port.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use iotx_platform::server::Options;
use serde_json::{Value, json};

use crate::support::*;

const GET: &str = "/a1MZxOdcBnO/example1/user/get";

struct Port(BufReader<TcpStream>);

impl Port {
    fn open(running: &Running) -> Self {
        Self(BufReader::new(dial(
            running.addresses.control.expect("control port"),
        )))
    }

    fn line(&mut self, line: &str) -> Value {
        self.0
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .expect("send");
        let mut answer = String::new();
        self.0.read_line(&mut answer).expect("answer");
        serde_json::from_str(&answer).expect("one JSON object")
    }

    fn ask(&mut self, command: Value) -> Value {
        self.line(&command.to_string())
    }
}

fn start() -> Running {
    Running::start(Options {
        control: Some("127.0.0.1:0".into()),
        ..options()
    })
}

#[test]
fn devices_publish_raw_kick_and_drop() {
    let running = start();
    let mut port = Port::open(&running);
    assert_eq!(
        port.ask(json!({"cmd": "devices"})),
        json!({"ok": true, "devices": []})
    );
    let mut client = running.device(true);
    assert_eq!(client.subscribe(1, &[(GET, 1)]), [1]);
    let devices = port.ask(json!({"cmd": "devices"}));
    let device = &devices["devices"][0];
    assert_eq!(device["device"], SECRET_DEVICE);
    assert_eq!(device["client_id"], "c");
    assert_eq!(
        (&device["keepalive"], &device["clean"]),
        (&json!(60), &json!(true))
    );
    assert_eq!(device["subscriptions"], json!([{"filter": GET, "qos": 1}]));

    let publish = |extra: Value| {
        let mut command = json!({"cmd": "publish", "topic": GET});
        command
            .as_object_mut()
            .expect("object")
            .extend(extra.as_object().expect("object").clone());
        command
    };
    assert_eq!(
        port.ask(publish(
            json!({"payload": "é", "qos": 1, "retain": true, "dup": true})
        ))["delivered"],
        1
    );
    assert_eq!(client.publish(), (0x0B, GET.into(), 1, "é".into()));
    port.ask(publish(json!({"payload_hex": "00ff"})));
    assert_eq!(client.publish().3, [0, 255]);
    port.ask(publish(json!({"payload_size": 20_000})));
    assert_eq!(client.publish().3.len(), 20_000);
    port.ask(json!({"cmd": "publish", "topic": "/any/topic", "payload": "p", "to": SECRET_DEVICE}));
    assert_eq!(client.publish().1, "/any/topic");
    assert_eq!(
        port.ask(json!({"cmd": "raw", "to": "*", "hex": "D000"}))["sent"],
        1
    );
    assert_eq!(client.packet(), (0xD0, vec![]));

    assert_eq!(
        port.ask(json!({"cmd": "kick", "device": SECRET_DEVICE}))["ok"],
        true
    );
    assert_eq!(client.end(), Ended::Clean);
    let mut client = running.device(true);
    assert_eq!(
        port.ask(json!({"cmd": "drop", "device": SECRET_DEVICE, "rst": true}))["ok"],
        true
    );
    assert_eq!(client.end(), Ended::Reset);
    let mut client = running.device(true);
    assert_eq!(
        port.ask(json!({"cmd": "drop", "device": SECRET_DEVICE}))["ok"],
        true
    );
    assert_eq!(client.end(), Ended::Clean);
}

#[test]
fn drop_over_tls_sends_no_close_notify_and_kick_does() {
    let running = Running::start(tls_options());
    for (command, expected) in [("drop", Ended::NoCloseNotify), ("kick", Ended::Clean)] {
        let mut client = TlsClient::device()
            .dial(running.addresses.tls.expect("TLS"))
            .expect("handshake");
        assert_eq!(client.connect(&x509_connect(true)), (false, 0));
        client.publish();
        running.control(json!({"cmd": command, "device": CERT_DEVICE}));
        assert_eq!(client.end(), expected, "{command}");
    }
}

#[test]
fn faults_events_and_the_server_certificate() {
    let running = start();
    let mut port = Port::open(&running);
    assert_eq!(
        port.ask(json!({"cmd": "fault", "spec": "no-connack:1"}))["active"],
        json!(["no-connack:1"])
    );
    assert_eq!(port.ask(json!({"cmd": "clear"})), json!({"ok": true}));
    running.device(true).ping();
    let answer = port.ask(json!({"cmd": "events", "since": 0}));
    let events = answer["events"].as_array().expect("events");
    assert_eq!(events[0]["event"], "started");
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["n"], index);
        assert!(event["t"].as_u64() > Some(1_600_000_000_000));
    }
    let next = answer["next"].as_u64().expect("next");
    let later = port.ask(json!({"cmd": "events", "since": next - 1}));
    assert_eq!(later["events"][0]["n"], next - 1);

    let tls = Running::start(tls_options());
    let address = tls.addresses.tls.expect("TLS");
    assert!(TlsClient::default().dial(address).is_ok());
    tls.control(json!({"cmd": "server-cert", "name": "server-expired"}));
    assert!(TlsClient::default().dial(address).is_err());
}

#[test]
fn mistakes_are_answered_with_a_sentence() {
    let running = start();
    let mut port = Port::open(&running);
    for (line, part) in [
        ("", "not a JSON object"),
        ("{", "not a JSON object"),
        ("{}", "no \"cmd\""),
        (r#"{"cmd":"dance"}"#, "unknown command"),
        (
            r#"{"cmd":"kick","device":"a1MZxOdcBnO/example1"}"#,
            "not on-line",
        ),
        (
            r#"{"cmd":"kick","device":"x"}"#,
            "not productKey/deviceName",
        ),
        (r#"{"cmd":"kick"}"#, "\"device\" must be"),
        (r#"{"cmd":"raw","to":"*","hex":"0"}"#, "hexadecimal"),
        (r#"{"cmd":"publish"}"#, "\"topic\""),
        (r#"{"cmd":"publish","topic":"/a/#"}"#, "wildcard"),
        (r#"{"cmd":"publish","topic":"/a","qos":2}"#, "\"qos\""),
        (
            r#"{"cmd":"publish","topic":"/a","payload":"a","payload_hex":"00"}"#,
            "give one of",
        ),
        (r#"{"cmd":"publish","topic":"/a","to":"a/b"}"#, "no session"),
        (r#"{"cmd":"fault","spec":"x"}"#, "unknown fault"),
        (r#"{"cmd":"identity","device":"a/b"}"#, "not on-line"),
        (
            r#"{"cmd":"server-cert","name":"server"}"#,
            "no TLS listener",
        ),
    ] {
        let answer = port.line(line);
        assert_eq!(answer["ok"], false, "{line}");
        assert!(
            answer["error"]
                .as_str()
                .is_some_and(|error| error.contains(part)),
            "{line}: {answer}"
        );
    }
    assert_eq!(port.ask(json!({"cmd": "devices"}))["ok"], true);
}
