//! The client's side of one MQTT session: what to send, what a packet means, what is due when.
//!
//! States and transitions:
//!
//! | state | input | next | effect |
//! |---|---|---|---|
//! | Idle | [`Engine::connect`] | Connecting | CONNECT bytes |
//! | Connecting | CONNACK 0 | Connected | first ping scheduled, unacknowledged messages due |
//! | Connecting | CONNACK other | Idle | [`Event::Refused`] |
//! | Connecting | other packets | Connecting | ignored, at most [`SKIPPED_BEFORE_CONNACK`] |
//! | Connected | packet | Connected | its event; resets the ping count |
//! | Connected | CONNACK | Connected | ignored |
//! | Connected | third ping unanswered | Idle | [`Timer::Lost`] |
//! | any | malformed packet | Idle | [`ProtocolError`] |
//! | any | [`Engine::disconnected`] | Idle | partial input forgotten, QoS 1 messages kept |
//!
//! The tables of pings and of QoS 1 messages are in [`super::states`].

mod publishing;

use std::collections::HashSet;

use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Connect, Disconnect, PingReq, PubAck, Subscribe, Unsubscribe};
use zeroize::Zeroizing;

use super::counters::{Counters, Probe};
use super::encode::{FIXED_HEADER_MAX, Unfinished};
use super::frame::{FrameReader, Packet, ProtocolError};
use super::inflight::Inflight;
use super::publish::Publish;
use super::states::{PING, Ping, PingAction, PingEvent};
use crate::state;

pub use publishing::Message;

/// Packets skipped while waiting for CONNACK (spec mqtt-session.md §5).
pub const SKIPPED_BEFORE_CONNACK: u8 = 10;
/// Longest packet of the protocol: a remaining length of four bytes and the fixed header
/// (MQTT 3.1.1 §2.2.3).
const PACKET_MAX: usize = 268_435_455 + FIXED_HEADER_MAX;
/// SUBSCRIBEs and UNSUBSCRIBEs under way at once, so that packet ids never run out.
pub const PENDING_MAX: usize = 16_384;
/// Largest keep-alive the platform accepts, seconds.
const KEEP_ALIVE_MAX_S: u64 = 1200;

/// Numbers that bound a session.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest packet sent, bytes.
    pub write_max: usize,
    /// Longest packet stored on receipt, bytes.
    pub read_max: usize,
    /// QoS 1 messages of the application in flight.
    pub inflight_max: usize,
    /// Waits for one answer, milliseconds; QoS 1 messages are repeated after twice this time.
    pub request_timeout_ms: u64,
    /// Time between pings, milliseconds. The CONNECT announces twice this time.
    pub keepalive_ms: u64,
}

/// What CONNECT carries.
#[derive(Clone)]
pub struct Login {
    /// Client identifier.
    pub client_id: String,
    /// User name.
    pub username: String,
    /// Password, wiped when dropped.
    pub password: Zeroizing<String>,
    /// Clean Session flag.
    pub clean_session: bool,
    /// Leave user name and password out of CONNECT when both are empty, as brokers without sign-in
    /// expect; false to send them in any case.
    pub omit_empty: bool,
}

/// What a packet of the server means to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// CONNACK 0.
    Connected {
        /// Session Present flag.
        session_present: bool,
    },
    /// CONNACK with another code.
    Refused {
        /// The return code.
        code: u8,
    },
    /// An application message. For QoS 1 the caller sends [`Engine::acknowledge`] after delivery.
    Message(Publish),
    /// PUBACK of a message that was in flight.
    Published(u16),
    /// SUBACK of a SUBSCRIBE that was under way.
    Subscribed {
        /// Its packet id.
        pkid: u16,
        /// False when the server refused.
        granted: bool,
    },
    /// UNSUBACK of an UNSUBSCRIBE that was under way.
    Unsubscribed(u16),
    /// A packet over the read limit was drained. A packet id wants [`Engine::acknowledge`].
    TooLarge {
        /// Whole size in bytes.
        size: usize,
        /// Packet id of a QoS 1 message.
        qos1_pkid: Option<u16>,
    },
}

/// What is due by the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timer {
    /// A ping or the repeat of a QoS 1 message was added to the output.
    Send,
    /// The server stopped answering.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Connecting { skipped: u8 },
    Connected,
}

