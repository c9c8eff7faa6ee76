//! What the cloud answers to a registration: parsed as JSON, every member checked before it is used.

use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::{Applicant, Granted, Group, Refused};
use crate::sign::{CLIENT_ID_MAX, DEVICE_SECRET_MAX, DEVICE_TOKEN_MAX};
use crate::state;

/// Longest text of the cloud handed on, bytes. A state event has room for 63.
const TEXT_MAX: usize = 256;

/// The members that are looked at. Numbers where texts belong, and the other way round, are refused
/// by the decoder, and so is a member given twice.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Members {
    product_key: Option<String>,
    device_name: Option<String>,
    device_secret: Option<Secret>,
    client_id: Option<String>,
    device_token: Option<Secret>,
}

/// A text that is wiped when dropped.
#[derive(Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The HTTPS answer around them.
#[derive(Deserialize)]
struct Envelope {
    code: i64,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    data: Option<Members>,
}

/// Reads the answer over HTTPS: `code` 200 and a device secret of `applicant`, or the refusal.
pub fn over_https(body: &[u8], applicant: &Applicant<'_>) -> Result<Granted, Refused> {
    let unusable = |text: &str| Err(invalid(Group::Http, text));
    let Some(text) = json_object(body) else {
        return unusable("the answer is not JSON");
    };
    let envelope: Envelope = match serde_json::from_str(text) {
        Ok(envelope) => envelope,
        Err(error) if error.is_data() => {
            return unusable("the answer lacks a member, or one has a wrong type");
        }
        Err(_) => return unusable("the answer is not JSON"),
    };
    if envelope.code != 200 {
        return Err(Refused::new(
            Group::Http,
            state::STATE_HTTP_DYNREG_FAIL_RESP,
            refusal(text, &envelope),
        ));
    }
    let Some(members) = envelope.data else {
        return unusable("the answer has no data");
    };
    secret(Group::Http, &members, applicant)
}

/// Reads the answer to `register` over MQTT: the device secret of `applicant`.
pub fn secret_over_mqtt(payload: &[u8], applicant: &Applicant<'_>) -> Result<Granted, Refused> {
    secret(Group::Mqtt, &members(payload)?, applicant)
}

/// Reads the answer to `regnwl` over MQTT: client id and device token of `applicant`.
pub fn token_over_mqtt(payload: &[u8], applicant: &Applicant<'_>) -> Result<Granted, Refused> {
    let members = members(payload)?;
    same_device(Group::Mqtt, &members, applicant)?;
    let client_id = members.client_id.as_deref().unwrap_or_default();
    let token = members.device_token.as_ref().map_or("", |token| &token.0);
    if !usable(client_id, CLIENT_ID_MAX) || !super::is_plain(client_id) {
        return Err(invalid(
            Group::Mqtt,
            "the answer has no client id of 1 to 64 characters",
        ));
    }
    if !usable(token, DEVICE_TOKEN_MAX) {
        return Err(invalid(
            Group::Mqtt,
            "the answer has no device token of 1 to 256 characters",
        ));
    }
    Ok(Granted::Token {
        client_id: client_id.to_owned(),
        token: Zeroizing::new(token.to_owned()),
    })
}

fn members(payload: &[u8]) -> Result<Members, Refused> {
    let Some(text) = json_object(payload) else {
        return Err(invalid(Group::Mqtt, "the answer is not JSON"));
    };
    serde_json::from_str(text).map_err(|error| {
        let text = match error.is_data() {
            true => "a member of the answer has a wrong type",
            false => "the answer is not JSON",
        };
        invalid(Group::Mqtt, text)
    })
}

fn secret(group: Group, members: &Members, applicant: &Applicant<'_>) -> Result<Granted, Refused> {
    same_device(group, members, applicant)?;
    let secret = members
        .device_secret
        .as_ref()
        .map_or("", |secret| &secret.0);
    if !usable(secret, DEVICE_SECRET_MAX) {
        return Err(invalid(
            group,
            "the answer has no device secret of 1 to 64 characters",
        ));
    }
    Ok(Granted::Secret(Zeroizing::new(secret.to_owned())))
}

/// Names, where present, must be those that were asked for.
fn same_device(group: Group, members: &Members, applicant: &Applicant<'_>) -> Result<(), Refused> {
    let other = |found: &Option<String>, own: &str| found.as_ref().is_some_and(|name| name != own);
    if other(&members.product_key, applicant.product_key)
        || other(&members.device_name, applicant.device_name)
    {
        return Err(invalid(group, "the answer is for another device"));
    }
    Ok(())
}

pub(super) fn usable(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn invalid(group: Group, text: &str) -> Refused {
    Refused::new(group, state::STATE_HTTP_DYNREG_INVALID_DS, text)
}

/// The text of a JSON object; the decoder would take a list of the members as well.
fn json_object(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (text.trim_ascii_start().as_bytes().first() == Some(&b'{')).then_some(text)
}

/// Whether a text speaks of what an answer may give out, so that its value may stand beside it.
fn names_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("devicesecret") || text.contains("devicetoken")
}

