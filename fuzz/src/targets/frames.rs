//! Decoders CONNACK to PINGRESP: a stream in portions gives what the reference finds in it whole.

use iotx::mqtt::frame::{FrameReader, Packet};

use super::super::input::Input;
use super::super::reference::{self, End, Seen};

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    // Small limits, so that short inputs are over-long packets.
    let limit = 2 + usize::from(input.byte());
    let portions = [input.byte(), input.byte(), input.byte()];
    let stream = input.rest();
    let (seen, end) = reference::packets(stream, limit);
    for portions in [&portions[..], &[0]] {
        let (read, failed) = read(stream, limit, portions);
        match end {
            // A reader need not wait for the end of a packet to see that it is malformed.
            End::Inside => {}
            End::Clean => assert!(!failed, "{stream:?} is well-formed"),
            End::Malformed => assert!(failed, "{stream:?} is malformed"),
        }
        assert_eq!(read, seen, "{stream:?} with limit {limit}");
    }
}

/// The packets in `stream`, pushed in portions of these sizes plus one, over and over; and whether it failed.
fn read(stream: &[u8], limit: usize, portions: &[u8]) -> (Vec<Seen>, bool) {
    let mut reader = FrameReader::new(limit);
    let mut seen = Vec::new();
    let mut rest = stream;
    let mut sizes = portions.iter().cycle();
    while !rest.is_empty() {
        let size = 1 + usize::from(*sizes.next().expect("a cycle"));
        let (portion, left) = rest.split_at(size.min(rest.len()));
        rest = left;
        reader.push(portion);
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => seen.push(as_seen(packet)),
                Ok(None) => break,
                Err(_) => return (seen, true),
            }
        }
        assert!(reader.wanted() >= 1);
    }
    (seen, false)
}

fn as_seen(packet: Packet) -> Seen {
    match packet {
        Packet::ConnAck {
            session_present,
            code,
        } => Seen::ConnAck {
            session_present,
            code,
        },
        Packet::Publish(publish) => Seen::Publish {
            topic: publish.topic.as_bytes().to_vec(),
            payload: publish.payload.to_vec(),
            qos: publish.qos as u8,
            dup: publish.dup,
            retain: publish.retain,
            pkid: publish.pkid,
        },
        Packet::PubAck(pkid) => Seen::PubAck(pkid),
        Packet::SubAck { pkid, granted } => Seen::SubAck { pkid, granted },
        Packet::UnsubAck(pkid) => Seen::UnsubAck(pkid),
        Packet::PingResp => Seen::PingResp,
        Packet::Qos2Ack => Seen::Qos2Ack,
        Packet::TooLarge { size, qos1_pkid } => Seen::TooLarge { size, qos1_pkid },
    }
}
