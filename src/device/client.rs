//! One MQTT session of a device, and the calls on it.
//!
//! Locks, in the order they may be taken; none is held while a handler of the application runs
//! or while the network is waited for:
//!
//! * `reading` (token): one thread reads, dispatches and reconnects at a time;
//! * `writing` (token): one thread writes at a time, bounded by its deadline;
//! * `core` (mutex): engine, subscriptions, phase; CPU work only.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;

use super::attempt::{Attempt, AttemptError};
use super::backoff::{Backoff, Reconnect};
use super::config::{Callback, Config, Host, in_callback};
use super::dispatch::Scratch;
use super::held::Held;
use super::requests::{Request, Requests};
use super::states::{Happening, Phase, Reaction};
use super::stats::Stats;
use super::store::Store;
use super::subscriptions::Subscriptions;
use super::turn::Turn;
use crate::hal::{memory, seam};
use crate::mqtt::{Engine, engine};
use crate::state;
use crate::transport::{Dialer, HalDialer, Link, LinkError};

/// Longest wait of one synchronous subscription, milliseconds (spec mqtt-session.md §10).
const SUBSCRIBE_SYNC_MAX_MS: u64 = 10_000;
/// Share of it after which the state is looked at again, milliseconds.
const SUBSCRIBE_SYNC_SLICE_MS: u64 = 100;
/// How long Yield with time-out 0 reads, milliseconds.
const YIELD_ZERO_MS: u64 = 10;
/// Longest uninterrupted wait for the network or for a reconnect, milliseconds: bounds how long
/// a client that is destroyed by another thread goes on waiting.
pub(super) const WAIT_SLICE_MS: u64 = 200;
/// The same on a connection whose waits can be interrupted: bounds how late a timer runs that
/// another thread has set meanwhile. Longer sleep means less idle processor time; this is one
/// sleep for a Yield of a second, which lasts a millisecond more.
pub(super) const WAIT_SLICE_INTERRUPTIBLE_MS: u64 = 1_100;
/// How long Destroy tries to get its DISCONNECT packet out, milliseconds.
const DISCONNECT_WRITE_MS: u64 = 1_000;

/// Largest buffer kept for further output, bytes: several packets of an ordinary size.
const SPARE_MAX: usize = 64 * 1024;

/// Why a connection is lost whose peer stopped reading.
pub(super) const NO_DATA_TAKEN: &str = "the server takes no data";

/// What the calls share, under one lock.
pub(super) struct Core {
    pub(super) engine: Engine,
    /// Empty buffer of the writer, exchanged for the one with output.
    spare: BytesMut,
    pub(super) subscriptions: Subscriptions,
    pub(super) phase: Phase,
    /// When the next attempt is due, in [`Phase::Waiting`].
    pub(super) wait_until: u64,
    /// Since when the session is connected, in [`Phase::Online`].
    pub(super) online_since: u64,
    /// Why the connection was lost, in [`Phase::Lost`].
    pub(super) loss: String,
    pub(super) link: Option<Arc<dyn Link>>,
    /// Counts connections, so that a writer notices that its bytes went down with an old one.
    pub(super) epoch: u64,
    /// Since when output waits because the peer does not take it.
    pub(super) stuck_since: Option<u64>,
    /// SUBSCRIBEs and UNSUBSCRIBEs under way by packet id.
    pub(super) requests: Requests,
    /// Synchronous subscriptions by packet id: the answer once it has come.
    pub(super) answers: HashMap<u16, Option<bool>>,
    /// QoS 1 messages that nobody has taken yet.
    pub(super) held: Held,
    /// The version report has not been sent yet, for want of names.
    pub(super) report_due: bool,
    pub(super) backoff: Backoff,
}

