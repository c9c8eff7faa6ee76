//! The schemes against vectors that this library did not make, and against wrong fields.

use serde_json::Value;

use super::{Connect, Fields, Refused, SCHEMES, Transport, by_name, connect};
use crate::sign::SignMethod;
use crate::state;

fn vectors(section: &str) -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/signing-vectors.json"
    );
    let all: Value = serde_json::from_slice(&std::fs::read(path).expect("vectors")).expect("JSON");
    all[section].as_array().expect("a list").clone()
}

fn by(name: &str, fields: &Fields<'_>) -> Result<Connect, Refused> {
    connect(by_name(name).expect("a scheme"), fields)
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key].as_str().unwrap_or_default()
}

const TRIPLE: Fields<'_> = Fields {
    product_key: "pk",
    device_name: "device",
    device_secret: "secret",
    ..Fields::NOTHING
};

#[test]
fn device_secret_as_the_sdk_signs() {
    let mut seen = 0;
    for item in vectors("iot_sign_mqtt") {
        let given = &item["in"];
        let names = [
            text(given, "product_key"),
            text(given, "device_name"),
            text(given, "device_secret"),
        ];
        let tls = text(given, "build") == "tls";
        let known = names
            .iter()
            .all(|name| !name.is_empty() && !name.contains(['|', ',', '&', '/', '+', '#']));
        // Here an empty text counts as none.
        let known = known && given["customize_info"] != "";
        if !known || given["region"] != 0 || !(tls || text(given, "build") == "tcp") {
            continue;
        }
        let fields = Fields {
            product_key: names[0],
            device_name: names[1],
            device_secret: names[2],
            customize_info: text(given, "customize_info"),
            transport: if tls { Transport::Tls } else { Transport::Ws },
            ..Fields::default()
        };
        let id2 = fields.customize_info.contains("authtype=id2");
        let Ok(made) = by(if id2 { "id2" } else { "device-secret" }, &fields) else {
            panic!("{item}");
        };
        let out = &item["out"];
        assert_eq!(made.client_id, text(out, "clientid"), "{item}");
        assert_eq!(made.username, text(out, "username"), "{item}");
        assert_eq!(made.password.as_str(), text(out, "password"), "{item}");
        if !id2 {
            assert_eq!(made.host, text(out, "hostname"), "{item}");
            assert_eq!(made.port, 443);
        }
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn device_secret_with_every_method_of_the_platform() {
    let mut seen = 0;
    for item in vectors("connect_sign") {
        let params = &item["params"];
        let method = match text(&item, "alg") {
            "hmacmd5" => SignMethod::HmacMd5,
            "hmacsha1" => SignMethod::HmacSha1,
            _ => SignMethod::HmacSha256,
        };
        let fields = Fields {
            product_key: text(params, "productKey"),
            device_name: text(params, "deviceName"),
            device_secret: text(&item, "device_secret"),
            client_id: text(params, "clientId"),
            timestamp: text(params, "timestamp"),
            method: Some(method),
            ..Fields::default()
        };
        // A client id is always sent, and always signed.
        if fields.client_id.is_empty() || by("device-secret", &fields).is_err() {
            continue;
        }
        let made = by("device-secret", &fields).expect("just made");
        assert_eq!(made.password.as_str(), text(&item, "password"), "{item}");
        let timestamp = match fields.timestamp {
            "" => String::new(),
            stamp => format!(",timestamp={stamp}"),
        };
        let pairs = format!("securemode=2,signmethod={}{timestamp}", text(&item, "alg"));
        assert_eq!(made.client_id, format!("{}|{pairs}|", fields.client_id));
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
}

#[test]
fn additional_pairs_stand_inside_the_bars() {
    let fields = Fields {
        client_id: "mac",
        customize_info: "a=1,b=2",
        instance_id: "iot-x",
        transport: Transport::Tcp,
        ..TRIPLE
    };
    let made = by("device-secret", &fields).expect("valid");
    assert_eq!(
        made.client_id,
        "mac|securemode=3,signmethod=hmacsha256,instanceId=iot-x,a=1,b=2|"
    );
    let made = by(
        "device-secret",
        &Fields {
            client_id: "",
            ..fields
        },
    )
    .expect("valid");
    assert!(made.client_id.ends_with(",ext=0,instanceId=iot-x,a=1,b=2|"));
}

#[test]
fn x509_with_and_without_names() {
    let unknown = Fields {
        has_certificate: true,
        ..Fields::default()
    };
    let made = by("x509", &unknown).expect("valid");
    assert_eq!(
        (made.client_id.as_str(), made.username.as_str()),
        (".|securemode=2|", "")
    );
    assert!(made.password.is_empty());
    assert_eq!(
        (made.host.as_str(), made.port),
        ("x509.itls.cn-shanghai.aliyuncs.com", 1883)
    );
    for item in vectors("unsigned_connections") {
        let given = &item["in"];
        if !text(given, "device_token").is_empty() || text(given, "product_key").is_empty() {
            continue;
        }
        let fields = Fields {
            product_key: text(given, "product_key"),
            device_name: text(given, "device_name"),
            client_id: text(given, "client_id"),
            timestamp: text(given, "timestamp"),
            method: (text(given, "alg") == "hmacsha1"
                || text(&item, "clientid").contains("hmacsha1"))
            .then_some(SignMethod::HmacSha1),
            has_certificate: true,
            ..Fields::default()
        };
        let made = by("x509", &fields).expect("valid");
        assert_eq!(made.client_id, text(&item, "clientid"), "{item}");
        assert_eq!(made.username, text(&item, "username"), "{item}");
    }
}

#[test]
fn psk_has_the_identity_and_key_of_the_sdk() {
    let mut seen = 0;
    for item in vectors("psk_hmacsha256") {
        let fields = Fields {
            product_key: text(&item, "product_key"),
            device_name: text(&item, "device_name"),
            device_secret: text(&item, "device_secret"),
            ..Fields::default()
        };
        let Ok(made) = by("psk", &fields) else {
            continue;
        };
        let psk = made.psk.expect("a key");
        assert_eq!(psk.identity, text(&item, "psk_identity"));
        assert_eq!(psk.key.as_str(), text(&item, "psk_ascii"));
        assert_eq!(
            made.host,
            format!("{}.itls.cn-shanghai.aliyuncs.com", fields.product_key)
        );
        assert_eq!(made.port, 1883);
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn connwl_sends_its_token() {
    for item in vectors("unsigned_connections") {
        let given = &item["in"];
        if text(given, "device_token").is_empty() {
            continue;
        }
        let fields = Fields {
            product_key: text(given, "product_key"),
            device_name: text(given, "device_name"),
            client_id: text(given, "client_id"),
            device_token: text(given, "device_token"),
            ..Fields::default()
        };
        let made = by("connwl", &fields).expect("valid");
        assert_eq!(made.client_id, text(&item, "clientid"));
        assert_eq!(made.username, text(&item, "username"));
        assert_eq!(made.password.as_str(), text(&item, "password"));
    }
}

#[test]
fn id2_says_so_once() {
    for (info, pairs) in [
        ("", ",ext=0,authtype=id2|"),
        ("a=1", ",ext=0,authtype=id2,a=1|"),
        ("a=1,authtype=id2", ",ext=0,a=1,authtype=id2|"),
    ] {
        let fields = Fields {
            device_secret: "",
            customize_info: info,
            ..TRIPLE
        };
        let made = by("id2", &fields).expect("valid");
        assert!(
            made.client_id.contains(",securemode=8,"),
            "{}",
            made.client_id
        );
        assert!(made.client_id.ends_with(pairs), "{}", made.client_id);
        assert_eq!(
            (made.host.as_str(), made.port),
            ("pk.itls.cn-shanghai.aliyuncs.com", 1883)
        );
    }
}

#[test]
fn hosts_of_regions() {
    for (region, host) in [
        ("", "pk.iot-as-mqtt.cn-shanghai.aliyuncs.com"),
        (
            "ap-southeast-1",
            "pk.iot-as-mqtt.ap-southeast-1.aliyuncs.com",
        ),
    ] {
        let made = by("device-secret", &Fields { region, ..TRIPLE }).expect("valid");
        assert_eq!(made.host, host);
    }
}

/// Each refused field: the scheme, the fields, the code, a part of the text.
#[test]
fn every_wrong_field_has_its_code_and_text() {
    let (invalid, range) = (
        state::STATE_USER_INPUT_INVALID,
        state::STATE_USER_INPUT_OUT_RANGE,
    );
    let long = "x".repeat(300);
    let x509 = Fields {
        has_certificate: true,
        device_secret: "",
        ..TRIPLE
    };
    let connwl = Fields {
        device_secret: "",
        device_token: "t",
        client_id: "c",
        ..TRIPLE
    };
    let cases: &[(&str, Fields<'_>, i32, &str)] = &[
        (
            "device-secret",
            Fields {
                product_key: "",
                ..TRIPLE
            },
            state::STATE_USER_INPUT_PK,
            "product_key is missing",
        ),
        (
            "device-secret",
            Fields {
                device_name: "",
                ..TRIPLE
            },
            state::STATE_USER_INPUT_DN,
            "device_name is missing",
        ),
        (
            "device-secret",
            Fields {
                device_secret: "",
                ..TRIPLE
            },
            state::STATE_USER_INPUT_DS,
            "device_secret is missing",
        ),
        (
            "device-secret",
            Fields {
                product_key: &long,
                ..TRIPLE
            },
            range,
            "product_key is longer",
        ),
        (
            "device-secret",
            Fields {
                device_secret: &long,
                ..TRIPLE
            },
            range,
            "device_secret is longer",
        ),
        (
            "device-secret",
            Fields {
                client_id: &long,
                ..TRIPLE
            },
            range,
            "client_id is longer than 64",
        ),
        (
            "device-secret",
            Fields {
                client_id: "a|b",
                ..TRIPLE
            },
            invalid,
            "client_id has a character",
        ),
        (
            "device-secret",
            Fields {
                client_id: "a\nb",
                ..TRIPLE
            },
            invalid,
            "control character",
        ),
        (
            "device-secret",
            Fields {
                timestamp: "1,2",
                ..TRIPLE
            },
            invalid,
            "timestamp has a character",
        ),
        (
            "device-secret",
            Fields {
                customize_info: "a|b",
                ..TRIPLE
            },
            invalid,
            "customize_info has",
        ),
        (
            "device-secret",
            Fields {
                customize_info: &long[..200],
                ..TRIPLE
            },
            state::STATE_MQTT_SIGN_CLIENTID_BUF_SHORT,
            "too long",
        ),
        (
            "device-secret",
            Fields {
                device_name: "a&b",
                ..TRIPLE
            },
            invalid,
            "device_name has a character",
        ),
        (
            "device-secret",
            Fields {
                device_token: "t",
                ..TRIPLE
            },
            invalid,
            "device_token means nothing",
        ),
        (
            "psk",
            Fields {
                has_certificate: true,
                ..TRIPLE
            },
            invalid,
            "certificate means nothing",
        ),
        (
            "device-secret",
            Fields {
                region: "CN",
                ..TRIPLE
            },
            invalid,
            "region",
        ),
        (
            "x509",
            Fields {
                has_certificate: false,
                ..x509.clone()
            },
            invalid,
            "certificate is missing",
        ),
        (
            "x509",
            Fields {
                device_secret: "s",
                ..x509.clone()
            },
            invalid,
            "device_secret means nothing",
        ),
        (
            "x509",
            Fields {
                device_name: "",
                ..x509.clone()
            },
            invalid,
            "together",
        ),
        (
            "x509",
            Fields {
                transport: Transport::Wss,
                ..x509.clone()
            },
            invalid,
            "without WebSocket",
        ),
        (
            "x509",
            Fields {
                transport: Transport::Tcp,
                ..x509.clone()
            },
            invalid,
            "needs TLS",
        ),
        (
            "psk",
            Fields {
                transport: Transport::Tcp,
                ..TRIPLE
            },
            invalid,
            "needs TLS",
        ),
        (
            "psk",
            Fields {
                method: Some(SignMethod::HmacMd5),
                ..TRIPLE
            },
            invalid,
            "sign_method means nothing",
        ),
        (
            "psk",
            Fields {
                client_id: "c",
                ..TRIPLE
            },
            invalid,
            "client_id means nothing",
        ),
        (
            "connwl",
            Fields {
                device_token: "",
                ..connwl.clone()
            },
            invalid,
            "device_token is missing",
        ),
        (
            "connwl",
            Fields {
                client_id: "",
                ..connwl.clone()
            },
            invalid,
            "client_id is missing",
        ),
        (
            "connwl",
            Fields {
                transport: Transport::Ws,
                ..connwl.clone()
            },
            invalid,
            "needs TLS",
        ),
        (
            "id2",
            Fields {
                transport: Transport::Wss,
                ..TRIPLE
            },
            invalid,
            "without WebSocket",
        ),
    ];
    for (name, fields, code, part) in cases {
        let Err(refused) = by(name, fields) else {
            panic!("{name}: {part}");
        };
        assert_eq!(refused.code, *code, "{name}: {refused}");
        assert!(refused.text.contains(part), "{name}: {refused}");
        assert!(!refused.text.contains("secret\u{0}"), "{refused}");
    }
}

#[test]
fn a_region_that_a_scheme_is_not_offered_in_is_told() {
    for scheme in ["psk", "id2"] {
        let elsewhere = Fields {
            region: "eu-central-1",
            ..TRIPLE
        };
        let Err(refused) = by(scheme, &elsewhere) else {
            panic!("{scheme}");
        };
        assert!(refused.text.contains("cn-shanghai only"), "{refused}");
        assert!(
            by(
                scheme,
                &Fields {
                    region: "cn-shanghai",
                    ..TRIPLE
                }
            )
            .is_ok()
        );
    }
}

#[test]
fn names_are_unique() {
    for scheme in SCHEMES {
        let found = by_name(scheme.name()).expect("its name");
        assert_eq!(found.name(), scheme.name());
    }
    assert!(by_name("").is_none());
}
