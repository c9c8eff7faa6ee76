//! Strings and blocks that cross the C boundary.

use std::ffi::c_char;
use std::ptr;

/// The bytes of the C string `text` without its NUL, or `None` when it is NULL or longer than `max`.
///
/// Reads at most `max + 1` bytes, so that an unterminated array of that size is detected without
/// reading past it.
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string, or to at least `max + 1` readable bytes;
/// they do not change while the returned slice is in use.
pub unsafe fn bounded<'a>(text: *const c_char, max: usize) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller promises readable bytes up to the NUL or to max + 1; strnlen looks no
    // further.
    let len = unsafe { libc::strnlen(text, max.saturating_add(1)) };
    if len > max {
        return None;
    }
    // SAFETY: the `len` bytes before the NUL were just read; the caller keeps them unchanged.
    Some(unsafe { std::slice::from_raw_parts(text.cast(), len) })
}

/// As [`bounded`], and `None` as well when the bytes are not UTF-8.
///
/// # Safety
/// As for [`bounded`].
pub unsafe fn bounded_str<'a>(text: *const c_char, max: usize) -> Option<&'a str> {
    // SAFETY: the caller keeps the promise of `bounded`.
    std::str::from_utf8(unsafe { bounded(text, max) }?).ok()
}

/// Copies `text` and a NUL to `out`.
///
/// # Safety
/// `out` points to at least `text.len() + 1` writable bytes that do not overlap `text`.
pub unsafe fn write_terminated(text: &[u8], out: *mut c_char) {
    // SAFETY: the caller promises room for the text and one byte more, without overlap.
    unsafe {
        ptr::copy_nonoverlapping(text.as_ptr(), out.cast(), text.len());
        out.add(text.len()).write(0);
    }
}

/// Writes `text` and a NUL to an array. False, and nothing written, if it does not fit.
pub fn put(array: &mut [c_char], text: &[u8]) -> bool {
    let fits = text.len() < array.len();
    if fits {
        // SAFETY: room for the text and the NUL was just found; a shared borrow does not overlap an
        // exclusive one.
        unsafe { write_terminated(text, array.as_mut_ptr()) };
    }
    fits
}

/// The `len` bytes at `data`, empty for length 0, or `None` for NULL with a length.
///
/// # Safety
/// `data` is NULL or points to `len` readable bytes that do not change while the slice is in use.
pub unsafe fn bytes<'a>(data: *const u8, len: usize) -> Option<&'a [u8]> {
    if len == 0 {
        return Some(&[]);
    }
    if data.is_null() || isize::try_from(len).is_err() {
        return None;
    }
    // SAFETY: not NULL, and the caller promises `len` readable, unchanging bytes.
    Some(unsafe { std::slice::from_raw_parts(data, len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_stops_at_the_limit() {
        let full = [b'x' as c_char; 4];
        // SAFETY: four readable bytes, limit 3.
        assert_eq!(unsafe { bounded(full.as_ptr(), 3) }, None);
        // SAFETY: terminated literals.
        unsafe {
            assert_eq!(bounded(c"abc".as_ptr(), 3), Some(&b"abc"[..]));
            assert_eq!(bounded(c"abcd".as_ptr(), 3), None);
            assert_eq!(bounded(c"".as_ptr(), 0), Some(&b""[..]));
            assert_eq!(bounded(ptr::null(), 3), None);
            assert_eq!(bounded_str(c"\xff".as_ptr(), 3), None);
        }
    }

    #[test]
    fn bytes_of_nothing() {
        // SAFETY: NULL and length 0 are allowed.
        unsafe {
            assert_eq!(bytes(ptr::null(), 0), Some(&[][..]));
            assert_eq!(bytes(ptr::null(), 1), None);
        }
    }
}
