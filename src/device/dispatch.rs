//! One pass of reading: timers, bytes in, and what each received packet sets off.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rumqttc::mqttbytes::QoS;

use super::client::{Client, NO_DATA_TAKEN, WAIT_SLICE_INTERRUPTIBLE_MS, WAIT_SLICE_MS};
use super::config::{Callback, CallbackScope, ClientEvent, Delivery};
use super::requests::Request;
use super::states::Phase;
use super::subscriptions::Handler;
use super::{identity, report};
use crate::hal::seam;
use crate::mqtt::{Event, Publish, Timer, engine};
use crate::state;

/// Bytes read from the network in one call.
const READ_CHUNK: usize = 16 * 1024;

/// Buffers that a reading thread keeps from pass to pass.
#[derive(Default)]
pub(super) struct Scratch {
    read: Vec<u8>,
    delivery: Vec<u8>,
    matched: Vec<Arc<Handler>>,
}

impl Client {
    /// Does what is due and reads once, waiting no longer than until `end`. The caller holds the
    /// reading token.
    pub(super) fn pass(&self, end: u64, scratch: &mut Scratch) {
        let was_online = self.is_online();
        self.lifecycle(end);
        // What arrives during an attempt belongs to the attempt.
        if self.is_closed() || matches!(self.core().phase, Phase::Dialing | Phase::Greeting) {
            return;
        }
        self.deliver_held(scratch);
        let now = seam::uptime_ms();
        self.timers(now);
        self.flush_in_pass(now, end);
        // Packets that arrived with earlier ones come before the network is asked again.
        if self.dispatch_buffered(end, scratch) {
            self.flush_in_pass(seam::uptime_ms(), end);
            return;
        }
        if !was_online && self.is_online() {
            // Somebody may wait for just this.
            return;
        }
        let (link, epoch, wanted, timer_at, wait_until) = {
            let core = self.core();
            let wait_until = match core.phase {
                Phase::Waiting => core.wait_until,
                _ => u64::MAX,
            };
            (
                core.link.clone(),
                core.epoch,
                core.engine.wanted(),
                core.engine.next_timer_at(),
                wait_until,
            )
        };
        let now = seam::uptime_ms();
        let until = end.min(timer_at.unwrap_or(u64::MAX)).min(wait_until);
        let slice = match &link {
            Some(link) if link.interruptible() && seam::clock_is_default() => {
                WAIT_SLICE_INTERRUPTIBLE_MS
            }
            _ => WAIT_SLICE_MS,
        };
        let wait = until.saturating_sub(now).min(slice);
        // The slice fits, so the conversion cannot cut.
        let wait = u32::try_from(wait).unwrap_or(0);
        let Some(link) = link else {
            seam::sleep_ms(wait.max(1));
            return;
        };
        scratch.read.resize(READ_CHUNK, 0);
        match link.read(&mut scratch.read, wanted, wait) {
            Ok(0) => {}
            Ok(count) => {
                let count = count.min(scratch.read.len());
                let mut core = self.core();
                // A writer may have given this connection up meanwhile.
                if core.epoch == epoch && core.link.is_some() {
                    core.engine.receive(&scratch.read[..count]);
                }
            }
            Err(error) => self.lose(epoch, &error.to_string()),
        }
        self.dispatch_buffered(end, scratch);
        self.flush_in_pass(seam::uptime_ms(), end);
    }

    fn timers(&self, now: u64) {
        let silent = {
            let mut core = self.core();
            let epoch = core.epoch;
            let mut due = std::iter::from_fn(|| core.engine.next_timer(now));
            due.any(|timer| timer == Timer::Lost).then_some(epoch)
        };
        if let Some(epoch) = silent {
            self.lose(epoch, "no answer to three pings");
        }
    }

    /// Writes acknowledgements, pings and repeats within the time of the pass. What the peer
    /// does not take stays queued; for longer than the request time-out means a dead peer.
    fn flush_in_pass(&self, now: u64, end: u64) {
        let patience = self.config.limits.request_timeout_ms;
        if self.flush(end.max(now + 1).min(now + patience)) != Ok(false) {
            return;
        }
        let (since, epoch) = {
            let mut core = self.core();
            (*core.stuck_since.get_or_insert(now), core.epoch)
        };
        if now.saturating_sub(since) >= patience {
            self.lose(epoch, NO_DATA_TAKEN);
        }
    }

