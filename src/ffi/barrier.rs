//! The panic barrier between Rust and C.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

/// Runs the body of an exported function. A panic ends here: it is logged and `default` returned.
///
/// Unwind safety is asserted: what a panic leaves half-done behind a lock is discarded or valid,
/// because every lock of the crate ignores poisoning only where each write is complete by itself.
///
/// The log is installed on the way: firmware that uses the HAL alone makes no other call first.
pub fn guard<T>(default: T, body: impl FnOnce() -> T) -> T {
    super::log::init();
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            // Logging and dropping the payload run foreign code as well.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| report(payload)));
            default
        }
    }
}

/// Logs what a caught panic said.
fn report(payload: Box<dyn Any + Send>) {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    log::error!("internal error, the call was abandoned: {text}");
}

#[cfg(test)]
mod tests {
    use super::guard;

    #[test]
    fn returns_the_value_of_the_body() {
        assert_eq!(guard(-1, || 7), 7);
    }

    #[test]
    fn a_panic_becomes_the_default() {
        assert_eq!(guard(-1, || panic!("on purpose")), -1);
        assert_eq!(guard(-2, || std::panic::panic_any(5_u8)), -2);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_stays_inside() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("second panic, on purpose");
            }
        }
        assert_eq!(guard(-3, || std::panic::panic_any(Bomb)), -3);
    }
}
