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

const ID: &str = "c|authType=register,random=01AB,signmethod=hmacsha256,securemode=2|";
const SECRET: &str = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";

fn register_connect(client_id: &str, device_name: &str) -> Vec<u8> {
    let content = format!("deviceName{device_name}productKeya1MZxOdcBnOrandom01AB");
    let password = sha256("AbCdEfGhIjKlMnOp", &content);
    let username = format!("{device_name}&a1MZxOdcBnO");
    connect(client_id, &username, &password, 0, true)
}

/// Topics and payloads that follow CONNACK 0, as many as asked for.
fn answers(running: &Running, client_id: &str, count: usize) -> Vec<(String, Vec<u8>)> {
    let mut client = dial(running);
    let packet = register_connect(client_id, "example1");
    assert_eq!(client.connect(&packet), (false, 0));
    let read = |_| {
        let (_, topic, _, payload) = client.publish();
        (topic, payload)
    };
    (0..count).map(read).collect()
}

#[test]
fn answers_over_mqtt_that_are_wrong() {
    let running = start();
    let fault = |spec: &str| running.control(json!({"cmd": "fault", "spec": spec}));
    let json = |payload: &[u8]| serde_json::from_slice::<Value>(payload).expect("JSON");
    fault("reg-wrong-topic:1");
    let both = answers(&running, ID, 2);
    assert_eq!(both[0].0, "/ext/registerXYZ");
    assert_ne!(json(&both[0].1)["deviceSecret"], SECRET);
    assert_eq!(both[1].0, "/ext/register");
    assert_eq!(json(&both[1].1)["deviceSecret"], SECRET);
    fault("reg-other-device:1");
    let other = json(&answers(&running, ID, 1)[0].1);
    assert_eq!(other["deviceName"], "another-device");
    assert_ne!(other["deviceSecret"], SECRET);
    fault("reg-wrong-types:1");
    assert!(json(&answers(&running, ID, 1)[0].1)["deviceSecret"].is_number());
    fault("reg-secret=65:1");
    let long = json(&answers(&running, ID, 1)[0].1);
    assert_eq!(long["deviceSecret"].as_str().map(str::len), Some(65));
    fault("reg-huge=100000:1");
    assert!(answers(&running, ID, 1)[0].1.len() > 100_000);
    fault("reg-truncate:1");
    let cut = &answers(&running, ID, 1)[0].1;
    assert!(serde_json::from_slice::<Value>(cut).is_err());
    fault("reg-nwl-topic");
    let new = "mac|authType=regnwl,random=01AB,signmethod=hmacsha256,securemode=-2|";
    assert_eq!(answers(&running, new, 1)[0].0, "/ext/regnwl");
    // A device that was created is always answered on its own topic.
    assert_eq!(answers(&running, ID, 1)[0].0, "/ext/register");
    fault("reg-delay=150:1");
    let begin = std::time::Instant::now();
    answers(&running, ID, 1);
    assert!(begin.elapsed() >= std::time::Duration::from_millis(150));
    fault("reg-connack=3:1");
    let packet = register_connect(ID, "example1");
    assert_eq!(dial(&running).connect(&packet), (false, 3));
    fault("reg-close:1");
    let mut client = dial(&running);
    assert_eq!(client.connect(&packet), (false, 0));
    assert_eq!(client.end(), Ended::Clean);
    fault("reg-never:1");
    let mut client = dial(&running);
    assert_eq!(client.connect(&packet), (false, 0));
    client.silent_for(std::time::Duration::from_millis(300));
}

#[test]
fn a_secret_is_given_once_until_the_device_is_reset() {
    let mut options = tls_options();
    options.registration.once = true;
    let running = Running::start(options);
    let packet = register_connect(ID, "example1");
    let code = || dial(&running).connect(&packet).1;
    assert_eq!(code(), 0);
    running.event("registration", |_| true);
    assert_eq!(code(), 4);
    running.control(json!({"cmd": "reset-device", "device": "a1MZxOdcBnO/example1"}));
    assert_eq!(code(), 0);
    let unknown = json!({"cmd": "reset-device", "device": "a1MZxOdcBnO/nobody"});
    assert!(iotx_platform::control::execute(&running.platform, &unknown).is_err());
}

#[test]
fn five_devices_share_a_name_and_tokens_outlive_the_platform() {
    let file = scratch("tokens").join("tokens.json");
    let with_file = || {
        let mut options = tls_options();
        options.registration.tokens = Some(file.clone());
        Running::start(options)
    };
    let id = |number: usize| {
        format!("mac{number}|authType=regnwl,random=01AB,signmethod=hmacsha256,securemode=-2|")
    };
    let running = with_file();
    let tokens: Vec<String> = (0..5)
        .map(|number| {
            let answer = register(&mut dial(&running), &id(number), "shared");
            answer["deviceToken"].as_str().expect("token").to_owned()
        })
        .collect();
    let sixth = register_connect(&id(5), "shared");
    assert_eq!(dial(&running).connect(&sixth), (false, 4));
    // One of the five may register again.
    let again = register(&mut dial(&running), &id(0), "shared");
    assert_ne!(again["deviceToken"], tokens[0]);
    drop(running);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let running = with_file();
    let code = |number: usize, token: &str| {
        let id = format!("mac{number}|securemode=-2,authType=connwl|");
        dial(&running)
            .connect(&connect(&id, "shared&a1MZxOdcBnO", token, 60, true))
            .1
    };
    assert_eq!(code(4, &tokens[4]), 0);
    assert_eq!(code(0, &tokens[0]), 4);
}

#[test]
fn products_decide_who_may_register() {
    let folder = scratch("products");
    let devices = folder.join("devices.json");
    let write = |registration: bool, new: bool| {
        let file = json!({
            "devices": [{"productKey": "a1MZxOdcBnO", "deviceName": "example1", "deviceSecret": SECRET}],
            "products": [{
                "productKey": "a1MZxOdcBnO", "productSecret": "AbCdEfGhIjKlMnOp",
                "registration": registration, "withoutPreRegistration": new,
            }],
        });
        std::fs::write(&devices, file.to_string()).expect("registry");
    };
    let new = "mac|authType=regnwl,random=01AB,signmethod=hmacsha256,securemode=-2|";
    for (registration, without, created, fresh) in
        [(true, false, 0, 4), (true, true, 0, 0), (false, true, 4, 4)]
    {
        write(registration, without);
        let mut options = tls_options();
        options.devices = Some(devices.clone());
        let running = Running::start(options);
        let code = |id, name| dial(&running).connect(&register_connect(id, name)).1;
        assert_eq!(code(ID, "example1"), created);
        assert_eq!(code(new, "fresh"), fresh);
    }
}
