//! A whole session of the protocol engine in virtual time: whatever the server sends and the application
//! asks, the output is well-formed packets and the timers come to rest.

use std::collections::HashSet;

use bytes::BytesMut;
use iotx::mqtt::engine::Message;
use iotx::mqtt::{Engine, Event, Limits, Login, Timer};
use zeroize::Zeroizing;

use super::super::input::Input;
use super::super::reference;

const INFLIGHT_MAX: usize = 4;
const KEEPALIVE_MS: u64 = 30_000;

struct Session {
    engine: Engine,
    now: u64,
    /// Packet ids of QoS 1 messages that nobody has acknowledged.
    unacknowledged: HashSet<u16>,
    /// Packet ids of messages that want their PUBACK.
    received: Vec<u16>,
    /// Packet ids of messages that are held.
    held: Vec<u16>,
}

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut session = Session {
        engine: Engine::new(Limits {
            write_max: 256,
            read_max: 16 + usize::from(input.byte()),
            inflight_max: INFLIGHT_MAX,
            request_timeout_ms: 1_000,
            keepalive_ms: KEEPALIVE_MS,
        }),
        // Also near the end of what the clock can say.
        now: if input.byte() == 255 { u64::MAX / 2 } else { 0 },
        unacknowledged: HashSet::new(),
        received: Vec::new(),
        held: Vec::new(),
    };
    session.connect();
    while !input.is_empty() {
        session.step(&mut input);
    }
}

impl Session {
    fn connect(&mut self) {
        let login = Login {
            client_id: "a.b|securemode=2|".into(),
            username: "b&a".into(),
            password: Zeroizing::new("P".into()),
            clean_session: false,
            omit_empty: false,
        };
        let packet = self.engine.connect(&login).expect("a CONNECT that fits");
        assert_eq!(reference::client_packets(&packet), Some(1));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(14) {
            0 => self.receive(&[0x20, 2, input.below(2), 0], input),
            1 => {
                let bytes = input.block();
                self.receive(bytes, input);
            }
            2 => {
                let (first, topic, payload) = (0x30 | input.below(12), b"/a/b", input.block());
                let id: &[u8] = if first & 6 != 0 { &[0x12, 0x34] } else { &[] };
                let mut packet = vec![first];
                let mut len = 2 + topic.len() + id.len() + payload.len();
                while len > 127 {
                    packet.push((len % 128) as u8 | 128);
                    len /= 128;
                }
                packet.push(len as u8);
                packet.extend_from_slice(&[0, topic.len() as u8]);
                for part in [topic, id, payload] {
                    packet.extend_from_slice(part);
                }
                self.receive(&packet, input);
            }
            3 => {
                // An acknowledgement of something in flight, most of the time.
                let id = u16::from(input.byte());
                let kind = [0x40, 0x90, 0xb0][usize::from(input.below(3))];
                let mut packet = vec![kind, 2, (id >> 8) as u8, id as u8];
                if kind == 0x90 {
                    packet[1] = 3;
                    packet.push([0, 1, 2, 0x80][usize::from(input.below(4))]);
                }
                self.receive(&packet, input);
            }
            4 | 5 => self.publish(input),
            6 => {
                let pkid = self.fresh_id();
                let _ = self.engine.subscribe(pkid, "/a/+", input.byte());
            }
            7 => {
                let pkid = self.fresh_id();
                let _ = self.engine.unsubscribe(pkid, "/a/+");
            }
            8 => self.pass_time(input),
            9 => self.write(input),
            10 => {
                self.engine.disconnected();
                self.received.clear();
                self.connect();
            }
            11 => {
                if let Some(pkid) = self.received.pop() {
                    self.engine.acknowledge(pkid);
                }
            }
            12 => self.hold(input),
            _ => self.let_go(input),
        }
        assert!(self.engine.inflight() <= INFLIGHT_MAX);
        assert_eq!(self.engine.inflight(), self.unacknowledged.len());
        assert!(self.engine.wanted() >= 1);
    }

