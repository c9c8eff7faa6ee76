//! QoS 1 messages that survive a restart: the rules. The medium belongs to the application.
//!
//! * A publish returns its packet id after the record is saved; from then on the message is
//!   accepted, and sent until the server acknowledges it, whatever happens to the connection.
//! * PUBACK removes the record, then the application is told.
//! * The first connect takes over what an earlier run left: same packet ids, same order, DUP set,
//!   before anything new, whether or not the session is clean.
//! * Nothing on the medium is believed: see [`record`].
//!
//! No lock is held while the medium works. A publisher takes its place in the order first, then
//! saves, then the message goes out when all before it are saved or refused.

pub mod ledger;
pub mod record;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use self::ledger::{Bounds, Ledger};
use self::record::{Broken, Record};
use super::client::Client;
use super::config::CallbackScope;
use crate::hal::{memory, seam};
use crate::mqtt::engine;
use crate::state;

/// What a place of the medium holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// Nothing.
    Nothing,
    /// This many bytes, now in the buffer.
    Bytes(usize),
    /// More than the buffer takes.
    TooLong,
    /// It cannot be read.
    Failed,
}

/// Where records are kept: numbered places, each for one record.
///
/// Called from any thread, from several at the same time, but never for one place at the same
/// time; no lock of the client is held. Counts as a handler: calls that wait return at once.
pub trait Medium: Send + Sync {
    /// Writes a record to a place, replacing what it held. True only when a loss of power cannot
    /// take it away any more.
    fn save(&self, slot: u32, record: &[u8]) -> bool;
    /// Reads a place into the buffer.
    fn load(&self, slot: u32, buffer: &mut [u8]) -> Loaded;
    /// Empties a place. False if it still holds its record.
    fn remove(&self, slot: u32) -> bool;
}

/// A store as a client's parameter.
#[derive(Clone)]
pub struct StoreConfig {
    /// The medium.
    pub medium: Arc<dyn Medium>,
    /// Its bounds.
    pub bounds: Bounds,
}

/// What a store has done and holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// Messages saved.
    pub saved: u64,
    /// Messages acknowledged by the server.
    pub acknowledged: u64,
    /// Messages taken over from an earlier run.
    pub restored: u64,
    /// Messages dropped for newer ones.
    pub dropped: u64,
    /// Publishes refused at a bound.
    pub refused: u64,
    /// Records skipped because they were broken.
    pub broken: u64,
    /// Calls of the medium that failed.
    pub failed: u64,
    /// Messages stored at the moment.
    pub count: u32,
    /// Bytes of their records.
    pub bytes: u32,
}

struct Books {
    ledger: Ledger,
    stats: StoreStats,
}

/// The store of one client.
pub(super) struct Store {
    medium: Arc<dyn Medium>,
    bounds: Bounds,
    books: Mutex<Books>,
    /// Calls that may use the medium at the moment.
    users: Mutex<usize>,
    left: Condvar,
    restored: AtomicBool,
}

thread_local! {
    /// How many calls of this thread are inside a store.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Marks a call as a user of the medium.
struct User<'a>(&'a Store);

impl Drop for User<'_> {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(inside.get() - 1));
        let mut users = self.0.users();
        *users -= 1;
        if *users == 0 {
            self.0.left.notify_all();
        }
    }
}

/// Where a message went, or what has to go first.
enum Placed {
    At {
        pkid: u16,
        slot: u32,
        record: Zeroizing<Vec<u8>>,
    },
    Instead {
        pkid: u16,
        slot: u32,
    },
}

