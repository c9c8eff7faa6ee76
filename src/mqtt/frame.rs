//! From a byte stream to validated packets.
//!
//! Bytes may arrive in any portions; a partial packet waits here across calls. Every rule of
//! MQTT 3.1.1 about packets that a server may send is checked before the codec runs, so a
//! malformed packet is always a [`ProtocolError`] and never a wrong length or a panic. A packet
//! over the read limit is drained without being stored; only its packet id is kept.

use std::fmt;

use bytes::{Buf, BytesMut};
use rumqttc::mqttbytes::v4::Packet as Decoded;

use super::publish::Publish;

/// Largest remaining length that four bytes can express (MQTT 3.1.1 §2.2.3).
const REMAINING_LENGTH_MAX: usize = 268_435_455;

/// Why the stream of the server cannot be continued. The connection must be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError(pub &'static str);

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed packet: {}", self.0)
    }
}

/// A packet of the server, in the forms the client side acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// CONNACK. The code is kept as a number: the codec knows only 0 to 5.
    ConnAck {
        /// Session Present flag.
        session_present: bool,
        /// Return code as sent.
        code: u8,
    },
    /// PUBLISH.
    Publish(Publish),
    /// PUBACK with its packet id.
    PubAck(u16),
    /// SUBACK.
    SubAck {
        /// Packet id of the SUBSCRIBE.
        pkid: u16,
        /// False when the server refused the filter (0x80).
        granted: bool,
    },
    /// UNSUBACK with its packet id.
    UnsubAck(u16),
    /// PINGRESP.
    PingResp,
    /// A QoS 2 acknowledgement: well-formed, but of no use to a client without QoS 2.
    Qos2Ack,
    /// A packet over the read limit, drained.
    TooLarge {
        /// Whole size in bytes.
        size: usize,
        /// Packet id when it was a QoS 1 PUBLISH that still wants its PUBACK.
        qos1_pkid: Option<u16>,
    },
}

/// The incremental reader of one connection.
pub struct FrameReader {
    buffer: BytesMut,
    limit: usize,
    drain: Option<Drain>,
}

impl FrameReader {
    /// A reader that stores packets of up to `limit` bytes, fixed header included.
    pub fn new(limit: usize) -> Self {
        FrameReader {
            buffer: BytesMut::new(),
            limit,
            drain: None,
        }
    }

    /// Forgets a partial packet: the connection it belonged to is gone.
    pub fn reset(&mut self) {
        self.buffer.clear();
        self.drain = None;
    }

    /// Takes bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes are certain to belong to the packet under way: what a transport that only
    /// reads exact counts should ask for next. At least 1.
    pub fn wanted(&self) -> usize {
        if let Some(drain) = &self.drain {
            return drain.remaining.clamp(1, 16 * 1024);
        }
        match fixed_header(&self.buffer) {
            Ok(Some(header)) => header.total().saturating_sub(self.buffer.len()).max(1),
            _ => 1,
        }
    }

    /// The next whole packet, if its bytes have arrived.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, ProtocolError> {
        loop {
            if let Some(drain) = &mut self.drain {
                let taken = drain.consume(&self.buffer)?;
                let _ = self.buffer.split_to(taken);
                if drain.remaining > 0 {
                    return Ok(None);
                }
                let packet = drain.finish();
                self.drain = None;
                return packet.map(Some);
            }
            let Some(header) = fixed_header(&self.buffer)? else {
                return Ok(None);
            };
            if header.total() > self.limit {
                let _ = self.buffer.split_to(header.header_len);
                self.drain = Some(Drain::new(&header)?);
                continue;
            }
            if self.buffer.len() < header.total() {
                return Ok(None);
            }
            return decode(self.buffer.split_to(header.total()), &header).map(Some);
        }
    }
}

struct FixedHeader {
    first: u8,
    header_len: usize,
    remaining: usize,
}