    /// Dispatches the packets that have arrived; whether there were any. Stops at `end`.
    fn dispatch_buffered(&self, end: u64, scratch: &mut Scratch) -> bool {
        let mut any = false;
        let mut now = seam::uptime_ms();
        loop {
            let (event, epoch) = {
                let mut core = self.core();
                (core.engine.next_event(now), core.epoch)
            };
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => return any,
                Err(error) => {
                    let text = error.to_string();
                    self.lose(epoch, &text);
                    self.tell(state::STATE_MQTT_PACKET_READ_ERROR, &text);
                    return any;
                }
            };
            any = true;
            self.dispatch(event, scratch);
            now = seam::uptime_ms();
            if self.is_closed() || now >= end {
                return any;
            }
        }
    }

    fn dispatch(&self, event: Event, scratch: &mut Scratch) {
        match event {
            // Handled where the connection is made; nothing else waits for them.
            Event::Connected { .. } | Event::Refused { .. } => {}
            Event::Message(publish) => self.message(publish, scratch),
            Event::Published(pkid) => {
                self.acknowledged_stored(pkid);
                self.to_default(ClientEvent::PublishSuccess(pkid));
            }
            Event::Unsubscribed(pkid) => {
                self.core().requests.take(pkid);
                self.to_default(ClientEvent::UnsubscribeSuccess(pkid));
            }
            Event::Subscribed { pkid, granted } => self.subscribed(pkid, granted),
            Event::TooLarge { size, qos1_pkid } => {
                let limit = self.config.limits.read_max;
                let text = format!("packet of {size} bytes is over the read buffer of {limit}");
                self.tell(state::STATE_MQTT_RX_BUFFER_TOO_SHORT, &text);
                self.to_default(ClientEvent::BufferOverflow);
                if let Some(pkid) = qos1_pkid {
                    self.core().engine.acknowledge(pkid);
                }
            }
        }
    }

    fn subscribed(&self, pkid: u16, granted: bool) {
        let asked = {
            let mut core = self.core();
            let asked = core.requests.take(pkid);
            if let (false, Some((filter, Request::Subscribe { callback, .. }))) = (granted, &asked)
            {
                core.subscriptions.remove(filter, *callback);
            }
            if let Some(answer) = core.answers.get_mut(&pkid) {
                *answer = Some(granted);
            }
            asked
        };
        self.reading.notify();
        match asked {
            // The application did not ask, so it gets no event with a packet id that it does not
            // know. A refused filter keeps its handler: the next reconnect asks again.
            Some((_, Request::Renew { .. })) if granted => {}
            Some((filter, Request::Renew { .. })) => {
                let text = format!("refused after reconnect - '{filter}'");
                self.tell(state::STATE_MQTT_SUB_INFO, &text);
            }
            _ if granted => self.to_default(ClientEvent::SubscribeSuccess(pkid)),
            _ => self.to_default(ClientEvent::SubscribeNack(pkid)),
        }
    }

    /// Order for one message: identity, handlers, acknowledgement. A crash in a handler leaves
    /// the message unacknowledged, so the server sends it again. A QoS 1 message that nobody
    /// takes is held ([`super::held`]).
    fn message(&self, publish: Publish, scratch: &mut Scratch) {
        let qos1 = publish.qos == QoS::AtLeastOnce;
        let mut seen = false;
        if self.config.platform && publish.topic == identity::TOPIC {
            self.identity(&publish.payload);
            seen = true;
        }
        seen |= self.deliver(&publish, scratch);
        if !qos1 || self.is_closed() {
            return;
        }
        if seen {
            self.core().engine.acknowledge(publish.pkid);
        } else {
            let over = self.core().held.keep(publish);
            self.drop_unseen(over);
        }
    }

    /// Gives the message to its handlers or to the default one. Whether there was any.
    fn deliver(&self, publish: &Publish, scratch: &mut Scratch) -> bool {
        self.core()
            .subscriptions
            .matching(publish.topic.bytes(), &mut scratch.matched);
        let topic_len = publish.topic.bytes().len();
        scratch.delivery.clear();
        scratch.delivery.extend_from_slice(publish.topic.bytes());
        scratch.delivery.push(0);
        scratch.delivery.extend_from_slice(&publish.payload);
        scratch.delivery.push(0);
        let mut delivered = false;
        for handler in scratch.matched.drain(..) {
            if self.is_closed() {
                return delivered;
            }
            // An earlier handler of this message may have unsubscribed this one.
            if handler.is_live() {
                delivered = true;
                self.call(
                    handler.callback,
                    message_event(publish, topic_len, &mut scratch.delivery),
                );
            }
        }
        let default = self.default_handler();
        if !delivered && let Some(callback) = default {
            delivered = true;
            self.call(
                callback,
                message_event(publish, topic_len, &mut scratch.delivery),
            );
        }
        delivered
    }

    /// Tries the messages that waited for a handler again.
    fn deliver_held(&self, scratch: &mut Scratch) {
        let (messages, epoch) = {
            let mut core = self.core();
            if !std::mem::take(&mut core.held.retry) || core.held.is_empty() {
                return;
            }
            (core.held.take_all(), core.epoch)
        };
        for message in messages {
            // Of a connection that is gone the server sends them again.
            if self.is_closed() || self.core().epoch != epoch || !self.is_online() {
                return;
            }
            self.message(message, scratch);
        }
    }

    /// Makes room: acknowledges messages that found no handler, and says so.
    fn drop_unseen(&self, messages: Vec<Publish>) {
        for message in messages {
            self.core().engine.acknowledge(message.pkid);
            let text = format!("no handler, dropped - '{}'", message.topic);
            self.tell(state::STATE_MQTT_RECV_UNKNOWN_PACKET, &text);
        }
    }

    fn identity(&self, payload: &[u8]) {
        let mut text = payload.to_vec();
        text.push(0);
        // The slice ends in the NUL just added, so one is found.
        if let Ok(text) = CStr::from_bytes_until_nul(&text) {
            let _scope = CallbackScope::enter();
            self.host.identity_received(text);
        }
        let received = match identity::parse(payload) {
            Ok(received) => received,
            Err(refused) => {
                self.tell(refused.code, refused.text);
                return;
            }
        };
        let known = self.host.names();
        let differs = (&known.product_key, &known.device_name)
            != (&received.product_key, &received.device_name);
        self.host
            .store_names(&received.product_key, &received.device_name);
        if differs && !(known.product_key.is_empty() || known.device_name.is_empty()) {
            let text = format!(
                "identity changed to {}.{}",
                received.product_key, received.device_name
            );
            self.tell(state::STATE_USER_INPUT_META_INFO, &text);
        }
        log::info!(
            "identity received: product key {}, device name {}",
            received.product_key,
            received.device_name
        );
        if self.is_constructed() {
            self.send_version_report();
        }
    }

    /// Sends the version report if the names are known and it was not sent yet.
    pub(super) fn send_version_report(&self) {
        let names = self.host.names();
        if names.product_key.is_empty() || names.device_name.is_empty() {
            return;
        }
        if !std::mem::take(&mut self.core().report_due) {
            return;
        }
        let Some(version) = seam::firmware_version() else {
            return;
        };
        let id = self.host.next_report_id();
        let Some((topic, payload)) = report::version_report(&names, id, &version) else {
            return;
        };
        let sent = self.send(|core| {
            let message = engine::Message {
                topic: &topic,
                payload: payload.as_bytes(),
                qos1: true,
                retain: false,
                counted: false,
            };
            core.engine.publish(seam::uptime_ms(), &message)
        });
        if let Err(code) = sent {
            log::warn!("version report not sent: {code}");
        }
    }

    /// Reports a state. Its handler is foreign code like any other, and none is called any more
    /// once the client has been destroyed.
    pub(super) fn tell(&self, code: i32, text: &str) {
        if self.is_closed() {
            return;
        }
        self.told.fetch_add(1, Ordering::Relaxed);
        let _scope = CallbackScope::enter();
        self.host.state(code, text);
    }

    pub(super) fn to_default(&self, event: ClientEvent<'_>) {
        if let Some(callback) = self.config.handler
            && !self.is_closed()
        {
            self.call(callback, event);
        }
    }

    fn call(&self, callback: Callback, event: ClientEvent<'_>) {
        self.told.fetch_add(1, Ordering::Relaxed);
        let _scope = CallbackScope::enter();
        self.host.deliver(callback, event);
    }
}

/// `buffer` is topic, NUL, payload, NUL. An earlier handler may have written over all of it; the NULs at
/// least are there again for the next one.
fn message_event<'a>(publish: &Publish, topic_len: usize, buffer: &'a mut [u8]) -> ClientEvent<'a> {
    let (topic, payload) = buffer.split_at_mut(topic_len + 1);
    let payload_len = payload.len() - 1;
    topic[topic_len] = 0;
    payload[payload_len] = 0;
    ClientEvent::Message(Delivery {
        topic: &mut topic[..topic_len],
        payload: &mut payload[..payload_len],
        qos: publish.qos as u8,
        dup: publish.dup,
        retain: publish.retain,
        packet_id: publish.pkid,
    })
}
