use std::cell::Cell;

use super::*;
use crate::mqtt::topic;

thread_local! {
    static LOOKUPS: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn count_lookup() {
    LOOKUPS.with(|lookups| lookups.set(lookups.get() + 1));
}

fn callback(function: usize) -> Callback {
    Callback {
        function,
        context: 0,
    }
}

fn found(subscriptions: &Subscriptions, topic_name: &str) -> Vec<usize> {
    let mut matched = Vec::new();
    subscriptions.matching(topic_name.as_bytes(), &mut matched);
    matched.iter().map(|h| h.callback.function).collect()
}

/// How many hashes and levels one search looked at.
fn lookups(subscriptions: &Subscriptions, topic_name: &str) -> u64 {
    LOOKUPS.with(|lookups| lookups.set(0));
    found(subscriptions, topic_name);
    LOOKUPS.with(Cell::get)
}

#[test]
fn handlers_come_in_order_of_subscription_whatever_their_filter() {
    let mut subscriptions = Subscriptions::default();
    let filters = [
        "/a/+", "/a/b", "/#", "/a/b", "/+/b", "/x", "/a/b/#", "/a/#", "/+/+/#",
    ];
    for (number, filter) in filters.iter().enumerate() {
        assert!(subscriptions.add(filter, Some(0), callback(number + 1)));
    }
    assert_eq!(found(&subscriptions, "/a/b"), [1, 2, 3, 4, 5, 7, 8, 9]);
    assert_eq!(found(&subscriptions, "/a"), [3, 8]);
    assert_eq!(found(&subscriptions, "/x"), [3, 6]);
}

#[test]
fn the_same_handler_is_stored_once_and_keeps_its_place() {
    for filter in ["/a", "/+"] {
        let mut subscriptions = Subscriptions::default();
        assert!(subscriptions.add(filter, None, callback(1)));
        assert!(subscriptions.add(filter, Some(0), callback(2)));
        assert!(!subscriptions.add(filter, Some(1), callback(1)));
        assert_eq!(found(&subscriptions, "/a"), [1, 2]);
        assert_eq!(subscriptions.filters(), [(filter.to_owned(), 1)]);
        assert!(!subscriptions.add(filter, None, callback(1)));
        assert_eq!(
            subscriptions.filters(),
            [(filter.to_owned(), 1)],
            "a local handler takes no subscription back"
        );
    }
}

#[test]
fn filters_for_the_server_are_listed_once_in_order_with_the_highest_qos() {
    let mut subscriptions = Subscriptions::default();
    subscriptions.add("/z/#", Some(1), callback(1));
    subscriptions.add("/local", None, callback(2));
    subscriptions.add("/a", Some(0), callback(3));
    subscriptions.add("/+/m", Some(0), callback(4));
    subscriptions.add("/a", Some(2), callback(5));
    subscriptions.add("/z/#", Some(0), callback(6));
    let want = [("/z/#", 1), ("/a", 2), ("/+/m", 0)].map(|(f, q)| (f.to_owned(), q));
    assert_eq!(subscriptions.filters(), want);
}

#[test]
fn removed_handlers_are_dead_and_leave_nothing_behind() {
    let mut subscriptions = Subscriptions::default();
    for filter in ["/a/b", "/a/+", "/a/#", "/a/+/c/#"] {
        subscriptions.add(filter, Some(0), callback(1));
        subscriptions.add(filter, Some(0), callback(2));
    }
    let mut matched = Vec::new();
    subscriptions.matching(b"/a/b", &mut matched);
    assert_eq!(matched.len(), 6);
    subscriptions.remove("/a/+", callback(1));
    subscriptions.remove_filter("/a/b");
    subscriptions.remove_filter("/never");
    subscriptions.remove("/never/+", callback(1));
    let alive: Vec<bool> = matched.iter().map(|handler| handler.is_live()).collect();
    assert_eq!(alive, [false, false, false, true, true, true]);
    assert_eq!(found(&subscriptions, "/a/b"), [2, 1, 2]);
    for filter in ["/a/+", "/a/#", "/a/+/c/#"] {
        subscriptions.remove_filter(filter);
    }
    assert!(matched.iter().all(|handler| !handler.is_live()));
    assert!(subscriptions.wild.is_empty() && subscriptions.exact.is_empty());
}

#[test]
fn clear_kills_every_handler() {
    let mut subscriptions = Subscriptions::default();
    subscriptions.add("/a", Some(0), callback(1));
    subscriptions.add("/+", None, callback(2));
    let mut matched = Vec::new();
    subscriptions.matching(b"/a", &mut matched);
    subscriptions.clear();
    assert!(matched.iter().all(|handler| !handler.is_live()));
    assert_eq!(found(&subscriptions, "/a"), [0; 0]);
    assert_eq!(subscriptions.filters(), []);
}

/// What the search looks at must be bounded by the topic, not by how many filters there are.
#[test]
fn a_message_costs_the_same_with_ten_thousand_subscriptions() {
    let filled = |count: usize| {
        let mut subscriptions = Subscriptions::default();
        for number in 0..count {
            subscriptions.add(&format!("/d/{number}/get"), Some(0), callback(number));
            subscriptions.add(&format!("/d/{number}/+/set"), Some(0), callback(number));
            subscriptions.add(&format!("/w/{number}/#"), None, callback(number));
        }
        subscriptions
    };
    let (few, many) = (filled(4), filled(10_000));
    for topic_name in ["/d/3/get", "/d/3/x/set", "/w/3/a/b/c", "/nobody/wants/this"] {
        assert_eq!(found(&few, topic_name), found(&many, topic_name));
        let (of_few, of_many) = (lookups(&few, topic_name), lookups(&many, topic_name));
        assert_eq!(of_few, of_many, "{topic_name}");
        assert!(of_many <= 8, "{topic_name}: {of_many}");
    }
    let long = format!("/{}", "x/".repeat(30_000));
    assert!(lookups(&many, &long) <= 4, "an endless topic is not walked");
    assert_eq!(found(&many, "/d/9999/get"), [9_999]);
    assert_eq!(many.filters().len(), 20_000);
}

/// Against the rule written down in [`topic::matches`], one filter at a time.
#[test]
fn finds_what_a_search_through_all_filters_finds() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) % below
    };
    let mut text = |names: &[&str], wild: bool| {
        let mut text = String::new();
        for _ in 0..=random(4) {
            text.push('/');
            text.push_str(names[random(names.len() as u64) as usize]);
        }
        if wild && random(4) == 0 {
            text.push_str("/#");
        }
        (text, random(3))
    };
    let mut subscriptions = Subscriptions::default();
    let mut plain: Vec<(String, usize)> = Vec::new();
    let mut hits = 0;
    for round in 0..4_000 {
        let (filter, action) = text(&["a", "b", "", "+", "+"], true);
        if action == 0 {
            subscriptions.remove_filter(&filter);
            plain.retain(|(other, _)| *other != filter);
        } else {
            assert!(subscriptions.add(&filter, Some(0), callback(round)));
            plain.push((filter, round));
        }
        let (topic_name, _) = text(&["a", "b", "", "c"], false);
        let want: Vec<usize> = plain
            .iter()
            .filter(|(filter, _)| topic::matches(filter.as_bytes(), topic_name.as_bytes()))
            .map(|(_, number)| *number)
            .collect();
        hits += want.len();
        assert_eq!(found(&subscriptions, &topic_name), want, "{topic_name}");
        let mut order: Vec<&str> = Vec::new();
        if round % 97 == 0 {
            for (filter, _) in &plain {
                if !order.contains(&filter.as_str()) {
                    order.push(filter);
                }
            }
            let listed = subscriptions.filters();
            assert!(listed.iter().map(|(filter, _)| filter.as_str()).eq(order));
        }
    }
    assert!(hits > 10_000, "the test would prove nothing: {hits}");
}
