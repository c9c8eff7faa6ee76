//! Sessions and routing: who is on-line, who gets which message.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::acl;
use crate::client::Client;
use crate::faults::Faults;
use crate::link::How;
use crate::mqtt::{Connect, Publish, Subscribe, Unsubscribe, encode};
use crate::registry::DeviceId;
use crate::session::{Delivery, Message, Session};
use crate::sign::to_hex;

/// QoS of messages to subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeliveryQos {
    /// As published, whatever was subscribed: what the cloud documents.
    Publisher,
    /// The smaller of published and subscribed: what the standard says.
    Min,
}

/// All sessions of one platform.
pub struct Broker {
    sessions: Mutex<BTreeMap<DeviceId, Session>>,
    faults: Arc<Faults>,
    delivery_qos: DeliveryQos,
}

fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}

/// The event fields of a message: topic, QoS, size and the payload as text or hexadecimal, 4096 bytes at most.
pub fn message_fields(topic: &str, payload: &[u8], qos: u8) -> Value {
    let mut fields = json!({"topic": topic, "qos": qos, "bytes": payload.len()});
    let shown = &payload[..payload.len().min(4096)];
    match std::str::from_utf8(shown) {
        Ok(text) => fields["payload"] = text.into(),
        Err(_) => fields["payload_hex"] = to_hex(shown).into(),
    }
    fields
}

