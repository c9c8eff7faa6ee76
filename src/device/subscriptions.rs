//! The application's handlers by topic filter.
//!
//! Finding those of a message must not depend on how many there are: filters without wildcard are
//! hashed whole, filters with one are a tree of topic levels. Whatever finds them, handlers are
//! called in order of subscription, so each carries its place in that order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::config::Callback;

/// One registered handler. A dispatch under way keeps it alive; `live` tells it that the
/// application has removed it meanwhile.
pub(super) struct Handler {
    pub(super) callback: Callback,
    /// Place in the order of subscription.
    order: u64,
    live: AtomicBool,
}

impl Handler {
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }
}

struct Entry {
    /// QoS on the wire; `None` for a handler without a subscription at the server.
    qos: Option<u8>,
    handler: Arc<Handler>,
}

/// The handlers of one filter, in order of subscription. Without any it does not exist.
struct Filter {
    text: Box<str>,
    entries: Vec<Entry>,
}

impl Filter {
    fn new(text: &str) -> Self {
        Filter {
            text: text.into(),
            entries: Vec::new(),
        }
    }

    /// Takes out the handlers that `unwanted` names and marks them dead.
    fn take_out(&mut self, unwanted: impl Fn(Callback) -> bool) {
        self.entries.retain(|entry| {
            let goes = unwanted(entry.handler.callback);
            if goes {
                entry.handler.live.store(false, Ordering::Release);
            }
            !goes
        });
    }

    fn give(&self, matched: &mut Vec<Arc<Handler>>) {
        matched.extend(self.entries.iter().map(|entry| Arc::clone(&entry.handler)));
    }
}

/// One level of the tree of filters with wildcards. Its depth is that of the deepest filter, and
/// filters have at most [`crate::mqtt::topic::TOPIC_MAX`] bytes.
#[derive(Default)]
struct Level {
    named: BTreeMap<Box<[u8]>, Level>,
    /// Below `+`.
    any: Option<Box<Level>>,
    /// The filter that ends here.
    ending: Option<Filter>,
    /// The filter that ends in `#` here.
    rest: Option<Filter>,
}

impl Level {
    fn is_empty(&self) -> bool {
        self.named.is_empty() && self.any.is_none() && self.ending.is_none() && self.rest.is_none()
    }

    /// The place of the filter whose levels from here on are `path`, made if it is missing.
    fn place<'a>(&mut self, mut path: impl Iterator<Item = &'a [u8]>) -> &mut Option<Filter> {
        match path.next() {
            None => &mut self.ending,
            Some(b"#") => &mut self.rest,
            Some(b"+") => self.any.get_or_insert_default().place(path),
            Some(name) => self.named.entry(name.into()).or_default().place(path),
        }
    }

    /// Lets `change` at the filter of that path, if it exists; levels left empty are removed.
    fn change<'a>(
        &mut self,
        mut path: impl Iterator<Item = &'a [u8]>,
        change: impl FnOnce(&mut Filter),
    ) {
        let here = match path.next() {
            None => &mut self.ending,
            Some(b"#") => &mut self.rest,
            Some(b"+") => {
                if let Some(below) = &mut self.any {
                    below.change(path, change);
                    if below.is_empty() {
                        self.any = None;
                    }
                }
                return;
            }
            Some(name) => {
                if let Some(below) = self.named.get_mut(name) {
                    below.change(path, change);
                    if below.is_empty() {
                        self.named.remove(name);
                    }
                }
                return;
            }
        };
        if let Some(filter) = here {
            change(filter);
            if filter.entries.is_empty() {
                *here = None;
            }
        }
    }

    /// Adds the handlers of the filters that match; `rest` is what is left of the topic, `None`
    /// behind its last level. Visits no level that the topic does not lead to.
    fn matching(&self, rest: Option<&[u8]>, matched: &mut Vec<Arc<Handler>>) {
        count_lookup();
        // `#` also matches the parent level itself, so an exhausted topic is fine.
        if let Some(filter) = &self.rest {
            filter.give(matched);
        }
        let Some(rest) = rest else {
            if let Some(filter) = &self.ending {
                filter.give(matched);
            }
            return;
        };
        let (name, below) = match rest.iter().position(|byte| *byte == b'/') {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        if let Some(level) = self.named.get(name) {
            level.matching(below, matched);
        }
        if let Some(level) = &self.any {
            level.matching(below, matched);
        }
    }

    fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Filter)) {
        self.ending.iter().chain(&self.rest).for_each(&mut *visit);
        for level in self.named.values().chain(self.any.as_deref()) {
            level.each(visit);
        }
    }
}