/// What the application is told of a refusal: the answer itself, unless a secret may be in it.
fn refusal(text: &str, envelope: &Envelope) -> String {
    let data = envelope.data.as_ref();
    let given =
        data.is_some_and(|data| data.device_secret.is_some() || data.device_token.is_some());
    let shown = if !given && !names_secret(text) {
        text.trim().to_owned()
    } else {
        match envelope.message.as_deref() {
            Some(message) if !names_secret(message) => format!("code {}: {message}", envelope.code),
            _ => format!("code {}", envelope.code),
        }
    };
    let shown = &shown[..shown.floor_char_boundary(TEXT_MAX)];
    shown
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::digest::hmac_sha256;

    fn applicant() -> Applicant<'static> {
        Applicant {
            product_key: "pk",
            product_secret: "ps",
            device_name: "dn",
            hmac: hmac_sha256,
        }
    }

    fn granted(result: Result<Granted, Refused>) -> Result<String, (i32, String)> {
        match result {
            Ok(Granted::Secret(secret)) => Ok(secret.to_string()),
            Ok(Granted::Token { client_id, token }) => Ok(format!("{client_id} {}", &*token)),
            Err(refused) => Err((refused.code, refused.text)),
        }
    }

    fn https(body: &str) -> Result<String, (i32, String)> {
        granted(over_https(body.as_bytes(), &applicant()))
    }

    #[test]
    fn good_answers() {
        for body in [
            r#"{"code":200,"data":{"productKey":"pk","deviceName":"dn","deviceSecret":"s"},"message":"success"}"#,
            "\r\n{ \"message\" : \"\\u0020\",\n\t\"data\" : {\"deviceSecret\" : \"s\"}, \"code\" : 200 }\n",
            r#"{"data":{"deviceSecret":"s","x":{"deviceSecret":1}},"deviceSecret":2,"code":200}"#,
        ] {
            assert_eq!(https(body).as_deref(), Ok("s"), "{body}");
        }
        let longest = "x".repeat(64);
        let body = format!(r#"{{"code":200,"data":{{"deviceSecret":"{longest}"}}}}"#);
        assert_eq!(https(&body), Ok(longest));
        let token = br#"{"productKey":"pk","deviceName":"dn","clientId":"c","deviceToken":"t"}"#;
        assert_eq!(
            granted(token_over_mqtt(token, &applicant())).as_deref(),
            Ok("c t")
        );
    }

    #[test]
    fn bad_answers_give_nothing() {
        let data = |data: &str| format!(r#"{{"code":200,"data":{data}}}"#);
        let long = format!(r#"{{"deviceSecret":"{}"}}"#, "x".repeat(65));
        for body in [
            String::new(),
            "null".into(),
            r#"[200,null,{"deviceSecret":"s"}]"#.into(),
            r#"{"code":"200","data":{"deviceSecret":"s"}}"#.into(),
            r#"{"code":200.5,"data":{"deviceSecret":"s"}}"#.into(),
            r#"{"data":{"deviceSecret":"s"}}"#.into(),
            r#"{"code":200,"code":200,"data":{"deviceSecret":"s"}}"#.into(),
            r#"{"code":200}"#.into(),
            r#"{"code":200,"data":{"deviceSecret":"s"}"#.into(),
            r#"{"code":200,"data":{"deviceSecret":"s"}} x"#.into(),
            data("[]"),
            data("{}"),
            data("\"s\""),
            data(r#"{"deviceSecret":""}"#),
            data(r#"{"deviceSecret":1}"#),
            data(r#"{"deviceSecret":null}"#),
            data(r#"{"deviceSecret":["s"]}"#),
            data(r#"{"deviceSecret":"s\u0000t"}"#),
            data(r#"{"deviceSecret":"s\nt"}"#),
            data(r#"{"productKey":"other","deviceSecret":"s"}"#),
            data(r#"{"deviceName":"other","deviceSecret":"s"}"#),
            data(r#"{"deviceName":7,"deviceSecret":"s"}"#),
            data(&long),
            "{\"a\":".repeat(100_000),
        ] {
            let refused = https(&body).expect_err(&body);
            assert_eq!(refused.0, state::STATE_HTTP_DYNREG_INVALID_DS, "{body}");
        }
        for payload in [
            r#"{"clientId":"c"}"#,
            r#"{"deviceToken":"t"}"#,
            r#"{"clientId":"a|b","deviceToken":"t"}"#,
            r#"{"clientId":"c","deviceToken":"t\u0007"}"#,
            r#"{"productKey":"x","clientId":"c","deviceToken":"t"}"#,
            r#"{"clientId":1,"deviceToken":"t"}"#,
        ] {
            assert!(
                token_over_mqtt(payload.as_bytes(), &applicant()).is_err(),
                "{payload}"
            );
        }
    }

    #[test]
    fn a_refusal_is_handed_on_without_secrets() {
        let code = state::STATE_HTTP_DYNREG_FAIL_RESP;
        let body = r#"{"code":6288,"message":"100%s%n"}"#;
        assert_eq!(https(body), Err((code, body.to_owned())));
        let body = r#"{"code":6100,"data":{},"message":"the device has no secret"}"#;
        assert_eq!(https(body), Err((code, body.to_owned())));
        let body = r#"{"code":5,"message":"no","data":{"device\u0053ecret":"s3cr"}}"#;
        assert_eq!(https(body), Err((code, "code 5: no".to_owned())));
        let body = r#"{"code":5,"message":"no","data":{"deviceSecret":"s3cr"}}"#;
        assert_eq!(https(body), Err((code, "code 5: no".to_owned())));
        let body = r#"{"code":5,"message":"the deviceSecret is s3cr"}"#;
        assert_eq!(https(body), Err((code, "code 5".to_owned())));
        let body = format!("{{\"code\":5,\n\"message\":\"{}\"}}", "é".repeat(500));
        let (_, text) = https(&body).expect_err("refused");
        assert!(
            text.len() <= TEXT_MAX && text.starts_with("{\"code\":5, "),
            "{text}"
        );
    }
}
