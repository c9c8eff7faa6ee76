//! The JSON helpers for kept C parts: what they find in a text is what serde_json's own values hold, every
//! pointer lies inside the text, and a tree that is printed reads the same again.

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_void};

use iotx::ffi::infra_cjson::lite_cjson_t;
use serde_json::Value;

use super::super::input::Input;

#[allow(non_camel_case_types)]
type item = *mut c_void;
type Callback = extern "C" fn(*mut c_char, c_int, *mut c_char, c_int, c_int, *mut c_void) -> c_int;

unsafe extern "C" {
    fn lite_cjson_parse(src: *const c_char, len: c_int, lite: *mut lite_cjson_t) -> c_int;
    fn lite_cjson_array_item(
        lite: *mut lite_cjson_t,
        index: c_int,
        out: *mut lite_cjson_t,
    ) -> c_int;
    fn lite_cjson_object_item(
        lite: *mut lite_cjson_t,
        key: *const c_char,
        key_len: c_int,
        out: *mut lite_cjson_t,
    ) -> c_int;
    fn lite_cjson_object_item_by_index(
        lite: *mut lite_cjson_t,
        index: c_int,
        key: *mut lite_cjson_t,
        value: *mut lite_cjson_t,
    ) -> c_int;
    fn lite_cjson_create_null() -> item;
    fn lite_cjson_create_bool(value: c_int) -> item;
    fn lite_cjson_create_number(number: c_double) -> item;
    fn lite_cjson_create_string(text: *const c_char) -> item;
    fn lite_cjson_create_array() -> item;
    fn lite_cjson_create_object() -> item;
    fn lite_cjson_add_item_to_array(array: item, item: item);
    fn lite_cjson_add_item_to_object(object: item, name: *const c_char, item: item);
    fn lite_cjson_print(item: item) -> *mut c_char;
    fn lite_cjson_print_unformatted(item: item) -> *mut c_char;
    fn lite_cjson_delete(item: item);
    fn json_get_value_by_name_len(
        text: *mut c_char,
        len: c_int,
        name: *mut c_char,
        name_len: c_int,
        value_len: *mut c_int,
        value_type: *mut c_int,
    ) -> *mut c_char;
    fn json_parse_name_value(
        text: *mut c_char,
        len: c_int,
        callback: Callback,
        context: *mut c_void,
    ) -> c_int;
    fn infra_json_value(
        text: *const c_char,
        len: u32,
        name: *const c_char,
        name_len: u32,
        value: *mut *mut c_char,
        value_len: *mut u32,
    ) -> i32;
    fn LITE_json_value_of(key: *const c_char, src: *const c_char, ...) -> *mut c_char;
    fn HAL_Free(block: *mut c_void);
}

/// Deep enough for everything but the nesting limit itself, and shallow enough for the stack of a test.
const WALK_MAX: usize = 40;

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let key = input.block();
    // Not terminated and not a byte longer, so that a sanitizer sees who reads on.
    let mut text = input.rest().to_vec().into_boxed_slice();
    let mut lite = blank();
    // SAFETY: readable bytes, a writable result.
    let result = unsafe { lite_cjson_parse(text.as_ptr().cast(), text.len() as c_int, &mut lite) };
    let reference: Option<Value> = serde_json::from_slice(&text).ok();
    if let Some(value) = &reference {
        assert_eq!(result, 0, "{value}");
    }
    if result == 0 {
        walk(&text, lite, reference.as_ref(), WALK_MAX);
        let mut found = blank();
        // SAFETY: filled by parse from text that is still there.
        unsafe {
            lite_cjson_object_item(
                &mut lite,
                key.as_ptr().cast(),
                key.len() as c_int,
                &mut found,
            );
        }
    }
    by_name(&mut text, key);
    value_of(&text, key);
    if let Some(value) = reference {
        print(&value);
    }
}

fn blank() -> lite_cjson_t {
    // SAFETY: NULL and numbers.
    unsafe { std::mem::zeroed() }
}

/// The bytes of `lite`, which must lie inside `text`.
fn part<'a>(text: &'a [u8], lite: &lite_cjson_t) -> &'a [u8] {
    let from = (lite.value as usize)
        .checked_sub(text.as_ptr() as usize)
        .expect("behind the start");
    let len = usize::try_from(lite.value_length).expect("a length");
    text.get(from..from + len).expect("inside the text")
}

