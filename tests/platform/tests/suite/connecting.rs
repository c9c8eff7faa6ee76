//! CONNECT: who comes in, and who gets which return code.

use iotx_platform::auth::{Mode, Peer, Refused, Rules, check};
use iotx_platform::mqtt::Connect;
use iotx_platform::registry::{Device, Registry};
use serde_json::Value;

use crate::support::*;

const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const SECRET: &str = "jiPvZkVO9lhNj2Q9f2KdP4Yln7ACJI3X";

fn registry() -> Registry {
    let device = |name: &str, secret: &str, certificate: Option<&str>| Device {
        product_key: "pk".into(),
        device_name: name.into(),
        device_secret: secret.into(),
        product_secret: String::new(),
        cert_sha256: certificate.map(str::to_uppercase),
        identity: None,
    };
    Registry::new(vec![
        device("dn", SECRET, None),
        device("cert", "", Some(DIGEST)),
    ])
    .expect("registry")
}

fn outcome(
    tls: bool,
    certificate: Option<&str>,
    client_id: &str,
    username: &str,
    password: &str,
) -> Result<Mode, Refused> {
    outcome_after(tls, certificate, client_id, Some(username), password, 60)
}

fn outcome_after(
    tls: bool,
    certificate: Option<&str>,
    client_id: &str,
    username: Option<&str>,
    password: &str,
    keep_alive: u16,
) -> Result<Mode, Refused> {
    let connect = Connect {
        level: 4,
        clean_session: true,
        keep_alive,
        client_id: client_id.into(),
        will: false,
        username: username.map(str::to_owned),
        password: Some(password.into()),
    };
    check(
        &registry(),
        &Peer {
            der: None,
            tls,
            certificate,
            psk: None,
        },
        &Rules::default(),
        &connect,
    )
    .map(|accepted| accepted.mode)
}

fn code(result: Result<Mode, Refused>) -> u8 {
    result.map_or_else(|refused| refused.code, |_| 0)
}

#[test]
fn secret_devices() {
    let plain = sha256(SECRET, "clientIdiddeviceNamednproductKeypk");
    let timed = sha256(SECRET, "clientIdiddeviceNamednproductKeypktimestamp789");
    let id = "id|securemode=3,signmethod=hmacsha256|";
    let timed_id = "id|signmethod=hmacsha256,timestamp=789,securemode=3,ext=0,|";
    assert_eq!(outcome(false, None, id, "dn&pk", &plain), Ok(Mode::Secret));
    assert_eq!(
        outcome(false, None, id, "dn&pk", &plain.to_lowercase()),
        Ok(Mode::Secret)
    );
    assert_eq!(
        outcome(false, None, timed_id, "dn&pk", &timed),
        Ok(Mode::Secret)
    );
    // The time stamp must be in both or in none.
    assert_eq!(code(outcome(false, None, timed_id, "dn&pk", &plain)), 4);
    assert_eq!(code(outcome(false, None, id, "dn&pk", &timed)), 4);
    // The signature covers the client id.
    assert_eq!(
        code(outcome(
            false,
            None,
            "other|securemode=3,signmethod=hmacsha256|",
            "dn&pk",
            &plain
        )),
        4
    );
    // Without a method it is hmacmd5, so an SHA-256 signature is wrong; unknown methods are wrong too.
    assert_eq!(
        code(outcome(false, None, "id|securemode=3|", "dn&pk", &plain)),
        4
    );
    assert_eq!(
        code(outcome(
            false,
            None,
            "id|securemode=3,signmethod=md4|",
            "dn&pk",
            &plain
        )),
        4
    );
    let refused = outcome(false, None, id, "dn&pk", "00").expect_err("wrong password");
    assert_eq!((refused.code, refused.password_ok), (4, Some(false)));
    assert_eq!(
        refused.device.map(|id| id.to_string()).as_deref(),
        Some("pk/dn")
    );
}

