//! What one client has done so far, for the application to read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::client::Client;
use super::states::Phase;
use crate::hal::diagnostics::TlsInfo;
use crate::hal::seam;
use crate::mqtt::Counters;
use crate::transport::{Link, LinkError};

/// Counts of a client's connections; they only grow. Any thread.
#[derive(Debug, Default)]
pub(super) struct Stats {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    attempts: AtomicU64,
    connects: AtomicU64,
}

impl Stats {
    /// A connect attempt begins.
    pub(super) fn attempt(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    /// The server has accepted the client.
    pub(super) fn online(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes received so far.
    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Ordering::Relaxed)
    }
}

/// The numbers of a client at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Packets, messages and round trips.
    pub counters: Counters,
    /// Bytes received over all connections, before TLS.
    pub bytes_in: u64,
    /// Bytes sent over all connections, before TLS.
    pub bytes_out: u64,
    /// Connect attempts, successful or not.
    pub connect_attempts: u64,
    /// Successful ones.
    pub connects: u64,
    /// How long the connection has lasted, milliseconds; `None` while there is none.
    pub online_ms: Option<u64>,
    /// Bytes that wait to be written.
    pub queued_bytes: usize,
    /// Unacknowledged QoS 1 messages.
    pub inflight: usize,
}

impl Client {
    /// The numbers of this moment. Any thread; waits for nothing.
    pub fn snapshot(&self) -> Snapshot {
        let core = self.core();
        let online = core.phase == Phase::Online;
        Snapshot {
            counters: *core.engine.counters(),
            bytes_in: self.stats.bytes_in(),
            bytes_out: self.stats.bytes_out.load(Ordering::Relaxed),
            connect_attempts: self.stats.attempts.load(Ordering::Relaxed),
            connects: self.stats.connects.load(Ordering::Relaxed),
            online_ms: online.then(|| seam::uptime_ms().saturating_sub(core.online_since)),
            queued_bytes: core.engine.output_len(),
            inflight: core.engine.inflight(),
        }
    }
}

/// A link whose bytes are counted.
pub(super) struct CountedLink {
    link: Arc<dyn Link>,
    stats: Arc<Stats>,
}

impl CountedLink {
    /// Counts what goes through `link` in `stats`.
    pub(super) fn new(link: Arc<dyn Link>, stats: &Arc<Stats>) -> Self {
        CountedLink {
            link,
            stats: Arc::clone(stats),
        }
    }
}

impl Link for CountedLink {
    fn read(&self, buffer: &mut [u8], wanted: usize, timeout_ms: u32) -> Result<usize, LinkError> {
        let count = self.link.read(buffer, wanted, timeout_ms)?;
        let bytes = count.min(buffer.len()) as u64;
        self.stats.bytes_in.fetch_add(bytes, Ordering::Relaxed);
        Ok(count)
    }

    fn write(&self, bytes: &[u8], timeout_ms: u32) -> Result<usize, LinkError> {
        let count = self.link.write(bytes, timeout_ms)?;
        let written = count.min(bytes.len()) as u64;
        self.stats.bytes_out.fetch_add(written, Ordering::Relaxed);
        Ok(count)
    }

    fn descriptor(&self) -> Option<i32> {
        self.link.descriptor()
    }

    fn has_unsent(&self) -> bool {
        self.link.has_unsent()
    }

    fn tls(&self) -> Option<TlsInfo> {
        self.link.tls()
    }

    fn accepted(&self) {
        self.link.accepted();
    }

    fn interruptible(&self) -> bool {
        self.link.interruptible()
    }

    fn interrupt(&self) {
        self.link.interrupt();
    }
}
