//! Local scaffolding: the panic barrier.
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; `default` after a panic.
pub fn guard<T>(default: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        log::error!("panic caught at the C boundary");
        default
    })
}