#[test]
fn connect_vectors_are_let_in() {
    let all: Value = serde_json::from_str(include_str!("../data/signatures.json")).expect("JSON");
    let mut tried = 0;
    for vector in all["connect"].as_array().expect("section") {
        let get = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let params = &vector["params"];
        let (key, name, id) = (
            get(&params["productKey"]),
            get(&params["deviceName"]),
            get(&params["clientId"]),
        );
        let device = Device {
            product_key: key.clone(),
            device_name: name.clone(),
            device_secret: get(&vector["device_secret"]),
            product_secret: String::new(),
            cert_sha256: None,
            identity: None,
        };
        // Vectors outside what the platform lets in have no device or no client id.
        let special = |c: char| "|,=".contains(c);
        let usable = !id.is_empty()
            && !id.contains(special)
            && id.chars().count() <= 64
            && !device.device_secret.is_empty();
        let (true, Ok(registry)) = (usable, Registry::new(vec![device])) else {
            continue;
        };
        let timestamp = params["timestamp"]
            .as_str()
            .map(|t| format!(",timestamp={t}"))
            .unwrap_or_default();
        let connect = Connect {
            level: 4,
            clean_session: false,
            keep_alive: 1200,
            client_id: format!(
                "{id}|securemode=2,signmethod={}{timestamp}|",
                get(&vector["alg"])
            ),
            will: false,
            username: Some(format!("{name}&{key}")),
            password: Some(get(&vector["password"]).into_bytes()),
        };
        let result = check(
            &registry,
            &Peer {
                der: None,
                tls: true,
                certificate: None,
                psk: None,
            },
            &Rules::default(),
            &connect,
        );
        assert_eq!(
            result.map(|accepted| accepted.client_id),
            Ok(id),
            "{vector}"
        );
        tried += 1;
    }
    assert!(tried >= 18, "only {tried} vectors were usable");
}

#[test]
fn certificate_devices() {
    let with =
        |client_id, username| outcome_after(true, Some(DIGEST), client_id, username, "", 300);
    assert_eq!(with(".|securemode=2|", None), Ok(Mode::X509));
    assert_eq!(with(".|securemode=2|", Some("")), Ok(Mode::X509));
    assert_eq!(
        with(
            "any|securemode=2,signmethod=hmacsha1,timestamp=132323232|",
            Some("cert&pk")
        ),
        Ok(Mode::X509)
    );
    let sdk = ".|timestamp=2524608000000,_v=sdk-c-3.2.0,securemode=2,signmethod=hmacsha256,lan=C,_ss=1,gw=0,ext=0|";
    assert_eq!(with(sdk, Some("&")), Ok(Mode::X509));
    assert_eq!(code(with(".|securemode=2|", Some("dn&pk"))), 4);
    // A valid certificate that nobody registered; no certificate at all.
    assert_eq!(
        code(outcome(
            true,
            Some(&"f".repeat(64)),
            ".|securemode=2|",
            "&",
            ""
        )),
        5
    );
    assert_eq!(code(outcome(true, None, ".|securemode=2|", "&", "")), 4);
    // The device exists but came without its certificate.
    assert_eq!(
        code(outcome(true, None, "id|securemode=2|", "cert&pk", "")),
        4
    );
}

#[test]
fn return_codes_by_reason() {
    let good = sha256(SECRET, "clientIdiddeviceNamednproductKeypk");
    let id = "id|securemode=3,signmethod=hmacsha256|";
    for (client_id, expected) in [
        ("id", 2),
        ("id|securemode=3", 2),
        ("|securemode=3|", 2),
        ("", 2),
        ("id|securemode|", 2),
        ("id|securemode=3,securemode=3|", 2),
        ("id|authType=nonsense,securemode=3|", 2),
        ("id|signmethod=hmacsha256|", 4),
        ("id|securemode=2,signmethod=hmacsha256|", 4),
        (id, 0),
    ] {
        assert_eq!(
            code(outcome(false, None, client_id, "dn&pk", &good)),
            expected,
            "{client_id}"
        );
    }
    let long = |count: usize| format!("{}|securemode=3,signmethod=hmacsha256|", "ä".repeat(count));
    assert_eq!(code(outcome(false, None, &long(65), "dn&pk", &good)), 2);
    assert_eq!(code(outcome(false, None, &long(64), "dn&pk", &good)), 4);
    for (username, expected) in [
        ("dn&pk", 0),
        ("nobody&pk", 5),
        ("dn&other", 5),
        ("dn", 4),
        ("&pk", 4),
        ("dn&", 4),
        ("", 4),
    ] {
        assert_eq!(
            code(outcome(false, None, id, username, &good)),
            expected,
            "{username}"
        );
    }
    for (keep_alive, expected) in [(0, 2), (29, 2), (30, 0), (1200, 0), (1201, 2), (65_535, 2)] {
        let result = outcome_after(false, None, id, Some("dn&pk"), &good, keep_alive);
        assert_eq!(code(result), expected, "{keep_alive}");
    }
}

