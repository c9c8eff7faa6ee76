//! Handles for C: keys into a process-wide table, never pointers, so that a stale handle is an
//! error instead of undefined behaviour.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex};

use super::{TlsSession, lock};

struct Table {
    sessions: BTreeMap<usize, Arc<dyn TlsSession>>,
    next: usize,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// Adds a session and returns its handle: never 0, never `usize::MAX`, and not used again before
/// the counter has gone through all its values.
pub fn insert(session: Arc<dyn TlsSession>) -> usize {
    let mut table = lock(&TABLE);
    let table = table.get_or_insert_with(|| Table {
        sessions: BTreeMap::new(),
        next: 1,
    });
    loop {
        let handle = table.next;
        table.next = if handle >= usize::MAX - 1 {
            1
        } else {
            handle + 1
        };
        if let Entry::Vacant(place) = table.sessions.entry(handle) {
            place.insert(session);
            return handle;
        }
    }
}

/// The session behind `handle`, if it is still open. This is also the core's way around the C
/// calls when the TLS HAL is our own.
pub fn lookup(handle: usize) -> Option<Arc<dyn TlsSession>> {
    lock(&TABLE).as_ref()?.sessions.get(&handle).cloned()
}

/// Takes the session out of the table; the handle is stale from then on.
pub fn remove(handle: usize) -> Option<Arc<dyn TlsSession>> {
    let mut table = lock(&TABLE);
    let table = table.as_mut()?;
    let session = table.sessions.remove(&handle);
    if table.sessions.is_empty() {
        // An empty map may keep a node; the port that counts its blocks shall get them all back.
        table.sessions = BTreeMap::new();
    }
    session
}