/// One client session. Times are milliseconds of a monotonic clock.
pub struct Engine {
    limits: Limits,
    state: State,
    reader: FrameReader,
    inflight: Inflight,
    output: BytesMut,
    /// For packets that are completed by hand.
    scratch: BytesMut,
    /// Packet ids of SUBSCRIBE and UNSUBSCRIBE under way.
    pending: HashSet<u16>,
    last_pkid: u16,
    next_ping_at: u64,
    /// Changed by the table [`PING`] only (spec mqtt-session.md §7).
    ping: Ping,
    /// Repeats of a resumed session may wait: they go out before anything new.
    resuming: bool,
    counters: Counters,
}

impl Engine {
    /// A session within `limits`.
    pub fn new(limits: Limits) -> Self {
        Engine {
            reader: FrameReader::new(limits.read_max),
            inflight: Inflight::new(limits.inflight_max),
            limits,
            output: BytesMut::new(),
            scratch: BytesMut::new(),
            state: State::Idle,
            pending: HashSet::new(),
            last_pkid: 0,
            next_ping_at: 0,
            ping: Ping::Off,
            resuming: false,
            counters: Counters::default(),
        }
    }

    /// What was sent and received so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether CONNACK 0 was received and the connection has not been given up since.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// Unacknowledged QoS 1 messages.
    pub fn inflight(&self) -> usize {
        self.inflight.len()
    }

    /// The keep-alive a CONNECT announces, seconds: twice the ping period, at most 1200.
    pub fn announced_keep_alive(&self) -> u16 {
        let seconds = (2 * (self.limits.keepalive_ms / 1000)).min(KEEP_ALIVE_MAX_S);
        u16::try_from(seconds).unwrap_or(u16::MAX)
    }

    /// Starts a connection: the CONNECT packet to write, wiped when dropped.
    ///
    /// User name and password are present, empty or not (spec mqtt-session.md §5), unless
    /// [`Login::omit_empty`] says otherwise. The codec leaves empty ones out and would copy the password around, so it writes the packet
    /// without them and they are added here.
    ///
    /// Error: `STATE_MQTT_SERIALIZE_CONN_ERROR` (over the write limit).
    pub fn connect(&mut self, login: &Login) -> Result<Zeroizing<Vec<u8>>, i32> {
        /// Offset of the connect flags behind the fixed header: protocol name and level.
        const FLAGS_AT: usize = 7;
        const USERNAME_AND_PASSWORD: u8 = 0xc0;
        self.disconnected();
        let mut connect = Connect::new(login.client_id.clone());
        connect.keep_alive = self.announced_keep_alive();
        connect.clean_session = login.clean_session;
        let fields = [&login.client_id, &login.username, &*login.password];
        let mut bytes = BytesMut::new();
        if fields.iter().any(|f| f.len() > usize::from(u16::MAX))
            || connect.write(&mut bytes).is_err()
        {
            return Err(state::STATE_MQTT_SERIALIZE_CONN_ERROR);
        }
        let unfinished = Unfinished::new(&bytes);
        let both = [login.username.as_bytes(), login.password.as_bytes()];
        let omitted = login.omit_empty && both.iter().all(|field| field.is_empty());
        let login_fields = if omitted { &[][..] } else { &both };
        let login_len: usize = login_fields.iter().map(|f| 2 + f.len()).sum();
        let size = unfinished.size(login_len);
        // Sized in advance, so that no copy of the password is left behind by growing.
        let mut packet = Zeroizing::new(Vec::with_capacity(size.max(FIXED_HEADER_MAX)));
        unfinished.write(&mut *packet, login_len);
        let flags_at = packet.len() - unfinished.body_len() + FLAGS_AT;
        if !omitted {
            packet[flags_at] |= USERNAME_AND_PASSWORD;
        }
        for field in login_fields {
            // Checked above to fit 16 bits.
            packet.extend_from_slice(&(field.len() as u16).to_be_bytes());
            packet.extend_from_slice(field);
        }
        if packet.len() > self.limits.write_max {
            return Err(state::STATE_MQTT_SERIALIZE_CONN_ERROR);
        }
        self.state = State::Connecting { skipped: 0 };
        self.counters.packets_out += 1;
        Ok(packet)
    }

    /// Bytes to write, in order, since the last take. Put back what could not be written with
    /// [`Engine::put_back`].
    ///
    /// `spare` is an empty buffer that takes their place, so that two buffers serve for ever.
    pub fn take_output(&mut self, spare: BytesMut) -> BytesMut {
        std::mem::replace(&mut self.output, spare)
    }