#[test]
fn the_answers_on_the_wire() {
    let running = Running::tcp();
    assert_eq!(
        running
            .dial()
            .connect(&secret_connect("example1", 60, true)),
        (false, 0)
    );
    let mut wrong = running.dial();
    assert_eq!(
        wrong.connect(&connect(
            "c|securemode=3|",
            "example1&a1MZxOdcBnO",
            "0123",
            60,
            true
        )),
        (false, 4)
    );
    assert_eq!(wrong.end(), Ended::Clean);
    let mut unknown = running.dial();
    assert_eq!(
        unknown.connect(&connect(
            "c|securemode=3|",
            "nobody&a1MZxOdcBnO",
            "0123",
            60,
            true
        )),
        (false, 5)
    );
    assert_eq!(unknown.end(), Ended::Clean);
    let mut level = running.dial();
    assert_eq!(
        level.connect(&[0x10, 7, 0, 4, b'M', b'Q', b'T', b'T', 9]),
        (false, 1)
    );
    assert_eq!(level.end(), Ended::Clean);
    let refused = running.event("connect", |event| event["code"] == 4);
    assert_eq!(refused["password_ok"], false);
    assert_eq!(refused["keepalive"], 60);
    assert_eq!(refused["transport"], "tcp");
    let accepted = running.event("connect", |event| event["accepted"] == true);
    assert_eq!(accepted["device"], SECRET_DEVICE);
    assert_eq!(accepted["mode"], "secret");
    assert_eq!(accepted["password_ok"], true);
    let log = serde_json::to_string(&running.platform.events.since(0).0).expect("log");
    assert!(!log.contains("0123"), "a password in the log");
}

#[test]
fn mqtt_3_1_is_let_in() {
    let running = Running::tcp();
    let modern = secret_connect("example1", 60, true);
    // The same packet with the protocol name and level of MQTT 3.1: two bytes longer.
    let mut body = text("MQIsdp");
    body.push(3);
    let skip = modern.iter().position(|byte| *byte == b'M').expect("name") + 5;
    body.extend(&modern[skip..]);
    assert_eq!(running.dial().connect(&packet(0x10, &body)), (false, 0));
}

#[test]
fn protocol_errors_close_the_connection() {
    let running = Running::tcp();
    let mut first = running.dial();
    first.send(&[0xC0, 0]);
    assert_eq!(first.end(), Ended::Clean);
    running.event("protocol_error", |event| {
        event["reason"] == "the first packet is not CONNECT"
    });
    let mut twice = running.device(true);
    twice.send(&secret_connect("example1", 60, true));
    assert_eq!(twice.end(), Ended::Clean);
    running.event("protocol_error", |event| {
        event["reason"] == "a second CONNECT"
    });
    let mut broken = running.device(true);
    broken.send(&[0x36, 5, 0, 1, b'a', 0, 1]);
    assert_eq!(broken.end(), Ended::Clean);
    let error = running.event("protocol_error", |event| {
        event["reason"] == "PUBLISH with QoS 3"
    });
    assert_eq!(error["device"], SECRET_DEVICE);
}

#[test]
fn a_registry_must_make_sense() {
    let device = |product_key: &str, name: &str, digest: Option<&str>| Device {
        product_key: product_key.into(),
        device_name: name.into(),
        device_secret: "s".into(),
        product_secret: String::new(),
        cert_sha256: digest.map(str::to_owned),
        identity: None,
    };
    for (list, complaint) in [
        (vec![device("", "dn", None)], "product key"),
        (vec![device(&"p".repeat(21), "dn", None)], "product key"),
        (vec![device("pk", &"d".repeat(33), None)], "device name"),
        (
            vec![device("pk", "dn", None), device("pk", "dn", None)],
            "twice",
        ),
        (vec![device("pk", "dn", Some("12"))], "certSha256"),
        (
            vec![
                device("pk", "a", Some(DIGEST)),
                device("pk", "b", Some(DIGEST)),
            ],
            "another device",
        ),
    ] {
        let error = Registry::new(list).err().expect(complaint);
        assert!(error.contains(complaint), "{error}");
    }
}
