//! One QoS 1 packet id, and the ping: every pair of state and event.

use iotx::mqtt::states::{
    Delivery, DeliveryAction, DeliveryEvent, PING, PUBLISH, Ping, PingAction, PingEvent,
};
use iotx::mqtt::table::Machine;
use iotx::state;
use iotx::transport::LinkError;

use super::broker::{Packet, connack, puback};
use super::hal;
use super::world::{KEEPALIVE, REQUEST_TIMEOUT, Setting, Told, World};

/// The id under test: the first one.
const ID: u16 = 1;

fn packet(dup: bool, id: u16) -> Packet {
    Packet::Publish {
        dup,
        qos: 1,
        id,
        topic: "/p".into(),
        payload: b"x".to_vec(),
    }
}

/// The state of the id, from what the client shows.
fn delivery(world: &World) -> Delivery {
    match (world.client.inflight() > 0, world.client.is_online()) {
        (false, _) => Delivery::Free,
        (true, true) => Delivery::InFlight,
        (true, false) => Delivery::Kept,
    }
}

fn enter_delivery(target: Delivery) -> World {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.puback = false);
    if target != Delivery::Free {
        assert_eq!(world.publish(b"x"), Ok(ID));
    }
    if target == Delivery::Kept {
        assert!(world.hang_up());
        world.pass(10);
        world.pass(10);
    }
    assert_eq!(delivery(&world), target);
    world.forget();
    world
}

/// Makes the event happen, if anything could make it happen, and checks the action.
fn happen_to_delivery(world: &World, target: Delivery, event: DeliveryEvent) -> bool {
    match event {
        DeliveryEvent::Publish => {
            let wanted = match target {
                Delivery::Free => Ok(ID),
                Delivery::InFlight => Ok(ID + 1),
                Delivery::Kept => Err(state::STATE_MQTT_IN_OFFLINE_STATUS),
            };
            assert_eq!(world.publish(b"x"), wanted);
            true
        }
        DeliveryEvent::PubAck => {
            let arrives = world.send(&puback(ID));
            if arrives {
                world.pass(10);
            }
            arrives
        }
        DeliveryEvent::Due => {
            if target == Delivery::Free {
                return false;
            }
            let pause = 2 * REQUEST_TIMEOUT - 200;
            if target == Delivery::Kept {
                world.dial(super::world::Dial::Pending);
                hal::advance(2 * REQUEST_TIMEOUT);
            } else {
                world.pass(pause);
                assert_eq!(world.sent(), [], "not before its time");
            }
            world.pass(200);
            true
        }
        DeliveryEvent::Unsent => {
            if target != Delivery::Free {
                return false;
            }
            // Of a free id only as the end of its publish.
            false
        }
        DeliveryEvent::Lost => {
            let there = world.hang_up();
            if there {
                world.pass(10);
            }
            there
        }
        DeliveryEvent::Connected => {
            // Behind a loss, if there is none yet.
            match target {
                Delivery::InFlight => return false,
                Delivery::Free => world.reconnect(),
                Delivery::Kept => {
                    while !world.client.is_online() {
                        world.pass(100);
                    }
                }
            }
            world.pass(10);
            true
        }
    }
}

fn check_delivery(world: &World, action: DeliveryAction) {
    let sent: Vec<Packet> = world
        .sent()
        .into_iter()
        .filter(|packet| matches!(packet, Packet::Publish { .. }))
        .collect();
    let told = world.told();
    let published: Vec<_> = told
        .iter()
        .filter(|told| matches!(told, Told::Published(_)))
        .collect();
    let (wanted, events) = match action {
        DeliveryAction::Send => (vec![packet(false, ID)], 0),
        DeliveryAction::Repeat => (vec![packet(true, ID)], 0),
        DeliveryAction::Skip => (vec![packet(false, ID + 1)], 0),
        DeliveryAction::Tell => (vec![], 1),
        DeliveryAction::Nothing | DeliveryAction::Refuse => (vec![], 0),
        DeliveryAction::Fail | DeliveryAction::Impossible => unreachable!("checked elsewhere"),
    };
    assert_eq!(sent, wanted);
    assert_eq!(published.len(), events, "{told:?}");
    if events == 1 {
        assert_eq!(*published[0], Told::Published(ID));
    }
}

/// The write of an id that is being sent fails.
fn unsent() {
    let world = enter_delivery(Delivery::Free);
    let inside = world.parts();
    world.on_write(move || {
        assert_eq!(inside.client.inflight(), 1, "in flight before the write");
        Err(LinkError::Closed)
    });
    assert_eq!(world.publish(b"x"), Err(state::STATE_SYS_DEPEND_NWK_CLOSE));
    assert_eq!(delivery(&world), Delivery::Free);
    while !world.client.is_online() {
        world.pass(100);
    }
    world.pass(10);
    assert_eq!(world.sent(), [Packet::Connect], "the caller has it back");
}

