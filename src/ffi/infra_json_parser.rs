//! The functions of `infra_json_parser.h` that kept C parts use: values of an object by name, as pointers
//! into the caller's text.
//!
//! Strict where the C code searched loosely: the text must be one whole JSON object. As there, members
//! whose value is null or the empty string are passed over, and names are compared as written. The
//! shim defines the public names weakly on top of these.
#![allow(non_camel_case_types)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ops::ControlFlow;
use std::ptr;

use super::barrier::guard;
use super::json_slices::{self, Kind, Slice};
use super::{cstr, memory};

/// `json_parse_cb`: name, its length, value, its length, its type and the caller's context.
pub type json_parse_cb = Option<
    unsafe extern "C" fn(*mut c_char, c_int, *mut c_char, c_int, c_int, *mut c_void) -> c_int,
>;

/// What a callback answers to end the walk, `JSON_PARSE_FINISH`.
const FINISH: c_int = 2;

/// The `enum JSONTYPE` of a value; `None` for those that are passed over.
fn kind(value: &Slice<'_>) -> Option<c_int> {
    match value.kind {
        Kind::String if value.text.is_empty() => None,
        Kind::String => Some(0),
        Kind::Object => Some(1),
        Kind::Array => Some(2),
        Kind::Number => Some(3),
        Kind::True | Kind::False => Some(4),
        Kind::Null => None,
    }
}

/// The object at the start of `text`.
fn object(text: &[u8]) -> Option<&[u8]> {
    let value = json_slices::first(text).filter(|value| value.kind == Kind::Object)?;
    Some(value.text.as_bytes())
}

/// The first member of the object `text` called `name` that has a value, with its type.
fn find<'a>(text: &'a [u8], name: &[u8]) -> Option<(Slice<'a>, c_int)> {
    let mut found = None;
    json_slices::members(object(text)?, |key, value| match kind(&value) {
        Some(kind) if key.text.as_bytes() == name => {
            found = Some((value, kind));
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found
}

/// The pointer to `part` that comes from `start`, the pointer to `text`.
fn inside(start: *mut c_char, text: &[u8], part: &str) -> *mut c_char {
    start.wrapping_add(part.as_ptr().addr() - text.as_ptr().addr())
}

/// # Safety
/// `start` is NULL or has `len` readable bytes that do not change during the call.
unsafe fn read<'a>(start: *const c_char, len: c_int) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok().filter(|len| *len > 0)?;
    // SAFETY: the caller's promise.
    unsafe { cstr::bytes(start.cast(), len) }
}

/// Calls `callback` with every member of the object at `text` that has a value, until it returns 2
/// (`JSON_PARSE_FINISH`). Names and values are not terminated. Returns 0, or -1 for NULL, text that is no
/// JSON object, or an object without such members.
///
/// # Safety
/// `text` is NULL or has `len` readable bytes; `callback` may be called with pointers into them and with
/// `context`, and does not change them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_json_parse_name_value(
    text: *mut c_char,
    len: c_int,
    callback: json_parse_cb,
    context: *mut c_void,
) -> c_int {
    guard(-1, || {
        // SAFETY: the caller's promise.
        let (Some(bytes), Some(callback)) = (unsafe { read(text, len) }, callback) else {
            return -1;
        };
        let mut result = -1;
        json_slices::members(object(bytes).unwrap_or_default(), |key, value| {
            let Some(kind) = kind(&value).filter(|_| !key.text.is_empty()) else {
                return ControlFlow::Continue(());
            };
            result = 0;
            // SAFETY: the caller's promise; the lengths are parts of an int.
            let answer = unsafe {
                callback(
                    inside(text, bytes, key.text),
                    key.text.len() as c_int,
                    inside(text, bytes, value.text),
                    value.text.len() as c_int,
                    kind,
                    context,
                )
            };
            if answer == FINISH {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        result
    })
}

/// The value of the member `name` of the object at `text`, not terminated, a string without its quotation
/// marks; NULL when there is none. Length and type (`enum JSONTYPE`) go to `value_len` and `value_type`
/// unless they are NULL; without a value these become 0.
///
/// # Safety
/// `text` is NULL or has `len` readable bytes, `name` is NULL or has `name_len` readable bytes; the other
/// pointers are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_json_value_by_name(
    text: *mut c_char,
    len: c_int,
    name: *mut c_char,
    name_len: c_int,
    value_len: *mut c_int,
    value_type: *mut c_int,
) -> *mut c_char {
    guard(ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        let (bytes, name) = unsafe { (read(text, len), read(name, name_len)) };
        let found = bytes.zip(name).and_then(|(bytes, name)| {
            find(bytes, name).map(|(value, kind)| {
                // A part of an int.
                let len = value.text.len() as c_int;
                (inside(text, bytes, value.text), len, kind)
            })
        });
        let (value, len, kind) = found.unwrap_or((ptr::null_mut(), 0, 0));
        for (out, number) in [(value_len, len), (value_type, kind)] {
            if !out.is_null() {
                // SAFETY: not NULL, and the caller promises it writable.
                unsafe { out.write(number) };
            }
        }
        value
    })
}

/// A terminated copy of the value that `key`, names joined by dots, leads to in the object `src`; a block
/// the caller frees with `HAL_Free`. NULL when there is none or memory is short.
///
/// # Safety
/// Both are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_json_value_of(
    key: *const c_char,
    src: *const c_char,
) -> *mut c_char {
    guard(ptr::null_mut(), || {
        if key.is_null() || src.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: not NULL, and the caller promises terminated strings.
        let (key, text) = unsafe {
            (
                CStr::from_ptr(key).to_bytes(),
                CStr::from_ptr(src).to_bytes(),
            )
        };
        let value = key
            .split(|byte| *byte == b'.')
            .try_fold(text, |text, name| {
                find(text, name).map(|(value, _)| value.text.as_bytes())
            });
        value.map_or(ptr::null_mut(), memory::hand_over)
    })
}

/// How deep [`iotx_port_infra_json_value`] looks into objects and arrays; the messages it is meant for have
/// two levels.
const SEARCH_DEPTH: u32 = 32;

/// The first member called `name` in document order, wherever it lies in `value`.
fn search<'a>(value: Slice<'a>, name: &[u8], depth: u32) -> Option<Slice<'a>> {
    let mut found = None;
    let mut step = |key: Option<&str>, inner: Slice<'a>| {
        found = if key.is_some_and(|key| key.as_bytes() == name) {
            Some(inner)
        } else if depth > 1 {
            search(inner, name, depth - 1)
        } else {
            None
        };
        match found {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    };
    let text = value.text.as_bytes();
    match value.kind {
        Kind::Object => json_slices::members(text, |key, inner| step(Some(key.text), inner)),
        Kind::Array => json_slices::elements(text, |inner| step(None, inner)),
        _ => {}
    }
    found
}