impl FixedHeader {
    fn total(&self) -> usize {
        self.header_len + self.remaining
    }
    fn kind(&self) -> u8 {
        self.first >> 4
    }
    fn qos(&self) -> u8 {
        (self.first >> 1) & 3
    }
}

fn fixed_header(bytes: &[u8]) -> Result<Option<FixedHeader>, ProtocolError> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    // A wrong type is reported on its first byte, before its length is waited for.
    check_type(first)?;
    let mut remaining = 0usize;
    for (index, byte) in bytes[1..].iter().take(4).enumerate() {
        remaining |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            debug_assert!(remaining <= REMAINING_LENGTH_MAX);
            return Ok(Some(FixedHeader {
                first,
                header_len: index + 2,
                remaining,
            }));
        }
    }
    if bytes.len() > 4 {
        return Err(ProtocolError("remaining length longer than four bytes"));
    }
    Ok(None)
}

fn check_type(first: u8) -> Result<(), ProtocolError> {
    let flags = first & 15;
    match first >> 4 {
        3 if (flags >> 1) & 3 == 3 => Err(ProtocolError("PUBLISH with QoS 3")),
        3 => Ok(()),
        2 | 4 | 5 | 7 | 9 | 11 | 13 if flags == 0 => Ok(()),
        6 if flags == 2 => Ok(()),
        2 | 4 | 5 | 6 | 7 | 9 | 11 | 13 => Err(ProtocolError("reserved flags set")),
        0 | 15 => Err(ProtocolError("reserved packet type")),
        _ => Err(ProtocolError("packet type that only a client sends")),
    }
}

fn decode(mut frame: BytesMut, header: &FixedHeader) -> Result<Packet, ProtocolError> {
    let body = &frame[header.header_len..];
    let pkid = |body: &[u8]| -> Result<u16, ProtocolError> {
        match body {
            [high, low, ..] if (*high, *low) != (0, 0) => Ok(u16::from_be_bytes([*high, *low])),
            [_, _, ..] => Err(ProtocolError("packet id 0")),
            _ => Err(ProtocolError("packet id missing")),
        }
    };
    let exactly = |len: usize, what: &'static str| {
        if body.len() == len {
            Ok(())
        } else {
            Err(ProtocolError(what))
        }
    };
    match header.kind() {
        2 => {
            exactly(2, "CONNACK length")?;
            let (flags, code) = (body[0], body[1]);
            if flags > 1 {
                return Err(ProtocolError("CONNACK reserved flags set"));
            }
            if flags == 1 && code != 0 {
                return Err(ProtocolError("CONNACK refuses and claims a session"));
            }
            return Ok(Packet::ConnAck {
                session_present: flags == 1,
                code,
            });
        }
        3 => {
            check_publish(body, header.qos())?;
            frame.advance(header.header_len);
            return Publish::from_body(header.first, frame)
                .map(Packet::Publish)
                .ok_or(ProtocolError("PUBLISH cut short"));
        }
        4 | 11 => {
            exactly(2, "acknowledgement length")?;
            pkid(body)?;
        }
        5..=7 => {
            exactly(2, "acknowledgement length")?;
            pkid(body)?;
            return Ok(Packet::Qos2Ack);
        }
        9 => {
            // One filter is sent per SUBSCRIBE, so one code comes back.
            exactly(3, "SUBACK length")?;
            pkid(body)?;
            if !matches!(body[2], 0..=2 | 0x80) {
                return Err(ProtocolError("SUBACK return code"));
            }
        }
        13 => exactly(0, "PINGRESP length")?,
        _ => return Err(ProtocolError("reserved packet type")),
    }
    let codes = (header.kind() == 9).then(|| body[2]);
    let limit = header.total();
    match Decoded::read(&mut frame, limit) {
        Ok(Decoded::PubAck(ack)) => Ok(Packet::PubAck(ack.pkid)),
        Ok(Decoded::SubAck(ack)) => Ok(Packet::SubAck {
            pkid: ack.pkid,
            granted: codes != Some(0x80),
        }),
        Ok(Decoded::UnsubAck(ack)) => Ok(Packet::UnsubAck(ack.pkid)),
        Ok(Decoded::PingResp) => Ok(Packet::PingResp),
        Ok(_) => Err(ProtocolError("unexpected packet")),
        Err(_) => Err(ProtocolError("refused by the codec")),
    }
}

