//! The cases that have a name: wraps, overtaking, duplicates, and handlers that come late.

use std::collections::HashSet;
use std::sync::Arc;

use iotx::device::states::Phase;
use iotx::device::{Callback, HELD_BYTES_MAX, HELD_MAX, OutMessage};
use iotx::hal::diagnostics::{Failure, Stage};
use iotx::hal::seam;
use iotx::state;

use super::broker::{Packet, puback, publish, suback};
use super::hal;
use super::world::{DEFAULT, Dial, HANDLER, KEEPALIVE, REQUEST_TIMEOUT, Setting, Told, World};

fn acks(world: &World) -> Vec<u16> {
    world
        .sent()
        .into_iter()
        .filter_map(|packet| match packet {
            Packet::PubAck(id) => Some(id),
            _ => None,
        })
        .collect()
}

fn messages(world: &World) -> Vec<(Callback, Vec<u8>)> {
    world
        .told()
        .into_iter()
        .filter_map(|told| match told {
            Told::Message(callback, _, payload) => Some((callback, payload)),
            _ => None,
        })
        .collect()
}

fn without_default() -> World {
    World::online(Setting {
        default_handler: false,
        ..Setting::default()
    })
}

#[test]
fn packet_ids_wrap_at_65535_and_skip_those_in_use() {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.puback = false);
    assert_eq!(world.publish(b"stays"), Ok(1));
    assert_eq!(world.publish(b"stays"), Ok(2));
    world.manners(|manners| manners.suback = None);
    assert_eq!(world.subscribe("/under/way"), Ok(3));
    world.manners(|manners| manners.puback = true);
    for id in 4..=65_535 {
        assert_eq!(world.publish(b""), Ok(id));
        if id % 64 == 0 {
            world.pass(1);
            world.forget();
        }
    }
    world.pass(10);
    assert_eq!(world.client.inflight(), 2);
    assert_eq!(
        world.publish(b""),
        Ok(4),
        "0 is no id; 1, 2 and 3 are taken"
    );
    assert!(world.send(&puback(2)));
    world.pass(10);
    for id in 5..=65_535 {
        assert_eq!(world.publish(b""), Ok(id));
        if id % 64 == 0 {
            world.pass(1);
            world.forget();
        }
    }
    assert_eq!(world.publish(b""), Ok(2), "free again");
}

/// A port with a tick of 32 bits.
#[test]
fn the_clock_wraps_under_a_connection() {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.puback = false);
    hal::wrap_in(KEEPALIVE / 2);
    // Time has jumped; that is not the point.
    world.pass(10);
    world.forget();
    let start = seam::uptime_ms();
    let id = world.publish(b"x").expect("on-line");
    let mut pings = Vec::new();
    let mut repeats = Vec::new();
    for _ in 0..(2 * KEEPALIVE / 500) {
        let lasted = world.pass(500);
        assert!((500..=501).contains(&lasted), "{lasted}");
        for packet in world.sent() {
            let at = seam::uptime_ms() - start;
            match packet {
                Packet::PingReq => pings.push(at),
                Packet::Publish {
                    dup: true,
                    id: again,
                    ..
                } if again == id => repeats.push(at),
                _ => {}
            }
        }
    }
    assert!(world.client.is_online());
    assert_eq!(pings.len(), 2, "{pings:?}");
    let apart = pings[1] - pings[0];
    assert!((KEEPALIVE..KEEPALIVE + 600).contains(&apart), "{pings:?}");
    let every = 2 * REQUEST_TIMEOUT;
    assert_eq!(repeats.len() as u64, 2 * KEEPALIVE / every, "{repeats:?}");
    // And the wait before an attempt, which is drawn in front of a wrap and over behind it.
    hal::wrap_in(500);
    world.pass(10);
    world.reconnect();
    assert!(world.client.is_online());
}

