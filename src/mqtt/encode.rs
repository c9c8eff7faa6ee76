//! Packets whose last fields the codec does not write.
//!
//! The codec wants to own what it encodes. For a password, which should not be copied around, and
//! for a payload, which may be large, it writes the packet without them, and they are appended.

use bytes::BufMut;

/// Bytes of the longest fixed header: type, flags and a remaining length of four bytes.
pub(super) const FIXED_HEADER_MAX: usize = 5;

/// A packet of the codec, taken apart for completion.
pub(super) struct Unfinished<'a> {
    first: u8,
    body: &'a [u8],
}

impl<'a> Unfinished<'a> {
    /// `packet` is one whole packet that the codec has written.
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
        let mut remaining = self.body.len() + tail;
        loop {
            let digit = (remaining & 0x7f) as u8;
            remaining >>= 7;
            out.put_u8(if remaining > 0 { digit | 0x80 } else { digit });
            if remaining == 0 {
                break;
            }
        }
        out.put_slice(self.body);
    }
}
