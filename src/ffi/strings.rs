//! The string helpers of `infra_string.h`.
//!
//! Exported as `iotx_port_*`; the shim defines the public names weakly on top, so that firmware which
//! brings its own copies still links. NULL arguments make a call without effect.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uchar};
use std::ptr;

use super::barrier::guard;
use super::cstr;

unsafe extern "C" {
    fn HAL_Random(region: u32) -> u32;
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// Writes two digits per byte of `input` to `out`.
///
/// # Safety
/// `out` has room for `2 * input.len()` bytes; it may start at the address of `input`'s bytes only if
/// it does not reach into bytes still to be read, which is why callers pass separate buffers.
unsafe fn write_hex(input: &[u8], digits: &[u8; 16], out: *mut c_char) {
    for (at, byte) in input.iter().enumerate() {
        // SAFETY: 2 * at + 1 < 2 * input.len(), for which the caller promises room.
        unsafe {
            out.add(2 * at)
                .write(digits[usize::from(byte >> 4)] as c_char);
            out.add(2 * at + 1)
                .write(digits[usize::from(byte & 15)] as c_char);
        }
    }
}

/// The lower-case hexadecimal digit of the low four bits of `hex`.
#[unsafe(no_mangle)]
pub extern "C" fn iotx_port_hex2char(hex: u8) -> i8 {
    LOWER[usize::from(hex & 15)] as i8
}

/// Writes `2 * input_len` upper-case digits, without a NUL.
///
/// # Safety
/// `input` is NULL or has `input_len` readable bytes; `output` is NULL or a separate buffer of twice
/// that size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_hex2str(input: *mut u8, input_len: u16, output: *mut c_char) {
    guard((), || {
        // SAFETY: the caller promises the bytes.
        let input = unsafe { cstr::bytes(input, input_len.into()) };
        if let (Some(input), false) = (input, output.is_null()) {
            // SAFETY: the caller promises room for two digits per byte.
            unsafe { write_hex(input, UPPER, output) };
        }
    });
}

/// Writes `2 * in_len` digits, upper-case if `uppercase` is not 0, without a NUL.
///
/// # Safety
/// `digest` is NULL or has `in_len` readable bytes; `out` is NULL or a separate buffer of twice that
/// size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_hexbuf_convert(
    digest: *mut c_uchar,
    out: *mut c_char,
    in_len: c_int,
    uppercase: c_int,
) {
    guard((), || {
        let Ok(len) = usize::try_from(in_len) else {
            return;
        };
        let digits = if uppercase == 0 { LOWER } else { UPPER };
        // SAFETY: the caller promises the bytes.
        let input = unsafe { cstr::bytes(digest, len) };
        if let (Some(input), false) = (input, out.is_null()) {
            // SAFETY: the caller promises room for two digits per byte.
            unsafe { write_hex(input, digits, out) };
        }
    });
}

/// The value of a hexadecimal digit; 0 for any other character.
fn hex_value(digit: u8) -> u8 {
    char::from(digit).to_digit(16).unwrap_or(0) as u8
}

/// Converts digits to at most `output_len` bytes. An odd or negative `input_len` converts nothing, a
/// character that is no digit counts as 0.
///
/// # Safety
/// `input` is NULL or has `input_len` readable bytes, `output` is NULL or has `output_len` writable
/// bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_hexstr_convert(
    input: *mut c_char,
    input_len: c_int,
    output: *mut c_uchar,
    output_len: c_int,
) {
    guard((), || {
        let (Ok(len), Ok(room)) = (usize::try_from(input_len), usize::try_from(output_len)) else {
            return;
        };
        if input.is_null() || output.is_null() || len % 2 != 0 {
            return;
        }
        for at in 0..room.min(len / 2) {
            // SAFETY: 2 * at + 1 < len and at < room, as the caller promises. Raw accesses, so that
            // converting in place is fine too.
            unsafe {
                let high = hex_value(input.add(2 * at).read() as u8);
                let low = hex_value(input.add(2 * at + 1).read() as u8);
                output.add(at).write(high << 4 | low);
            }
        }
    });
}

/// Writes the decimal digits of `input` (1...10), without a NUL.
///
/// # Safety
/// `output` is NULL or has 10 writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_int2str(input: u32, output: *mut c_char) {
    guard((), || {
        if !output.is_null() {
            let digits = input.to_string();
            // SAFETY: a u32 has at most 10 digits, for which the caller promises room.
            unsafe { ptr::copy_nonoverlapping(digits.as_ptr().cast(), output, digits.len()) };
        }
    });
}