fn walk(text: &[u8], mut lite: lite_cjson_t, reference: Option<&Value>, depth: usize) {
    let bytes = part(text, &lite);
    if let Some(value) = reference {
        let (kind, size) = match value {
            Value::Bool(false) => (1, 0),
            Value::Bool(true) => (2, 0),
            Value::Null => (4, 0),
            Value::Number(_) => (8, 0),
            Value::String(_) => (16, 0),
            Value::Array(values) => (32, values.len()),
            Value::Object(members) => (64, members.len()),
        };
        assert_eq!(lite.r#type, kind, "{value}");
        // An object of serde_json's has each name once.
        assert!(lite.size as usize >= size && (kind == 64 || lite.size as usize == size));
        match value {
            Value::Number(number) => {
                let number = number.as_f64().expect("a number");
                assert!(close(lite.value_double, number), "{number}");
                assert_eq!(lite.value_int, lite.value_double as c_int);
            }
            Value::String(string) if !bytes.contains(&b'\\') => {
                assert_eq!(bytes, string.as_bytes());
            }
            _ => {}
        }
    }
    if depth == 0 {
        return;
    }
    for index in 0..lite.size.min(20) {
        let (mut key, mut value) = (blank(), blank());
        // SAFETY: filled by the functions asked, from text that is still there.
        let result = unsafe {
            match lite.r#type {
                32 => lite_cjson_array_item(&mut lite, index, &mut value),
                _ => lite_cjson_object_item_by_index(&mut lite, index, &mut key, &mut value),
            }
        };
        assert_eq!(result, 0, "{index} of {}", lite.size);
        let inner = match reference {
            Some(Value::Array(values)) => Some(&values[index as usize]),
            _ => None,
        };
        walk(text, value, inner, depth - 1);
        if lite.r#type == 64 {
            part(text, &key);
        }
    }
    let mut beyond = blank();
    // SAFETY: as above.
    unsafe {
        assert_eq!(lite_cjson_array_item(&mut lite, lite.size, &mut beyond), -1);
        assert_eq!(lite_cjson_array_item(&mut lite, -1, &mut beyond), -1);
    }
}

fn close(number: f64, reference: f64) -> bool {
    number == reference || (number - reference).abs() <= reference.abs() * 1e-15
}

fn by_name(text: &mut [u8], key: &[u8]) {
    let mut key = key.to_vec();
    let (mut len, mut kind) = (-7, -7);
    // SAFETY: readable bytes of the lengths given, writable results.
    let value = unsafe {
        json_get_value_by_name_len(
            text.as_mut_ptr().cast(),
            text.len() as c_int,
            key.as_mut_ptr().cast(),
            key.len() as c_int,
            &mut len,
            &mut kind,
        )
    };
    if value.is_null() {
        assert_eq!((len, kind), (0, 0));
    } else {
        let from = value as usize - text.as_ptr() as usize;
        let found = &text[from..from + usize::try_from(len).expect("a length")];
        assert!((0..=4).contains(&kind));
        assert!(!found.is_empty());
    }
    at_any_level(text, &key);
    let mut walk = (text.as_ptr() as usize, text.len(), 0_u32);
    // SAFETY: readable bytes; `member` takes the context passed.
    let result = unsafe {
        json_parse_name_value(
            text.as_mut_ptr().cast(),
            text.len() as c_int,
            member,
            (&raw mut walk).cast(),
        )
    };
    assert_eq!(result == 0, walk.2 > 0);
}

fn at_any_level(text: &[u8], key: &[u8]) {
    let (mut value, mut len) = (std::ptr::null_mut(), 0);
    // SAFETY: readable bytes of the lengths given, writable results.
    let result = unsafe {
        infra_json_value(
            text.as_ptr().cast(),
            text.len() as u32,
            key.as_ptr().cast(),
            key.len() as u32,
            &mut value,
            &mut len,
        )
    };
    if result == 0 {
        let from = value as usize - text.as_ptr() as usize;
        let found = &text[from..from + len as usize];
        assert!(serde_json::from_slice::<Box<serde_json::value::RawValue>>(found).is_ok());
    } else {
        assert!(result == -1 && value.is_null());
    }
}