impl Core {
    /// Gives the connection up. QoS 1 messages stay for the next one. The link that comes back is
    /// to be dropped when the lock is released: destroying it is a call into the HAL.
    #[must_use]
    fn lose(&mut self, reason: &str, reconnect: &Reconnect) -> Option<Arc<dyn Link>> {
        if self.on(Happening::Broken) != Reaction::Drop {
            return None;
        }
        reason.clone_into(&mut self.loss);
        let lasted = seam::uptime_ms().saturating_sub(self.online_since);
        if lasted >= u64::from(reconnect.stable_ms) {
            self.backoff.reset();
        }
        self.disconnected();
        self.link.take()
    }

    /// Forgets what belongs to the connection that was.
    pub(super) fn disconnected(&mut self) {
        self.engine.disconnected();
        self.stuck_since = None;
        self.held.clear();
    }

    /// A packet that was not sent: nothing waits for its answer.
    fn forget(&mut self, pkid: u16) {
        self.engine.unsent(pkid);
        self.requests.take(pkid);
        self.answers.remove(&pkid);
    }

    pub(super) fn check_online(&self) -> Result<(), i32> {
        if self.phase == Phase::Online {
            Ok(())
        } else {
            Err(state::STATE_MQTT_IN_OFFLINE_STATUS)
        }
    }

    /// Whether the queue takes another packet.
    pub(super) fn check_queue(&self, config: &Config) -> Result<(), i32> {
        match config.queue_max {
            Some(max) if self.engine.output_len() >= max => {
                Err(state::STATE_MQTT_TX_BUFFER_TOO_SHORT)
            }
            _ => Ok(()),
        }
    }
}

/// An application message to publish. `qos` is checked here, as the SDK passes any number.
pub struct OutMessage<'a> {
    /// Topic name.
    pub topic: &'a [u8],
    /// Payload; `None` for one that is longer than any packet this client sends.
    pub payload: Option<&'a [u8]>,
    /// 0 or 1; everything else is refused.
    pub qos: i32,
    /// RETAIN flag.
    pub retain: bool,
}

/// One MQTT session. All methods may be called from any thread and from inside a handler.
pub struct Client {
    pub(super) config: Config,
    pub(super) host: Arc<dyn Host>,
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) store: Option<Store>,
    pub(super) core: Mutex<Core>,
    /// The connect attempt under way, while nobody lets it go on.
    attempt: Mutex<Option<Attempt>>,
    pub(super) reading: Turn,
    writing: Turn,
    closed: AtomicBool,
    /// The first connect is over; from now on losses are repaired.
    pub(super) constructed: AtomicBool,
    pub(super) stats: Arc<Stats>,
    /// Counts what the application was told.
    pub(super) told: AtomicU64,
    /// The last call that reads left something to do.
    pub(super) unfinished: AtomicBool,
    /// Why the last connect attempt failed, until somebody asks.
    failure: Mutex<Option<AttemptError>>,
}

impl Client {
    /// A client that is not connected yet, on connections of the HAL.
    pub fn new(config: Config, host: Arc<dyn Host>) -> Self {
        Self::with_dialer(config, host, Arc::new(HalDialer))
    }