impl Store {
    pub(super) fn new(config: StoreConfig) -> Self {
        Store {
            medium: config.medium,
            bounds: config.bounds,
            books: Mutex::new(Books {
                ledger: Ledger::new(config.bounds),
                stats: StoreStats::default(),
            }),
            users: Mutex::new(0),
            left: Condvar::new(),
            restored: AtomicBool::new(false),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Each change of the books is complete at its unlock.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn users(&self) -> MutexGuard<'_, usize> {
        // A number, valid whatever happened to a thread that held it.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> User<'_> {
        *self.users() += 1;
        INSIDE.with(|inside| inside.set(inside.get() + 1));
        User(self)
    }

    /// Waits until no call uses the medium any more, so that a client made afterwards has it alone;
    /// not in a call of the medium itself, and not beyond `deadline`.
    pub(super) fn wait_idle(&self, deadline: u64) {
        if INSIDE.with(Cell::get) > 0 {
            return;
        }
        let mut users = self.users();
        while *users > 0 {
            let now = seam::uptime_ms();
            if now >= deadline {
                log::warn!("the store is still in use");
                return;
            }
            // Short slices: the condition variable has the system's clock, the deadline the HAL's.
            let slice = Duration::from_millis((deadline - now).min(100));
            users = self
                .left
                .wait_timeout(users, slice)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn save(&self, slot: u32, record: &[u8]) -> bool {
        let _scope = CallbackScope::enter();
        self.medium.save(slot, record)
    }

    fn load(&self, slot: u32, buffer: &mut [u8]) -> Loaded {
        let _scope = CallbackScope::enter();
        self.medium.load(slot, buffer)
    }

    fn remove(&self, slot: u32) -> bool {
        let _scope = CallbackScope::enter();
        self.medium.remove(slot)
    }

    fn stats(&self) -> StoreStats {
        let books = self.books();
        StoreStats {
            // The bounds are 32 bits; restored records may exceed the one on bytes.
            count: books.ledger.count() as u32,
            bytes: u32::try_from(books.ledger.bytes()).unwrap_or(u32::MAX),
            ..books.stats
        }
    }
}

/// A record found on the medium.
struct Found {
    slot: u32,
    sequence: u64,
    pkid: u16,
    bytes: Zeroizing<Vec<u8>>,
}

impl Client {
    /// What the store has done and holds; None without a store.
    pub fn store_stats(&self) -> Option<StoreStats> {
        self.store.as_ref().map(Store::stats)
    }

    /// Takes over what an earlier run left in the store; only the first call does something.
    pub(super) fn restore_stored(&self) {
        let Some(store) = &self.store else { return };
        if store.restored.swap(true, Ordering::AcqRel) {
            return;
        }
        let _user = store.enter();
        let mut found = self.scan(store);
        // Ascending; of two with one packet id the older one was acknowledged, and the medium
        // could not remove it: an id in flight is not given out again.
        found.sort_by_key(|found| found.sequence);
        let mut restored = 0;
        for (index, entry) in found.iter().enumerate() {
            let newer = found[index + 1..].iter().any(|f| f.pkid == entry.pkid);
            // Decoded before, from the same bytes.
            let Ok(record) = Record::decode(&entry.bytes) else {
                continue;
            };
            let message = engine::Message {
                topic: record.topic,
                payload: record.payload,
                qos1: true,
                retain: record.retain,
                counted: true,
            };
            if newer || self.core().engine.restore(entry.pkid, &message).is_err() {
                let removed = store.remove(entry.slot);
                if !removed {
                    store.books().ledger.spoil(entry.slot);
                }
                continue;
            }
            let mut books = store.books();
            let size = entry.bytes.len();
            books
                .ledger
                .restore(entry.slot, entry.pkid, size, entry.sequence);
            books.stats.restored += 1;
            restored += 1;
        }
        if restored > 0 {
            log::info!("{restored} messages of an earlier run are in the store");
        }
    }

    /// All records on the medium. What is no record is reported, and removed unless it is of a
    /// version to come.
    fn scan(&self, store: &Store) -> Vec<Found> {
        let mut found = Vec::new();
        let mut buffer = Zeroizing::new(vec![0; store.bounds.max_record as usize]);
        for slot in 0..store.bounds.max_count {
            let loaded = store.load(slot, &mut buffer);
            let broken = match loaded {
                Loaded::Nothing => continue,
                Loaded::Bytes(len) => {
                    let bytes = &buffer[..len.min(buffer.len())];
                    match Record::decode(bytes) {
                        Ok(record) => {
                            let size = Record::size(record.topic.len(), record.payload.len());
                            found.push(Found {
                                slot,
                                sequence: record.sequence,
                                pkid: record.packet_id,
                                bytes: Zeroizing::new(bytes[..size].to_vec()),
                            });
                            continue;
                        }
                        Err(Broken::Erased) => continue,
                        Err(broken) => Some(broken),
                    }
                }
                Loaded::TooLong => None,
                Loaded::Failed => {
                    {
                        let mut books = store.books();
                        books.stats.failed += 1;
                        books.ledger.spoil(slot);
                    }
                    let text = format!("store: place {slot} cannot be read");
                    self.tell(state::STATE_SYS_DEPEND_KV_GET, &text);
                    continue;
                }
            };
            store.books().stats.broken += 1;
            let reason = broken.map_or("over the size limit", Broken::text);
            let text = format!("store: place {slot} skipped: {reason}");
            self.tell(state::STATE_SYS_DEPEND_KV_GET, &text);
            // Firmware may have gone back one version, and may go forth again.
            if broken == Some(Broken::Version) || !store.remove(slot) {
                store.books().ledger.spoil(slot);
            }
        }
        found
    }

    /// Publishes a QoS 1 message through the store. Returns its packet id.
    ///
    /// Blocks for the medium, and as [`Client::publish`]. Errors: those of [`Client::publish`],
    /// `STATE_MQTT_SERIALIZE_PUB_ERROR` also for a record over the store's limit,
    /// `STATE_MQTT_QOS1_REPUB_EXCEED_MAX` also for a full store, `STATE_SYS_DEPEND_KV_SET` when
    /// the medium fails. A connection that breaks is no error: the message is accepted.
    pub(super) fn publish_stored(
        &self,
        store: &Store,
        message: &engine::Message<'_>,
    ) -> Result<u16, i32> {
        let _user = store.enter();
        // Each turn drops one message, so that there cannot be more turns than places.
        for _ in 0..=store.bounds.max_count {
            match self.place(store, message)? {
                Placed::At { pkid, slot, record } => {
                    return self.save_and_send(store, pkid, slot, &record);
                }
                Placed::Instead { pkid, slot } => {
                    self.remove_record(store, slot);
                    store.books().stats.dropped += 1;
                    let text = format!("store is full: message {pkid} dropped");
                    self.tell(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX, &text);
                }
            }
        }
        store.books().stats.refused += 1;
        Err(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX)
    }

    /// Gives the message its place in the order and on the medium, or takes one away from the
    /// oldest message.
    fn place(&self, store: &Store, message: &engine::Message<'_>) -> Result<Placed, i32> {
        let mut core = self.core();
        if self.is_closed() {
            return Err(state::STATE_USER_INPUT_INVALID);
        }
        core.check_online()?;
        core.check_queue(&self.config)?;
        let size = Record::size(message.topic.len(), message.payload.len());
        let mut books = store.books();
        if !books.ledger.could_fit(size) {
            books.stats.refused += 1;
            return Err(state::STATE_MQTT_SERIALIZE_PUB_ERROR);
        }
        let now = seam::uptime_ms();
        let watch = memory::Watch::begin();
        match core.engine.hold(message) {
            Ok(pkid) => {
                if let Some((slot, sequence)) = books.ledger.take(pkid, size) {
                    let record = Record {
                        sequence,
                        packet_id: pkid,
                        retain: message.retain,
                        topic: message.topic,
                        payload: message.payload,
                    };
                    let error = match record.encode() {
                        Some(_) if watch.ran_out() => state::STATE_SYS_DEPEND_MALLOC,
                        Some(record) => return Ok(Placed::At { pkid, slot, record }),
                        None => state::STATE_MQTT_SERIALIZE_PUB_ERROR,
                    };
                    books.ledger.finish_removal(slot, true);
                    core.engine.forget(now, pkid);
                    return Err(error);
                }
                core.engine.forget(now, pkid);
            }
            Err(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX) => {}
            Err(code) => return Err(code),
        }
        let oldest = if store.bounds.drop_oldest {
            core.engine.oldest()
        } else {
            None
        };
        let leaving = oldest.and_then(|pkid| Some((pkid, books.ledger.begin_removal(pkid)?)));
        match leaving {
            Some((pkid, slot)) => {
                core.engine.forget(now, pkid);
                Ok(Placed::Instead { pkid, slot })
            }
            None => {
                books.stats.refused += 1;
                Err(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX)
            }
        }
    }

    fn save_and_send(
        &self,
        store: &Store,
        pkid: u16,
        slot: u32,
        record: &[u8],
    ) -> Result<u16, i32> {
        let saved = store.save(slot, record);
        let removed = saved || store.remove(slot);
        let epoch = {
            let mut core = self.core();
            let mut books = store.books();
            let now = seam::uptime_ms();
            if saved {
                core.engine.ready(now, pkid);
                books.stats.saved += 1;
            } else {
                core.engine.forget(now, pkid);
                books.stats.failed += 1;
                books.ledger.finish_removal(slot, removed);
            }
            core.epoch
        };
        // Also after a failure: messages that waited for this one may be in the output now. What
        // becomes of the connection does not matter: the message is in the list of those in flight.
        let _ = self.flush_request(epoch);
        if saved {
            return Ok(pkid);
        }
        let text = format!("store: place {slot} cannot be written");
        self.tell(state::STATE_SYS_DEPEND_KV_SET, &text);
        Err(state::STATE_SYS_DEPEND_KV_SET)
    }

    /// The server has acknowledged a message: its record goes.
    pub(super) fn acknowledged_stored(&self, pkid: u16) {
        let Some(store) = &self.store else { return };
        let _user = store.enter();
        let slot = {
            let mut books = store.books();
            let slot = books.ledger.begin_removal(pkid);
            books.stats.acknowledged += u64::from(slot.is_some());
            slot
        };
        if let Some(slot) = slot {
            self.remove_record(store, slot);
        }
    }

    fn remove_record(&self, store: &Store, slot: u32) {
        let removed = store.remove(slot);
        {
            let mut books = store.books();
            books.ledger.finish_removal(slot, removed);
            books.stats.failed += u64::from(!removed);
        }
        if !removed {
            let text = format!("store: place {slot} cannot be emptied");
            self.tell(state::STATE_SYS_DEPEND_KV_DELETE, &text);
        }
    }
}