/// Behind `infra_json_value` of `infra_string.h`: the value of the first member called `key` in the JSON at
/// `input`, at any level, as written: a string with its quotation marks. Not terminated.
///
/// Returns 0, or -1 (NULL, no JSON, no such member) and then leaves the results alone. Strict where the C
/// code searched loosely: the name is compared whole, and a value may hold commas and brackets.
///
/// # Safety
/// `input` is NULL or has `input_len` readable bytes, `key` is NULL or has `key_len`; `value` and
/// `value_len` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_infra_json_value(
    input: *const c_char,
    input_len: u32,
    key: *const c_char,
    key_len: u32,
    value: *mut *mut c_char,
    value_len: *mut u32,
) -> i32 {
    guard(-1, || {
        if value.is_null() || value_len.is_null() {
            return -1;
        }
        // SAFETY: the caller's promise; both lengths fit usize.
        let (text, name) = unsafe {
            (
                cstr::bytes(input.cast(), input_len as usize),
                cstr::bytes(key.cast(), key_len as usize),
            )
        };
        let found = text
            .zip(name)
            .and_then(|(text, name)| search(json_slices::first(text)?, name, SEARCH_DEPTH));
        let (Some(text), Some(found)) = (text, found) else {
            return -1;
        };
        // The quotation marks around a string are part of the text.
        let quotes = usize::from(found.kind == Kind::String);
        let start = inside(input.cast_mut(), text, found.text).wrapping_sub(quotes);
        // SAFETY: not NULL, and the caller promises them writable. The length is a part of a u32.
        unsafe {
            value.write(start);
            value_len.write((found.text.len() + 2 * quotes) as u32);
        }
        0
    })
}
