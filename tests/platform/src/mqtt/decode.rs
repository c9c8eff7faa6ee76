//! Strict decoding of client packets. Whatever the standard forbids is an error with a reason; nothing is
//! repaired. The caller closes the connection on an error.

use std::fmt;

use super::{Connect, Packet, Publish, Subscribe, Unsubscribe, topic};

/// A violation of the standard, with the reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn bad<T>(reason: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(reason.into()))
}

/// Collects bytes of one connection and hands out whole packets.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    max_remaining: usize,
}

impl Decoder {
    /// A decoder that refuses packets with a remaining length above `max_remaining` bytes.
    pub fn new(max_remaining: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            max_remaining,
        }
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that belong to a packet not yet complete.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The next whole packet, `None` if more bytes are needed.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, Malformed> {
        let bytes = &self.buffer[self.start..];
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        // The first byte is judged alone: a client of another protocol is told at once.
        check_first_byte(first)?;
        let mut length = 0usize;
        let mut used = 1;
        loop {
            let Some(&byte) = bytes.get(used) else {
                return Ok(None);
            };
            length |= usize::from(byte & 0x7F) << (7 * (used - 1));
            used += 1;
            if byte & 0x80 == 0 {
                break;
            }
            if used == 5 {
                return bad("remaining length has more than four bytes");
            }
        }
        if length > self.max_remaining {
            return bad(format!(
                "packet of {length} bytes is larger than {} bytes",
                self.max_remaining
            ));
        }
        let Some(body) = bytes.get(used..used + length) else {
            return Ok(None);
        };
        let packet = decode_body(first, body)?;
        self.start += used + length;
        Ok(Some(packet))
    }
}

fn check_first_byte(first: u8) -> Result<(), Malformed> {
    let (kind, flags) = (first >> 4, first & 0x0F);
    let (name, expected) = match kind {
        1 => ("CONNECT", 0),
        3 if flags & 0x06 == 0x06 => return bad("PUBLISH with QoS 3"),
        3 if flags & 0x06 == 0x04 => {
            return bad("PUBLISH with QoS 2, which the platform does not support");
        }
        3 if flags & 0x0E == 0x08 => return bad("PUBLISH with QoS 0 and DUP"),
        3 => return Ok(()),
        4 => ("PUBACK", 0),
        5..=7 => return bad("packet of the QoS 2 exchange, which the platform does not support"),
        8 => ("SUBSCRIBE", 2),
        10 => ("UNSUBSCRIBE", 2),
        12 => ("PINGREQ", 0),
        14 => ("DISCONNECT", 0),
        2 | 9 | 11 | 13 => return bad(format!("packet type {kind} is for servers only")),
        _ => return bad(format!("reserved packet type {kind}")),
    };
    if flags == expected {
        return Ok(());
    }
    bad(format!(
        "{name} with fixed header flags {flags} instead of {expected}"
    ))
}

fn decode_body(first: u8, body: &[u8]) -> Result<Packet, Malformed> {
    let mut fields = Fields { bytes: body };
    let packet = match first >> 4 {
        1 => return connect(fields),
        3 => return publish(first & 0x0F, fields),
        4 => Packet::PubAck(fields.packet_id("PUBACK")?),
        8 => return subscribe(fields),
        10 => return unsubscribe(fields),
        12 => Packet::PingReq,
        _ => Packet::Disconnect,
    };
    fields.end()?;
    Ok(packet)
}

fn connect(mut fields: Fields<'_>) -> Result<Packet, Malformed> {
    let name = fields.string("protocol name")?;
    let level = fields.byte("protocol level")?;
    match (name, level) {
        ("MQTT", 4) | ("MQIsdp", 3) => {}
        ("MQTT" | "MQIsdp", other) => return Ok(Packet::UnsupportedLevel(other)),
        _ => return bad("protocol name is not MQTT"),
    }
    let flags = fields.byte("connect flags")?;
    if flags & 0x01 != 0 {
        return bad("CONNECT with the reserved flag set");
    }
    let will = flags & 0x04 != 0;
    let will_qos = flags >> 3 & 0x03;
    if will_qos == 3 || (!will && (will_qos != 0 || flags & 0x20 != 0)) {
        return bad("CONNECT with impossible will flags");
    }
    let (has_username, has_password) = (flags & 0x80 != 0, flags & 0x40 != 0);
    if has_password && !has_username {
        return bad("CONNECT with a password but no user name");
    }
    let keep_alive = fields.short("keep-alive")?;
    let client_id = fields.string("client identifier")?.to_owned();
    if will {
        let will_topic = fields.string("will topic")?;
        if let Some(problem) = topic::name_problem(will_topic) {
            return bad(format!("will topic: {problem}"));
        }
        fields.binary("will message")?;
    }
    let username = if has_username {
        Some(fields.string("user name")?.to_owned())
    } else {
        None
    };
    let password = if has_password {
        Some(fields.binary("password")?.to_vec())
    } else {
        None
    };
    fields.end()?;
    Ok(Packet::Connect(Connect {
        level,
        clean_session: flags & 0x02 != 0,
        keep_alive,
        client_id,
        will,
        username,
        password,
    }))
}

