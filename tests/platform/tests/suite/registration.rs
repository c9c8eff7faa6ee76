//! Dynamic registration over MQTT.

use iotx_platform::server::Options;
use serde_json::{Value, json};

use crate::support::*;

fn start() -> Running {
    Running::start(Options {
        listen_tcp: Some("127.0.0.1:0".into()),
        ..tls_options()
    })
}

fn dial(running: &Running) -> Client {
    TlsClient::default()
        .dial(running.addresses.tls.expect("TLS"))
        .expect("handshake")
}

/// The answer of the platform to a registration, after CONNACK 0.
fn register(client: &mut Client, client_id: &str, device_name: &str) -> Value {
    let content = format!("deviceName{device_name}productKeya1MZxOdcBnOrandom01AB");
    let password = sha256("AbCdEfGhIjKlMnOp", &content);
    let packet = connect(
        client_id,
        &format!("{device_name}&a1MZxOdcBnO"),
        &password,
        0,
        true,
    );
    assert_eq!(client.connect(&packet), (false, 0));
    let (flags, topic, _, payload) = client.publish();
    assert_eq!((flags, topic.as_str()), (2, "/ext/register"));
    serde_json::from_slice(&payload).expect("JSON")
}

#[test]
fn a_created_device_gets_its_secret_once_and_stays_unlogged() {
    let running = start();
    let id =
        "a1MZxOdcBnO.example1|authType=register,random=01AB,signmethod=hmacsha256,securemode=2|";
    let mut client = dial(&running);
    let secret = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";
    assert_eq!(
        register(&mut client, id, "example1"),
        json!({"productKey": "a1MZxOdcBnO", "deviceName": "example1", "deviceSecret": secret})
    );
    client.send(&puback(1));
    client.send(&[0xE0, 0]);
    assert_eq!(client.end(), Ended::Clean);
    let log = serde_json::to_string(&running.platform.events.since(0).0).expect("log");
    assert!(!log.contains(secret), "the secret in the log");
}

#[test]
fn registrations_that_are_refused() {
    let running = start();
    let id = "c|authType=register,random=01AB,signmethod=hmacsha256,securemode=2|";
    let good = sha256(
        "AbCdEfGhIjKlMnOp",
        "deviceNameexample1productKeya1MZxOdcBnOrandom01AB",
    );
    let unknown = sha256(
        "AbCdEfGhIjKlMnOp",
        "deviceNamenobodyproductKeya1MZxOdcBnOrandom01AB",
    );
    for (client_id, username, password, code) in [
        (id, "example1&a1MZxOdcBnO", "00", 4),
        (id, "example1&other", good.as_str(), 4),
        (id, "nobody&a1MZxOdcBnO", unknown.as_str(), 4),
        (
            "c|authType=register,signmethod=hmacsha256,securemode=2|",
            "example1&a1MZxOdcBnO",
            good.as_str(),
            2,
        ),
        (
            "c|authType=register,random=01AB,signmethod=hmacsha256,securemode=3|",
            "example1&a1MZxOdcBnO",
            good.as_str(),
            2,
        ),
    ] {
        assert_eq!(
            dial(&running).connect(&connect(client_id, username, password, 60, true)),
            (false, code),
            "{client_id} {username}"
        );
    }
    // Plain TCP is a parameter error.
    assert_eq!(
        running
            .dial()
            .connect(&connect(id, "example1&a1MZxOdcBnO", &good, 60, true)),
        (false, 2)
    );
}

#[test]
fn a_device_not_created_before_gets_a_token_and_connects_with_it() {
    let running = start();
    let id = "mac|authType=regnwl,random=01AB,signmethod=hmacsha256,securemode=-2|";
    let answer = register(&mut dial(&running), id, "brand-new");
    assert_eq!(
        (&answer["clientId"], &answer["deviceName"]),
        (&json!("mac"), &json!("brand-new"))
    );
    let token = answer["deviceToken"].as_str().expect("token");
    assert_eq!(token.len(), 32);
    let with = |client_id: &str, token: &str| {
        dial(&running)
            .connect(&connect(
                client_id,
                "brand-new&a1MZxOdcBnO",
                token,
                60,
                true,
            ))
            .1
    };
    assert_eq!(with("mac|securemode=-2,authType=connwl|", token), 0);
    assert_eq!(with("other|securemode=-2,authType=connwl|", token), 4);
    assert_eq!(with("mac|securemode=-2,authType=connwl|", "wrong"), 4);
    assert_eq!(with("mac|securemode=2,authType=connwl|", token), 2);
}

#[test]
fn a_registering_device_may_do_nothing_else() {
    let running = start();
    let id = "c|authType=register,random=01AB,signmethod=hmacsha256,securemode=2|";
    let mut client = dial(&running);
    register(&mut client, id, "example1");
    client.send(&subscribe(1, &[("/a1MZxOdcBnO/example1/user/get", 0)]));
    assert_eq!(client.end(), Ended::Clean);
    running.event("protocol_error", |_| true);
}