#[test]
fn duplicate_and_late_acknowledgements_are_told_once_or_not_at_all() {
    let world = World::online(Setting::default());
    world.manners(|manners| {
        manners.puback = false;
        manners.suback = None;
    });
    let sent = world.publish(b"x").expect("on-line");
    let asked = world.subscribe("/a").expect("on-line");
    let twice = [
        puback(sent),
        puback(sent),
        suback(asked, 1),
        suback(asked, 1),
    ]
    .concat();
    assert!(world.send(&twice));
    world.pass(10);
    assert_eq!(world.told(), [Told::Published(sent), Told::Granted(asked)]);
    // Late: the answers come on the next connection, before and behind the repeat.
    let sent = world.publish(b"y").expect("on-line");
    let asked = world.subscribe("/b").expect("on-line");
    world.reconnect();
    world.told();
    assert!(world.send(&[puback(sent), suback(asked, 1)].concat()));
    world.pass(10);
    assert_eq!(world.told(), [Told::Published(sent), Told::Granted(asked)]);
    assert!(world.send(&[puback(sent), suback(asked, 0x80)].concat()));
    world.pass(10);
    assert_eq!(world.told(), []);
    // The late refusal has not removed the handler.
    assert!(world.send(&publish(9, "/b", b"m")));
    world.pass(10);
    assert_eq!(messages(&world), [(HANDLER, b"m".to_vec())]);
}

#[test]
fn a_message_that_overtakes_suback_reaches_its_handler() {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.suback = None);
    let id = world.subscribe("/a").expect("on-line");
    let both = [publish(1, "/a", b"early"), suback(id, 1)].concat();
    assert!(world.send(&both));
    world.pass(10);
    let message = Told::Message(HANDLER, "/a".into(), b"early".to_vec());
    assert_eq!(world.told(), [message, Told::Granted(id)]);
    assert_eq!(acks(&world), [1]);
}

#[test]
fn before_its_handler_is_back_a_message_of_a_resumed_session_goes_to_the_default_handler() {
    let world = World::new();
    world.manners(|manners| manners.session = true);
    assert_eq!(world.client.connect(), Ok(()));
    world.forget();
    assert!(world.send(&publish(1, "/a", b"early")));
    world.pass(10);
    assert_eq!(messages(&world), [(DEFAULT, b"early".to_vec())]);
    assert_eq!(acks(&world), [1]);
}

#[test]
fn without_a_default_handler_it_waits_unacknowledged_for_its_handler() {
    let world = without_default();
    assert!(world.send(&[publish(1, "/a", b"one"), publish(2, "/b", b"two")].concat()));
    world.pass(10);
    assert_eq!((acks(&world), messages(&world)), (vec![], vec![]));
    world.subscribe("/a").expect("on-line");
    assert_eq!(messages(&world), [], "handlers run in Yield only");
    world.pass(10);
    assert_eq!(messages(&world), [(HANDLER, b"one".to_vec())]);
    assert_eq!(acks(&world), [1]);
    // A handler without a subscription will do as well.
    world.client.subscribe(b"/b", 3, HANDLER).expect("on-line");
    world.pass(10);
    assert_eq!(messages(&world), [(HANDLER, b"two".to_vec())]);
    assert_eq!(acks(&world), [2]);
}

#[test]
fn a_message_nobody_took_comes_again_behind_a_reconnect() {
    let world = without_default();
    assert!(world.send(&publish(1, "/a", b"one")));
    world.pass(10);
    world.reconnect();
    world.subscribe("/a").expect("on-line");
    world.pass(10);
    assert_eq!(
        (acks(&world), messages(&world)),
        (vec![], vec![]),
        "not twice"
    );
    // The server has it still.
    assert!(world.send(&publish(1, "/a", b"one")));
    world.pass(10);
    assert_eq!(messages(&world), [(HANDLER, b"one".to_vec())]);
    assert_eq!(acks(&world), [1]);
}

