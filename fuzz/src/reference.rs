//! The protocol once more, written for being obviously right instead of fast: what the targets compare with.

/// A packet of a server, or what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    ConnAck {
        session_present: bool,
        code: u8,
    },
    Publish {
        topic: Vec<u8>,
        payload: Vec<u8>,
        qos: u8,
        dup: bool,
        retain: bool,
        pkid: u16,
    },
    PubAck(u16),
    SubAck {
        pkid: u16,
        granted: bool,
    },
    UnsubAck(u16),
    PingResp,
    Qos2Ack,
    TooLarge {
        size: usize,
        qos1_pkid: Option<u16>,
    },
}

/// How the packets of a stream end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Between two packets.
    Clean,
    /// Inside a packet that may still turn out to be malformed.
    Inside,
    /// In a malformed packet, all of which is there.
    Malformed,
}

/// Size of the fixed header at the start of `bytes` and of what follows it. `Err` says how it ends otherwise.
fn fixed_header(bytes: &[u8]) -> Result<(usize, usize), End> {
    let mut remaining = 0;
    for digit in 0..4 {
        let Some(byte) = bytes.get(1 + digit) else {
            return Err(End::Inside);
        };
        remaining += usize::from(byte % 128) << (7 * digit);
        if *byte < 128 {
            return Ok((2 + digit, remaining));
        }
    }
    if bytes.len() > 4 {
        Err(End::Malformed)
    } else {
        Err(End::Inside)
    }
}

/// The packets that a server's byte stream holds, for a reader that stores packets of up to `limit` bytes.
pub fn packets(mut bytes: &[u8], limit: usize) -> (Vec<Seen>, End) {
    let mut seen = Vec::new();
    while !bytes.is_empty() {
        let (header, remaining) = match fixed_header(bytes) {
            Ok(sizes) => sizes,
            Err(end) => return (seen, end),
        };
        let Some(body) = bytes.get(header..header + remaining) else {
            return (seen, End::Inside);
        };
        match packet(
            bytes[0],
            body,
            header + remaining > limit,
            header + remaining,
        ) {
            Some(packet) => seen.push(packet),
            None => return (seen, End::Malformed),
        }
        bytes = &bytes[header + remaining..];
    }
    (seen, End::Clean)
}

fn packet(first: u8, body: &[u8], too_large: bool, size: usize) -> Option<Seen> {
    let number = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
    let pkid = |at: usize| number(at).filter(|id| *id != 0);
    if first >> 4 != 3 && too_large {
        return None;
    }
    let acknowledged = |len: usize| if body.len() == len { pkid(0) } else { None };
    Some(match first {
        0x20 if body.len() == 2 && body[0] < 2 && (body[0] == 0 || body[1] == 0) => Seen::ConnAck {
            session_present: body[0] == 1,
            code: body[1],
        },
        0x30..=0x3f => {
            let qos = (first >> 1) & 3;
            let topic_len = usize::from(number(0)?);
            let topic = body.get(2..2 + topic_len)?;
            let id_len = if qos > 0 { 2 } else { 0 };
            let id = if qos > 0 { pkid(2 + topic_len)? } else { 0 };
            if qos == 3 {
                return None;
            }
            if too_large {
                return Some(Seen::TooLarge {
                    size,
                    qos1_pkid: (qos == 1).then_some(id),
                });
            }
            let text = std::str::from_utf8(topic).ok()?;
            if text.is_empty() || text.contains(['\0', '+', '#']) {
                return None;
            }
            Seen::Publish {
                topic: topic.to_vec(),
                payload: body[2 + topic_len + id_len..].to_vec(),
                qos,
                dup: first & 8 != 0,
                retain: first & 1 != 0,
                pkid: id,
            }
        }
        0x40 => Seen::PubAck(acknowledged(2)?),
        0x50 | 0x62 | 0x70 => acknowledged(2).map(|_| Seen::Qos2Ack)?,
        0x90 if matches!(body.get(2), Some(0 | 1 | 2 | 0x80)) => Seen::SubAck {
            pkid: acknowledged(3)?,
            granted: body[2] != 0x80,
        },
        0xb0 => Seen::UnsubAck(acknowledged(2)?),
        0xd0 if body.is_empty() => Seen::PingResp,
        _ => return None,
    })
}

/// Whether `bytes` are whole, well-formed packets that a client may send; how many.
pub fn client_packets(mut bytes: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !bytes.is_empty() {
        let (header, remaining) = fixed_header(bytes).ok()?;
        let body = bytes.get(header..header + remaining)?;
        let number = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
        let legal = match bytes[0] {
            0x10 => body.starts_with(b"\0\x04MQTT\x04"),
            0x30..=0x3b => {
                let qos = (bytes[0] >> 1) & 3;
                let topic_len = usize::from(number(0)?);
                let id = if qos > 0 { number(2 + topic_len)? } else { 1 };
                qos < 2 && topic_len > 0 && body.len() >= 2 + topic_len && id != 0
            }
            0x40 => body.len() == 2 && number(0)? != 0,
            0x82 => {
                number(0)? != 0 && body.len() == 5 + usize::from(number(2)?) && *body.last()? < 3
            }
            0xa2 => number(0)? != 0 && body.len() == 4 + usize::from(number(2)?),
            0xc0 | 0xe0 => body.is_empty(),
            _ => false,
        };
        if !legal {
            return None;
        }
        count += 1;
        bytes = &bytes[header + remaining..];
    }
    Some(count)
}

/// MQTT 3.1.1 §4.7.1 by recursion over the levels, and §4.7.2.
pub fn matches(filter: &[u8], topic: &[u8]) -> bool {
    if topic.starts_with(b"$") && (filter.starts_with(b"+") || filter.starts_with(b"#")) {
        return false;
    }
    fn levels(text: &[u8]) -> Vec<&[u8]> {
        text.split(|byte| *byte == b'/').collect()
    }
    fn walk(filter: &[&[u8]], topic: &[&[u8]]) -> bool {
        match (filter, topic) {
            ([], []) | ([b"#"], _) => true,
            ([], _) | (_, []) => false,
            ([first, filter @ ..], [level, topic @ ..]) => {
                (*first == b"+" || first == level) && walk(filter, topic)
            }
        }
    }
    walk(&levels(filter), &levels(topic))
}