/// Reads a decimal number with optional leading blanks and sign, up to the first other character; no
/// digit at all reads as 0. Returns 0, or -1 for NULL or a number outside `int`, and then leaves `val`
/// alone.
///
/// # Safety
/// `input` is NULL or a terminated string, `val` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_str2int(input: *const c_char, val: *mut c_int) -> c_int {
    guard(-1, || {
        if input.is_null() || val.is_null() {
            return -1;
        }
        // SAFETY: not NULL, and the caller promises a terminated string.
        let text = unsafe { CStr::from_ptr(input) }.to_bytes();
        let text = &text[text.iter().take_while(|byte| **byte == b' ').count()..];
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let mut number: c_int = 0;
        for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
            let digit = c_int::from(digit - b'0');
            // Built up with its sign, since the smallest int has no positive counterpart.
            let next = number.checked_mul(10).and_then(|number| {
                if negative {
                    number.checked_sub(digit)
                } else {
                    number.checked_add(digit)
                }
            });
            match next {
                Some(next) => number = next,
                None => return -1,
            }
        }
        // SAFETY: not NULL, and the caller promises it writable.
        unsafe { val.write(number) };
        0
    })
}

/// Reads exactly `input_len` decimal digits. Returns 0, or -1 for anything else, and then leaves
/// `output` alone.
///
/// # Safety
/// `input` is NULL or has `input_len` readable bytes, `output` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_str2uint(
    input: *mut c_char,
    input_len: u8,
    output: *mut u32,
) -> i32 {
    guard(-1, || {
        // SAFETY: the caller promises the bytes.
        let digits = unsafe { cstr::bytes(input.cast(), input_len.into()) };
        let number = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse().ok());
        match number {
            Some(number) if !output.is_null() => {
                // SAFETY: not NULL, and the caller promises it writable.
                unsafe { output.write(number) };
                0
            }
            _ => -1,
        }
    })
}

thread_local! {
    /// Where the next call of `infra_strtok(NULL, ..)` on this thread goes on; NULL at the end.
    static REST: Cell<*mut c_char> = const { Cell::new(ptr::null_mut()) };
}

/// Cuts a string into the pieces between occurrences of the whole string `delim`; empty pieces are
/// skipped. NULL as `text` goes on with the string of the last call on this thread. Returns the next
/// piece inside the string, or NULL when none is left or `delim` is NULL or empty.
///
/// # Safety
/// `text` is NULL or a terminated, writable string that stays valid until the last piece was taken;
/// `delim` is NULL or a terminated string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_strtok(text: *mut c_char, delim: *const c_char) -> *mut c_char {
    guard(ptr::null_mut(), || {
        let start = if text.is_null() { REST.get() } else { text };
        if start.is_null() || delim.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: not NULL; the caller promises terminated strings.
        let (all, delim) = unsafe {
            (
                CStr::from_ptr(start).to_bytes(),
                CStr::from_ptr(delim).to_bytes(),
            )
        };
        if delim.is_empty() {
            return ptr::null_mut();
        }
        let mut skipped = 0;
        while all[skipped..].starts_with(delim) {
            skipped += delim.len();
        }
        let piece = &all[skipped..];
        if piece.is_empty() {
            REST.set(ptr::null_mut());
            return ptr::null_mut();
        }
        let end = piece
            .windows(delim.len())
            .position(|window| window == delim);
        // SAFETY: the offsets lie inside the string `start` points to; the shared slices of it are
        // not used after the write.
        unsafe {
            match end {
                Some(end) => {
                    let cut = start.add(skipped + end);
                    REST.set(cut.add(delim.len()));
                    ptr::write_bytes(cut, 0, delim.len());
                }
                None => REST.set(ptr::null_mut()),
            }
            start.add(skipped)
        }
    })
}

/// Fills `random` with `length` letters and digits drawn by `HAL_Random`, without a NUL. Returns 0, or
/// -1 for NULL or a negative length.
///
/// # Safety
/// `random` is NULL or has `length` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotx_port_randstr(random: *mut c_char, length: c_int) -> c_int {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    guard(-1, || {
        let Ok(length) = usize::try_from(length) else {
            return -1;
        };
        if random.is_null() {
            return -1;
        }
        for at in 0..length {
            // SAFETY: HAL_Random has no preconditions.
            let drawn = unsafe { HAL_Random(ALPHABET.len() as u32) } as usize;
            // A port that ignores the range must not lead out of the alphabet.
            let letter = ALPHABET[drawn % ALPHABET.len()];
            // SAFETY: at < length, for which the caller promises room.
            unsafe { random.add(at).write(letter as c_char) };
        }
        0
    })
}
