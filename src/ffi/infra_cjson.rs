//! The reading half of `infra_cjson.h`: values as slices of the caller's buffer, nothing owned.
//!
//! The `value` of a [`lite_cjson_t`] points into the text that was parsed, is not terminated and lasts as
//! long as that text. Every lookup scans the value again. Strings and keys stay as written, with their
//! escapes. The shim defines the public names weakly on top of these.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_double, c_int};
use std::ops::ControlFlow;
use std::ptr;

use super::barrier::guard;
use super::cstr;
use super::json_slices::{self, Kind, Slice};

const INVALID: c_int = 0;
pub(super) const FALSE: c_int = 1 << 0;
pub(super) const TRUE: c_int = 1 << 1;
pub(super) const NULL: c_int = 1 << 2;
pub(super) const NUMBER: c_int = 1 << 3;
pub(super) const STRING: c_int = 1 << 4;
pub(super) const ARRAY: c_int = 1 << 5;
pub(super) const OBJECT: c_int = 1 << 6;

/// `lite_cjson_t`: a value that was parsed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lite_cjson_t {
    /// One of the `cJSON_*` types.
    pub r#type: c_int,
    /// Where the value stands in the parsed text; a string behind its quotation mark.
    pub value: *mut c_char,
    /// Length of the value in bytes; of a string without its quotation marks.
    pub value_length: c_int,
    /// Elements of an array, members of an object.
    pub size: c_int,
    /// A number.
    pub value_double: c_double,
    /// A number cut to an integer, at most `INT_MAX` and at least `INT_MIN`.
    pub value_int: c_int,
}

/// Text of the caller's with the pointer it came by: results are offsets of that pointer.
#[derive(Clone, Copy)]
struct Source<'a> {
    start: *mut c_char,
    text: &'a [u8],
}

impl<'a> Source<'a> {
    /// `None` for NULL or a length below 1.
    ///
    /// # Safety
    /// `start` is NULL or has `len` readable bytes that do not change during the call.
    unsafe fn new(start: *const c_char, len: c_int) -> Option<Self> {
        let len = usize::try_from(len).ok().filter(|len| *len > 0)?;
        // SAFETY: the caller's promise.
        let text = unsafe { cstr::bytes(start.cast(), len) }?;
        Some(Source {
            start: start.cast_mut(),
            text,
        })
    }

    /// The text of `of`, if it is of the type `wanted`.
    ///
    /// # Safety
    /// `of` was filled by a call of this file, and its text is still there unchanged.
    unsafe fn of(of: &lite_cjson_t, wanted: c_int) -> Option<Self> {
        if of.r#type != wanted || of.size <= 0 {
            return None;
        }
        // SAFETY: the caller's promise: the two members describe readable text.
        unsafe { Source::new(of.value, of.value_length) }
    }

    /// The C form of a value inside this text.
    fn item(&self, value: &Slice<'_>) -> lite_cjson_t {
        let number: f64 = match value.kind {
            // The grammar of JSON numbers is part of Rust's; too large a number becomes infinite.
            Kind::Number => value.text.parse().unwrap_or(0.0),
            _ => 0.0,
        };
        let at = value.text.as_ptr().addr() - self.text.as_ptr().addr();
        lite_cjson_t {
            r#type: match value.kind {
                Kind::False => FALSE,
                Kind::True => TRUE,
                Kind::Null => NULL,
                Kind::Number => NUMBER,
                Kind::String => STRING,
                Kind::Array => ARRAY,
                Kind::Object => OBJECT,
            },
            value: self.start.wrapping_add(at),
            // The whole text has the length of an int, so its parts fit.
            value_length: value.text.len() as c_int,
            size: value.size() as c_int,
            value_double: number,
            // Saturates.
            value_int: number as c_int,
        }
    }
}

/// # Safety
/// `of` is NULL or was filled by a call of this file, and its text is still there unchanged.
unsafe fn read(of: *const lite_cjson_t) -> Option<lite_cjson_t> {
    // SAFETY: the caller's promise; NULL becomes None. The copy allows source and result to be one.
    unsafe { of.as_ref() }.copied()
}

/// Parses the first value in the `src_len` bytes at `src`; text behind it is ignored. Returns 0, or -1
/// for NULL, a length below 1, text that is not JSON or nests deeper than 1000, and then leaves an
/// invalid `lite`.
///
/// # Safety
/// `src` is NULL or has `src_len` readable bytes, which `lite` then refers to; `lite` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_parse(
    src: *const c_char,
    src_len: c_int,
    lite: *mut lite_cjson_t,
) -> c_int {
    guard(-1, || {
        if lite.is_null() {
            return -1;
        }
        // SAFETY: the caller's promise.
        let source = unsafe { Source::new(src, src_len) };
        let item = source
            .and_then(|source| json_slices::first(source.text).map(|value| source.item(&value)));
        let (item, result) = match item {
            Some(item) => (item, 0),
            None => (
                lite_cjson_t {
                    r#type: INVALID,
                    value: ptr::null_mut(),
                    value_length: 0,
                    size: 0,
                    value_double: 0.0,
                    value_int: 0,
                },
                -1,
            ),
        };
        // SAFETY: not NULL, and the caller promises it writable.
        unsafe { lite.write(item) };
        result
    })
}