fn publish(flags: u8, mut fields: Fields<'_>) -> Result<Packet, Malformed> {
    let qos = flags >> 1 & 0x03;
    let name = fields.string("topic name")?;
    if let Some(problem) = topic::name_problem(name) {
        return bad(format!("PUBLISH: {problem}"));
    }
    let packet_id = if qos > 0 {
        fields.packet_id("PUBLISH")?
    } else {
        0
    };
    Ok(Packet::Publish(Publish {
        dup: flags & 0x08 != 0,
        qos,
        retain: flags & 0x01 != 0,
        topic: name.to_owned(),
        packet_id,
        payload: fields.bytes.to_vec(),
    }))
}

fn subscribe(mut fields: Fields<'_>) -> Result<Packet, Malformed> {
    let packet_id = fields.packet_id("SUBSCRIBE")?;
    let mut filters = Vec::new();
    while !fields.bytes.is_empty() {
        let filter = fields.filter()?;
        let qos = fields.byte("requested QoS")?;
        if qos > 2 {
            return bad(format!("SUBSCRIBE with requested QoS byte {qos}"));
        }
        filters.push((filter, qos));
    }
    if filters.is_empty() {
        return bad("SUBSCRIBE without a topic filter");
    }
    Ok(Packet::Subscribe(Subscribe { packet_id, filters }))
}

fn unsubscribe(mut fields: Fields<'_>) -> Result<Packet, Malformed> {
    let packet_id = fields.packet_id("UNSUBSCRIBE")?;
    let mut filters = Vec::new();
    while !fields.bytes.is_empty() {
        filters.push(fields.filter()?);
    }
    if filters.is_empty() {
        return bad("UNSUBSCRIBE without a topic filter");
    }
    Ok(Packet::Unsubscribe(Unsubscribe { packet_id, filters }))
}

/// What is left of a packet's body.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize, what: &str) -> Result<&'a [u8], Malformed> {
        match self.bytes.split_at_checked(count) {
            Some((head, tail)) => {
                self.bytes = tail;
                Ok(head)
            }
            None => bad(format!("packet ends inside its {what}")),
        }
    }

    fn byte(&mut self, what: &str) -> Result<u8, Malformed> {
        Ok(self.take(1, what)?[0])
    }

    fn short(&mut self, what: &str) -> Result<u16, Malformed> {
        let bytes = self.take(2, what)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn packet_id(&mut self, packet: &str) -> Result<u16, Malformed> {
        match self.short("packet identifier")? {
            0 => bad(format!("{packet} with packet identifier 0")),
            id => Ok(id),
        }
    }

    fn binary(&mut self, what: &str) -> Result<&'a [u8], Malformed> {
        let length = self.short(what)?;
        self.take(usize::from(length), what)
    }

    fn string(&mut self, what: &str) -> Result<&'a str, Malformed> {
        let bytes = self.binary(what)?;
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => bad(format!("{what} contains U+0000")),
            Ok(text) => Ok(text),
            Err(_) => bad(format!("{what} is not UTF-8")),
        }
    }

    fn filter(&mut self) -> Result<String, Malformed> {
        let filter = self.string("topic filter")?;
        match topic::filter_problem(filter) {
            Some(problem) => bad(format!("topic filter: {problem}")),
            None => Ok(filter.to_owned()),
        }
    }

    fn end(&self) -> Result<(), Malformed> {
        match self.bytes.len() {
            0 => Ok(()),
            extra => bad(format!("{extra} bytes behind the end of the packet")),
        }
    }
}