#[test]
fn messages_nobody_takes_are_bounded_and_what_is_dropped_is_told() {
    let world = without_default();
    for id in 1..=HELD_MAX as u16 {
        assert!(world.send(&publish(id, "/a", &id.to_be_bytes())));
    }
    world.pass(10);
    assert_eq!((acks(&world), world.told()), (vec![], vec![]));
    assert!(world.send(&publish(99, "/a", b"one too many")));
    world.pass(10);
    let text = "no handler, dropped - '/a'".to_owned();
    let wanted = Told::State(state::STATE_MQTT_RECV_UNKNOWN_PACKET, text);
    assert_eq!(world.told(), [wanted], "the oldest makes room");
    assert_eq!(acks(&world), [1]);
    world.subscribe("/a").expect("on-line");
    world.pass(10);
    let found = messages(&world);
    assert_eq!(found.len(), HELD_MAX);
    assert_eq!(found[0].1, 2_u16.to_be_bytes());
    assert_eq!(found[HELD_MAX - 1].1, b"one too many");
    const { assert!(HELD_BYTES_MAX >= HELD_MAX * 3072, "the count comes first") };
}

#[test]
fn qos_0_without_a_handler_is_not_kept() {
    let world = without_default();
    assert!(world.send(&[0x30, 5, 0, 2, b'/', b'a', b'x']));
    world.pass(10);
    world.subscribe("/a").expect("on-line");
    world.pass(10);
    assert_eq!(messages(&world), []);
}

/// The window of messages in flight stays closed while the client is off-line.
#[test]
fn a_full_window_is_an_error_and_opens_with_the_acknowledgement() {
    let world = World::online(Setting {
        inflight_max: 2,
        ..Setting::default()
    });
    world.manners(|manners| manners.puback = false);
    assert_eq!(world.publish(b"a"), Ok(1));
    assert_eq!(world.publish(b"b"), Ok(2));
    let full = Err(state::STATE_MQTT_QOS1_REPUB_EXCEED_MAX);
    assert_eq!(world.publish(b"c"), full);
    world.reconnect();
    assert_eq!(world.publish(b"c"), full, "kept over the loss");
    let qos0 = world.client.publish(&OutMessage {
        topic: b"/p",
        payload: Some(b"x"),
        qos: 0,
        retain: false,
    });
    assert_eq!(qos0, Ok(0));
    assert!(world.send(&puback(1)));
    world.pass(10);
    assert!(world.publish(b"c").is_ok());
}

/// A server that answers no SUBSCRIBE, and an application that goes on asking.
#[test]
fn requests_without_answer_are_bounded() {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.suback = None);
    let mut asked = 0;
    let error = loop {
        match world.subscribe("/a") {
            Ok(_) => asked += 1,
            Err(error) => break error,
        }
        assert!(asked < 70_000);
    };
    assert_eq!(asked, iotx::mqtt::engine::PENDING_MAX);
    assert_eq!(error, state::STATE_MQTT_SUB_EXCEED_MAX);
    assert!(world.publish(b"x").is_ok());
}

/// What the life of a client tells, cut off at each event in turn by a Destroy in its handler.
#[test]
fn destroy_inside_a_handler_makes_it_the_last() {
    let life = |world: &World| {
        let id = world.subscribe("/a");
        let _ = world.publish(b"x");
        world.pass(10);
        world.send(&publish(1, "/a", b"m"));
        world.pass(10);
        let _ = world.unsubscribe("/a");
        world.pass(10);
        let failure = Failure::new(Stage::Connect, "refused by memory");
        world.dial(Dial::Fail(failure));
        world.hang_up();
        world.pass(10);
        world.pass(1_000);
        world.dial(Dial::Open);
        world.pass(3_000);
        id
    };
    let world = World::online(Setting::default());
    assert!(life(&world).is_ok());
    assert!(world.client.is_online());
    let whole = world.told();
    drop(world);
    let kinds = |told: &Told| std::mem::discriminant(told);
    assert_eq!(
        whole.iter().map(kinds).collect::<HashSet<_>>().len(),
        7,
        "{whole:?}"
    );
    for last in 1..=whole.len() {
        let world = World::online(Setting::default());
        let destroy_at = (last, Arc::downgrade(&world.client));
        *world.host.destroy_at.lock().expect("destroy_at") = Some(destroy_at);
        let _ = life(&world);
        assert_eq!(world.told(), whole[..last]);
        assert_eq!(world.client.phase(), Phase::Closed);
        assert!(!world.has_link() && !world.is_dialing());
    }
}
