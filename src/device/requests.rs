//! SUBSCRIBEs and UNSUBSCRIBEs that wait for their acknowledgement.
//!
//! They outlive the connection: what was asked before the loss is asked again behind it, in the
//! same order and under the same packet ids, which the application knows. Their number is bounded by [`crate::mqtt::engine::PENDING_MAX`].

use std::collections::HashMap;

use super::config::Callback;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// SUBSCRIBE of the application's; the handler goes should the server refuse.
    Subscribe { qos: u8, callback: Callback },
    /// UNSUBSCRIBE of the application's.
    Unsubscribe,
    /// SUBSCRIBE of the client's own, behind a reconnect to a server without session.
    Renew { qos: u8 },
}

struct Entry {
    order: u64,
    filter: String,
    request: Request,
}

#[derive(Default)]
pub(super) struct Requests {
    entries: HashMap<u16, Entry>,
    count: u64,
}

impl Requests {
    pub(super) fn add(&mut self, pkid: u16, filter: &str, request: Request) {
        self.count += 1;
        let entry = Entry {
            order: self.count,
            filter: filter.to_owned(),
            request,
        };
        self.entries.insert(pkid, entry);
    }

    /// The request that `pkid` answers, or that could not be written.
    pub(super) fn take(&mut self, pkid: u16) -> Option<(String, Request)> {
        let entry = self.entries.remove(&pkid)?;
        Some((entry.filter, entry.request))
    }

    /// All that wait, in the order of asking.
    pub(super) fn in_order(&self) -> Vec<(u16, String, Request)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(_, entry)| entry.order);
        entries
            .into_iter()
            .map(|(pkid, entry)| (*pkid, entry.filter.clone(), entry.request))
            .collect()
    }
}
