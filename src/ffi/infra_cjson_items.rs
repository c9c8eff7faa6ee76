//! The writing half of `infra_cjson.h`: trees of items, printed as JSON.
//!
//! Items, their names and texts, and printed texts are blocks of the allocator set by
//! `lite_cjson_init_hooks`, at first `HAL_Malloc` and `HAL_Free`. An item belongs to the caller until it is
//! added to another; from then on to that one. A tree is for one thread at a time. Nothing recurses:
//! printing keeps its own stack of [`DEPTH`] levels, deleting needs none. The shim defines the public
//! names weakly on top of these.
#![allow(non_camel_case_types)]

use std::ffi::{CStr, c_char, c_double, c_float, c_int, c_uint, c_void};
use std::mem::size_of;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use super::barrier::guard;
use super::infra_cjson::{ARRAY, FALSE, NULL, NUMBER, OBJECT, STRING, TRUE};
use super::json_slices::DEPTH;

/// Text that is printed as it is.
const RAW: c_int = 1 << 7;
/// Flag: children and text belong to somebody else.
const IS_REFERENCE: c_int = 256;
/// Flag: the name belongs to somebody else.
const STRING_IS_CONST: c_int = 512;

/// `lite_cjson_item_t`: a value with its place in a tree.
#[repr(C)]
pub struct lite_cjson_item_t {
    /// The next child of the same parent.
    pub next: *mut lite_cjson_item_t,
    /// The child before; NULL for the first.
    pub prev: *mut lite_cjson_item_t,
    /// First element of an array or member of an object.
    pub child: *mut lite_cjson_item_t,
    /// One of the `cJSON_*` types, with flags.
    pub r#type: c_int,
    /// Text of a string or of a raw item.
    pub valuestring: *mut c_char,
    /// A number, cut to an integer.
    pub valueint: c_int,
    /// A number.
    pub valuedouble: c_double,
    /// Name of a member of an object.
    pub string: *mut c_char,
}

/// `lite_cjson_hooks`: the allocator of this file.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lite_cjson_hooks {
    /// Gives a block of so many bytes, or NULL.
    pub malloc_fn: Option<unsafe extern "C" fn(c_uint) -> *mut c_void>,
    /// Takes a block back.
    pub free_fn: Option<unsafe extern "C" fn(*mut c_void)>,
}

unsafe extern "C" {
    fn HAL_Malloc(size: c_uint) -> *mut c_void;
    fn HAL_Free(block: *mut c_void);
}

/// The allocator in force.
#[derive(Clone, Copy)]
struct Allocator {
    malloc: unsafe extern "C" fn(c_uint) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
}

static ALLOCATOR: Mutex<Allocator> = Mutex::new(Allocator {
    malloc: HAL_Malloc,
    free: HAL_Free,
});

