//! The internal signing API against every vector of `tests/data/signing-vectors.json`.
//!
//! The vectors come from Python's hmac, a hand-written RFC 2104 construction, OpenSSL and runs of
//! the SDK itself; none was made by this library.

use iotx::sign::link_sdk::{self, Domain, SecureMode};
use iotx::sign::{SignMethod, hmac_sha256, platform, sub_device};
use serde_json::Value;

fn vectors() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/signing-vectors.json"
    );
    serde_json::from_slice(&std::fs::read(path).expect("vector file")).expect("valid JSON")
}

fn section<'a>(all: &'a Value, name: &str, count: usize) -> &'a [Value] {
    let items = all[name].as_array().expect("section is a list");
    assert_eq!(items.len(), count, "vectors in {name}");
    items
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} of {item}"))
}

fn method(item: &Value) -> SignMethod {
    match text(item, "alg") {
        "hmacmd5" => SignMethod::HmacMd5,
        "hmacsha1" => SignMethod::HmacSha1,
        "hmacsha256" => SignMethod::HmacSha256,
        other => panic!("unknown algorithm {other}"),
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex"))
        .collect()
}

#[test]
fn hmac_primitives() {
    let all = vectors();
    for item in section(&all, "hmac_primitives", 42) {
        let (key, msg) = (unhex(text(item, "key_hex")), unhex(text(item, "msg_hex")));
        assert_eq!(
            method(item).sign(&key, &msg).as_str(),
            text(item, "mac"),
            "{item}"
        );
    }
}

#[test]
fn iot_sign_mqtt_outputs() {
    let all = vectors();
    for item in section(&all, "iot_sign_mqtt", 25) {
        let (input, out) = (&item["in"], &item["out"]);
        let device = link_sdk::Device {
            product_key: text(input, "product_key").as_bytes(),
            device_name: text(input, "device_name").as_bytes(),
            device_secret: text(input, "device_secret").as_bytes(),
        };
        let customize = input["customize_info"].as_str();
        let mode = match (text(input, "build"), customize) {
            (_, Some("authtype=id2")) => SecureMode::Id2,
            ("tls", _) => SecureMode::Tls,
            ("tcp", _) => SecureMode::Tcp,
            other => panic!("unknown build {other:?}"),
        };
        let domain = match input["region"].as_u64() {
            Some(5) => Domain::Custom(input["custom_domain"].as_str()),
            Some(region) => Domain::Region(link_sdk::MQTT_DOMAINS[region as usize]),
            None => panic!("region of {item}"),
        };
        let signed = link_sdk::sign(&device, domain, mode, hmac_sha256).expect("signs");
        assert_eq!(signed.host, text(out, "hostname").as_bytes(), "{item}");
        assert_eq!(
            u64::from(signed.port),
            out["port"].as_u64().expect("port"),
            "{item}"
        );
        assert_eq!(signed.username, text(out, "username").as_bytes(), "{item}");
        assert_eq!(signed.password.as_str(), text(out, "password"), "{item}");
        let id = link_sdk::client_id(&device, mode, customize.map(str::as_bytes)).expect("fits");
        // An empty customize_info counts as none here; the SDK left a stray comma.
        let want = text(out, "clientid").replace("ext=0,|", "ext=0|");
        assert_eq!(String::from_utf8(id).expect("UTF-8"), want, "{item}");
    }
}

#[test]
fn connect_passwords() {
    let all = vectors();
    for item in section(&all, "connect_sign", 42) {
        let params = &item["params"];
        let optional = |key: &str| params[key].as_str().map(str::as_bytes);
        let password = platform::connect_password(
            method(item),
            text(item, "device_secret").as_bytes(),
            text(params, "productKey").as_bytes(),
            text(params, "deviceName").as_bytes(),
            optional("clientId"),
            optional("timestamp"),
        );
        assert_eq!(password.as_str(), text(item, "password"), "{item}");
        let pairs: Vec<_> = params
            .as_object()
            .expect("object")
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str().expect("text").as_bytes()))
            .collect();
        assert_eq!(
            *platform::sign_content(&pairs),
            text(item, "content").as_bytes(),
            "{item}"
        );
    }
}

