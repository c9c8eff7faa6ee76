//! Topic names and filters (MQTT 3.1.1 §4.7 under the SDK's tighter rules, spec mqtt-session.md
//! §9 and §11).

use crate::state;

/// Longest topic name or filter, bytes.
pub const TOPIC_MAX: usize = 128;

/// Checks a topic name to publish to.
///
/// Errors: `STATE_MQTT_UNEXP_TOPIC_FORMAT`, `STATE_MQTT_TOPIC_BUF_TOO_SHORT` (over 128 bytes),
/// `STATE_USER_INPUT_INVALID` ("/" or "//").
pub fn check_name(topic: &[u8]) -> Result<(), i32> {
    check_common(topic)?;
    check_no_wildcard(topic)
}

fn check_no_wildcard(topic: &[u8]) -> Result<(), i32> {
    if has(topic, |b| matches!(b, b'+' | b'#')) {
        return Err(state::STATE_MQTT_UNEXP_TOPIC_FORMAT);
    }
    Ok(())
}

/// Checks a topic filter to subscribe to or unsubscribe from. Errors as [`check_name`].
///
/// A wildcard must be a whole level, and `#` the last one.
pub fn check_filter(filter: &[u8]) -> Result<(), i32> {
    check_common(filter)?;
    check_wildcards(filter)
}

fn check_wildcards(filter: &[u8]) -> Result<(), i32> {
    let mut levels = filter.split(|b| *b == b'/').peekable();
    while let Some(level) = levels.next() {
        let wild = level.iter().any(|b| matches!(b, b'+' | b'#'));
        let whole = matches!(level, b"+") || (level == b"#" && levels.peek().is_none());
        if wild && !whole {
            return Err(state::STATE_MQTT_UNEXP_TOPIC_FORMAT);
        }
    }
    Ok(())
}

fn check_common(topic: &[u8]) -> Result<(), i32> {
    if topic.first() != Some(&b'/') {
        return Err(state::STATE_MQTT_UNEXP_TOPIC_FORMAT);
    }
    if topic.len() > TOPIC_MAX {
        return Err(state::STATE_MQTT_TOPIC_BUF_TOO_SHORT);
    }
    if topic == b"/" || topic == b"//" {
        return Err(state::STATE_USER_INPUT_INVALID);
    }
    if has(topic, |b| !(32..=126).contains(&b)) {
        return Err(state::STATE_MQTT_UNEXP_TOPIC_FORMAT);
    }
    Ok(())
}

/// Whether a byte is `bad`. Looks at all of them, which the compiler does many at a time; a search
/// that stops at the first goes byte by byte.
fn has(topic: &[u8], bad: impl Fn(u8) -> bool) -> bool {
    topic.iter().fold(false, |any, byte| any | bad(*byte))
}

/// Which topics and filters a client accepts of its application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rules {
    /// Those of the Link SDK: [`check_name`], [`check_filter`].
    #[default]
    LinkSdk,
    /// Those of MQTT 3.1.1 alone, §4.7: UTF-8 of 1 to 65535 bytes without NUL, wildcards in
    /// filters only and as whole levels.
    Standard,
}

impl Rules {
    /// Checks a topic name to publish to.
    ///
    /// Errors by the standard alone: `STATE_USER_INPUT_INVALID` (empty),
    /// `STATE_USER_INPUT_OUT_RANGE` (too long), `STATE_MQTT_UNEXP_TOPIC_FORMAT`.
    pub fn check_name(self, topic: &[u8]) -> Result<(), i32> {
        match self {
            Rules::LinkSdk => check_name(topic),
            Rules::Standard => {
                check_standard(topic)?;
                check_no_wildcard(topic)
            }
        }
    }

    /// Checks a topic filter. Errors as [`Rules::check_name`].
    pub fn check_filter(self, filter: &[u8]) -> Result<(), i32> {
        match self {
            Rules::LinkSdk => check_filter(filter),
            Rules::Standard => {
                check_standard(filter)?;
                check_wildcards(filter)
            }
        }
    }
}

fn check_standard(topic: &[u8]) -> Result<(), i32> {
    if topic.is_empty() {
        return Err(state::STATE_USER_INPUT_INVALID);
    }
    if topic.len() > usize::from(u16::MAX) {
        return Err(state::STATE_USER_INPUT_OUT_RANGE);
    }
    if topic.contains(&0) || std::str::from_utf8(topic).is_err() {
        return Err(state::STATE_MQTT_UNEXP_TOPIC_FORMAT);
    }
    Ok(())
}

