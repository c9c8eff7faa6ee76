//! The identity of an X.509 device, pushed by the platform (spec x509-identity.md §2, §4).

use serde::Deserialize;

use crate::sign::{DEVICE_NAME_MAX, PRODUCT_KEY_MAX};
use crate::state;

/// The topic it arrives on, without any subscription.
pub const TOPIC: &str = "/ext/auth/identity/response";

/// Names received from the platform.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Product key, 1 to 20 bytes.
    pub product_key: String,
    /// Device name, 1 to 32 bytes.
    pub device_name: String,
}

/// Why a payload was refused: a state code and a text for the state event.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Code of [`crate::state`].
    pub code: i32,
    /// Reason, without the payload.
    pub text: &'static str,
}

/// Reads the payload: a JSON object whose top level holds both names as strings, each once, not
/// empty, within its length, without control characters. Anything else is refused whole.
pub fn parse(payload: &[u8]) -> Result<Identity, Refused> {
    let refuse = |code, text| Err(Refused { code, text });
    // The decoder would also take a list of two strings.
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return refuse(
            state::STATE_MQTT_DESERIALIZE_PUB_ERROR,
            "identity refused: not a JSON object",
        );
    }
    // JSON is UTF-8 throughout (RFC 8259 §8.1); the decoder would look at the two members alone.
    let text = std::str::from_utf8(payload);
    let identity: Identity = match text.map(serde_json::from_str) {
        Ok(Ok(identity)) => identity,
        Ok(Err(error)) if error.is_data() => {
            return refuse(
                state::STATE_MQTT_DESERIALIZE_PUB_ERROR,
                "identity refused: productKey or deviceName missing",
            );
        }
        _ => {
            return refuse(
                state::STATE_MQTT_DESERIALIZE_PUB_ERROR,
                "identity refused: not JSON",
            );
        }
    };
    let names = [&identity.product_key, &identity.device_name];
    if names.iter().any(|name| name.is_empty()) {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            "identity refused: a name is empty",
        );
    }
    if identity.product_key.len() > PRODUCT_KEY_MAX {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            "identity refused: product key too long",
        );
    }
    if identity.device_name.len() > DEVICE_NAME_MAX {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            "identity refused: device name too long",
        );
    }
    if names.iter().any(|name| name.chars().any(char::is_control)) {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            "identity refused: control character in a name",
        );
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_every_layout_of_the_two_members() {
        for payload in [
            r#"{"productKey":"pk","deviceName":"dn"}"#,
            "{ \"deviceName\" :\n\t\"dn\" , \"productKey\" : \"pk\" }\r\n",
            r#"{"productKey":"\u0070k","deviceName":"dn","more":{"productKey":"x"}}"#,
            r#"{"a":"\"productKey\":\"no\"","productKey":"pk","deviceName":"dn"}"#,
        ] {
            let identity = parse(payload.as_bytes()).expect(payload);
            assert_eq!(
                (&*identity.product_key, &*identity.device_name),
                ("pk", "dn")
            );
        }
        let longest = format!(
            r#"{{"productKey":"{}","deviceName":"{}"}}"#,
            "k".repeat(20),
            "d".repeat(32)
        );
        assert!(parse(longest.as_bytes()).is_ok());
    }

    #[test]
    fn refuses_everything_else() {
        let long_pk = format!(r#"{{"productKey":"{}","deviceName":"dn"}}"#, "k".repeat(21));
        let long_dn = format!(r#"{{"productKey":"pk","deviceName":"{}"}}"#, "d".repeat(33));
        let huge = format!(
            r#"{{"productKey":"pk","deviceName":"{}"}}"#,
            "d".repeat(10_240)
        );
        let deep = format!("{}{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        let format_code = state::STATE_MQTT_DESERIALIZE_PUB_ERROR;
        let range_code = state::STATE_USER_INPUT_OUT_RANGE;
        let cases: &[(&str, i32)] = &[
            ("", format_code),
            ("hello", format_code),
            ("{}", format_code),
            ("[]", format_code),
            (r#"["pk","dn"]"#, format_code),
            ("null", format_code),
            (r#"{"productKey":"pk"}"#, format_code),
            (r#"{"productKey":"pk","deviceName":1}"#, format_code),
            (r#"{"productKey":"pk","deviceName":null}"#, format_code),
            (
                r#"{"productKey":"pk","deviceName":{"deviceName":"dn"}}"#,
                format_code,
            ),
            (
                r#"{"data":{"productKey":"pk","deviceName":"dn"}}"#,
                format_code,
            ),
            (
                r#"{"productKey":"pk","productKey":"p2","deviceName":"dn"}"#,
                format_code,
            ),
            (r#"{"productKey":"pk","deviceName":"dn"} x"#, format_code),
            (r#"{"productKey":"pk","deviceName":"dn""#, format_code),
            (
                "{\"productKey\":\"pk\",\"deviceName\":\"dn\"}\0",
                format_code,
            ),
            (r#"{"productKey":"","deviceName":"dn"}"#, range_code),
            (r#"{"productKey":"pk","deviceName":""}"#, range_code),
            (r#"{"productKey":"p\u0000k","deviceName":"dn"}"#, range_code),
            (&long_pk, range_code),
            (&long_dn, range_code),
            (&huge, range_code),
            (&deep, format_code),
        ];
        for (payload, code) in cases {
            let refused = parse(payload.as_bytes()).expect_err(payload);
            assert_eq!(refused.code, *code, "{payload}");
        }
        assert!(parse(b"{\"productKey\":\"\xff\",\"deviceName\":\"dn\"}").is_err());
        // Also where nobody looks.
        assert!(parse(b"{\"productKey\":\"pk\",\"deviceName\":\"dn\",\"x\xff\":1}").is_err());
    }
}
