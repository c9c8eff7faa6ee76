//! JSON text as slices of the caller's buffer: what `infra_cjson.h` and `infra_json_parser.h` hand out.
//!
//! serde_json does the scanning, without recursion; nothing is copied or unescaped. Text that is not
//! JSON (RFC 8259) or not UTF-8, and values nested deeper than [`DEPTH`], are refused.

use std::fmt;
use std::ops::ControlFlow;

use serde::Deserializer as _;
use serde::de::{Deserialize, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Deepest nesting accepted, `LITE_CJSON_NESTING_LIMIT`.
pub(super) const DEPTH: usize = 1000;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    False,
    True,
    Null,
    Number,
    String,
    Array,
    Object,
}

/// One value inside the text it was read from.
#[derive(Clone, Copy)]
pub(super) struct Slice<'a> {
    pub(super) kind: Kind,
    /// The value as written; a string without its quotation marks, escapes untouched.
    pub(super) text: &'a str,
}

impl<'a> Slice<'a> {
    fn new(raw: &'a RawValue) -> Option<Self> {
        let text = raw.get();
        let kind = match text.as_bytes().first()? {
            b'f' => Kind::False,
            b't' => Kind::True,
            b'n' => Kind::Null,
            b'"' => Kind::String,
            b'[' => Kind::Array,
            b'{' => Kind::Object,
            _ => Kind::Number,
        };
        let text = match kind {
            Kind::String => text.get(1..text.len() - 1)?,
            _ => text,
        };
        Some(Slice { kind, text })
    }

    /// The elements of an array or members of an object; 0 for other values.
    pub(super) fn size(&self) -> usize {
        let mut size = 0;
        match self.kind {
            Kind::Array => elements(self.text.as_bytes(), |_| {
                size += 1;
                ControlFlow::Continue(())
            }),
            Kind::Object => members(self.text.as_bytes(), |_, _| {
                size += 1;
                ControlFlow::Continue(())
            }),
            _ => {}
        }
        size
    }
}

/// The first value in `text`; what follows it is not looked at. Control characters before it count as
/// blanks, and a byte order mark is skipped.
pub(super) fn first(text: &[u8]) -> Option<Slice<'_>> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let blanks = text.iter().take_while(|&&byte| byte <= b' ').count();
    let mut reader = serde_json::Deserializer::from_slice(&text[blanks..]);
    let raw = <&RawValue>::deserialize(&mut reader).ok()?;
    if depth(raw.get()) > DEPTH {
        return None;
    }
    Slice::new(raw)
}

/// How deep the arrays and objects of valid JSON nest.
fn depth(json: &str) -> usize {
    let (mut now, mut deepest) = (0usize, 0);
    let mut in_string = false;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            // Inside a string only; the escaped byte may be a quotation mark.
            b'\\' => {
                bytes.next();
            }
            b'[' | b'{' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Calls `each` with the elements of the array `json` in order, until it breaks or the text ends.
pub(super) fn elements<'a>(json: &'a [u8], each: impl FnMut(Slice<'a>) -> ControlFlow<()>) {
    let mut reader = serde_json::Deserializer::from_slice(json);
    // An error is a break, or the end of text that is no array.
    let _ = reader.deserialize_seq(Elements(each));
}

/// Calls `each` with key and value of the members of the object `json` in order, until it breaks or
/// the text ends.
pub(super) fn members<'a>(
    json: &'a [u8],
    each: impl FnMut(Slice<'a>, Slice<'a>) -> ControlFlow<()>,
) {
    let mut reader = serde_json::Deserializer::from_slice(json);
    // As in `elements`.
    let _ = reader.deserialize_map(Members(each));
}

struct Elements<F>(F);

impl<'a, F: FnMut(Slice<'a>) -> ControlFlow<()>> Visitor<'a> for Elements<F> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut array: A) -> Result<(), A::Error> {
        while let Some(raw) = array.next_element::<&RawValue>()? {
            if Slice::new(raw).is_none_or(|value| (self.0)(value).is_break()) {
                break;
            }
        }
        Ok(())
    }
}

struct Members<F>(F);

impl<'a, F: FnMut(Slice<'a>, Slice<'a>) -> ControlFlow<()>> Visitor<'a> for Members<F> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some((key, value)) = object.next_entry::<&RawValue, &RawValue>()? {
            let (Some(key), Some(value)) = (Slice::new(key), Slice::new(value)) else {
                break;
            };
            if (self.0)(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The value of the member `key` of the object `json`, compared as written; the first if there are
/// several.
pub(super) fn member<'a>(json: &'a [u8], key: &[u8]) -> Option<Slice<'a>> {
    let mut found = None;
    members(json, |name, value| {
        if name.text.as_bytes() == key {
            found = Some(value);
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    found
}

/// The element `index` of the array `json`.
pub(super) fn element(json: &[u8], index: usize) -> Option<Slice<'_>> {
    let mut left = index;
    let mut found = None;
    elements(json, |value| match left.checked_sub(1) {
        Some(fewer) => {
            left = fewer;
            ControlFlow::Continue(())
        }
        None => {
            found = Some(value);
            ControlFlow::Break(())
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<(Kind, &str)> {
        first(json.as_bytes()).map(|value| (value.kind, value.text))
    }

    #[test]
    fn takes_the_first_value_only() {
        assert_eq!(text(" {\"a\":1} tail"), Some((Kind::Object, "{\"a\":1}")));
        assert_eq!(text("\0\r\n-1.5e3,"), Some((Kind::Number, "-1.5e3")));
        assert_eq!(text("\u{feff}\"a\\\"b\"x"), Some((Kind::String, "a\\\"b")));
        assert_eq!(text("true}"), Some((Kind::True, "true")));
        assert_eq!(text("\"\""), Some((Kind::String, "")));
    }

    #[test]
    fn refuses_what_is_no_json() {
        for json in [
            "", " ", "{", "[1,", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"a", "\"\\x\"", "nul",
            "-", "01a\"", "[\"\0\"]", "]",
        ] {
            // A leading zero ends the number 0 for some parsers; here it is an error.
            assert_eq!(text(json), None, "{json:?}");
        }
        assert!(first(b"\"\xff\"").is_none());
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(first(nested(DEPTH).as_bytes()).is_some());
        assert!(first(nested(DEPTH + 1).as_bytes()).is_none());
        assert!(first(nested(1_000_000).as_bytes()).is_none());
        assert_eq!(depth(r#"["[[[\"[","a",{"b":[]}]"#), 3);
    }

    #[test]
    fn finds_members_and_elements() {
        let json = br#" {"a":[1,"two",{"b":null}], "e\u0041":false ,"a":2}"#;
        let object = first(json).expect("valid");
        assert_eq!(object.size(), 3);
        let array = member(json, b"a").expect("there");
        assert_eq!((array.kind, array.size()), (Kind::Array, 3));
        assert_eq!(
            member(json, br"e\u0041").map(|value| value.kind),
            Some(Kind::False)
        );
        assert!(member(json, b"eA").is_none());
        let at = |index| element(array.text.as_bytes(), index).map(|value| value.text);
        assert_eq!(
            [at(0), at(1), at(2), at(3)],
            [Some("1"), Some("two"), Some("{\"b\":null}"), None]
        );
        assert!(element(json, 0).is_none());
        assert!(member(b"[1]", b"a").is_none());
    }
}