impl Allocator {
    /// A copy, so that no lock is held while the application's functions run.
    fn current() -> Self {
        *ALLOCATOR.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn block(&self, size: usize) -> *mut c_void {
        match c_uint::try_from(size) {
            // SAFETY: an allocator takes any size.
            Ok(size) => unsafe { (self.malloc)(size) },
            Err(_) => ptr::null_mut(),
        }
    }

    /// A terminated copy of `text`, NULL when memory is short.
    fn copy(&self, text: &[u8]) -> *mut c_char {
        let block: *mut c_char = self.block(text.len() + 1).cast();
        if !block.is_null() {
            // SAFETY: the new block has room for the text and its NUL.
            unsafe { super::cstr::write_terminated(text, block) };
        }
        block
    }

    /// # Safety
    /// `block` is NULL or a block of this allocator nobody uses any more.
    unsafe fn give_back<T>(&self, block: *mut T) {
        if !block.is_null() {
            // SAFETY: the caller's promise.
            unsafe { (self.free)(block.cast()) };
        }
    }

    /// A new item without text, or NULL.
    fn item(&self, kind: c_int) -> *mut lite_cjson_item_t {
        let item: *mut lite_cjson_item_t = self.block(size_of::<lite_cjson_item_t>()).cast();
        if !item.is_null() {
            // SAFETY: the new block has the size of an item; an allocator aligns for every type.
            unsafe {
                item.write(lite_cjson_item_t {
                    next: ptr::null_mut(),
                    prev: ptr::null_mut(),
                    child: ptr::null_mut(),
                    r#type: kind,
                    valuestring: ptr::null_mut(),
                    valueint: 0,
                    valuedouble: 0.0,
                    string: ptr::null_mut(),
                });
            }
        }
        item
    }

    fn number(&self, number: c_double) -> *mut lite_cjson_item_t {
        let item = self.item(NUMBER);
        // SAFETY: NULL or the new item.
        if let Some(item) = unsafe { item.as_mut() } {
            item.valuedouble = number;
            // Saturates; not a number becomes 0.
            item.valueint = number as c_int;
        }
        item
    }

    /// # Safety
    /// `text` is NULL or a terminated string.
    unsafe fn string(&self, text: *const c_char) -> *mut lite_cjson_item_t {
        if text.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: not NULL, and the caller promises a terminated string.
        let copy = self.copy(unsafe { CStr::from_ptr(text) }.to_bytes());
        if copy.is_null() {
            return ptr::null_mut();
        }
        let item = self.item(STRING);
        // SAFETY: NULL or the new item; without it the copy is nobody's.
        unsafe {
            match item.as_mut() {
                Some(item) => item.valuestring = copy,
                None => self.give_back(copy),
            }
        }
        item
    }

    /// An array of `count` items made by `make`; NULL and nothing kept when one cannot be made.
    fn array(
        &self,
        count: c_int,
        make: impl Fn(usize) -> *mut lite_cjson_item_t,
    ) -> *mut lite_cjson_item_t {
        let Ok(count) = usize::try_from(count) else {
            return ptr::null_mut();
        };
        let array = self.item(ARRAY);
        if array.is_null() {
            return array;
        }
        let mut last: *mut lite_cjson_item_t = ptr::null_mut();
        for at in 0..count {
            let item = make(at);
            // SAFETY: `array`, `last` and `item` are items made here, which nobody else knows yet.
            unsafe {
                if item.is_null() {
                    self.delete(array);
                    return ptr::null_mut();
                }
                match last.as_mut() {
                    Some(before) => before.next = item,
                    None => (*array).child = item,
                }
                (*item).prev = last;
            }
            last = item;
        }
        array
    }

    /// Deletes an item, what follows it and everything below.
    ///
    /// # Safety
    /// `item` is NULL or the root of a tree of this allocator nobody uses any more.
    unsafe fn delete(&self, item: *mut lite_cjson_item_t) {
        let mut item = item;
        // SAFETY: each round looks at an item of the tree that is still there.
        while let Some(this) = unsafe { item.as_mut() } {
            let owns = this.r#type & IS_REFERENCE == 0;
            let mut next = this.next;
            if owns && !this.child.is_null() {
                // The children go first: they are put before what follows, so no stack is needed.
                let mut last = this.child;
                // SAFETY: the list of children ends in NULL.
                while let Some(after) = unsafe { (*last).next.as_mut() } {
                    last = after;
                }
                // SAFETY: the last child is an item of the tree.
                unsafe { (*last).next = next };
                next = this.child;
            }
            // SAFETY: the texts belong to the item unless its flags say otherwise, and nothing looks at
            // the item any more.
            unsafe {
                if owns {
                    self.give_back(this.valuestring);
                }
                if this.r#type & STRING_IS_CONST == 0 {
                    self.give_back(this.string);
                }
                self.give_back(item);
            }
            item = next;
        }
    }
}

