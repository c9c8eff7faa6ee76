//! Answers to a registration: the HTTP decoder gives the same however the bytes are cut and never more than
//! its limit, what it decodes is what was framed, and what is granted is what the JSON says.

use iotx::services::dynreg::answer::{over_https, secret_over_mqtt, token_over_mqtt};
use iotx::services::dynreg::{Applicant, Granted};
use iotx::services::http::{Decoder, Limits, Malformed, Response};
use iotx::sign::hmac_sha256;
use serde_json::Value;

use super::super::input::Input;

const BODY_MAX: usize = 512;

pub fn run(data: &[u8]) {
    let whole = decode(data, |left, _| left);
    assert_eq!(decode(data, |_, _| 1), whole);
    assert_eq!(decode(data, |_, decoder| decoder.wanted()), whole);
    if let Ok(response) = &whole {
        assert!((200..=599).contains(&response.status) && response.body.len() <= BODY_MAX);
        answers(&response.body);
    }
    answers(data);
    framed(data);
}

fn decode(mut bytes: &[u8], size: fn(usize, &Decoder) -> usize) -> Result<Response, Malformed> {
    let mut decoder = Decoder::new(Limits { body: BODY_MAX });
    while !bytes.is_empty() && !decoder.is_done() {
        let (now, rest) = bytes.split_at(size(bytes.len(), &decoder).min(bytes.len()));
        assert!(!now.is_empty(), "nothing is asked for");
        decoder.receive(now)?;
        bytes = rest;
    }
    decoder.closed()
}

/// A body in each framing comes out as it went in, and the exact-count reader is asked for no byte too many.
fn framed(data: &[u8]) {
    let mut input = Input::new(data);
    let chunk = usize::from(input.byte()).max(1);
    let body = input.rest();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for part in body.chunks(chunk) {
        chunked.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        chunked.extend_from_slice(part);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let counted = [head.as_bytes(), body].concat();
    let until_close = [b"HTTP/1.1 200 OK\r\n\r\n", body].concat();
    for (bytes, ends_itself) in [(chunked, true), (counted, true), (until_close, false)] {
        let mut decoder = Decoder::new(Limits { body: BODY_MAX });
        let mut left = &bytes[..];
        let result = loop {
            if left.is_empty() || decoder.is_done() {
                break decoder.closed();
            }
            let wanted = decoder.wanted();
            assert!(
                !ends_itself || body.len() > BODY_MAX || wanted <= left.len(),
                "over-asked"
            );
            let (now, rest) = left.split_at(wanted.min(left.len()));
            if let Err(malformed) = decoder.receive(now) {
                break Err(malformed);
            }
            left = rest;
        };
        match result {
            Ok(response) => assert_eq!(&response.body[..], body),
            Err(malformed) => {
                assert!(malformed == Malformed::BodyTooLarge && body.len() > BODY_MAX);
            }
        }
    }
}

fn answers(bytes: &[u8]) {
    let applicant = Applicant {
        product_key: "pk",
        product_secret: "ps",
        device_name: "dn",
        hmac: hmac_sha256,
    };
    match over_https(bytes, &applicant) {
        Ok(granted) => {
            let value: Value = serde_json::from_slice(bytes).expect("JSON");
            assert_eq!(value["code"], 200);
            check(&granted, &value["data"]);
        }
        Err(refused) => {
            assert!(refused.text.len() <= 512 && !refused.text.contains(char::is_control));
        }
    }
    for read in [secret_over_mqtt, token_over_mqtt] {
        if let Ok(granted) = read(bytes, &applicant) {
            check(&granted, &serde_json::from_slice(bytes).expect("JSON"));
        }
    }
}

fn check(granted: &Granted, members: &Value) {
    for (name, own) in [("productKey", "pk"), ("deviceName", "dn")] {
        assert!(members[name].is_null() || members[name] == own);
    }
    let legal =
        |text: &str, max| (1..=max).contains(&text.len()) && !text.contains(char::is_control);
    match granted {
        Granted::Secret(secret) => {
            assert!(members["deviceSecret"] == secret.as_str() && legal(secret, 64));
        }
        Granted::Token { client_id, token } => {
            assert!(members["clientId"] == client_id.as_str() && legal(client_id, 64));
            assert!(members["deviceToken"] == token.as_str() && legal(token, 256));
        }
    }
}