/// A PUBLISH body: topic length inside the packet, room for the packet id, a legal topic name.
///
/// DUP with QoS 0 is against §3.3.1.1 but changes nothing, so it is let through.
fn check_publish(body: &[u8], qos: u8) -> Result<(), ProtocolError> {
    let [high, low, rest @ ..] = body else {
        return Err(ProtocolError("PUBLISH without topic"));
    };
    let topic_len = usize::from(u16::from_be_bytes([*high, *low]));
    let Some(topic) = rest.get(..topic_len) else {
        return Err(ProtocolError("PUBLISH topic longer than the packet"));
    };
    if topic.is_empty() {
        return Err(ProtocolError("PUBLISH with an empty topic"));
    }
    if std::str::from_utf8(topic).is_err() {
        return Err(ProtocolError("PUBLISH topic is not UTF-8"));
    }
    if topic.iter().any(|b| matches!(b, 0 | b'+' | b'#')) {
        return Err(ProtocolError("PUBLISH topic with NUL or wildcard"));
    }
    if qos > 0 {
        match rest[topic_len..] {
            [0, 0, ..] => return Err(ProtocolError("packet id 0")),
            [_, _, ..] => {}
            _ => return Err(ProtocolError("PUBLISH without its packet id")),
        }
    }
    Ok(())
}

/// An over-long packet on its way past the buffer.
struct Drain {
    size: usize,
    remaining: usize,
    /// Bytes of the body seen so far.
    position: usize,
    qos: u8,
    topic_len: [u8; 2],
    pkid: [u8; 2],
}

impl Drain {
    fn new(header: &FixedHeader) -> Result<Self, ProtocolError> {
        if header.kind() != 3 {
            // No other packet of a server can legally be this long.
            return Err(ProtocolError("packet longer than its type allows"));
        }
        Ok(Drain {
            size: header.total(),
            remaining: header.remaining,
            position: 0,
            qos: header.qos(),
            topic_len: [0; 2],
            pkid: [0; 2],
        })
    }

    fn pkid_position(&self) -> usize {
        2 + usize::from(u16::from_be_bytes(self.topic_len))
    }

    fn consume(&mut self, bytes: &[u8]) -> Result<usize, ProtocolError> {
        let taken = bytes.len().min(self.remaining);
        for (offset, byte) in bytes[..taken].iter().enumerate() {
            let position = self.position + offset;
            if position < 2 {
                self.topic_len[position] = *byte;
                continue;
            }
            let at = self.pkid_position();
            if position == at || position == at + 1 {
                self.pkid[position - at] = *byte;
            }
            if position > at {
                break;
            }
        }
        self.position += taken;
        self.remaining -= taken;
        Ok(taken)
    }