    /// Returns unwritten bytes to the front of the output. Do so before anything else is taken,
    /// and only while the connection they belong to lasts.
    pub fn put_back(&mut self, mut unwritten: BytesMut) {
        if self.output.is_empty() {
            self.output = unwritten;
        } else if !unwritten.is_empty() {
            unwritten.extend_from_slice(&self.output);
            self.output = unwritten;
        }
    }

    /// Whether bytes wait to be written.
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Bytes that wait to be written.
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Takes what was added to the output since it had `len` bytes back, a whole number of packets;
    /// [`Engine::unsent`] forgets their ids.
    pub fn drop_output(&mut self, len: usize) {
        self.output.truncate(len);
    }

    /// Adds a DISCONNECT packet to the output.
    pub fn disconnect(&mut self) {
        // Two constant bytes; writing them cannot fail.
        let _ = Disconnect.write(&mut self.output);
        self.counters.packets_out += 1;
    }

    /// The connection is gone. QoS 1 messages and the packet-id counter stay.
    pub fn disconnected(&mut self) {
        self.state = State::Idle;
        self.reader.reset();
        self.output.clear();
        self.pending.clear();
        if self.ping != Ping::Off {
            self.ping_on(PingEvent::Lost);
        }
        self.counters.forget_probe();
    }

    /// Takes bytes of the server.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }

    /// How many bytes a transport of exact counts should read next.
    pub fn wanted(&self) -> usize {
        self.reader.wanted()
    }

