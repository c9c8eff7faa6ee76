//! The identity push to devices with a certificate.

use std::time::{Duration, Instant};

use iotx_platform::server::{IDENTITY_TOPIC, IdentityPush, Options};
use serde_json::json;

use crate::support::*;

const PAYLOAD: &str = r#"{"productKey":"a1X509Demo0","deviceName":"x509-device-1"}"#;

fn start(identity: IdentityPush) -> Running {
    Running::start(Options {
        identity,
        listen_tcp: Some("127.0.0.1:0".into()),
        ..tls_options()
    })
}

fn device(running: &Running) -> Client {
    let mut client = TlsClient::device()
        .dial(running.addresses.tls.expect("TLS"))
        .expect("handshake");
    assert_eq!(client.connect(&x509_connect(true)), (false, 0));
    client
}

#[test]
fn right_after_connack_without_a_subscription() {
    let running = start(IdentityPush::default());
    let mut client = device(&running);
    assert_eq!(
        client.publish(),
        (2, IDENTITY_TOPIC.into(), 1, PAYLOAD.into())
    );
    client.send(&puback(1));
    running.event("puback", |event| event["known"] == true);
    let event = running.event("identity", |_| true);
    assert_eq!(
        (&event["device"], &event["payload"]),
        (&json!(CERT_DEVICE), &json!(PAYLOAD))
    );
    // Again at the next connection, although the first push was acknowledged.
    let mut again = device(&running);
    assert_eq!(again.publish().1, IDENTITY_TOPIC);
}

#[test]
fn not_for_devices_with_a_secret() {
    let running = start(IdentityPush::default());
    running.device(true).ping();
    assert_eq!(running.count("identity"), 0);
}

#[test]
fn options_change_number_qos_payload_and_time() {
    let push = IdentityPush {
        times: 3,
        qos: 0,
        payload: Some("not json".into()),
        ..IdentityPush::default()
    };
    let running = start(push);
    let mut client = device(&running);
    for _ in 0..3 {
        assert_eq!(
            client.publish(),
            (0, IDENTITY_TOPIC.into(), 0, b"not json".to_vec())
        );
    }
    let running = start(IdentityPush {
        times: 0,
        ..IdentityPush::default()
    });
    device(&running).ping();
    let running = start(IdentityPush {
        delay: Duration::from_millis(300),
        times: 2,
        ..IdentityPush::default()
    });
    let since = Instant::now();
    let mut client = device(&running);
    assert_eq!(client.publish().3, PAYLOAD.as_bytes());
    assert!(since.elapsed() >= Duration::from_millis(300));
    assert_eq!(client.publish().2, 2);
    assert!(since.elapsed() >= Duration::from_millis(600));
}

#[test]
fn an_unacknowledged_identity_is_not_sent_twice_to_a_persistent_session() {
    let running = start(IdentityPush::default());
    let address = running.addresses.tls.expect("TLS");
    for present in [false, true] {
        let mut client = TlsClient::device().dial(address).expect("handshake");
        assert_eq!(client.connect(&x509_connect(false)), (present, 0));
        assert_eq!(client.publish().0, 2);
        client.ping();
    }
}

#[test]
fn on_request_by_the_control_port() {
    let running = start(IdentityPush {
        times: 0,
        ..IdentityPush::default()
    });
    let mut client = device(&running);
    running.control(json!({"cmd": "identity", "device": CERT_DEVICE}));
    assert_eq!(
        client.publish(),
        (2, IDENTITY_TOPIC.into(), 1, PAYLOAD.into())
    );
    running.control(json!({"cmd": "identity", "device": CERT_DEVICE, "payload": {"productKey": "x"}, "qos": 0, "retain": true}));
    assert_eq!(
        client.publish(),
        (
            1,
            IDENTITY_TOPIC.into(),
            0,
            br#"{"productKey":"x"}"#.to_vec()
        )
    );
}

#[test]
fn the_registry_may_override_the_payload() {
    let folder = scratch("identity");
    let registry = folder.join("devices.json");
    let mut content: serde_json::Value =
        serde_json::from_slice(&std::fs::read(pki().join("devices.json")).expect("registry"))
            .expect("JSON");
    content["devices"][0]["identity"] = json!({"deviceName": 7});
    std::fs::write(&registry, content.to_string()).expect("registry");
    let running = Running::start(Options {
        devices: Some(registry),
        ..tls_options()
    });
    assert_eq!(device(&running).publish().3, br#"{"deviceName":7}"#);
}