extern "C" fn member(
    name: *mut c_char,
    name_len: c_int,
    value: *mut c_char,
    value_len: c_int,
    kind: c_int,
    context: *mut c_void,
) -> c_int {
    // SAFETY: `by_name` passes this.
    let walk = unsafe { &mut *context.cast::<(usize, usize, u32)>() };
    walk.2 += 1;
    let inside = |at: *mut c_char, len: c_int| {
        (at as usize) >= walk.0 && at as usize + len as usize <= walk.0 + walk.1 && len > 0
    };
    // A panic must not cross the C boundary, and would be lost in it.
    if !inside(name, name_len) || !inside(value, value_len) || !(0..=4).contains(&kind) {
        eprintln!("a member outside of the text");
        std::process::abort();
    }
    if walk.2 > 30 { 2 } else { 1 }
}

fn value_of(text: &[u8], key: &[u8]) {
    let terminated =
        |bytes: &[u8]| CString::new(bytes.split(|byte| *byte == 0).next().unwrap_or_default());
    let (Ok(key), Ok(text)) = (terminated(key), terminated(text)) else {
        return;
    };
    // SAFETY: terminated strings.
    let value =
        unsafe { LITE_json_value_of(key.as_ptr(), text.as_ptr(), std::ptr::null::<c_char>()) };
    if !value.is_null() {
        // SAFETY: a terminated block of the library's, freed once.
        unsafe {
            assert!(CStr::from_ptr(value).count_bytes() <= text.count_bytes());
            HAL_Free(value.cast());
        }
    }
}

/// A tree with the values of `value`; NULL where a text holds a NUL, which C cannot say.
fn build(value: &Value) -> item {
    let text = |text: &str| CString::new(text.replace('\0', "0")).expect("no NUL left");
    // SAFETY: terminated texts; items are made here and added once.
    unsafe {
        match value {
            Value::Null => lite_cjson_create_null(),
            Value::Bool(value) => lite_cjson_create_bool((*value).into()),
            Value::Number(number) => lite_cjson_create_number(number.as_f64().unwrap_or(0.0)),
            Value::String(string) => lite_cjson_create_string(text(string).as_ptr()),
            Value::Array(values) => {
                let array = lite_cjson_create_array();
                for value in values {
                    lite_cjson_add_item_to_array(array, build(value));
                }
                array
            }
            Value::Object(members) => {
                let object = lite_cjson_create_object();
                for (name, value) in members {
                    lite_cjson_add_item_to_object(object, text(name).as_ptr(), build(value));
                }
                object
            }
        }
    }
}

/// A name that the decoder behind the reference gives a meaning to.
const PRIVATE: &[u8] = b"$serde_json::private::";

fn print(value: &Value) {
    let tree = build(value);
    assert!(!tree.is_null());
    // SAFETY: a tree of this function's, used until it is deleted; the texts are freed once.
    unsafe {
        for printed in [lite_cjson_print(tree), lite_cjson_print_unformatted(tree)] {
            assert!(!printed.is_null());
            let text = CStr::from_ptr(printed).to_bytes();
            // A `Value` takes an object with this name for one of the decoder's own.
            let special = text.windows(PRIVATE.len()).any(|part| part == PRIVATE);
            if !special {
                let again: Value = serde_json::from_slice(text).expect("JSON");
                assert!(same(value, &again), "{value} became {again}");
            }
            HAL_Free(printed.cast());
        }
        lite_cjson_delete(tree);
    }
}

fn same(value: &Value, again: &Value) -> bool {
    match (value, again) {
        (Value::Number(value), Value::Number(again)) => {
            let (value, again) = (value.as_f64().unwrap_or(0.0), again.as_f64().unwrap_or(0.0));
            (value - again).abs() <= value.abs() * 1e-6 + 1e-300
        }
        (Value::String(value), Value::String(again)) => value.replace('\0', "0") == *again,
        (Value::Array(value), Value::Array(again)) => {
            value.len() == again.len()
                && value
                    .iter()
                    .zip(again)
                    .all(|(value, again)| same(value, again))
        }
        (Value::Object(value), Value::Object(again)) => {
            // Names that differ in a NUL only are one name afterwards.
            let nul = value.keys().any(|name| name.contains('\0'));
            nul || (value.len() == again.len()
                && value
                    .iter()
                    .all(|(name, value)| again.get(name).is_some_and(|again| same(value, again))))
        }
        (value, again) => value == again,
    }
}