    /// The next event in the bytes received so far.
    pub fn next_event(&mut self, now: u64) -> Result<Option<Event>, ProtocolError> {
        while let Some(packet) = self
            .reader
            .next_packet()
            .inspect_err(|_| self.state = State::Idle)?
        {
            if self.state == State::Idle {
                // Bytes behind a refusal.
                return Ok(None);
            }
            if let Some(event) = self.on_packet(packet, now)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn on_packet(&mut self, packet: Packet, now: u64) -> Result<Option<Event>, ProtocolError> {
        self.counters.packets_in += 1;
        if let State::Connecting { skipped } = self.state {
            return match packet {
                Packet::ConnAck {
                    session_present,
                    code: 0,
                } => {
                    self.state = State::Connected;
                    if self.ping_on(PingEvent::Connected) == PingAction::Schedule {
                        self.next_ping_at = now + self.limits.keepalive_ms;
                    }
                    self.inflight.all_due(now);
                    self.resuming = true;
                    self.release(now);
                    Ok(Some(Event::Connected { session_present }))
                }
                Packet::ConnAck { code, .. } => {
                    self.state = State::Idle;
                    Ok(Some(Event::Refused { code }))
                }
                _ if skipped >= SKIPPED_BEFORE_CONNACK => {
                    self.state = State::Idle;
                    Err(ProtocolError("no CONNACK among the first packets"))
                }
                _ => {
                    self.state = State::Connecting {
                        skipped: skipped + 1,
                    };
                    Ok(None)
                }
            };
        }
        if self.ping != Ping::Answered {
            self.ping_on(PingEvent::Packet);
        }
        self.count(&packet, now);
        Ok(match packet {
            Packet::Publish(publish) => Some(Event::Message(publish)),
            Packet::PubAck(pkid) => self.inflight.acknowledged(pkid).then(|| {
                self.counters.acknowledged += 1;
                Event::Published(pkid)
            }),
            Packet::SubAck { pkid, granted } => self
                .pending
                .remove(&pkid)
                .then_some(Event::Subscribed { pkid, granted }),
            Packet::UnsubAck(pkid) => self
                .pending
                .remove(&pkid)
                .then_some(Event::Unsubscribed(pkid)),
            Packet::TooLarge { size, qos1_pkid } => Some(Event::TooLarge { size, qos1_pkid }),
            Packet::ConnAck { .. } | Packet::PingResp | Packet::Qos2Ack => None,
        })
    }

    fn count(&mut self, packet: &Packet, now: u64) {
        match packet {
            Packet::Publish(_) => self.counters.messages_in += 1,
            Packet::TooLarge { .. } => self.counters.too_large += 1,
            Packet::PubAck(pkid) => self.counters.answered(Probe::Message(*pkid), now),
            Packet::PingResp => self.counters.answered(Probe::Ping, now),
            _ => {}
        }
    }

    /// What is due at `now`. Call until `None`.
    pub fn next_timer(&mut self, now: u64) -> Option<Timer> {
        if self.state != State::Connected {
            return None;
        }
        if now >= self.next_ping_at {
            self.next_ping_at = now + self.limits.keepalive_ms;
            if self.ping_on(PingEvent::Due) == PingAction::GiveUp {
                self.disconnected();
                return Some(Timer::Lost);
            }
            // Two constant bytes; writing them cannot fail.
            let _ = PingReq.write(&mut self.output);
            self.counters.packets_out += 1;
            self.counters.start(Probe::Ping, now);
            return Some(Timer::Send);
        }
        let period = self.repeat_ms();
        let repeat = self.inflight.next_due(now, period)?;
        self.output.extend_from_slice(repeat);
        self.counters.packets_out += 1;
        self.counters.forget_probe();
        Some(Timer::Send)
    }

    fn ping_on(&mut self, event: PingEvent) -> PingAction {
        // The table has a row for every pair, which a test shows; a hole would end the connection.
        PING.row(self.ping, event)
            .map_or(PingAction::GiveUp, |row| {
                self.ping = row.next;
                row.action
            })
    }

    /// When [`Engine::next_timer`] has something to say next.
    pub fn next_timer_at(&self) -> Option<u64> {
        (self.state == State::Connected).then(|| {
            self.inflight
                .next_due_at()
                .map_or(self.next_ping_at, |due| due.min(self.next_ping_at))
        })
    }

    /// Adds a SUBSCRIBE for one filter to the output. `qos` is 0, 1 or 2 as the caller wants it on the wire.
    ///
    /// Errors: `STATE_MQTT_SERIALIZE_SUB_ERROR`, `STATE_MQTT_SUB_EXCEED_MAX` ([`PENDING_MAX`]).
    pub fn subscribe(&mut self, pkid: u16, filter: &str, qos: u8) -> Result<(), i32> {
        let qos = match qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        };
        self.check_pending()?;
        let mut packet = Subscribe::new(filter, qos);
        packet.pkid = pkid;
        if packet.size() > self.limits.write_max {
            return Err(state::STATE_MQTT_SERIALIZE_SUB_ERROR);
        }
        self.write(
            |out| packet.write(out),
            state::STATE_MQTT_SERIALIZE_SUB_ERROR,
        )?;
        self.pending.insert(pkid);
        Ok(())
    }

    /// Adds an UNSUBSCRIBE for one filter to the output. Errors:
    /// `STATE_MQTT_SERIALIZE_UNSUB_ERROR`, `STATE_MQTT_SUB_EXCEED_MAX` ([`PENDING_MAX`]).
    pub fn unsubscribe(&mut self, pkid: u16, filter: &str) -> Result<(), i32> {
        self.check_pending()?;
        let mut packet = Unsubscribe::new(filter);
        packet.pkid = pkid;
        if packet.size() > self.limits.write_max {
            return Err(state::STATE_MQTT_SERIALIZE_UNSUB_ERROR);
        }
        self.write(
            |out| packet.write(out),
            state::STATE_MQTT_SERIALIZE_UNSUB_ERROR,
        )?;
        self.pending.insert(pkid);
        Ok(())
    }

    fn check_pending(&self) -> Result<(), i32> {
        match self.pending.len() < PENDING_MAX {
            true => Ok(()),
            false => Err(state::STATE_MQTT_SUB_EXCEED_MAX),
        }
    }

    /// Adds the PUBACK for a delivered QoS 1 message to the output.
    pub fn acknowledge(&mut self, pkid: u16) {
        if self.state == State::Connected {
            // Four bytes with a non-zero id; writing them cannot fail.
            let _ = PubAck::new(pkid).write(&mut self.output);
            self.counters.packets_out += 1;
        }
    }

    /// Writes one packet to the output, whole or not at all.
    fn write<E>(
        &mut self,
        encode: impl FnOnce(&mut BytesMut) -> Result<usize, E>,
        error: i32,
    ) -> Result<(), i32> {
        let start = self.output.len();
        match encode(&mut self.output) {
            Ok(_) => {
                self.counters.packets_out += 1;
                Ok(())
            }
            Err(_) => {
                self.output.truncate(start);
                Err(error)
            }
        }
    }

    fn repeat_ms(&self) -> u64 {
        2 * self.limits.request_timeout_ms
    }
}
