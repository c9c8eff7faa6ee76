//! Rules for topic names and filters, and matching, against a reference that is as plain as the rules.

use iotx::mqtt::topic;
use iotx::state::{
    STATE_MQTT_TOPIC_BUF_TOO_SHORT, STATE_MQTT_UNEXP_TOPIC_FORMAT, STATE_USER_INPUT_INVALID,
};

use super::super::input::Input;
use super::super::reference;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let first = input.block();
    let second = input.rest();
    for text in [first, second] {
        assert_eq!(topic::check_name(text), expected(text, false), "{text:?}");
        assert_eq!(topic::check_filter(text), expected(text, true), "{text:?}");
    }
    // Names that pass the check are the only ones that a client asks about, but a server may send others.
    if topic::check_filter(first).is_ok() {
        assert_eq!(
            topic::matches(first, second),
            reference::matches(first, second),
            "{first:?} {second:?}"
        );
    }
}

fn expected(text: &[u8], filter: bool) -> Result<(), i32> {
    if text.is_empty() || text[0] != b'/' {
        return Err(STATE_MQTT_UNEXP_TOPIC_FORMAT);
    }
    if text.len() > 128 {
        return Err(STATE_MQTT_TOPIC_BUF_TOO_SHORT);
    }
    if text.iter().all(|byte| *byte == b'/') && text.len() < 3 {
        return Err(STATE_USER_INPUT_INVALID);
    }
    for (at, byte) in text.iter().enumerate() {
        let alone = text[at - usize::from(at > 0)] == b'/' && at > 0;
        let ends_level = text.get(at + 1).is_none_or(|next| *next == b'/');
        let legal = match byte {
            b'+' => filter && alone && ends_level,
            b'#' => filter && alone && at + 1 == text.len(),
            b' '..=b'~' => true,
            _ => false,
        };
        if !legal {
            return Err(STATE_MQTT_UNEXP_TOPIC_FORMAT);
        }
    }
    Ok(())
}