/// Whether `filter` matches `topic` (MQTT 3.1.1 §4.7.1). A leading wildcard does not match a topic
/// that begins with `$` (§4.7.2).
pub fn matches(filter: &[u8], topic: &[u8]) -> bool {
    if topic.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#')) {
        return false;
    }
    // Most filters are plain names; comparing them whole is the fast path.
    if filter == topic {
        return true;
    }
    let mut topic_levels = topic.split(|b| *b == b'/');
    for level in filter.split(|b| *b == b'/') {
        match level {
            // `#` also matches the parent level itself, so an exhausted topic is fine.
            b"#" => return true,
            b"+" if topic_levels.next().is_some() => {}
            b"+" => return false,
            _ if topic_levels.next() == Some(level) => {}
            _ => return false,
        }
    }
    topic_levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{
        STATE_MQTT_TOPIC_BUF_TOO_SHORT as LONG, STATE_MQTT_UNEXP_TOPIC_FORMAT as FORMAT,
        STATE_USER_INPUT_INVALID as INVALID,
    };

    #[test]
    fn names_follow_the_rules() {
        let longest = format!("/{}", "a".repeat(127));
        let too_long = format!("/{}", "a".repeat(128));
        let cases: &[(&str, Result<(), i32>)] = &[
            ("/a", Ok(())),
            ("/a/b c/~", Ok(())),
            ("//a", Ok(())),
            ("/a/", Ok(())),
            (&longest, Ok(())),
            (&too_long, Err(LONG)),
            ("a", Err(FORMAT)),
            ("", Err(FORMAT)),
            ("/", Err(INVALID)),
            ("//", Err(INVALID)),
            ("/a/+", Err(FORMAT)),
            ("/a/#", Err(FORMAT)),
            ("/a+", Err(FORMAT)),
            ("/a\n", Err(FORMAT)),
            ("/\u{e4}", Err(FORMAT)),
            ("/a\u{7f}", Err(FORMAT)),
        ];
        for (topic, want) in cases {
            assert_eq!(check_name(topic.as_bytes()), *want, "{topic}");
        }
    }

    #[test]
    fn filters_follow_the_rules() {
        let last_byte_bad = format!("/{}\u{7f}", "a".repeat(126));
        let cases: &[(&str, Result<(), i32>)] = &[
            ("/+", Ok(())),
            ("/#", Ok(())),
            ("/a/+/c", Ok(())),
            ("/a/+/#", Ok(())),
            ("/#/#", Err(FORMAT)),
            ("/#/a", Err(FORMAT)),
            ("/a+", Err(FORMAT)),
            ("/a#", Err(FORMAT)),
            ("/a/b+/c", Err(FORMAT)),
            ("/++", Err(FORMAT)),
            ("#", Err(FORMAT)),
            ("+/a", Err(FORMAT)),
            (&last_byte_bad, Err(FORMAT)),
        ];
        for (filter, want) in cases {
            assert_eq!(check_filter(filter.as_bytes()), *want, "{filter}");
        }
    }

    #[test]
    fn the_standard_alone_allows_more() {
        let long = "a".repeat(65_535);
        let too_long = "a".repeat(65_536);
        let names: &[(&str, Result<(), i32>)] = &[
            ("a", Ok(())),
            ("/", Ok(())),
            ("home/\u{e4}", Ok(())),
            (&long, Ok(())),
            (&too_long, Err(state::STATE_USER_INPUT_OUT_RANGE)),
            ("", Err(INVALID)),
            ("a/+", Err(FORMAT)),
            ("#", Err(FORMAT)),
            ("a\0", Err(FORMAT)),
        ];
        for (topic, want) in names {
            assert_eq!(
                Rules::Standard.check_name(topic.as_bytes()),
                *want,
                "{topic}"
            );
        }
        assert_eq!(Rules::Standard.check_name(b"a\xff"), Err(FORMAT));
        let filters: &[(&str, Result<(), i32>)] = &[
            ("#", Ok(())),
            ("+/a/#", Ok(())),
            ("", Err(INVALID)),
            ("a#", Err(FORMAT)),
            ("#/a", Err(FORMAT)),
        ];
        for (filter, want) in filters {
            assert_eq!(
                Rules::Standard.check_filter(filter.as_bytes()),
                *want,
                "{filter}"
            );
        }
        assert_eq!(Rules::LinkSdk.check_name(b"a"), Err(FORMAT));
        assert_eq!(Rules::LinkSdk.check_filter(b"#"), Err(FORMAT));
    }

    #[test]
    fn matching_follows_the_standard() {
        let cases = [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/B", false),
            ("/a/b", "/a/b/c", false),
            ("/a/+", "/a/b", true),
            ("/a/+", "/a/", true),
            ("/a/+", "/a", false),
            ("/a/+", "/a/b/c", false),
            ("/+/b", "/a/b", true),
            ("/+/b", "//b", true),
            ("/a/#", "/a", true),
            ("/a/#", "/a/", true),
            ("/a/#", "/a/b/c", true),
            ("/a/#", "/ab", false),
            ("/#", "/a/", true),
            ("/#", "/", true),
            ("/a/+/#", "/a/b", true),
            ("/a/+/#", "/a", false),
            ("/a", "/a/", false),
            ("#", "a", true),
            ("+", "a", true),
            ("+", "/a", false),
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
            ("$SYS/+", "$SYS/a", true),
        ];
        for (filter, topic, want) in cases {
            assert_eq!(
                matches(filter.as_bytes(), topic.as_bytes()),
                want,
                "{filter} {topic}"
            );
        }
    }
}
