//! The functions of `infra_log.h`: lines of C parts in the log of the library.
//!
//! The shim formats the variadic calls; what arrives here is text, cut to a line of 512 bytes and
//! stripped of control characters by [`log`]. The level is the one of `IOT_SetLogLevel`. The shim
//! defines the public names weakly on top of these.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt::Write as _;

use super::barrier::guard;
use super::json_slices::{self, Kind};
use super::{cstr, log};

/// Bytes in one line of a hexadecimal dump.
const DUMP_LINE: usize = 16;

/// Whether messages of `level` (1...6) are printed now; 0 and below never are.
fn wanted(level: c_int) -> bool {
    u32::try_from(level).is_ok_and(|level| level > 0 && level <= log::level())
}

fn name(level: c_int) -> &'static str {
    match level {
        1 => "critical",
        2 => "error",
        3 => "warning",
        4 => "info",
        5 => "debug",
        _ => "flow",
    }
}

/// # Safety
/// `text` is NULL or a terminated string that does not change during the call.
unsafe fn lossy<'a>(text: *const c_char) -> Cow<'a, str> {
    if text.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: not NULL, and the caller promises a terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

/// The level of the log, 0...6.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_get_loglevel() -> c_int {
    // At most 6.
    log::level() as c_int
}

/// Sets the level of the log without printing a line about it; below 0 counts as 0, above 6 as 6.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_set_loglevel(level: c_int) {
    guard((), || {
        log::init();
        log::store_level(u32::try_from(level).unwrap_or(0));
    });
}

/// 1 if a message of `level` is printed now: spares the shim the formatting of all others.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_syslog_wanted(level: c_int) -> c_int {
    wanted(level).into()
}

/// Prints one message if its level is printed now.
///
/// # Safety
/// `module`, `function` and `text` are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_syslog(
    module: *const c_char,
    function: *const c_char,
    line: c_int,
    level: c_int,
    text: *const c_char,
) {
    guard((), || {
        if wanted(level) {
            // SAFETY: the caller's promise.
            let (module, function, text) = unsafe { (lossy(module), lossy(function), lossy(text)) };
            let (level, text) = (name(level), text.trim_end());
            log::print_line(format_args!(
                "[{level}] {module}: {function}({line}): {text}"
            ));
        }
    });
}

/// Prints `len` bytes as hexadecimal numbers and as characters, unless the level is 0. Returns 0.
///
/// # Safety
/// `title` is NULL or terminated, `buf` is NULL or has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_hexdump(
    title: *const c_char,
    buf: *const c_void,
    len: c_int,
) -> c_int {
    guard(0, || {
        if log::level() > 0 {
            // SAFETY: the caller's promise.
            unsafe { dump(&lossy(title), buf, len) };
        }
        0
    })
}

/// # Safety
/// `buf` is NULL or has `len` readable bytes.
unsafe fn dump(title: &str, buf: *const c_void, len: c_int) {
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: the caller's promise.
    let bytes = unsafe { cstr::bytes(buf.cast(), len) }.unwrap_or(&[]);
    log::print_line(format_args!("| {title}: (len={len}) |"));
    for (at, line) in bytes.chunks(DUMP_LINE).enumerate() {
        let mut numbers = String::with_capacity(DUMP_LINE * 5 / 2);
        for pair in line.chunks(2) {
            for byte in pair {
                // A String takes everything.
                let _ = write!(numbers, "{byte:02X}");
            }
            numbers.push(' ');
        }
        let shown = |byte: &u8| {
            if matches!(byte, b' '..=b'~') {
                char::from(*byte)
            } else {
                '.'
            }
        };
        let text: String = line.iter().map(shown).collect();
        log::print_line(format_args!(
            "| {:08X}: {numbers:<40} {text}",
            at * DUMP_LINE
        ));
    }
}

