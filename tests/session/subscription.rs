//! One topic filter: every pair of state and event.

use iotx::device::states::{Filter, FilterAction, FilterEvent, SUBSCRIPTION};
use iotx::state;

use super::broker::{Packet, publish, suback, unsuback};
use super::world::{HANDLER, Setting, Told, World};

const FILTER: &str = "/f";

/// A world in which the filter is in a state, with the packet id of the request under way, or of
/// the last one.
struct Entered {
    world: World,
    id: u16,
}

fn enter(target: Filter, default_handler: bool) -> Entered {
    let world = World::online(Setting {
        default_handler,
        ..Setting::default()
    });
    let silent = |world: &World| {
        world.manners(|manners| {
            manners.suback = None;
            manners.unsuback = false;
        });
    };
    let mut id = 9_999;
    match target {
        Filter::Absent => silent(&world),
        Filter::Asked => {
            silent(&world);
            id = world.subscribe(FILTER).expect("on-line");
        }
        Filter::Subscribed => {
            id = world.subscribe(FILTER).expect("on-line");
            world.pass(10);
            silent(&world);
        }
        Filter::Renewing => {
            world.subscribe(FILTER).expect("on-line");
            world.pass(10);
            silent(&world);
            world.reconnect();
            id = subscribes(&world).last().expect("subscribed again").0;
        }
        Filter::Leaving => {
            silent(&world);
            id = world.unsubscribe(FILTER).expect("on-line");
        }
    }
    world.pass(10);
    world.forget();
    Entered { world, id }
}

/// Ids and filters of the SUBSCRIBEs since the last look.
fn subscribes(world: &World) -> Vec<(u16, String)> {
    world
        .sent()
        .into_iter()
        .filter_map(|packet| match packet {
            Packet::Subscribe { id, filter, .. } => Some((id, filter)),
            _ => None,
        })
        .collect()
}

fn happen(entered: &Entered, target: Filter, event: FilterEvent) {
    let Entered { world, id } = entered;
    let before = world.client.phase();
    match event {
        FilterEvent::Subscribe => {
            world.subscribe(FILTER).expect("on-line");
        }
        FilterEvent::Unsubscribe => {
            world.unsubscribe(FILTER).expect("on-line");
        }
        // An acknowledgement belongs to one kind of request. For the others it has their id, too.
        FilterEvent::Granted if target != Filter::Leaving => assert!(world.send(&suback(*id, 1))),
        FilterEvent::Refused if target != Filter::Leaving => {
            assert!(world.send(&suback(*id, 0x80)));
        }
        FilterEvent::Granted => assert!(world.send(&suback(id + 1, 1))),
        FilterEvent::Refused => assert!(world.send(&suback(id + 1, 0x80))),
        FilterEvent::UnsubAck if target == Filter::Leaving => assert!(world.send(&unsuback(*id))),
        FilterEvent::UnsubAck => assert!(world.send(&unsuback(id + 1))),
        FilterEvent::Message => assert!(world.send(&publish(5, FILTER, b"m"))),
        FilterEvent::Resumed | FilterEvent::Restarted => {
            let present = event == FilterEvent::Resumed;
            world.manners(|manners| manners.session = present);
            world.reconnect();
            // Of the loss and the return themselves.
            world.told();
        }
    }
    world.pass(10);
    assert_eq!(world.client.phase(), before, "the connection stays");
}