/// Sets the allocator of this file; NULL for the block or one of its members changes nothing. Blocks made
/// before must be gone, because they would be given back to the new one.
///
/// # Safety
/// `hooks` is NULL or readable, and its functions behave like `malloc` and `free` on every thread that
/// uses this file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_init_hooks(hooks: *mut lite_cjson_hooks) {
    guard((), || {
        // SAFETY: the caller's promise.
        let hooks = unsafe { hooks.as_ref() };
        if let Some((Some(malloc), Some(free))) =
            hooks.map(|hooks| (hooks.malloc_fn, hooks.free_fn))
        {
            *ALLOCATOR.lock().unwrap_or_else(PoisonError::into_inner) = Allocator { malloc, free };
        }
    });
}

/// Prints a tree with blanks, tabs and line ends. Returns a block that the caller gives back to the
/// allocator; NULL for NULL, an item without a type, a tree deeper than 1000, or when memory is short.
///
/// # Safety
/// `item` is NULL or the root of a tree.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_print(item: *mut lite_cjson_item_t) -> *mut c_char {
    // SAFETY: the caller's promise.
    guard(ptr::null_mut(), || unsafe { print(item, true) })
}

/// Prints a tree without any blank; otherwise as `lite_cjson_print`.
///
/// # Safety
/// `item` is NULL or the root of a tree.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_print_unformatted(
    item: *mut lite_cjson_item_t,
) -> *mut c_char {
    // SAFETY: the caller's promise.
    guard(ptr::null_mut(), || unsafe { print(item, false) })
}

/// # Safety
/// `item` is NULL or the root of a tree.
unsafe fn print(item: *const lite_cjson_item_t, formatted: bool) -> *mut c_char {
    // SAFETY: the caller's promise.
    match unsafe { text(item, formatted) } {
        Some(text) => Allocator::current().copy(&text),
        None => ptr::null_mut(),
    }
}

/// # Safety
/// `root` is NULL or the root of a tree.
unsafe fn text(root: *const lite_cjson_item_t, formatted: bool) -> Option<Vec<u8>> {
    /// A container that is being printed.
    struct Level {
        object: bool,
        begun: bool,
        next: *const lite_cjson_item_t,
    }
    let mut out = Vec::new();
    let mut levels: Vec<Level> = Vec::new();
    let mut item = root;
    loop {
        // SAFETY: an item of the caller's tree.
        let this = unsafe { item.as_ref() }?;
        match this.r#type & 0xFF {
            kind @ (ARRAY | OBJECT) => {
                if levels.len() == DEPTH {
                    return None;
                }
                let object = kind == OBJECT;
                out.push(if object { b'{' } else { b'[' });
                if object && formatted {
                    out.push(b'\n');
                }
                levels.push(Level {
                    object,
                    begun: false,
                    next: this.child,
                });
            }
            // SAFETY: an item of the caller's tree.
            _ => unsafe { scalar(&mut out, this) }?,
        }
        // What comes next: the next child, or the ends of containers that have no more.
        item = loop {
            let depth = levels.len();
            let Some(level) = levels.last_mut() else {
                return Some(out);
            };
            // SAFETY: an item of the caller's tree.
            let Some(next) = (unsafe { level.next.as_ref() }) else {
                if level.object && formatted {
                    if level.begun {
                        out.push(b'\n');
                    }
                    out.resize(out.len() + depth - 1, b'\t');
                }
                out.push(if level.object { b'}' } else { b']' });
                levels.pop();
                continue;
            };
            if level.begun {
                out.push(b',');
                if formatted {
                    out.push(if level.object { b'\n' } else { b' ' });
                }
            }
            level.begun = true;
            level.next = next.next;
            if level.object {
                if formatted {
                    out.resize(out.len() + depth, b'\t');
                }
                // SAFETY: the name of an item is NULL or terminated.
                unsafe { quoted(&mut out, next.string) };
                out.push(b':');
                if formatted {
                    out.push(b'\t');
                }
            }
            break next;
        };
        // A list of siblings that bites its tail would go on for ever.
        if out.len() > c_int::MAX as usize {
            return None;
        }
    }
}

