//! QoS 1 messages that arrived before anybody was there to take them.
//!
//! A resumed session delivers at once, perhaps before the application has registered its handlers
//! again. Without a default handler such a message would be acknowledged unseen. It waits here
//! instead, unacknowledged, until a handler for its topic is registered; if the connection goes
//! first, the server sends it again. The number is bounded, and small: servers stop delivering to
//! a client that leaves too many messages unacknowledged.

use std::collections::VecDeque;

use crate::mqtt::Publish;

/// Messages held at most. Servers allow 20 unacknowledged ones or more.
pub const HELD_MAX: usize = 16;
/// Payload bytes held at most, one message aside.
pub const HELD_BYTES_MAX: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct Held {
    messages: VecDeque<Publish>,
    bytes: usize,
    /// A handler was registered since the messages were last looked at.
    pub(super) retry: bool,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Keeps a message. What comes back has to make room for it: the oldest ones.
    pub(super) fn keep(&mut self, mut message: Publish) -> Vec<Publish> {
        // It may be a small part of a large read buffer.
        message.detach();
        self.bytes += message.payload.len();
        self.messages.push_back(message);
        let mut out = Vec::new();
        while self.messages.len() > HELD_MAX
            || (self.bytes > HELD_BYTES_MAX && self.messages.len() > 1)
        {
            out.extend(self.take_first());
        }
        out
    }

    /// All of them in order of arrival, to be tried again.
    pub(super) fn take_all(&mut self) -> VecDeque<Publish> {
        self.bytes = 0;
        self.retry = false;
        std::mem::take(&mut self.messages)
    }

    /// The connection is gone; the server still has them.
    pub(super) fn clear(&mut self) {
        self.take_all();
    }

    fn take_first(&mut self) -> Option<Publish> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.payload.len();
        Some(message)
    }
}
