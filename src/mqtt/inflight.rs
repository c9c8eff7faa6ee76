//! QoS 1 messages sent and not acknowledged yet.
//!
//! A message is kept as its encoded packet, so that a repeat differs in the DUP flag alone
//! (MQTT 3.1.1 §4.3.2, §4.4). Lookup is by packet id; order of sending is kept for the repeats.
//!
//! A message that a store has to save first goes through three stages; one without a store begins
//! at the last:
//!
//! | stage | input | next |
//! |---|---|---|
//! | held | [`Inflight::ready`] | ready |
//! | held, ready | [`Inflight::remove`] | gone: it was refused or dropped |
//! | ready | [`Inflight::next_ready`], no held message before it | sent |
//! | sent | acknowledgement: [`Inflight::acknowledged`] | gone |
//! | held, ready | acknowledgement | unchanged: a server cannot have seen it |

use std::collections::VecDeque;

use zeroize::Zeroize;

/// The DUP bit of a PUBLISH's first byte.
const DUP: u8 = 0x08;

/// Most messages in flight, so that packet ids never run out.
pub const LIMIT_MAX: usize = 32_768;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Has its place in the order, and must not be sent yet.
    Held,
    /// May be sent as soon as those before it were.
    Ready,
    /// Was sent; a repeat follows at this time, milliseconds.
    Sent { due_at: u64 },
}

struct Message {
    pkid: u16,
    packet: Vec<u8>,
    stage: Stage,
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
    /// Messages that are held or ready.
    unsent: usize,
}

impl Inflight {
    /// A list with room for `limit` messages of the application, but at most [`LIMIT_MAX`].
    pub fn new(limit: usize) -> Self {
        Inflight {
            messages: VecDeque::new(),
            counted: 0,
            limit: limit.min(LIMIT_MAX),
            unsent: 0,
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
        self.push(pkid, packet, Stage::Sent { due_at }, counted);
    }

    /// Adds a message of the application that has its place in the order from now on, but is sent
    /// only after [`Inflight::ready`].
    pub fn hold(&mut self, pkid: u16, packet: &[u8]) {
        self.push(pkid, packet, Stage::Held, true);
    }

    /// Adds a message of an earlier run, which may have been sent: it counts as sent, and is due
    /// after the next CONNACK.
    pub fn restore(&mut self, pkid: u16, packet: &[u8]) {
        self.push(pkid, packet, Stage::Sent { due_at: u64::MAX }, true);
    }

    fn push(&mut self, pkid: u16, packet: &[u8], stage: Stage, counted: bool) {
        self.counted += usize::from(counted);
        self.unsent += usize::from(!matches!(stage, Stage::Sent { .. }));
        self.messages.push_back(Message {
            pkid,
            packet: packet.to_vec(),
            stage,
            counted,
        });
    }

    /// A held message may be sent; false if it is gone meanwhile.
    pub fn ready(&mut self, pkid: u16) -> bool {
        let held = |m: &&mut Message| m.pkid == pkid && m.stage == Stage::Held;
        match self.messages.iter_mut().find(held) {
            Some(message) => {
                message.stage = Stage::Ready;
                true
            }
            None => false,
        }
    }

    /// The next message to be sent for the first time: the oldest one that is ready, unless an
    /// older one is still held. Its repeat is due at `due_at`.
    pub fn next_ready(&mut self, due_at: u64) -> Option<&[u8]> {
        if self.unsent == 0 {
            return None;
        }
        let unsent = |m: &&mut Message| !matches!(m.stage, Stage::Sent { .. });
        let message = self.messages.iter_mut().find(unsent)?;
        if message.stage == Stage::Held {
            return None;
        }
        message.stage = Stage::Sent { due_at };
        self.unsent -= 1;
        Some(&message.packet)
    }

    /// Removes a message that the server has acknowledged; false if none with this id was sent.
    pub fn acknowledged(&mut self, pkid: u16) -> bool {
        // Acknowledgements come in order of sending, so the search almost always ends at once.
        let sent = |m: &Message| m.pkid == pkid && matches!(m.stage, Stage::Sent { .. });
        let index = self.messages.iter().position(sent);
        index.is_some_and(|index| self.remove_at(index))
    }

    /// Removes a message whatever its stage; false if it was unknown.
    pub fn remove(&mut self, pkid: u16) -> bool {
        let index = self.messages.iter().position(|m| m.pkid == pkid);
        index.is_some_and(|index| self.remove_at(index))
    }

    fn remove_at(&mut self, index: usize) -> bool {
        let Some(message) = self.messages.remove(index) else {
            return false;
        };
        self.counted -= usize::from(message.counted);
        self.unsent -= usize::from(!matches!(message.stage, Stage::Sent { .. }));
        true
    }

    /// The packet id of the oldest message of the application that is not held.
    pub fn oldest(&self) -> Option<u16> {
        let droppable = |m: &&Message| m.counted && m.stage != Stage::Held;
        self.messages.iter().find(droppable).map(|m| m.pkid)
    }

    /// The next message due for a repeat at `now`, DUP set; it becomes due again after `period`.
    pub fn next_due(&mut self, now: u64, period: u64) -> Option<&[u8]> {
        let due = |m: &&mut Message| matches!(m.stage, Stage::Sent { due_at } if due_at <= now);
        let message = self.messages.iter_mut().find(due)?;
        message.stage = Stage::Sent {
            due_at: now + period,
        };
        if let Some(first) = message.packet.first_mut() {
            *first |= DUP;
        }
        Some(&message.packet)
    }

    /// Makes every message that was sent due at `now`: the session goes on after a reconnect.
    pub fn all_due(&mut self, now: u64) {
        for message in &mut self.messages {
            if let Stage::Sent { due_at } = &mut message.stage {
                *due_at = now;
            }
        }
    }

    /// When the earliest repeat is due.
    pub fn next_due_at(&self) -> Option<u64> {
        let due_at = |m: &Message| match m.stage {
            Stage::Sent { due_at } => Some(due_at),
            Stage::Held | Stage::Ready => None,
        };
        self.messages.iter().filter_map(due_at).min()
    }
}