/// # Safety
/// The texts of `item` are NULL or terminated.
unsafe fn scalar(out: &mut Vec<u8>, item: &lite_cjson_item_t) -> Option<()> {
    match item.r#type & 0xFF {
        NULL => out.extend_from_slice(b"null"),
        FALSE => out.extend_from_slice(b"false"),
        TRUE => out.extend_from_slice(b"true"),
        NUMBER => number(out, item.valuedouble),
        // SAFETY: the caller's promise.
        STRING => unsafe { quoted(out, item.valuestring) },
        RAW if !item.valuestring.is_null() => {
            // SAFETY: not NULL, and the caller promises it terminated.
            out.extend_from_slice(unsafe { CStr::from_ptr(item.valuestring) }.to_bytes());
        }
        _ => return None,
    }
    Some(())
}

/// Integers without fraction, other numbers in the shortest form that reads back the same; null for what
/// JSON cannot say.
fn number(out: &mut Vec<u8>, number: f64) {
    /// Below this every integer of an f64 is exact and short.
    const EXACT: f64 = 1e15;
    let text = if number.fract() == 0.0 && number.abs() < EXACT {
        (number as i64).to_string()
    } else {
        serde_json::Value::from(number).to_string()
    };
    out.extend_from_slice(text.as_bytes());
}

/// A JSON string; bytes that are not UTF-8 stay as they are, NULL is the empty string.
///
/// # Safety
/// `text` is NULL or terminated.
unsafe fn quoted(out: &mut Vec<u8>, text: *const c_char) {
    out.push(b'"');
    if !text.is_null() {
        // SAFETY: not NULL, and the caller promises it terminated.
        let text = unsafe { CStr::from_ptr(text) }.to_bytes();
        for chunk in text.utf8_chunks() {
            let escaped = serde_json::Value::from(chunk.valid()).to_string();
            out.extend_from_slice(&escaped.as_bytes()[1..escaped.len() - 1]);
            out.extend_from_slice(chunk.invalid());
        }
    }
    out.push(b'"');
}

/// Deletes an item with what follows and what is below it. NULL is harmless.
///
/// # Safety
/// `item` is NULL or the root of a tree of the present allocator nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_delete(item: *mut lite_cjson_item_t) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { Allocator::current().delete(item) });
}

/// Puts `item` at the end of the children of `parent`. NULL, or an item added to itself, changes
/// nothing.
///
/// # Safety
/// Both are NULL or items; `item` is in no tree.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_add_item_to_array(
    parent: *mut lite_cjson_item_t,
    item: *mut lite_cjson_item_t,
) {
    // SAFETY: the caller's promise.
    guard((), || unsafe { append(parent, item) });
}

/// # Safety
/// Both are NULL or items; `item` is in no tree.
unsafe fn append(parent: *mut lite_cjson_item_t, item: *mut lite_cjson_item_t) {
    if parent.is_null() || item.is_null() || parent == item {
        return;
    }
    // SAFETY: not NULL, so items; the list of children ends in NULL.
    unsafe {
        let mut last = (*parent).child;
        if last.is_null() {
            (*parent).child = item;
            return;
        }
        while !(*last).next.is_null() {
            last = (*last).next;
        }
        (*last).next = item;
        (*item).prev = last;
    }
}

