//! Rules for topic names and filters, and matching, against a reference that is as plain as the rules.

use iotx::mqtt::topic::{self, Rules};
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
    for text in [first, second] {
        let legal = standard(text, false);
        assert_eq!(Rules::Standard.check_name(text).is_ok(), legal, "{text:?}");
        let legal = standard(text, true);
        assert_eq!(
            Rules::Standard.check_filter(text).is_ok(),
            legal,
            "{text:?}"
        );
    }
    // Filters that pass the check are the only ones that a client asks about; a server may send any name.
    if Rules::Standard.check_filter(first).is_ok() {
        assert_eq!(
            topic::matches(first, second),
            reference::matches(first, second),
            "{first:?} {second:?}"
        );
    }
}

/// MQTT 3.1.1 §4.7: one level after the other.
fn standard(text: &[u8], filter: bool) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let levels: Vec<&str> = text.split('/').collect();
    let last = levels.len() - 1;
    let legal = |(at, level): (usize, &&str)| match *level {
        "+" => filter,
        "#" => filter && at == last,
        level => !level.contains(['+', '#', '\0']),
    };
    !text.is_empty() && text.len() <= 65_535 && levels.iter().enumerate().all(legal)
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