/// A dump with a line in front that says where it comes from, if `level` is printed now.
///
/// # Safety
/// `function` and `title` are NULL or terminated, `buf` is NULL or has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_rich_hexdump(
    function: *const c_char,
    line: c_int,
    level: c_int,
    title: *const c_char,
    buf: *const c_void,
    len: c_int,
) {
    guard((), || {
        if wanted(level) {
            // SAFETY: the caller's promise.
            let (function, title) = unsafe { (lossy(function), lossy(title)) };
            let level = name(level);
            log::print_line(format_args!(
                "[{level}] {function}({line}): dump of {title}"
            ));
            // SAFETY: the caller's promise.
            unsafe { dump(&title, buf, len) };
        }
    });
}

/// Prints the lines of `payload`, each behind `mark`, if `level` is printed now. Returns 0, or 1 if not
/// printed.
///
/// # Safety
/// `function`, `title`, `payload` and `mark` are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_log_multi_line(
    function: *const c_char,
    line: c_int,
    title: *const c_char,
    level: c_int,
    payload: *mut c_char,
    mark: *const c_char,
) -> c_int {
    guard(1, || {
        if !wanted(level) {
            return 1;
        }
        // SAFETY: the caller's promise.
        let (function, title, payload, mark) =
            unsafe { (lossy(function), lossy(title), lossy(payload), lossy(mark)) };
        let (level, len) = (name(level), payload.len());
        log::print_line(format_args!(
            "[{level}] {function}({line}): {title} (Length: {len} Bytes)"
        ));
        for text in payload.lines() {
            log::print_line(format_args!("{mark} {text}"));
        }
        0
    })
}

/// Prints the JSON object at the start of `text` laid out in lines, without its secrets, each behind `mark` if that is one of
/// `>`, `<` and `:`, if `level` is printed now. Behind `iotx_facility_json_print`, whose first further
/// argument is the mark.
///
/// Returns 0, also when nothing is printed; -1 for NULL and "", -2 for anything but a JSON object.
///
/// # Safety
/// `text` is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_json_print(
    text: *const c_char,
    level: c_int,
    mark: c_int,
) -> c_int {
    guard(-1, || {
        if text.is_null() {
            return -1;
        }
        // SAFETY: not NULL, and the caller promises a terminated string.
        let text = unsafe { CStr::from_ptr(text) };
        if text.is_empty() {
            return -1;
        }
        let object = json_slices::first(text.to_bytes()).filter(|json| json.kind == Kind::Object);
        let Some(object) = object else {
            return -2;
        };
        if wanted(level) {
            let mark = match u8::try_from(mark) {
                Ok(b'>') => "> ",
                Ok(b'<') => "< ",
                Ok(b':') => ": ",
                _ => "",
            };
            lay_out(object.text, |line| {
                log::print_line(format_args!("{mark}{line}"));
            });
        }
        0
    })
}

/// Members whose string value is not printed.
const SECRETS: [&str; 5] = ["deviceSecret", "productSecret", "password", "sign", "token"];

/// Calls `print` with each line of valid JSON laid out: one member or element a line, four blanks a level.
/// Strings and numbers stay as written, but for [`SECRETS`].
fn lay_out(json: &str, mut print: impl FnMut(&str)) {
    const INDENT: &str = "    ";
    let mut line = String::new();
    let mut level = 0_usize;
    // Whether the next string is the value of a member that is not printed.
    let mut secret = false;
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                let start = line.len() + 1;
                line.push(character);
                while let Some(inner) = characters.next() {
                    line.push(inner);
                    match inner {
                        // The escaped character may be a quotation mark.
                        '\\' => line.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                if secret {
                    line.truncate(start);
                    line.push_str("***\"");
                }
                let name = line.get(start..line.len() - 1).unwrap_or_default();
                secret = !secret && SECRETS.contains(&name);
            }
            '{' | '[' => {
                secret = false;
                line.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    line.push(end);
                } else {
                    level += 1;
                    print(&std::mem::replace(&mut line, INDENT.repeat(level)));
                }
            }
            '}' | ']' => {
                level = level.saturating_sub(1);
                print(&std::mem::replace(&mut line, INDENT.repeat(level)));
                line.push(character);
            }
            ',' => {
                secret = false;
                line.push(character);
                print(&std::mem::replace(&mut line, INDENT.repeat(level)));
            }
            ':' => line.push_str(": "),
            blank if blank.is_ascii_whitespace() => {}
            other => line.push(other),
        }
    }
    print(&line);
}