/// Puts `item` at the end of the members of `object` under a copy of `name`. NULL, an item added to
/// itself, or short memory changes nothing; the item then still belongs to the caller.
///
/// # Safety
/// `object` and `item` are NULL or items, `item` is in no tree; `name` is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_add_item_to_object(
    object: *mut lite_cjson_item_t,
    name: *const c_char,
    item: *mut lite_cjson_item_t,
) {
    guard((), || {
        if object.is_null() || name.is_null() || object == item {
            return;
        }
        // SAFETY: the caller's promise.
        let Some(named) = (unsafe { item.as_mut() }) else {
            return;
        };
        let allocator = Allocator::current();
        // SAFETY: not NULL, and the caller promises it terminated.
        let copy = allocator.copy(unsafe { CStr::from_ptr(name) }.to_bytes());
        if copy.is_null() {
            return;
        }
        // SAFETY: the name before belongs to the item unless the flag says otherwise; the items are the
        // caller's.
        unsafe {
            if named.r#type & STRING_IS_CONST == 0 {
                allocator.give_back(named.string);
            }
            named.string = copy;
            named.r#type &= !STRING_IS_CONST;
            append(object, item);
        }
    });
}

/// Writes one exported function per line that makes an item without a value.
macro_rules! plain_items {
    ($($function:ident $kind:ident;)+) => {
        $(
            /// A new item of the type in the name, or NULL when memory is short.
            #[unsafe(no_mangle)]
            pub extern "C" fn $function() -> *mut lite_cjson_item_t {
                guard(ptr::null_mut(), || Allocator::current().item($kind))
            }
        )+
    };
}

plain_items! {
    iotx_port_cjson_create_null NULL;
    iotx_port_cjson_create_true TRUE;
    iotx_port_cjson_create_false FALSE;
    iotx_port_cjson_create_array ARRAY;
    iotx_port_cjson_create_object OBJECT;
}

/// A new true, or false for 0; NULL when memory is short.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_cjson_create_bool(b: c_int) -> *mut lite_cjson_item_t {
    let kind = if b == 0 { FALSE } else { TRUE };
    guard(ptr::null_mut(), || Allocator::current().item(kind))
}

/// A new number, or NULL when memory is short.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_cjson_create_number(num: c_double) -> *mut lite_cjson_item_t {
    guard(ptr::null_mut(), || Allocator::current().number(num))
}

/// A new string with a copy of `text`; NULL for NULL or when memory is short.
///
/// # Safety
/// `text` is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_create_string(
    text: *const c_char,
) -> *mut lite_cjson_item_t {
    // SAFETY: the caller's promise.
    guard(ptr::null_mut(), || unsafe {
        Allocator::current().string(text)
    })
}

/// Writes one exported function per line that makes an array of numbers.
macro_rules! number_arrays {
    ($($function:ident $number:ty;)+) => {
        $(
            /// A new array of `count` numbers; NULL for NULL, a negative count or when memory is short.
            ///
            /// # Safety
            /// `numbers` is NULL or has `count` readable elements.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $function(
                numbers: *const $number,
                count: c_int,
            ) -> *mut lite_cjson_item_t {
                guard(ptr::null_mut(), || {
                    if numbers.is_null() {
                        return ptr::null_mut();
                    }
                    let allocator = Allocator::current();
                    // SAFETY: at < count, for which the caller promises elements.
                    let read = |at: usize| unsafe { numbers.add(at).read() };
                    allocator.array(count, |at| allocator.number(read(at).into()))
                })
            }
        )+
    };
}

number_arrays! {
    iotx_port_cjson_create_int_array c_int;
    iotx_port_cjson_create_float_array c_float;
    iotx_port_cjson_create_double_array c_double;
}

/// A new array of copies of `count` strings; NULL for NULL, also among the strings, a negative count or
/// when memory is short.
///
/// # Safety
/// `strings` is NULL or has `count` elements that are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_cjson_create_string_array(
    strings: *mut *const c_char,
    count: c_int,
) -> *mut lite_cjson_item_t {
    guard(ptr::null_mut(), || {
        if strings.is_null() {
            return ptr::null_mut();
        }
        let allocator = Allocator::current();
        // SAFETY: at < count, for which the caller promises elements.
        allocator.array(count, |at| unsafe {
            allocator.string(strings.add(at).read())
        })
    })
}
