//! The Rust part of a firmware that brings a Rust runtime of its own beside the library's.

/// Panics for positive values and returns -1 then: unwinding works within this runtime.
#[unsafe(no_mangle)]
pub extern "C" fn neighbour_panics(value: i32) -> i32 {
    std::panic::catch_unwind(|| if value > 0 { panic!("on purpose") } else { value }).unwrap_or(-1)
}
