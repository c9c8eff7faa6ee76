//! Connections under TLS that are not made by `HAL_TCP_Establish` alone: through a proxy.

use std::fmt;
use std::sync::Arc;

use crate::hal::diagnostics::{Failure, Stage};

/// A connection being set up for a session. Dropping it gives it up.
pub trait Carrier: Send {
    /// Goes on for at most about `wait_ms` milliseconds. A handle of `HAL_TCP_*` is given away with the
    /// result; `Ok(None)`: call again. After anything else it is over.
    fn step(&mut self, wait_ms: u32) -> Result<Option<usize>, Failure>;

    /// What the next step goes on with.
    fn stage(&self) -> Stage;
}

type Start = dyn Fn() -> Result<Box<dyn Carrier>, Failure> + Send + Sync;

/// Begins connections, as many as handshakes need.
#[derive(Clone)]
pub struct Carriers(Arc<Start>);

impl Carriers {
    /// `start` begins one connection; it does not block.
    pub fn new(
        start: impl Fn() -> Result<Box<dyn Carrier>, Failure> + Send + Sync + 'static,
    ) -> Self {
        Carriers(Arc::new(start))
    }

    pub(super) fn start(&self) -> Result<Box<dyn Carrier>, Failure> {
        (self.0)()
    }
}

impl fmt::Debug for Carriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carriers")
    }
}