    /// A client on connections of another kind.
    pub fn with_dialer(config: Config, host: Arc<dyn Host>, dialer: Arc<dyn Dialer>) -> Self {
        let core = Core {
            engine: Engine::new(config.limits.clone()),
            spare: BytesMut::new(),
            subscriptions: Subscriptions::default(),
            phase: Phase::Offline,
            wait_until: 0,
            online_since: 0,
            loss: String::new(),
            link: None,
            epoch: 0,
            stuck_since: None,
            requests: Requests::default(),
            answers: HashMap::new(),
            held: Held::default(),
            report_due: true,
            backoff: Backoff::default(),
        };
        Client {
            store: config.store.clone().map(Store::new),
            config,
            host,
            dialer,
            core: Mutex::new(core),
            attempt: Mutex::default(),
            reading: Turn::default(),
            writing: Turn::default(),
            closed: AtomicBool::new(false),
            constructed: AtomicBool::new(false),
            stats: Arc::default(),
            told: AtomicU64::new(0),
            unfinished: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        // A panic inside the lock is caught at the C boundary. What it leaves behind is still a
        // session whose next protocol error closes it, which beats refusing every later call.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn attempt(&self) -> MutexGuard<'_, Option<Attempt>> {
        // Taken and replaced whole.
        self.attempt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up connection number `epoch`, unless a later one has taken its place.
    pub(super) fn lose(&self, epoch: u64, reason: &str) {
        let link = {
            let mut core = self.core();
            (core.epoch == epoch).then(|| core.lose(reason, &self.config.reconnect))
        };
        give_up(link.flatten());
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn is_constructed(&self) -> bool {
        self.constructed.load(Ordering::Acquire)
    }

    /// How often the application was told something.
    pub(super) fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    pub(super) fn failure(&self) -> MutexGuard<'_, Option<AttemptError>> {
        // Each access replaces the value whole.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn mark_constructed(&self) {
        self.constructed.store(true, Ordering::Release);
    }

    /// Where the connection stands.
    pub fn phase(&self) -> Phase {
        self.core().phase
    }

    /// Whether the session is connected.
    pub fn is_online(&self) -> bool {
        self.core().phase == Phase::Online
    }

    /// The default handler of messages, if there is one.
    pub fn default_handler(&self) -> Option<Callback> {
        self.config.handler.filter(|handler| handler.function != 0)
    }

    /// Unacknowledged QoS 1 messages.
    pub fn inflight(&self) -> usize {
        self.core().engine.inflight()
    }

    /// Reads, dispatches, keeps alive and reconnects for `timeout_ms`. Lasts the whole time,
    /// connected or not, and beyond it only for what cannot be interrupted: a handler, and one
    /// step of a connect attempt ([`crate::transport::Dialing::step`]).
    pub fn yield_for(&self, timeout_ms: u64) {
        if in_callback() {
            log::warn!("Yield inside a handler does nothing");
            return;
        }
        let timeout_ms = if timeout_ms == 0 {
            YIELD_ZERO_MS
        } else {
            timeout_ms
        };
        // The clock counts whole milliseconds: one more, so that it never ends early.
        let end = seam::uptime_ms() + timeout_ms + 1;
        let mut scratch = Scratch::default();
        loop {
            match self.reading.take(end, || self.is_closed()) {
                Some(_token) => self.pass(end, &mut scratch),
                None if self.is_closed() => return,
                None => {}
            }
            if self.is_closed() || seam::uptime_ms() >= end {
                return;
            }
        }
    }

    /// Publishes. Returns the packet id, 0 for QoS 0.
    ///
    /// Blocks up to the request time-out when the peer does not take the bytes; the connection
    /// then counts as lost. Errors: those of [`Rules::check_name`](crate::mqtt::topic::Rules::check_name),
    /// `STATE_MQTT_IN_OFFLINE_STATUS`, `STATE_MQTT_PUB_QOS_INVALID`,
    /// `STATE_MQTT_SERIALIZE_PUB_ERROR`, `STATE_MQTT_QOS1_REPUB_EXCEED_MAX`,
    /// `STATE_SYS_DEPEND_NWK_CLOSE`, `STATE_SYS_DEPEND_MALLOC`. With a store, QoS 1 differs: see [`super::store`].
    pub fn publish(&self, message: &OutMessage<'_>) -> Result<u16, i32> {
        self.config.topics.check_name(message.topic)?;
        if let (Some(store), 1) = (&self.store, message.qos) {
            return self.publish_stored(store, &engine_message(message)?);
        }
        self.send(|core| {
            core.check_online()?;
            if !matches!(message.qos, 0 | 1) {
                if message.qos == 2 {
                    // Uses up an id, which callers see in the ids that follow.
                    core.engine.take_pkid();
                }
                return Err(state::STATE_MQTT_PUB_QOS_INVALID);
            }
            core.engine
                .publish(seam::uptime_ms(), &engine_message(message)?)
        })
    }

    /// Subscribes; the handler is stored before the packet is written, so that no message can
    /// come too early for it. `qos` 3 stores the handler without a packet. Returns the packet id.
    ///
    /// Errors: `STATE_MQTT_IN_OFFLINE_STATUS`, those of [`Rules::check_filter`](crate::mqtt::topic::Rules::check_filter),
    /// `STATE_MQTT_SERIALIZE_SUB_ERROR`, `STATE_SYS_DEPEND_NWK_CLOSE`, `STATE_SYS_DEPEND_MALLOC`.
    pub fn subscribe(&self, filter: &[u8], qos: u32, callback: Callback) -> Result<u16, i32> {
        self.subscribe_noting(filter, qos, callback, false)
    }

    fn subscribe_noting(
        &self,
        filter: &[u8],
        qos: u32,
        callback: Callback,
        note_answer: bool,
    ) -> Result<u16, i32> {
        let mut added = false;
        let name = utf8(filter).unwrap_or_default();
        let sent = self.send(|core| {
            let pkid = core.engine.take_pkid();
            core.check_online()?;
            self.config.topics.check_filter(filter)?;
            core.held.retry = true;
            if qos == QOS_LOCAL {
                added = core.subscriptions.add(name, None, callback);
                return Ok(pkid);
            }
            let wire_qos = u8::try_from(qos).ok().filter(|qos| *qos <= 2).unwrap_or(0);
            core.engine.subscribe(pkid, name, wire_qos)?;
            added = core.subscriptions.add(name, Some(wire_qos), callback);
            let wanted = Request::Subscribe {
                qos: wire_qos,
                callback,
            };
            core.requests.add(pkid, name, wanted);
            if note_answer {
                core.answers.insert(pkid, None);
            }
            Ok(pkid)
        });
        if sent.is_err() && added {
            self.core().subscriptions.remove(name, callback);
        }
        sent
    }

    /// Subscribes and waits for the SUBACK, reading meanwhile; a refused or unsent SUBSCRIBE is
    /// tried again until time is over. Inside a handler, and for QoS 3, as [`Client::subscribe`].
    ///
    /// Errors that waiting cannot cure are returned at once; otherwise
    /// `STATE_MQTT_SYNC_SUB_TIMEOUT` after at most 10 s.
    pub fn subscribe_sync(
        &self,
        filter: &[u8],
        qos: u32,
        callback: Callback,
        timeout_ms: u64,
    ) -> Result<u16, i32> {
        if in_callback() || qos == QOS_LOCAL {
            return self.subscribe(filter, qos, callback);
        }
        self.config.topics.check_filter(filter)?;
        let end = seam::uptime_ms() + timeout_ms.min(SUBSCRIBE_SYNC_MAX_MS);
        let mut scratch = Scratch::default();
        let mut waiting: Option<u16> = None;
        let result = loop {
            let pkid = match waiting {
                Some(pkid) => Some(pkid),
                None => match self.subscribe_noting(filter, qos, callback, true) {
                    Ok(pkid) => Some(pkid),
                    Err(
                        state::STATE_MQTT_IN_OFFLINE_STATUS | state::STATE_SYS_DEPEND_NWK_CLOSE,
                    ) => None,
                    Err(code) => return Err(code),
                },
            };
            waiting = pkid;
            let slice_end = (seam::uptime_ms() + SUBSCRIBE_SYNC_SLICE_MS).min(end);
            let answered =
                || self.is_closed() || pkid.is_some_and(|pkid| self.answer(pkid).is_some());
            if let Some(_token) = self.reading.take(slice_end, answered) {
                self.pass(slice_end, &mut scratch);
            }
            if self.is_closed() {
                break Err(state::STATE_USER_INPUT_INVALID);
            }
            match pkid.and_then(|pkid| self.answer(pkid)) {
                Some(true) => break Ok(pkid.unwrap_or_default()),
                Some(false) => self.forget_answer(waiting.take()),
                None => {}
            }
            if seam::uptime_ms() >= end {
                break Err(state::STATE_MQTT_SYNC_SUB_TIMEOUT);
            }
        };
        self.forget_answer(waiting);
        result
    }

    fn answer(&self, pkid: u16) -> Option<bool> {
        self.core().answers.get(&pkid).copied().flatten()
    }

    fn forget_answer(&self, pkid: Option<u16>) {
        if let Some(pkid) = pkid {
            self.core().answers.remove(&pkid);
        }
    }

    /// Unsubscribes: all handlers with exactly this filter are removed. Returns the packet id.
    ///
    /// Errors: those of [`Rules::check_filter`](crate::mqtt::topic::Rules::check_filter), `STATE_MQTT_IN_OFFLINE_STATUS`,
    /// `STATE_MQTT_SERIALIZE_UNSUB_ERROR`, `STATE_SYS_DEPEND_NWK_CLOSE`, `STATE_SYS_DEPEND_MALLOC`.
    pub fn unsubscribe(&self, filter: &[u8]) -> Result<u16, i32> {
        self.config.topics.check_filter(filter)?;
        let name = utf8(filter)?;
        self.send(|core| {
            core.check_online()?;
            let pkid = core.engine.take_pkid();
            core.engine.unsubscribe(pkid, name)?;
            core.requests.add(pkid, name, Request::Unsubscribe);
            if !memory::ran_out() {
                core.subscriptions.remove_filter(name);
            }
            Ok(pkid)
        })
    }

    /// Ends the session: DISCONNECT, close, no more handlers. Other threads' calls return. Waits
    /// until a handler that runs in another thread has returned, at most the request time-out.
    pub fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let online = {
            let mut core = self.core();
            let online = core.phase == Phase::Online;
            if online {
                core.engine.disconnect();
            }
            core.subscriptions.clear();
            online
        };
        let now = seam::uptime_ms();
        if online && self.flush(now + DISCONNECT_WRITE_MS).is_err() {
            log::debug!("DISCONNECT could not be sent");
        }
        let link = {
            let mut core = self.core();
            core.on(Happening::Destroy);
            core.disconnected();
            core.link.take()
        };
        give_up(link);
        self.drop_attempt();
        self.reading.notify();
        self.writing.notify();
        // In a handler of this client this thread holds the token itself; the pass that called
        // it ends as soon as the handler returns.
        let wait_until = seam::uptime_ms() + self.config.limits.request_timeout_ms;
        let _others_done = self.reading.take(wait_until, || false);
        if let Some(store) = &self.store {
            store.wait_idle(wait_until);
        }
    }

    /// Queues bytes by `encode` and writes them out. A packet id that `encode` returns is
    /// forgotten again if they could not be written, or if memory ran out meanwhile; then nothing
    /// is sent (`STATE_SYS_DEPEND_MALLOC`).
    pub(super) fn send(
        &self,
        encode: impl FnOnce(&mut Core) -> Result<u16, i32>,
    ) -> Result<u16, i32> {
        let (pkid, epoch) = {
            let mut core = self.core();
            if self.is_closed() {
                return Err(state::STATE_USER_INPUT_INVALID);
            }
            let watch = memory::Watch::begin();
            let queued = core.engine.output_len();
            core.check_queue(&self.config)?;
            let pkid = encode(&mut core)?;
            if watch.ran_out() {
                core.engine.drop_output(queued);
                core.forget(pkid);
                return Err(state::STATE_SYS_DEPEND_MALLOC);
            }
            (pkid, core.epoch)
        };
        let written = self.flush_request(epoch);
        let mut core = self.core();
        if written.is_ok() && core.epoch == epoch && core.phase == Phase::Online {
            return Ok(pkid);
        }
        core.forget(pkid);
        Err(state::STATE_SYS_DEPEND_NWK_CLOSE)
    }

    /// Writes the queued output within the time of a request. A peer that does not take it in time is
    /// given up as connection `epoch`.
    ///
    /// With a queue, what the peer does not take at once is left to the reading thread, which also
    /// notices a peer that takes nothing at all.
    pub(super) fn flush_request(&self, epoch: u64) -> Result<(), LinkError> {
        let patience_ms = match self.config.queue_max {
            Some(_) => 0,
            None => self.config.limits.request_timeout_ms,
        };
        let written = self.flush(seam::uptime_ms() + patience_ms)?;
        if !written && self.config.queue_max.is_none() {
            self.lose(epoch, NO_DATA_TAKEN);
            return Err(LinkError::Closed);
        }
        Ok(())
    }

    /// Writes the queued output until `deadline`. `Ok(false)`: some is left. An error means that
    /// the connection is lost and has been given up.
    pub(super) fn flush(&self, deadline: u64) -> Result<bool, LinkError> {
        if !self.core().engine.has_output() {
            return Ok(true);
        }
        loop {
            let Some(_token) = self.writing.take(deadline, || false) else {
                return Ok(false);
            };
            let (mut bytes, link, epoch) = {
                let mut core = self.core();
                if !core.engine.has_output() {
                    return Ok(true);
                }
                let Some(link) = core.link.clone() else {
                    return Err(LinkError::Closed);
                };
                let spare = std::mem::take(&mut core.spare);
                let output = core.engine.take_output(spare);
                (output, link, core.epoch)
            };
            let mut sent = 0;
            let mut failed = None;
            while sent < bytes.len() {
                let now = seam::uptime_ms();
                let left = u32::try_from(deadline.saturating_sub(now)).unwrap_or(u32::MAX);
                match link.write(&bytes[sent..], left.max(1)) {
                    Ok(written) => sent += written.min(bytes.len() - sent),
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
                if sent < bytes.len() && seam::uptime_ms() >= deadline {
                    break;
                }
            }
            if let Some(error) = failed {
                self.lose(epoch, &error.to_string());
                return Err(error);
            }
            let mut core = self.core();
            if core.epoch != epoch || core.link.is_none() {
                return Err(LinkError::Closed);
            }
            if sent > 0 {
                core.stuck_since = None;
            }
            if sent < bytes.len() {
                core.engine.put_back(bytes.split_off(sent));
                return Ok(false);
            }
            // A burst, as of repeats after a reconnect, must not keep its memory for ever.
            if bytes.capacity() <= SPARE_MAX {
                bytes.clear();
                core.spare = bytes;
            }
            if !core.engine.has_output() {
                return Ok(true);
            }
        }
    }
}

/// Drops a link. Another thread that waits on it holds it too, and would go on waiting.
pub(super) fn give_up(link: Option<Arc<dyn Link>>) {
    if let Some(link) = link
        && Arc::strong_count(&link) > 1
    {
        link.interrupt();
    }
}

/// `IOTX_MQTT_QOS3_SUB_LOCAL`: a handler without a subscription at the server.
const QOS_LOCAL: u32 = 3;

fn engine_message<'a>(message: &OutMessage<'a>) -> Result<engine::Message<'a>, i32> {
    Ok(engine::Message {
        topic: utf8(message.topic)?,
        payload: message
            .payload
            .ok_or(state::STATE_MQTT_SERIALIZE_PUB_ERROR)?,
        qos1: message.qos == 1,
        retain: message.retain,
        counted: true,
    })
}

fn utf8(text: &[u8]) -> Result<&str, i32> {
    std::str::from_utf8(text).map_err(|_| state::STATE_MQTT_UNEXP_TOPIC_FORMAT)
}