    fn finish(&self) -> Result<Packet, ProtocolError> {
        let need = self.pkid_position() + if self.qos == 0 { 0 } else { 2 };
        if need > self.position {
            return Err(ProtocolError("PUBLISH topic longer than the packet"));
        }
        let pkid = u16::from_be_bytes(self.pkid);
        if self.qos != 0 && pkid == 0 {
            return Err(ProtocolError("packet id 0"));
        }
        Ok(Packet::TooLarge {
            size: self.size,
            qos1_pkid: (self.qos == 1).then_some(pkid),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(limit: usize, bytes: &[u8], portion: usize) -> Result<Vec<Packet>, ProtocolError> {
        let mut reader = FrameReader::new(limit);
        let mut packets = Vec::new();
        for part in bytes.chunks(portion) {
            reader.push(part);
            while let Some(packet) = reader.next_packet()? {
                packets.push(packet);
            }
        }
        Ok(packets)
    }

    /// CONNACK, PUBLISH QoS 0 "/t" "hi", PUBLISH QoS 1 id 10 "/t" "", PUBACK 2, SUBACK 3,
    /// UNSUBACK 4, PINGRESP.
    const STREAM: &[u8] = &[
        0x20, 2, 0, 0, //
        0x30, 6, 0, 2, b'/', b't', b'h', b'i', //
        0x32, 6, 0, 2, b'/', b't', 0, 10, //
        0x40, 2, 0, 2, //
        0x90, 3, 0, 3, 0x80, //
        0xb0, 2, 0, 4, //
        0xd0, 0,
    ];

    #[test]
    fn any_portioning_gives_the_same_packets() {
        let whole = read_all(3072, STREAM, STREAM.len()).expect("well-formed");
        assert_eq!(whole.len(), 7);
        assert_eq!(
            whole[0],
            Packet::ConnAck {
                session_present: false,
                code: 0
            }
        );
        assert!(matches!(&whole[1], Packet::Publish(p) if p.topic == "/t" && p.payload == "hi"));
        assert!(matches!(&whole[2], Packet::Publish(p) if p.pkid == 10 && p.payload.is_empty()));
        assert_eq!(whole[3], Packet::PubAck(2));
        assert_eq!(
            whole[4],
            Packet::SubAck {
                pkid: 3,
                granted: false
            }
        );
        assert_eq!(whole[5], Packet::UnsubAck(4));
        assert_eq!(whole[6], Packet::PingResp);
        for portion in 1..STREAM.len() {
            assert_eq!(
                read_all(3072, STREAM, portion).expect("well-formed"),
                whole,
                "{portion}"
            );
        }
    }

    #[test]
    fn wanted_is_exact_for_transports_that_read_exact_counts() {
        let mut reader = FrameReader::new(3072);
        let mut rest = STREAM;
        let mut packets = 0;
        while !rest.is_empty() {
            let take = reader.wanted();
            assert!(
                take <= rest.len(),
                "asked for more than the packet under way has"
            );
            reader.push(&rest[..take]);
            rest = &rest[take..];
            while reader.next_packet().expect("well-formed").is_some() {
                packets += 1;
            }
        }
        assert_eq!(packets, 7);
    }

    #[test]
    fn malformed_packets_of_every_type_are_refused() {
        let cases: &[(&str, &[u8])] = &[
            ("type 0", &[0x00]),
            ("type 15", &[0xf0]),
            ("CONNECT from a server", &[0x10]),
            ("SUBSCRIBE from a server", &[0x82]),
            ("UNSUBSCRIBE from a server", &[0xa2]),
            ("PINGREQ from a server", &[0xc0]),
            ("DISCONNECT from a server", &[0xe0]),
            ("CONNACK flags", &[0x21]),
            ("CONNACK short", &[0x20, 1, 0]),
            ("CONNACK long", &[0x20, 3, 0, 0, 0]),
            ("CONNACK acknowledge flags", &[0x20, 2, 2, 0]),
            ("CONNACK session with refusal", &[0x20, 2, 1, 5]),
            (
                "remaining length of five bytes",
                &[0x30, 0xff, 0xff, 0xff, 0xff, 0x7f],
            ),
            ("QoS 3", &[0x36]),
            ("PUBLISH empty", &[0x30, 0]),
            ("PUBLISH topic too long", &[0x30, 4, 0, 9, b'/', b't']),
            ("PUBLISH empty topic", &[0x30, 2, 0, 0]),
            ("PUBLISH no packet id", &[0x32, 4, 0, 2, b'/', b't']),
            ("PUBLISH half a packet id", &[0x32, 5, 0, 2, b'/', b't', 1]),
            ("PUBLISH packet id 0", &[0x32, 6, 0, 2, b'/', b't', 0, 0]),
            ("PUBLISH not UTF-8", &[0x30, 4, 0, 2, b'/', 0xff]),
            ("PUBLISH NUL in topic", &[0x30, 4, 0, 2, b'/', 0]),
            ("PUBLISH wildcard", &[0x30, 4, 0, 2, b'/', b'#']),
            ("PUBACK flags", &[0x42]),
            ("PUBACK short", &[0x40, 1, 0]),
            ("PUBACK empty", &[0x40, 0]),
            ("PUBACK id 0", &[0x40, 2, 0, 0]),
            ("PUBREL flags", &[0x60]),
            ("PUBREC length", &[0x50, 3, 0, 1, 0]),
            ("SUBACK without code", &[0x90, 2, 0, 1]),
            ("SUBACK two codes", &[0x90, 4, 0, 1, 0, 0]),
            ("SUBACK code 3", &[0x90, 3, 0, 1, 3]),
            ("SUBACK id 0", &[0x90, 3, 0, 0, 0]),
            ("UNSUBACK long", &[0xb0, 3, 0, 1, 0]),
            ("PINGRESP with body", &[0xd0, 1, 0]),
            ("oversize PUBACK", &[0x40, 0x80, 0x80, 0x04]),
        ];
        for (name, bytes) in cases {
            for portion in 1..=bytes.len() {
                assert!(
                    read_all(64, bytes, portion).is_err(),
                    "{name} in portions of {portion}"
                );
            }
        }
    }

    #[test]
    fn every_truncation_just_waits() {
        for end in 0..STREAM.len() {
            assert!(read_all(3072, &STREAM[..end], 1).is_ok(), "{end}");
        }
    }

    #[test]
    fn unknown_connack_codes_are_numbers() {
        let packets = read_all(64, &[0x20, 2, 0, 99], 1).expect("well-formed");
        assert_eq!(
            packets,
            [Packet::ConnAck {
                session_present: false,
                code: 99
            }]
        );
    }

    fn oversize(qos: u8, payload: usize) -> Vec<u8> {
        let mut body = vec![0, 2, b'/', b't'];
        if qos > 0 {
            body.extend([0x12, 0x34]);
        }
        body.extend(vec![b'x'; payload]);
        let len = body.len();
        let mut bytes = vec![0x30 | qos << 1, (len & 0x7f) as u8 | 0x80, (len >> 7) as u8];
        bytes.extend(body);
        bytes
    }

    #[test]
    fn over_long_packets_are_drained_and_the_stream_goes_on() {
        for (qos, pkid) in [(0, None), (1, Some(0x1234)), (2, None)] {
            let mut bytes = oversize(qos, 1000);
            let size = bytes.len();
            bytes.extend([0xd0, 0]);
            for portion in [1, 2, 3, 7, 100, 5000] {
                let packets = read_all(64, &bytes, portion).expect("well-formed");
                assert_eq!(
                    packets,
                    [
                        Packet::TooLarge {
                            size,
                            qos1_pkid: pkid
                        },
                        Packet::PingResp
                    ],
                    "QoS {qos}, portions of {portion}"
                );
            }
        }
    }

    #[test]
    fn the_read_limit_counts_the_whole_packet() {
        let bytes = oversize(0, 200);
        assert!(matches!(
            read_all(bytes.len(), &bytes, 9).expect("fits")[0],
            Packet::Publish(_)
        ));
        let below = read_all(bytes.len() - 1, &bytes, 9).expect("drained");
        assert!(matches!(below[0], Packet::TooLarge { .. }));
    }

    #[test]
    fn an_over_long_packet_that_lies_about_its_topic_is_refused() {
        let mut bytes = oversize(1, 1000);
        bytes[3] = 0xff; // topic length 0xff02, beyond the packet
        assert!(read_all(64, &bytes, 10).is_err());
    }
}
