//! Packets whose last fields the codec does not write.
//!
//! The codec wants to own what it encodes. For a password, which should not be copied around, and
//! for a payload, which may be large, it writes the packet without them, and they are appended.

use bytes::{BufMut, BytesMut};

/// Bytes of the longest fixed header: type, flags and a remaining length of four bytes.
pub(super) const FIXED_HEADER_MAX: usize = 5;

/// Writes a PUBLISH as far as its payload, whole without one. `pkid` 0 means QoS 0. False if the
/// topic is longer than the protocol can say.
pub(super) fn publish_head(out: &mut BytesMut, topic: &str, pkid: u16, retain: bool) -> bool {
    let Ok(topic_len) = u16::try_from(topic.len()) else {
        return false;
    };
    out.put_u8(0x30 | u8::from(pkid != 0) << 1 | u8::from(retain));
    put_length(out, 2 + topic.len() + if pkid == 0 { 0 } else { 2 });
    out.put_u16(topic_len);
    out.put_slice(topic.as_bytes());
    if pkid != 0 {
        out.put_u16(pkid);
    }
    true
}

/// Writes a remaining length (MQTT 3.1.1 §2.2.3).
fn put_length(out: &mut impl BufMut, mut length: usize) {
    loop {
        let digit = (length & 0x7f) as u8;
        length >>= 7;
        out.put_u8(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
}

/// A packet, taken apart for completion.
pub(super) struct Unfinished<'a> {
    first: u8,
    body: &'a [u8],
}

impl<'a> Unfinished<'a> {
    /// `packet` is one whole packet.
    pub(super) fn new(packet: &'a [u8]) -> Self {
        let length_bytes = packet[1..].iter().take_while(|b| **b & 0x80 != 0).count() + 1;
        Unfinished {
            first: packet[0],
            body: &packet[1 + length_bytes..],
        }
    }

    /// Bytes behind the fixed header.
    pub(super) fn body_len(&self) -> usize {
        self.body.len()
    }

    /// Size of the packet with `tail` more bytes.
    pub(super) fn size(&self, tail: usize) -> usize {
        let remaining = self.body.len() + tail;
        let length_bytes = match remaining {
            0..=127 => 1,
            128..=16_383 => 2,
            16_384..=2_097_151 => 3,
            _ => 4,
        };
        1 + length_bytes + remaining
    }

    /// Writes fixed header and body for a packet to which the caller appends `tail` bytes.
    pub(super) fn write(&self, out: &mut impl BufMut, tail: usize) {
        out.put_u8(self.first);
        put_length(out, self.body.len() + tail);
        out.put_slice(self.body);
    }
}
