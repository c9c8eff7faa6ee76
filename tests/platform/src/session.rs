//! The session of one device: what it subscribed to and which messages it still has to get.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::acl;
use crate::client::Client;
use crate::mqtt::{Publish, encode, topic};
use crate::registry::DeviceId;

/// QoS 1 messages sent and not yet acknowledged, at most.
pub const WINDOW: usize = 512;
/// QoS 1 messages that wait, at most; further ones are dropped.
pub const BACKLOG: usize = 4096;

/// A message on its way to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic name.
    pub topic: String,
    /// Application message.
    pub payload: Vec<u8>,
    /// 0 or 1.
    pub qos: u8,
    /// Flag as sent; the platform sets it on request only.
    pub retain: bool,
    /// DUP flag of the first sending, on request only.
    pub dup: bool,
    /// Not worth sending again in the next connection.
    pub ephemeral: bool,
}

impl Message {
    /// An ordinary message.
    pub fn new(topic: impl Into<String>, payload: impl Into<Vec<u8>>, qos: u8) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos,
            retain: false,
            dup: false,
            ephemeral: false,
        }
    }
}

/// What became of a message handed to [`Session::deliver`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Sent; the packet identifier, 0 with QoS 0.
    Sent(u16),
    /// Kept until the device is back or has acknowledged older messages.
    Kept,
    /// Not delivered, with the reason.
    Dropped(&'static str),
}

/// The session.
pub struct Session {
    /// Whose it is.
    pub device: DeviceId,
    /// Filters with the granted QoS.
    pub subscriptions: BTreeMap<String, u8>,
    /// The live connection.
    pub online: Option<Arc<Client>>,
    /// It ends with the connection.
    pub clean: bool,
    /// System topics count as subscribed.
    pub auto_subscribe: bool,
    /// Seconds, of the live connection.
    pub keep_alive: u16,
    /// Unix milliseconds of the CONNECT.
    pub since: u64,
    unacknowledged: VecDeque<(u16, Message)>,
    backlog: VecDeque<Message>,
    next_id: u16,
}

impl Session {
    /// A new, empty session.
    pub fn new(device: DeviceId) -> Self {
        Self {
            device,
            subscriptions: BTreeMap::new(),
            online: None,
            clean: true,
            auto_subscribe: false,
            keep_alive: 0,
            since: 0,
            unacknowledged: VecDeque::new(),
            backlog: VecDeque::new(),
            next_id: 1,
        }
    }

    /// Whether the device gets `name`. With `from_cloud`, automatic subscriptions count too: they are for
    /// what the cloud sends, never for what the device itself published.
    pub fn wants(&self, name: &str, from_cloud: bool) -> bool {
        self.subscribed_qos(name).is_some()
            || from_cloud && self.auto_subscribe && acl::auto_subscribed(&self.device, name)
    }

    /// The highest QoS granted to a filter that matches.
    pub fn subscribed_qos(&self, name: &str) -> Option<u8> {
        self.subscriptions
            .iter()
            .filter(|(filter, _)| topic::matches(filter, name))
            .map(|(_, qos)| *qos)
            .max()
    }

    /// Messages sent and not acknowledged, and messages waiting.
    pub fn counts(&self) -> (usize, usize) {
        (self.unacknowledged.len(), self.backlog.len())
    }

    /// Sends a message, or keeps it if it is QoS 1 and cannot go now. With `twice` it is sent again at once.
    pub fn deliver(&mut self, message: Message, twice: bool) -> Delivery {
        let Some(client) = self.online.clone() else {
            return match message.qos {
                0 => Delivery::Dropped("the device is off-line"),
                _ => self.keep(message),
            };
        };
        if message.qos > 0 && (self.unacknowledged.len() >= WINDOW || !self.backlog.is_empty()) {
            return self.keep(message);
        }
        let id = if message.qos > 0 { self.fresh_id() } else { 0 };
        send(&client, id, &message, message.dup);
        if twice {
            send(&client, id, &message, message.qos > 0);
        }
        if message.qos > 0 {
            self.unacknowledged.push_back((id, message));
        }
        Delivery::Sent(id)
    }