/// All handlers of one client.
#[derive(Default)]
pub(super) struct Subscriptions {
    exact: HashMap<Box<[u8]>, Filter>,
    wild: Level,
    next_order: u64,
}

impl Subscriptions {
    /// Adds a handler unless the same filter, function and context are there already. Returns
    /// whether it was added.
    pub(super) fn add(&mut self, filter: &str, qos: Option<u8>, callback: Callback) -> bool {
        let listed = if is_wild(filter) {
            self.wild
                .place(levels(filter))
                .get_or_insert_with(|| Filter::new(filter))
        } else {
            self.exact
                .entry(filter.as_bytes().into())
                .or_insert_with(|| Filter::new(filter))
        };
        let same = |entry: &&mut Entry| entry.handler.callback == callback;
        if let Some(entry) = listed.entries.iter_mut().find(same) {
            entry.qos = qos.or(entry.qos);
            return false;
        }
        listed.entries.push(Entry {
            qos,
            handler: Arc::new(Handler {
                callback,
                order: self.next_order,
                live: AtomicBool::new(true),
            }),
        });
        self.next_order += 1;
        true
    }

    /// Removes one handler of a filter.
    pub(super) fn remove(&mut self, filter: &str, callback: Callback) {
        self.take_out(filter, |of_entry| of_entry == callback);
    }

    /// Removes all handlers with exactly this filter, nothing else.
    pub(super) fn remove_filter(&mut self, filter: &str) {
        self.take_out(filter, |_| true);
    }

    fn take_out(&mut self, filter: &str, unwanted: impl Fn(Callback) -> bool) {
        if is_wild(filter) {
            self.wild
                .change(levels(filter), |listed| listed.take_out(unwanted));
        } else if let Some(listed) = self.exact.get_mut(filter.as_bytes()) {
            listed.take_out(unwanted);
            if listed.entries.is_empty() {
                self.exact.remove(filter.as_bytes());
            }
        }
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.each(|filter| {
            for entry in &filter.entries {
                entry.handler.live.store(false, Ordering::Release);
            }
        });
        self.exact = HashMap::new();
        self.wild = Level::default();
    }

    /// The handlers whose filter matches (MQTT 3.1.1 §4.7.1), in order of subscription, into
    /// `matched`. `$` topics are not special here: the platform's topics all start with a slash.
    pub(super) fn matching(&self, topic_name: &[u8], matched: &mut Vec<Arc<Handler>>) {
        matched.clear();
        count_lookup();
        if let Some(filter) = self.exact.get(topic_name) {
            filter.give(matched);
        }
        let of_one_filter = matched.len();
        if !self.wild.is_empty() {
            self.wild.matching(Some(topic_name), matched);
        }
        if matched.len() > of_one_filter {
            matched.sort_unstable_by_key(|handler| handler.order);
        }
    }

    /// The filters subscribed at the server, each once, in order of their first subscription,
    /// with the highest QoS asked for.
    pub(super) fn filters(&self) -> Vec<(String, u8)> {
        let mut found: Vec<(u64, &str, u8)> = Vec::new();
        self.each(|filter| {
            let wanted = filter.entries.iter().filter_map(|entry| entry.qos).max();
            let first = filter.entries.iter().find(|entry| entry.qos.is_some());
            if let (Some(qos), Some(first)) = (wanted, first) {
                found.push((first.handler.order, &filter.text, qos));
            }
        });
        found.sort_unstable();
        found
            .into_iter()
            .map(|(_, text, qos)| (text.to_owned(), qos))
            .collect()
    }

    fn each<'a>(&'a self, mut visit: impl FnMut(&'a Filter)) {
        self.exact.values().for_each(&mut visit);
        self.wild.each(&mut visit);
    }
}

fn is_wild(filter: &str) -> bool {
    filter.bytes().any(|byte| matches!(byte, b'+' | b'#'))
}

fn levels(filter: &str) -> impl Iterator<Item = &[u8]> {
    filter.as_bytes().split(|byte| *byte == b'/')
}

/// Counts, in tests, what a search looks at: one hash or one level of the tree.
#[cfg(not(test))]
fn count_lookup() {}

#[cfg(test)]
use tests::count_lookup;

#[cfg(test)]
mod tests;