fn check(entered: &Entered, action: FilterAction) {
    let Entered { world, id } = entered;
    let told = world.told();
    let sent: Vec<Packet> = world
        .sent()
        .into_iter()
        .filter(|packet| *packet != Packet::Connect)
        .collect();
    let filter = FILTER.to_owned();
    match action {
        FilterAction::Ignore | FilterAction::Nothing | FilterAction::Hold => {
            assert_eq!((told, sent), (vec![], vec![]));
        }
        FilterAction::Ask | FilterAction::Renew => {
            let [
                Packet::Subscribe {
                    id: new,
                    filter,
                    qos: 1,
                },
            ] = &sent[..]
            else {
                panic!("{sent:?}");
            };
            assert_eq!(filter, FILTER);
            assert_ne!(new, id, "an id of its own");
            assert_eq!(told, []);
        }
        FilterAction::Leave => {
            let [Packet::Unsubscribe { id: new, filter }] = &sent[..] else {
                panic!("{sent:?}");
            };
            assert_eq!(filter, FILTER);
            assert_ne!(new, id, "an id of its own");
            assert_eq!(told, []);
        }
        FilterAction::TellGranted => assert_eq!(told, [Told::Granted(*id)]),
        FilterAction::TellRefused => assert_eq!(told, [Told::Refused(*id)]),
        FilterAction::TellLeft => assert_eq!(told, [Told::Left(*id)]),
        FilterAction::Report => {
            let text = format!("refused after reconnect - '{FILTER}'");
            assert_eq!(told, [Told::State(state::STATE_MQTT_SUB_INFO, text)]);
        }
        FilterAction::Deliver => {
            let message = Told::Message(HANDLER, filter, b"m".to_vec());
            assert_eq!(told, [message]);
            assert_eq!(sent, [Packet::PubAck(5)]);
        }
        FilterAction::AskAgain => {
            let again = match &sent[..] {
                [Packet::Subscribe { id, filter, .. }] | [Packet::Unsubscribe { id, filter }] => {
                    (*id, filter.clone())
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(again, (*id, filter), "same id");
        }
    }
}

/// Finds out in which state the filter is by what the server gets to see afterwards: a message,
/// then a reconnect without session.
fn observe(world: &World) -> Filter {
    world.forget();
    assert!(world.send(&publish(6, FILTER, b"probe")));
    world.pass(10);
    let handled = world
        .told()
        .iter()
        .any(|told| matches!(told, Told::Message(HANDLER, ..)));
    world.forget();
    // Who asks again with a session present still waits for an answer.
    world.manners(|manners| manners.session = true);
    world.reconnect();
    world.pass(10);
    let under_way = world.sent();
    let last = under_way.iter().rev().find(|packet| {
        matches!(
            packet,
            Packet::Subscribe { .. } | Packet::Unsubscribe { .. }
        )
    });
    match (handled, last) {
        (false, None) => Filter::Absent,
        (false, Some(Packet::Unsubscribe { .. })) => Filter::Leaving,
        (true, None) => Filter::Subscribed,
        (true, Some(Packet::Subscribe { id, .. })) => {
            // Whose question it was shows in who gets the answer.
            world.told();
            assert!(world.send(&suback(*id, 1)));
            world.pass(10);
            match &world.told()[..] {
                [] => Filter::Renewing,
                [Told::Granted(granted)] if granted == id => Filter::Asked,
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_pair_of_a_subscription() {
    for &target in SUBSCRIPTION.states {
        assert_eq!(observe(&enter(target, true).world), target);
        for &event in SUBSCRIPTION.events {
            let row = SUBSCRIPTION
                .row(target, event)
                .expect("a row for each pair");
            println!("{target:?}, {event:?}: {}", row.reason);
            // A default handler takes what nobody else does.
            let entered = enter(target, event != FilterEvent::Message);
            happen(&entered, target, event);
            check(&entered, row.action);
            if event == FilterEvent::Message {
                assert_eq!(row.next, target);
            } else {
                assert_eq!(observe(&entered.world), row.next);
            }
        }
    }
}

/// Subscribe and unsubscribe under way together keep their order over a loss.
#[test]
fn requests_are_asked_again_in_their_order() {
    for (first, second) in [("sub", "unsub"), ("unsub", "sub")] {
        let Entered { world, .. } = enter(Filter::Absent, true);
        let ask = |what: &str| match what {
            "sub" => world.subscribe(FILTER),
            _ => world.unsubscribe(FILTER),
        };
        let ids = [ask(first), ask(second)].map(|id| id.expect("on-line"));
        world.forget();
        world.reconnect();
        let again: Vec<(&str, u16)> = world
            .sent()
            .iter()
            .filter_map(|packet| match packet {
                Packet::Subscribe { id, .. } => Some(("sub", *id)),
                Packet::Unsubscribe { id, .. } => Some(("unsub", *id)),
                _ => None,
            })
            .collect();
        assert_eq!(again, [(first, ids[0]), (second, ids[1])]);
    }
}
