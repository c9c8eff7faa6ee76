//! The identity payload: what is accepted is what the JSON says, and every legal pair of names is accepted.

use iotx::device::identity;
use serde_json::{Value, json};

use super::super::input::Input;

pub fn run(data: &[u8]) {
    if let Ok(identity) = identity::parse(data) {
        match serde_json::from_slice::<Value>(data) {
            Ok(value) => {
                assert_eq!(value["productKey"], identity.product_key);
                assert_eq!(value["deviceName"], identity.device_name);
            }
            // In members that nobody reads the grammar decides, which allows lone surrogates
            // (RFC 8259 §8.2); the reference has to make text of them.
            Err(error) => assert!(error.to_string().contains("surrogate"), "{error}"),
        }
        assert!(legal(&identity.product_key, 20), "{identity:?}");
        assert!(legal(&identity.device_name, 32), "{identity:?}");
    }
    let mut input = Input::new(data);
    let product_key = String::from_utf8_lossy(input.block()).into_owned();
    let device_name = String::from_utf8_lossy(input.block()).into_owned();
    let more = String::from_utf8_lossy(input.rest()).into_owned();
    let names =
        json!({"deviceName": device_name, "more": {"productKey": more}, "productKey": product_key});
    let parsed = identity::parse(names.to_string().as_bytes());
    assert_eq!(
        parsed.is_ok(),
        legal(&product_key, 20) && legal(&device_name, 32),
        "{names}"
    );
    if let Ok(identity) = parsed {
        assert_eq!(
            (identity.product_key, identity.device_name),
            (product_key, device_name)
        );
    }
}

fn legal(name: &str, max: usize) -> bool {
    (1..=max).contains(&name.len()) && !name.contains(char::is_control)
}
