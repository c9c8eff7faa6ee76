//! The client's messages: numbered, encoded, held until they may go, sent again.

use zeroize::Zeroizing;

use super::{Engine, PACKET_MAX, State};
use crate::mqtt::counters::Probe;
use crate::mqtt::encode::{Unfinished, publish_head};
use crate::state;

/// An application message to send.
pub struct Message<'a> {
    /// Topic name, already checked.
    pub topic: &'a str,
    /// Payload.
    pub payload: &'a [u8],
    /// QoS 1 instead of 0.
    pub qos1: bool,
    /// RETAIN flag.
    pub retain: bool,
    /// False for reports of the library's own, which take no place of the application.
    pub counted: bool,
}

impl Engine {
    /// The next free packet id: one counter for all packet kinds, 1 to 65535, ids in flight
    /// skipped.
    pub fn take_pkid(&mut self) -> u16 {
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            // Most of the 65535 are always free: see PENDING_MAX, and the list of messages.
            let pkid = self.last_pkid;
            if !self.inflight.contains(pkid) && !self.pending.contains(&pkid) {
                return pkid;
            }
        }
    }

    /// Adds a PUBLISH to the output and, for QoS 1, notes it as in flight. Returns the packet id
    /// (0 for QoS 0); if the output cannot be written, call [`Engine::unsent`] with it.
    ///
    /// Errors: `STATE_MQTT_SERIALIZE_PUB_ERROR` (over the write limit),
    /// `STATE_MQTT_QOS1_REPUB_EXCEED_MAX` (too many in flight).
    pub fn publish(&mut self, now: u64, message: &Message<'_>) -> Result<u16, i32> {
        self.resume(now);
        let pkid = if message.qos1 { self.take_pkid() } else { 0 };
        self.encode_publish(pkid, message)?;
        if message.qos1 && message.counted && !self.inflight.has_room() {
            return Err(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX);
        }
        let unfinished = Unfinished::new(&self.scratch);
        let start = self.output.len();
        unfinished.write(&mut self.output, message.payload.len());
        self.output.extend_from_slice(message.payload);
        self.counters.packets_out += 1;
        self.counters.messages_out += 1;
        if message.qos1 {
            let due_at = now + self.repeat_ms();
            self.inflight
                .add(pkid, &self.output[start..], due_at, message.counted);
            self.counters.start(Probe::Message(pkid), now);
        }
        Ok(pkid)
    }

    /// Writes a PUBLISH without its payload to the scratch buffer.
    fn encode_publish(&mut self, pkid: u16, message: &Message<'_>) -> Result<(), i32> {
        self.scratch.clear();
        if !publish_head(&mut self.scratch, message.topic, pkid, message.retain) {
            return Err(state::STATE_MQTT_SERIALIZE_PUB_ERROR);
        }
        let size = Unfinished::new(&self.scratch).size(message.payload.len());
        if size > self.limits.write_max.min(PACKET_MAX) {
            return Err(state::STATE_MQTT_SERIALIZE_PUB_ERROR);
        }
        Ok(())
    }

    /// Gives a QoS 1 message its packet id and its place in the order, without sending it: that
    /// happens after [`Engine::ready`], or never after [`Engine::forget`]. Returns the packet id.
    ///
    /// Errors: as [`Engine::publish`].
    pub fn hold(&mut self, message: &Message<'_>) -> Result<u16, i32> {
        let pkid = self.take_pkid();
        self.encode_publish(pkid, message)?;
        if !self.inflight.has_room() {
            return Err(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX);
        }
        self.inflight.hold(pkid, &self.whole(message.payload));
        Ok(pkid)
    }

    /// A held message may go: it is added to the output now if there is a connection and no older
    /// one is held, else later. False if it is gone meanwhile.
    pub fn ready(&mut self, now: u64, pkid: u16) -> bool {
        let known = self.inflight.ready(pkid);
        self.release(now);
        known
    }

    /// Drops a QoS 1 message at any stage. Those that waited for it may go.
    pub fn forget(&mut self, now: u64, pkid: u16) {
        self.inflight.remove(pkid);
        self.release(now);
    }

    /// Takes over a message of an earlier run under its packet id: it is sent after the next
    /// CONNACK, with DUP, before new ones. Call in the order of first sending, before a connection
    /// is made; packet ids go on behind the last one.
    ///
    /// Error: `STATE_MQTT_SERIALIZE_PUB_ERROR` (topic or packet beyond what the protocol allows; the
    /// write limit, which may have been larger then, is not applied).
    pub fn restore(&mut self, pkid: u16, message: &Message<'_>) -> Result<(), i32> {
        let write_max = std::mem::replace(&mut self.limits.write_max, PACKET_MAX);
        let encoded = self.encode_publish(pkid, message);
        self.limits.write_max = write_max;
        encoded?;
        self.inflight.restore(pkid, &self.whole(message.payload));
        self.last_pkid = pkid;
        Ok(())
    }

    /// The packet begun in the scratch buffer, completed by its payload.
    fn whole(&self, payload: &[u8]) -> Zeroizing<Vec<u8>> {
        let unfinished = Unfinished::new(&self.scratch);
        // Sized in advance, so that no copy of the payload is left behind by growing.
        let mut packet = Zeroizing::new(Vec::with_capacity(unfinished.size(payload.len())));
        unfinished.write(&mut *packet, payload.len());
        packet.extend_from_slice(payload);
        packet
    }

    /// The oldest QoS 1 message of the application that is not held.
    pub fn oldest(&self) -> Option<u16> {
        self.inflight.oldest()
    }

    /// Adds the repeats of a resumed session to the output.
    pub(super) fn resume(&mut self, now: u64) {
        if !self.resuming || self.state != State::Connected {
            return;
        }
        let period = self.repeat_ms();
        while let Some(repeat) = self.inflight.next_due(now, period) {
            self.output.extend_from_slice(repeat);
            self.counters.packets_out += 1;
        }
        self.resuming = false;
    }

    /// Adds every message to the output that waits only for its turn.
    pub(super) fn release(&mut self, now: u64) {
        if self.state != State::Connected {
            return;
        }
        self.resume(now);
        let due_at = now + self.repeat_ms();
        while let Some(packet) = self.inflight.next_ready(due_at) {
            self.output.extend_from_slice(packet);
            self.counters.packets_out += 1;
            self.counters.messages_out += 1;
        }
    }

    /// A packet with this id was not written: nobody will acknowledge it.
    pub fn unsent(&mut self, pkid: u16) {
        self.inflight.remove(pkid);
        self.pending.remove(&pkid);
        self.counters.forget_probe();
    }
}
