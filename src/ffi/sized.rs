//! Structures of options, which begin with their size in bytes: a program may have been compiled with an
//! earlier or a later version of them.

use std::mem::{MaybeUninit, size_of};
use std::ops::RangeInclusive;
use std::ptr;

use libc::size_t;

use super::client_options::{Checked, invalid, refuse};
use crate::state;

/// Reads a structure as far as the program knows it; members that it does not know are zero. Set members
/// that this library does not know are refused. `sizes` are those that some version has, `name` is the name
/// of the type without its `_t`.
///
/// # Safety
/// `options` is NULL or points to a size, the first member of `T`, followed by the rest of so many bytes. Zero
/// bytes are valid for every member of `T`.
pub(super) unsafe fn read<T: Copy>(
    options: *const T,
    sizes: RangeInclusive<usize>,
    name: &str,
) -> Checked<T> {
    if options.is_null() {
        return refuse(state::STATE_USER_INPUT_NULL_POINTER, "options is NULL");
    }
    // SAFETY: not NULL; the first member is readable by the caller's promise.
    let size = unsafe { options.cast::<size_t>().read() };
    if !sizes.contains(&size) {
        return refuse(
            state::STATE_USER_INPUT_OUT_RANGE,
            format!("struct_size is {size}; use {name}_init with sizeof({name}_t)"),
        );
    }
    let known = size_of::<T>();
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `size` bytes are readable by the caller's promise, `known` are writable; what lies behind
    // `known` is readable as well.
    let rest = unsafe {
        let bytes = options.cast::<u8>();
        ptr::copy_nonoverlapping(bytes, copy.as_mut_ptr().cast(), size.min(known));
        std::slice::from_raw_parts(bytes.add(size.min(known)), size.saturating_sub(known))
    };
    if rest.iter().any(|byte| *byte != 0) {
        return invalid("an option is set that this version of the library does not know");
    }
    // SAFETY: members that were not copied are zero, which the caller promises to be valid.
    Ok(unsafe { copy.assume_init() })
}
