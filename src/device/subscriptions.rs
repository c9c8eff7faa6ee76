//! The application's handlers by topic filter, in order of subscription.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::config::Callback;
use crate::mqtt::topic;

/// One registered handler. A dispatch under way keeps it alive; `live` tells it that the
/// application has removed it meanwhile.
pub(super) struct Handler {
    pub(super) callback: Callback,
    live: AtomicBool,
}

impl Handler {
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }
}

struct Entry {
    filter: String,
    /// QoS on the wire; `None` for a handler without a subscription at the server.
    qos: Option<u8>,
    handler: Arc<Handler>,
}

#[derive(Default)]
pub(super) struct Subscriptions {
    entries: Vec<Entry>,
}

impl Subscriptions {
    /// Adds a handler unless the same filter, function and context are there already. Returns
    /// whether it was added.
    pub(super) fn add(&mut self, filter: &str, qos: Option<u8>, callback: Callback) -> bool {
        let same = |e: &&mut Entry| e.filter == filter && e.handler.callback == callback;
        if let Some(entry) = self.entries.iter_mut().find(same) {
            entry.qos = qos.or(entry.qos);
            return false;
        }
        self.entries.push(Entry {
            filter: filter.to_owned(),
            qos,
            handler: Arc::new(Handler {
                callback,
                live: AtomicBool::new(true),
            }),
        });
        true
    }

    /// Removes one handler of a filter.
    pub(super) fn remove(&mut self, filter: &str, callback: Callback) {
        self.retain(|e| e.filter != filter || e.handler.callback != callback);
    }

    /// Removes all handlers with exactly this filter, nothing else.
    pub(super) fn remove_filter(&mut self, filter: &str) {
        self.retain(|e| e.filter != filter);
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.retain(|_| false);
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.entries.retain(|entry| {
            let kept = keep(entry);
            if !kept {
                entry.handler.live.store(false, Ordering::Release);
            }
            kept
        });
    }

    /// The handlers whose filter matches, in order of subscription, into `matched`.
    pub(super) fn matching(&self, topic_name: &[u8], matched: &mut Vec<Arc<Handler>>) {
        matched.clear();
        let hits = self
            .entries
            .iter()
            .filter(|e| topic::matches(e.filter.as_bytes(), topic_name));
        matched.extend(hits.map(|e| Arc::clone(&e.handler)));
    }

    /// The filters subscribed at the server, each once, with the highest QoS asked for.
    pub(super) fn filters(&self) -> Vec<(String, u8)> {
        let mut filters: Vec<(String, u8)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for entry in &self.entries {
            let Some(qos) = entry.qos else { continue };
            let place = *places.entry(&entry.filter).or_insert_with(|| {
                filters.push((entry.filter.clone(), qos));
                filters.len() - 1
            });
            filters[place].1 = filters[place].1.max(qos);
        }
        filters
    }
}
