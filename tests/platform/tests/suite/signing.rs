//! The signature check against the published vectors.

use iotx_platform::sign::{Method, connect_content, from_hex, register_content, verify};
use serde_json::Value;

fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../data/signatures.json")).expect("JSON");
    all[section].as_array().expect("section").clone()
}

fn field<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} of {vector}"))
}

fn method(vector: &Value) -> Method {
    Method::named(Some(field(vector, "alg"))).expect("known method")
}

/// True as given and in lower case; false with any change.
fn assert_verifies(vector: &Value, key: &[u8], content: &[u8], mac: &str) {
    let method = method(vector);
    assert!(verify(method, key, content, mac.as_bytes()), "{vector}");
    assert!(
        verify(method, key, content, mac.to_lowercase().as_bytes()),
        "{vector}"
    );
    let last = if mac.ends_with('0') { "1" } else { "0" };
    let wrong = format!("{}{last}", &mac[..mac.len() - 1]);
    for wrong in [
        wrong.as_str(),
        "",
        &mac[2..],
        &format!("{mac}00"),
        &mac[1..],
        "zz",
    ] {
        assert!(
            !verify(method, key, content, wrong.as_bytes()),
            "{wrong} for {vector}"
        );
    }
    assert!(
        !verify(method, key, &[content, b"x"].concat(), mac.as_bytes()),
        "{vector}"
    );
}

#[test]
fn digests() {
    let list = vectors("hmac");
    assert_eq!(list.len(), 42);
    for vector in list {
        let bytes = |name| from_hex(field(&vector, name)).expect("hexadecimal");
        assert_verifies(
            &vector,
            &bytes("key_hex"),
            &bytes("msg_hex"),
            field(&vector, "mac"),
        );
    }
}

#[test]
fn connect_signatures() {
    let list = vectors("connect");
    assert_eq!(list.len(), 42);
    for vector in list {
        let params = &vector["params"];
        let content = field(&vector, "content");
        if let Some(client_id) = params["clientId"].as_str() {
            let (name, key) = (field(params, "deviceName"), field(params, "productKey"));
            assert_eq!(
                connect_content(client_id, name, key, params["timestamp"].as_str()),
                content
            );
        }
        let secret = field(&vector, "device_secret").as_bytes();
        assert_verifies(
            &vector,
            secret,
            content.as_bytes(),
            field(&vector, "password"),
        );
    }
}

#[test]
fn registration_signatures() {
    let list = vectors("register");
    assert_eq!(list.len(), 39);
    for vector in list {
        let get = |name| field(&vector, name);
        let content = register_content(get("device_name"), get("product_key"), get("random"));
        assert_eq!(content, get("content"));
        assert_verifies(
            &vector,
            get("product_secret").as_bytes(),
            content.as_bytes(),
            get("sign"),
        );
    }
}

#[test]
fn method_names() {
    assert_eq!(Method::named(None), Some(Method::Md5));
    for wrong in ["", "HMACSHA256", "sha256", "hmacsha512"] {
        assert_eq!(Method::named(Some(wrong)), None, "{wrong}");
    }
}