/// Writes one exported question about the type per line.
macro_rules! questions {
    ($($function:ident $kind:ident;)+) => {
        $(
            /// 1 if the value is of the type in the name, 0 if not, -1 for NULL.
            ///
            /// # Safety
            /// `lite` is NULL or readable.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $function(lite: *mut lite_cjson_t) -> c_int {
                // SAFETY: the caller's promise.
                let item = unsafe { lite.as_ref() };
                item.map_or(-1, |item| (item.r#type & 0xFF == $kind).into())
            }
        )+
    };
}

questions! {
    iotx_port_cjson_is_false FALSE;
    iotx_port_cjson_is_true TRUE;
    iotx_port_cjson_is_null NULL;
    iotx_port_cjson_is_number NUMBER;
    iotx_port_cjson_is_string STRING;
    iotx_port_cjson_is_array ARRAY;
    iotx_port_cjson_is_object OBJECT;
}

/// The element `index` (from 0) of an array. Returns 0, or -1 when there is none, and then leaves
/// `lite_item` alone. The two pointers may be the same.
///
/// # Safety
/// `lite` is NULL or was filled by a call of this file, and its text is still there; `lite_item` is NULL
/// or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_array_item(
    lite: *mut lite_cjson_t,
    index: c_int,
    lite_item: *mut lite_cjson_t,
) -> c_int {
    guard(-1, || {
        // SAFETY: the caller's promise.
        let item = unsafe { read(lite).and_then(|array| element(&array, index)) };
        // SAFETY: the caller's promise.
        unsafe { answer(item, lite_item) }
    })
}

/// # Safety
/// `lite_item` is NULL or writable.
unsafe fn answer(item: Option<lite_cjson_t>, lite_item: *mut lite_cjson_t) -> c_int {
    match item {
        Some(item) if !lite_item.is_null() => {
            // SAFETY: not NULL, and the caller promises it writable.
            unsafe { lite_item.write(item) };
            0
        }
        _ => -1,
    }
}

/// # Safety
/// As for [`Source::of`].
unsafe fn element(array: &lite_cjson_t, index: c_int) -> Option<lite_cjson_t> {
    // SAFETY: the caller's promise.
    let source = unsafe { Source::of(array, ARRAY) }?;
    let value = json_slices::element(source.text, usize::try_from(index).ok()?)?;
    Some(source.item(&value))
}

/// # Safety
/// As for [`Source::of`].
unsafe fn member(object: &lite_cjson_t, key: &[u8]) -> Option<lite_cjson_t> {
    if key.is_empty() {
        return None;
    }
    // SAFETY: the caller's promise.
    let source = unsafe { Source::of(object, OBJECT) }?;
    let value = json_slices::member(source.text, key)?;
    Some(source.item(&value))
}

/// Name and index of a step `name[index]`; `None` for anything else.
fn indexed(step: &[u8]) -> Option<(&[u8], c_int)> {
    let step = step.strip_suffix(b"]")?;
    let bracket = step.iter().position(|byte| *byte == b'[')?;
    let digits = &step[bracket + 1..];
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let index = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((&step[..bracket], index))
}

/// The value that `key` leads to from an object: names joined by dots, an array element by `[index]`
/// (from 0) behind the name, e.g. `params.list[2].id`. Returns 0, or -1 when there is none, and then
/// leaves `lite_item` alone. The two pointers may be the same.
///
/// # Safety
/// `lite` is NULL or was filled by a call of this file, and its text is still there; `key` is NULL or has
/// `key_len` readable bytes; `lite_item` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_object_item(
    lite: *mut lite_cjson_t,
    key: *const c_char,
    key_len: c_int,
    lite_item: *mut lite_cjson_t,
) -> c_int {
    guard(-1, || {
        // SAFETY: the caller's promise.
        let (object, key) = unsafe { (read(lite), Source::new(key, key_len)) };
        let (Some(object), Some(key)) = (object, key) else {
            return -1;
        };
        let item = key
            .text
            .split(|byte| *byte == b'.')
            // SAFETY: `object` is the caller's, and each step leads to a part of the same text.
            .try_fold(object, |from, step| unsafe {
                match indexed(step) {
                    Some((name, index)) => {
                        member(&from, name).and_then(|array| element(&array, index))
                    }
                    None => member(&from, step),
                }
            });
        // SAFETY: the caller's promise.
        unsafe { answer(item, lite_item) }
    })
}

/// Key and value of the member `index` (from 0) of an object; either result pointer may be NULL. Returns
/// 0, or -1 when there is none, and then leaves both alone.
///
/// # Safety
/// `lite` is NULL or was filled by a call of this file, and its text is still there; the other pointers
/// are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_object_item_by_index(
    lite: *mut lite_cjson_t,
    index: c_int,
    lite_item_key: *mut lite_cjson_t,
    lite_item_value: *mut lite_cjson_t,
) -> c_int {
    guard(-1, || {
        // SAFETY: the caller's promise.
        let object = unsafe { read(lite) };
        // SAFETY: the caller's promise about the text.
        let source = object.and_then(|object| unsafe { Source::of(&object, OBJECT) });
        let (Some(source), Ok(mut left)) = (source, usize::try_from(index)) else {
            return -1;
        };
        let mut found = None;
        json_slices::members(source.text, |key, value| match left.checked_sub(1) {
            Some(fewer) => {
                left = fewer;
                ControlFlow::Continue(())
            }
            None => {
                found = Some((key, value));
                ControlFlow::Break(())
            }
        });
        let Some((key, value)) = found else {
            return -1;
        };
        for (part, out) in [(key, lite_item_key), (value, lite_item_value)] {
            if !out.is_null() {
                // SAFETY: not NULL, and the caller promises it writable.
                unsafe { out.write(source.item(&part)) };
            }
        }
        0
    })
}
