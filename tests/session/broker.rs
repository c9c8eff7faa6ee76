//! The other peer: a broker of a few lines. It shares no code with the library.

/// What it does when asked; tests change it on the way.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// CONNACK code, `None` for silence.
    pub connack: Option<u8>,
    /// Session Present in CONNACK.
    pub session: bool,
    pub puback: bool,
    /// SUBACK code, `None` for silence.
    pub suback: Option<u8>,
    pub unsuback: bool,
    pub pingresp: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Manners {
            connack: Some(0),
            session: false,
            puback: true,
            suback: Some(0),
            unsuback: true,
            pingresp: true,
        }
    }
}

/// A packet of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Connect,
    Publish {
        dup: bool,
        qos: u8,
        id: u16,
        topic: String,
        payload: Vec<u8>,
    },
    PubAck(u16),
    Subscribe {
        id: u16,
        filter: String,
        qos: u8,
    },
    Unsubscribe {
        id: u16,
        filter: String,
    },
    PingReq,
    Disconnect,
}

#[derive(Default)]
pub struct Broker {
    pub manners: Manners,
    /// Everything that came, over all connections.
    pub log: Vec<Packet>,
    input: Vec<u8>,
}

impl Broker {
    pub fn new_connection(&mut self) {
        self.input.clear();
    }

    /// Takes bytes of the client; the answer.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(bytes);
        let mut answer = Vec::new();
        while let Some((first, body)) = next_packet(&mut self.input) {
            let packet = decode(first, &body);
            answer.extend(self.answer(&packet));
            self.log.push(packet);
        }
        answer
    }

    fn answer(&self, packet: &Packet) -> Vec<u8> {
        let with_id = |first: u8, id: u16, tail: &[u8]| {
            let mut out = vec![first, 2 + tail.len() as u8];
            out.extend(id.to_be_bytes());
            out.extend(tail);
            out
        };
        let manners = self.manners;
        match packet {
            Packet::Connect => manners
                .connack
                .map_or(vec![], |code| connack(manners.session, code)),
            Packet::Publish { qos: 1, id, .. } if manners.puback => with_id(0x40, *id, &[]),
            Packet::Subscribe { id, .. } => manners
                .suback
                .map_or(vec![], |code| with_id(0x90, *id, &[code])),
            Packet::Unsubscribe { id, .. } if manners.unsuback => with_id(0xb0, *id, &[]),
            Packet::PingReq if manners.pingresp => vec![0xd0, 0],
            _ => vec![],
        }
    }
}

pub fn connack(session: bool, code: u8) -> Vec<u8> {
    vec![0x20, 2, u8::from(session), code]
}

pub fn puback(id: u16) -> Vec<u8> {
    vec![0x40, 2, (id >> 8) as u8, id as u8]
}

pub fn suback(id: u16, code: u8) -> Vec<u8> {
    vec![0x90, 3, (id >> 8) as u8, id as u8, code]
}

pub fn unsuback(id: u16) -> Vec<u8> {
    vec![0xb0, 2, (id >> 8) as u8, id as u8]
}

/// PUBLISH with QoS 1.
pub fn publish(id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = (topic.len() as u16).to_be_bytes().to_vec();
    body.extend(topic.as_bytes());
    body.extend(id.to_be_bytes());
    body.extend(payload);
    assert!(body.len() < 128);
    let mut out = vec![0x32, body.len() as u8];
    out.extend(body);
    out
}

fn next_packet(input: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let first = *input.first()?;
    let (mut length, mut at) = (0usize, 1);
    loop {
        let digit = *input.get(at)?;
        length |= usize::from(digit & 0x7f) << (7 * (at - 1));
        at += 1;
        if digit & 0x80 == 0 {
            break;
        }
    }
    if input.len() < at + length {
        return None;
    }
    let body = input[at..at + length].to_vec();
    input.drain(..at + length);
    Some((first, body))
}

fn decode(first: u8, body: &[u8]) -> Packet {
    let number = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let text = |at: usize| {
        let end = at + 2 + usize::from(number(at));
        let text = String::from_utf8(body[at + 2..end].to_vec()).expect("UTF-8");
        (text, end)
    };
    match first >> 4 {
        1 => Packet::Connect,
        3 => {
            let qos = first >> 1 & 3;
            let (topic, mut at) = text(0);
            let id = if qos > 0 {
                at += 2;
                number(at - 2)
            } else {
                0
            };
            Packet::Publish {
                dup: first & 8 != 0,
                qos,
                id,
                topic,
                payload: body[at..].to_vec(),
            }
        }
        4 => Packet::PubAck(number(0)),
        8 => {
            let (filter, at) = text(2);
            assert_eq!(at + 1, body.len(), "one filter per packet");
            Packet::Subscribe {
                id: number(0),
                filter,
                qos: body[at],
            }
        }
        10 => {
            let (filter, at) = text(2);
            assert_eq!(at, body.len(), "one filter per packet");
            Packet::Unsubscribe {
                id: number(0),
                filter,
            }
        }
        12 => Packet::PingReq,
        14 => Packet::Disconnect,
        other => panic!("packet type {other} of a client"),
    }
}