impl Broker {
    /// A broker without sessions.
    pub fn new(faults: Arc<Faults>, delivery_qos: DeliveryQos) -> Self {
        Self {
            sessions: Mutex::default(),
            faults,
            delivery_qos,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeviceId, Session>> {
        self.sessions
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// Opens or resumes the session of an accepted client: the older connection of the device is closed,
    /// CONNACK is sent, then `greeting` (the identity), then what a persistent session still holds.
    pub fn connect(
        &self,
        client: &Arc<Client>,
        device: &DeviceId,
        connect: &Connect,
        greeting: &[Message],
    ) {
        let mut sessions = self.lock();
        let session = sessions
            .entry(device.clone())
            .or_insert_with(|| Session::new(device.clone()));
        if let Some(older) = session.online.take() {
            let reason = format!("the device connected again as connection {}", client.conn);
            older.record("kicked", json!({"reason": reason}));
            older.close(How::Graceful, "kicked by a newer connection of the device");
        }
        let present = !session.clean && !connect.clean_session;
        if !present {
            *session = Session::new(device.clone());
        }
        session.clean = connect.clean_session;
        session.auto_subscribe = client
            .accepted
            .get()
            .is_some_and(|accepted| accepted.auto_subscribe);
        session.keep_alive = connect.keep_alive;
        session.since = now_ms();
        session.online = Some(Arc::clone(client));
        client.record("connack", json!({"code": 0, "session_present": present}));
        client.send(encode::connack(present, 0));
        session.forget_ephemeral();
        for message in greeting {
            record_identity(client, message);
            session.greet(message.clone());
        }
        for (id, message) in session.resume() {
            record_delivery(client, id, &message);
        }
    }

    /// The client is gone. Its session ends, or waits for it if it is persistent.
    pub fn offline(&self, client: &Client) {
        let Some(accepted) = client.accepted.get() else {
            return;
        };
        let mut sessions = self.lock();
        if let Some(session) = sessions.get_mut(&accepted.device)
            && session
                .online
                .as_ref()
                .is_some_and(|online| online.conn == client.conn)
        {
            session.online = None;
            if session.clean {
                sessions.remove(&accepted.device);
            }
        }
    }

    /// Runs `action` on the session of a client that is the live one of its device.
    fn with_session<T>(
        &self,
        client: &Client,
        action: impl FnOnce(&mut Session) -> T,
    ) -> Option<T> {
        let device = &client.accepted.get()?.device;
        let mut sessions = self.lock();
        let session = sessions.get_mut(device)?;
        let live = session
            .online
            .as_ref()
            .is_some_and(|online| online.conn == client.conn);
        live.then(|| action(session))
    }

    /// A device published: checks the topic and delivers to every subscriber.
    pub fn publish(&self, client: &Client, device: &DeviceId, publish: &Publish) {
        let mut fields = message_fields(&publish.topic, &publish.payload, publish.qos);
        fields["dup"] = publish.dup.into();
        fields["retain"] = publish.retain.into();
        fields["packet_id"] = publish.packet_id.into();
        if let Some(reason) = acl::publish_problem(device, &publish.topic) {
            fields["accepted"] = false.into();
            fields["reason"] = reason.into();
            client.record("publish", fields);
            return;
        }
        fields["accepted"] = true.into();
        client.record("publish", fields);
        if publish.topic
            == format!(
                "/ota/device/inform/{}/{}",
                device.product_key, device.device_name
            )
        {
            let report: Value = serde_json::from_slice(&publish.payload).unwrap_or_default();
            let (version, module) = (&report["params"]["version"], &report["params"]["module"]);
            client.record("report", json!({"version": version, "module": module}));
        }
        let message = Message::new(publish.topic.clone(), publish.payload.clone(), publish.qos);
        self.route(&message, Some(device));
    }

    /// Delivers to every session that wants the message; how many did. `from` is the publishing device.
    pub fn route(&self, message: &Message, from: Option<&DeviceId>) -> usize {
        let mut count = 0;
        for session in self.lock().values_mut() {
            // Nobody may speak to another device in the name of the cloud.
            let foreign_ext = message.topic.starts_with("/ext/")
                && from.is_some_and(|from| *from != session.device);
            if foreign_ext || !session.wants(&message.topic, from.is_none()) {
                continue;
            }
            let mut copy = message.clone();
            if self.delivery_qos == DeliveryQos::Min {
                copy.qos = copy
                    .qos
                    .min(session.subscribed_qos(&message.topic).unwrap_or(1));
            }
            self.deliver(session, copy);
            count += 1;
        }
        count
    }

    /// Delivers to one device, subscribed or not. `Err` with a sentence if it has no session.
    pub fn send_to(&self, device: &DeviceId, message: Message) -> Result<(), String> {
        match self.lock().get_mut(device) {
            Some(session) => {
                self.deliver(session, message);
                Ok(())
            }
            None => Err(format!("{device} is not on-line and has no session")),
        }
    }

    /// Delivers the identity to a device that is on-line through this connection.
    pub fn send_identity(&self, client: &Client, message: Message) {
        self.with_session(client, |session| {
            record_identity(client, &message);
            session.deliver(message, false);
        });
    }

    fn deliver(&self, session: &mut Session, message: Message) {
        let twice = session.online.is_some() && self.faults.take("dup-publish").is_some();
        let client = session.online.clone();
        match (session.deliver(message.clone(), twice), client) {
            (Delivery::Sent(id), Some(client)) => record_delivery(&client, id, &message),
            (Delivery::Dropped(reason), Some(client)) => {
                client.record("dropped", json!({"reason": reason, "topic": message.topic}));
            }
            _ => {}
        }
    }

    /// SUBSCRIBE: checks the filters, stores what is granted and returns the SUBACK codes.
    pub fn subscribe(
        &self,
        client: &Client,
        device: &DeviceId,
        subscribe: &Subscribe,
        refuse_all: bool,
    ) -> Vec<u8> {
        let (mut codes, mut told) = (Vec::new(), Vec::new());
        self.with_session(client, |session| {
            for (filter, qos) in &subscribe.filters {
                let problem = if refuse_all {
                    Some("fault suback-80")
                } else {
                    acl::subscribe_problem(device, filter)
                };
                let granted = if problem.is_some() {
                    0x80
                } else {
                    (*qos).min(1)
                };
                if problem.is_none() {
                    session.subscriptions.insert(filter.clone(), granted);
                }
                codes.push(granted);
                told.push(
                    json!({"filter": filter, "qos": qos, "granted": granted, "reason": problem}),
                );
            }
        });
        client.record(
            "subscribe",
            json!({"packet_id": subscribe.packet_id, "filters": told}),
        );
        codes
    }

    /// UNSUBSCRIBE: removes exactly these filters.
    pub fn unsubscribe(&self, client: &Client, unsubscribe: &Unsubscribe) {
        self.with_session(client, |session| {
            for filter in &unsubscribe.filters {
                session.subscriptions.remove(filter);
            }
        });
        client.record(
            "unsubscribe",
            json!({"packet_id": unsubscribe.packet_id, "filters": unsubscribe.filters}),
        );
    }

    /// PUBACK: releases the message, and sends waiting ones.
    pub fn acknowledge(&self, client: &Client, packet_id: u16) {
        self.with_session(client, |session| {
            let released = session.acknowledge(packet_id);
            client.record(
                "puback",
                json!({"packet_id": packet_id, "known": released.is_some()}),
            );
            for (id, message) in released.unwrap_or_default() {
                record_delivery(client, id, &message);
            }
        });
    }

    /// Closes every connection that was silent for more than one and a half keep-alive times at `now`.
    pub fn scan(&self, now: Instant) {
        let silent: Vec<_> = self
            .lock()
            .values()
            .filter_map(|session| {
                let client = session.online.as_ref()?;
                let limit = std::time::Duration::from_millis(u64::from(session.keep_alive) * 1500);
                let silence = client.silence(now);
                (session.keep_alive > 0 && silence > limit && !client.is_frozen())
                    .then(|| (Arc::clone(client), silence))
            })
            .collect();
        for (client, silence) in silent {
            client.record(
                "keepalive_timeout",
                json!({"silent_ms": silence.as_millis() as u64}),
            );
            client.close(How::Graceful, "keep-alive exceeded");
            self.offline(&client);
        }
    }

    /// The live connection of a device.
    pub fn client(&self, device: &DeviceId) -> Option<Arc<Client>> {
        self.lock()
            .get(device)
            .and_then(|session| session.online.clone())
    }

    /// All live connections.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        self.lock()
            .values()
            .filter_map(|session| session.online.clone())
            .collect()
    }

    /// The on-line sessions, for the control port.
    pub fn devices(&self) -> Vec<Value> {
        self.lock()
            .values()
            .filter_map(|session| {
                let client = session.online.as_ref()?;
                let accepted = client.accepted.get()?;
                let subscriptions: Vec<Value> = session
                    .subscriptions
                    .iter()
                    .map(|(filter, qos)| json!({"filter": filter, "qos": qos}))
                    .collect();
                let (unacknowledged, waiting) = session.counts();
                Some(json!({
                    "device": session.device.to_string(),
                    "conn": client.conn,
                    "client_id": accepted.client_id,
                    "mode": accepted.mode.name(),
                    "keepalive": session.keep_alive,
                    "clean": session.clean,
                    "subscriptions": subscriptions,
                    "since": session.since,
                    "unacknowledged": unacknowledged,
                    "waiting": waiting,
                }))
            })
            .collect()
    }
}

fn record_delivery(client: &Client, packet_id: u16, message: &Message) {
    let mut fields = message_fields(&message.topic, &message.payload, message.qos);
    fields["packet_id"] = packet_id.into();
    fields["dup"] = message.dup.into();
    client.record("deliver", fields);
}

fn record_identity(client: &Client, message: &Message) {
    client.record(
        "identity",
        message_fields(&message.topic, &message.payload, message.qos),
    );
}
