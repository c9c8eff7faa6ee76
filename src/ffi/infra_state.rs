//! The description of state codes, `IOT_Extension_StateDesc`.

use std::ffi::{c_char, c_int};

use crate::state;

/// One English sentence for `code`, for any value; never NULL. The string is static: the caller must
/// not free or change it. Any thread. The texts may change between releases.
#[unsafe(no_mangle)]
pub extern "C" fn IOT_Extension_StateDesc(code: c_int) -> *const c_char {
    state::describe(code).as_ptr()
}
