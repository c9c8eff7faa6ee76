//! QoS 1 messages sent and not acknowledged yet.
//!
//! A message is kept as its encoded packet, so that a repeat differs in the DUP flag alone
//! (MQTT 3.1.1 §4.3.2, §4.4). Lookup is by packet id; order of sending is kept for the repeats.

use std::collections::VecDeque;

use zeroize::Zeroize;

/// The DUP bit of a PUBLISH's first byte.
const DUP: u8 = 0x08;

/// Most messages in flight, so that packet ids never run out.
pub const LIMIT_MAX: usize = 32_768;

struct Message {
    pkid: u16,
    packet: Vec<u8>,
    /// When to send it again, milliseconds.
    due_at: u64,
    /// Whether it takes one of the application's places.
    counted: bool,
}

impl Drop for Message {
    fn drop(&mut self) {
        self.packet.zeroize();
    }
}

/// The list of unacknowledged messages of one client. It survives reconnects.
pub struct Inflight {
    messages: VecDeque<Message>,
    counted: usize,
    limit: usize,
}

impl Inflight {
    /// A list with room for `limit` messages of the application, but at most [`LIMIT_MAX`].
    pub fn new(limit: usize) -> Self {
        Inflight {
            messages: VecDeque::new(),
            counted: 0,
            limit: limit.min(LIMIT_MAX),
        }
    }

    /// Messages waiting for an acknowledgement.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether another message of the application fits.
    pub fn has_room(&self) -> bool {
        self.counted < self.limit
    }

    /// Whether `pkid` is taken.
    pub fn contains(&self, pkid: u16) -> bool {
        self.messages.iter().any(|m| m.pkid == pkid)
    }

    /// Adds a message that is about to be written. `counted` is false for the library's own
    /// reports, which take no place of the application.
    pub fn add(&mut self, pkid: u16, packet: &[u8], due_at: u64, counted: bool) {
        self.counted += usize::from(counted);
        self.messages.push_back(Message {
            pkid,
            packet: packet.to_vec(),
            due_at,
            counted,
        });
    }

    /// Removes an acknowledged (or never written) message; false if it was unknown.
    pub fn remove(&mut self, pkid: u16) -> bool {
        // Acknowledgements come in order of sending, so the search almost always ends at once.
        let Some(index) = self.messages.iter().position(|m| m.pkid == pkid) else {
            return false;
        };
        if let Some(message) = self.messages.remove(index) {
            self.counted -= usize::from(message.counted);
        }
        true
    }

    /// The next message due for a repeat at `now`, DUP set; it becomes due again after `period`.
    pub fn next_due(&mut self, now: u64, period: u64) -> Option<&[u8]> {
        let message = self.messages.iter_mut().find(|m| m.due_at <= now)?;
        message.due_at = now + period;
        if let Some(first) = message.packet.first_mut() {
            *first |= DUP;
        }
        Some(&message.packet)
    }

    /// Makes every message due at `now`: the session was resumed after a reconnect.
    pub fn all_due(&mut self, now: u64) {
        for message in &mut self.messages {
            message.due_at = now;
        }
    }

    /// When the earliest repeat is due.
    pub fn next_due_at(&self) -> Option<u64> {
        self.messages.iter().map(|m| m.due_at).min()
    }
}