#[test]
fn dynamic_registration() {
    let all = vectors();
    for item in section(&all, "dynamic_registration", 39) {
        let (pk, dn) = (text(item, "product_key"), text(item, "device_name"));
        let (secret, random) = (
            text(item, "product_secret").as_bytes(),
            text(item, "random"),
        );
        let m = method(item);
        let sign =
            platform::registration_sign(m, secret, pk.as_bytes(), dn.as_bytes(), random.as_bytes());
        assert_eq!(sign.as_str(), text(item, "sign"), "{item}");
        let body = platform::registration_body(m, pk, dn, random, &sign);
        assert_eq!(body.as_str(), text(item, "http_body"), "{item}");
        let id = platform::registration_client_id(m, pk, dn, random, None);
        assert_eq!(id, text(item, "mqtt_clientid_v32"), "{item}");
    }
}

#[test]
fn pre_shared_keys() {
    let all = vectors();
    let check = |item: &Value, m: SignMethod| {
        let psk = platform::psk(
            m,
            text(item, "device_secret").as_bytes(),
            text(item, "product_key"),
            text(item, "device_name"),
        );
        assert_eq!(psk.identity, text(item, "psk_identity"), "{item}");
        assert_eq!(psk.key.as_str(), text(item, "psk_ascii"), "{item}");
    };
    for item in section(&all, "psk_hmacsha256", 14) {
        check(item, SignMethod::HmacSha256);
    }
    for item in section(&all, "psk_other_algorithms_informative", 6) {
        check(item, method(item));
    }
}

#[test]
fn unsigned_connections() {
    let all = vectors();
    for item in section(&all, "unsigned_connections", 3) {
        let input = &item["in"];
        let params = match text(item, "name") {
            "connwl-seed" => platform::connwl(
                text(input, "client_id"),
                text(input, "product_key"),
                text(input, "device_name"),
                text(input, "device_token"),
            ),
            "x509-second-connection-seed" => platform::x509_known(
                text(input, "client_id"),
                SignMethod::HmacSha1,
                input["timestamp"].as_str(),
                "a1MZxOdcBnO",
                "example1",
            ),
            "x509-first-connection-minimal" => platform::x509_unknown(),
            other => panic!("unknown vector {other}"),
        };
        assert_eq!(params.client_id, text(item, "clientid"), "{item}");
        assert_eq!(params.username, text(item, "username"), "{item}");
        assert_eq!(params.password.as_str(), text(item, "password"), "{item}");
    }
}

/// The vectors of the gateway chapter, made with another implementation.
#[test]
fn sub_devices() {
    let (pk, dn) = (b"a1TestPK001", b"dev001");
    let (secret, ts) = (b"0123456789abcdef0123456789abcdef", b"2524608000000");
    let cases: [(&[u8], &str); 2] = [
        (
            b"a1TestPK001.dev001",
            "1E60FA6375BE8ADF6A391EC5BA013CA80E3B54FADB8D2C0FC3B353145D6614C7",
        ),
        (
            b"a1TestPK001.dev001|_ss=1,_v=sdk-c-3.2.0|",
            "1325B94A4D41DA134417408EC23412DA40F20E2053ABB54814C95533103E66D5",
        ),
    ];
    for (id, want) in cases {
        let sign = sub_device::sign(SignMethod::HmacSha256, secret, pk, dn, id, ts);
        assert_eq!(sign.as_str(), want);
    }
    let sign = sub_device::registration_sign(
        SignMethod::HmacSha256,
        b"ps0123456789abcd",
        pk,
        dn,
        b"12345",
    );
    assert_eq!(
        sign.as_str(),
        "B164E81A0A41C4E212AABAA6F5254FE6132D75A2E2CD000AF8D230334A9C5255"
    );
    // The choice of the method reaches the digest, and each has its own spelling.
    for (method, name, digits) in [
        (SignMethod::HmacMd5, "hmacMd5", 32),
        (SignMethod::HmacSha1, "hmacSha1", 40),
        (SignMethod::HmacSha256, "hmacSha256", 64),
    ] {
        assert_eq!(sub_device::method_name(method), name);
        let sign = sub_device::sign(method, secret, pk, dn, b"c", ts);
        assert_eq!(sign.len(), digits);
    }
}