#[test]
fn every_pair_of_a_qos_1_publish() {
    for &target in PUBLISH.states {
        for &event in PUBLISH.events {
            let row = PUBLISH.row(target, event).expect("a row for each pair");
            let name = format!("{target:?}, {event:?}: {}", row.reason);
            println!("{name}");
            if (target, event) == (Delivery::InFlight, DeliveryEvent::Unsent) {
                assert_eq!(row.action, DeliveryAction::Fail);
                assert_eq!(row.next, Delivery::Free);
                unsent();
                continue;
            }
            let world = enter_delivery(target);
            let produced = happen_to_delivery(&world, target, event);
            let possible = row.action != DeliveryAction::Impossible;
            assert_eq!(produced, possible, "{name}");
            if !produced {
                continue;
            }
            assert_eq!(delivery(&world), row.next, "{name}");
            check_delivery(&world, row.action);
        }
    }
}

/// The state of the ping is what the server's silence shows: how many intervals until the loss.
fn enter_ping(target: Ping) -> World {
    let world = World::online(Setting::default());
    world.manners(|manners| manners.pingresp = false);
    let open = match target {
        Ping::Off => {
            world.dial(super::world::Dial::Pending);
            assert!(world.hang_up());
            world.pass(10);
            world.pass(10);
            0
        }
        Ping::Answered => 0,
        Ping::One => 1,
        Ping::Two => 2,
    };
    for _ in 0..open {
        world.pass(KEEPALIVE);
    }
    let pings = world.sent();
    assert_eq!(pings, vec![Packet::PingReq; open]);
    world.forget();
    world
}

/// How the ping stands: the silent intervals that are left before the connection counts as lost.
fn ping(world: &World) -> Ping {
    if !world.client.is_online() {
        return Ping::Off;
    }
    world.forget();
    let mut left = 0;
    while world.client.is_online() {
        world.pass(KEEPALIVE / 4);
        left += 1;
        assert!(left < 20, "never lost");
    }
    match world.sent().len() {
        2 => Ping::Answered,
        1 => Ping::One,
        0 => Ping::Two,
        other => panic!("{other} pings"),
    }
}

#[test]
fn every_pair_of_the_ping() {
    for &target in PING.states {
        for &event in PING.events {
            let row = PING.row(target, event).expect("a row for each pair");
            let name = format!("{target:?}, {event:?}: {}", row.reason);
            println!("{name}");
            let world = enter_ping(target);
            let produced = match event {
                PingEvent::Connected if target == Ping::Off => {
                    world.dial(super::world::Dial::Open);
                    while !world.client.is_online() {
                        world.pass(100);
                    }
                    true
                }
                PingEvent::Connected => world.send(&connack(false, 0)),
                PingEvent::Due => {
                    world.pass(KEEPALIVE);
                    true
                }
                PingEvent::Packet => world.send(&puback(77)),
                PingEvent::Lost => world.hang_up(),
            };
            assert_eq!(produced, row.action != PingAction::Impossible, "{name}");
            if !produced {
                continue;
            }
            let told_before = world.told();
            world.pass(10);
            let pings = world
                .sent()
                .iter()
                .filter(|p| **p == Packet::PingReq)
                .count();
            assert_eq!(pings, usize::from(row.action == PingAction::Send), "{name}");
            if row.action == PingAction::GiveUp {
                let told = [told_before, world.told()].concat();
                let wanted = "disconnected: no answer to three pings".to_owned();
                let wanted = Told::State(state::STATE_SYS_DEPEND_NWK_CLOSE, wanted);
                assert!(told.contains(&wanted), "{told:?}");
            }
            assert_eq!(ping(&world), row.next, "{name}");
        }
    }
}

#[test]
fn both_tables_have_one_row_per_pair_in_order() {
    fn whole<S: Copy + PartialEq, E: Copy + PartialEq, A>(machine: &Machine<S, E, A>) {
        let pairs = machine
            .states
            .iter()
            .flat_map(|state| machine.events.iter().map(move |event| (*state, *event)));
        let rows = machine.rows.iter().map(|row| (row.state, row.event));
        assert!(pairs.eq(rows), "{}", machine.name);
    }
    whole(&PUBLISH);
    whole(&PING);
    whole(&iotx::device::states::SUBSCRIPTION);
}
