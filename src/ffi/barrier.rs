//! The panic barrier of the C boundary.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a panic inside is logged and answered with `default` instead of unwinding into C.
pub fn guard<T>(default: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        log::error!("internal error: a panic was stopped at the C boundary");
        default
    })
}