    /// Right after CONNACK: sends a message in front of everything that a persistent session still holds.
    pub fn greet(&mut self, message: Message) {
        let Some(client) = self.online.clone() else {
            return;
        };
        let id = if message.qos > 0 { self.fresh_id() } else { 0 };
        send(&client, id, &message, message.dup);
        if message.qos > 0 {
            self.unacknowledged.push_back((id, message));
        }
    }

    fn keep(&mut self, message: Message) -> Delivery {
        if self.backlog.len() >= BACKLOG {
            return Delivery::Dropped("the backlog of the device is full");
        }
        self.backlog.push_back(message);
        Delivery::Kept
    }

    /// The device acknowledged a message: room for waiting ones. Those sent are returned. An unknown
    /// identifier gives `None`.
    pub fn acknowledge(&mut self, packet_id: u16) -> Option<Vec<(u16, Message)>> {
        let index = self
            .unacknowledged
            .iter()
            .position(|(id, _)| *id == packet_id)?;
        self.unacknowledged.remove(index);
        Some(self.send_waiting())
    }

    /// Drops what is not worth sending again in a new connection.
    pub fn forget_ephemeral(&mut self) {
        self.unacknowledged
            .retain(|(_, message)| !message.ephemeral);
        self.backlog.retain(|message| !message.ephemeral);
    }

    /// After a connect: sends again, with DUP, what was sent in the connection before and not acknowledged,
    /// then what waited. Returns all of it.
    pub fn resume(&mut self) -> Vec<(u16, Message)> {
        let Some(client) = self.online.clone() else {
            return Vec::new();
        };
        let earlier = self
            .unacknowledged
            .iter()
            .filter(|(_, message)| !message.ephemeral);
        let mut sent: Vec<(u16, Message)> = earlier.cloned().collect();
        for (id, message) in &mut sent {
            message.dup = true;
            send(&client, *id, message, true);
        }
        sent.extend(self.send_waiting());
        sent
    }

    fn send_waiting(&mut self) -> Vec<(u16, Message)> {
        let mut sent = Vec::new();
        let Some(client) = self.online.clone() else {
            return sent;
        };
        while self.unacknowledged.len() < WINDOW
            && let Some(message) = self.backlog.pop_front()
        {
            let id = self.fresh_id();
            send(&client, id, &message, message.dup);
            self.unacknowledged.push_back((id, message.clone()));
            sent.push((id, message));
        }
        sent
    }

    /// The next identifier that is not in use. WINDOW is far below 65 535, so there always is one.
    fn fresh_id(&mut self) -> u16 {
        loop {
            let id = self.next_id;
            self.next_id = id.checked_add(1).unwrap_or(1);
            if self.unacknowledged.iter().all(|(used, _)| *used != id) {
                return id;
            }
        }
    }
}

fn send(client: &Client, packet_id: u16, message: &Message, dup: bool) {
    client.send(encode::publish(&Publish {
        dup,
        qos: message.qos,
        retain: message.retain,
        topic: message.topic.clone(),
        packet_id,
        payload: message.payload.clone(),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_wrap_and_skip_those_in_use() {
        let id = DeviceId {
            product_key: "pk".into(),
            device_name: "dn".into(),
        };
        let mut session = Session::new(id);
        let message = Message::new("/pk/dn/user/get", "x", 1);
        session
            .unacknowledged
            .extend([1, 2, 65_535].map(|id| (id, message.clone())));
        session.next_id = 65_534;
        assert_eq!(session.fresh_id(), 65_534);
        assert_eq!(session.fresh_id(), 3);
        assert_eq!(session.acknowledge(2).map(|sent| sent.len()), Some(0));
        assert!(session.acknowledge(2).is_none());
        session.next_id = 65_535;
        assert_eq!(session.fresh_id(), 2);
    }
}