    fn receive(&mut self, bytes: &[u8], input: &mut Input<'_>) {
        let portion = 1 + usize::from(input.below(16));
        for part in bytes.chunks(portion) {
            self.engine.receive(part);
            loop {
                match self.engine.next_event(self.now) {
                    Ok(Some(event)) => self.on_event(event),
                    Ok(None) => break,
                    Err(_) => {
                        assert!(!self.engine.is_connected());
                        self.engine.disconnected();
                        self.received.clear();
                        self.connect();
                        return;
                    }
                }
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected { .. } => assert!(self.engine.is_connected()),
            Event::Refused { code } => {
                assert!(code != 0 && !self.engine.is_connected());
            }
            Event::Message(publish) => {
                assert!(!publish.topic.is_empty());
                if publish.qos as u8 == 1 {
                    assert_ne!(publish.pkid, 0);
                    self.received.push(publish.pkid);
                }
            }
            Event::Published(pkid) => assert!(self.unacknowledged.remove(&pkid)),
            Event::Subscribed { pkid, .. } | Event::Unsubscribed(pkid) => assert_ne!(pkid, 0),
            Event::TooLarge { qos1_pkid, .. } => self.received.extend(qos1_pkid),
        }
    }

    fn fresh_id(&mut self) -> u16 {
        let pkid = self.engine.take_pkid();
        assert!(pkid != 0 && !self.unacknowledged.contains(&pkid));
        pkid
    }

    fn publish(&mut self, input: &mut Input<'_>) {
        let qos1 = input.below(2) == 1;
        let message = Message {
            topic: "/a/b",
            payload: input.block(),
            qos1,
            retain: input.below(2) == 1,
            counted: true,
        };
        if !self.engine.is_connected() {
            return;
        }
        if let Ok(pkid) = self.engine.publish(self.now, &message) {
            assert_eq!(pkid != 0, qos1);
            if qos1 {
                assert!(self.unacknowledged.insert(pkid), "{pkid} is in flight");
            }
            if input.below(16) == 0 {
                self.engine.unsent(pkid);
                self.unacknowledged.remove(&pkid);
            }
        }
    }

    /// Takes a place in the order, as for a message that is being stored, connected or not.
    fn hold(&mut self, input: &mut Input<'_>) {
        let message = Message {
            topic: "/a/b",
            payload: input.block(),
            qos1: true,
            retain: false,
            counted: true,
        };
        if let Ok(pkid) = self.engine.hold(&message) {
            assert!(
                pkid != 0 && self.unacknowledged.insert(pkid),
                "{pkid} is taken"
            );
            self.held.push(pkid);
        }
    }

    /// A message that was held may go, or is forgotten.
    fn let_go(&mut self, input: &mut Input<'_>) {
        if self.held.is_empty() {
            return;
        }
        let pkid = self
            .held
            .swap_remove(usize::from(input.byte()) % self.held.len());
        if input.below(4) == 0 {
            self.engine.forget(self.now, pkid);
            self.unacknowledged.remove(&pkid);
        } else {
            assert_eq!(
                self.engine.ready(self.now, pkid),
                self.unacknowledged.contains(&pkid)
            );
        }
    }

    fn pass_time(&mut self, input: &mut Input<'_>) {
        self.now += u64::from(input.u16());
        let mut due = 0;
        while let Some(timer) = self.engine.next_timer(self.now) {
            due += 1;
            assert!(due <= INFLIGHT_MAX + 2, "a timer that is always due");
            if timer == Timer::Lost {
                assert!(!self.engine.is_connected());
                self.engine.disconnected();
                self.received.clear();
                self.connect();
                return;
            }
        }
        if let Some(at) = self.engine.next_timer_at() {
            assert!(at > self.now && at <= self.now + KEEPALIVE_MS);
        }
    }

    /// The output is taken and written in part; the rest goes back in front.
    fn write(&mut self, input: &mut Input<'_>) {
        let mut output = self.engine.take_output(BytesMut::new());
        let packets = reference::client_packets(&output);
        assert!(packets.is_some(), "{output:?}");
        assert!(!self.engine.has_output());
        let written = usize::from(input.byte());
        if written < output.len() {
            let whole = output.clone();
            let rest = output.split_off(written);
            self.engine.put_back(rest);
            let rest = self.engine.take_output(BytesMut::new());
            assert_eq!(whole[written..], rest[..]);
        }
    }
}
